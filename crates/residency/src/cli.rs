//! The command line of a check: arguments, and how what was found is said. `trefoil residency` is made of it, and so is
//! `trefoil-residency`, which an auditor builds alone. Exit codes: 0 everything passes, 1 something fails, 2 nothing fails
//! but something is unknown.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use clap::Args;

use crate::{Hosts, Outcome, Report, Site, Target, checks, settings};

/// What `check` is asked.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// Sites and what may be there, as docs/residency.md says
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    pub config: Option<PathBuf>,
    /// A connection string, a URL or words; may be given again. Nothing may leave these
    #[arg(long, value_name = "URL")]
    pub url: Vec<String>,
    /// Only this site
    #[arg(long, value_name = "S")]
    pub site: Option<String>,
    /// Print one JSON object instead of lines
    #[arg(long)]
    pub json: bool,
}

/// What `explain` is asked.
#[derive(Debug, Clone, Args)]
pub struct Explain {
    /// The check [default: list all]
    #[arg(value_name = "CHECK")]
    pub check: Option<String>,
}

/// What `grants` is asked.
#[derive(Debug, Clone, Args)]
pub struct Grants {
    /// The database that is to be checked
    #[arg(long, value_name = "NAME", default_value = "postgres")]
    pub database: String,
    /// The file that `check` will be given: columns that say where a row is at home are granted as well
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Examples of `check`.
pub const CHECK_EXAMPLES: &str = "\
Examples:
  residency check --url postgresql://checker@db.example/app?sslmode=verify-full&sslrootcert=ca.pem
  residency check --config residency.toml --json | jq '.checks[] | select(.result != \"pass\")'

A password comes from the connection string, from password_file in FILE, or from PGPASSWORD.
Exit codes: 0 everything passes, 1 something fails, 2 nothing fails but something is unknown.";

/// Examples of `explain`.
pub const EXPLAIN_EXAMPLES: &str = "Example:\n  residency explain shell-command";

/// Examples of `grants`.
pub const GRANTS_EXAMPLES: &str = "Example:\n  residency grants --database app | psql -d app\n  psql -d app -c '\\password trefoil_residency'";

/// Sites and what is inside, from these arguments; nothing when neither file nor connection string is given.
///
/// # Errors
/// What is wrong with an argument or a file, in a sentence.
pub fn sites(asked: &Arguments) -> Result<Option<(Vec<Site>, Hosts)>, String> {
    let password = std::env::var("PGPASSWORD").ok();
    let (sites, hosts) = if let Some(path) = &asked.config {
        let settings = settings::read(path, password.as_deref()).map_err(|error| error.to_string())?;
        (settings.sites, settings.hosts)
    } else if asked.url.is_empty() {
        return Ok(None);
    } else {
        let site = |url: &String| {
            let target =
                Target::parse(url, password.as_deref()).map_err(|error| format!("--url: {error}"))?;
            Ok(Site { name: target.name(), target, expectations: crate::Expectations::default() })
        };
        (asked.url.iter().map(site).collect::<Result<Vec<_>, String>>()?, Hosts::default())
    };
    Ok(Some((only(sites, asked.site.as_deref())?, hosts)))
}

/// Only the site that is asked for.
///
/// # Errors
/// When there is none of this name.
pub fn only(mut sites: Vec<Site>, name: Option<&str>) -> Result<Vec<Site>, String> {
    let Some(name) = name else { return Ok(sites) };
    let names: Vec<String> = sites.iter().map(|site| site.name.clone()).collect();
    sites.retain(|site| site.name == name);
    if sites.is_empty() {
        return Err(format!("there is no site `{name}`; there are {}", names.join(", ")));
    }
    Ok(sites)
}

/// Checks, says what was found, and returns it.
///
/// # Errors
/// When the report cannot be printed.
pub fn check(sites: &[Site], hosts: &Hosts, json: bool) -> Result<Report, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let report = runtime.map_err(|error| error.to_string())?.block_on(crate::run(sites, hosts));
    if json {
        say(&serde_json::to_string(&report).map_err(|error| error.to_string())?);
    } else {
        report.lines(&paint()).iter().for_each(|line| say(line));
    }
    Ok(report)
}

/// Says what a check looks at, why, and what it cannot see; or lists all.
///
/// # Errors
/// When there is no such check.
pub fn explain(asked: &Explain) -> Result<(), String> {
    let Some(name) = &asked.check else {
        checks::all().for_each(|check| say(&format!("{:<22} {}", check.name, check.looks_at)));
        return Ok(());
    };
    let check = checks::named(name)
        .ok_or_else(|| format!("there is no check `{name}`; `explain` alone lists all"))?;
    say(&format!(
        "{}\n\nlooks at:   {}\nwhy:        {}\ncannot see: {}",
        check.name, check.looks_at, check.why, check.cannot_see
    ));
    if let crate::check::Query::Text(text) = check.query {
        say(&format!("query:      {text}"));
        for function in wall::residency::functions() {
            if text.contains(&format!("{{{}}}", function.name)) {
                say(&format!("{:<11} {}", format!("{{{}}}:", function.name), function.source));
            }
        }
    }
    Ok(())
}

/// Prints the statements that make the checker's role.
///
/// # Errors
/// When the file is wrong.
pub fn grants(asked: &Grants) -> Result<(), String> {
    use wall::names::{RESIDENCY, quoted};
    say(
        "-- Run as a superuser in the database that is to be checked, then give the role a password and a line in pg_hba.conf.",
    );
    wall::residency::lay(&asked.database).iter().for_each(|statement| say(&format!("{statement};")));
    let Some(path) = &asked.config else { return Ok(()) };
    let settings = settings::read(path, Some("")).map_err(|error| error.to_string())?;
    let mut homes: Vec<(String, String)> = settings
        .sites
        .iter()
        .flat_map(|site| &site.expectations.homes)
        .map(|home| (home.table.clone(), home.column.clone()))
        .collect();
    homes.sort_unstable();
    homes.dedup();
    for (table, column) in homes {
        let (schema, name) = table.split_once('.').unwrap_or(("public", &table));
        say(&format!("GRANT USAGE ON SCHEMA {} TO {RESIDENCY};", quoted(schema)));
        say(&format!(
            "GRANT SELECT ({}) ON {}.{} TO {RESIDENCY};",
            quoted(&column),
            quoted(schema),
            quoted(name)
        ));
    }
    Ok(())
}

/// Colours words when standard output is a terminal and NO_COLOR is not set.
fn paint() -> impl Fn(Outcome, &str) -> String {
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    move |outcome, text| {
        let code = match outcome {
            Outcome::Pass => "32",
            Outcome::Unknown => "33",
            Outcome::Fail => "31",
        };
        if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// A reader that went away (`| head`) is not our failure.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // Nothing can be told to a reader that is gone.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
