//! Limits: what a session may still be shown. Each row is taken from every limit that counts its result before it is
//! released. Not here: what a day's limit survives (`usage`), what follows from reaching one (the relay).

use std::sync::Arc;

use policy::{Limit, Per, Permit};

use super::shape::Shape;
use super::sketch::Distinct;
use super::usage::{DayGauge, Usage};

/// Limits up to this many subjects are exact. Above, a sketch counts, and the cut comes up to a tenth early.
const LIMIT_SUBJECTS_EXACT_MAX: u64 = 65_536;

/// A limit that was reached. Nothing more of the result may be released.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Exceeded {
    /// Its name in policy.
    pub limit: String,
    /// What the client and the record are told.
    pub sentence: String,
}

/// What a row takes from limits.
#[derive(Debug, Clone, Copy)]
pub struct Taking<'a> {
    /// Of its message.
    pub bytes: u64,
    /// Hashes of subjects that its result did not show before.
    pub fresh: &'a [u128],
    /// Subjects that it may show beside those.
    pub unseen: u64,
}

/// Rows, bytes and subjects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amounts {
    pub rows: u64,
    pub bytes: u64,
    pub subjects: u64,
}

/// What was taken from one limit.
#[derive(Debug)]
pub struct Gauge {
    rows: u64,
    bytes: u64,
    /// Subjects that cannot be told apart.
    unseen: u64,
    subjects: Distinct<()>,
    subjects_most: u64,
}

/// The limits of one session.
#[derive(Debug)]
pub struct Limits {
    principal: String,
    usage: Arc<Usage>,
    all: Vec<Held>,
}

/// A limit and what was taken from it.
#[derive(Debug)]
struct Held {
    limit: Limit,
    taken: Taken,
    /// Whether it counts the statement that is answered now.
    counts: bool,
}

#[derive(Debug)]
enum Taken {
    /// Since the statement or the session began.
    Here(Gauge),
    /// By all sessions of the principal, on the day on which the statement began to answer.
    Today(Option<Arc<DayGauge>>),
}

impl Limits {
    /// The limits that policy sets this session.
    pub fn new(permit: &Permit, usage: Arc<Usage>) -> Self {
        let held = |limit: &Limit| Held {
            taken: match limit.per {
                Per::Statement | Per::Session => Taken::Here(Gauge::new(limit, Amounts::default())),
                Per::Day => Taken::Today(None),
            },
            limit: limit.clone(),
            counts: false,
        };
        let all = permit.limits().iter().map(held).collect();
        Self { principal: permit.principal().to_owned(), usage, all }
    }

    /// A statement begins to answer.
    pub fn begin(&mut self, shape: &Shape) -> Result<(), Exceeded> {
        for held in &mut self.all {
            held.counts = shape.shows(held.limit.class);
            match held.limit.per {
                Per::Session => {}
                Per::Statement => held.taken = Taken::Here(Gauge::new(&held.limit, Amounts::default())),
                Per::Day if held.counts => {
                    let gauge = self.usage.gauge(&self.principal, &held.limit);
                    held.taken = Taken::Today(Some(gauge.map_err(|e| unkept(&held.limit, &e))?));
                }
                Per::Day => {}
            }
        }
        Ok(())
    }

    /// Takes a row, or says which limit does not allow it.
    pub fn take(&mut self, taking: Taking<'_>) -> Result<(), Exceeded> {
        for held in self.all.iter_mut().filter(|held| held.counts) {
            match &mut held.taken {
                Taken::Here(gauge) => gauge.take(&held.limit, taking)?,
                Taken::Today(Some(day)) => day.take(&self.usage, &self.principal, &held.limit, taking)?,
                Taken::Today(None) => return Err(unkept(&held.limit, &"no statement began")),
            }
        }
        Ok(())
    }
}

impl Gauge {
    /// A gauge from which so much was taken before.
    pub fn new(limit: &Limit, before: Amounts) -> Self {
        // One more than allowed, so that the limit is found to be reached before a sketch is.
        let exact = limit.subjects.unwrap_or_default().min(LIMIT_SUBJECTS_EXACT_MAX) + 1;
        Self {
            rows: before.rows,
            bytes: before.bytes,
            unseen: before.subjects,
            subjects: Distinct::new(usize::try_from(exact).unwrap_or_default()),
            subjects_most: 0,
        }
    }

    /// Takes a row. One that the limit does not allow is not taken: what was shown before may be shown again.
    pub fn take(&mut self, limit: &Limit, taking: Taking<'_>) -> Result<(), Exceeded> {
        let before = (self.rows, self.bytes, self.unseen);
        self.rows = self.rows.saturating_add(1);
        self.bytes = self.bytes.saturating_add(taking.bytes);
        self.unseen = self.unseen.saturating_add(taking.unseen);
        let mut new: Vec<&u128> = Vec::new();
        if limit.subjects.is_some() {
            new.extend(taking.fresh.iter().filter(|hash| self.subjects.insert(**hash, || ())));
        }
        if !new.is_empty() {
            self.subjects_most = self.subjects.most();
        }
        exceeded(limit, self.amounts()).inspect_err(|_| {
            (self.rows, self.bytes, self.unseen) = before;
            for hash in &new {
                self.subjects.remove(**hash);
            }
            self.subjects_most = self.subjects.most();
        })
    }

    /// What was taken, the last row included.
    pub fn amounts(&self) -> Amounts {
        let subjects = self.unseen.saturating_add(self.subjects_most);
        Amounts { rows: self.rows, bytes: self.bytes, subjects }
    }
}

impl Amounts {
    /// Each amount that is limited, with its bound and its name.
    pub fn limited(self, limit: &Limit) -> impl Iterator<Item = (u64, u64, &'static str)> {
        let all = [
            (self.rows, limit.rows, "rows"),
            (self.bytes, limit.bytes, "bytes"),
            (self.subjects, limit.subjects, "subjects"),
        ];
        all.into_iter().filter_map(|(amount, bound, name)| Some((amount, bound?, name)))
    }
}

fn exceeded(limit: &Limit, amounts: Amounts) -> Result<(), Exceeded> {
    let Some((_, bound, name)) = amounts.limited(limit).find(|(amount, bound, _)| amount > bound) else {
        return Ok(());
    };
    let of = limit.class.map(|class| format!(" of class {class}")).unwrap_or_default();
    let sentence = format!("the limit \"{}\" is reached: {bound} {name}{of} a {}", limit.name, limit.per);
    Err(Exceeded { limit: limit.name.clone(), sentence })
}

/// What is not sure to be counted is not released.
pub(super) fn unkept(limit: &Limit, why: &dyn std::fmt::Display) -> Exceeded {
    tracing::error!(limit = limit.name, %why, "what was taken from a limit cannot be kept");
    let sentence = format!("the limit \"{}\" cannot be kept at the gate; ask its operator", limit.name);
    Exceeded { limit: limit.name.clone(), sentence }
}
