//! Retention: which keys seal which entries, and what the monitor says of a key that it has destroyed. How a key is
//! destroyed is not here.

use serde::{Deserialize, Serialize};

use crate::entry::Kind;

/// Retention classes. The details of a class can be forgotten earlier than those of another.
pub const RETENTION_CLASSES: [&str; 2] = [ACCESS, LOGIN];

const ACCESS: &str = "access";
const LOGIN: &str = "login";

/// Of `key.forgotten` in the monitor's own record: it has destroyed what it had of a day key of a gate's. The gate's own
/// `key.forgotten` has no detail: its `key` names the key, for everybody to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forgotten {
    /// Origin of the gate's log.
    pub origin: String,
    /// Id of the key.
    pub key: String,
    /// Index of the gate's `key.forgotten`.
    pub entry: u64,
}

/// The class whose keys seal entries of a kind: who failed to log in is forgotten apart from what was released.
pub fn retention_class(kind: Kind) -> &'static str {
    match kind {
        Kind::LoginJudged | Kind::LoginResponded | Kind::LoginExplained | Kind::LoginMarked => LOGIN,
        _ => ACCESS,
    }
}

/// Day and retention class of a key's id: `2026-01-31.access` and `2026-01-31.access.2` are of one day and class.
/// `None` for what is no key's id.
pub fn key_id_parts(id: &str) -> Option<(&str, &str)> {
    let (day, rest) = id.split_once('.').filter(|_| super::is_key_id(id))?;
    let (class, number) = rest.split_once('.').unwrap_or((rest, "2"));
    let counts = number.parse::<u32>().is_ok_and(|n| n >= 2 && n.to_string() == number);
    (counts && RETENTION_CLASSES.contains(&class)).then_some((day, class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_a_day_and_a_class() {
        for (id, parts) in [
            ("2026-01-31.access", Some(("2026-01-31", "access"))),
            ("2026-01-31.access.2", Some(("2026-01-31", "access"))),
            ("2026-01-31.login.17", Some(("2026-01-31", "login"))),
            ("2026-01-31.access.1", None),
            ("2026-01-31.access.02", None),
            ("2026-01-31.access.x", None),
            ("2026-01-31.other", None),
            ("2026-01-31", None),
            ("today.access", None),
        ] {
            assert_eq!(key_id_parts(id), parts, "{id}");
        }
    }
}
