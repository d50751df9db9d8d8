//! The command line of `trefoil-monitor`: which subcommands there are, and how what they end with is said. Each is in
//! a file of its own. Exit codes: 0 as promised, 1 not, 2 cannot tell.

mod accept;
mod brake;
mod check;
mod enrol;
mod evaluate;
mod incidents;
mod init;
mod keys;
mod plant;
mod replay;
mod run;

use std::{
    io::{ErrorKind, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use monitor::{bundle::BundleError, folder::Folder};
use serde_json::{Value, json};

/// The independent third party's monitor: checks, stores and cosigns what a gate records, and issues session
/// certificates for what it decided the same.
#[derive(Parser)]
#[command(name = "trefoil-monitor", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print results and errors as JSON, one object.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    Init(init::Arguments),
    Run(run::Arguments),
    Check(check::Arguments),
    Accept(accept::Arguments),
    Enrol(enrol::Arguments),
    Keys(keys::Arguments),
    Plant(plant::Arguments),
    Replay(replay::Arguments),
    Evaluate(evaluate::Arguments),
    Incidents(incidents::Arguments),
    Brake(brake::Brake),
    Lift(brake::Lift),
    Brakes(brake::Brakes),
}

pub fn main() -> ExitCode {
    let Cli { command, json } = Cli::parse();
    let outcome = match command {
        Command::Init(arguments) => init::init(arguments),
        Command::Run(arguments) => run::run(arguments, json),
        Command::Check(arguments) => check::check(arguments),
        Command::Accept(arguments) => accept::accept(arguments),
        Command::Enrol(arguments) => enrol::enrol(&arguments),
        Command::Keys(arguments) => keys::keys(arguments),
        Command::Plant(arguments) => plant::plant(arguments),
        Command::Replay(arguments) => replay::replay(arguments),
        Command::Evaluate(arguments) => evaluate::evaluate(&arguments),
        Command::Incidents(arguments) => incidents::incidents(arguments),
        Command::Brake(arguments) => brake::brake(arguments),
        Command::Lift(arguments) => brake::lift(arguments),
        Command::Brakes(arguments) => brake::brakes(arguments),
    };
    outcome.say(json)
}

/// What to print, and what went wrong.
pub enum Outcome {
    Done {
        text: String,
        json: Value,
    },
    /// As promised; the JSON is a line for each.
    Lines {
        text: String,
        json: String,
    },
    /// It was said on standard output how far it is as promised, and the exit code is this.
    Told {
        text: String,
        json: Value,
        code: u8,
    },
    /// What was promised does not hold.
    Not(String),
    /// It cannot be told: a part is missing.
    Unknown(String),
}

impl Outcome {
    /// As promised.
    pub fn done(text: impl Into<String>, json: Value) -> Outcome {
        Outcome::Done { text: text.into(), json }
    }

    /// It cannot be told, because of this.
    pub fn unknown(why: impl std::fmt::Display) -> Outcome {
        Outcome::Unknown(why.to_string())
    }

    fn say(self, json: bool) -> ExitCode {
        let failed = |why: String, code: u8| {
            if json {
                eprintln!("{}", json!({ "error": why }))
            } else {
                eprintln!("trefoil-monitor: {why}")
            }
            ExitCode::from(code)
        };
        match self {
            Outcome::Done { json: value, .. } if json => print(&format!("{value}\n"), 0),
            Outcome::Done { text, .. } => print(&format!("{text}\n"), 0),
            Outcome::Lines { text, json: lines } => {
                let said = if json { lines } else { text };
                // A line for each: none at all when there are none.
                print(&said.lines().map(|line| format!("{line}\n")).collect::<String>(), 0)
            }
            Outcome::Told { json: value, code, .. } if json => print(&format!("{value}\n"), code),
            Outcome::Told { text, code, .. } => print(&format!("{text}\n"), code),
            Outcome::Not(why) => failed(why, 1),
            Outcome::Unknown(why) => failed(why, 2),
        }
    }
}

/// Prints, and ends with this code. Whoever has read enough (`… | head`) closes the pipe, and that is no failure.
fn print(text: &str, code: u8) -> ExitCode {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("trefoil-monitor: cannot print: {error}");
            ExitCode::from(2)
        }
        _ => ExitCode::from(code),
    }
}

impl From<&BundleError> for Outcome {
    fn from(error: &BundleError) -> Outcome {
        match error {
            BundleError::Unsigned { .. } | BundleError::Altered { .. } | BundleError::Invalid(_) => {
                Outcome::Not(error.to_string())
            }
            _ => Outcome::unknown(error),
        }
    }
}

// Which monitor. No doc comment: it would become that of every subcommand.
#[derive(Args)]
pub struct Dir {
    /// The monitor's folder [default: trefoil-monitor in the user's state directory].
    #[arg(long, env = "TREFOIL_MONITOR_DIR")]
    dir: Option<PathBuf>,
}

impl Dir {
    /// The folder, or why it is not known. For `?`, answers what to say.
    pub fn folder(&self) -> Result<Folder, Outcome> {
        let state =
            || std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
        let default = || state().or_else(home).map(|path| path.join("trefoil-monitor"));
        let unknown = || Outcome::unknown("neither --dir nor HOME says where the monitor's folder is");
        self.dir.clone().or_else(default).map(Folder::new).ok_or_else(unknown)
    }
}

/// For subcommands that use `?`: whichever way it ended.
pub fn either(ended: Result<Outcome, Outcome>) -> Outcome {
    ended.unwrap_or_else(|outcome| outcome)
}
