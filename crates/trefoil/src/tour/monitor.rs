//! The monitor acts: it stops somebody, and it finds what went past the gate. Asked through its own program, as its
//! analysts do.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::clock::Stopwatch;
use crate::folder::Folder;
use crate::tour::client::{self, Session};
use crate::tour::people::AOIFE;
use crate::tour::{Seen, Story};
use crate::up;

/// From asking the monitor's program to the end of the session; the program's own start is in it.
const STOPPED_MS_MAX: u128 = 2_000;
const LIFTED_MS_MAX: u128 = 5_000;
/// Sites are looked at now and then.
const FOUND_MS_MAX: u128 = 60_000;
const POLL_MS: u64 = 5;
const LOOK_MS: u64 = 500;
/// The detectors of what the record does not explain, and of who was planted.
pub(crate) const UNRECONCILED: &str = "unreconciled";
const HONEYTOKEN: &str = "honeytoken";
/// Subjects who arrive, and who of the monitor's are hidden among them.
const ARRIVE: &str = "30";
const PLANTED: &str = "3";

pub(crate) async fn tell(story: &mut Story<'_>) {
    story.chapter("The monitor acts");
    let session = client::ask(story.ready, AOIFE).await.map_err(|refused| refused.to_string());
    let (seen, id) = match session {
        Ok(session) => stop(story.folder, &session, STOPPED_MS_MAX).await,
        Err(why) => (Err(why), None),
    };
    story.observe("a brake on aoife, who is connected", seen);
    let seen = refused(story).await;
    story.observe("aoife connects again", seen);
    if let Some(id) = id {
        let seen = lift(story, &id).await;
        story.observe("the brake is lifted", seen);
    }
    let seen = past_the_gate(story).await;
    story.observe("a read at a site, past the gate, by the administrator", seen);
    let seen = honeytoken(story).await;
    story.observe("aoife reads everybody who has just arrived, some of whom do not exist", seen);
}

/// What `trefoil-monitor --json` prints, a value a line.
async fn asked(folder: &Folder, arguments: &[&str]) -> Result<Vec<Value>, String> {
    let ours = std::env::current_exe().map_err(|error| error.to_string())?;
    let program = up::program_beside(&ours, "trefoil-monitor").map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.arg("--json").args(arguments).arg("--dir").arg(folder.monitor());
    let text = printed(command).await?;
    let values = text.lines().map(|line| serde_json::from_str(line).map_err(|error| error.to_string()));
    values.collect()
}

/// What a program prints that ends well.
async fn printed(mut command: Command) -> Result<String, String> {
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Stops aoife, whose session this is; how that went, and the brake's id.
pub(crate) async fn stop(folder: &Folder, session: &Session, within_ms: u128) -> (Seen, Option<String>) {
    let watch = Stopwatch::start();
    let because =
        ["brake", "principal", AOIFE.who, "--for", "10m", "--because", "the tour shows it", "--by", "tour"];
    let id = match asked(folder, &because).await {
        Ok(said) => said.first().and_then(|order| order.get("id")?.as_str().map(str::to_owned)),
        Err(why) => return (Err(why), None),
    };
    while !session.client.is_closed() && watch.elapsed().as_millis() < within_ms {
        tokio::time::sleep(Duration::from_millis(POLL_MS)).await;
    }
    let took = watch.elapsed().as_millis();
    let ended = session.client.is_closed();
    let observed = if ended { "the session was ended" } else { "the session goes on" };
    (Ok((ended && id.is_some(), format!("{observed} {took} ms after the monitor was asked"))), id)
}

async fn refused(story: &Story<'_>) -> Seen {
    match client::ask(story.ready, AOIFE).await {
        Ok(_) => Ok((false, "connected".to_owned())),
        Err(refused) => Ok((refused.message.contains("stopped by the monitor"), refused.to_string())),
    }
}

async fn lift(story: &Story<'_>, id: &str) -> Seen {
    asked(story.folder, &["lift", id, "--because", "the tour goes on", "--by", "tour"]).await?;
    let watch = Stopwatch::start();
    loop {
        match client::ask(story.ready, AOIFE).await {
            Ok(_) => return Ok((true, format!("aoife connects after {} ms", watch.elapsed().as_millis()))),
            Err(refused) if watch.elapsed().as_millis() > LIFTED_MS_MAX => {
                return Ok((false, refused.to_string()));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(POLL_MS)).await,
        }
    }
}

/// The tour itself found its person that way; here it reads once more and waits until it is told on.
async fn past_the_gate(story: &Story<'_>) -> Seen {
    let site = story.ready.sites.first().ok_or("the enclave has no site")?;
    let admin = client::administer(&site.admin_url).await.map_err(|refused| refused.to_string())?;
    let sql = "SELECT email FROM data.users LIMIT 3";
    let rows = admin.rows(sql).await.map_err(|refused| refused.to_string())?.len();
    let watch = Stopwatch::start();
    while watch.elapsed().as_millis() < FOUND_MS_MAX {
        if let Some(incident) = found(story.folder, UNRECONCILED, &site.name).await? {
            return Ok((true, format!("{rows} rows read; {incident}")));
        }
        tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
    }
    Ok((false, format!("{rows} rows read; no incident within {} s", FOUND_MS_MAX / 1_000)))
}

/// Subjects arrive, and the monitor has hidden some of its own among them before they are loaded. Neither the tour nor
/// the operator knows which; whoever reads all of them has read those.
async fn honeytoken(story: &Story<'_>) -> Seen {
    let (made, load) = (story.folder.run("tour-made.ndjson"), story.folder.run("tour-load.ndjson"));
    let (made, load) = (made.display().to_string(), load.display().to_string());
    operate(story.folder, &["subjects", "make", ARRIVE, "--out", &made]).await?;
    asked(story.folder, &["plant", PLANTED, "--among", &made, "--out", &load]).await?;
    operate(story.folder, &["subjects", "load", &load]).await?;
    let text = std::fs::read_to_string(&load).map_err(|error| format!("{load}: {error}"))?;
    // Their truth is no longer needed beside the enclave.
    let _ = (std::fs::remove_file(&made), std::fs::remove_file(&load));
    let ids = text.lines().filter_map(|line| {
        let subject: Value = serde_json::from_str(line).ok()?;
        Some(subject.get("users")?.get(0)?.get("id")?.as_i64()?.to_string())
    });
    let sql = format!("SELECT id, handle FROM users WHERE id IN ({})", ids.collect::<Vec<_>>().join(", "));
    let session = client::ask(story.ready, AOIFE).await.map_err(|refused| refused.to_string())?;
    let watch = Stopwatch::start();
    let mut shown = 0;
    while watch.elapsed().as_millis() < FOUND_MS_MAX {
        // What is planted is looked for from the next second on; then the monitor's rule stops whoever was shown it.
        match session.rows(&sql).await {
            Ok(rows) => shown = rows.len(),
            Err(refused) if session.client.is_closed() && shown > 0 => {
                let incident = found(story.folder, HONEYTOKEN, "").await?;
                let incident = incident.ok_or_else(|| format!("{refused}; there is no incident of it"))?;
                lift_all(story.folder).await?;
                return Ok((true, format!("{shown} rows read; {incident}; the session ended: {refused}")));
            }
            Err(refused) => return Err(refused.to_string()),
        }
        tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
    }
    Ok((false, format!("{shown} rows read; nobody was stopped within {} s", FOUND_MS_MAX / 1_000)))
}

/// The tour goes on as everybody.
pub(crate) async fn lift_all(folder: &Folder) -> Result<(), String> {
    for brake in asked(folder, &["brakes", "list"]).await? {
        let id = brake.get("id").and_then(Value::as_str).unwrap_or_default();
        asked(folder, &["lift", id, "--because", "the tour goes on", "--by", "tour"]).await?;
    }
    Ok(())
}

/// Runs this program.
async fn operate(folder: &Folder, arguments: &[&str]) -> Result<(), String> {
    let ours = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(ours);
    command.args(arguments).arg("--dir").arg(folder.dir());
    printed(command).await.map(drop)
}

/// An incident of a detector whose reasons name something, on a line.
async fn found(folder: &Folder, detector: &str, named: &str) -> Result<Option<String>, String> {
    let incidents = incidents(folder, detector).await?;
    Ok(incidents.iter().find(|incident| says(incident, named)).map(line))
}

/// The incidents of a detector.
pub(crate) async fn incidents(folder: &Folder, detector: &str) -> Result<Vec<Value>, String> {
    let mut incidents = asked(folder, &["incidents", "list"]).await?;
    incidents.retain(|incident| incident.get("detector").and_then(Value::as_str) == Some(detector));
    Ok(incidents)
}

/// Whether an incident's reasons name something.
pub(crate) fn says(incident: &Value, named: &str) -> bool {
    incident.get("reasons").is_some_and(|reasons| reasons.to_string().contains(named))
}

/// An incident on a line.
pub(crate) fn line(incident: &Value) -> String {
    let text = |key: &str| incident.get(key).and_then(Value::as_str).unwrap_or_default();
    let reason = incident.get("reasons").and_then(|reasons| reasons.get(0)?.get("what")?.as_str());
    format!("incident {}, {}: {}", text("id"), text("severity"), reason.unwrap_or_default())
}
