//! The sites of an enclave and the bundle that says what they are, as the operator's folder has them.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use policy::{Bundle, Homes, standby_of};
use sites::{Cluster, Host};
use tokio::time::timeout;

use crate::enclave::ports::Ports;
use crate::enclave::ready;
use crate::ended::{Ended, OrEnded};
use crate::folder::Folder;
use crate::policy_files;

const ANSWER_MS_MAX: u64 = 2_000;

/// Checked bundle, the clusters of its sites, and those of their standbys.
#[derive(Debug)]
pub(crate) struct Estate {
    folder: Folder,
    bundle: Bundle,
    clusters: Vec<Cluster>,
    standbys: Vec<Cluster>,
}

impl Estate {
    pub(crate) fn read(folder: &Folder) -> Result<Self, Ended> {
        Self::at(folder, &Ports::read(folder)?)
    }

    /// With these ports instead of those that were kept.
    pub(crate) fn at(folder: &Folder, ports: &Ports) -> Result<Self, Ended> {
        let bundle = read_bundle(folder)?;
        let host = Host::find().or_cannot_tell("looking for PostgreSQL")?;
        let port = |server: &str| {
            let unmade = || {
                Ended::cannot_tell(format!(
                    "{server} is not made yet; `trefoil down` and `trefoil up` make it"
                ))
            };
            ports.sites.get(server).copied().ok_or_else(unmade)
        };
        let (mut clusters, mut standbys) = (Vec::new(), Vec::new());
        for site in &bundle.enclave().sites {
            let doing = || format!("site {}", site.name);
            let cluster = Cluster::at(&host, folder.dir(), site, port(&site.name)?);
            clusters.push(cluster.or_cannot_tell(doing())?);
            if site.standby {
                let port = port(&standby_of(&site.name))?;
                let standby = Cluster::standby_at(&host, folder.dir(), site, port);
                standbys.push(standby.or_cannot_tell(doing())?);
            }
        }
        Ok(Self { folder: folder.clone(), bundle, clusters, standbys })
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

    /// The sites' standbys, those that have one.
    pub(crate) fn standbys(&self) -> &[Cluster] {
        &self.standbys
    }

    /// Every server: the sites' own, then the standbys'.
    pub(crate) fn servers(&self) -> impl Iterator<Item = &Cluster> {
        self.clusters.iter().chain(&self.standbys)
    }

    /// As `up` prints them.
    pub(crate) fn sites(&self) -> Vec<ready::Site> {
        let site = |cluster: &Cluster| ready::Site {
            name: cluster.server().to_owned(),
            country: cluster.country().to_string(),
            host: Ipv4Addr::LOCALHOST.to_string(),
            port: cluster.port(),
            admin_url: cluster.admin_url(),
        };
        self.servers().map(site).collect()
    }

    /// The command that runs a server, which ends when the thread that starts it does.
    pub(crate) fn command(&self, server: &str) -> Result<Command, Ended> {
        let cluster = self.server(server)?;
        if self.homes()?.is_out(cluster.site()) {
            // It may still think that it writes its home: nobody comes in before it knows better.
            cluster.shut_out().or_not(format!("shutting site {server}"))?;
        }
        cluster.command().or_not(format!("starting site {server}"))
    }

    /// Whether a server answers its administrator.
    pub(crate) async fn answers(&self, server: &str) -> bool {
        let Ok(cluster) = self.server(server) else { return false };
        timeout(Duration::from_millis(ANSWER_MS_MAX), cluster.wait_ready())
            .await
            .is_ok_and(|ready| ready.is_ok())
    }

    fn server(&self, name: &str) -> Result<&Cluster, Ended> {
        let found = self.servers().find(|cluster| cluster.server() == name);
        found.ok_or_else(|| Ended::cannot_tell(format!("the enclave has no site {name}")))
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
