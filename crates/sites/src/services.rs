//! Direct services at a site: made, made anew when they differ, taken out when the bundle does not name them any more.
//! Not here: the statements (`wall`).

use std::collections::BTreeSet;

use policy::{Bundle, Service};
use tokio_postgres::Client;
use wall::names::service_role;
use wall::services::{self, LIVE_SERVICES};
use wall::{Drift, Facts};

use crate::apply::{end_sessions, run};
use crate::secrets::verifier;
use crate::{Secrets, SitesError};

/// What changed: names of services.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    pub(crate) made: Vec<String>,
    pub(crate) retired: Vec<String>,
}

/// Makes the services of a site what the bundle says.
pub(crate) async fn apply(
    client: &Client,
    bundle: &Bundle,
    site: &str,
    secrets: &Secrets,
    (live, drift): (&Facts, &[Drift]),
) -> Result<Changed, SitesError> {
    let failed = SitesError::database(site, "look for services");
    let rows = client.query(LIVE_SERVICES, &[]).await;
    let present: Vec<String> = rows
        .and_then(|rows| rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>())
        .map_err(failed)?;
    let wanted: Vec<&Service> = services::of_site(bundle, site).collect();
    let stale: Vec<&&Service> =
        wanted.iter().filter(|service| !intact(&service_role(&service.name), live, drift)).collect();
    let kept: BTreeSet<String> = wanted
        .iter()
        .map(|service| service_role(&service.name))
        .filter(|role| intact(role, live, drift))
        .collect();
    let gone: Vec<String> = present.into_iter().filter(|role| !kept.contains(role)).collect();
    let close: Vec<String> = gone.iter().map(|role| services::close(role)).collect();
    run(client, site, "close services", &close).await?;
    end_sessions(client, site, "direct services", &gone).await?;
    let mut ddl: Vec<String> = gone.iter().flat_map(|role| services::retire(role)).collect();
    for service in &stale {
        let role = service_role(&service.name);
        let password =
            secrets.services.get(&service.name).ok_or_else(|| SitesError::NoPassword(role.clone()))?;
        ddl.extend(services::apply(bundle, service, &verifier(&role, password)?));
    }
    run(client, site, "apply direct services", &ddl).await?;
    let made: Vec<String> = stale.iter().map(|service| service.name.clone()).collect();
    let again: BTreeSet<String> = made.iter().map(|name| service_role(name)).collect();
    let retired = gone.into_iter().filter(|role| !again.contains(role)).collect();
    Ok(Changed { made, retired })
}

/// Whether a service's role is at the site, whole and unchanged.
fn intact(role: &str, live: &Facts, drift: &[Drift]) -> bool {
    let names = |text: &str| text.split([' ', ',', '=']).any(|word| word == role);
    let policies = format!("policy {role}_");
    let touched = drift.iter().filter(|drift| !drift.object.starts_with("hba ")).any(|drift| {
        names(&drift.object)
            || drift.object.starts_with(&policies)
            || drift.found.as_deref().is_some_and(names)
    });
    !touched && live.contains_key(&format!("role {role}"))
}
