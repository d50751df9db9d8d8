//! Arguments of what `trefoil logins …` asks the running gate.

use clap::{Args, Subcommand};

use crate::cli::{Enclave, Report};

#[derive(Debug, Subcommand)]
pub(crate) enum ResponsesCommand {
    /// Print the responses in force: sources that are stopped or slowed down, second proofs that hold
    List(Report),
    /// Take a response back before its end
    #[command(after_help = UNDO_EXAMPLES)]
    Undo(Undo),
}

#[derive(Debug, Args)]
pub(crate) struct Undo {
    /// Which, as the list and the gate's own message name it
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Why; the record keeps it
    #[arg(long, value_name = "TEXT")]
    pub(crate) because: String,
    #[command(flatten)]
    pub(crate) enclave: Enclave,
    /// Print one JSON object instead of a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Pass {
    /// Who: a principal of the directory
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// From where: the address that the gate sees
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) from: String,
    /// Why; the record keeps it
    #[arg(long, value_name = "TEXT")]
    pub(crate) because: String,
    #[command(flatten)]
    pub(crate) enclave: Enclave,
    /// Print one JSON object instead of a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// Who: a principal, or who claims to be one
    #[arg(value_name = "USER")]
    pub(crate) user: String,
    /// Why: one of the purposes of enclave.toml
    #[arg(long, value_name = "P", required_unless_present = "state")]
    pub(crate) purpose: Option<String>,
    /// Under which ticket
    #[arg(long, value_name = "T", required_unless_present = "state")]
    pub(crate) ticket: Option<String>,
    #[command(flatten)]
    pub(crate) kept: super::watch::Kept,
    #[command(flatten)]
    pub(crate) enclave: Enclave,
    /// Print one JSON object instead of lines
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) const EXPLAIN_EXAMPLES: &str = "\
Examples:
  trefoil logins explain aoife --purpose security --ticket SEC-12
  trefoil logins explain ana@example.com --state DIR --event 1207 --json
  trefoil logins explain ana@example.com --state DIR --nats nats://127.0.0.1:4222

Addresses, agents and targets are remembered as keyed hashes, and only how many there are is told. With --state it is what a
watch's last snapshot says; the state of a watch with --dir asks for a purpose, too, and else whoever may read the folder may ask.
Exit codes: 0 told, 1 refused (no such purpose) or nothing is known, 2 cannot tell (the gate or the monitor does not answer).";

pub(crate) const UNDO_EXAMPLES: &str = "\
Example:
  trefoil logins responses undo 4f00000000000001 --because \"an office moved; CHG-12\"

Exit codes: 0 undone, 1 there is no such response, 2 cannot tell (the gate does not run).";

pub(crate) const PASS_EXAMPLES: &str = "\
Example:
  trefoil logins pass billing --from 192.0.2.7 --because \"the service moved; CHG-12\"

For services, which have no one-time codes, and for people who have lost theirs: make sure first that it is them. Exit codes:
0 done, 1 refused, 2 cannot tell (the gate does not run).";
