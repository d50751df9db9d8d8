//! Arguments of `trefoil logins …`.

pub(crate) mod gate;
pub(crate) mod read;
pub(crate) mod watch;
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
    /// Judge events for as long as they come, and keep what is learnt
    #[command(after_help = watch::WATCH_EXAMPLES)]
    Watch(Box<watch::Watch>),
    /// Put events onto NATS, each on its user's share
    #[command(after_help = watch::PUBLISH_EXAMPLES)]
    Publish(watch::Publish),
    /// Give a verdict on an event, which is learnt from, or take it back
    #[command(after_help = watch::MARK_EXAMPLES)]
    Mark(watch::Mark),
    /// Make a world of logins up: people, networks, attackers, each event labelled with who did it
    #[command(after_help = worlds::SIMULATE_EXAMPLES)]
    Simulate(worlds::Simulate),
    /// Say how well attacks are told from logins in a labelled log, by the baseline and by the model
    #[command(after_help = worlds::EVALUATE_EXAMPLES)]
    Evaluate(worlds::Evaluate),
    /// Learn the model's weights from made-up worlds
    #[command(after_help = worlds::TRAIN_EXAMPLES)]
    Train(worlds::Train),
    /// What the gate does about suspicious logins now, and how to take it back
    #[command(subcommand)]
    Responses(gate::ResponsesCommand),
    /// Answer for somebody who cannot give a second proof: let their next logins from an address pass
    #[command(after_help = gate::PASS_EXAMPLES)]
    Pass(gate::Pass),
    /// Say what is known of somebody's logins, for a purpose; the record says that you looked
    #[command(after_help = gate::EXPLAIN_EXAMPLES)]
    Explain(gate::Explain),
}
