//! Any text as a log of each format: logins and problems, never an end; and every login can be written as OCSF and read
//! from that. The first byte picks the format.
#![no_main]

use std::io::Cursor;
use std::ops::ControlFlow;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use logins::import::{Format, Input, Item, Map, Options, TimeZone, read};
use logins::login::Login;
use logins::ocsf::{self, Product};

/// A mapping with a column for everything that is read in a way of its own.
const MAP: &str = r#"
header = false
[columns]
time = "1"
user = "2"
act = "3"
outcome = "4"
ip = "5"
country = "6"
asn = "7"
lat = "8"
long = "9"
network = "10"
agent = "11"
rtt_ms = "12"
mfa = "13"
"#;

static OPTIONS: LazyLock<Options> = LazyLock::new(|| Options {
    zone: TimeZone::UTC,
    year: None,
    now_ms: 1_718_000_000_000,
    map: Some(Map::parse(MAP).expect("a mapping")),
});

fuzz_target!(|bytes: &[u8]| {
    let Some((first, text)) = bytes.split_first() else { return };
    let format = match first {
        b'w' => Format::EvtxJson,
        b's' => Format::Sshd,
        b'e' => Format::Entra,
        b'o' => Format::O365,
        b'c' => Format::Csv,
        _ => return,
    };
    let input = Input::Stream(Box::new(Cursor::new(text.to_vec())));
    let mut items = 0;
    let read = read(format, input, &OPTIONS, &mut |item| {
        items += 1;
        match item {
            Item::Login(_, login) => written(login),
            Item::Problem(problem) => assert!(!problem.why.is_empty()),
        }
        ControlFlow::Continue(())
    });
    if let Ok(counts) = read {
        assert_eq!(counts.logins + counts.problems, items, "each is told");
    }
});

fn written(login: &Login<'_>) {
    let mut line = Vec::new();
    ocsf::write(&mut line, &login.event(), &login.aside, &Product::new("fuzz", "fuzz")).expect("memory");
    let read = ocsf::read(line.trim_ascii_end()).expect("what was written").expect("a login");
    let (read, login) = (read.event(), login.event());
    assert_eq!((read.time_ms, read.act, read.user), (login.time_ms, login.act, login.user));
    assert_eq!((read.ip, read.place, read.agent), (login.ip, login.place, login.agent));
    assert_eq!((read.host, read.session, read.id), (login.host, login.session, login.id));
}
