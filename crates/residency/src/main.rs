//! The program `trefoil-residency`: the checks and nothing else, for an auditor who builds them alone.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use residency::cli::{self, Arguments, Explain, Grants};

/// Reads from a database's own state by which paths copies of data leave it.
#[derive(Debug, Parser)]
#[command(name = "trefoil-residency", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look at every path by which a copy could leave
    #[command(after_help = cli::CHECK_EXAMPLES)]
    Check(Arguments),
    /// Say what a check looks at, why it matters, and what it cannot see
    #[command(after_help = cli::EXPLAIN_EXAMPLES)]
    Explain(Explain),
    /// Print the SQL that makes the checker's role, which is no superuser and reads no data
    #[command(after_help = cli::GRANTS_EXAMPLES)]
    Grants(Grants),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => ExitCode::from(code),
        Err(said) => {
            eprintln!("trefoil-residency: {said}");
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> Result<u8, String> {
    match command {
        Command::Check(asked) => {
            let sites = cli::sites(&asked)?;
            let (sites, hosts) = sites.ok_or("name the sites by --config FILE or --url URL")?;
            Ok(cli::check(&sites, &hosts, asked.json)?.outcome().code())
        }
        Command::Explain(asked) => cli::explain(&asked).map(|()| 0),
        Command::Grants(asked) => cli::grants(&asked).map(|()| 0),
    }
}
