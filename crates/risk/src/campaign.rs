//! What many events show together: password sprays, credential stuffing, brute force, sessions in two places, prompts
//! until somebody gives in, takeovers. Evidence is in tables of a fixed size, and fades. Events may come late, twice or
//! out of order: sums do not depend on their order. Read `crowds` (many users), `siege` (one user) and `session`.
//!
//! Not here: what is usual of a user (the engine knows, and says it in [`Familiarity`]), second deliveries of an event
//! (it drops them).

mod climate;
mod count;
mod crowd;
mod crowds;
mod ledger;
mod pair;
mod rates;
mod session;
mod siege;
mod store;
#[cfg(test)]
mod tests;
mod watermark;

use crate::event::{Act, Outcome, Why};
use crate::judgement::{Action, Finding, Kind, Reason, Term, Value};
use crate::key::Tag;
use crate::seen::Seen;
use climate::Home;
use crowds::{At, Crowds};
use ledger::{Added, Begun, Ledger};
use rates::Rates;
use session::{Arrival, COPIED_NATS, Session, Spot};
use siege::{Entry, Siege};
use store::{Stored, Table, mix};
use watermark::Watermark;

/// What the engine knows of a login by the user's own history.
#[derive(Debug, Clone, Copy, Default)]
pub struct Familiarity {
    /// Log-odds that this is not the user, without the evidence of campaigns.
    pub risk: f64,
    /// The user agent without its versions.
    pub family: Option<Tag>,
    /// The user was let in before.
    pub is_user: bool,
    /// From this source (without an address: from this host).
    pub is_source: bool,
    /// From this network.
    pub is_network: bool,
    /// With this family of agents; nothing where the event names none.
    pub is_agent: Option<bool>,
    /// How often.
    pub logins: u16,
    /// When last, in milliseconds since 1970; 0 is never.
    pub last_ms: i64,
}

/// What the events so far say of one, and what it completes.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// Contributions to its score.
    pub reasons: Vec<Reason>,
    /// New campaigns, and those that have grown.
    pub findings: Vec<Finding>,
}

/// Sizes of the tables, in entries. What does not fit evicts what is worth least.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Addresses with failures (264 bytes each).
    pub sources: usize,
    /// Prefixes and autonomous systems.
    pub networks: usize,
    /// Ways to a target: it, with a country, a kind of network, a family of agents.
    pub cohorts: usize,
    /// Services.
    pub targets: usize,
    /// Users of the last day, each at a source (16 bytes).
    pub pairs: usize,
    /// Users to whom something is done (about 170 bytes).
    pub users: usize,
    /// Sessions (76 bytes).
    pub sessions: usize,
    /// Campaigns under way.
    pub campaigns: usize,
    /// From these log-odds on a login followed by a change of password or factor is a takeover.
    pub takeover_log_odds: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sources: 1 << 16,
            networks: 1 << 14,
            cohorts: 1 << 13,
            targets: 1 << 10,
            pairs: 1 << 18,
            users: 1 << 16,
            sessions: 1 << 16,
            campaigns: 1 << 12,
            takeover_log_odds: 1.5,
        }
    }
}

/// A change of password or factor right after a login is so much likelier to be an attacker's, in log-odds, where users
/// change something after one login in two hundred.
const CHANGE_LOG_ODDS: f64 = 5.0;
const USUAL_CHANGES: f64 = 0.005;
/// A change within this time of a login follows it.
const FOLLOWS_MS: i64 = count::HOUR_MS;
/// Attackers change it soon: the odds are halved where it comes this much later, and fall on as one over the time.
const SOON_MS: f64 = 600_000.0;
/// Those who attack many are seldom those who take accounts over.
const CAMPAIGN_WEIGHT: f64 = 0.35;
/// Both within the same time are more so.
const BOTH_LOG_ODDS: f64 = 8.0;
/// What is new of a user is the more telling, the more logins are known: so much for each doubling, none for this many.
const KNOWN_LOG_ODDS: f64 = 2.0;
const KNOWN_LOGINS: f64 = 7.0;
/// And at most this much, either way.
const KNOWN_LOG_ODDS_MAX: f64 = 6.0;
/// How much more may be known of a user whose agent it is.
const FAMILIAR_KNOWN_LOG_ODDS_MAX: f64 = 2.0;
/// An agent that the user had before is seldom an attacker's; nor is one who gave a second factor.
const FAMILIAR_LOG_ODDS: f64 = 2.5;
const PROVED_LOG_ODDS: f64 = 3.5;
/// What is left of a try that comes as a forgotten device's would: one every five minutes, for ever, is no siege.
const REPEATED_WEIGHT: f32 = 0.05;
/// Who is less of a stranger may be the owner, and completes no siege.
const STRANGER_WEIGHT_MIN: f32 = 0.1;
/// What a snapshot begins with: its form. It holds numbers of [`Kind`] as they are declared.
const FORM: u64 = u64::from_le_bytes(*b"tfcamp03");

/// All evidence.
pub struct Campaigns {
    takeover_log_odds: f64,
    watermark: Watermark,
    crowds: Crowds,
    sieges: Table<Siege>,
    sessions: Table<Session>,
    ledger: Ledger,
    rates: Rates,
}

impl std::fmt::Debug for Campaigns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Campaigns(..)")
    }
}

impl Campaigns {
    /// No evidence yet.
    pub fn new(settings: &Settings) -> Self {
        Self {
            takeover_log_odds: settings.takeover_log_odds,
            watermark: Watermark::default(),
            crowds: Crowds::new(settings),
            sieges: Table::new(settings.users),
            sessions: Table::new(settings.sessions),
            ledger: Ledger(Table::new(settings.campaigns)),
            rates: Rates::default(),
        }
    }

    /// Bytes held, whatever was seen.
    pub fn bytes(&self) -> usize {
        self.crowds.bytes() + self.sieges.bytes() + self.sessions.bytes() + self.ledger.0.bytes()
    }

    /// Reads where the evidence about an event is said to be, and gives something of it, so that it is read.
    pub fn reach(&self, seen: &Seen<'_>) -> u64 {
        let (user, source, prefix) = keys_of(seen);
        self.crowds.reach(user, source, prefix) ^ self.sieges.reach_set(user)
    }

    /// What an event adds to, and what was known before it and by it. An event that comes days late adds nothing.
    pub fn observe(&mut self, seen: &Seen<'_>, known: &Familiarity) -> Evidence {
        let mut evidence = Evidence::default();
        let Some(now_ms) = self.watermark.admit(seen.event.time_ms) else { return evidence };
        let (_, source, _) = keys_of(seen);
        let has_succeeded = source != 0 && self.crowds.has_succeeded(seen.user.0, source, now_ms);
        let home = Home::of(known, has_succeeded);
        let is_success = seen.event.outcome == Outcome::Success;
        let at = At { now_ms, user: seen.user.0, source, home, is_success };
        match seen.event.act {
            Act::Logon => self.logon(seen, known, at, &mut evidence),
            Act::Prompt => self.prompt(at, false, &mut evidence),
            Act::PasswordChange | Act::FactorChange if is_success => {
                self.change(seen, known, at, &mut evidence);
            }
            Act::PasswordChange | Act::FactorChange | Act::Reuse | Act::Logoff => {}
        }
        // A logon that does not say how it ended is not trusted for it, and may be a session's use all the same.
        let is_open = !matches!(seen.event.outcome, Outcome::Failure(_));
        let is_use = matches!(seen.event.act, Act::Logon if is_open) || seen.event.act == Act::Reuse;
        if let (Some(session), true) = (seen.session, is_use) {
            self.session(seen, known, at, session, &mut evidence);
        }
        if is_success && seen.event.act == Act::Logon {
            self.entered(seen, known, at, &evidence);
        }
        evidence
    }

    fn logon(&mut self, seen: &Seen<'_>, known: &Familiarity, at: At, evidence: &mut Evidence) {
        let mut aimed = 1.0;
        if at.source != 0 {
            let look = self.crowds.observe(seen, known, at, &mut self.ledger);
            for (term, (log_odds, bad, due)) in [(Term::Source, look.source), (Term::Campaign, look.campaign)]
            {
                evidence.add(term, log_odds, Value::Count(bad), Value::Count(due.round().max(0.0) as u64));
            }
            evidence.findings.extend(look.finding);
            aimed = look.aimed;
        }
        match seen.event.outcome {
            Outcome::Failure(Why::Factor) => self.prompt(at, true, evidence),
            Outcome::Failure(why) => {
                let weight = siege::try_weight(why, known, at.source != 0, at.home == Home::Usual);
                self.siege(at, weight * aimed, evidence);
            }
            Outcome::Success => {
                let weight = siege::try_weight(Why::Password, known, at.source != 0, at.home == Home::Usual);
                self.siege(at, weight, evidence);
                if seen.event.is_mfa {
                    self.prompt(at, true, evidence);
                }
            }
            Outcome::Unknown => {}
        }
    }

    /// A try at one user's password, by somebody who is a stranger by this weight. The owner may be let in however long
    /// somebody else tries.
    fn siege(&mut self, at: At, weight: f32, evidence: &mut Evidence) {
        if weight <= 0.0 {
            return;
        }
        let siege = if at.is_success {
            self.sieges.get_mut(at.user)
        } else {
            Some(self.sieges.entry(at.user, at.now_ms))
        };
        let Some(siege) = siege else { return };
        if siege.brute_force != 0 && !self.ledger.is_live(siege.brute_force, at.now_ms) {
            siege.lift();
        }
        if !at.is_success {
            let is_repeated = matches!(at.home, Home::Usual | Home::Near) && siege.is_repeated(at.now_ms);
            let counted = match at.home {
                Home::Usual if is_repeated => return,
                // A network is many people's: who guesses from the same one keeps time as well.
                _ if is_repeated => weight * REPEATED_WEIGHT,
                _ => weight,
            };
            siege.tried(at.now_ms, counted, at.source, at.home == Home::Usual);
        }
        let log_odds = siege.log_odds(at.now_ms) * f64::from(weight.min(1.0));
        evidence.add(Term::Siege, log_odds, Value::Count(u64::from(siege.tries)), Value::Count(0));
        let is_found = match at.is_success {
            true => siege.is_broken(at.now_ms, at.source),
            false => siege.is_forced(at.now_ms),
        };
        if is_found && weight > STRANGER_WEIGHT_MIN {
            let tries = siege.tries + u32::from(at.is_success);
            let begun = Begun::at(at.user, siege.since_ms, tries, siege.sources);
            let campaign = &mut siege.brute_force;
            evidence.find(&mut self.ledger, campaign, (Kind::BruteForce, Action::Throttle), at, begun);
        }
    }

    /// A prompt, or a login with a second factor, given or refused.
    fn prompt(&mut self, at: At, is_logon: bool, evidence: &mut Evidence) {
        let weight = match at.home {
            Home::Usual => 0.5,
            _ if at.source == 0 => 0.7,
            _ => 1.0,
        };
        let siege = if at.is_success {
            self.sieges.get_mut(at.user)
        } else {
            Some(self.sieges.entry(at.user, at.now_ms))
        };
        let Some(siege) = siege else { return };
        if at.is_success && at.home == Home::Usual {
            return siege.answered(at.now_ms);
        }
        let is_told = at.is_success || siege.prompted(at.now_ms, weight, is_logon);
        let log_odds = siege.prompts_log_odds(at.now_ms);
        let asked = Value::Count(siege.prompts_at(at.now_ms).round() as u64);
        evidence.add(Term::Prompts, log_odds, asked, Value::Count(1));
        if is_told && siege.is_worn(at.now_ms, at.is_success) {
            let asked = siege.prompted + u32::from(at.is_success);
            let begun = Begun::at(at.user, siege.prompts_since_ms, asked, 0);
            evidence.find(&mut self.ledger, &mut siege.fatigue, (Kind::MfaFatigue, Action::Block), at, begun);
        }
    }

    /// A password or factor was changed.
    fn change(&mut self, seen: &Seen<'_>, known: &Familiarity, at: At, evidence: &mut Evidence) {
        let is_factor = seen.event.act == Act::FactorChange;
        if known.last_ms != 0 && (0..=FOLLOWS_MS).contains(&at.now_ms.saturating_sub(known.last_ms)) {
            self.rates.changes.is_of_kind();
        }
        let siege = self.sieges.entry(at.user, at.now_ms);
        if !is_factor {
            siege.forgotten(at.source);
        }
        let is_both = siege.changed(at.now_ms, at.source, is_factor);
        self.takeover(seen, known, at, is_both, evidence);
    }

    /// A user was let in: how telling a change would be that follows.
    fn entered(&mut self, seen: &Seen<'_>, known: &Familiarity, at: At, evidence: &Evidence) {
        self.rates.changes.event();
        if matches!(at.home, Home::Usual | Home::New) {
            return;
        }
        let is_familiar = known.is_agent == Some(true);
        let most = if is_familiar { FAMILIAR_KNOWN_LOG_ODDS_MAX } else { KNOWN_LOG_ODDS_MAX };
        let more = KNOWN_LOG_ODDS * (f64::from(known.logins.max(1)) / KNOWN_LOGINS).log2();
        let less = |is: bool, log_odds: f64| if is { log_odds } else { 0.0 };
        let risk = known.risk
            + CAMPAIGN_WEIGHT * evidence.reasons.iter().map(|reason| reason.log_odds).sum::<f64>()
            + more.clamp(-KNOWN_LOG_ODDS_MAX, most)
            - less(is_familiar, FAMILIAR_LOG_ODDS)
            - less(seen.event.is_mfa, PROVED_LOG_ODDS);
        // Of others no change that follows is held to be a takeover.
        if risk + self.change_log_odds() + BOTH_LOG_ODDS >= self.takeover_log_odds {
            let (family, session) = (family_of(known), session_of(seen));
            let entry = Entry { time_ms: at.now_ms, risk: risk as f32, source: at.source, family, session };
            self.sieges.entry(at.user, at.now_ms).entered(entry);
        }
    }

    /// How much a change that follows a login tells here.
    fn change_log_odds(&self) -> f64 {
        CHANGE_LOG_ODDS + self.rates.changes.log_odds(USUAL_CHANGES)
    }

    /// A change that follows a risky login of the same user, by whoever logged in: who is neither there nor has that agent is
    /// the owner, who takes the account back.
    fn takeover(
        &mut self,
        seen: &Seen<'_>,
        known: &Familiarity,
        at: At,
        is_both: bool,
        evidence: &mut Evidence,
    ) {
        let change = self.change_log_odds();
        let Some(siege) = self.sieges.get_mut(at.user) else { return };
        let entry = siege.entry;
        let after_ms = at.now_ms - entry.time_ms;
        let (family, session) = (family_of(known), session_of(seen));
        // A change that says nothing of who makes it is theirs who logged in last.
        let is_silent = at.source == 0 && family == 0 && session == 0;
        let is_same = match () {
            () if is_silent => known.last_ms <= entry.time_ms,
            () if session != 0 && session == entry.session => true,
            () => at.source == entry.source || family != 0 && family == entry.family,
        };
        let is_owner = at.home == Home::Usual && at.source != entry.source;
        let is_soon = entry.time_ms != 0 && (0..=siege::TAKEOVER_MS).contains(&after_ms);
        if !is_soon || !is_same || is_owner {
            return;
        }
        let late = (after_ms as f64 / SOON_MS).ln_1p();
        let log_odds = if is_both { change + BOTH_LOG_ODDS } else { change } - late;
        let risk = f64::from(entry.risk);
        let observed = Value::Ms(after_ms as f64);
        evidence.add(Term::Takeover, (risk + log_odds).max(0.0), observed, Value::None);
        if risk + log_odds >= self.takeover_log_odds {
            let begun = Begun::at(at.user, entry.time_ms, 1, 0);
            evidence.find(&mut self.ledger, &mut siege.takeover, (Kind::Takeover, Action::Block), at, begun);
        }
    }

    /// A session is used.
    fn session(&mut self, seen: &Seen<'_>, known: &Familiarity, at: At, tag: Tag, evidence: &mut Evidence) {
        let key = mix(tag.0, at.user);
        let family = known.family.map_or(0, |family| family.0);
        let arrival = Arrival {
            is_usual_source: known.is_source,
            is_usual_network: known.is_network,
            is_new_agent: known.is_agent == Some(false),
            is_shared: self.crowds.is_shared(at.source),
        };
        let session = self.sessions.entry(key, at.now_ms);
        let nats = session.moved(Spot::of(seen, at.now_ms, at.source, family), arrival, &mut self.rates);
        evidence.add(Term::Session, nats, Value::Word("elsewhere"), Value::Word("one place"));
        if nats >= COPIED_NATS {
            let begun = Begun::at(at.user, at.now_ms, 1, 0);
            let added = At { is_success: false, ..at };
            evidence.find(
                &mut self.ledger,
                &mut session.campaign,
                (Kind::Replay, Action::Revoke),
                added,
                begun,
            );
        }
    }
}

/// The family of agents, as a part of its hash; 0 is none.
fn family_of(known: &Familiarity) -> u32 {
    known.family.map_or(0, |family| family.0 as u32)
}

/// The session, as a part of its hash; 0 is none.
fn session_of(seen: &Seen<'_>) -> u32 {
    seen.session.map_or(0, |session| (session.0 as u32).max(1))
}

/// User, source (0 where nothing says where it came from) and prefix.
fn keys_of(seen: &Seen<'_>) -> (u64, u64, u64) {
    let tag = |tag: Option<Tag>| tag.map_or(0, |tag| tag.0);
    (seen.user.0, tag(seen.source.or(seen.host)), tag(seen.prefix))
}

impl Evidence {
    fn add(&mut self, term: Term, log_odds: f64, observed: Value, expected: Value) {
        if log_odds > 0.05 {
            self.reasons.push(Reason { term, log_odds, observed, expected });
        }
    }

    /// Adds an event to a campaign against one user, opened where there is none.
    fn find(
        &mut self,
        ledger: &mut Ledger,
        campaign: &mut u64,
        (kind, action): (Kind, Action),
        at: At,
        begun: Begun,
    ) {
        if !ledger.is_live(*campaign, at.now_ms) {
            *campaign = ledger.open(kind, at.user, begun);
        }
        let added = Added { now_ms: at.now_ms, user: at.user, source: at.source, is_success: at.is_success };
        self.findings.extend(ledger.add(*campaign, added, (kind, action), false));
    }
}

impl Campaigns {
    /// Writes all evidence, to go on from later.
    pub fn write(&self, out: &mut Vec<u8>) {
        FORM.put(out);
        self.watermark.put(out);
        self.crowds.put(out);
        self.sieges.put(out);
        self.sessions.put(out);
        self.ledger.0.put(out);
        self.rates.put(out);
    }

    /// Reads what [`Campaigns::write`] wrote, with the tables' sizes; nothing when the bytes are not of this form. That
    /// they are whole is for the caller to check.
    pub fn read(settings: &Settings, from: &mut &[u8]) -> Option<Self> {
        if u64::take(from)? != FORM {
            return None;
        }
        Some(Self {
            takeover_log_odds: settings.takeover_log_odds,
            watermark: Watermark::take(from)?,
            crowds: Crowds::take(from)?,
            sieges: Table::take(from)?,
            sessions: Table::take(from)?,
            ledger: Ledger(Table::take(from)?),
            rates: Rates::take(from)?,
        })
    }
}
