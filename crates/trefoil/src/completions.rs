//! `trefoil completions SHELL`: prints a completion script made from the command line's own description.

use clap::CommandFactory;

use crate::cli::{Cli, Completions};
use crate::ended::Ended;

pub(crate) fn run(asked: &Completions) -> Result<(), Ended> {
    let mut script = Vec::new();
    clap_complete::generate(asked.shell, &mut Cli::command(), "trefoil", &mut script);
    crate::terminal::say(String::from_utf8_lossy(&script).trim_end());
    Ok(())
}
