//! Arguments of `trefoil logins …`.

pub(crate) mod read;
pub(crate) mod worlds;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum LoginsCommand {
    /// Print the logins of a log as OCSF events, a JSON object a line
    #[command(after_help = read::IMPORT_EXAMPLES)]
    Import(read::Import),
    /// Judge the logins of a log: score, action and reasons of each, and findings as they arise
    #[command(after_help = read::SCORE_EXAMPLES)]
    Score(read::Score),
    /// Make a world of logins up: people, networks, attackers, each event labelled with who did it
    #[command(after_help = worlds::SIMULATE_EXAMPLES)]
    Simulate(worlds::Simulate),
    /// Say how well attacks are told from logins in a labelled log, by the baseline and by the model
    #[command(after_help = worlds::EVALUATE_EXAMPLES)]
    Evaluate(worlds::Evaluate),
}
