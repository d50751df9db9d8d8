//! Arguments of `trefoil tour`.

use std::path::PathBuf;

use clap::Args;

use super::Report;

#[derive(Debug, Args)]
pub(crate) struct Tour {
    #[command(flatten)]
    pub(crate) report: Report,
    /// A gate that lies, which takes the real one's place for a while [default: trefoil-rogue beside this program]
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) rogue: Option<PathBuf>,
}

pub(super) const EXAMPLES: &str = "\
The enclave must be running. The tour stops the monitor and starts it again, and lets gates that lie take the gate's
place, where there is a program that does: cargo build -p access --features rogue --bin trefoil-rogue

Example:
  trefoil tour --rogue target/debug/trefoil-rogue

Exit codes: 0 when every observation was as promised, 1 when one was not, 2 cannot tell.";
