//! Counting in few bytes: sums that fade, and how many distinct. Not here: what is counted.

use super::store::stored;

/// The hour in milliseconds.
pub(super) const HOUR_MS: i64 = 3_600_000;
/// The day in milliseconds.
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;

/// What remains of one after a time, where half remains after `half_ms`.
pub(super) fn faded(after_ms: i64, half_ms: i64) -> f32 {
    if after_ms <= 0 {
        return 1.0;
    }
    let halves = after_ms as f32 / half_ms as f32;
    if halves < 0.05 {
        // The first terms of the series: to 1e-6.
        let x = halves * std::f32::consts::LN_2;
        return 1.0 - x * (1.0 - x * 0.5);
    }
    (-halves).exp2()
}

/// When a sum was last brought up to date. A late event is added as what would remain of it now, so that the order of
/// events changes no sum.
#[derive(Clone, Copy)]
pub(super) struct Step {
    /// By how long the sums are to fade.
    pub(super) fade_ms: i64,
    /// How old the event is against the sums.
    pub(super) late_ms: i64,
}

impl Step {
    /// Brings a time up to date. `last_ms` of 0 is of a cell that is new.
    pub(super) fn take(last_ms: &mut i64, now_ms: i64) -> Self {
        let since = if *last_ms == 0 { 0 } else { now_ms - *last_ms };
        if since >= 0 {
            *last_ms = now_ms;
        }
        Self { fade_ms: since.max(0), late_ms: (-since).max(0) }
    }

    /// What that is for sums of which half fades in this time.
    pub(super) fn pace(self, half_ms: i64) -> Pace {
        Pace { fade: faded(self.fade_ms, half_ms), late: faded(self.late_ms, half_ms) }
    }
}

/// A step of sums of one half-life.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    fade: f32,
    late: f32,
}

impl Pace {
    /// Fades a sum and adds to it.
    pub(super) fn add(self, sum: &mut f32, more: f32) {
        *sum = (*sum * self.fade + more * self.late).max(0.0);
    }
}

/// Exact up to this many, then estimated.
const EXACT_MAX: usize = 32;
/// Says that the body holds registers.
const ESTIMATED: u8 = u8::MAX;

stored! {
    /// How many distinct tags were seen: 16-bit prints of up to 32, then 64 registers of a HyperLogLog (a standard error
    /// of 13 %).
    pub(super) struct Distinct {
        held: u8,
        body: [u16; EXACT_MAX],
    }
}

impl Distinct {
    /// Counts a tag.
    pub(super) fn add(&mut self, tag: u64) {
        if self.held == ESTIMATED {
            return self.register(tag);
        }
        let held = usize::from(self.held).min(EXACT_MAX);
        let print = tag as u16;
        if self.body.iter().take(held).any(|at| *at == print) {
            return;
        }
        if let Some(free) = self.body.get_mut(held) {
            *free = print;
            self.held += 1;
            return;
        }
        let prints = std::mem::replace(self, Self { held: ESTIMATED, body: [0; EXACT_MAX] }).body;
        for print in prints {
            // The rank is in bits that a print does not have; its upper ones serve for the few.
            self.register(u64::from(print) | 1 << 16);
        }
        self.register(tag);
    }

    fn register(&mut self, tag: u64) {
        let rank = ((tag >> 6).trailing_zeros() + 1).min(58) as u16;
        let shift = (tag & 1) as u16 * 8;
        if let Some(pair) = self.body.get_mut((tag >> 1) as usize & (EXACT_MAX - 1))
            && (*pair >> shift) & 0xff < rank
        {
            *pair = *pair & !(0xff << shift) | rank << shift;
        }
    }

    /// How many at least, cheaply: exact below some dozens.
    pub(super) fn at_least(&self) -> u32 {
        if self.held == ESTIMATED { EXACT_MAX as u32 + 1 } else { u32::from(self.held) }
    }

    /// How many.
    pub(super) fn count(&self) -> u64 {
        if self.held != ESTIMATED {
            return u64::from(self.held);
        }
        let ranks = self.body.iter().flat_map(|pair| [pair & 0xff, pair >> 8]);
        let (mut sum, mut empty) = (0.0_f64, 0_u32);
        for rank in ranks {
            sum += (-f64::from(rank)).exp2();
            empty += u32::from(rank == 0);
        }
        let registers = 2.0 * EXACT_MAX as f64;
        let raw = 0.709 * registers * registers / sum;
        let estimate = if raw < 2.5 * registers && empty > 0 {
            registers * (registers / f64::from(empty)).ln()
        } else {
            raw
        };
        (estimate.round() as u64).max(EXACT_MAX as u64 + 1)
    }
}

/// Distinct tags in 64 bits: exact for a few, an estimate to some two hundred.
pub(super) fn bit(tag: u64) -> u64 {
    1 << (tag >> 58)
}

/// How many were put into 64 bits.
pub(super) fn bits(set: u64) -> u64 {
    let empty = f64::from(set.count_zeros().max(1));
    (64.0 * (64.0 / empty).ln()).round() as u64
}
