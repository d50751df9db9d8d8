//! Which site holds which home, as the operator last signed and the record holds it: read at the start, changed by order
//! alone, and kept in a file beside the gate's other ones. A statement is in force when its entry is witnessed and its file
//! durable. Not here: moving a home (`sites`), what a statement says (`policy::Homes`).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use policy::{Bundle, Homes};
use tlog::detail::HomesStated;
use tlog::entry::Kind;
use tlog::note::{SignedNote, VerifierKey};

use crate::config::{Config, ConfigError};
use crate::control::Answer;
use crate::entries::detail_of;
use crate::gate::Gate;

/// Name of the file, in the folder of the gate's sockets.
pub const HOMES_FILE: &str = "homes.note";

/// The statement in force: that of the file, or before anybody signed one, that every site writes its own home.
///
/// # Errors
/// When the file cannot be read, or is not signed by this key for this enclave.
pub fn read_homes(file: &Path, bundle: &Bundle, key: &VerifierKey) -> Result<Homes, ConfigError> {
    let text = match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Homes::first(bundle)),
        read => read.map_err(|source| ConfigError::Read { file: file.into(), source })?,
    };
    signed_homes(&text, bundle, key).map_err(|problem| ConfigError::Invalid { file: file.into(), problem })
}

/// The statement in a note, if the operator signed it.
fn signed_homes(note: &str, bundle: &Bundle, key: &VerifierKey) -> Result<Homes, String> {
    let note = SignedNote::parse(note).map_err(|error| error.to_string())?;
    if !note.verify(std::slice::from_ref(key)).is_ok_and(|verified| !verified.is_empty()) {
        return Err(format!("not signed by {}", key.name()));
    }
    Homes::parse(&note.text, bundle).map_err(|error| error.to_string())
}

/// Where the gate with this configuration keeps its statement.
pub(crate) fn file(config: &Config) -> PathBuf {
    config.status.with_file_name(HOMES_FILE)
}

/// Puts the next statement in force: recorded and witnessed, then durable, then told to every site's watch. One that is in
/// force already is answered as such.
pub(crate) async fn state(gate: &Gate, kind: Kind, stated: &HomesStated) -> Answer {
    let Config { bundle, bundle_key, .. } = &gate.config;
    let refused = |why: String| Answer::Refused(format!("the statement about homes: {why}"));
    let homes = match signed_homes(&stated.statement, bundle, bundle_key) {
        Ok(homes) => homes,
        Err(why) => return refused(why),
    };
    let now = gate.homes.borrow().clone();
    if homes == now {
        return Answer::Stated(None);
    }
    if let Err(error) = homes.follows(&now) {
        return refused(error.to_string());
    }
    let detail = match detail_of(stated) {
        Ok(detail) => detail,
        Err(fault) => return Answer::Failed(fault.internal),
    };
    let mut draft = record::Draft::new(kind);
    draft.policy = Some(bundle.hash().to_string());
    draft.detail = Some(detail);
    let index = match gate.record.append(draft).await {
        Ok(witnessed) => witnessed.index(),
        Err(not) => return Answer::Failed(not.to_string()),
    };
    if let Err(error) = write(&file(&gate.config), &stated.statement) {
        return Answer::Failed(format!("{}: {error}", file(&gate.config).display()));
    }
    tracing::warn!(serial = homes.serial(), home = stated.home, to = stated.to, "homes are held as stated");
    gate.homes.send_replace(homes);
    Answer::Stated(Some(index))
}

/// Whole or not at all, and durable.
fn write(file: &Path, text: &str) -> io::Result<()> {
    let beside = file.with_extension("new");
    let mut options = OpenOptions::new();
    let mut written = options.write(true).create(true).truncate(true).mode(0o644).open(&beside)?;
    written.write_all(text.as_bytes())?;
    written.sync_all()?;
    fs::rename(&beside, file)?;
    let folder = file.parent().unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
