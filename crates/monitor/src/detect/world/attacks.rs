//! The labelled scenarios: what each detector is for, done plainly, slowly, and inside what is usual. A table: who can do
//! it, over how many days, and what they do on each. The last of a detector's are there to be honest about: they are
//! meant to be missed.

use tlog::detail::{CheckResult, LoginAction, Stage};

use super::{
    dice::{Dice, mix},
    staff::{Person, Role},
    stream::{HOUR, MINUTE, SECOND, Shown, Stream},
};
use crate::{
    detect::{
        dormant, drift, honey, hours, logins, mismatch,
        observation::{Asker, Measure, Outside, Succession, What},
        order, outside, person, place, probing, residency, suspicion, unmatched, volume, widened,
    },
    incident::{Breach, Fault},
};

/// How an attacker goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Naive,
    Slow,
    /// Inside what is usual, or where the detector does not look.
    Inside,
}

impl Style {
    pub fn as_str(self) -> &'static str {
        match self {
            Style::Naive => "naive",
            Style::Slow => "slow",
            Style::Inside => "inside",
        }
    }
}

/// A labelled scenario.
pub struct Scenario {
    pub detector: &'static str,
    pub style: Style,
    pub name: &'static str,
    /// Whose account; anybody's where there is none.
    pub role: Option<Role>,
    pub days: i64,
    pub act: fn(&mut Act<'_>),
}

/// A day of a scenario.
pub struct Act<'a> {
    pub stream: &'a mut Stream,
    pub dice: &'a mut Dice,
    pub person: &'a Person,
    /// Others of the same role.
    pub peers: &'a [Person],
    /// Days since the world began, and since the scenario did.
    pub day: i64,
    pub nth: i64,
    pub midnight: i64,
}

use Style::{Inside, Naive, Slow};

const fn scenario(
    detector: &'static str,
    style: Style,
    name: &'static str,
    role: Option<Role>,
    days: i64,
    act: fn(&mut Act<'_>),
) -> Scenario {
    Scenario { detector, style, name, role, days, act }
}

const SUPPORT: Option<Role> = Some(Role::Support);
const ANALYST: Option<Role> = Some(Role::Analyst);
const ENGINEER: Option<Role> = Some(Role::Engineer);
const BILLING: Option<Role> = Some(Role::Billing);

/// On the days at the end of the quarter, wherever the others are.
pub const AT_QUARTER_END: &str = "at a quarter's end, among those who read much";

/// Every scenario.
pub const ALL: [Scenario; 68] = [
    scenario(mismatch::NAME, Naive, "a forbidden read, permitted by the gate", None, 1, |act| {
        act.breach(Breach::Decision);
    }),
    scenario(mismatch::NAME, Naive, "a lesser statement recorded than served", None, 1, |act| {
        act.breach(Breach::Verdict);
    }),
    scenario(mismatch::NAME, Naive, "counts that do not add up", None, 1, |act| act.breach(Breach::Count)),
    scenario(order::NAME, Naive, "a fork", None, 1, |act| act.breach(Breach::Fork)),
    scenario(order::NAME, Naive, "a session replayed", None, 1, |act| act.breach(Breach::Session)),
    scenario(order::NAME, Naive, "entries that never came", None, 1, |act| act.elsewhere(1, 500, 400)),
    scenario(order::NAME, Slow, "a log set back, posted again and again", None, 1, |act| {
        act.elsewhere(12, 300, 400);
    }),
    scenario(order::NAME, Inside, "a log set back, posted once", None, 1, |act| act.elsewhere(1, 300, 400)),
    scenario(unmatched::NAME, Naive, "eight certificates used around the gate", SUPPORT, 1, |act| {
        act.silent(8)
    }),
    scenario(unmatched::NAME, Slow, "windows that end in no total", SUPPORT, 1, |act| act.unfinished()),
    scenario(unmatched::NAME, Inside, "one certificate used around the gate", SUPPORT, 1, |act| {
        act.silent(1)
    }),
    scenario(volume::NAME, Naive, "everything, in one statement", None, 1, |act| act.dump()),
    scenario(volume::NAME, Naive, "ten times the habit, in lists", SUPPORT, 1, |act| act.lists(16, 18)),
    scenario(volume::NAME, Slow, "some forty more a day, for ten days", SUPPORT, 10, |act| act.lists(4, 12)),
    scenario(volume::NAME, Inside, AT_QUARTER_END, ANALYST, 1, |act| act.rows(12_000)),
    scenario(volume::NAME, Inside, "half more a day, for ten days", SUPPORT, 10, |act| act.lists(1, 8)),
    scenario(person::NAME, Naive, "eight looks in a day, no ticket", ENGINEER, 1, |act| act.looks(8, false)),
    scenario(person::NAME, Naive, "by e-mail address, two a day", ENGINEER, 4, |act| act.by_address()),
    scenario(person::NAME, Naive, "nine colleagues at one subject", SUPPORT, 1, |act| act.gossip()),
    scenario(person::NAME, Slow, "every day for ten days, under other tickets", SUPPORT, 10, |act| {
        act.looks(1, true);
    }),
    scenario(person::NAME, Inside, "twice, under a ticket each", SUPPORT, 1, |act| act.looks(2, true)),
    scenario(probing::NAME, Naive, "twelve relations in ten minutes", None, 1, |act| act.probe(12, MINUTE)),
    scenario(probing::NAME, Slow, "three different things a day, for seven days", ENGINEER, 7, |act| {
        act.probe(3, 2 * HOUR);
    }),
    scenario(probing::NAME, Inside, "three attempts", None, 1, |act| act.probe(3, MINUTE)),
    scenario(hours::NAME, Naive, "a stolen login at night, among those who work by day", ANALYST, 1, |act| {
        act.at_night(12.0, None);
    }),
    scenario(hours::NAME, Naive, "an engineer's login at night, without a ticket", ENGINEER, 1, |act| {
        act.at_night(12.0, None);
    }),
    scenario(hours::NAME, Naive, "a support login hours after a day's work", SUPPORT, 1, |act| {
        act.at_night(13.0, Some("SUP-9"));
    }),
    scenario(hours::NAME, Slow, "a weekend's night", ANALYST, 1, |act| act.at_night(12.5, None)),
    scenario(hours::NAME, Inside, "an hour after the shift", ANALYST, 1, |act| act.at_night(9.2, None)),
    scenario(place::NAME, Naive, "from a country where nobody works", None, 1, |act| act.ask_from("SG")),
    scenario(place::NAME, Naive, "a service from another country", BILLING, 1, |act| act.ask_from("DE")),
    scenario(place::NAME, Naive, "two countries within the hour", None, 1, |act| act.two_places()),
    scenario(place::NAME, Slow, "refused there first", SUPPORT, 1, |act| act.refused_abroad()),
    scenario(place::NAME, Inside, "from a country where peers work", SUPPORT, 1, |act| act.among_peers()),
    scenario(dormant::NAME, Naive, "an account that slept for six weeks", None, 1, |act| act.ordinary()),
    scenario(dormant::NAME, Slow, "an account that slept for six weeks, once", SUPPORT, 1, |act| {
        act.ordinary()
    }),
    scenario(dormant::NAME, Inside, "an account that slept for three weeks", None, 1, |act| act.ordinary()),
    scenario(widened::NAME, Naive, "a column shown clear", None, 1, |act| act.widen(1)),
    scenario(widened::NAME, Slow, "a widening among many changes", None, 1, |act| act.widen(40)),
    scenario(honey::NAME, Naive, "one planted subject looked up", SUPPORT, 1, |act| act.honey(1)),
    scenario(honey::NAME, Slow, "a list of forty with one among them", ANALYST, 1, |act| act.honey(40)),
    scenario(honey::NAME, Inside, "a list of two thousand", ANALYST, 1, |act| act.honey(2_000)),
    scenario(honey::NAME, Inside, "a dump, seen as a sketch", ANALYST, 1, |act| act.dump()),
    scenario(outside::NAME, Naive, "a site read around the gate", None, 1, |act| {
        act.counters(Measure::Rows, 5_000, 400);
    }),
    scenario(outside::NAME, Naive, "a certificate of somebody else", None, 1, |act| {
        act.counters(Measure::Certificates, 1, 0);
    }),
    scenario(outside::NAME, Slow, "thirty calls around the gate every hour", None, 1, |act| act.calls()),
    scenario(outside::NAME, Inside, "fifty rows around the gate, once", None, 1, |act| {
        act.counters(Measure::Rows, 450, 400);
    }),
    scenario(drift::NAME, Naive, "a gate's clock half a minute ahead", None, 1, |act| act.clock(30 * SECOND)),
    scenario(drift::NAME, Slow, "a gate's clock eight seconds behind", None, 1, |act| act.clock(-8 * SECOND)),
    scenario(drift::NAME, Inside, "a gate's clock a second ahead", None, 1, |act| act.clock(SECOND)),
    scenario(logins::NAME, Naive, "sixty passwords in ten minutes", None, 1, |act| {
        act.guess(60, 10 * SECOND, false)
    }),
    scenario(logins::NAME, Naive, "one password for forty names", None, 1, |act| act.spray()),
    scenario(logins::NAME, Slow, "guessed at the eighth try", None, 1, |act| act.guess(8, 4 * MINUTE, true)),
    scenario(logins::NAME, Slow, "ten passwords a day, for four days", None, 4, |act| {
        act.guess(10, 50 * MINUTE, false);
    }),
    scenario(logins::NAME, Naive, "a purpose that no peer has", SUPPORT, 1, |act| act.strange_purpose()),
    scenario(logins::NAME, Inside, "three passwords", None, 1, |act| act.guess(3, MINUTE, false)),
    scenario(residency::NAME, Naive, "a slot for a stranger, for an hour", None, 1, |act| {
        act.plants("replication-slot", HOUR);
    }),
    scenario(residency::NAME, Naive, "a foreign server, for two minutes", None, 1, |act| {
        act.plants("foreign-server", 2 * MINUTE);
    }),
    scenario(residency::NAME, Naive, "the checker is ended", None, 1, |act| act.ends_checker(3 * HOUR)),
    scenario(residency::NAME, Slow, "the checker may not read pg_hba.conf any more", None, 1, |act| {
        act.blinds("hba", 4 * HOUR);
    }),
    scenario(residency::NAME, Inside, "a slot that is there between two looks", None, 1, |act| {
        act.plants("replication-slot", MINUTE / 2);
    }),
    scenario(residency::NAME, Inside, "the checker is away for four minutes", None, 1, |act| {
        act.ends_checker(4 * MINUTE);
    }),
    scenario(suspicion::NAME, Naive, "a spray that the gate finds, and a hit", None, 1, |act| {
        act.found_spray()
    }),
    scenario(suspicion::NAME, Naive, "a right password, judged an attacker's", None, 1, |act| {
        act.judged(LoginAction::Block);
    }),
    scenario(suspicion::NAME, Naive, "a session from a source that the gate says it stops", None, 1, |act| {
        act.let_in(10 * MINUTE);
    }),
    scenario(suspicion::NAME, Slow, "a right password, and no second proof", None, 1, |act| {
        act.judged(LoginAction::StepUp);
    }),
    scenario(suspicion::NAME, Inside, "a session from there when the response is over", None, 1, |act| {
        act.let_in(2 * HOUR);
    }),
    scenario(suspicion::NAME, Inside, "a stolen login, judged usual", None, 1, |act| {
        act.ordinary();
    }),
];

const SUBJECTS: u64 = 100_000;
/// Planted subjects of the simulated enclave.
pub const PLANTED: std::ops::Range<u64> = 500_000..500_050;

impl Act<'_> {
    /// Some time in the person's shift.
    fn at(&self, hours: f64) -> i64 {
        self.midnight + ((self.person.begins + hours) * HOUR as f64) as i64
    }

    fn asker(&self, ticket: Option<&str>) -> Asker {
        self.person.asker(self.day, ticket.map(str::to_owned))
    }

    /// A ticket where the role asks for one.
    fn ticket(&mut self) -> Option<String> {
        let needs = matches!(self.person.role, Role::Support | Role::Trainee | Role::Security);
        needs.then(|| format!("SUP-{}", 500_000 + self.dice.below(100_000)))
    }

    fn some(&mut self, many: u64) -> Vec<u64> {
        (0..many).map(|_| self.dice.below(SUBJECTS)).collect()
    }

    fn breach(&mut self, breach: Breach) {
        let fault = Fault::new(breach, "as the scenario has it");
        self.stream.push(self.midnight + 14 * HOUR, None, What::Breach(fault));
    }

    fn elsewhere(&mut self, times: i64, first: u64, size: u64) {
        for n in 0..times {
            let when = self.midnight + 15 * HOUR + n * 2 * MINUTE;
            self.stream.push(when, None, What::Elsewhere { first, size });
        }
    }

    fn silent(&mut self, times: i64) {
        for n in 0..times {
            let ticket = self.ticket();
            let when = self.at(1.0) + n * 20 * MINUTE;
            let id = self.stream.open(when, self.asker(ticket.as_deref()));
            self.stream.close(when + 10 * MINUTE, &id);
        }
    }

    fn unfinished(&mut self) {
        for n in 0..5 {
            let ticket = self.ticket();
            let when = self.at(1.0) + n * 40 * MINUTE;
            let id = self.stream.open(when, self.asker(ticket.as_deref()));
            (1..4).for_each(|n| self.stream.window(when + n * SECOND, &id));
            self.stream.close(when + 10 * MINUTE, &id);
        }
    }

    fn dump(&mut self) {
        let ticket = self.ticket();
        let looks = [("SELECT * FROM users", Shown::Crowd(SUBJECTS))];
        self.stream.work(self.at(3.0), self.asker(ticket.as_deref()), &looks);
    }

    fn lists(&mut self, sessions: i64, subjects: u64) {
        for n in 0..sessions {
            let ticket = self.ticket();
            let list = self.some(subjects);
            let looks = [("SELECT id, email FROM users ORDER BY id", Shown::Subjects(list, 2))];
            let when = self.at(0.5) + n * 25 * MINUTE;
            self.stream.work(when, self.asker(ticket.as_deref()), &looks);
        }
    }

    fn rows(&mut self, rows: u64) {
        let looks = [("SELECT country, birth_date, full_name FROM users", Shown::Rows(rows))];
        self.stream.work(self.at(4.0), self.asker(None), &looks);
    }

    fn looks(&mut self, times: i64, with_ticket: bool) {
        let subject = 200_000 + mix(self.person.begins.to_bits()) % 1_000;
        for n in 0..times {
            let ticket = with_ticket.then(|| format!("SUP-{}", 700_000 + self.dice.below(100_000)));
            let when = self.at(0.7) + n * 55 * MINUTE + self.nth * 7 * MINUTE;
            let looks = [("SELECT * FROM users WHERE id = $1", Shown::Subjects(vec![subject], 1))];
            self.stream.work(when, self.asker(ticket.as_deref()), &looks);
        }
    }

    fn by_address(&mut self) {
        for n in 0..2 {
            let when = self.at(1.0) + n * 3 * HOUR;
            let id = self.stream.open(when, self.asker(None));
            let text = "SELECT handle, country FROM users WHERE email = $1";
            let address = Some(format!("{}@mail.example", self.person.name));
            self.stream.release(when + SECOND, &id, text, address, &Shown::Rows(1));
            self.stream.close(when + MINUTE, &id);
        }
    }

    fn gossip(&mut self) {
        let subject = 300_000 + self.dice.below(1_000);
        let some: Vec<Person> =
            self.peers.iter().filter(|peer| !peer.is_away(self.day)).take(9).cloned().collect();
        for (peer, n) in some.iter().zip(0..) {
            let ticket = self.ticket();
            let when = self.midnight + 9 * HOUR + n * 17 * MINUTE;
            let looks = [("SELECT * FROM users WHERE id = $1", Shown::Subjects(vec![subject], 1))];
            self.stream.work(when, peer.asker(self.day, ticket), &looks);
        }
    }

    fn probe(&mut self, times: i64, apart: i64) {
        let ticket = self.ticket();
        let asker = self.asker(ticket.as_deref());
        let id = self.stream.open(self.at(1.0), asker.clone());
        for n in 0..times {
            let text = format!("SELECT * FROM hidden_{}", self.nth * 20 + n);
            let when = self.at(1.0) + n * apart + SECOND;
            self.stream.refuse(when, &id, asker.clone(), "unknown-relation", &text);
        }
        self.stream.close(self.at(1.0) + times * apart, &id);
    }

    fn at_night(&mut self, hours: f64, ticket: Option<&str>) {
        for n in 0..3 {
            let list = self.some(2);
            let looks = [("SELECT id FROM users", Shown::Subjects(list, 1))];
            let when = self.at(hours) + n * 20 * MINUTE;
            self.stream.work(when, self.asker(ticket), &looks);
        }
    }

    fn abroad(&mut self, place: &str) -> Asker {
        let ticket = self.ticket();
        Asker { place: place.to_owned(), ..self.asker(ticket.as_deref()) }
    }

    fn ask_from(&mut self, place: &str) {
        // In the morning, before the shift: not in two places at once.
        let when = self.at(-4.0);
        let asker = self.abroad(place);
        self.stream.work(when, asker, &[("SELECT id FROM users", Shown::Rows(5))]);
    }

    fn two_places(&mut self) {
        let ticket = self.ticket();
        let asker = self.asker(ticket.as_deref());
        self.stream.work(self.at(2.0), asker, &[("SELECT 1", Shown::Rows(1))]);
        let elsewhere = if self.person.place_on(self.day) == "DE" { "NO" } else { "DE" };
        let asker = self.abroad(elsewhere);
        self.stream.work(self.at(2.5), asker, &[("SELECT id FROM users", Shown::Rows(5))]);
    }

    fn refused_abroad(&mut self) {
        let asker = self.abroad("BR");
        self.stream.refuse_at(self.at(-4.0), asker, Stage::Connect);
    }

    fn among_peers(&mut self) {
        let other = ["IE", "DE", "NO"].into_iter().find(|place| *place != self.person.office).unwrap_or("IE");
        self.ask_from(other);
    }

    fn ordinary(&mut self) {
        let ticket = self.ticket();
        let list = self.some(1);
        let looks = [("SELECT * FROM users WHERE id = $1", Shown::Subjects(list, 1))];
        self.stream.work(self.at(2.0), self.asker(ticket.as_deref()), &looks);
    }

    fn widen(&mut self, sentences: usize) {
        let when = self.midnight + 16 * HOUR;
        let sentence = |n: usize| format!("profile engineering shows users.column_{n} clear");
        let policy = Succession {
            old: Some("a".repeat(64)),
            new: "b".repeat(64),
            widened: (0..sentences).map(sentence).collect(),
            principals: Vec::new(),
        };
        self.stream.push(when, None, What::Policy(Box::new(policy)));
    }

    fn honey(&mut self, among: u64) {
        let mut list = self.some(among - 1);
        list.push(PLANTED.start + self.dice.below(50));
        let ticket = self.ticket();
        let looks = [("SELECT * FROM users", Shown::Subjects(list, 1))];
        self.stream.work(self.at(3.0), self.asker(ticket.as_deref()), &looks);
    }

    fn counters(&mut self, measure: Measure, observed: u64, recorded: u64) {
        let (site, role) = ("hamar".to_owned(), "engineering".to_owned());
        let outside = Outside { site, role, measure, observed, recorded };
        self.stream.outside(self.midnight + 13 * HOUR, outside);
    }

    fn calls(&mut self) {
        for hour in 1..8 {
            let (site, role) = ("hamar".to_owned(), "analytics".to_owned());
            let outside = Outside { site, role, measure: Measure::Calls, observed: 430, recorded: 400 };
            self.stream.outside(self.midnight + (8 + hour) * HOUR, outside);
        }
    }

    fn clock(&mut self, ahead: i64) {
        self.stream.clock = ahead;
    }

    fn guess(&mut self, times: i64, apart: i64, succeeds: bool) {
        let ticket = self.ticket();
        let asker = self.asker(ticket.as_deref());
        let from = self.at(1.0);
        for n in 0..times {
            self.stream.refuse_at(from + n * apart, asker.clone(), Stage::Login);
        }
        if succeeds {
            self.stream.work(from + times * apart, asker, &[("SELECT id FROM users", Shown::Rows(5))]);
        }
    }

    fn spray(&mut self) {
        let from = self.midnight + 12 * HOUR;
        let mut names: Vec<Asker> =
            self.peers.iter().take(8).map(|peer| peer.asker(self.day, None)).collect();
        for n in 0..32 {
            let known = Asker { principal: format!("guess-{n}"), known: false, ..self.asker(None) };
            names.push(known);
        }
        for (asker, n) in names.into_iter().zip(0..) {
            self.stream.refuse_at(from + n * 70 * SECOND, asker, Stage::Login);
        }
    }

    /// It is there for so long, from half a minute after the checker looked.
    fn plants(&mut self, check: &'static str, lasts: i64) {
        let from = self.midnight + 11 * HOUR + MINUTE / 3;
        self.stream.checker.says(from, from + lasts, check, CheckResult::Fail);
    }

    fn blinds(&mut self, check: &'static str, lasts: i64) {
        let from = self.midnight + 11 * HOUR;
        self.stream.checker.says(from, from + lasts, check, CheckResult::Unknown);
    }

    fn ends_checker(&mut self, lasts: i64) {
        let from = self.midnight + 11 * HOUR;
        self.stream.checker.is_gone(from, from + lasts);
    }

    fn strange_purpose(&mut self) {
        let ticket = self.ticket();
        let purposes = ["analytics", "billing", "engineering", "feed", "security"];
        let purpose = self.dice.pick(&purposes).map(|purpose| (*purpose).to_owned());
        let asker = Asker { purpose, ..self.asker(ticket.as_deref()) };
        self.stream.work(self.at(3.0), asker, &[("SELECT id FROM users", Shown::Rows(5))]);
    }
}
