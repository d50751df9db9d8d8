//! What the record says of what the tour did, and what becomes of a copy of it that somebody changes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tlog::checkpoint::Checkpoint;
use tlog::entry::{CountState, Kind};
use tlog::note::{SignedNote, SigningKey};
use tlog::proof::Receipt;
use tlog::reader::CHECKPOINT_PATH;
use tlog::rule::ReleaseRule;

use crate::ended::Ended;
use crate::folder;
use crate::record_log::{self, FolderSource, RULE_FILE};
use crate::tour::people::support_query;
use crate::tour::subject::Person;
use crate::tour::{Seen, Story};

/// The tour's own entries are among the newest.
const LOOK_BACK_ENTRIES: u64 = 400;
const COPIES_MAX: u32 = 10;
const COPY_AGAIN_MS: u64 = 500;
const FIRST_BUNDLE: &str = "tile/entries/000";

pub(crate) fn tell(story: &mut Story<'_>, person: &Person) {
    story.chapter("The record");
    let seen = release_is_recorded(story, person);
    story.observe("the entry of aoife's first read", seen);
    let seen = refusal_is_recorded(story);
    story.observe("the entry of a refusal", seen);
    let seen = verified(story);
    story.observe("an offline verification", seen);
    let seen = receipt(story, person);
    story.observe("a receipt of that first read", seen);
}

/// The newest release of aoife's first read.
fn release(story: &Story<'_>, person: &Person) -> Result<record_log::Seen, String> {
    let sql = support_query(person);
    let seen = record_log::newest(story.folder, LOOK_BACK_ENTRIES).map_err(said)?;
    let quotes = |seen: &record_log::Seen| {
        seen.detail.as_ref().is_some_and(|detail| detail.to_string().contains(&sql))
    };
    let found = seen.into_iter().find(|seen| seen.entry.kind == Kind::AccessRelease && quotes(seen));
    found.ok_or_else(|| "there is none".to_owned())
}

fn release_is_recorded(story: &Story<'_>, person: &Person) -> Seen {
    let seen = release(story, person)?;
    let index = seen.index;
    let count = seen.entry.count.as_ref();
    let exact = count.is_some_and(|count| count.state == CountState::Exact && count.rows == 1);
    let named = seen.entry.principal.as_ref().is_some_and(|name| name != "aoife");
    let bytes = count.map_or(0, |count| count.bytes);
    let rows = count.map_or(0, |count| count.rows);
    let observed = format!("entry {index}: {rows} row, {bytes} bytes; the statement is in its sealed detail");
    Ok((exact && named, observed))
}

/// Made here, and verified by a program that has the receipt and the rule and no enclave; then once more, altered.
fn receipt(story: &Story<'_>, person: &Person) -> Seen {
    let index = release(story, person)?.index;
    let (source, rule) =
        (FolderSource::new(&story.folder.record()), record_log::rule(story.folder).map_err(said)?);
    let receipt = record_log::receipt(&source, &rule, index).map_err(said)?;
    let file = story.folder.run("tour.tlog-proof");
    let verified = |text: String| -> Result<(Option<i32>, String), String> {
        fs::write(&file, text).map_err(|error| error.to_string())?;
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.args(["record", "verify"]).arg(&file).arg("--rule").arg(story.folder.gate(RULE_FILE));
        let output = command
            .arg("--dir")
            .arg(story.folder.run("nowhere"))
            .output()
            .map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned();
        Ok((output.status.code(), said.lines().last().unwrap_or_default().to_owned()))
    };
    let (code, proved) = verified(receipt.to_string())?;
    let elsewhere = Receipt { index: index.saturating_sub(1), ..receipt };
    let (altered, _) = verified(elsewhere.to_string())?;
    // What stays otherwise is a receipt that proves nothing.
    let _ = fs::remove_file(&file);
    Ok((code == Some(0) && altered == Some(1), format!("{proved}; refused for another number")))
}

fn refusal_is_recorded(story: &Story<'_>) -> Seen {
    for seen in record_log::newest(story.folder, LOOK_BACK_ENTRIES).map_err(said)? {
        let index = seen.index;
        let detail = seen.detail.as_ref();
        let field = |name: &str| detail.and_then(|detail| detail.get(name)).and_then(|value| value.as_str());
        if seen.entry.kind == Kind::AccessDecision
            && field("statement").is_some_and(|sql| sql.starts_with("COPY"))
        {
            let (rule, principal) =
                (field("rule").unwrap_or_default(), field("principal").unwrap_or_default());
            let observed = format!("entry {index}: {principal} was refused by the rule {rule}");
            return Ok((principal == "aoife" && !rule.is_empty(), observed));
        }
    }
    Ok((false, "there is none".to_owned()))
}

fn verified(story: &Story<'_>) -> Seen {
    let rule = record_log::rule(story.folder).map_err(said)?;
    let copy = Copy::of_whole(story, &rule)?;
    let report = record_log::report(&copy.0, &rule);
    let signers: Vec<&str> = report.signers.iter().map(|signer| signer.name.as_str()).collect();
    if let Some(finding) = report.findings.first() {
        return Ok((false, finding.to_string()));
    }
    let observed = format!("{} entries under one root, signed by {}", report.size, signers.join(", "));
    Ok((signers.len() == 3 && report.size > 0, observed))
}

/// Changes copies of the record as somebody would who wants to hide an entry.
pub(crate) fn tell_tampered(story: &mut Story<'_>) {
    story.chapter("A copy of the record that somebody changed");
    let cases: [(&str, Change); 3] = [
        ("one letter of an entry", change_a_letter),
        ("the checkpoint's size", change_the_size),
        ("a shorter record, signed again by the operator alone", sign_shorter),
    ];
    for (subject, change) in cases {
        let seen = tampered(story, change);
        story.observe(subject, seen);
    }
}

/// Changes a copy of the record and says what was changed.
type Change = fn(&Story<'_>, &Path) -> Result<String, String>;

fn tampered(story: &Story<'_>, change: Change) -> Seen {
    let rule = record_log::rule(story.folder).map_err(said)?;
    let copy = Copy::of_whole(story, &rule)?;
    let changed = change(story, &copy.0)?;
    let report = record_log::report(&copy.0, &rule);
    let caught =
        report.findings.first().map_or("not caught".to_owned(), |finding| format!("caught: {finding}"));
    Ok((!report.is_clean(), format!("{changed}; {caught}")))
}

/// A copy of a folder that is removed when it is no longer needed.
struct Copy(PathBuf);

impl Copy {
    /// A copy that verifies: one that was made while the gate published may lack what was published last.
    fn of_whole(story: &Story<'_>, rule: &ReleaseRule) -> Result<Self, String> {
        for _ in 0..COPIES_MAX {
            let copy = Self::of(&story.folder.record(), &story.folder.run("tampered"))?;
            if record_log::report(&copy.0, rule).is_clean() {
                return Ok(copy);
            }
            std::thread::sleep(Duration::from_millis(COPY_AGAIN_MS));
        }
        Err("no copy of the record was whole before it was changed".to_owned())
    }

    fn of(record: &Path, to: &Path) -> Result<Self, String> {
        if to.exists() {
            fs::remove_dir_all(to).map_err(|error| error.to_string())?;
        }
        let copy = Self(to.to_owned());
        copy_folder(record, to).map_err(|error| format!("copying the record: {error}"))?;
        Ok(copy)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // What stays is a copy of public files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    // The checkpoint first: tiles that it does not cover yet may come after it, never the other way round.
    let mut entries = fs::read_dir(from)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(|entry| entry.file_name() != CHECKPOINT_PATH);
    for entry in entries {
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else if let Err(error) = fs::copy(entry.path(), &target)
            // A partial tile may be replaced by its successor while we look.
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
    }
    Ok(())
}

fn change_a_letter(_: &Story<'_>, copy: &Path) -> Result<String, String> {
    let file = first_bundle(copy).ok_or("the record has no entries")?;
    let mut bytes = fs::read(&file).map_err(|error| error.to_string())?;
    let at = bytes.windows(6).position(|window| window == b"\"gate\"").ok_or("no entry names a gate")?;
    let letter = bytes.get_mut(at + 9).ok_or("the entry ends early")?;
    *letter = if *letter == b'x' { b'y' } else { b'x' };
    fs::write(&file, &bytes).map_err(|error| error.to_string())?;
    let name = file.strip_prefix(copy).unwrap_or(&file).display().to_string();
    Ok(format!("byte {} of {name} changed", at + 9))
}

/// The first bundle, at its greatest width, which is the one that the checkpoint covers.
fn first_bundle(copy: &Path) -> Option<PathBuf> {
    let whole = copy.join(FIRST_BUNDLE);
    if whole.is_file() {
        return Some(whole);
    }
    let partial = fs::read_dir(copy.join(format!("{FIRST_BUNDLE}.p"))).ok()?.flatten();
    let width = |path: &Path| path.file_name().and_then(|name| name.to_str()?.parse::<u16>().ok());
    partial.map(|entry| entry.path()).max_by_key(|path| width(path))
}

fn checkpoint(copy: &Path) -> Result<(PathBuf, String, Checkpoint), String> {
    let file = copy.join(CHECKPOINT_PATH);
    let text = folder::read_text(&file).map_err(said)?;
    let note = SignedNote::parse(&text).map_err(|error| error.to_string())?;
    let checkpoint = Checkpoint::parse(&note.text).map_err(|error| error.to_string())?;
    Ok((file, text, checkpoint))
}

fn change_the_size(_: &Story<'_>, copy: &Path) -> Result<String, String> {
    let (file, text, checkpoint) = checkpoint(copy)?;
    let shorter = checkpoint.size.saturating_sub(1);
    let changed = text.replacen(&format!("\n{}\n", checkpoint.size), &format!("\n{shorter}\n"), 1);
    fs::write(&file, changed).map_err(|error| error.to_string())?;
    Ok(format!("{} made {shorter}", checkpoint.size))
}

fn sign_shorter(story: &Story<'_>, copy: &Path) -> Result<String, String> {
    let (file, _, checkpoint) = checkpoint(copy)?;
    let key = folder::read_text(&story.folder.gate("log.key")).map_err(said)?;
    let key: SigningKey = key.parse().map_err(|error: tlog::note::KeyError| error.to_string())?;
    let shorter = Checkpoint { size: checkpoint.size.saturating_sub(1), ..checkpoint };
    let note = key.sign_note(&shorter.to_string()).map_err(|error| error.to_string())?;
    fs::write(&file, note.to_string()).map_err(|error| error.to_string())?;
    Ok(format!("a checkpoint of {} entries with the log's signature", shorter.size))
}

fn said(ended: Ended) -> String {
    ended.to_string()
}
