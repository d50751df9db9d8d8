//! One line of a site's log, as far as it is about connections. PostgreSQL writes lines with the prefix
//! `%m [%p] %q%u@%d %h `; a name in it may hold anything, newlines too, so that whoever connects can add lines and take
//! none away. What speaks of a connection and cannot be read is therefore told, never skipped.
//! Not here: reading the file (`tail`), judging the login (`fold`).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use tlog::entry::Micros;

/// Somebody who connected, or tried to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// By the site's clock, in microseconds of Unix time.
    pub at: i64,
    pub role: String,
    /// None is the Unix socket.
    pub address: Option<IpAddr>,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Somebody is in.
    Login(Login),
    /// Somebody was not let in.
    Refused(Login),
    /// About a connection, and not as PostgreSQL writes it.
    Unreadable,
    /// About something else.
    Other,
}

const AUTHORIZED: &str = "connection authorized: user=";
/// What a refusal of PostgreSQL's authentication begins with.
const REFUSALS: [&str; 7] = [
    "password authentication failed for ",
    "no pg_hba.conf entry for ",
    "pg_hba.conf rejects ",
    "connection requires a valid client certificate",
    "certificate authentication failed for ",
    "role \"",
    "invalid password packet size",
];

impl Line {
    /// Reads one line, without its newline.
    pub fn parse(line: &str) -> Line {
        let Some((head, said)) = [" LOG:  ", " FATAL:  "].iter().find_map(|level| line.split_once(level))
        else {
            return if line.contains(AUTHORIZED) { Line::Unreadable } else { Line::Other };
        };
        let user = said.strip_prefix("replication ").unwrap_or(said).strip_prefix(AUTHORIZED);
        let refused = REFUSALS.iter().any(|refusal| said.starts_with(refusal));
        if user.is_none() && !refused {
            return if said.contains(AUTHORIZED) { Line::Unreadable } else { Line::Other };
        }
        let Some(login) = login(head) else { return Line::Unreadable };
        match user {
            // The name is there twice, and only one that says the same twice is read.
            Some(rest) if !starts_with_word(rest, &login.role) => Line::Unreadable,
            Some(_) => Line::Login(login),
            None => Line::Refused(login),
        }
    }
}

/// Whether a text is this word, or goes on behind it with a space.
fn starts_with_word(text: &str, word: &str) -> bool {
    text.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// `2026-01-31 12:00:00.123 UTC [42] user@database 127.0.0.1`
fn login(head: &str) -> Option<Login> {
    let (day, rest) = head.split_once(' ')?;
    let (time, rest) = rest.split_once(" UTC [")?;
    let (pid, rest) = rest.split_once("] ")?;
    pid.parse::<u32>().ok()?;
    let at = Micros::parse_rfc3339(&format!("{day}T{time}000Z"))?.0;
    let (who, host) = rest.rsplit_once(' ')?;
    let (role, _) = who.rsplit_once('@')?;
    let address = if host == "[local]" { None } else { Some(host.parse().ok()?) };
    (!role.is_empty()).then(|| Login { at, role: role.to_owned(), address })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_about_connections_are_read_or_told() {
        let check = |line: &str, expected: &str| {
            let said = match Line::parse(line) {
                Line::Login(login) => format!("in {} {:?} {}", login.role, login.address, Micros(login.at)),
                Line::Refused(login) => format!("out {} {:?}", login.role, login.address),
                Line::Unreadable => "unreadable".to_owned(),
                Line::Other => "other".to_owned(),
            };
            assert_eq!(said, expected, "{line}");
        };
        let at = "2026-01-31 12:00:00.123 UTC [42]";
        let pool = "tp_0011223344556677_dublin-1_001";
        check(
            &format!(
                "{at} {pool}@trefoil 127.0.0.1 LOG:  connection authorized: user={pool} database=trefoil SSL enabled"
            ),
            &format!("in {pool} Some(127.0.0.1) 2026-01-31T12:00:00.123000Z"),
        );
        check(
            &format!(
                "{at} trefoil_admin@trefoil [local] LOG:  connection authorized: user=trefoil_admin database=trefoil"
            ),
            "in trefoil_admin None 2026-01-31T12:00:00.123000Z",
        );
        check(
            &format!(
                "{at} trefoil_repl_hamar@trefoil ::1 LOG:  replication connection authorized: user=trefoil_repl_hamar"
            ),
            "in trefoil_repl_hamar Some(::1) 2026-01-31T12:00:00.123000Z",
        );
        check(
            &format!("{at} eve@trefoil 10.0.0.9 FATAL:  password authentication failed for user \"eve\""),
            "out eve Some(10.0.0.9)",
        );
        check(
            &format!(
                "{at} eve@trefoil 127.0.0.1 FATAL:  pg_hba.conf rejects connection for host \"127.0.0.1\", user \"eve\""
            ),
            "out eve Some(127.0.0.1)",
        );
        check(
            &format!("{at} [unknown]@[unknown] 127.0.0.1 LOG:  connection received: host=127.0.0.1"),
            "other",
        );
        check(&format!("{at} {pool}@trefoil 127.0.0.1 FATAL:  terminating connection"), "other");
        check("2026-01-31 12:00:00.123 UTC [42] LOG:  checkpoint starting: time", "other");
        // A name that looks like a line of its own is told, and the real line that follows is read.
        check("x LOG:  connection authorized: user=trefoil_watch database=trefoil", "unreadable");
        check(
            &format!("{at} a@trefoil 127.0.0.1 LOG:  connection authorized: user=b database=trefoil"),
            "unreadable",
        );
        check("a connection authorized: user=c", "unreadable");
    }
}
