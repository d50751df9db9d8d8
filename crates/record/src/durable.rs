//! Files that survive a crash: written beside their name, synced, renamed, and the folder synced. What goes
//! into them is decided elsewhere.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::steps::{Step, Steps};

/// Threads that sync files at once.
const SYNC_THREADS_MAX: usize = 8;
/// Fewer files than this are not worth a thread.
const SYNC_FILES_MIN: usize = 4;
/// What the name of a file that is being destroyed ends with.
const DESTROYING: &str = ".gone";
const ZEROS: [u8; 8_192] = [0; 8_192];

/// Makes a folder and those above it, and syncs each folder that gained a name.
pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent() {
        make_dir(parent)?;
        match fs::create_dir(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => sync_dir(parent)?,
        }
    }
    Ok(())
}

/// Makes the names in a folder durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    File::open(dir)?.sync_all()
}

/// Brings files to the disk. Many go at once: the file system then commits its journal for several together,
/// where one after the other each would wait for its own.
pub(crate) fn sync_files(files: &[&File]) -> io::Result<()> {
    let share = files.len().div_ceil(SYNC_THREADS_MAX).max(SYNC_FILES_MIN);
    std::thread::scope(|scope| {
        let shares = files.chunks(share).skip(1);
        let others: Vec<_> = shares.map(|files| scope.spawn(|| sync_each(files))).collect();
        let own = files.chunks(share).next().map_or(Ok(()), sync_each);
        let lost = |_| Err(io::Error::other("a thread that synced files has ended"));
        others.into_iter().map(|other| other.join().unwrap_or_else(lost)).fold(own, io::Result::and)
    })
}

fn sync_each(files: &[&File]) -> io::Result<()> {
    files.iter().try_for_each(|file| file.sync_all())
}

/// Replaces one file: after a crash there is the old content or the new, never a mixture. Writes the new content
/// at `beside` first, which must be on the same file system.
pub(crate) fn replace(path: &Path, beside: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut files = Unnamed::default();
    files.write(path, beside.to_owned(), bytes)?;
    files.sync()?.name()
}

/// Removes a file; one that is already gone is no error.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Overwrites a file and removes it. What a file system or a disk keeps of the old bytes elsewhere is out of reach. After
/// a failure it can be done again; after a crash, [`finish_destroying`] goes on.
pub(crate) fn destroy(path: &Path, steps: &Steps) -> io::Result<()> {
    let mut gone = path.as_os_str().to_owned();
    gone.push(DESTROYING);
    let gone = PathBuf::from(gone);
    match fs::rename(path, &gone) {
        // An earlier attempt may have come this far.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        renamed => renamed?,
    }
    if gone.try_exists()? {
        steps.run(Step::KeyOverwritten, || overwrite(&gone))?;
        steps.run(Step::KeyRemoved, || remove(&gone))?;
    }
    path.parent().map_or(Ok(()), sync_dir)
}

/// Destroys what a crash left of files that were being destroyed.
pub(crate) fn finish_destroying(dir: &Path) -> io::Result<()> {
    for item in fs::read_dir(dir)? {
        let path = item?.path();
        if path.as_os_str().to_string_lossy().ends_with(DESTROYING) {
            overwrite(&path)?;
            remove(&path)?;
        }
    }
    sync_dir(dir)
}

fn overwrite(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    let mut left = file.metadata()?.len();
    while left > 0 {
        let part = left.min(ZEROS.len() as u64);
        file.write_all(ZEROS.get(..usize::try_from(part).unwrap_or(0)).unwrap_or_default())?;
        left -= part;
    }
    file.sync_all()
}

/// Reads a file; one that does not exist is `None`.
pub(crate) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Files written under other names than their final ones. Many are written before the first is synced: the file system then
/// commits its journal once for all of them instead of once for each.
#[derive(Default)]
pub(crate) struct Unnamed {
    files: Vec<(File, PathBuf, PathBuf)>,
}

impl Unnamed {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    /// Writes at `beside` what will be at `path`.
    pub(crate) fn write(&mut self, path: &Path, beside: PathBuf, bytes: &[u8]) -> io::Result<()> {
        if let Some(parent) = path.parent() {
            make_dir(parent)?;
        }
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        self.files.push((file, beside, path.to_owned()));
        Ok(())
    }

    /// Brings all of them to the disk.
    pub(crate) fn sync(self) -> io::Result<Synced> {
        let files: Vec<&File> = self.files.iter().map(|(file, _, _)| file).collect();
        sync_files(&files)?;
        Ok(Synced { names: self.files.into_iter().map(|(_, beside, path)| (beside, path)).collect() })
    }
}

/// Files that are on the disk but not under their final names.
pub(crate) struct Synced {
    names: Vec<(PathBuf, PathBuf)>,
}

impl Synced {
    /// Gives them their names and makes the names durable.
    pub(crate) fn name(self) -> io::Result<()> {
        let mut dirs = BTreeSet::new();
        for (beside, path) in &self.names {
            fs::rename(beside, path)?;
            if let Some(parent) = path.parent() {
                dirs.insert(parent);
            }
        }
        dirs.into_iter().try_for_each(sync_dir)
    }
}
