//! `trefoil-monitor check`: the folder and the whole copy, offline.

use monitor::{
    clock, control,
    copy::CopyError,
    monitor::{Monitor, StartError},
    own::OwnError,
};
use serde_json::json;

use super::{Dir, Outcome, either};

/// Check the folder, the whole copy of the record and the monitor's own record, offline: every entry, detail and signature.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  trefoil-monitor check --dir monitor --json")]
pub struct Arguments {
    #[command(flatten)]
    dir: Dir,
}

pub fn check(arguments: Arguments) -> Outcome {
    either(try_check(&arguments))
}

fn try_check(arguments: &Arguments) -> Result<Outcome, Outcome> {
    let folder = arguments.dir.folder()?;
    // A disk that is full is a matter of the monitor that runs; what is on it may be whole.
    match control::ask_running(&folder, &control::Ask::Sound).map_err(Outcome::unknown)? {
        Some(control::Answer::Not(why)) => return Err(Outcome::Not(why)),
        Some(control::Answer::Unknown(why)) => return Err(Outcome::Unknown(why)),
        Some(control::Answer::Told(_)) | None => {}
    }
    Ok(match Monitor::check(&folder, clock::now()) {
        Ok(checked) => Outcome::done(
            format!(
                "the copy of {} is whole: {} entries, root {}, policy {}; the own record: {} entries",
                checked.origin, checked.size, checked.root, checked.policy, checked.own
            ),
            json!(checked),
        ),
        Err(StartError::Bundle(e)) => Outcome::from(&e),
        Err(StartError::Own(e @ (OwnError::Damaged { .. } | OwnError::Published(_)))) => {
            Outcome::Not(e.to_string())
        }
        Err(StartError::Copy(e @ (CopyError::Damaged { .. } | CopyError::Lost { .. }))) => {
            Outcome::Not(e.to_string())
        }
        Err(e) => Outcome::unknown(e),
    })
}
