//! Which hosts a connection string names, as libpq reads it: words (`host=a port=1`) or a URL. Not here: connecting.

use std::collections::BTreeMap;

/// The hosts to which libpq would connect, in order: `hostaddr` where it is given, `host` otherwise, and the folder of
/// the Unix socket where neither is.
pub(crate) fn hosts(text: &str) -> Result<Vec<String>, String> {
    let words = words(text)?;
    if words.contains_key("service") {
        return Err("it names a service of a file that is not read here".to_owned());
    }
    let list = |key| words.get(key).filter(|list: &&String| !list.is_empty());
    let list = list("hostaddr").or_else(|| list("host")).map_or("/", String::as_str);
    Ok(list.split(',').map(|host| if host.is_empty() { "/" } else { host }.to_owned()).collect())
}

/// Keys and values.
pub(crate) fn words(text: &str) -> Result<BTreeMap<String, String>, String> {
    let text = text.trim();
    let url = ["postgresql://", "postgres://"].into_iter().find_map(|scheme| text.strip_prefix(scheme));
    match url {
        Some(url) => of_url(url),
        None => of_words(text),
    }
}

fn of_url(url: &str) -> Result<BTreeMap<String, String>, String> {
    let mut words = BTreeMap::new();
    let (before, parameters) = url.split_once('?').unwrap_or((url, ""));
    let (server, database) = before.split_once('/').unwrap_or((before, ""));
    let hosts = server.rsplit_once('@').map_or(server, |(_, hosts)| hosts);
    let hosts: Vec<String> = hosts.split(',').map(host_of).collect::<Result<_, _>>()?;
    words.insert("host".to_owned(), hosts.join(","));
    words.insert("dbname".to_owned(), decoded(database)?);
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        let (key, value) = parameter.split_once('=').ok_or_else(|| format!("`{parameter}` has no value"))?;
        words.insert(decoded(key)?, decoded(value)?);
    }
    Ok(words)
}

/// `[::1]:5432` → `::1`, `a:5432` → `a`.
fn host_of(text: &str) -> Result<String, String> {
    if let Some(rest) = text.strip_prefix('[') {
        return Ok(rest.split(']').next().unwrap_or(rest).to_owned());
    }
    decoded(text.rsplit_once(':').map_or(text, |(host, _)| host))
}

fn decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next(), rest.next()].map(|digit| char::from(digit.unwrap_or(b' ')).to_digit(16));
        let [Some(high), Some(low)] = digits else { return Err(format!("`{text}` ends inside a %")) };
        bytes.push(u8::try_from(high * 16 + low).unwrap_or(0));
    }
    String::from_utf8(bytes).map_err(|_| format!("`{text}` is no text"))
}

fn of_words(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut words = BTreeMap::new();
    let mut rest = text.chars().peekable();
    loop {
        while rest.next_if(|c| c.is_whitespace()).is_some() {}
        if rest.peek().is_none() {
            return Ok(words);
        }
        let mut key = String::new();
        while let Some(c) = rest.next_if(|c| *c != '=' && !c.is_whitespace()) {
            key.push(c);
        }
        while rest.next_if(|c| c.is_whitespace()).is_some() {}
        if rest.next() != Some('=') {
            return Err(format!("`{key}` has no value"));
        }
        while rest.next_if(|c| c.is_whitespace()).is_some() {}
        let value = value(&mut rest).ok_or_else(|| format!("the value of `{key}` has no end"))?;
        words.insert(key, value);
    }
}

fn value(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let quoted = rest.next_if_eq(&'\'').is_some();
    let mut value = String::new();
    loop {
        match rest.peek() {
            None if quoted => return None,
            None => return Some(value),
            Some('\'') if quoted => {
                rest.next();
                return Some(value);
            }
            Some('\\') => {
                rest.next();
                value.extend(rest.next());
            }
            Some(c) if c.is_whitespace() && !quoted => return Some(value),
            Some(_) => value.extend(rest.next()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::hosts;

    #[test]
    fn hosts_are_those_that_libpq_connects_to() {
        for (text, expected) in [
            ("host=a port=1", Some("a")),
            ("port=1 dbname=x", Some("/")),
            ("", Some("/")),
            ("host = 'a b' user='it\\'s'", Some("a b")),
            ("host=name hostaddr=192.0.2.1", Some("192.0.2.1")),
            ("host=a,b port=1,2", Some("a,b")),
            ("host=/run/postgresql", Some("/run/postgresql")),
            ("postgresql://u:p@a:1/x", Some("a")),
            ("postgres://a,b:5/x?sslmode=require", Some("a,b")),
            ("postgresql:///x?host=/tmp", Some("/tmp")),
            ("postgresql://[2001:db8::1]:5432/x", Some("2001:db8::1")),
            ("postgresql://%2Frun%2Fpg/x", Some("/run/pg")),
            ("postgresql:///x?hostaddr=192.0.2.1&host=b", Some("192.0.2.1")),
            ("service=elsewhere", None),
            ("host", None),
            ("host='a", None),
            ("postgresql://%2", None),
        ] {
            let found = hosts(text).ok().map(|hosts| hosts.join(","));
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
