//! What developers of this workspace run beside its programs: `cargo xtask bench NAME` measures the product. Nothing
//! here is shipped, and nothing of the product depends on it.

mod bench;
mod clock;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "What developers of Trefoil run")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure the release build against peers on this machine
    #[command(subcommand)]
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    let Command::Bench(bench) = Cli::parse().command;
    match bench::run(&bench) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}
