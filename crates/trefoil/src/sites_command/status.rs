//! `trefoil sites status`: prints what the sites say of themselves.

use sites::status::{PairStatus, SiteStatus, Status};

use crate::cli::Report;
use crate::enclave::estate::Estate;
use crate::ended::Ended;
use crate::terminal::{self, Paint};

use super::runtime;

pub(crate) fn status(asked: &Report) -> Result<(), Ended> {
    let folder = asked.enclave.folder();
    folder.require_complete()?;
    let estate = Estate::read(&folder)?;
    let homes = estate.homes()?;
    let status = runtime()?.block_on(sites::status(estate.bundle(), estate.clusters(), &homes));
    if asked.json {
        terminal::say_json(&status)?;
    } else {
        print(&status);
    }
    match (status.as_promised, status.sites.iter().any(|site| site.up)) {
        (true, _) => Ok(()),
        (false, true) => Err(Ended::not("")),
        (false, false) => Err(Ended::cannot_tell("no site answers; `trefoil up` starts them")),
    }
}

fn print(status: &Status) {
    let paint = Paint::for_stdout();
    let line = |good: bool, text: String| {
        let word = if good { paint.good("ok ") } else { paint.bad("NOT") };
        terminal::say(&format!("{word} {text}"));
    };
    for site in &status.sites {
        line(site.up, of_site(site));
    }
    for home in status.homes.iter().filter(|home| home.holder != home.home) {
        let away =
            format!("home {} ({}) is held by {}, term {}", home.home, home.country, home.holder, home.term);
        line(true, away);
    }
    for pair in &status.replication {
        line(pair.follows && !pair.lag_at_least && pair.not_followed.is_empty(), of_pair(pair));
    }
    for problem in &status.problems {
        line(false, problem.clone());
    }
}

fn of_site(site: &SiteStatus) -> String {
    let name = format!("site {} ({})", site.name, site.country);
    if !site.up {
        return if site.out { format!("{name}: down, and out") } else { format!("{name}: down") };
    }
    let writes = if site.writes.is_empty() { "no home".to_owned() } else { site.writes.join(", ") };
    let subjects: Vec<String> = site
        .subjects
        .iter()
        .map(|home| format!("{} of {} ({})", home.subjects, home.home, home.country))
        .collect();
    format!(
        "{name} writes {writes}; {} and {} of write-ahead log; subjects: {}",
        bytes(site.bytes),
        bytes(site.wal_bytes),
        subjects.join(", ")
    )
}

fn of_pair(pair: &PairStatus) -> String {
    let between = format!("{} → {}", pair.from, pair.to);
    let (Some(lag_bytes), Some(seconds)) = (pair.lag_bytes, pair.lag_seconds) else {
        return format!("{between}: {} cannot be asked", pair.from);
    };
    let word = if pair.lag_at_least { "more than " } else { "" };
    let errors = match pair.apply_errors + pair.copy_errors {
        0 => String::new(),
        errors => format!("; {errors} errors and conflicts so far"),
    };
    format!("{between}: {} and {word}{seconds:.3} s behind{errors}", bytes(lag_bytes))
}

/// Such as `1.5 MiB`.
fn bytes(count: i64) -> String {
    let mut unit = "B";
    let (mut whole, mut tenths) = (count, 0);
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if whole < 1_024 {
            break;
        }
        (whole, tenths, unit) = (whole / 1_024, whole % 1_024 * 10 / 1_024, next);
    }
    if unit == "B" { format!("{whole} B") } else { format!("{whole}.{tenths} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_for_people() {
        for (count, expected) in
            [(0, "0 B"), (1_023, "1023 B"), (1_536, "1.5 KiB"), (3 << 20, "3.0 MiB"), (5 << 40, "5.0 TiB")]
        {
            assert_eq!(bytes(count), expected);
        }
    }
}
