//! How well attacks are told from logins: a labelled log is judged in order of time by the baseline and by the model side
//! by side, and what each would have meant for users and attackers becomes figures. The protocol is that of Wiefling et
//! al. (TOPS 2022), with campaigns added. Read `replay`, then `single` (what counts) and `groups`.
//!
//! Nothing that scores sees a label: they are read by a reader of their own (`truth`) and joined by number.

mod calibration;
mod file;
mod groups;
mod replay;
mod single;
mod stopped;
mod traps;
mod truth;

use std::collections::BTreeMap;

use risk::engine::Settings;
use risk::{Baseline, Engine, Event, Key, Term, Weights};
use serde::Serialize;

pub use self::calibration::Calibration;
pub use self::file::FileLog;
pub use self::groups::Group;
pub use self::single::{Reauth, SHARES};
pub use self::stopped::{Share, Stopped};
pub use self::traps::Trap;
pub use self::truth::{Truth, Truths};

use self::replay::{Judges, Replay, Scored};
use self::single::Singles;

/// Events of a log in its order; it calls what it is given for each, with the event's number from 0.
pub trait Log {
    /// What can go wrong in reading.
    type Error;

    /// Reads all of it.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read(&mut self, each: &mut dyn FnMut(usize, &Event<'_>)) -> Result<(), Self::Error>;

    /// What was no login the last time, by what it was.
    fn passed_over(&self) -> BTreeMap<String, u64> {
        BTreeMap::new()
    }
}

/// Figures of the baseline and the model on one log.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// The baseline's.
    pub baseline: Judge,
    /// The model's.
    pub model: Judge,
    /// Whom the model would have stopped, as it is shipped.
    pub stopped: Stopped,
    /// What the model would have done about users' own logins, for a million of them.
    pub innocents: BTreeMap<&'static str, f64>,
    /// The same in each trap, something harmless that looks like an attack; `none` is all the rest.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub traps: BTreeMap<String, Trap>,
    /// Whether the model's scores mean what they say.
    pub calibration: BTreeMap<&'static str, Calibration>,
    /// The log.
    pub log: Counts,
    /// What no figure is given for, and why.
    pub left_out: Vec<String>,
    /// What each term is worth, if that was asked for: the model without it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub without: BTreeMap<&'static str, Judge>,
}

/// Figures of one of the two.
#[derive(Debug, Clone, Serialize)]
pub struct Judge {
    /// By kind of attacker and share of them to be stopped.
    pub reauth: BTreeMap<String, BTreeMap<&'static str, Reauth>>,
    /// By kind of attacker: chance that one scores above a user.
    pub auc: BTreeMap<String, Option<f64>>,
    /// By kind of campaign.
    pub campaigns: BTreeMap<String, Group>,
}

/// What was in a log.
#[derive(Debug, Clone, Serialize)]
pub struct Counts {
    /// Attempts to log in that users made, and how many of them succeeded.
    pub attempts: u64,
    pub logins: usize,
    /// Logins by attackers.
    pub attackers: usize,
    /// Users who logged in.
    pub users: usize,
    /// From the first event to the last.
    pub days: f64,
    /// Events without a label, which were judged and count for nothing.
    pub unlabelled: u64,
    /// What was no login, by class and activity.
    pub passed_over: BTreeMap<String, u64>,
}

/// The key under which a log is judged here: nothing is kept, and the same figures come out each time.
const KEY: [u8; 16] = *b"evaluate logins!";

/// Judges a log and gives the figures.
///
/// # Errors
/// When the log cannot be read.
pub fn evaluate<L: Log>(
    log: &mut L,
    truths: &Truths,
    weights: &Weights,
    ablate: bool,
) -> Result<Figures, L::Error> {
    let replay = replayed(log, truths, weights, Settings::default(), true)?;
    let mut figures = figures(&replay, truths);
    figures.log.passed_over = log.passed_over();
    if ablate {
        for term in Term::ALL.into_iter().filter(|term| !matches!(term, Term::Prior | Term::Mark)) {
            let off = risk::engine::Terms::default().and(term);
            let without = replayed(log, truths, weights, Settings { off, ..Settings::default() }, false)?;
            figures.without.insert(term.word(), judge(&without, truths, |scored| Some(scored.model), true));
        }
    }
    Ok(figures)
}

fn replayed<L: Log>(
    log: &mut L,
    truths: &Truths,
    weights: &Weights,
    settings: Settings,
    with_baseline: bool,
) -> Result<Replay, L::Error> {
    let mut engine = Engine::new(Key::new(KEY), weights.clone(), settings);
    let baseline = with_baseline.then(Baseline::new);
    let mut judges = Judges { baseline, engine: &mut engine };
    let mut replay = Replay::default();
    log.read(&mut |index, event| replay.add(&mut judges, event, truths.get(index), truths.trap_of(index)))?;
    Ok(replay)
}

fn figures(replay: &Replay, truths: &Truths) -> Figures {
    let model = judge(replay, truths, |scored| Some(scored.model), true);
    let mut baseline = judge(replay, truths, |scored| scored.baseline, false);
    baseline.campaigns = groups::none(&model.campaigns);
    let logins = replay.scored.iter().filter(|scored| scored.attack.is_none()).count();
    let users = replay.scored.iter().filter(|scored| scored.attack.is_none() && scored.before == 0).count();
    Figures {
        left_out: left_out(replay, truths),
        baseline,
        model,
        stopped: stopped::stopped(replay, truths),
        innocents: traps::of_a_million(&replay.actions, logins as u64),
        traps: traps::traps(replay, truths),
        calibration: calibration::calibration(&replay.scored),
        log: Counts {
            attempts: replay.attempts,
            logins,
            attackers: replay.scored.len() - logins,
            users,
            days: (replay.last_ms - replay.first_ms.unwrap_or(replay.last_ms)) as f64 / 86_400_000.0,
            unlabelled: replay.unlabelled,
            passed_over: BTreeMap::new(),
        },
        without: BTreeMap::new(),
    }
}

fn judge(replay: &Replay, truths: &Truths, score: fn(&Scored) -> Option<f32>, has_findings: bool) -> Judge {
    let singles = Singles::new(replay, score);
    let named = |kind: u16| truths.kind(kind).to_owned();
    Judge {
        reauth: singles.kinds().map(|kind| (named(kind), single::reauth_of(&singles, kind))).collect(),
        auc: singles.kinds().map(|kind| (named(kind), singles.auc(kind))).collect(),
        campaigns: if has_findings { groups::groups(replay, truths) } else { BTreeMap::new() },
    }
}

fn left_out(replay: &Replay, truths: &Truths) -> Vec<String> {
    let mut left_out = Vec::new();
    let singles = Singles::new(replay, |scored| Some(scored.model));
    for kind in singles.kinds() {
        let unknown = singles.unknown(kind);
        if unknown > 0 {
            left_out.push(format!(
                "{unknown} logins of {} were at users of whom no login was known: there was nothing to compare with",
                truths.kind(kind)
            ));
        }
    }
    let silent = replay.scored.iter().filter(|scored| scored.before > 0 && scored.baseline.is_none()).count();
    if silent > 0 {
        left_out
            .push(format!("the baseline has no score for {silent} logins: none of the user's had succeeded"));
    }
    if replay.unlabelled > 0 {
        left_out.push(format!(
            "{} events have no label; they were judged and count for nothing",
            replay.unlabelled
        ));
    }
    left_out
}
