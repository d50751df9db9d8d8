//! Arguments of those `trefoil logins …` that are about made-up worlds: simulate, evaluate, train.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// The same seed makes the same world, byte for byte
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many users
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=50_000_000))]
    pub(crate) users: u32,
    /// How many days
    #[arg(long, value_name = "D", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) days: u32,
    /// Where to write the events, a line each; `-` is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub(crate) out: PathBuf,
    /// Who the users are
    #[arg(long, value_name = "WHO", value_enum, default_value_t = Who::Customers)]
    pub(crate) people: Who,
    /// How often users' addresses change: 1 is what is usual
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub(crate) churn: f64,
    /// Share of the single attackers who come from rented machines and not from networks as the victims have them
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(crate) rented: f64,
    /// Campaigns of each kind a day
    #[arg(long, value_name = "N", default_value_t = 0.5)]
    pub(crate) campaigns: f64,
    /// Draw networks, addresses and countries from a folder of files as for `trefoil logins score` (*asn*.csv and *country*.mmdb
    /// are needed), instead of made-up ones
    #[arg(long, value_name = "DIR")]
    pub(crate) places: Option<PathBuf>,
    /// Nobody attacks
    #[arg(long)]
    pub(crate) peaceful: bool,
    /// Say on standard error what the world is like, beside what was published of a real one
    #[arg(long)]
    pub(crate) describe: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Evaluate {
    /// Labelled events in order of time, a line each, as `trefoil logins simulate` writes them
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// Weights of the model [default: those that come with this program]
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// Judge again without each term, and tell what it is worth
    #[arg(long)]
    pub(crate) ablate: bool,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Train {
    /// Seeds of the worlds to learn from, by commas [default: those of the weights that come with this program]
    #[arg(long, value_name = "SEEDS", value_delimiter = ',')]
    pub(crate) seeds: Vec<u64>,
    /// Users of each world
    #[arg(long, value_name = "N", default_value_t = logins::train::USERS, value_parser = clap::value_parser!(u32).range(200..=1_000_000))]
    pub(crate) users: u32,
    /// Where to write the weights; `-` is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Who {
    /// Anybody: half log in twice or less, one in a hundred daily
    Customers,
    /// People who work there: on working days, in departments, to many services
    Employees,
}

pub(crate) const SIMULATE_EXAMPLES: &str = "\
Examples:
  trefoil logins simulate --seed 7 --out world.ndjson
  trefoil logins simulate --seed 7 --people employees --users 3000 --days 30 --out world.ndjson
  trefoil logins simulate --seed 7 --places target/places --out real.ndjson
  trefoil logins simulate --users 1000000 --peaceful | trefoil logins score --input -

Each line is an event of OCSF (classes 3002 and 3001). `unmapped.label` says who did it: `legitimate`, or kind and number
of the attack, the same for all events of one: naive, vpn, targeted, spray, stuffing, brute_force, low_and_slow, replay,
takeover, mfa_fatigue, poisoner; so `spray:3`. `unmapped.trap` says what harmless thing that looks like an attack it belongs
to: browser-update, cgnat, flight, holiday, kiosk, outage, roaming, vpn-roll-out. Nothing that scores reads either.

Exit codes: 0 written, 2 cannot tell (the file could not be written).";

pub(crate) const EVALUATE_EXAMPLES: &str = "\
Examples:
  trefoil logins simulate --seed 7 --out world.ndjson && trefoil logins evaluate --input world.ndjson
  trefoil logins evaluate --input world.ndjson --json | jq '.model.reauth.targeted[\"0.99\"].after_39'

The file is judged in its order by the baseline (Freeman et al. 2016) and by the model, which see no label. Labels are in
`unmapped.label`: `legitimate`, or a kind of attacker and what tells its attacks apart (`spray:3`, `spray-3`, or an object of
`kind` and `campaign`); kinds may have any name, and figures have it too. Of a kind whose name says nothing of which findings
fit, any finding counts. `stopped` is what the thresholds as shipped would have done. `unmapped.trap` may name what is harmless and
looks like an attack (`cgnat`, `outage`): what would be done about users there is told by itself. Each figure that cannot be
given is null and says why. Lines that are no logins are told by class and activity.

Exit codes: 0 told, 2 cannot tell (the file cannot be read, no line of it is a login, or nothing in it has a label).";

pub(crate) const TRAIN_EXAMPLES: &str = "\
Examples:
  trefoil logins train --out weights.json                       the weights that come with this program, byte for byte
  trefoil logins train --seeds 5,6,7,8 --out other.json && trefoil logins evaluate --weights other.json --input world.ndjson

Worlds are made up by seed, judged, and learnt from; each differs from the one before in what is not published. Evaluate on
worlds of other seeds.

Exit codes: 0 written, 2 cannot tell (the file could not be written).";
