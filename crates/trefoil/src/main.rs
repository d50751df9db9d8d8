//! The `trefoil` program: reads the command line, runs one subcommand, turns how it ended into an exit code
//! (0 as promised, 1 not, 2 cannot tell). What a subcommand does is in the file of its name.

mod catalog;
mod check;
mod cli;
mod clock;
mod completions;
mod confirm;
mod down;
mod enclave;
mod ended;
mod example;
mod explain;
mod folder;
mod gate;
mod inspect;
mod logins;
mod policy_files;
mod principals;
mod pseudonyms;
mod record_log;
mod residency;
mod sites_command;
mod status;
mod subjects;
mod terminal;
mod tour;
mod up;

use std::process::ExitCode;

use clap::Parser;

use cli::sites::SitesCommand;
use cli::{
    AccessCommand, Cli, Command, PolicyCommand, PrincipalCommand, PseudonymsCommand, RecordCommand,
    SubjectsCommand,
};
use ended::{AS_PROMISED, CANNOT_TELL, Ended, NOT};

// A tenth of what a short statement costs the gate is memory taken and given back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let code = match run(Cli::parse()) {
        Ok(()) => AS_PROMISED,
        Err(Ended::Not(said)) => {
            terminal::complain(&said);
            NOT
        }
        Err(Ended::CannotTell(said)) => {
            terminal::complain(&said);
            CANNOT_TELL
        }
    };
    ExitCode::from(code)
}

fn run(cli: Cli) -> Result<(), Ended> {
    match cli.command {
        Command::Up(asked) => up::run(&asked),
        Command::Down(asked) => down::run(&asked),
        Command::Status(asked) => status::run(&asked),
        Command::Check(asked) => check::run(&asked),
        Command::Tour(asked) => tour::run(&asked),
        Command::Policy(PolicyCommand::Apply(asked)) => policy_files::apply(&asked),
        Command::Policy(PolicyCommand::Sign(asked)) => policy_files::sign(&asked),
        Command::Policy(PolicyCommand::Explain(asked)) => explain::run(&asked),
        Command::Principal(PrincipalCommand::Add(asked)) => principals::add(&asked),
        Command::Principal(PrincipalCommand::List(asked)) => principals::list(&asked),
        Command::Principal(PrincipalCommand::Remove(asked)) => principals::remove(&asked),
        Command::Principal(PrincipalCommand::Totp(asked)) => principals::totp(&asked),
        Command::Pseudonyms(PseudonymsCommand::Status(asked)) => pseudonyms::status(&asked),
        Command::Pseudonyms(PseudonymsCommand::Forget(asked)) => pseudonyms::forget(&asked),
        Command::Sites(SitesCommand::Status(asked)) => sites_command::status(&asked),
        Command::Sites(SitesCommand::Failover(asked)) => sites_command::failover(&asked),
        Command::Sites(SitesCommand::Failback(asked)) => sites_command::failback(&asked),
        Command::Subjects(SubjectsCommand::Make(asked)) => subjects::make(&asked),
        Command::Subjects(SubjectsCommand::Load(asked)) => subjects::load(&asked),
        Command::Record(RecordCommand::Verify(asked)) => record_log::verify(&asked),
        Command::Record(RecordCommand::Show(asked)) => record_log::show(&asked),
        Command::Record(RecordCommand::Open(asked)) => record_log::open(&asked),
        Command::Record(RecordCommand::Keys(asked)) => record_log::keys(&asked),
        Command::Record(RecordCommand::Forget(asked)) => record_log::forget(&asked),
        Command::Record(RecordCommand::Replay(asked)) => record_log::replay(&asked),
        Command::Record(RecordCommand::Probe(asked)) => record_log::probe(&asked),
        Command::Record(RecordCommand::Prove(asked)) => record_log::prove(&asked),
        Command::Record(RecordCommand::Serve(asked)) => record_log::serve(&asked),
        Command::Residency(asked) => residency::run(&asked),
        Command::Confirm(asked) => confirm::run(&asked),
        Command::Access(AccessCommand::Run(asked)) => gate::run(&asked),
        Command::Catalog(cli::catalog::Command::Scan(asked)) => catalog::scan(&asked),
        Command::Catalog(cli::catalog::Command::Check(asked)) => catalog::check(&asked),
        Command::Inspect(cli::inspect::Command::Scan(asked)) => inspect::scan(&asked),
        Command::Logins(asked) => logins::run(&asked),
        Command::Completions(asked) => completions::run(&asked),
    }
}
