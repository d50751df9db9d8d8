//! The sites of an enclave and the bundle that says what they are, as the operator's folder has them.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use policy::{Bundle, Homes};
use sites::{Cluster, Host};
use tokio::time::timeout;

use crate::enclave::ports::Ports;
use crate::enclave::ready;
use crate::ended::{Ended, OrEnded};
use crate::folder::Folder;
use crate::policy_files;

const ANSWER_MS_MAX: u64 = 2_000;

/// Checked bundle and the clusters of its sites.
#[derive(Debug)]
pub(crate) struct Estate {
    folder: Folder,
    bundle: Bundle,
    clusters: Vec<Cluster>,
}

impl Estate {
    pub(crate) fn read(folder: &Folder) -> Result<Self, Ended> {
        Self::at(folder, &Ports::read(folder)?)
    }

    /// With these ports instead of those that were kept.
    pub(crate) fn at(folder: &Folder, ports: &Ports) -> Result<Self, Ended> {
        let bundle = read_bundle(folder)?;
        let host = Host::find().or_cannot_tell("looking for PostgreSQL")?;
        let clusters = bundle.enclave().sites.iter().map(|site| {
            let port = ports.sites.get(&site.name).copied();
            let port =
                port.ok_or_else(|| Ended::cannot_tell(format!("no port is kept for site {}", site.name)))?;
            Cluster::at(&host, folder.dir(), site, port).or_cannot_tell(format!("site {}", site.name))
        });
        Ok(Self { folder: folder.clone(), clusters: clusters.collect::<Result<_, Ended>>()?, bundle })
    }

    pub(crate) fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    pub(crate) fn clusters(&self) -> &[Cluster] {
        &self.clusters
    }

    /// Which site holds which home, as the operator last signed it.
    pub(crate) fn homes(&self) -> Result<Homes, Ended> {
        let key = policy_files::bundle_key(&self.folder)?;
        let file = self.folder.gate(access::HOMES_FILE);
        access::read_homes(&file, &self.bundle, key.verifier()).or_cannot_tell("reading who holds each home")
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.clusters.iter().map(|cluster| cluster.site().to_owned()).collect()
    }

    /// As `up` prints them.
    pub(crate) fn sites(&self) -> Vec<ready::Site> {
        let site = |cluster: &Cluster| ready::Site {
            name: cluster.site().to_owned(),
            country: cluster.country().to_string(),
            host: Ipv4Addr::LOCALHOST.to_string(),
            port: cluster.port(),
            admin_url: cluster.admin_url(),
        };
        self.clusters.iter().map(site).collect()
    }

    /// The command that runs a site's server, which ends when the thread that starts it does.
    pub(crate) fn command(&self, site: &str) -> Result<Command, Ended> {
        let cluster = self.cluster(site)?;
        if self.homes()?.is_out(site) {
            // It may still think that it writes its home: nobody comes in before it knows better.
            cluster.shut_out().or_not(format!("shutting site {site}"))?;
        }
        cluster.command().or_not(format!("starting site {site}"))
    }

    /// Whether a site's server answers its administrator.
    pub(crate) async fn answers(&self, site: &str) -> bool {
        let Ok(cluster) = self.cluster(site) else { return false };
        timeout(Duration::from_millis(ANSWER_MS_MAX), cluster.wait_ready())
            .await
            .is_ok_and(|ready| ready.is_ok())
    }

    fn cluster(&self, site: &str) -> Result<&Cluster, Ended> {
        let found = self.clusters.iter().find(|cluster| cluster.site() == site);
        found.ok_or_else(|| Ended::cannot_tell(format!("the enclave has no site {site}")))
    }
}

/// The operator's bundle, checked but for its signature, which those check who rely on it.
pub(crate) fn read_bundle(folder: &Folder) -> Result<Bundle, Ended> {
    read_bundle_at(&folder.bundle())
}

/// The bundle in this folder, checked but for its signature.
pub(crate) fn read_bundle_at(path: &Path) -> Result<Bundle, Ended> {
    let files = access::bundle_files(path).or_cannot_tell("reading the policy bundle")?;
    Bundle::read(&files).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Ended::not(format!("the policy bundle in {} is refused:\n{}", path.display(), lines.join("\n")))
    })
}
