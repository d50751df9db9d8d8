//! Arguments of `trefoil inspect …`: identifiers of people in text.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Find e-mail addresses, telephone numbers, accounts, cards, national numbers, addresses and places in text
    #[command(after_help = SCAN_EXAMPLES)]
    Scan(Scan),
}

#[derive(Debug, Args)]
pub(crate) struct Scan {
    /// What to read; `-` is standard input [default: -]
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Only what a checksum or a numbering plan speaks for, not what merely looks like an identifier
    #[arg(long)]
    pub(crate) valid: bool,
    /// Print what was found too. Without this no value is ever printed
    #[arg(long)]
    pub(crate) show: bool,
    /// Print one JSON object a line instead of a summary
    #[arg(long)]
    pub(crate) json: bool,
}

const SCAN_EXAMPLES: &str = "\
Examples:
  trefoil inspect scan export.csv                 what is in it, and where the first ones are
  trefoil inspect scan --json *.log | jq -c .     file, offset, length, kind, valid, scheme, validation of each
  pg_dump db | trefoil inspect scan               whatever comes in; memory stays bounded
  trefoil inspect scan --valid --show note.txt    with the values

Exit codes: 0 nothing was found, 1 something was, 2 cannot tell (a file could not be read).";
