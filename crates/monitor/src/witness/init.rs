//! Makes a witness: the keys of a monitor's two statements, of which it makes only the first, and its configuration.

use serde::Serialize;

use super::config::{RawWitness, WitnessConfig};
use crate::{
    folder::{Folder, write_file},
    init::{InitError, cosigner},
};

/// What others need to know of the witness: all of it public.
#[derive(Debug, Serialize)]
pub struct Made {
    /// Verifier key of the witness.
    pub witness: String,
    /// Verifier key of the second decision, which a witness does not make.
    pub redecided: String,
}

/// Makes the folder. witness.toml is written last: without it the folder is nobody's, and making one can be tried again.
pub fn init(folder: &Folder, name: String, raw: &RawWitness) -> Result<Made, InitError> {
    let text = toml::to_string(raw)?;
    WitnessConfig::check(raw)?;
    let redecided = cosigner(format!("{name}/redecided"))?;
    let witness = cosigner(name)?;
    folder.create_bare()?;
    for (path, key) in [(folder.witness_key(), &witness), (folder.redecided_key(), &redecided)] {
        write_file(&path, format!("{}\n", key.to_secret_text()).as_bytes(), 0o600)?;
    }
    write_file(&folder.witness_config(), text.as_bytes(), 0o600)?;
    Ok(Made { witness: witness.verifier().to_string(), redecided: redecided.verifier().to_string() })
}
