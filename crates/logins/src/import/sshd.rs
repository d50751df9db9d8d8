//! OpenSSH's log: lines of a syslog file (with the year or without it), of RFC 5424, and of `journalctl -o json`. A
//! try is told over several lines; what is not a try of its own (what PAM says of it, the end of a connection) is passed
//! over. Also a password changed with `passwd`, which stands in the same file. Not here: times (`sshd/stamp`).
//!
//! | line | login |
//! |---|---|
//! | `Accepted METHOD for USER from IP …` | success; `Partial` before it means a second factor |
//! | `Failed METHOD for USER from IP …` | failure: the password, where that is the method |
//! | `Failed METHOD for invalid user USER …` | failure: no such user |
//! | `Invalid user USER from IP` | the same, unless a `Failed` of that connection follows |
//! | `User USER from IP not allowed because …` | failure: locked; a `Failed` that follows is that |
//! | `maximum authentication attempts exceeded for USER …` | failure |
//! | `message repeated N times: [ … ]` | N of that line |

mod stamp;

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::io::Read;
use std::net::IpAddr;

use risk::{Act, Outcome, Why};
use serde::Deserialize;

use self::stamp::Years;
use super::{Options, Out, ReadError, too_long};
use crate::lines::{Line, Lines};
use crate::login::Login;
use crate::problem::Wrong;
use crate::text::{Text, shown};

/// Connections whose lines are remembered: what one line says counts for the next.
const CONNECTIONS_MAX: usize = 4_096;
/// Most that syslog says in one `message repeated`.
const REPEATED_MAX: u64 = 10_000;

pub(super) fn read(from: impl Read, options: &Options, out: &mut Out<'_, '_>) -> Result<(), ReadError> {
    let mut lines = Lines::new(from);
    let mut years = Years::new(options);
    let mut log = Log::default();
    while !out.is_over
        && let Some((at, line)) = lines.next_line()?
    {
        match line {
            Line::TooLong => out.problem(too_long().in_line(at)),
            Line::Bytes(line) if line.trim_ascii().is_empty() => {}
            Line::Bytes(line) => {
                let text = String::from_utf8_lossy(line);
                match taken_apart(&text, &mut years)
                    .and_then(|said| said.map_or(Ok(false), |said| log.take(said, out)))
                {
                    Ok(true) => {}
                    Ok(false) => out.other(),
                    Err(wrong) => out.problem(wrong.in_line(at)),
                }
            }
        }
    }
    log.finish(out);
    Ok(())
}

/// A line, taken apart.
struct Said<'a> {
    time_ms: i64,
    host: Cow<'a, str>,
    program: Cow<'a, str>,
    pid: u64,
    message: Cow<'a, str>,
}

/// A line of journald, as far as we look.
#[derive(Deserialize)]
struct Journal<'a> {
    #[serde(borrow, rename = "MESSAGE")]
    message: Option<Text<'a>>,
    #[serde(borrow, rename = "__REALTIME_TIMESTAMP")]
    time_us: Option<Text<'a>>,
    #[serde(borrow, rename = "_HOSTNAME")]
    host: Option<Text<'a>>,
    #[serde(borrow, rename = "SYSLOG_IDENTIFIER")]
    program: Option<Text<'a>>,
    #[serde(borrow, rename = "_PID")]
    pid: Option<Text<'a>>,
}

/// The parts of a line, unless it is of a program that nothing here is about.
fn taken_apart<'a>(line: &'a str, years: &mut Years) -> Result<Option<Said<'a>>, Wrong> {
    if line.starts_with('{') {
        return of_journal(line);
    }
    let (rest, is_5424) = without_priority(line);
    let (time_ms, rest) = years.stamp(rest)?;
    let Some((host, rest)) = rest.split_once(' ') else {
        return Err(Wrong::new("", "no host after the time"));
    };
    let (program, pid, message) = if is_5424 {
        // APP-NAME PROCID MSGID STRUCTURED-DATA MSG
        let mut parts = rest.splitn(5, ' ');
        let mut next = || parts.next().unwrap_or_default();
        let (program, pid, _, data, message) = (next(), next(), next(), next(), next());
        if data != "-" {
            return Err(Wrong::new("", "structured data (RFC 5424) that is not `-`"));
        }
        (program, pid, message)
    } else {
        let Some((tag, message)) = rest.split_once(": ") else { return Ok(None) };
        let (program, pid) = tag.split_once('[').unwrap_or((tag, ""));
        (program, pid.trim_end_matches(']'), message)
    };
    if !is_ours(program) {
        return Ok(None);
    }
    Ok(Some(Said {
        time_ms,
        host: host.into(),
        program: program.into(),
        pid: pid.parse().unwrap_or(0),
        message: message.into(),
    }))
}

fn of_journal(line: &str) -> Result<Option<Said<'_>>, Wrong> {
    let journal: Journal<'_> = serde_json::from_str(line)
        .map_err(|error| Wrong::new("", format!("no line of journald: {error}")))?;
    let program = journal.program.map_or(Cow::Borrowed(""), |text| text.0);
    let Some(message) = journal.message.filter(|_| is_ours(&program)) else { return Ok(None) };
    let time_us = journal.time_us.as_deref().and_then(|time| time.parse::<i64>().ok());
    let time_ms = time_us.and_then(|time| super::time::in_range(time.div_euclid(1_000)));
    let time_ms = time_ms
        .ok_or_else(|| Wrong::new("__REALTIME_TIMESTAMP", "missing, or no microseconds since 1970"))?;
    Ok(Some(Said {
        time_ms,
        host: journal.host.map_or(Cow::Borrowed(""), |text| text.0),
        program,
        pid: journal.pid.as_deref().and_then(|pid| pid.parse().ok()).unwrap_or(0),
        message: message.0,
    }))
}

/// The line after `<38>` and, of RFC 5424, the version.
fn without_priority(line: &str) -> (&str, bool) {
    let rest = line.strip_prefix('<').and_then(|rest| rest.split_once('>')).map(|(_, rest)| rest);
    match rest.and_then(|rest| rest.strip_prefix("1 ")) {
        Some(rest) => (rest, true),
        None => (rest.unwrap_or(line), false),
    }
}

fn is_ours(program: &str) -> bool {
    matches!(program, "sshd" | "sshd-session" | "sshd-auth" | "passwd")
}

/// What is remembered between lines.
#[derive(Default)]
struct Log {
    connections: HashMap<(String, u64), Connection>,
    /// Their order, oldest first.
    order: VecDeque<(String, u64)>,
}

/// What was said of a connection.
#[derive(Default)]
struct Connection {
    /// A try that was announced and not told yet.
    announced: Option<Login<'static>>,
    /// The user may not log in whatever the password.
    is_refused: bool,
    /// One factor held.
    is_partial: bool,
    tries: u64,
}

/// What a message says.
enum Message<'a> {
    Accepted(Try<'a>),
    Failed(Try<'a>),
    /// An unknown user, or one that is not allowed, before a try.
    Announced(Try<'a>),
    Exceeded(Try<'a>),
    Partial,
    PasswordChanged(&'a str),
    /// The connection is over, before or after somebody logged in.
    Closed,
}

struct Try<'a> {
    method: &'a str,
    user: &'a str,
    from: &'a str,
    key: Option<&'a str>,
    why: Why,
}

impl Log {
    /// Takes a line; whether it was, or announced, a try.
    fn take(&mut self, said: Said<'_>, out: &mut Out<'_, '_>) -> Result<bool, Wrong> {
        let (count, message) = repeated(&said.message)?;
        let Some(message) = message_of(&said.program, message)? else { return Ok(false) };
        let connection = self.connection(&said, out);
        match message {
            Message::Closed => {
                if let Some(login) = connection.announced.take() {
                    out.login(login);
                }
                self.forget(&said);
                return Ok(false);
            }
            Message::Partial => connection.is_partial = true,
            Message::Announced(tried) => {
                connection.is_refused = tried.why == Why::Locked;
                let login = connection.login(&said, &tried, Outcome::Failure(tried.why)).into_owned();
                if let Some(before) = connection.announced.replace(login) {
                    out.login(before);
                }
            }
            Message::Accepted(tried) => {
                let mut login = connection.login(&said, &tried, Outcome::Success);
                login.is_mfa = connection.is_partial;
                out.login(login);
            }
            Message::Failed(tried) | Message::Exceeded(tried) => {
                // This is the try that was announced.
                connection.announced = None;
                let why = if connection.is_refused { Why::Locked } else { tried.why };
                for _ in 0..count {
                    out.login(connection.login(&said, &tried, Outcome::Failure(why)));
                }
            }
            Message::PasswordChanged(user) => {
                let mut login = Login::new(said.time_ms, user, Act::PasswordChange, Outcome::Success);
                login.aside.event_code = Some("passwd".into());
                out.login(login);
            }
        }
        Ok(true)
    }

    /// What is known of a line's connection. The oldest is forgotten when there are too many.
    fn connection(&mut self, said: &Said<'_>, out: &mut Out<'_, '_>) -> &mut Connection {
        let name = (said.host.clone().into_owned(), said.pid);
        if !self.connections.contains_key(&name) {
            if self.order.len() >= CONNECTIONS_MAX
                && let Some(oldest) = self.order.pop_front()
                && let Some(login) = self.connections.remove(&oldest).and_then(|old| old.announced)
            {
                out.login(login);
            }
            self.order.push_back(name.clone());
        }
        self.connections.entry(name).or_default()
    }

    fn forget(&mut self, said: &Said<'_>) {
        let name = (said.host.clone().into_owned(), said.pid);
        self.connections.remove(&name);
        self.order.retain(|other| *other != name);
    }

    /// Tells what was announced and never followed, in its order.
    fn finish(&mut self, out: &mut Out<'_, '_>) {
        for name in std::mem::take(&mut self.order) {
            if let Some(login) = self.connections.remove(&name).and_then(|left| left.announced) {
                out.login(login);
            }
        }
    }
}

impl Connection {
    fn login<'a>(&mut self, said: &Said<'a>, tried: &Try<'a>, outcome: Outcome) -> Login<'a> {
        let ip = tried.from.parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
        let mut login = Login::new(said.time_ms, tried.user, Act::Logon, outcome);
        // A new key is a new device; without `UseDNS no`, a name may stand for the address.
        let name = Some(tried.from).filter(|name| ip.is_none() && !name.is_empty());
        login.host = tried.key.or(name).map(Cow::Borrowed);
        login.ip = ip;
        login.agent = Some(tried.method).filter(|method| !method.is_empty()).map(Cow::Borrowed);
        login.target = Some(said.host.clone()).filter(|host| !host.is_empty());
        login.id = Some(format!("{}/{}/{}/{}", said.host, said.pid, said.time_ms, self.tries).into());
        login.aside.event_code = Some(said.program.clone());
        self.tries += 1;
        login
    }
}

/// How often a message was repeated, and the message.
fn repeated(message: &str) -> Result<(u64, &str), Wrong> {
    let Some(rest) = message.strip_prefix("message repeated ") else { return Ok((1, message)) };
    let parts = rest.split_once(" times: [ ").and_then(|(count, message)| {
        Some((count.parse::<u64>().ok()?, message.strip_suffix(']').unwrap_or(message)))
    });
    match parts {
        Some((count, message)) if count <= REPEATED_MAX => Ok((count, message)),
        Some((count, _)) => {
            Err(Wrong::new("message repeated", format!("{count} times, and at most {REPEATED_MAX} are read")))
        }
        None => Err(Wrong::new("message repeated", "no number and message follow")),
    }
}

fn message_of<'a>(program: &str, message: &'a str) -> Result<Option<Message<'a>>, Wrong> {
    if program == "passwd" {
        let user = message.strip_prefix("pam_unix(passwd:chauthtok): password changed for ");
        let user = user.map(str::trim).filter(|user| !user.is_empty());
        return Ok(user.map(Message::PasswordChanged));
    }
    // Some builds put the level before.
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let message = message.strip_suffix(" [preauth]").unwrap_or(message);
    if let Some(rest) = message.strip_prefix("Accepted ") {
        return tried(rest, message).map(Message::Accepted).map(Some);
    }
    if let Some(rest) = message.strip_prefix("Failed ") {
        return tried(rest, message).map(Message::Failed).map(Some);
    }
    if message.starts_with("Partial ") {
        return Ok(Some(Message::Partial));
    }
    if let Some(rest) = message.strip_prefix("maximum authentication attempts exceeded for ") {
        return user_from(rest, "", message).map(Message::Exceeded).map(Some);
    }
    if let Some(rest) =
        message.strip_prefix("Invalid user ").or_else(|| message.strip_prefix("Illegal user "))
    {
        let tried = user_from(rest, "", message)?;
        return Ok(Some(Message::Announced(Try { why: Why::UnknownUser, ..tried })));
    }
    if let Some((rest, _)) =
        message.strip_prefix("User ").and_then(|rest| rest.rsplit_once(" not allowed because "))
    {
        let tried = user_from(rest, "", message)?;
        return Ok(Some(Message::Announced(Try { why: Why::Locked, ..tried })));
    }
    let is_end = ["Connection closed by ", "Connection reset by ", "Disconnected from ", "Disconnecting "];
    Ok(is_end.iter().any(|end| message.starts_with(end)).then_some(Message::Closed))
}

/// `METHOD for [invalid user ]USER from ADDRESS port N ssh2[: KEY]`
fn tried<'a>(rest: &'a str, message: &str) -> Result<Try<'a>, Wrong> {
    let Some((method, rest)) = rest.split_once(" for ") else {
        return Err(unread(message));
    };
    user_from(rest, method, message)
}

/// `[invalid user ]USER from ADDRESS[ port N …]`. Whoever logs in chooses the name, which may itself hold ` from `: the
/// last one is the daemon's.
fn user_from<'a>(rest: &'a str, method: &'a str, message: &str) -> Result<Try<'a>, Wrong> {
    let known = rest.strip_prefix("invalid user ").or_else(|| rest.strip_prefix("illegal user "));
    let why = match (known, method) {
        (Some(_), _) => Why::UnknownUser,
        (None, "password" | "keyboard-interactive/pam" | "keyboard-interactive") => Why::Password,
        (None, _) => Why::Other,
    };
    let rest = known.unwrap_or(rest);
    // An empty name leaves two blanks, or none at the beginning.
    let (user, whence) = match rest.rsplit_once(" from ") {
        Some(parts) => parts,
        None => ("", rest.strip_prefix("from ").ok_or_else(|| unread(message))?),
    };
    let mut parts = whence.split(' ');
    let from = parts.next().unwrap_or_default();
    let from = if from == "UNKNOWN" { "" } else { from };
    let key = whence.split_once("ssh2: ").and_then(|(_, key)| key.split(' ').find(|part| part.contains(':')));
    Ok(Try { method, user: if user.is_empty() { "-" } else { user }, from, key, why })
}

fn unread(message: &str) -> Wrong {
    Wrong::new("", format!("not as OpenSSH writes it: `{}`", shown(message)))
}
