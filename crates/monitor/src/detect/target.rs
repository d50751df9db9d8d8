//! What a statement's text is after, by a quick look: the single value it compares with, the relations it names. Not a
//! parser, and nothing is decided by it: a value or a name that is missed is one reason less for a finding.

use tlog::detail::Statement;

use super::habit::hash;

/// The hash of the one value that the text compares something with; none where there are several, or none.
pub fn single(statement: &Statement) -> Option<u64> {
    let mut values = statement.text.split('=').skip(1).filter_map(|rest| value(rest, statement));
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

fn value(rest: &str, statement: &Statement) -> Option<u64> {
    let rest = rest.trim_start();
    match rest.chars().next()? {
        '\'' => rest.get(1..)?.split('\'').next().map(hash),
        '$' => {
            let digits = rest.get(1..)?.split(|c: char| !c.is_ascii_digit()).next()?;
            let number: usize = digits.parse().ok()?;
            let parameter = statement.parameters.get(number.checked_sub(1)?)?;
            parameter.as_deref().map(hash)
        }
        c if c.is_ascii_digit() => rest.split(|c: char| !c.is_ascii_alphanumeric()).next().map(hash),
        _ => None,
    }
}

/// Hash of the relations that the text names, after FROM, JOIN, INTO, UPDATE and TABLE.
pub fn relations(text: &str) -> u64 {
    let words =
        || text.split(|c: char| c.is_whitespace() || "(),;".contains(c)).filter(|word| !word.is_empty());
    let is_before = |word: &str| {
        ["from", "join", "into", "update", "table"].iter().any(|known| word.eq_ignore_ascii_case(known))
    };
    let named = words().zip(words().skip(1)).filter(|(before, _)| is_before(before));
    named.fold(0, |sum, (_, name)| sum ^ hash(&name.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_is_found() {
        let check = |text: &str, parameters: &[&str], expected: Option<&str>| {
            let statement = Statement {
                text: text.to_owned(),
                parameters: parameters.iter().map(|text| Some((*text).to_owned())).collect(),
                rows: 1,
                bytes: 1,
                tag: None,
                error: None,
                cursor: None,
                subjects: None,
            };
            assert_eq!(single(&statement), expected.map(hash), "{text}");
        };
        check("SELECT handle FROM users WHERE email = 'a@b.example'", &[], Some("a@b.example"));
        check("SELECT handle FROM users WHERE email=$1 LIMIT 1", &["a@b.example"], Some("a@b.example"));
        check("SELECT handle FROM users WHERE id = 42;", &[], Some("42"));
        check("SELECT handle FROM users WHERE id = 42 OR id = 43", &[], None);
        check("SELECT handle FROM users WHERE id = $2", &["x"], None);
        check("SELECT u.handle FROM users u JOIN posts p ON p.author_id = u.id", &[], None);
        check("SELECT 1", &[], None);
    }

    #[test]
    fn relations_are_told_apart() {
        let one = relations("SELECT * FROM users");
        assert_eq!(one, relations("select id from USERS where id = 1"));
        assert_ne!(one, relations("SELECT * FROM data.users"));
        assert_ne!(one, relations("SELECT * FROM users JOIN posts ON true"));
    }
}
