//! Arguments of those `trefoil record …` that do more than read: forget, replay, probe.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Enclave;

#[derive(Debug, Args)]
pub(crate) struct Forget {
    /// Which day, in UTC: 2026-01-31
    #[arg(value_name = "DAY")]
    pub(crate) day: String,
    /// Only the keys of this class [default: all]
    #[arg(long, value_name = "C", value_enum)]
    pub(crate) class: Option<Class>,
    #[command(flatten)]
    pub(crate) enclave: Enclave,
    /// Do it: it cannot be undone
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print one JSON object instead of lines
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Class {
    /// Who failed to log in
    Login,
    /// Everything else
    Access,
}

impl Class {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Access => "access",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// An enclave's folder, or what of one was handed over: record, gate/details, gate/keys [default: the enclave's folder]
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
    /// The auditor's age identity (AGE-SECRET-KEY-1…) [default: auditor/detail.age in the folder]
    #[arg(long, value_name = "AUDITOR_KEY")]
    pub(crate) key: Option<PathBuf>,
    /// Every bundle that the operator signed, a folder each, as `trefoil policy sign` keeps them [default: bundles in the
    /// folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) bundles: Option<PathBuf>,
    /// Verifier key of the operator's signature on bundles [default: that of gate/gate.toml in the folder]
    #[arg(long, value_name = "VKEY")]
    pub(crate) bundle_vkey: Option<String>,
    /// The keys and the quorum to ask for, as tlog-policy text [default: gate/rule.policy in the folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) enclave: Enclave,
    /// Print one JSON object instead of lines
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Probe {
    /// Commit only: to what a later `trefoil record probe` will send
    #[arg(long)]
    pub(crate) commit: bool,
    /// How many wrong decisions to commit to
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) count: u16,
    #[command(flatten)]
    pub(crate) enclave: Enclave,
    /// Print one JSON object instead of lines
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) const FORGET_EXAMPLES: &str = "\
Examples:
  trefoil record forget 2026-01-31 --yes                  every key of that day
  trefoil record forget 2026-01-31 --class login --yes    who failed to log in that day

The gate does it, so it must run, and the monitor must cosign it. enclave.toml says in retention_days_min for how long keys
are kept; a class that is not there is never forgotten, nor a key of the present day, nor one that an open session began
under. Entries, counts and their order stay, and `trefoil record verify` passes as before.
Exit codes: 0 forgotten on both sides, 1 refused and nothing changed, 2 cannot tell.";

pub(crate) const REPLAY_EXAMPLES: &str = "\
Examples:
  trefoil record replay                                                the demonstration's enclave, with its auditor's key
  trefoil record replay --key auditor.age --bundles BUNDLES HANDED     what was handed over, asking nobody
  trefoil record replay --json | jq .disagreements

Entries whose day was forgotten are counted; nobody can decide them again.
Exit codes: 0 every decision is as policy has it, 1 one is not (each is named), 2 cannot tell: a bundle, a key or a part of
the record is missing.";

pub(crate) const PROBE_EXAMPLES: &str = "\
Examples:
  trefoil record probe --commit --count 8     commit to eight, for a day that nobody is told
  trefoil record probe                        send them now, reveal them, and say what the monitor did

Without an earlier commitment it commits first. A probe opens nothing and releases nothing. A monitor that refuses one opens
an incident, which `probe.revealed` explains; one that cosigns it does not decide by itself, and its cosignature is in the
record. Exit codes: 0 the monitor refused every probe, 1 it cosigned one, 2 cannot tell.";
