//! Days on which something harmless looks like an attack: one of each kind in every thirty days. Not here: what people do
//! on them (`day`).

use risk::Network;

use super::dice::{Dice, Of};
use super::plan::Plan;
use super::shape::{DAY_MS, Shape};

/// What happens, and when.
#[derive(Debug, Default)]
pub(super) struct Traps {
    /// Everybody's browsers update on this day.
    pub(super) update: Vec<u32>,
    /// From this day on, all homes of a network are behind sixteen addresses.
    pub(super) cgnat: Vec<(u32, usize)>,
    /// From this day on, a fourth of those who work go through their company's new VPN.
    pub(super) vpn: Vec<(u32, usize)>,
    /// Many are abroad for three days.
    pub(super) holiday: Vec<u32>,
    /// Many log in at a machine that all share.
    pub(super) kiosk: Vec<u32>,
    /// Many log in from an aeroplane.
    pub(super) flight: Vec<u32>,
    /// Nobody can log in for a while, and then everybody does: from, until.
    pub(super) outage: Vec<(i64, i64)>,
}

/// How long a service is away.
const OUTAGE_MS: i64 = 25 * 60_000;

impl Traps {
    pub(super) fn of(shape: &Shape, plan: &Plan, home: usize) -> Self {
        let mut traps = Self::default();
        if !shape.traps {
            return traps;
        }
        for month in 0..shape.days.div_ceil(30) {
            let mut dice = Dice::of(shape.seed, Of::Traps, u64::from(month), 0);
            let length = (shape.days - month * 30).min(30) as usize;
            let mut day = || month * 30 + dice.below(length) as u32;
            let (update, cgnat, vpn, outage) = (day(), day(), day(), day());
            traps.update.push(update);
            traps.holiday.push(day());
            traps.kiosk.push(day());
            traps.flight.push(day());
            let start = shape.start_ms
                + i64::from(outage) * DAY_MS
                + 8 * 3_600_000
                + dice.below(8 * 3_600_000) as i64;
            traps.outage.push((start, start + OUTAGE_MS));
            // Another network each month, the biggest in the first: who is behind one stays there.
            traps.cgnat.push((cgnat, plan.choose(&mut dice, home, Network::Access)));
            traps.vpn.push((vpn, plan.choose(&mut dice, home, Network::Hosting)));
        }
        traps.update.sort_unstable();
        traps
    }

    /// The last day on which everybody updated, if one was.
    pub(super) fn updated(&self, day: u32) -> Option<f64> {
        self.update.iter().rfind(|update| **update <= day).map(|update| f64::from(*update))
    }

    /// Whether a network's homes share addresses by now.
    pub(super) fn is_behind_few(&self, day: u32, net: usize) -> bool {
        self.cgnat.iter().any(|(from, shared)| *from <= day && *shared == net)
    }

    /// The VPN that came last.
    pub(super) fn vpn(&self, day: u32) -> Option<(u32, usize)> {
        self.vpn.iter().rfind(|(from, _)| *from <= day).copied()
    }

    pub(super) fn is_holiday(&self, day: u32) -> bool {
        self.holiday.iter().any(|first| (*first..first + 3).contains(&day))
    }
}
