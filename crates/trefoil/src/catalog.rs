//! `trefoil catalog …`: proposes a catalog for a database, and compares one with a live schema. Not here: the proposal
//! and the comparison (`sites::catalog`), connecting (`connect`).

pub(crate) mod connect;

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use sites::catalog::{self, Difference, Limits};
use tokio_postgres::Client;

use crate::cli::catalog::{Check, Scan};
use crate::enclave::estate::Estate;
use crate::ended::{Ended, OrEnded};
use crate::terminal::{self, Paint};

pub(crate) fn scan(asked: &Scan) -> Result<(), Ended> {
    runtime()?.block_on(scan_database(asked))
}

async fn scan_database(asked: &Scan) -> Result<(), Ended> {
    let limits = Limits {
        rows: asked.rows,
        statement: Duration::from_secs(asked.statement_timeout.into()),
        total: Duration::from_secs(asked.total_timeout.into()),
        schemas: asked.schemas.clone(),
    };
    let client = connect::connect(&asked.url).await?;
    catalog::prepare(&client, &limits).await.or_cannot_tell("preparing to read")?;
    let mut live = catalog::read(&client, &limits).await.or_cannot_tell("reading the schema")?;
    if live.tables.is_empty() {
        return Err(Ended::cannot_tell(
            "there is no table to see; is it the right database, schema and user?",
        ));
    }
    catalog::declare(&mut live, &asked.relations).or_cannot_tell("--relate")?;
    let bar = progress(live.tables.len());
    let each = |number: usize| bar.set_position(u64::try_from(number).unwrap_or(u64::MAX));
    let samples = catalog::sample(&client, &live, &limits, each).await.or_cannot_tell("reading rows")?;
    catalog::discover(&client, &mut live, &samples).await.or_cannot_tell("looking for relations")?;
    bar.finish_and_clear();
    let proposal = catalog::propose(&live, &samples);
    if let Some(subject) = &asked.subject
        && !proposal.subjects.iter().any(|one| one.table == *subject)
    {
        let found: Vec<&str> = proposal.subjects.iter().map(|one| one.table.as_str()).collect();
        let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
        return Err(Ended::not(format!(
            "{subject} is no table of persons as far as can be seen; found: {found}"
        )));
    }
    if asked.json {
        terminal::say_json(&proposal)?;
    } else {
        terminal::say(catalog::to_toml(&live, &proposal, asked.subject.as_deref()).trim_end());
    }
    if proposal.subjects.is_empty() {
        return Err(Ended::not("no table of persons was found"));
    }
    Ok(())
}

fn progress(tables: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(u64::try_from(tables).unwrap_or(u64::MAX));
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} tables");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

fn runtime() -> Result<tokio::runtime::Runtime, Ended> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().or_cannot_tell("starting")
}

/// What differs at one place: a site, or the database of the URL.
#[derive(Serialize)]
struct Compared {
    site: Option<String>,
    differences: Vec<Difference>,
}

#[derive(Serialize)]
struct Report {
    same: bool,
    databases: Vec<Compared>,
}

pub(crate) fn check(asked: &Check) -> Result<(), Ended> {
    let mut databases = runtime()?.block_on(compare(asked))?;
    for one in &mut databases {
        one.differences
            .retain(|difference| !(difference.is_new() && asked.withheld.contains(&difference.object)));
    }
    let same = databases.iter().all(|one| one.differences.is_empty());
    if asked.json {
        terminal::say_json(&Report { same, databases })?;
    } else {
        tell(&databases);
    }
    if same { Ok(()) } else { Err(Ended::not("")) }
}

async fn compare(asked: &Check) -> Result<Vec<Compared>, Ended> {
    if let (Some(file), Some(url)) = (&asked.catalog, &asked.url) {
        let text = std::fs::read_to_string(file).or_cannot_tell(format!("reading {}", file.display()))?;
        let catalog = policy::Catalog::read(&text).map_err(|errors| {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Ended::cannot_tell(format!("{}: {}", file.display(), errors.join("\n")))
        })?;
        let client = connect::connect(url).await?;
        let differences = differences(&client, &catalog, &asked.schemas).await?;
        return Ok(vec![Compared { site: None, differences }]);
    }
    let enclave = asked.enclave.folder();
    enclave.require_complete()?;
    let estate = Estate::read(&enclave)?;
    let mut databases = Vec::new();
    for cluster in estate.clusters() {
        let client = cluster.admin().await.or_cannot_tell("asking a site")?;
        let catalog = estate.bundle().catalog();
        let differences = differences(&client, catalog, std::slice::from_ref(&catalog.schema)).await?;
        databases.push(Compared { site: Some(cluster.site().to_owned()), differences });
    }
    Ok(databases)
}

async fn differences(
    client: &Client,
    catalog: &policy::Catalog,
    schemas: &[String],
) -> Result<Vec<Difference>, Ended> {
    let limits = Limits { schemas: schemas.to_vec(), ..Limits::default() };
    catalog::prepare(client, &limits).await.or_cannot_tell("preparing to read")?;
    let live = catalog::read(client, &limits).await.or_cannot_tell("reading the schema")?;
    Ok(catalog::compare(&live, catalog))
}

fn tell(databases: &[Compared]) {
    let paint = Paint::for_stdout();
    for one in databases {
        let site = one.site.as_deref().map(|site| format!("{site}: ")).unwrap_or_default();
        if one.differences.is_empty() {
            terminal::say(&format!("{site}{}", paint.good("as the catalog says")));
        }
        for difference in &one.differences {
            terminal::say(&format!("{site}{}", paint.bad(&difference.to_string())));
        }
    }
}
