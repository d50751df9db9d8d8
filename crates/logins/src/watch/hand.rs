//! Handed logins on their way to whoever records them: in batches, each once. Which batch is on its way is on the disk before
//! it goes, so that after a crash the same events go under the same number, and whoever has them already knows it. Not
//! here: who records them, and in which form.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use risk::{Action, Event, Finding, Judgement, Outcome};

use crate::answer::At;
use crate::share::is_news;

const FILE: &str = "handed";
/// Logins of one batch.
pub const HANDED_MAX: usize = 256;
/// So many may wait; more wait to be judged.
const WAITING_MAX: usize = 16 * HANDED_MAX;

/// A risky login, or one that shows a finding.
#[derive(Debug, Clone)]
pub struct Handed {
    /// How many lines were read before it; of a stream, the message that it was in.
    index: u64,
    /// Who it was, or claimed to be.
    pub user: String,
    /// When, milliseconds since 1970.
    pub time_ms: i64,
    /// Where from.
    pub address: Option<String>,
    /// What it was at.
    pub target: Option<String>,
    /// The source's own identifier.
    pub id: Option<String>,
    /// Whether it was let in there.
    pub succeeded: bool,
    /// What is said of it.
    pub judgement: Judgement,
}

impl Handed {
    /// What is handed in of an event: a login that was let in and is held to be somebody else's, and whatever shows or adds to
    /// a finding. Failures that findings count are told by these.
    pub(crate) fn of(at: At, event: &Event<'_>, judgement: &Judgement) -> Option<Self> {
        let (At::Index(index) | At::Stream { sequence: index, .. }) = at;
        let is_in = !matches!(event.outcome, Outcome::Failure(_));
        let findings: Vec<Finding> =
            judgement.findings.iter().filter(|finding| is_news(finding)).cloned().collect();
        if findings.is_empty() && !(is_in && judgement.action > Action::Allow) {
            return None;
        }
        Some(Self {
            index,
            user: event.user.to_owned(),
            time_ms: event.time_ms,
            address: event.ip.map(|ip| ip.to_string()),
            target: event.target.map(str::to_owned),
            id: event.id.map(str::to_owned),
            succeeded: event.outcome == Outcome::Success,
            judgement: Judgement { findings, ..judgement.clone() },
        })
    }
}

/// Takes a batch, under its number: a number that comes again is the same batch.
pub type Hand = Box<dyn FnMut(u64, &[Handed]) -> Result<(), String> + Send>;

/// What waits, and where it goes.
pub(super) struct Handing {
    hand: Hand,
    file: File,
    /// What is of events before this is there.
    acknowledged: u64,
    /// The batch that was on its way: up to this event. Equal when none was.
    pending: u64,
    waiting: VecDeque<Handed>,
}

impl Handing {
    /// Goes on where a state's folder says.
    pub(super) fn open(dir: &Path, hand: Hand) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).mode(0o600).open(dir.join(FILE))?;
        let mut numbers = Vec::new();
        file.read_to_end(&mut numbers)?;
        let number = |from: usize| -> Option<u64> {
            Some(u64::from_be_bytes(numbers.get(from..from + 8)?.try_into().ok()?))
        };
        let acknowledged = number(0).unwrap_or(0);
        let pending = number(8).unwrap_or(acknowledged).max(acknowledged);
        Ok(Self { hand, file, acknowledged, pending, waiting: VecDeque::new() })
    }

    /// Adds a login, if it is not there yet.
    pub(super) fn add(&mut self, risky: Handed) {
        if risky.index >= self.acknowledged {
            self.waiting.push_back(risky);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether a whole batch waits.
    pub(super) fn is_due(&self) -> bool {
        self.waiting.len() >= HANDED_MAX
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= WAITING_MAX
    }

    /// Hands in what can be: all that was judged is of the lines before `lines`.
    pub(super) fn hand_in(&mut self, lines: u64) -> Result<(), String> {
        while !self.waiting.is_empty() {
            if self.pending > self.acknowledged && self.pending > lines {
                // All of the batch that was on its way is needed, and some of it is to be judged again first.
                return Ok(());
            }
            if self.pending == self.acknowledged {
                let last = self.waiting.iter().take(HANDED_MAX).next_back();
                self.pending = last.map_or(self.pending, |last| last.index + 1);
                self.keep()?;
            }
            let count = self.waiting.partition_point(|risky| risky.index < self.pending);
            let batch = self.waiting.make_contiguous().get(..count).unwrap_or_default();
            if !batch.is_empty() {
                (self.hand)(self.pending, batch)?;
            }
            self.waiting.drain(..count);
            self.acknowledged = self.pending;
            self.keep()?;
        }
        Ok(())
    }

    fn keep(&self) -> Result<(), String> {
        let bytes = [self.acknowledged.to_be_bytes(), self.pending.to_be_bytes()].concat();
        self.file
            .write_all_at(&bytes, 0)
            .and_then(|()| self.file.sync_data())
            .map_err(|error| format!("keeping how much was handed in: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use risk::Act;

    use super::*;
    use crate::login::Login;

    type Taken = Arc<Mutex<Vec<(u64, Vec<u64>)>>>;

    /// Hands in to a list; the batch of this number fails, before it is taken or after.
    fn handing(dir: &Path, taken: &Taken, fails: Option<(usize, bool)>) -> Handing {
        let taken = taken.clone();
        let mut count = 0;
        let hand = move |number: u64, batch: &[Handed]| {
            count += 1;
            let at = fails.filter(|(at, _)| *at == count);
            if at.is_none_or(|(_, is_done)| is_done) {
                taken.lock().unwrap().push((number, batch.iter().map(|risky| risky.index).collect()));
            }
            at.map_or(Ok(()), |_| Err("lost".to_owned()))
        };
        Handing::open(dir, Box::new(hand)).unwrap()
    }

    fn judge(handing: &mut Handing, lines: std::ops::Range<u64>) {
        let login = Login::new(5, "ana", Act::Logon, Outcome::Success);
        let judgement = Judgement {
            score: 3.0,
            action: risk::Action::StepUp,
            reasons: Vec::new(),
            findings: Vec::new(),
            is_repeat: false,
        };
        for index in lines.filter(|index| index % 3 == 0) {
            handing.add(Handed::of(At::Index(index), &login.event(), &judgement).unwrap());
        }
    }

    /// Fails at every batch, twice, begins again from a snapshot that is older, and hands in differently: each login is
    /// there once, or again under the number that it had.
    #[test]
    fn each_login_is_handed_in_once_wherever_it_fails() {
        for at in 1..=4 {
            for is_done in [false, true] {
                let (dir, taken) = (tempfile::tempdir().unwrap(), Taken::default());
                let mut first = handing(dir.path(), &taken, Some((at, is_done)));
                for lines in [0..600, 600..1_200, 1_200..3_000] {
                    judge(&mut first, lines.clone());
                    if first.hand_in(lines.end).is_err() {
                        break;
                    }
                }
                drop(first);
                let mut second = handing(dir.path(), &taken, None);
                for lines in (50..=3_000).step_by(50) {
                    judge(&mut second, lines - 50..lines);
                    second.hand_in(lines).unwrap();
                }
                let mut all = std::collections::BTreeMap::new();
                for (number, batch) in taken.lock().unwrap().iter() {
                    let there = all.entry(*number).or_insert_with(|| batch.clone());
                    assert!(there == batch, "another batch of the number {number}");
                }
                let numbers: Vec<u64> = taken.lock().unwrap().iter().map(|(number, _)| *number).collect();
                assert!(numbers.is_sorted(), "{numbers:?}");
                let handed: Vec<u64> = all.into_values().flatten().collect();
                let wanted: Vec<u64> = (0..3_000).filter(|index| index % 3 == 0).collect();
                assert!(handed == wanted, "{at} {is_done}");
            }
        }
    }
}
