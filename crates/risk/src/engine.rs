//! The engine: one event in, a judgement out, and what it showed is learnt. Features compare the event with the user's
//! history and with what everybody does; weights make log-odds of them; evidence of campaigns and verdicts of analysts are
//! added; a success becomes history. Labels are never needed. Read `facts`, then `features`. Not here: what many events show
//! together (`campaign`), what is done about a judgement.

mod client;
mod facts;
mod familiar;
mod features;
mod habit;
mod known;
mod learn;
mod marks;
mod network;
mod reach;
mod repeats;
mod settings;
mod snapshot;
mod sum;
mod trust;
mod watermark;

pub use features::{Bucket, FEATURES, Feature, Features, Raw};
pub use known::{Known, KnownClient, KnownNetwork};
pub use marks::{Full, MARKS_MAX, Verdict};
pub use settings::{Settings, Terms};
pub use snapshot::SnapshotError;

use facts::{Facts, day_of};
use learn::How;
use marks::Marks;
use repeats::Repeats;
use sum::Sum;
use trust::Trust;
use watermark::{Time, Watermark};

use crate::agent::Memo;
use crate::campaign::Campaigns;
use crate::event::{Act, Event, Outcome};
use crate::everybody::Everybody;
use crate::judgement::{Action, Finding, Judgement, Reason, Term};
use crate::key::{Key, Tag};
use crate::seen::Seen;
use crate::store::{History, Store};
use crate::weights::Weights;

/// From these log-odds on a session seems to be in two places: whoever copies one copies its agent, too.
const ELSEWHERE_LOG_ODDS: f64 = 3.0;

/// All that was learnt, and how it is judged by.
pub struct Engine {
    key: Key,
    weights: Weights,
    settings: Settings,
    store: Store,
    everybody: Everybody,
    marks: Marks,
    campaigns: Campaigns,
    repeats: Repeats,
    watermark: Watermark,
    memo: Memo,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine({} users, {:?})", self.users(), self.settings)
    }
}

impl Engine {
    /// One that knows nobody. The key makes what it remembers useless without it.
    pub fn new(key: Key, weights: Weights, settings: Settings) -> Self {
        Self {
            key,
            weights,
            settings,
            store: Store::new(settings.history_bytes_max),
            everybody: Everybody::default(),
            marks: Marks::default(),
            campaigns: Campaigns::new(&settings.campaign),
            repeats: Repeats::default(),
            watermark: Watermark::default(),
            memo: Memo::default(),
        }
    }

    /// Judges an event by what came before it, then learns from it.
    pub fn judge(&mut self, event: &Event<'_>) -> Judgement {
        self.judge_into(event, &mut Features::default())
    }

    /// The same, with the features that it was judged by.
    pub fn judge_by(&mut self, event: &Event<'_>) -> (Judgement, Features) {
        let mut features = Features::default();
        (self.judge_into(event, &mut features), features)
    }

    fn judge_into(&mut self, event: &Event<'_>, features: &mut Features) -> Judgement {
        let seen = Seen::new(&self.key, event);
        self.judge_seen(&seen, features)
    }

    fn judge_seen(&mut self, seen: &Seen<'_>, features: &mut Features) -> Judgement {
        let event = seen.event;
        let agent = seen.agent.zip(event.agent).map(|(tag, text)| self.memo.read(&self.key, tag, text));
        let mut facts = Facts::new(seen, agent);
        let is_repeat = seen.is_named() && self.repeats.is_repeat(seen.id);
        let time = self.watermark.observe(event.time_ms);
        let mut history = History::default();
        let today = day_of(self.watermark.ms);
        self.store.get(seen.user, today, &mut history);
        facts.complete(&history);
        self.compare(seen, &facts, &history, today, features);
        let mut sum = Sum::default();
        sum.begin(features, &self.weights, self.settings.off, history.logins);
        sum.extend(self.marks.reason(seen.user, &facts), self.settings.off);
        let mut findings = Vec::new();
        if !is_repeat {
            let trust = Trust { today, marks: self.marks.of(seen.user) };
            let familiar = familiar::of(&facts, &history, &trust, sum.score());
            let evidence = self.campaigns.observe(seen, &familiar);
            let is_elsewhere =
                |reason: &Reason| reason.term == Term::Session && reason.log_odds >= ELSEWHERE_LOG_ODDS;
            if evidence.reasons.iter().any(is_elsewhere) {
                sum.is_no_excuse(Term::Device);
            }
            sum.extend(evidence.reasons, self.settings.off);
            findings = evidence.findings;
        }
        let (score, reasons) = sum.end();
        let due = self.due(event, score, &reasons, &findings);
        let action = if self.settings.observe_only { Action::Allow } else { due };
        let is_refused = self.settings.enforced && action > Action::Allow;
        if !is_repeat && !is_refused {
            self.learn(seen, facts, &mut history, time, (score, due));
        }
        self.store.sweep(self.watermark.ms);
        Judgement { score, action, reasons, findings, is_repeat }
    }

    /// The features of an event by what was learnt so far. Nothing is learnt.
    pub fn features(&self, event: &Event<'_>) -> Features {
        let seen = Seen::new(&self.key, event);
        let agent = event.agent.filter(|text| !text.is_empty());
        let mut facts = Facts::new(&seen, agent.map(|text| crate::agent::Agent::read(&self.key, text)));
        let (mut features, mut history) = (Features::default(), History::default());
        // It may be the event that makes it so late that a history is forgotten.
        let mut watermark = self.watermark;
        watermark.observe(event.time_ms);
        let today = day_of(watermark.ms);
        self.store.get(seen.user, today, &mut history);
        facts.complete(&history);
        self.compare(&seen, &facts, &history, today, &mut features);
        features
    }

    /// An analyst's verdict about an event, which is given again as it came. It changes nothing that was learnt.
    pub fn mark(&mut self, event: &Event<'_>, verdict: Verdict) -> Result<(), Full> {
        let seen = Seen::new(&self.key, event);
        let agent = seen.agent.zip(event.agent).map(|(tag, text)| self.memo.read(&self.key, tag, text));
        self.marks.mark(seen.user, seen.id, &Facts::new(&seen, agent), verdict)
    }

    /// Takes a verdict back: everything is as if it had never been given. Whether there was one.
    pub fn unmark(&mut self, event: &Event<'_>) -> bool {
        let seen = Seen::new(&self.key, event);
        self.marks.unmark(seen.user, seen.id)
    }

    /// What is known of a user; nothing that would name an address or a user agent in clear.
    pub fn known(&self, user: &str, now_ms: i64) -> Known {
        let tag = self.tag_of(user);
        let mut history = History::default();
        self.store.get(tag, day_of(now_ms), &mut history);
        Known::new(&history, self.marks.of(tag), day_of(now_ms))
    }

    /// Forgets a user. Whether anything was known.
    pub fn forget(&mut self, user: &str) -> bool {
        let tag = self.tag_of(user);
        self.store.remove(tag)
    }

    /// The hash under which a user is remembered.
    pub fn tag_of(&self, user: &str) -> Tag {
        self.key.tag(crate::key::Of::User, user.as_bytes())
    }

    /// The time by the events so far, milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.watermark.ms
    }

    /// Users that are remembered.
    pub fn users(&self) -> u64 {
        self.store.users()
    }

    /// Bytes of memory held: of the histories with all that belongs to them, and of the rest, which does not grow with
    /// users.
    pub fn bytes(&self) -> (usize, usize) {
        let rest = self.everybody.bytes() + self.repeats.bytes() + self.memo.bytes() + self.campaigns.bytes();
        (self.store.bytes(), rest)
    }

    /// The choices, which may change at any time.
    pub fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    fn compare(
        &self,
        seen: &Seen<'_>,
        facts: &Facts,
        history: &History,
        today: u16,
        features: &mut Features,
    ) {
        features.bucket = Bucket::of(history.logins);
        if matches!(seen.event.act, Act::Logoff | Act::Prompt) {
            return;
        }
        let trust = Trust { today, marks: self.marks.of(seen.user) };
        network::add(features, facts, history, &trust, &self.everybody);
        client::add(features, facts, history, &trust, &self.everybody);
        habit::add(features, facts, history, &self.everybody);
        features.bound_copied();
    }

    /// What is due, whether or not anything is done.
    fn due(&self, event: &Event<'_>, score: f64, reasons: &[Reason], findings: &[Finding]) -> Action {
        let by_findings = findings.iter().map(|finding| finding.action).max().unwrap_or(Action::Allow);
        let is_open = !matches!(event.outcome, Outcome::Failure(_));
        let by_score = match event.act {
            Act::Logoff | Act::Prompt => Action::Allow,
            // It is refused already, and the owner must not be locked out by whoever fails in their name.
            _ if !is_open => {
                let of_source = reasons.iter().filter(|reason| {
                    matches!(reason.term, Term::Source | Term::Campaign) && reason.log_odds > 0.0
                });
                let of_source: f64 = of_source.map(|reason| reason.log_odds).sum();
                if of_source >= self.settings.throttle_at { Action::Throttle } else { Action::Allow }
            }
            // Who gave the second proof is not refused for what is only unusual.
            _ if score >= self.settings.block_at && (!event.is_mfa || self.is_accused(reasons)) => {
                Action::Block
            }
            // The second proof was given.
            _ if score >= self.settings.step_up_at && !event.is_mfa => Action::StepUp,
            _ => Action::Allow,
        };
        by_score.max(by_findings)
    }

    /// Whether others' tries, a verdict, or what was done to the user speak against a login as much as slows a source down.
    fn is_accused(&self, reasons: &[Reason]) -> bool {
        let accuses = |reason: &&Reason| {
            let of_others = matches!(reason.term, Term::Source | Term::Campaign | Term::Siege);
            of_others || matches!(reason.term, Term::Mark | Term::Session | Term::Prompts | Term::Takeover)
        };
        let sum: f64 = reasons.iter().filter(accuses).map(|reason| reason.log_odds).sum();
        sum >= self.settings.throttle_at
    }

    fn learn(
        &mut self,
        seen: &Seen<'_>,
        mut facts: Facts,
        history: &mut History,
        time: Time,
        (score, due): (f64, Action),
    ) {
        let is_success = match seen.event.outcome {
            Outcome::Success => true,
            // A source that never says how it ended teaches a little: it is on probation.
            Outcome::Unknown => true,
            Outcome::Failure(_) => false,
        };
        // Those without a name are not one user.
        let is_login = seen.event.act == Act::Logon && is_success && !seen.event.user.is_empty();
        if !is_login || time == Time::Late || due >= Action::Block {
            return;
        }
        if let Time::Ahead(now_ms) = time {
            facts.time_ms = now_ms;
        }
        let how = match seen.event.outcome {
            _ if seen.event.is_mfa && score < self.settings.block_at => How::Proved,
            Outcome::Success if score < self.settings.probation_at => How::Trusted,
            _ => How::Probation,
        };
        let is_new_prefix = !history.networks.iter().any(|net| net.prefix == facts.prefix);
        learn::learn(history, &facts, how);
        self.store.put(seen.user, history);
        if how != How::Probation {
            learn::learn_everybody(&mut self.everybody, &facts, is_new_prefix);
        }
    }
}

#[cfg(test)]
mod tests;
