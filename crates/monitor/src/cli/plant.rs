//! `trefoil-monitor plant`: subjects who do not exist are hidden among those whom the operator is about to load.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use monitor::{
    bundle::Shelf,
    clock,
    config::{Config, Keys},
    folder,
    honey::{
        Planted,
        invent::{self, Subject},
    },
};
use rand::{SeedableRng, TryRngCore, rngs::OsRng, rngs::StdRng};
use serde_json::json;

use super::{Dir, Outcome, either};

/// Longest file of subjects that is read.
const SUBJECTS_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Hide N subjects who do not exist among those whom the operator is about to load. The keys of the new ones are kept
/// sealed in the monitor's folder and told to nobody; a monitor that runs looks for them from then on.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  trefoil subjects make 1000 --out coming.ndjson                              # the operator\n  \
        trefoil-monitor plant 20 --dir monitor --among coming.ndjson --out load.ndjson   # the monitor\n  \
        trefoil subjects load load.ndjson                                             # the operator"
)]
pub struct Arguments {
    #[command(flatten)]
    dir: Dir,
    /// How many.
    #[arg(value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    count: u16,
    /// The operator's subjects, a line each: {"table": [{"column": value}]}.
    #[arg(long, value_name = "FILE")]
    among: PathBuf,
    /// Where to write all of them, shuffled and numbered anew.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The same seed plants the same among the same [default: drawn].
    #[arg(long)]
    seed: Option<u64>,
}

pub fn plant(arguments: Arguments) -> Outcome {
    either(try_plant(&arguments))
}

fn try_plant(arguments: &Arguments) -> Result<Outcome, Outcome> {
    let dir = arguments.dir.folder()?;
    let config = Config::read(&dir).map_err(Outcome::unknown)?;
    let identity = Keys::read(&dir, clock::now()).map_err(Outcome::unknown)?.identity;
    let shelf = Shelf::open(&dir.bundles(), config.bundle).map_err(|e| Outcome::from(&e))?;
    let mut planted = Planted::open(&dir, &identity).map_err(Outcome::unknown)?;
    let subjects = read(&arguments.among)?;
    let seed = match arguments.seed {
        Some(seed) => seed,
        None => OsRng.try_next_u64().map_err(Outcome::unknown)?,
    };
    let mut random = StdRng::seed_from_u64(seed);
    let wanted = usize::from(arguments.count);
    let (all, keys) = invent::plant(shelf.current().catalog(), subjects, wanted, &mut random)
        .map_err(|e| Outcome::Unknown(format!("{}: {e}", arguments.among.display())))?;
    let mut text = String::new();
    for subject in &all {
        text.push_str(&serde_json::to_string(subject).map_err(Outcome::unknown)?);
        text.push('\n');
    }
    // What is loaded is watched: the keys are kept before the file is there.
    planted.add(&dir, &identity, keys).map_err(Outcome::unknown)?;
    folder::write_file(&arguments.out, text.as_bytes(), 0o600).map_err(Outcome::unknown)?;
    let said = format!(
        "{wanted} planted among {}; {} in all; give {} to the operator to load",
        all.len().saturating_sub(wanted),
        planted.count(),
        arguments.out.display()
    );
    let json =
        json!({ "planted": wanted, "among": all.len().saturating_sub(wanted), "all": planted.count() });
    Ok(Outcome::done(said, json))
}

fn read(path: &Path) -> Result<Vec<Subject>, Outcome> {
    let wrong = |problem: String| Outcome::Unknown(format!("{}: {problem}", path.display()));
    let file = File::open(path).map_err(|e| wrong(e.to_string()))?;
    let length = file.metadata().map_err(|e| wrong(e.to_string()))?.len();
    if length > SUBJECTS_BYTES_MAX {
        return Err(wrong(format!("longer than {SUBJECTS_BYTES_MAX} bytes; plant among fewer subjects")));
    }
    let lines = BufReader::new(file.take(SUBJECTS_BYTES_MAX)).lines();
    let subject = |(number, line): (usize, std::io::Result<String>)| {
        let line = line.map_err(|e| wrong(e.to_string()))?;
        serde_json::from_str(&line).map_err(|e| wrong(format!("line {number}: {e}")))
    };
    (1..).zip(lines).map(subject).collect()
}
