//! What a site counts and logs against what the record says, as scripts: each step is a thing that happens, each
//! expectation what is told after the site was read.

use std::sync::Arc;

use policy::Network;
use tlog::{
    detail::Statement,
    entry::{CountState, Micros},
};
use wall::identities::{Identity, Who};

use super::{
    SECOND_US,
    account::Count,
    fold::{Counter, Fold, Limits, Live, Reading},
};
use crate::detect::observation::{Asker, Observation, What};

const SITE: &str = "dublin-1";
const ROLE: &str = "tp_0011223344556677_dublin-1_001";
const ADMIN: &str = "trefoil_admin";
const LIMITS: Limits = Limits { settle_us: 5 * SECOND_US, abandoned: Count { calls: 3, rows: 1_000 } };

/// One thing that happens, a second after the one before.
#[derive(Clone, Copy)]
enum Step {
    /// Session number, opened and closed in the record.
    Open(u8),
    Close(u8),
    /// A result of so many rows, exact.
    Release(u8, u64),
    Window(u8, u64),
    Total(u8, u64),
    Write(u8),
    /// What was written is released, with its tag.
    Written(u8, u64),
    Cut(u8),
    /// Entries that were not shown.
    Gap,
    /// PostgreSQL counts statements and rows for the role, or for the administrator.
    Run(i64, i64),
    Maintain(i64),
    /// The session of this number is connected from now on, or nobody is.
    Connect(u8, &'static str),
    Disconnect,
    /// The log says that this role came in from here.
    Login(&'static str, Option<&'static str>),
    /// The counters are emptied, with the server or without; dropped for others; those of the role alone set back.
    Crash,
    Empty,
    Drop,
    SetBack,
    /// The gate died.
    Died,
}
use Step::*;

struct Site {
    fold: Fold,
    now: i64,
    index: u64,
    counted: Count,
    maintained: i64,
    dropped: i64,
    emptied: i64,
    started: i64,
    live: Vec<Live>,
}

fn id(session: u8) -> String {
    format!("{:032x}", 0x4000 + u128::from(session))
}

fn identities() -> Vec<Identity> {
    let near = Network::parse("127.0.0.1/32");
    let role = |name: &str, from| Identity { who: Who::Role(name.to_owned()), from };
    vec![
        role(ADMIN, None),
        Identity { who: Who::Pool, from: near },
        role("trefoil_watch", near),
        role("ts_payouts", near),
    ]
}

impl Site {
    fn new() -> Site {
        let counted = Count { calls: 70, rows: 900 };
        let (now, live) = (1_000 * SECOND_US, Vec::new());
        Site {
            fold: Fold::default(),
            now,
            index: 0,
            counted,
            maintained: 5_000,
            dropped: 0,
            emptied: 1,
            started: 1,
            live,
        }
    }

    fn record(&mut self, session: Option<u8>, what: What) {
        let now = Micros(self.now);
        let (gate, session) = (Arc::from("gate"), session.map(id));
        let observation = Observation { index: self.index, time: now, received: now, gate, session, what };
        self.fold.recorded(SITE, &observation);
        self.index += 1;
    }

    fn release(&mut self, session: u8, state: CountState, rows: u64, tag: &str) {
        let statement = Statement {
            text: "SELECT".to_owned(),
            parameters: Vec::new(),
            rows: if state == CountState::Exact && tag.is_empty() { rows } else { 0 },
            bytes: 0,
            tag: (!tag.is_empty()).then(|| tag.to_owned()),
            error: None,
            cursor: None,
            subjects: None,
        };
        self.record(Some(session), What::Released { state, rows, bytes: 0, statements: vec![statement] });
    }

    fn step(&mut self, step: Step) -> Vec<String> {
        self.now += SECOND_US;
        match step {
            Open(session) => self.record(Some(session), What::Opened(Box::new(asker()))),
            Close(session) => self.record(Some(session), What::Closed { rows: 0, bytes: 0 }),
            Release(session, rows) => self.release(session, CountState::Exact, rows, ""),
            Window(session, rows) => self.release(session, CountState::Window, rows, ""),
            Total(session, rows) => self.release(session, CountState::Total, rows, "SELECT"),
            Write(session) => self.record(Some(session), What::Wrote { statements: 1 }),
            Written(session, rows) => self.release(session, CountState::Exact, 0, &format!("UPDATE {rows}")),
            Cut(session) => self.record(Some(session), What::Cut { limit: None }),
            Gap => self.index += 3,
            Died => self.record(None, What::Started { subject_key: None }),
            Run(calls, rows) => self.counted = self.counted.plus(Count { calls, rows }),
            Maintain(rows) => self.maintained += rows,
            Connect(session, role) => {
                let serial = u128::from_str_radix(&id(session), 16).ok();
                let address = "127.0.0.1".parse().ok();
                self.live.push(Live { pid: 7, role: role.to_owned(), address, serial, since: self.now });
            }
            Disconnect => self.live.clear(),
            Login(role, address) => {
                let address = address.map(|text| text.parse().unwrap());
                let login = super::line::Login { at: self.now, role: role.to_owned(), address };
                let told = self.fold.login(&identities(), login, Micros(self.now));
                return told
                    .into_iter()
                    .map(|(role, measure)| format!("{role} {}", measure.as_str()))
                    .collect();
            }
            Crash => {
                (self.counted, self.maintained, self.emptied, self.started) =
                    (Count::default(), 0, self.now, self.now)
            }
            Empty => (self.counted, self.maintained, self.emptied) = (Count::default(), 0, self.now),
            Drop => self.dropped += 1,
            SetBack => self.counted = Count::default(),
        }
        Vec::new()
    }

    /// Reads the site, and judges it when the record is known that far.
    fn read(&mut self) -> Vec<String> {
        let counter = |number, role: &str, counted| Counter { number, role: role.to_owned(), counted };
        self.fold.read(Reading {
            at: self.now,
            dropped: self.dropped,
            emptied: self.emptied,
            started: self.started,
            counters: vec![
                counter(1, ROLE, self.counted),
                counter(2, ADMIN, Count { calls: 1, rows: self.maintained }),
                counter(3, "ts_payouts", Count { calls: 9, rows: self.now }),
            ],
            live: self.live.clone(),
        });
        self.now += 6 * SECOND_US;
        let found = self.fold.judge(SITE, &identities(), &LIMITS, Micros(self.now));
        let said = |o: crate::detect::observation::Outside| {
            format!(
                "{} {} {}-{}",
                o.role.trim_end_matches("_dublin-1_001"),
                o.measure.as_str(),
                o.observed,
                o.recorded
            )
        };
        found.into_iter().map(said).collect()
    }
}

fn asker() -> Asker {
    Asker {
        principal: "aoife".to_owned(),
        known: true,
        service: false,
        employer: String::new(),
        roles: Vec::new(),
        office: None,
        place: "IE".to_owned(),
        address: None,
        purpose: None,
        ticket: None,
        profile: "support".to_owned(),
        site: SITE.to_owned(),
        role: ROLE.to_owned(),
    }
}

/// The site is read before, in the middle of and after the steps; nothing is told but what is expected, and once.
fn check(name: &str, steps: &[Step], expected: &[&str]) {
    for read_between in [false, true] {
        let mut site = Site::new();
        // What ran when it was read for the first time began before: a second reading finds it at rest.
        assert_eq!([site.read(), site.read()], [[""; 0]; 2], "{name}: before");
        let mut told = Vec::new();
        for step in steps {
            told.extend(site.step(*step));
            if read_between && matches!(step, Release(..) | Total(..) | Close(_)) {
                told.extend(site.read());
            }
        }
        site.now += 6 * SECOND_US;
        told.extend(site.read());
        told.extend(site.read());
        // What the monitor was told is not told again by one that starts from what was kept.
        let kept = serde_json::to_string(&site.fold).unwrap();
        site.fold = serde_json::from_str(&kept).unwrap();
        told.extend(site.read());
        assert_eq!(told, expected, "{name}, read between: {read_between}");
    }
}

const HERE: Option<&str> = Some("127.0.0.1");
const TP: &str = "tp_0011223344556677";

#[test]
fn what_the_record_explains_is_not_told() {
    let session = |steps: &[Step]| {
        let mut all = vec![Open(1), Login(ROLE, HERE), Connect(1, ROLE)];
        all.extend(steps);
        all.extend([Close(1), Disconnect]);
        all
    };
    let quiet = |name: &str, steps: &[Step]| check(name, &session(steps), &[]);
    quiet("nothing", &[]);
    quiet("a result", &[Run(1, 10), Release(1, 10)]);
    quiet(
        "what failed is recorded and not counted",
        &[Release(1, 0), Release(1, 0), Run(1, 2), Release(1, 2)],
    );
    quiet("windows of a large result", &[Run(1, 5_000), Window(1, 2_000), Window(1, 4_000), Total(1, 5_000)]);
    quiet("a window while the site is done", &[Window(1, 10), Run(1, 5_000), Total(1, 5_000)]);
    quiet("a write, and what it wrote", &[Write(1), Run(1, 40), Written(1, 40)]);
    quiet("a write that was rolled back", &[Write(1), Run(1, 0)]);
    quiet("a cut result", &[Run(1, 700), Window(1, 50), Cut(1)]);
    quiet("an abandoned statement", &[Run(1, 900)]);
    quiet("a gate that died", &[Run(1, 900), Died, Open(2), Run(1, 3), Release(2, 3), Close(2)]);
    quiet("entries that were not shown", &[Gap, Run(2, 9)]);
    check("the watch and a service", &[Login("trefoil_watch", HERE), Login("ts_payouts", HERE)], &[]);
}

#[test]
fn what_the_record_does_not_explain_is_told_once() {
    let rows = format!("{TP} rows 5-0");
    check("statements of nobody", &[Run(1, 5)], &[&format!("{TP} calls 1-0"), &rows]);
    check(
        "more than the record says",
        &[Open(1), Login(ROLE, HERE), Connect(1, ROLE), Run(1, 900), Release(1, 10)],
        &[&format!("{TP} rows 900-10")],
    );
    check(
        "more abandoned than a day may have",
        &[Open(1), Login(ROLE, HERE), Run(9, 2_000), Close(1)],
        &[&format!("{TP} calls 9-0"), &format!("{TP} rows 2000-0")],
    );
    check("a login without a session", &[Login(ROLE, HERE)], &[&format!("{TP} connections 1-0")]);
    check(
        "a second login of one session",
        &[Open(1), Login(ROLE, HERE), Login(ROLE, HERE), Close(1)],
        &[&format!("{TP} connections 1-0")],
    );
    let elsewhere = "ts_payouts connections";
    check("a service from elsewhere", &[Login("ts_payouts", Some("10.0.0.9"))], &[elsewhere]);
    check("a login on no list", &[Login("ts_rogue", HERE)], &["ts_rogue connections"]);
    check("the administrator over the network", &[Login(ADMIN, HERE)], &[&format!("{ADMIN} connections")]);
    check(
        "the administrator, who reads",
        &[Login(ADMIN, None), Maintain(3_000)],
        &[&format!("{ADMIN} logins by the Unix socket"), &format!("{ADMIN} rows by the Unix socket 3000-0")],
    );
    let certificate = format!("{TP} certificates 1-0");
    check("a certificate that nobody issued", &[Connect(9, ROLE)], &[&certificate]);
    check(
        "a certificate of another role",
        &[Open(1), Login(ROLE, HERE), Connect(1, "tp_1111111111111111_dublin-1_001")],
        &["tp_1111111111111111 certificates 1-0"],
    );
    check("somebody connected who is on no list", &[Connect(9, "ts_rogue")], &["ts_rogue connections 1-0"]);
}

#[test]
fn counters_that_are_not_what_they_were_are_told() {
    check("a server that died", &[Crash], &["every role losses of counters 1-0"]);
    check("counters that were emptied", &[Empty], &["every role resets of counters 1-0"]);
    check("counters that were dropped", &[Drop, Drop], &["every role losses of counters 2-0"]);
    check("counters of one role set back", &[SetBack], &[&format!("{TP} resets of counters 1-0")]);
    check(
        "statements after it",
        &[Empty, Run(1, 5)],
        &["every role resets of counters 1-0", &format!("{TP} calls 1-0"), &format!("{TP} rows 5-0")],
    );
}
