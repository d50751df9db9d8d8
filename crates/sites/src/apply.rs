//! `trefoil policy apply`: makes the profiles of a bundle what a site enforces. Profiles that are as they should be
//! stay untouched; one that is gone or differs is closed, its sessions are ended, and it is taken out and put back in
//! one transaction. Offline: no running gate can do this. Not here: the statements (`wall`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use policy::{Bundle, Profile};
use tokio_postgres::Client;
use wall::names::{self, RESIDENCY, STATS, STOP, WATCH, service_role};
use wall::profile::{END_SESSIONS, LIVE_PROFILES, LiveProfile};
use wall::{Drift, Facts};

use crate::drift::facts;
use crate::secrets::{verifier, verifies};
use crate::{Cluster, Event, Secrets, SitesError, Watcher, pseudonyms, services};

/// What apply changed at a site; nothing, the second time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// The site.
    pub site: String,
    /// Names of the profiles and direct services that were made, or made anew.
    pub made: Vec<String>,
    /// The digits of the profiles, and the roles of the services, that were taken out.
    pub retired: Vec<String>,
    /// Profiles that were not made, because subjects have no token yet.
    pub waiting: Vec<Waiting>,
    /// Roles whose passwords were set.
    pub passwords: Vec<String>,
}

/// A profile that shows pseudonyms before everybody has one: whoever has none would show as nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its name.
    pub profile: String,
    /// The scope that its pseudonyms come from.
    pub scope: String,
    /// Subjects without a token at this site.
    pub missing: i64,
}

impl Applied {
    /// Whether the site was as it should be.
    pub fn nothing(&self) -> bool {
        self.made.is_empty()
            && self.retired.is_empty()
            && self.waiting.is_empty()
            && self.passwords.is_empty()
    }
}

/// Applies a bundle to one provisioned site.
///
/// # Errors
/// When the site refuses, or a password is missing. What failed is not half done, and can be repeated; a profile that
/// was closed before stays closed.
pub async fn apply(
    cluster: &Cluster,
    bundle: &Bundle,
    secrets: &Secrets,
    watcher: &Watcher,
) -> Result<Applied, SitesError> {
    let site = cluster.site();
    let client = cluster.admin().await?;
    let failed = || SitesError::database(site, "read its catalogs");
    let live = facts(&client).await.map_err(failed())?;
    let drift = wall::compare(&live, &wall::expected(bundle, &policy::Holders::first(bundle), site)?);
    let present = live_profiles(&client).await.map_err(failed())?;
    let mut stale: Vec<_> =
        bundle.profiles().iter().filter(|profile| !intact(profile, &live, &drift)).collect();
    let wanted: BTreeSet<String> =
        bundle.profiles().iter().map(|profile| names::short(&profile.hash)).collect();
    let again: BTreeSet<String> = stale.iter().map(|profile| names::short(&profile.hash)).collect();
    let gone: Vec<&LiveProfile> =
        present.iter().filter(|live| !wanted.contains(&live.short) || again.contains(&live.short)).collect();
    close(&client, site, &gone).await?;
    let waiting = waiting(&client, bundle, site, &stale).await?;
    stale.retain(|profile| !waiting.iter().any(|waiting| waiting.profile == profile.name));
    let mut ddl: Vec<String> = gone.iter().flat_map(|live| wall::retire(live)).collect();
    for profile in &stale {
        watcher(Event::Applying { site: site.to_owned(), profile: profile.name.clone() });
        let verifiers = verifiers(bundle, profile, site, secrets)?;
        ddl.extend(wall::apply(bundle, profile, site, &|n| verifiers.get(&n).cloned().unwrap_or_default())?);
    }
    run(&client, site, "apply the policy", &ddl).await?;
    let services = services::apply(&client, bundle, site, secrets, (&live, &drift)).await?;
    let passwords = set_passwords(&client, bundle, site, secrets, &waiting).await?;
    let mut made: Vec<String> = stale.iter().map(|profile| profile.name.clone()).collect();
    made.extend(services.made);
    let mut retired: Vec<String> =
        gone.iter().map(|live| live.short.clone()).filter(|short| !wanted.contains(short)).collect();
    retired.extend(services.retired);
    Ok(Applied { site: site.to_owned(), made, retired, waiting, passwords })
}

/// Which of these profiles cannot be made yet.
async fn waiting(
    client: &Client,
    bundle: &Bundle,
    site: &str,
    profiles: &[&Arc<Profile>],
) -> Result<Vec<Waiting>, SitesError> {
    let mut waiting = Vec::new();
    for profile in profiles {
        let Some(scope) = &profile.pseudonym_scope else { continue };
        let missing = pseudonyms::count(client, bundle, site, scope, None).await?.missing;
        if missing > 0 {
            waiting.push(Waiting { profile: profile.name.clone(), scope: scope.clone(), missing });
        }
    }
    Ok(waiting)
}

/// Runs statements in one transaction. Whoever holds a table for long makes it fail rather than wait for ever, with
/// every other reader queueing behind it.
pub(crate) async fn run(client: &Client, site: &str, doing: &str, ddl: &[String]) -> Result<(), SitesError> {
    if ddl.is_empty() {
        return Ok(());
    }
    let script = format!("BEGIN; SET LOCAL lock_timeout = '30s';\n{};\nCOMMIT", ddl.join(";\n"));
    let done = client.batch_execute(&script).await;
    if done.is_err() {
        // The connection is used again only when this works.
        client.batch_execute("ROLLBACK").await.map_err(SitesError::database(site, "roll back"))?;
    }
    done.map_err(SitesError::database(site, doing))
}

/// Whether a profile is at the site, whole and unchanged.
fn intact(profile: &Profile, live: &Facts, drift: &[Drift]) -> bool {
    let short = names::short(&profile.hash);
    let schema = names::schema_of(profile);
    let (inside, itself) = (format!(" {schema}."), format!("schema {schema}"));
    let concerns = |text: &str| text.contains(&short) || text.contains(&inside) || text.ends_with(&itself);
    let touched = drift.iter().any(|drift| {
        concerns(&drift.object) || drift.found.as_deref().is_some_and(|found| found.contains(&short))
    });
    !touched && live.contains_key(&format!("role {}", names::owner_role(&profile.hash)))
}

async fn live_profiles(client: &Client) -> Result<Vec<LiveProfile>, tokio_postgres::Error> {
    let rows = client.query(LIVE_PROFILES, &[]).await?;
    rows.iter()
        .map(|row| {
            let list = |at| row.try_get::<_, Option<Vec<String>>>(at).map(Option::unwrap_or_default);
            Ok(LiveProfile { short: row.try_get(0)?, schemas: list(1)?, pool: list(2)? })
        })
        .collect()
}

/// No new sessions, then no sessions: a transaction could not take a view from under a reader.
async fn close(client: &Client, site: &str, gone: &[&LiveProfile]) -> Result<(), SitesError> {
    let ddl: Vec<String> = gone.iter().flat_map(|live| wall::profile::close(live)).collect();
    run(client, site, "close profiles", &ddl).await?;
    for live in gone {
        end_sessions(client, site, &format!("profile {}", live.short), &live.pool).await?;
    }
    Ok(())
}

/// Ends every session of these roles, which admit no new ones.
pub(crate) async fn end_sessions(
    client: &Client,
    site: &str,
    of: &str,
    roles: &[String],
) -> Result<(), SitesError> {
    let left = client.query_one(END_SESSIONS, &[&roles]).await;
    let left: i64 =
        left.and_then(|row| row.try_get(0)).map_err(SitesError::database(site, "end sessions"))?;
    if left > 0 {
        return Err(SitesError::Sessions { site: site.to_owned(), of: of.to_owned(), left });
    }
    Ok(())
}

fn verifiers(
    bundle: &Bundle,
    profile: &Profile,
    site: &str,
    secrets: &Secrets,
) -> Result<BTreeMap<u16, String>, SitesError> {
    let one = |n| {
        let role = names::pool_role(&profile.hash, site, n);
        let password = secrets.pool.get(&role).ok_or_else(|| SitesError::NoPassword(role.clone()))?;
        Ok((n, verifier(&role, password)?))
    };
    (1..=bundle.enclave().sessions_per_profile).map(one).collect()
}

/// Passwords are no fact that the watch can read: the administrator compares them with what the gate holds.
async fn set_passwords(
    client: &Client,
    bundle: &Bundle,
    site: &str,
    secrets: &Secrets,
    waiting: &[Waiting],
) -> Result<Vec<String>, SitesError> {
    let failed = || SitesError::database(site, "read password verifiers");
    let rows =
        client.query("SELECT rolname::text, rolpassword FROM pg_authid", &[]).await.map_err(failed())?;
    let mut stored = BTreeMap::new();
    for row in &rows {
        let role: String = row.try_get(0).map_err(failed())?;
        stored.insert(role, row.try_get::<_, Option<String>>(1).map_err(failed())?);
    }
    let mut roles = [WATCH, STATS, STOP, RESIDENCY].map(str::to_owned).to_vec();
    let of_services: BTreeMap<String, &String> =
        secrets.services.iter().map(|(name, password)| (service_role(name), password)).collect();
    roles.extend(wall::services::of_site(bundle, site).map(|service| service_role(&service.name)));
    let is_made = |profile: &&Arc<Profile>| !waiting.iter().any(|waiting| waiting.profile == profile.name);
    for profile in bundle.profiles().iter().filter(is_made) {
        let number = 1..=bundle.enclave().sessions_per_profile;
        roles.extend(number.map(|n| names::pool_role(&profile.hash, site, n)));
    }
    let (mut ddl, mut set) = (Vec::new(), Vec::new());
    for role in roles {
        let password = match of_services.get(&role) {
            Some(password) => Some(*password),
            None if role == WATCH => secrets.watch.get(site),
            None if role == STATS => secrets.stats.get(site),
            None if role == STOP => secrets.stop.get(site),
            None if role == RESIDENCY => secrets.residency.get(site),
            None => secrets.pool.get(&role),
        };
        let password = password.ok_or_else(|| SitesError::NoPassword(role.clone()))?;
        if !verifies(stored.get(&role).and_then(Option::as_deref), password) {
            ddl.push(wall::baseline::set_password(&role, &verifier(&role, password)?));
            set.push(role);
        }
    }
    run(client, site, "set passwords", &ddl).await?;
    Ok(set)
}
