//! Whether scores mean what they say: of the logins that the model gives so many log-odds, how many were attacks. In a log
//! with more attacks than usual every score is too low by as much; the slope tells whether they are right beside that.

use std::collections::BTreeMap;

use serde::Serialize;

use super::replay::Scored;

/// One group of logins, by how many of the user's came before.
#[derive(Debug, Clone, Serialize)]
pub struct Calibration {
    /// Logins in it, and how many were attackers'.
    pub logins: usize,
    pub attacks: usize,
    /// Mean of what the scores say of an attack's chance, and how often it was one.
    pub said: f64,
    pub was: f64,
    /// By score, from below -8 to above 6 in steps of two: logins, mean chance said, share that was.
    pub steps: Vec<(usize, f64, f64)>,
}

const LOWEST: f64 = -8.0;
const STEP: f64 = 2.0;
const STEPS: usize = 9;

/// Groups of logins.
pub(super) fn calibration(scored: &[Scored]) -> BTreeMap<&'static str, Calibration> {
    let group = |before: u32| match before {
        0 => "0",
        1..=4 => "1-4",
        _ => "5+",
    };
    let mut groups: BTreeMap<&str, Vec<&Scored>> = BTreeMap::new();
    for scored in scored {
        groups.entry(group(scored.before)).or_default().push(scored);
    }
    groups.into_iter().map(|(name, scored)| (name, of(&scored))).collect()
}

fn of(scored: &[&Scored]) -> Calibration {
    let chance = |score: f32| 1.0 / (1.0 + (-f64::from(score)).exp());
    let mut steps = vec![(0_usize, 0.0, 0.0); STEPS];
    for scored in scored {
        let at = ((f64::from(scored.model) - LOWEST) / STEP + 1.0).clamp(0.0, (STEPS - 1) as f64) as usize;
        if let Some((count, said, was)) = steps.get_mut(at) {
            *count += 1;
            *said += chance(scored.model);
            *was += f64::from(u8::from(scored.attack.is_some()));
        }
    }
    let logins = scored.len();
    let all = logins.max(1) as f64;
    let said = steps.iter().map(|(_, said, _)| said).sum::<f64>() / all;
    let attacks = scored.iter().filter(|scored| scored.attack.is_some()).count();
    let mean = |sum: f64, count: usize| sum / count.max(1) as f64;
    let steps =
        steps.into_iter().map(|(count, said, was)| (count, mean(said, count), mean(was, count))).collect();
    Calibration { logins, attacks, said, was: attacks as f64 / all, steps }
}
