//! What principals took from the limits of a day, shared by the sessions of a gate and kept through its death.
//!
//! Before usage passes what is reserved, more is reserved in a file that is synchronised, so that a count begins again
//! at the reserved bound and never below what was released. The order is: reserve, fdatasync, then release. Lost: the
//! count may begin again at the old bound, and nothing past it was released. Done but reported lost: nothing is
//! released, and the count begins again higher. Not here: what a row takes (`limits`).

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use policy::Limit;
use serde::{Deserialize, Serialize};
use tlog::entry::Micros;

use super::limits::{Amounts, Exceeded, Gauge, Taking, unkept};

/// A reservation is this part of a limit beyond what is used.
const RESERVATIONS_PER_LIMIT: u64 = 16;
/// A longer file of a day is not one that a gate wrote.
const USAGE_BYTES_MAX: u64 = 67_108_864;
/// How the name of a file goes on after the day.
const SUFFIX: &str = ".jsonl";

/// Why a gate's usage cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    #[error("{file}: {source}")]
    Io { file: PathBuf, source: io::Error },
    #[error(
        "{file}: line {line} is not one that a gate wrote: restore the file; without it the day's limits begin anew"
    )]
    Damaged { file: PathBuf, line: usize },
    #[error("the clock shows no day")]
    Clock,
    #[error("the gate is stopping")]
    Closed,
}

/// What was taken from the day's limits, at one gate.
#[derive(Debug)]
pub struct Usage {
    folder: PathBuf,
    clock: fn() -> Micros,
    today: Mutex<Today>,
}

#[derive(Debug)]
struct Today {
    /// `YYYY-MM-DD`, in UTC.
    day: String,
    /// `None` after the gate stopped.
    file: Option<File>,
    /// Bounds that the file held when it was opened.
    before: Bounds,
    gauges: HashMap<(String, String), Arc<DayGauge>>,
}

/// What a principal took from one limit on one day.
#[derive(Debug)]
pub struct DayGauge {
    day: String,
    taken: Mutex<Reserved>,
}

#[derive(Debug)]
struct Reserved {
    gauge: Gauge,
    /// What the file holds.
    bound: Amounts,
}

/// By principal and limit.
type Bounds = HashMap<(String, String), Amounts>;

/// A line of a day's file. A later line about the same replaces an earlier one.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    principal: String,
    limit: String,
    rows: u64,
    bytes: u64,
    subjects: u64,
}

impl Usage {
    /// Opens the folder, and takes up the day where the gate left it.
    pub fn open(folder: &Path, clock: fn() -> Micros) -> Result<Self, UsageError> {
        let failed = |source| UsageError::Io { file: folder.to_owned(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let today = Today::open(folder, day(clock())?)?;
        Ok(Self { folder: folder.to_owned(), clock, today: Mutex::new(today) })
    }

    /// The gauge of a principal's limit, today.
    pub fn gauge(&self, principal: &str, limit: &Limit) -> Result<Arc<DayGauge>, UsageError> {
        let day = day((self.clock)())?;
        let mut today = lock(&self.today);
        if today.file.is_none() {
            return Err(UsageError::Closed);
        }
        // A clock that is set back does not bring a day back.
        if day > today.day {
            *today = Today::open(&self.folder, day)?;
        }
        let key = (principal.to_owned(), limit.name.clone());
        let (before, day) = (today.before.get(&key).copied().unwrap_or_default(), today.day.clone());
        let gauge = today.gauges.entry(key).or_insert_with(|| {
            let taken = Reserved { gauge: Gauge::new(limit, before), bound: before };
            Arc::new(DayGauge { day, taken: Mutex::new(taken) })
        });
        Ok(Arc::clone(gauge))
    }

    /// Writes what was really taken, in place of what was reserved. Nothing can be taken afterwards.
    pub fn close(&self) -> Result<(), UsageError> {
        let mut today = lock(&self.today);
        // First of all: whoever takes from now on is told that it cannot be kept.
        let Some(mut file) = today.file.take() else { return Ok(()) };
        let mut text = Vec::new();
        for ((principal, limit), gauge) in &today.gauges {
            let taken = lock(&gauge.taken).gauge.amounts();
            text.extend(line(principal, limit, taken));
        }
        let failed = |source| UsageError::Io { file: file_of(&self.folder, &today.day), source };
        file.write_all(&text).and_then(|()| file.sync_data()).map_err(failed)
    }

    fn reserve(&self, day: &str, principal: &str, limit: &Limit, bound: Amounts) -> Result<(), UsageError> {
        let mut today = lock(&self.today);
        if today.day != day {
            // That day is over: nobody will ask what was taken on it.
            return Ok(());
        }
        let file = today.file.as_mut().ok_or(UsageError::Closed)?;
        let written = file.write_all(&line(principal, &limit.name, bound)).and_then(|()| file.sync_data());
        if let Err(source) = written {
            // Half a line may be there: another after it would be damage.
            today.file = None;
            return Err(UsageError::Io { file: file_of(&self.folder, day), source });
        }
        Ok(())
    }
}

impl DayGauge {
    /// Takes a row, and reserves more when what is reserved does not hold it.
    pub fn take(
        &self,
        usage: &Usage,
        principal: &str,
        limit: &Limit,
        taking: Taking<'_>,
    ) -> Result<(), Exceeded> {
        let mut taken = lock(&self.taken);
        taken.gauge.take(limit, taking)?;
        let amounts = taken.gauge.amounts();
        let held = amounts.limited(limit).zip(taken.bound.limited(limit));
        let is_reserved = held.into_iter().all(|((amount, ..), (bound, ..))| amount <= bound);
        if !is_reserved {
            let more = |amount: u64, bound: Option<u64>| {
                let step = bound.map_or(0, |bound| (bound / RESERVATIONS_PER_LIMIT).max(1));
                amount.saturating_add(step).min(bound.unwrap_or(u64::MAX))
            };
            let bound = Amounts {
                rows: more(amounts.rows, limit.rows),
                bytes: more(amounts.bytes, limit.bytes),
                subjects: more(amounts.subjects, limit.subjects),
            };
            usage.reserve(&self.day, principal, limit, bound).map_err(|e| unkept(limit, &e))?;
            taken.bound = bound;
        }
        Ok(())
    }
}

impl Today {
    fn open(folder: &Path, day: String) -> Result<Self, UsageError> {
        let path = file_of(folder, &day);
        let failed = |source| UsageError::Io { file: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        // Two gates would each forget what the other reserves.
        file.try_lock().map_err(|e| failed(e.into()))?;
        let mut text = Vec::new();
        (&mut file).take(USAGE_BYTES_MAX + 1).read_to_end(&mut text).map_err(failed)?;
        let (before, whole) = read(&text).map_err(|line| UsageError::Damaged { file: path.clone(), line })?;
        // A line that was being written when the gate died reserved nothing that was used.
        file.set_len(whole).map_err(failed)?;
        file.seek(SeekFrom::Start(whole)).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        forget_others(folder, &path).map_err(failed)?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        Ok(Self { day, file: Some(file), before, gauges: HashMap::new() })
    }
}

/// What the lines say, and how long they are; or the number of the first that says nothing.
fn read(text: &[u8]) -> Result<(Bounds, u64), usize> {
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    if u64::try_from(text.len()).map_or(true, |bytes| bytes > USAGE_BYTES_MAX) {
        return Err(1);
    }
    let mut before = Bounds::new();
    for (number, line) in
        (1_usize..).zip(text.get(..whole).unwrap_or_default().split_inclusive(|byte| *byte == b'\n'))
    {
        let Line { principal, limit, rows, bytes, subjects } =
            serde_json::from_slice(line).map_err(|_| number)?;
        before.insert((principal, limit), Amounts { rows, bytes, subjects });
    }
    Ok((before, u64::try_from(whole).unwrap_or(u64::MAX)))
}

fn line(principal: &str, limit: &str, amounts: Amounts) -> Vec<u8> {
    let Amounts { rows, bytes, subjects } = amounts;
    let (principal, limit) = (principal.to_owned(), limit.to_owned());
    // Strings and numbers have always a JSON text.
    let mut text = serde_json::to_vec(&Line { principal, limit, rows, bytes, subjects }).unwrap_or_default();
    text.push(b'\n');
    text
}

fn forget_others(folder: &Path, kept: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path != kept && path.to_string_lossy().ends_with(SUFFIX) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn file_of(folder: &Path, day: &str) -> PathBuf {
    folder.join(format!("{day}{SUFFIX}"))
}

fn day(time: Micros) -> Result<String, UsageError> {
    let text = time.to_rfc3339().ok_or(UsageError::Clock)?;
    text.get(.."YYYY-MM-DD".len()).map(str::to_owned).ok_or(UsageError::Clock)
}

/// A session that died while it held a lock left at most a count that is too high.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
