//! `trefoil-monitor keys`: by which keys others know what this monitor said.

use monitor::config::Cosigners;
use serde_json::json;

use super::{Dir, Outcome, either};

/// Print the verifier keys of this monitor: `witness` says that a log only grew, `redecided` that it was decided the
/// same.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  trefoil-monitor keys --dir monitor --json")]
pub struct Arguments {
    #[command(flatten)]
    dir: Dir,
}

pub fn keys(arguments: Arguments) -> Outcome {
    either(try_keys(&arguments))
}

fn try_keys(arguments: &Arguments) -> Result<Outcome, Outcome> {
    let cosigners = Cosigners::read(&arguments.dir.folder()?).map_err(Outcome::unknown)?;
    let (witness, redecided) =
        (cosigners.witness.verifier().to_string(), cosigners.redecided.verifier().to_string());
    let text = format!("witness   {witness}\nredecided {redecided}");
    Ok(Outcome::done(text, json!({ "witness": witness, "redecided": redecided })))
}
