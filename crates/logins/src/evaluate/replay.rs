//! A log, judged in its order by the baseline and by the model, each by what came before; and what is needed of it for
//! figures. Not here: labels (`truth`), figures (`single`, `campaigns`, `calibration`).

use std::collections::{BTreeMap, HashMap};

use risk::{Act, Action, Baseline, Event, Judgement, Kind, Outcome};

use super::truth::Truth;

/// A login that succeeded, scored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scored {
    pub(super) time_ms: i64,
    /// Which user, by number.
    pub(super) user: u32,
    /// How many logins of the user's own came before.
    pub(super) before: u32,
    /// The attack: its kind and number; none if the user did it.
    pub(super) attack: Option<(u16, u32)>,
    /// Logarithm of the baseline's score; none where it has nothing to compare with.
    pub(super) baseline: Option<f32>,
    pub(super) model: f32,
    /// What the model would do.
    pub(super) action: Action,
}

/// An attack's events: when the first was, and how long after it was found by what kind of finding.
#[derive(Debug, Clone, Default)]
pub(super) struct Campaign {
    pub(super) first_ms: i64,
    pub(super) events: u32,
    /// The first finding of each kind at an event of it.
    pub(super) found: HashMap<Kind, i64>,
}

/// What is kept of a replay.
#[derive(Debug, Default)]
pub(super) struct Replay {
    pub(super) scored: Vec<Scored>,
    pub(super) campaigns: HashMap<u32, Campaign>,
    /// Findings that began at an event of a user's own, by kind.
    pub(super) false_findings: HashMap<Kind, u64>,
    /// Attempts to log in that users made.
    pub(super) attempts: u64,
    /// Users' own logins by what would be done about them.
    pub(super) actions: HashMap<Action, u64>,
    /// What users did, by number of the trap.
    pub(super) traps: BTreeMap<u8, InTrap>,
    pub(super) unlabelled: u64,
    pub(super) first_ms: Option<i64>,
    pub(super) last_ms: i64,
    users: HashMap<String, (u32, u32)>,
}

/// What users did in a trap, and how it was judged.
#[derive(Debug, Clone, Default)]
pub(super) struct InTrap {
    pub(super) attempts: u64,
    pub(super) logins: u64,
    pub(super) actions: HashMap<Action, u64>,
    pub(super) false_findings: BTreeMap<Kind, u64>,
}

/// Who judges.
pub(super) struct Judges<'a> {
    /// None where only the model is asked.
    pub(super) baseline: Option<Baseline>,
    pub(super) engine: &'a mut risk::Engine,
}

impl InTrap {
    fn add(&mut self, event: &Event<'_>, judgement: &Judgement) {
        for finding in judgement.findings.iter().filter(|finding| finding.is_new) {
            *self.false_findings.entry(finding.kind).or_default() += 1;
        }
        if event.act == Act::Logon {
            self.attempts += 1;
        }
        if event.act == Act::Logon && event.outcome == Outcome::Success {
            self.logins += 1;
            *self.actions.entry(judgement.action).or_default() += 1;
        }
    }
}

impl Replay {
    /// The next event of the log, who did it, and in which trap.
    pub(super) fn add(&mut self, judges: &mut Judges<'_>, event: &Event<'_>, truth: Option<Truth>, trap: u8) {
        let baseline = judges.baseline.as_mut().and_then(|baseline| baseline.judge(event));
        let judgement = judges.engine.judge(event);
        self.first_ms.get_or_insert(event.time_ms);
        self.last_ms = self.last_ms.max(event.time_ms);
        let Some(truth) = truth else {
            self.unlabelled += 1;
            return;
        };
        let attack = match truth {
            Truth::Legitimate => None,
            Truth::Attack { kind, cluster } => Some((kind, cluster)),
        };
        self.find(event, attack, &judgement.findings);
        if attack.is_none() {
            self.traps.entry(trap).or_default().add(event, &judgement);
        }
        if event.act != Act::Logon {
            return;
        }
        if attack.is_none() {
            self.attempts += 1;
        }
        if event.outcome != Outcome::Success {
            return;
        }
        let count = self.users.len() as u32;
        let (user, before) = match self.users.get_mut(event.user) {
            Some(known) => known,
            None => self.users.entry(event.user.to_owned()).or_insert((count, 0)),
        };
        let model = judgement.score as f32;
        let baseline = baseline.map(|score| score.ln() as f32);
        self.scored.push(Scored {
            time_ms: event.time_ms,
            user: *user,
            before: *before,
            attack,
            baseline,
            model,
            action: judgement.action,
        });
        if attack.is_none() {
            *before += 1;
            *self.actions.entry(judgement.action).or_default() += 1;
        }
    }

    fn find(&mut self, event: &Event<'_>, attack: Option<(u16, u32)>, findings: &[risk::Finding]) {
        let Some((_, cluster)) = attack else {
            for finding in findings.iter().filter(|finding| finding.is_new) {
                *self.false_findings.entry(finding.kind).or_default() += 1;
            }
            return;
        };
        let campaign = self
            .campaigns
            .entry(cluster)
            .or_insert_with(|| Campaign { first_ms: event.time_ms, ..Campaign::default() });
        campaign.events += 1;
        for finding in findings {
            campaign.found.entry(finding.kind).or_insert(event.time_ms);
        }
    }
}
