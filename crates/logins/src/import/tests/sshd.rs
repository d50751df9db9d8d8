//! OpenSSH.

use super::*;

const BOTH: &str = " agent=password target=gw";

fn line(text: &str, wanted: &str) {
    let wanted: Vec<&str> = Some(wanted).into_iter().filter(|wanted| !wanted.is_empty()).collect();
    check(Format::Sshd, text, &wanted);
}

#[test]
fn each_kind_of_line() {
    let at = |message: &str| format!("2024-05-01T10:00:00.5+02:00 gw sshd[77]: {message}");
    let told = |message: &str, wanted: &str| {
        let wanted = format!("2024-05-01T08:00:00.5Z logon {wanted}");
        line(&at(message), &wanted);
    };
    told(
        "Failed password for root from 203.0.113.9 port 4711 ssh2",
        &format!("Password root ip=203.0.113.9{BOTH} id=gw/77/1714550400500/0"),
    );
    told(
        "Failed password for invalid user o from 2001:db8::1 port 1 ssh2",
        &format!("UnknownUser o ip=2001:db8::1{BOTH} id=gw/77/1714550400500/0"),
    );
    told(
        "Accepted publickey for ana from 10.1.2.3 port 5 ssh2: ED25519 SHA256:aGFsbG8",
        "ok ana ip=10.1.2.3 agent=publickey host=SHA256:aGFsbG8 target=gw id=gw/77/1714550400500/0",
    );
    told(
        "Accepted keyboard-interactive/pam for ana from 10.1.2.3 port 5 ssh2",
        "ok ana ip=10.1.2.3 agent=keyboard-interactive/pam target=gw id=gw/77/1714550400500/0",
    );
    told(
        "Failed none for invalid user  from 10.1.2.3 port 5 ssh2",
        "UnknownUser - ip=10.1.2.3 agent=none target=gw id=gw/77/1714550400500/0",
    );
    told(
        "Failed publickey for ana from host.example port 5 ssh2: RSA SHA256:x",
        "Other ana agent=publickey host=SHA256:x target=gw id=gw/77/1714550400500/0",
    );
    told(
        "error: maximum authentication attempts exceeded for root from 10.1.2.3 port 5 ssh2 [preauth]",
        "Other root ip=10.1.2.3 target=gw id=gw/77/1714550400500/0",
    );
    for other in [
        "Connection closed by authenticating user root 10.1.2.3 port 5 [preauth]",
        "Disconnected from 10.1.2.3 port 5",
        "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=10.1.2.3  user=root",
        "Server listening on 0.0.0.0 port 22.",
        "Partial",
    ] {
        line(&at(other), "");
    }
    line("2024-05-01T10:00:00Z gw CRON[1]: pam_unix(cron:session): session opened for user root", "");
    line(
        "2024-05-01T10:00:00Z gw passwd[1]: pam_unix(passwd:chauthtok): password changed for ana",
        "2024-05-01T10:00:00Z password change ok ana",
    );
}

#[test]
fn whoever_logs_in_cannot_write_the_address() {
    let wanted = "2024-05-01T10:00:00Z logon UnknownUser x from 198.51.100.1 port 2 ssh2 ip=203.0.113.9 agent=password \
                  target=gw id=gw/77/1714557600000/0";
    line(
        "2024-05-01T10:00:00Z gw sshd[77]: Failed password for invalid user x from 198.51.100.1 port 2 ssh2 from 203.0.113.9 port 1 ssh2",
        wanted,
    );
}

#[test]
fn a_try_that_was_announced_is_told_once() {
    let announced = "May  1 10:00:00 gw sshd[77]: Invalid user o from 203.0.113.9 port 4711\n";
    let failed =
        "May  1 10:00:01 gw sshd[77]: Failed password for invalid user o from 203.0.113.9 port 4711 ssh2\n";
    let closed =
        "May  1 10:00:02 gw sshd[77]: Connection closed by invalid user o 203.0.113.9 port 4711 [preauth]\n";
    let first = "2024-05-01T10:00:00Z logon UnknownUser o ip=203.0.113.9 target=gw id=gw/77/1714557600000/0";
    let then = "2024-05-01T10:00:01Z logon UnknownUser o ip=203.0.113.9 agent=password target=gw id=gw/77/1714557601000/1";
    check(Format::Sshd, announced, &[first]);
    check(Format::Sshd, &[announced, closed].concat(), &[first]);
    check(Format::Sshd, &[announced, failed, closed].concat(), &[then]);
    let again = "2024-05-01T10:00:01Z logon UnknownUser o ip=203.0.113.9 agent=password target=gw id=gw/77/1714557601000/2";
    check(Format::Sshd, &[announced, failed, failed, closed].concat(), &[then, again]);
    // Not allowed is not unknown.
    let refused = "May  1 10:00:00 gw sshd[77]: User root from 203.0.113.9 not allowed because not listed in AllowUsers\n";
    let locked = "2024-05-01T10:00:01Z logon Locked o ip=203.0.113.9 agent=password target=gw id=gw/77/1714557601000/1";
    check(Format::Sshd, &[refused, failed].concat(), &[locked]);
}

#[test]
fn two_factors_are_told_apart_from_one() {
    let text = "May  1 10:00:00 gw sshd[7]: Partial publickey for ana from 10.1.2.3 port 5 ssh2: ED25519 SHA256:k\n\
                May  1 10:00:00 gw sshd[7]: Accepted keyboard-interactive/pam for ana from 10.1.2.3 port 5 ssh2\n";
    let wanted = "2024-05-01T10:00:00Z logon ok ana ip=10.1.2.3 agent=keyboard-interactive/pam target=gw mfa=yes \
                  id=gw/7/1714557600000/0";
    check(Format::Sshd, text, &[wanted]);
}

#[test]
fn what_syslog_repeats_is_repeated() {
    let text = "May  1 10:00:00 gw sshd[7]: message repeated 2 times: [ Failed password for ana from 10.1.2.3 port 5 ssh2]";
    let one = |number: u64| {
        format!("2024-05-01T10:00:00Z logon Password ana ip=10.1.2.3{BOTH} id=gw/7/1714557600000/{number}")
    };
    check(Format::Sshd, text, &[&one(0), &one(1)]);
    let text = "May  1 10:00:00 gw sshd[7]: message repeated 20000000 times: [ Failed password for ana from 10.1.2.3 port 5 ssh2]";
    check(Format::Sshd, text, &["line 1: message repeated: 20000000 times, and at most 10000 are read"]);
}

#[test]
fn a_year_is_found_where_none_is_told() {
    let at = |year, zone: &str, text: &str, wanted: &[&str]| {
        let options = Options { year, zone: zone_of(zone), ..options() };
        let lines: Vec<String> = text
            .split(';')
            .map(|time| format!("{time} gw passwd[1]: pam_unix(passwd:chauthtok): password changed for a\n"))
            .collect();
        let wanted: Vec<String> = wanted.iter().map(|time| format!("{time} password change ok a")).collect();
        check_with(
            Format::Sshd,
            &options,
            &lines.concat(),
            &wanted.iter().map(String::as_str).collect::<Vec<_>>(),
        );
    };
    at(None, "UTC", "Jun 10 06:00:00", &["2024-06-10T06:00:00Z"]);
    // Of a clock that is a little ahead, and of last year.
    at(None, "UTC", "Jun 11 05:00:00", &["2024-06-11T05:00:00Z"]);
    at(None, "UTC", "Jun 12 06:00:00", &["2023-06-12T06:00:00Z"]);
    at(None, "UTC", "Dec 31 23:59:60;Jan  1 00:00:00", &["2023-12-31T23:59:59Z", "2024-01-01T00:00:00Z"]);
    at(None, "UTC", "Feb 29 00:00:00", &["2024-02-29T00:00:00Z"]);
    at(None, "Europe/Berlin", "May  1 10:00:00", &["2024-05-01T08:00:00Z"]);
    at(None, "-03:30", "May  1 10:00:00", &["2024-05-01T13:30:00Z"]);
    at(
        Some(2015),
        "UTC",
        "Dec 31 10:00:00;Jan  1 10:00:00;Dec 31 23:00:00;Jan  2 10:00:00;Nov  1 10:00:00;Jan  1 10:00:00",
        &[
            "2015-12-31T10:00:00Z",
            "2016-01-01T10:00:00Z",
            "2015-12-31T23:00:00Z",
            "2016-01-02T10:00:00Z",
            "2016-11-01T10:00:00Z",
            "2017-01-01T10:00:00Z",
        ],
    );
}

fn zone_of(name: &str) -> TimeZone {
    zone(name).unwrap()
}

#[test]
fn other_shapes_of_a_line() {
    let wanted = "2024-05-01T10:00:00Z logon Password ana ip=10.1.2.3 agent=password target=gw id=gw/7/1714557600000/0";
    let message = "Failed password for ana from 10.1.2.3 port 5 ssh2";
    for text in [
        format!("2024-05-01T10:00:00Z gw sshd-session[7]: {message}"),
        format!("<38>May  1 10:00:00 gw sshd[7]: {message}"),
        format!("<38>1 2024-05-01T12:00:00.000000+02:00 gw sshd 7 - - {message}"),
        format!(
            r#"{{"__REALTIME_TIMESTAMP":"1714557600000000","_HOSTNAME":"gw","SYSLOG_IDENTIFIER":"sshd","_PID":"7","MESSAGE":"{message}","X":[1]}}"#
        ),
        format!("\u{feff}May  1 10:00:00 gw sshd[7]: {message}\r\n"),
    ] {
        check(Format::Sshd, &text, &[wanted]);
    }
}

#[test]
fn what_cannot_be_read_is_told_and_what_follows_is_read() {
    let text = "nonsense\n\
                May  1 10:00:00 gw sshd[7]: Failed password\n\
                May 99 10:00:00 gw sshd[7]: x\n\
                {\"SYSLOG_IDENTIFIER\":\"sshd\",\"MESSAGE\":\"x\"}\n\
                May  1 10:00:00 gw sshd[7]: message repeated many times\n\
                2024-05-01T10:00:00Z gw passwd[1]: pam_unix(passwd:chauthtok): password changed for ana\n";
    let counts = check(
        Format::Sshd,
        text,
        &[
            "line 1: no time at the beginning: `nonsense`",
            "line 2: not as OpenSSH writes it: `Failed password`",
            "line 3: no time at the beginning: `May 99 10:00:00 gw sshd[7]: x`",
            "line 4: __REALTIME_TIMESTAMP: missing, or no microseconds since 1970",
            "line 5: message repeated: no number and message follow",
            "2024-05-01T10:00:00Z password change ok ana",
        ],
    );
    assert_eq!(counts, Counts { logins: 1, others: 0, problems: 5 });
}
