//! Residency is observed, not declared: every path is looked at, and then one is opened by the administrator and seen.

use ::residency::{Outcome, Report};

use crate::enclave::estate::Estate;
use crate::residency::Checker;
use crate::tour::{Seen, Story};

/// A path out that a superuser can open: a slot keeps what was written for whoever comes for it.
const SLOT: &str = "to_elsewhere";

pub(crate) async fn tell(story: &mut Story<'_>) {
    story.chapter("Residency is observed, not declared");
    let seen = clean(story).await;
    story.observe("every path by which a copy could leave", seen);
    let seen = planted(story).await;
    story.observe("a replication slot for a stranger, made by a superuser", seen);
}

async fn look(story: &Story<'_>) -> Result<Report, String> {
    let checker = Checker::read(story.folder).map_err(|ended| ended.to_string())?;
    Ok(::residency::run(&checker.sites, &checker.hosts).await)
}

async fn clean(story: &Story<'_>) -> Seen {
    let report = look(story).await?;
    let wrong = report.checks.iter().filter(|line| line.result != Outcome::Pass);
    let wrong: Vec<String> = wrong.map(|line| format!("{} at {}", line.name, line.site)).collect();
    let checks = report.checks.len();
    if report.outcome() == Outcome::Pass {
        return Ok((true, format!("{checks} checks at {} sites pass", story.ready.sites.len())));
    }
    Ok((false, format!("of {checks} checks these do not pass: {}", wrong.join(", "))))
}

async fn planted(story: &Story<'_>) -> Seen {
    let estate = Estate::read(story.folder).map_err(|ended| ended.to_string())?;
    let cluster = estate.clusters().last().ok_or("there is no site")?;
    let admin = cluster.admin().await.map_err(|error| error.to_string())?;
    let make = format!("SELECT pg_create_physical_replication_slot('{SLOT}')");
    admin.batch_execute(&make).await.map_err(|error| error.to_string())?;
    let report = look(story).await;
    let drop = format!("SELECT pg_drop_replication_slot('{SLOT}')");
    admin.batch_execute(&drop).await.map_err(|error| error.to_string())?;
    let report = report?;
    let is_it = |object: &Option<String>| object.as_deref().is_some_and(|object| object.contains(SLOT));
    let found = report.checks.iter().find(|line| line.result == Outcome::Fail && is_it(&line.object));
    match found {
        Some(line) => Ok((true, format!("found by {} at {}, and dropped again", line.name, line.site))),
        None => Ok((false, "is not found".to_owned())),
    }
}
