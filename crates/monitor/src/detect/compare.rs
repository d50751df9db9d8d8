//! Which access one policy bundle permits and another, before it, did not: by asking both, for everybody who differs to
//! policy, from every place and for every purpose; and by looking at what is no question of anybody's: region, places,
//! limits, services. Pure.

use std::collections::{BTreeMap, BTreeSet};

use policy::{Ask, Bundle, Disclosure, Permit, Principal, ProfileTable, RowRule};

/// Questions that are put to both bundles; beyond, it is said that not all were.
const QUESTIONS_MAX: usize = 20_000;
/// Sentences that are kept.
const SENTENCES_MAX: usize = 200;
/// A ticket, for policies that ask for one.
const TICKET: &str = "T-1";

/// In sentences, what is permitted now and was not.
pub fn widened(old: &Bundle, new: &Bundle) -> Vec<String> {
    let mut said = BTreeSet::new();
    enclave(old, new, &mut said);
    let mut questions = 0usize;
    for (asking, whose) in askers(old, new, &mut said) {
        for place in &new.enclave().places {
            let purposes = new.enclave().purposes.iter().map(|purpose| Some(purpose.as_str()));
            for purpose in purposes.chain([None]) {
                for ticket in [None, Some(TICKET)] {
                    questions = questions.saturating_add(1);
                    if questions > QUESTIONS_MAX {
                        said.insert(
                            "more than could be compared: look at the policies themselves".to_owned(),
                        );
                        return keep(said);
                    }
                    let ask = |bundle: &Bundle| {
                        let place = bundle.place_of(&place.name);
                        bundle.decide(&Ask { principal: &asking.name, place, purpose, ticket }).ok()
                    };
                    let Some(now) = ask(new) else { continue };
                    let why = purpose.map(|purpose| format!(" for {purpose}")).unwrap_or_default();
                    let who = format!("{whose} from {}{why}", place.name);
                    disclosed(new, ask(old).as_ref(), &now, &who, &mut said);
                }
            }
        }
    }
    keep(said)
}

fn keep(said: BTreeSet<String>) -> Vec<String> {
    said.into_iter().take(SENTENCES_MAX).collect()
}

/// Whom to ask for: one of each employer, kind and roles, and everybody by name where policies may name them. Somebody
/// new like others is no wider policy; a new combination is.
fn askers<'a>(old: &Bundle, new: &'a Bundle, said: &mut BTreeSet<String>) -> Vec<(&'a Principal, String)> {
    let sort = |one: &Principal| {
        let roles: Vec<&str> = one.roles.iter().map(String::as_str).collect();
        format!("{} {} of {}", one.kind, roles.join("+"), one.employer)
    };
    let before: BTreeMap<String, &Principal> =
        old.directory().principals.iter().map(|one| (sort(one), one)).collect();
    let mut askers = Vec::new();
    for one in &new.directory().principals {
        match old.directory().principal(&one.name) {
            Some(was) if sort(was) == sort(one) => askers.push((one, one.name.clone())),
            _ if before.contains_key(&sort(one)) => {}
            _ => {
                said.insert(format!("{}: {}, which nobody was before", one.name, sort(one)));
            }
        }
    }
    askers
}

/// What one permit shows or lets write that the other did not.
fn disclosed(new: &Bundle, before: Option<&Permit>, now: &Permit, who: &str, said: &mut BTreeSet<String>) {
    for table in &now.profile().tables {
        let name = &table.table;
        let was = before.and_then(|permit| permit.profile().table(name));
        for column in &table.columns {
            let held = was.and_then(|was| was.column(&column.name)).map(|column| column.disclosure);
            if held.is_none_or(|held| openness(column.disclosure) > openness(held)) {
                let held = held.map_or("withheld", |held| held.as_str());
                let shown = column.disclosure.as_str();
                said.insert(format!("{who}: {name}.{} {shown}, was {held}", column.name));
            }
        }
        if let Some(was) = was.filter(|was| is_wider(new, table, was)) {
            said.insert(format!("{who}: rows of {name} in {}, was {}", table.scope, was.scope));
        }
        let held = was.map(|was| was.writes.clone()).unwrap_or_default();
        let mut writes: Vec<String> = Vec::new();
        writes.extend((table.writes.delete && !held.delete).then(|| "delete".to_owned()));
        let more = |what: &str, now: &[String], held: &[String]| {
            now.iter()
                .filter(|one| !held.contains(one))
                .map(|one| format!("{what} {one}"))
                .collect::<Vec<_>>()
        };
        writes.extend(more("insert", &table.writes.insert, &held.insert));
        writes.extend(more("update", &table.writes.update, &held.update));
        if !writes.is_empty() {
            said.insert(format!("{who}: {name}: {}", writes.join(", ")));
        }
    }
}

/// More is more open.
fn openness(disclosure: Disclosure) -> u8 {
    match disclosure {
        Disclosure::Clear => 2,
        Disclosure::Masked => 1,
        Disclosure::Pseudonym => 0,
    }
}

/// Whether the scope selects more than before: the catalog has the widest first. A rule that changed under the same name
/// may, so it counts.
fn is_wider(new: &Bundle, now: &ProfileTable, was: &ProfileTable) -> bool {
    if now.scope == was.scope {
        return now.rows != was.rows;
    }
    let scopes = new.catalog().tables.iter().find(|table| table.name == now.table).map(|table| &table.scopes);
    let at = |name: &str| scopes.and_then(|scopes| scopes.iter().position(|scope| scope.name == name));
    now.rows == RowRule::All || at(&now.scope) < at(&was.scope)
}

fn enclave(old: &Bundle, new: &Bundle, said: &mut BTreeSet<String>) {
    let (before, now) = (old.enclave(), new.enclave());
    for country in now.region.difference(&before.region) {
        said.insert(format!("{} is in the region now", country.as_str()));
    }
    for place in &now.places {
        let was = before.places.iter().find(|was| was.name == place.name);
        if was.is_some_and(|was| was.country != place.country || was.networks != place.networks) {
            said.insert(format!("the place {} stands for other networks or another country", place.name));
        }
    }
    for rule in &before.limits {
        let is_kept = now.limits.iter().any(|kept| {
            let same = kept.limit.name == rule.limit.name && kept.whose == rule.whose;
            let (held, kept) = (&rule.limit, &kept.limit);
            same && held.class == kept.class
                && held.per == kept.per
                && is_no_higher(held.rows, kept.rows)
                && is_no_higher(held.bytes, kept.bytes)
                && is_no_higher(held.subjects, kept.subjects)
        });
        if !is_kept {
            said.insert(format!("the limit {} is gone, raised or another", rule.limit.name));
        }
    }
    for service in &now.services {
        let was = before.services.iter().find(|was| was.name == service.name);
        let covers = |held: &[String], asked: &[String]| asked.iter().all(|one| held.contains(one));
        let same = was.is_some_and(|was| {
            covers(&was.sites, &service.sites)
                && covers(&was.reads, &service.reads)
                && covers(&was.writes, &service.writes)
                && service.addresses.iter().all(|one| was.addresses.contains(one))
        });
        if !same {
            said.insert(format!("the direct service {} is new or may more", service.name));
        }
    }
    for site in &now.sites {
        if !before.sites.contains(site) {
            said.insert(format!("the site {} is new or in another country", site.name));
        }
    }
    if now.auditor != before.auditor && now.auditor.is_some() {
        said.insert("another auditor opens details".to_owned());
    }
}

fn is_no_higher(held: Option<u64>, now: Option<u64>) -> bool {
    match (held, now) {
        (Some(held), Some(now)) => now <= held,
        (None, _) => true,
        (Some(_), None) => false,
    }
}
