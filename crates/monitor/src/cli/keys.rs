//! `trefoil-monitor keys`: by which keys others know what this monitor said.

use monitor::{config::Cosigners, own};
use serde_json::json;

use super::{Dir, Outcome, either};

/// Print the verifier keys of this monitor: `witness` says that a log only grew, `redecided` that it was decided the
/// same, `own` signs the monitor's own record.
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
    let folder = arguments.dir.folder()?;
    let cosigners = Cosigners::read(&folder).map_err(Outcome::unknown)?;
    let (witness, redecided) =
        (cosigners.witness.verifier().to_string(), cosigners.redecided.verifier().to_string());
    let mut text = format!("witness   {witness}\nredecided {redecided}");
    let mut keys = json!({ "witness": witness, "redecided": redecided });
    // A witness and nothing else finds nothing, and keeps no record of it.
    if folder.own_key().exists() {
        let own = own::key(&folder).map_err(Outcome::unknown)?.verifier().to_string();
        text.push_str(&format!("\nown       {own}"));
        keys["own"] = own.into();
    }
    Ok(Outcome::done(text, keys))
}
