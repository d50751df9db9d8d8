//! Logs of other formats, judged by a watch: every login that `import` makes of one is taken as a line of OCSF. A file is read
//! from its beginning whenever a watch starts, and what was judged of it already is counted off; what comes from standard input
//! is kept like any stream. Not here: files of OCSF, which are read on from where they were left (`tail`).

use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::{Watch, WatchError};
use crate::import::{self, Format, Input, Item, Options, ReadError};
use crate::login::Login;
use crate::ocsf::{self, Product};
use crate::state::at;
use crate::tail::{self, Place};

/// So much is judged at once, about.
const BLOCK_BYTES: usize = 1 << 18;

/// How far a log was judged.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Imported {
    logins: u64,
    /// As long as the log was then, and how it begins.
    log: Place,
}

impl Watch {
    /// Judges a log of another format to its end, and commits. One that was judged before, and may have grown since, is judged
    /// from there on.
    ///
    /// # Errors
    /// When the log cannot be read, or is of another format altogether.
    pub fn imported(&mut self, path: &Path, format: Format, options: &Options) -> Result<(), WatchError> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        self.replay()?;
        let known = self.covers.imported.get(&path);
        let is_same = known.map(|known| tail::is_of(&path, &known.log)).transpose().map_err(at(&path))?;
        let taken = known.filter(|_| is_same == Some(true)).map_or(0, |known| known.logins);
        let log = tail::place_of(&path).map_err(at(&path))?;
        let file = File::open(&path).map_err(at(&path))?;
        let product = import::product(format, options.map.as_ref());
        let (mut lines, mut through, mut failed) = (Vec::new(), taken, None);
        let read = import::read(format, Input::File(file), options, &mut |item| {
            match item {
                Item::Problem(problem) => (self.complain)(&format!("{}: {problem}", path.display())),
                Item::Login(index, _) if index < taken => {}
                Item::Login(index, login) => {
                    write(&mut lines, login, &product);
                    through = index + 1;
                }
            }
            if lines.len() < BLOCK_BYTES {
                return ControlFlow::Continue(());
            }
            let imported = Imported { logins: through, log: log.clone() };
            failed = self.judge_imported(&path, &mut lines, imported).err();
            let is_over = failed.is_some() || self.stop.load(Ordering::Relaxed);
            if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        read.map_err(|error| WatchError::Import(format!("{}: {error}", path.display())))?;
        self.judge_imported(&path, &mut lines, Imported { logins: through, log })?;
        self.commit()
    }

    /// Judges lines that were made of a log.
    fn judge_imported(
        &mut self,
        path: &Path,
        lines: &mut Vec<u8>,
        imported: Imported,
    ) -> Result<(), WatchError> {
        self.judge(lines, None)?;
        lines.clear();
        self.covers.imported.insert(path.to_owned(), imported);
        self.commit_if_due()
    }

    /// Judges a stream of another format to its end, and commits.
    ///
    /// # Errors
    /// As for [`Watch::imported`].
    pub fn imported_stream(
        &mut self,
        from: impl Read + Send + 'static,
        format: Format,
        options: Options,
    ) -> Result<(), WatchError> {
        // What is at hand is judged together, and what comes late is not waited for: a pipe does that.
        let (reader, mut writer) = io::pipe().map_err(WatchError::Input)?;
        let failed: Arc<Mutex<Option<ReadError>>> = Arc::default();
        let (failure, complain) = (failed.clone(), self.complain.clone());
        std::thread::spawn(move || {
            let product = import::product(format, options.map.as_ref());
            let mut line = Vec::new();
            let read = import::read(format, Input::Stream(Box::new(from)), &options, &mut |item| {
                line.clear();
                match item {
                    Item::Problem(problem) => complain(&problem.to_string()),
                    Item::Login(_, login) => write(&mut line, login, &product),
                }
                // Whoever judges has ended.
                match writer.write_all(&line) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                }
            });
            // Before the end of the pipe says that all is over.
            *failure.lock().unwrap_or_else(PoisonError::into_inner) = read.err();
            drop(writer);
        });
        self.stream(reader)?;
        match failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(WatchError::Import(error.to_string())),
            None => Ok(()),
        }
    }
}

/// Appends a login as a line; writing to memory does not fail.
fn write(lines: &mut Vec<u8>, login: &Login<'_>, product: &Product) {
    let _ = ocsf::write(lines, &login.event(), &login.aside, product);
}
