//! `trefoil logins …`: streams of logins, how suspicious each is, and how well that is told. One file a subcommand; what
//! some share of reading is in `source`.

mod evaluate;
mod explain;
mod handing;
mod import;
mod kept;
mod mark;
mod publish;
mod responses;
mod score;
mod simulate;
mod source;
mod train;
mod watch;

use crate::cli::logins::LoginsCommand;
use crate::ended::Ended;

pub(crate) fn run(asked: &LoginsCommand) -> Result<(), Ended> {
    match asked {
        LoginsCommand::Import(asked) => import::run(asked),
        LoginsCommand::Score(asked) => score::run(asked),
        LoginsCommand::Watch(asked) => watch::run(asked),
        LoginsCommand::Publish(asked) => publish::run(asked),
        LoginsCommand::Mark(asked) => mark::run(asked),
        LoginsCommand::Evaluate(asked) => evaluate::run(asked),
        LoginsCommand::Simulate(asked) => simulate::run(asked),
        LoginsCommand::Train(asked) => train::run(asked),
        LoginsCommand::Responses(asked) => responses::run(asked),
        LoginsCommand::Pass(asked) => responses::pass(asked),
        LoginsCommand::Explain(asked) => explain::run(asked),
    }
}
