//! A part measured alone: an example program of its crate. A program of its own, so that xtask is built without what the
//! parts need, and the part's threads can be told from ours.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::de::DeserializeOwned;

/// An example that is built, and a folder for it on the disk that is measured, removed when this is dropped.
pub(crate) struct Part {
    program: PathBuf,
    place: PathBuf,
}

impl Part {
    /// Builds the example as the product is built. What cargo says goes to whoever waits for it.
    pub(crate) fn build(package: &str, example: &str, dir: &Path) -> Result<Self, String> {
        eprintln!("building the example {example} of the crate {package} (the first time takes minutes)");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["build", "--release", "--locked", "--package", package, "--example", example]);
        command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
        let status = command.status().map_err(|e| format!("{command:?}: {e}"))?;
        if !status.success() {
            return Err(format!("{command:?} failed ({status}): see above"));
        }
        // `cargo xtask` builds into the same folder.
        let own = std::env::current_exe().map_err(|e| e.to_string())?;
        let program = own.with_file_name("examples").join(example);
        let place = dir.join(format!("{example}-{}", std::process::id()));
        fs::create_dir_all(&place).map_err(|e| format!("{}: {e}", place.display()))?;
        Ok(Self { program, place })
    }

    pub(crate) fn place(&self) -> &Path {
        &self.place
    }

    /// Runs it, its files in the folder; what it says of itself.
    pub(crate) fn run<T: DeserializeOwned>(&self, arguments: &[String]) -> Result<T, String> {
        let mut command = Command::new(&self.program);
        command.args(arguments).env("TMPDIR", &self.place);
        let text = super::shell::run(&mut command)?;
        serde_json::from_str(&text).map_err(|e| format!("{command:?} says: {e}"))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.place);
    }
}
