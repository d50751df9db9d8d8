//! `trefoil-monitor evaluate`: how good the detectors are, in a simulated enclave.

use monitor::detect::{
    thresholds,
    world::{self, Plan, Report},
};
use serde_json::json;

use super::Outcome;

/// Measure the detectors in a simulated enclave: recall on labelled scenarios, false alarms on normal days, seconds to
/// detect. The same seed gives the same table. The thresholds are those that `init` writes.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  trefoil-monitor evaluate --json | jq '.detectors[] | {name, recall}'")]
pub struct Arguments {
    /// What the simulated enclave is drawn from.
    #[arg(long, default_value_t = world::SEED)]
    seed: u64,
    /// Normal days that false alarms are counted over, after those in which habits form.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(30..=365))]
    days: u32,
    /// Principals.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(100..=2_000))]
    principals: u32,
}

pub fn evaluate(arguments: &Arguments) -> Outcome {
    let Arguments { seed, days, principals } = *arguments;
    let report: Report = world::evaluate(&Plan { seed, days, principals, thresholds: thresholds::SHIPPED });
    Outcome::done(report.to_string().trim_end(), json!(report))
}
