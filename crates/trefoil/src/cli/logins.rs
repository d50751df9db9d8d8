//! Arguments of `trefoil logins …`.

pub(crate) mod worlds;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum LoginsCommand {
    /// Make a world of logins up: people, networks, attackers, each event labelled with who did it
    #[command(after_help = worlds::SIMULATE_EXAMPLES)]
    Simulate(worlds::Simulate),
}
