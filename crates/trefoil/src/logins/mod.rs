//! `trefoil logins …`: streams of logins, how suspicious each is, and how well that is told. One file a subcommand.

mod simulate;

use crate::cli::logins::LoginsCommand;
use crate::ended::Ended;

pub(crate) fn run(asked: &LoginsCommand) -> Result<(), Ended> {
    match asked {
        LoginsCommand::Simulate(asked) => simulate::run(asked),
    }
}
