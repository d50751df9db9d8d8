//! The file of passwords that libpq reads: host:port:database:user:password, a line each, `*` for any, `\` before `:` and
//! `\`. One that others may read is left alone, as libpq does.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::ended::{Ended, OrEnded};
use crate::terminal;

/// Whose password it is.
pub(super) struct Asked<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
}

/// The password that the file has, if there is a file and it has one.
pub(super) fn find(asked: &Asked<'_>) -> Result<Option<String>, Ended> {
    let named = std::env::var_os("PGPASSFILE").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".pgpass"));
    let Some(path) = named.or(home).filter(|path| path.is_file()) else { return Ok(None) };
    let doing = || format!("reading {}", path.display());
    if fs::metadata(&path).or_cannot_tell(doing())?.permissions().mode() & 0o077 != 0 {
        terminal::note(&format!(
            "trefoil: {} is left alone, because others may read it: chmod 600",
            path.display()
        ));
        return Ok(None);
    }
    Ok(password(&fs::read_to_string(&path).or_cannot_tell(doing())?, asked))
}

fn password(text: &str, asked: &Asked<'_>) -> Option<String> {
    let port = asked.port.to_string();
    let wanted = [asked.host, port.as_str(), asked.database, asked.user];
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = fields(line);
        let (given, password) =
            fields.split_first_chunk::<4>().and_then(|(four, rest)| Some((four, rest.first()?)))?;
        let fits = given.iter().zip(wanted).all(|(given, wanted)| given == "*" || given == wanted);
        fits.then(|| password.clone())
    })
}

fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        let last = fields.len() - 1;
        let escaped = if letter == '\\' { letters.next() } else { None };
        match (letter, escaped) {
            (':', None) => fields.push(String::new()),
            (plain, escaped) => {
                fields.iter_mut().skip(last).for_each(|field| field.push(escaped.unwrap_or(plain)))
            }
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::{Asked, password};

    #[test]
    fn the_first_line_that_fits() {
        let text = "# ours\ngate.example:6432:trefoil:aoife:plain\n*:*:*:lukas:with\\:colon\\\\\nshort:line\n*:*:*:*:any\n";
        for (host, user, expected) in [
            ("gate.example", "aoife", "plain"),
            ("elsewhere", "aoife", "any"),
            ("elsewhere", "lukas", "with:colon\\"),
        ] {
            let asked = Asked { host, port: 6432, database: "trefoil", user };
            assert_eq!(password(text, &asked).as_deref(), Some(expected), "{user} at {host}");
        }
        let asked = Asked { host: "h", port: 1, database: "d", user: "u" };
        assert_eq!(password("h:2:d:u:other\n", &asked), None);
    }
}
