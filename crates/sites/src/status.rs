//! How the sites are and how they follow each other, asked of the sites themselves as their administrator: who is up,
//! which homes each writes, how far each is behind each, what keeps a sibling from following, and where their schemas
//! differ. Not here: what a site should be (`drift`), printing.

mod ask;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use policy::{Bundle, Homes};
use serde::Serialize;
use wall::names;

use crate::Cluster;
use ask::{Seen, Slot, Subscription};

/// All sites and how each follows each. The field names are a promise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// Whether there is nothing to tell.
    pub as_promised: bool,
    pub sites: Vec<SiteStatus>,
    /// Who holds each home, as the operator last signed it.
    pub homes: Vec<HomeStatus>,
    pub replication: Vec<PairStatus>,
    /// What is wrong, in words: which site, what of it, and what to do.
    pub problems: Vec<String>,
}

/// One home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HomeStatus {
    pub home: String,
    pub country: String,
    /// The site that writes it.
    pub holder: String,
    /// How often it has moved.
    pub term: u64,
    /// The site that it is moving to.
    pub moving_to: Option<String>,
}

/// One site.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SiteStatus {
    pub name: String,
    pub country: String,
    /// Whether it answers its administrator.
    pub up: bool,
    /// Whether nobody follows it and nobody is sent there, until `trefoil sites failback`.
    pub out: bool,
    /// Why it could not be asked.
    pub problem: Option<String>,
    /// The homes whose rows are written here.
    pub writes: Vec<String>,
    /// Of the database.
    pub bytes: i64,
    /// Of the write-ahead log, which keeps what a sibling has not taken.
    pub wal_bytes: i64,
    /// Subjects that the site knows, by home.
    pub subjects: Vec<HomeSubjects>,
}

/// Subjects of one home, as one site knows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HomeSubjects {
    pub home: String,
    pub country: String,
    pub subjects: i64,
}

/// How one site follows another.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct PairStatus {
    pub from: String,
    pub to: String,
    /// Whether it follows at this moment.
    pub follows: bool,
    /// What the subscriber has not confirmed; none when the publisher cannot be asked.
    pub lag_bytes: Option<i64>,
    /// How long something that was written just now took to arrive.
    pub lag_seconds: Option<f64>,
    /// Set when it had not arrived by then, so that the lag is at least `lag_seconds`.
    pub lag_at_least: bool,
    /// Bytes of the publisher's write-ahead log that are kept for this subscriber.
    pub kept_bytes: Option<i64>,
    /// Errors and conflicts met while applying, since the counters were last reset.
    pub apply_errors: i64,
    /// Errors met while copying whole tables.
    pub copy_errors: i64,
    /// Tables that are still being copied.
    pub copying: i64,
    /// Published there and not followed here.
    pub not_followed: Vec<String>,
}

/// Asks every site at the same time.
pub async fn status(bundle: &Bundle, clusters: &[Cluster], homes: &Homes) -> Status {
    let asked = clusters.iter().map(|cluster| async move {
        let seen = ask::ask(bundle, cluster).await;
        (cluster, seen)
    });
    let asked: Vec<(&Cluster, Result<Seen, String>)> = join_all(asked).await;
    let sites: Vec<SiteStatus> =
        asked.iter().map(|(cluster, seen)| site(bundle, homes, cluster, seen)).collect();
    let mut replication = Vec::new();
    let mut problems: Vec<String> = sites
        .iter()
        .filter_map(|site| site.problem.as_ref().map(|why| format!("site {} is down: {why}", site.name)))
        .collect();
    for (publisher, there) in &asked {
        for (subscriber, here) in asked.iter().filter(|(other, _)| other.site() != publisher.site()) {
            let (pair, found) =
                pair(publisher.site(), subscriber.site(), there.as_ref().ok(), here.as_ref().ok());
            let between = format!("{} → {}", pair.from, pair.to);
            // Of a site that is out it is enough to say so.
            if !homes.is_out(&pair.from) && !homes.is_out(&pair.to) {
                problems.extend(found.into_iter().map(|problem| format!("{between}: {problem}")));
            }
            replication.push(pair);
        }
    }
    problems.extend(different_schemas(&asked));
    problems.extend(written_homes(homes, &sites));
    problems.extend(told_otherwise(homes, &asked));
    let homes = bundle.enclave().sites.iter().filter_map(|site| home(homes, site)).collect();
    Status { as_promised: problems.is_empty(), sites, homes, replication, problems }
}

fn home(homes: &Homes, site: &policy::Site) -> Option<HomeStatus> {
    let holder = homes.now().of(&site.name)?;
    let next = homes.next().and_then(|next| next.of(&site.name));
    Some(HomeStatus {
        home: site.name.clone(),
        country: site.country.to_string(),
        holder: holder.site.clone(),
        term: holder.term,
        moving_to: next.filter(|next| next.site != holder.site).map(|next| next.site.clone()),
    })
}

fn site(bundle: &Bundle, homes: &Homes, cluster: &Cluster, seen: &Result<Seen, String>) -> SiteStatus {
    let country_of = |home: &str| {
        let found = bundle.enclave().sites.iter().find(|site| site.name == home);
        found.map_or_else(String::new, |site| site.country.to_string())
    };
    let mut status = SiteStatus {
        name: cluster.site().to_owned(),
        country: cluster.country().to_string(),
        up: seen.is_ok(),
        out: homes.is_out(cluster.site()),
        problem: seen.as_ref().err().cloned(),
        writes: Vec::new(),
        bytes: 0,
        wal_bytes: 0,
        subjects: Vec::new(),
    };
    if let Ok(seen) = seen {
        status.writes = homes_written(bundle, cluster.site(), seen);
        (status.bytes, status.wal_bytes) = (seen.bytes, seen.wal_bytes);
        status.subjects = seen
            .subjects
            .iter()
            .map(|(home, subjects)| HomeSubjects {
                home: home.clone(),
                country: country_of(home),
                subjects: *subjects,
            })
            .collect();
    }
    status
}

/// The homes whose subjects a site publishes and does not refuse to write.
fn homes_written(bundle: &Bundle, site: &str, seen: &Seen) -> Vec<String> {
    let catalog = bundle.catalog();
    let published = seen.published.get(&names::publication(site));
    let writes = |home: &&policy::Site| {
        let table = format!("{}.{}", catalog.schema, names::partition(&catalog.subject_table, &home.name));
        published.is_some_and(|tables| tables.contains(&table)) && !seen.refused.contains(&table)
    };
    bundle.enclave().sites.iter().filter(writes).map(|home| home.name.clone()).collect()
}

/// Every home is written at one site, which is the one that was stated.
fn written_homes(homes: &Homes, sites: &[SiteStatus]) -> Vec<String> {
    let mut problems = Vec::new();
    for site in sites.iter().filter(|site| site.out) {
        let name = &site.name;
        problems.push(format!("site {name} is out; `trefoil sites failback {name}` brings it back"));
    }
    if homes.next().is_some() {
        problems.push(
            "a home is moving; run `trefoil sites failover` or `failback` again if it stopped".to_owned(),
        );
        return problems;
    }
    for site in sites {
        for home in sites.iter().map(|site| site.name.as_str()) {
            let (holds, writes) =
                (homes.now().holds(&site.name, home), site.writes.iter().any(|known| known == home));
            let name = &site.name;
            match (holds, writes) {
                (true, false) if site.up => problems.push(format!("home {home}: {name} holds it and does not write it")),
                (true, false) => problems.push(format!(
                    "home {home}: no site that answers writes it; start its site, or `trefoil sites failover {name}`"
                )),
                (false, true) => problems.push(format!("home {home}: {name} writes it and does not hold it")),
                (true, true) | (false, false) => {}
            }
        }
    }
    problems
}

/// What a site was told of the holders differs from what was stated. One that is out is told when it comes back.
fn told_otherwise(homes: &Homes, asked: &[(&Cluster, Result<Seen, String>)]) -> Vec<String> {
    let mut problems = Vec::new();
    for (cluster, seen) in asked {
        let site = cluster.site();
        let Ok(seen) = seen else { continue };
        if homes.next().is_some() || homes.is_out(site) {
            continue;
        }
        for (home, (holder, term)) in &seen.told {
            let stated = homes.now().of(home);
            if stated.is_none_or(|stated| stated.site != *holder || i64::try_from(stated.term) != Ok(*term)) {
                problems.push(format!(
                    "site {site} was told that {holder} holds {home} in term {term}, and that is not stated"
                ));
            }
        }
    }
    problems
}

fn pair(from: &str, to: &str, there: Option<&Seen>, here: Option<&Seen>) -> (PairStatus, Vec<String>) {
    let mut pair = PairStatus { from: from.to_owned(), to: to.to_owned(), ..PairStatus::default() };
    let mut problems = Vec::new();
    if let Some(there) = there {
        match there.slots.get(&names::slot(to)) {
            Some(slot) => of_slot(&mut pair, slot, &mut problems),
            None => problems.push("the publisher keeps no slot for it".to_owned()),
        }
    }
    if let Some(here) = here {
        match here.subscriptions.get(&names::subscription(from)) {
            Some(subscription) => of_subscription(&mut pair, subscription, there.is_some(), &mut problems),
            None => problems.push("it does not subscribe".to_owned()),
        }
    }
    if let (Some(there), Some(here)) = (there, here) {
        let published = there.published.get(&names::publication(from)).cloned().unwrap_or_default();
        let followed = here.followed.get(&names::subscription(from)).cloned().unwrap_or_default();
        pair.not_followed = published.difference(&followed).cloned().collect();
        if !pair.not_followed.is_empty() {
            problems.push(format!("published and not followed: {}", pair.not_followed.join(", ")));
        }
    }
    (pair, problems)
}

fn of_slot(pair: &mut PairStatus, slot: &Slot, problems: &mut Vec<String>) {
    pair.follows = slot.active;
    pair.lag_bytes = Some(slot.lag_bytes);
    pair.kept_bytes = Some(slot.kept_bytes);
    pair.lag_seconds = Some(slot.lag_seconds);
    pair.lag_at_least = !slot.arrived;
    if slot.lost {
        problems
            .push("the publisher has thrown away what it had not taken: it must be copied anew".to_owned());
    } else if !slot.active {
        problems.push(format!(
            "the slot is inactive, and {} bytes of the publisher's log are kept for it",
            slot.kept_bytes
        ));
    } else if !slot.arrived {
        problems.push(format!("more than {:.1} s behind, {} bytes", slot.lag_seconds, slot.lag_bytes));
    }
}

fn of_subscription(
    pair: &mut PairStatus,
    subscription: &Subscription,
    publisher_answers: bool,
    problems: &mut Vec<String>,
) {
    pair.follows &= subscription.runs;
    pair.apply_errors = subscription.apply_errors;
    pair.copy_errors = subscription.copy_errors;
    pair.copying = subscription.copying;
    if !subscription.enabled {
        problems.push("the subscription is disabled".to_owned());
    } else if !subscription.runs && publisher_answers {
        problems.push(format!(
            "nothing applies what arrives ({} errors so far); the subscriber's log says why",
            subscription.apply_errors
        ));
    }
    if subscription.copying > 0 {
        problems.push(format!("{} tables are still being copied", subscription.copying));
    }
}

/// Siblings whose tables differ would stop following at the first row that does not fit.
fn different_schemas(asked: &[(&Cluster, Result<Seen, String>)]) -> Vec<String> {
    let mut sites = asked.iter().filter_map(|(cluster, seen)| Some((cluster.site(), seen.as_ref().ok()?)));
    let Some((first, model)) = sites.next() else { return Vec::new() };
    let mut problems = Vec::new();
    for (site, seen) in sites {
        let tables: BTreeSet<&String> = model.columns.keys().chain(seen.columns.keys()).collect();
        for table in tables {
            let (one, other) = (columns(&model.columns, table), columns(&seen.columns, table));
            let only = |of: &BTreeSet<String>, not: &BTreeSet<String>| {
                of.difference(not).cloned().collect::<Vec<_>>().join(", ")
            };
            if one != other {
                problems.push(format!(
                    "table {table} differs: only at {first}: [{}], only at {site}: [{}]",
                    only(&one, &other),
                    only(&other, &one)
                ));
            }
        }
    }
    problems
}

fn columns(of: &BTreeMap<String, BTreeSet<String>>, table: &str) -> BTreeSet<String> {
    of.get(table).cloned().unwrap_or_default()
}
