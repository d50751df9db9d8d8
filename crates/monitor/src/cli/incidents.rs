//! `trefoil-monitor incidents`: what was found, and what people do about it. Asks the monitor that runs, or opens the
//! folder of one that does not. What is answered is `monitor::incident::desk`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Subcommand;
use monitor::{
    control::{self, Answer, Ask},
    folder,
    incident::{
        Status,
        desk::{self, Told},
        report::Said,
    },
};
use serde_json::{Value, json};

use super::{Dir, Outcome, either};

/// Incidents: list them, look at one, say that it is looked into, report it, close it.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  trefoil-monitor incidents list --dir monitor --state open")]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// One line for each incident, and how many are overdue.
    #[command(after_help = "Example:\n  trefoil-monitor incidents list --dir monitor --json | jq -r .id")]
    List {
        #[command(flatten)]
        dir: Dir,
        /// Only those in this state: open, acknowledged, reported or closed.
        #[arg(long, value_parser = status)]
        state: Option<Status>,
    },
    /// One incident, whole: reasons, evidence and what was done.
    #[command(
        after_help = "Example:\n  trefoil-monitor incidents show 2026-11-22-0003 --dir monitor --receipts evidence"
    )]
    Show {
        #[command(flatten)]
        dir: Dir,
        /// Id, as `list` prints it.
        id: String,
        /// Write into this folder what proves the evidence: receipts (C2SP tlog-proof) and refused entries.
        #[arg(long)]
        receipts: Option<PathBuf>,
    },
    /// Say that somebody looks into it.
    #[command(
        after_help = "Example:\n  trefoil-monitor incidents ack 2026-11-22-0003 --dir monitor --by \"N. Murphy\""
    )]
    Ack {
        #[command(flatten)]
        dir: Dir,
        id: String,
        /// Who says so.
        #[arg(long)]
        by: String,
    },
    /// Close it, reported or not.
    #[command(
        after_help = "Example:\n  trefoil-monitor incidents close 2026-11-22-0003 --dir monitor --by \"N. Murphy\" \\\n    \
                      --because \"a drill, announced beforehand\""
    )]
    Close {
        #[command(flatten)]
        dir: Dir,
        id: String,
        #[arg(long)]
        by: String,
        /// Why it is closed.
        #[arg(long)]
        because: String,
    },
    Report(Report),
}

/// Write the authority's notification (contents of GDPR, Article 33(3)), and keep that it was written.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  trefoil-monitor incidents report 2026-11-22-0003 --dir monitor --out notification \\\n    \
                  --consequences \"Addresses may be used for fraud.\" --measure \"The account was closed.\""
)]
struct Report {
    #[command(flatten)]
    dir: Dir,
    id: String,
    /// Write ID.md, ID.json and the receipts of the evidence into this folder; otherwise the text is printed.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Who reports.
    #[arg(long)]
    by: Option<String>,
    /// Likely consequences of the breach, in words.
    #[arg(long)]
    consequences: Option<String>,
    /// A measure taken or proposed, in words. May be given several times.
    #[arg(long = "measure")]
    measures: Vec<String>,
    /// Why it is reported after 72 hours, in words.
    #[arg(long)]
    delay_because: Option<String>,
}

fn status(text: &str) -> Result<Status, String> {
    Status::parse(text).ok_or_else(|| "write open, acknowledged, reported or closed".to_owned())
}

pub fn incidents(arguments: Arguments) -> Outcome {
    either(match arguments.what {
        What::List { dir, state } => list(&dir, state),
        What::Show { dir, id, receipts } => show(&dir, id, receipts.as_deref()),
        What::Ack { dir, id, by } => asked(&dir, desk::Ask::Ack { id, by }).map(one),
        What::Close { dir, id, by, because } => asked(&dir, desk::Ask::Close { id, by, because }).map(one),
        What::Report(report) => self::report(report),
    })
}

/// Asks whoever has the folder: a monitor that runs, or this program.
fn asked(dir: &Dir, ask: desk::Ask) -> Result<Told, Outcome> {
    let folder = dir.folder()?;
    let ask = Ask::Incidents(ask);
    match control::ask(&folder, &ask).map_err(Outcome::unknown)? {
        Answer::Told(told) => Ok(told),
        Answer::Not(why) => Err(Outcome::Not(why)),
        Answer::Unknown(why) => Err(Outcome::Unknown(why)),
    }
}

fn one(told: Told) -> Outcome {
    Outcome::done(told.text, told.json)
}

fn list(dir: &Dir, state: Option<Status>) -> Result<Outcome, Outcome> {
    if dir.folder()?.witness_config().exists() {
        let text = "a witness judges nothing, so that it has no incidents".to_owned();
        return Ok(Outcome::Lines { text, json: String::new() });
    }
    asked(dir, desk::Ask::List { state }).map(|told| lines(&told))
}

/// JSON as one line for each, which is easier for programs than a list.
fn lines(told: &Told) -> Outcome {
    let json: Vec<_> = told.json.as_array().into_iter().flatten().map(Value::to_string).collect();
    Outcome::Lines { text: told.text.clone(), json: json.join("\n") }
}

fn show(dir: &Dir, id: String, receipts: Option<&Path>) -> Result<Outcome, Outcome> {
    let mut told = asked(dir, desk::Ask::Show { id: id.clone() })?;
    if let Some(out) = receipts {
        told.text.push_str(&format!("  {} in {}\n", write_receipts(dir, id, out)?, out.display()));
    }
    told.text.truncate(told.text.trim_end().len());
    Ok(one(told))
}

/// The notification is on the disk before the own record says that it was written.
fn report(arguments: Report) -> Result<Outcome, Outcome> {
    let Report { dir, id, out, by, consequences, measures, delay_because: delay } = arguments;
    let said = Said { consequences, measures, delay };
    let drafted = asked(&dir, desk::Ask::Draft { id: id.clone(), said })?;
    let json = drafted.json;
    let pretty = serde_json::to_string_pretty(&json).map_err(Outcome::unknown)? + "\n";
    if let Some(out) = &out {
        let write = |name: String, text: &str| write_file(&out.join(name), text);
        make_dir(out)?;
        write(format!("{id}.md"), &drafted.text)?;
        write(format!("{id}.json"), &pretty)?;
        write_receipts(&dir, id.clone(), out)?;
    }
    let notification = desk::digest(&json).map_err(Outcome::unknown)?;
    asked(&dir, desk::Ask::Reported { id: id.clone(), by, notification })?;
    Ok(match out {
        Some(out) => {
            let (md, data) = (out.join(format!("{id}.md")), out.join(format!("{id}.json")));
            let text = format!("incident {id}: reported\n  {}\n  {}", md.display(), data.display());
            Outcome::done(text, json!({ "id": id, "markdown": md, "json": data, "notification": json }))
        }
        None => Outcome::done(drafted.text, json),
    })
}

/// Writes what proves the evidence; answers how much that was.
fn write_receipts(dir: &Dir, id: String, out: &Path) -> Result<String, Outcome> {
    let told = asked(dir, desk::Ask::Receipts { id })?;
    make_dir(out)?;
    for (number, proof) in told.json.as_array().into_iter().flatten().enumerate() {
        if let (Some(index), Some(receipt)) = (proof["index"].as_u64(), proof["receipt"].as_str()) {
            write_file(&out.join(format!("{index}.tlog-proof")), receipt)?;
        } else {
            let text = serde_json::to_string_pretty(&proof["refused"]).map_err(Outcome::unknown)?;
            write_file(&out.join(format!("refused-{number}.json")), &(text + "\n"))?;
            if let Some(receipt) = proof["refused"]["proof"].as_str() {
                write_file(&out.join(format!("refused-{number}.tlog-proof")), receipt)?;
            }
        }
    }
    Ok(told.text)
}

fn make_dir(dir: &Path) -> Result<(), Outcome> {
    fs::create_dir_all(dir).map_err(|error| Outcome::unknown(format!("{}: {error}", dir.display())))
}

fn write_file(path: &Path, text: &str) -> Result<(), Outcome> {
    folder::write_file(path, text.as_bytes(), 0o600).map_err(Outcome::unknown)
}
