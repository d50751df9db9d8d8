//! Compares the wall at each site with the signed policy, as `trefoil_watch`, which sees catalogs and no data. Drift
//! refuses the start, and closes a site while the gate runs. Not here: what the wall should be (`wall`).

use std::sync::Arc;

use policy::{Bundle, Homes};
use rustls::{ClientConfig, RootCertStore};
use tlog::detail::SiteStanding;
use tlog::entry::Kind;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Duration, sleep, timeout};
use tokio_postgres::Client;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;
pub use wall::Drift;
use wall::Facts;

use crate::config::{Config, Site};
use crate::gate::Gate;
use crate::meter::{Metering, Views};
use crate::standing::{Stand, Standing};

/// How long one site may take to say what it holds.
const SITE_FACTS_MS_MAX: u64 = 20_000;
/// A site that cannot be compared is tried once more after this long, before its sessions are ended for it.
const TRY_AGAIN_MS: u64 = 1_000;
/// Differences that an entry and a log name; there may be thousands.
const DIFFERENCES_NAMED_MAX: usize = 20;
/// The oldest minor versions without known leaks through views: CVE-2025-8713, CVE-2026-14666, CVE-2026-116327.
const LEAST_VERSIONS: [(u32, u32); 4] = [(15, 20), (16, 16), (17, 12), (18, 6)];

/// How a site compares.
#[derive(Debug)]
pub struct SiteDrift {
    /// The site's name.
    pub site: String,
    /// What differs from policy.
    pub drift: Vec<Drift>,
    /// Columns that the catalog does not know; nobody is shown them.
    pub unknown_columns: Vec<String>,
    /// Set when the server's version is known to leak through views.
    pub outdated: Option<String>,
    /// Object ids of the profiles' views.
    pub(crate) views: Views,
}

/// Why the gate does not start.
#[derive(Debug, thiserror::Error)]
pub enum DriftError {
    /// What is live is not what policy compiled to.
    #[error(
        "site {site} differs from policy:\n{}\nrun `trefoil policy apply`, and find out who changed it",
        .drift.iter().map(|d| format!("  {d}")).collect::<Vec<_>>().join("\n")
    )]
    Drift {
        /// The site's name.
        site: String,
        /// What differs.
        drift: Vec<Drift>,
    },
    /// No site could be compared.
    #[error("no site could be compared with policy: {0}")]
    NoSite(String),
    /// The bundle cannot be compiled.
    #[error(transparent)]
    Wall(#[from] wall::WallError),
    /// A site did not answer.
    #[error("site {site}: {problem}")]
    Site {
        /// The site's name.
        site: String,
        /// What happened.
        problem: String,
    },
}

/// The configured sites, at least one of which is as policy says. A site that does not answer is closed until it
/// does and is as policy says; one that differs refuses the start.
pub async fn check(
    config: &Config,
    homes: &Homes,
    roots: &Arc<RootCertStore>,
    metering: &Metering,
) -> Result<Vec<Stand>, DriftError> {
    let mut sites = Vec::new();
    let mut problems = Vec::new();
    for site in &config.sites {
        let Some(password) = config.secrets.watch.get(site.site()) else {
            let problem =
                "the secrets hold no password of trefoil_watch; run `trefoil policy apply`".to_owned();
            return Err(DriftError::Site { site: site.name.clone(), problem });
        };
        if let Err(why) = in_use(homes, site) {
            tracing::warn!(site = site.name, why, "site is closed");
            sites.push(Stand::new(site.clone(), Standing::Closed(why.as_str().into())));
            problems.push(format!("{}: {why}", site.name));
            continue;
        }
        match drift_at(site, &config.bundle, homes, roots, password).await {
            Ok(found) if found.drift.is_empty() => {
                for column in &found.unknown_columns {
                    tracing::warn!(
                        site = site.name,
                        column,
                        "the catalog does not know this column; it is withheld"
                    );
                }
                if let Some(version) = found.outdated {
                    tracing::warn!(
                        site = site.name,
                        version,
                        "this PostgreSQL leaks through views; update it"
                    );
                }
                metering.set_views(&site.name, found.views);
                sites.push(Stand::new(site.clone(), Standing::Used));
            }
            Ok(found) => return Err(DriftError::Drift { site: found.site, drift: found.drift }),
            Err(DriftError::Site { problem, .. }) => {
                tracing::error!(site = site.name, problem, "site is closed until it answers");
                sites.push(Stand::new(site.clone(), Standing::Closed(problem.as_str().into())));
                problems.push(format!("{}: {problem}", site.name));
            }
            Err(other) => return Err(other),
        }
    }
    let none = problems.len() == sites.len();
    if none { Err(DriftError::NoSite(problems.join("; "))) } else { Ok(sites) }
}

/// Compares a site with policy again and again, closes it when it differs or cannot be compared, and opens it again
/// when it is as policy says; until `stop` becomes true.
pub async fn watch(gate: Arc<Gate>, stand: Arc<Stand>, mut stop: watch::Receiver<bool>) {
    let every = Duration::from_secs(u64::from(gate.config.drift_check_seconds));
    let mut homes = gate.homes.subscribe();
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            // Homes moved: what a site should be is another.
            Ok(()) = homes.changed() => {}
            () = sleep(every) => {}
        }
        let site = stand.site.name.clone();
        let note = |kind, reason: &str| {
            let standing = SiteStanding { site: site.clone(), reason: reason.to_owned() };
            let gate = Arc::clone(&gate);
            async move { gate.note(kind, &standing).await }
        };
        match (look(&gate, &stand.site).await, stand.now()) {
            (Ok(()), Standing::Closed(_)) => {
                tracing::warn!(site, "site is as policy says, and open again");
                // Nobody comes in before it is said.
                note(Kind::SitesReopened, "as policy says").await;
                stand.set(Standing::Used);
            }
            (Err(why), Standing::Used) => {
                tracing::error!(site, why, "site is closed, and its sessions are ended");
                stand.set(Standing::Closed(why.as_str().into()));
                note(Kind::SitesClosed, &why).await;
            }
            (Err(why), Standing::Closed(_)) => stand.set(Standing::Closed(why.as_str().into())),
            (Ok(()), Standing::Used) => {}
            (_, Standing::Stopping) => return,
        }
    }
}

/// Whether a site is as policy says now, or why not.
async fn look(gate: &Gate, site: &Site) -> Result<(), String> {
    let password = gate.config.secrets.watch.get(site.site()).map(String::as_str).unwrap_or_default();
    let homes = gate.homes.borrow().clone();
    in_use(&homes, site)?;
    let compare = || drift_at(site, &gate.config.bundle, &homes, &gate.roots, password);
    let found = match compare().await {
        Ok(found) => Ok(found),
        Err(_) => {
            sleep(Duration::from_millis(TRY_AGAIN_MS)).await;
            compare().await
        }
    };
    match found {
        Ok(found) if found.drift.is_empty() => {
            gate.metering.set_views(&site.name, found.views);
            Ok(())
        }
        Ok(found) => {
            let named = found.drift.iter().take(DIFFERENCES_NAMED_MAX).map(ToString::to_string);
            let named = named.collect::<Vec<_>>().join("; ");
            let more = found.drift.len().saturating_sub(DIFFERENCES_NAMED_MAX);
            let more = if more == 0 { String::new() } else { format!("; and {more} more") };
            Err(format!("differs from policy: {named}{more}"))
        }
        Err(error) => Err(format!("cannot be compared with policy: {error}")),
    }
}

/// Whether anybody is sent to a site at all.
fn in_use(homes: &Homes, site: &Site) -> Result<(), String> {
    if homes.is_out(site.site()) {
        let name = site.site();
        return Err(format!("it is out: its home is held elsewhere until `trefoil sites failback {name}`"));
    }
    Ok(())
}

/// Compares one site with a bundle, while homes are held or move as stated.
pub async fn drift_at(
    site: &Site,
    bundle: &Bundle,
    homes: &Homes,
    roots: &Arc<RootCertStore>,
    password: &str,
) -> Result<SiteDrift, DriftError> {
    let expected = wall::Expected::of(bundle, homes, site.site())?;
    let limit = Duration::from_millis(SITE_FACTS_MS_MAX);
    let (live, version, views) = timeout(limit, live(site, bundle, roots, password))
        .await
        .map_err(|_| "no answer in time".to_owned())
        .and_then(|facts| facts.map_err(|e| describe(&e)))
        .map_err(|problem| DriftError::Site { site: site.name.clone(), problem })?;
    Ok(SiteDrift {
        site: site.name.clone(),
        drift: expected.drift(&live),
        unknown_columns: expected.unknown_columns(&live),
        outdated: outdated(version),
        views,
    })
}

async fn live(
    site: &Site,
    bundle: &Bundle,
    roots: &Arc<RootCertStore>,
    password: &str,
) -> Result<(Facts, u32, Views), tokio_postgres::Error> {
    let (client, connection) = connect(site, roots, password).await?;
    let mut facts = Facts::new();
    for query in wall::drift::queries() {
        for row in client.query(&query, &[]).await? {
            facts.insert(row.try_get(0)?, row.try_get::<_, Option<String>>(1)?.unwrap_or_default());
        }
    }
    let version: i32 =
        client.query_one("SELECT current_setting('server_version_num')::int", &[]).await?.try_get(0)?;
    let views = Views::read(&client, bundle).await?;
    drop(client);
    let _ = connection.await;
    Ok((facts, u32::try_from(version).unwrap_or_default(), views))
}

/// A connection as `trefoil_watch`, and the task that serves it.
pub(crate) async fn connect(
    site: &Site,
    roots: &Arc<RootCertStore>,
    password: &str,
) -> Result<(Client, JoinHandle<Result<(), tokio_postgres::Error>>), tokio_postgres::Error> {
    let tls = ClientConfig::builder().with_root_certificates(Arc::clone(roots)).with_no_client_auth();
    let (client, connection) = tokio_postgres::Config::new()
        .host(&site.host)
        .port(site.port)
        .dbname(&site.database)
        .user(wall::names::WATCH)
        .password(password)
        .ssl_mode(SslMode::Require)
        .application_name("trefoil drift")
        .connect(MakeRustlsConnect::new(tls))
        .await?;
    // It ends when `client` is dropped; an error shows in the queries.
    Ok((client, tokio::spawn(connection)))
}

fn outdated(version: u32) -> Option<String> {
    let (major, minor) = (version / 10_000, version % 10_000);
    let least = LEAST_VERSIONS.iter().find(|(known, _)| *known == major);
    least.is_some_and(|(_, least)| minor < *least).then(|| format!("{major}.{minor}"))
}

fn describe(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
