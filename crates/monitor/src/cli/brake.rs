//! `trefoil-monitor brake`, `lift` and `brakes`: what is stopped, asked of the monitor that runs, or done in the folder of
//! one that does not, whose gates hear of it when it does. What is answered is `monitor::brake::desk`.

use clap::{Subcommand, ValueEnum};
use monitor::{
    brake::{desk, rules},
    control::{self, Answer, Ask},
    incident::desk::Told,
};
use serde_json::Value;
use tlog::brake::Target;

use super::{Dir, Outcome, either};

/// Stop a session, a principal, a destination or a whole gate, at once.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  trefoil-monitor brake principal eve --for 2h --because \"asked for everybody\" --dir monitor\n  \
                  trefoil-monitor brake session 4f00…01 --for 10m --because \"a drill\" --dir monitor"
)]
pub struct Brake {
    #[command(flatten)]
    dir: Dir,
    /// What is stopped.
    kind: Kind,
    /// Its name; of a session, its 32 hexadecimal digits.
    target: String,
    /// For how long, such as 90s, 30m, 2h or 7d; then the monitor lifts it.
    #[arg(long = "for", value_parser = lasts)]
    lasts: i64,
    #[command(flatten)]
    why: Why,
}

/// Take a stop back before its end.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  trefoil-monitor lift 00f1e2d3c4b5a697 --because \"it was a drill\" --dir monitor"
)]
pub struct Lift {
    #[command(flatten)]
    dir: Dir,
    /// Id of the brake, as `brakes list` prints it.
    id: String,
    #[command(flatten)]
    why: Why,
}

/// What is stopped.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  trefoil-monitor brakes list --dir monitor --json")]
pub struct Brakes {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// One line for each brake in force.
    #[command(after_help = "Example:\n  trefoil-monitor brakes list --dir monitor --json | jq -r .id")]
    List {
        #[command(flatten)]
        dir: Dir,
    },
}

// No doc comment: it would become that of the subcommands.
#[derive(clap::Args)]
struct Why {
    /// The reason. It is in both records, sealed; who is stopped does not see it.
    #[arg(long)]
    because: String,
    /// Who says so [default: the user's name].
    #[arg(
        long,
        env = "USER",
        default_value = "the monitor's operator",
        hide_default_value = true,
        hide_env_values = true
    )]
    by: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Session,
    Principal,
    Destination,
    Gate,
}

fn lasts(text: &str) -> Result<i64, String> {
    rules::lasts(text)
}

pub fn brake(arguments: Brake) -> Outcome {
    let Brake { dir, kind, target, lasts, why: Why { because, by } } = arguments;
    let target = match kind {
        Kind::Session => Target::Session(target),
        Kind::Principal => Target::Principal(target),
        Kind::Destination => Target::Destination(target),
        Kind::Gate => Target::Gate(target),
    };
    one(&dir, desk::Ask::Brake { target, for_us: lasts, because, by })
}

pub fn lift(arguments: Lift) -> Outcome {
    let Lift { dir, id, why: Why { because, by } } = arguments;
    one(&dir, desk::Ask::Lift { id, because, by })
}

pub fn brakes(arguments: Brakes) -> Outcome {
    let What::List { dir } = arguments.what;
    either(asked(&dir, desk::Ask::List).map(|told| {
        let json: Vec<_> = told.json.as_array().into_iter().flatten().map(Value::to_string).collect();
        Outcome::Lines { text: told.text, json: json.join("\n") }
    }))
}

fn one(dir: &Dir, ask: desk::Ask) -> Outcome {
    either(asked(dir, ask).map(|told| Outcome::done(told.text, told.json)))
}

/// Asks whoever has the folder: a monitor that runs, or this program.
fn asked(dir: &Dir, ask: desk::Ask) -> Result<Told, Outcome> {
    let folder = dir.folder()?;
    let ask = Ask::Brakes(ask);
    match control::ask(&folder, &ask).map_err(Outcome::unknown)? {
        Answer::Told(told) => Ok(told),
        Answer::Not(why) => Err(Outcome::Not(why)),
        Answer::Unknown(why) => Err(Outcome::Unknown(why)),
    }
}
