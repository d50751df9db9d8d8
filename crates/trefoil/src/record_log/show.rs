//! `trefoil record show`: entries for people to read, with their details where the operator's identity opens them.

use record::show::{Opener, Reading, ShowError, Shown};
use serde_json::{Value, json};
use tlog::entry::Entry;

use crate::cli::Show;
use crate::ended::{Ended, OrEnded};
use crate::folder::{self, Folder};
use crate::record_log::follow;
use crate::terminal;

/// An entry, and its detail if it has one that opens.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) index: u64,
    pub(crate) entry: Entry,
    pub(crate) detail: Option<Value>,
}

pub(crate) fn show(asked: &Show) -> Result<(), Ended> {
    let folder = asked.enclave.folder();
    folder.require_complete()?;
    if asked.follow {
        return follow::follow(asked, &folder);
    }
    let reading = reading(&folder)?;
    let mut opener = opener(&folder)?;
    let range = asked.index.map_or(0..reading.size(), |index| index..index.saturating_add(1));
    if asked.index.is_some_and(|index| index >= reading.size()) {
        return Err(Ended::cannot_tell(format!(
            "the record has {} entries, numbered from 0",
            reading.size()
        )));
    }
    let single = asked.index.is_some();
    let printed = reading.each(range.start, range.end, |shown| {
        let detail = detail(opener.as_mut(), &shown)?;
        for line in lines(&shown, detail, asked.json, single)? {
            terminal::say(&line);
        }
        Ok(())
    });
    printed.map_err(|Failed(ended)| ended)
}

/// An entry as it is printed: a line, and below it all of it when it is the only one asked for.
pub(super) fn lines(
    shown: &Shown,
    detail: Option<Value>,
    json: bool,
    single: bool,
) -> Result<Vec<String>, Failed> {
    if json {
        return Ok(vec![json_line(shown, detail)?]);
    }
    let mut lines = vec![line(shown, detail.as_ref())?];
    if single {
        lines.push(String::from_utf8_lossy(&shown.line).into_owned());
        if let Some(detail) = detail {
            lines.push(serde_json::to_string_pretty(&detail).or_cannot_tell("writing JSON").map_err(Failed)?);
        }
    }
    Ok(lines)
}

/// The newest entries, newest first, those included that are not published yet.
pub(crate) fn newest(folder: &Folder, entries_max: u64) -> Result<Vec<Seen>, Ended> {
    let reading = reading(folder)?;
    let mut opener = opener(folder)?;
    let mut seen = Vec::new();
    let (from, to) = (reading.size().saturating_sub(entries_max), reading.size());
    let read = reading.each(from, to, |shown| {
        let detail = detail(opener.as_mut(), &shown)?;
        seen.push(Seen { index: shown.index, entry: shown.entry()?, detail });
        Ok::<(), Failed>(())
    });
    read.map_err(|Failed(ended)| ended)?;
    seen.reverse();
    Ok(seen)
}

/// What ends the reading early.
pub(super) struct Failed(pub(super) Ended);

impl From<ShowError> for Failed {
    fn from(error: ShowError) -> Self {
        Self(Ended::cannot_tell(error.to_string()))
    }
}

pub(super) fn reading(folder: &Folder) -> Result<Reading, Ended> {
    let reading = Reading::open(folder.record(), folder.gate("details"), folder.gate("wal"));
    reading.or_cannot_tell("reading the record")
}

/// The operator's identity; without it, entries are shown without their details.
pub(super) fn opener(folder: &Folder) -> Result<Option<Opener>, Ended> {
    let file = folder.operator("detail.age");
    if !file.is_file() {
        return Ok(None);
    }
    Ok(Some(Opener::new(&folder::read_text(&file)?, folder.gate("keys"))))
}

/// The detail of an entry; where its key is forgotten, that it is. The entry itself stays.
pub(super) fn detail(opener: Option<&mut Opener>, shown: &Shown) -> Result<Option<Value>, ShowError> {
    match opener.map(|opener| opener.open(shown)).transpose() {
        Err(ShowError::Forgotten { gone, .. }) => Ok(Some(json!({ "forgotten": gone }))),
        opened => opened.map(Option::flatten),
    }
}

fn json_line(shown: &Shown, detail: Option<Value>) -> Result<String, Failed> {
    let entry: Value =
        serde_json::from_slice(&shown.line).or_cannot_tell("reading an entry").map_err(Failed)?;
    let object = json!({ "index": shown.index, "entry": entry, "detail": detail });
    serde_json::to_string(&object).or_cannot_tell("writing JSON").map_err(Failed)
}

fn line(shown: &Shown, detail: Option<&Value>) -> Result<String, Failed> {
    let entry = shown.entry()?;
    let time = entry.time.to_rfc3339().unwrap_or_default();
    let mut line = format!("{:>6}  {time}  {:<16}", shown.index, entry.kind.as_str());
    let facts = [
        entry.place.clone(),
        entry.decision.map(|decision| decision.as_str().to_owned()),
        entry
            .count
            .as_ref()
            .map(|count| format!("{} {} rows, {} bytes", count.state.as_str(), count.rows, count.bytes)),
        entry
            .checks
            .map(|checks| format!("{} pass, {} fail, {} unknown", checks.pass, checks.fail, checks.unknown)),
        entry
            .session
            .as_ref()
            .map(|session| format!("session {}", session.chars().take(8).collect::<String>())),
        (!shown.published).then(|| "not published yet".to_owned()),
    ];
    for fact in facts.into_iter().flatten() {
        line.push_str("  ");
        line.push_str(&fact);
    }
    if let Some(who) = detail.and_then(|detail| detail.get("principal")).and_then(Value::as_str) {
        line.push_str("  ");
        line.push_str(who);
    }
    Ok(line)
}
