//! Real sites for tests: the clusters of the example enclave in a temporary folder on free ports, with a monitor's
//! authority made by the test. Not here: any check.
#![allow(dead_code, reason = "each test program uses a part of this")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends when it cannot go on"
)]

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use policy::{Bundle, Profile};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use sites::ca::Authority;
use sites::{Cluster, Event, Generate, Host, Secrets, Watcher};
use tempfile::TempDir;
use tokio_postgres::error::SqlState;

/// A moment at which certificates of tests are made. Servers judge them by the real clock.
#[allow(clippy::disallowed_methods, reason = "PostgreSQL judges certificates by the real clock")]
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// Running sites; they end with it.
pub struct Enclave {
    pub bundle: Bundle,
    pub secrets: Secrets,
    pub clusters: Vec<Cluster>,
    pub operator: Authority,
    pub monitor: Issuer<'static, KeyPair>,
    pub monitor_pem: String,
    servers: BTreeMap<String, Child>,
    pub dir: TempDir,
}

pub fn quiet() -> Watcher {
    Arc::new(|_: Event| {})
}

/// The example enclave's bundle, changed file by file.
pub fn bundle(change: impl Fn(&str, String) -> String) -> Bundle {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/europe");
    let mut files = BTreeMap::new();
    let mut add = |path: &str| {
        let text = fs::read_to_string(root.join(path)).unwrap();
        files.insert(path.to_owned(), change(path, text).into_bytes());
    };
    ["enclave.toml", "catalog.toml", "directory.toml"].into_iter().for_each(&mut add);
    for entry in fs::read_dir(root.join("policy")).unwrap() {
        add(&format!("policy/{}", entry.unwrap().file_name().into_string().unwrap()));
    }
    Bundle::read(&files).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

/// Two sessions a profile are enough, and make the test short.
pub fn example() -> Bundle {
    bundle(|path, text| match path {
        "enclave.toml" => text.replace("sessions_per_profile = 8", "sessions_per_profile = 2"),
        _ => text,
    })
}

impl Enclave {
    /// Starts the sites of this bundle with nothing in them.
    pub async fn start(bundle: Bundle) -> Self {
        let host = Host::find().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let operator = Authority::make("example operator", now()).unwrap();
        let (monitor, monitor_pem) = authority("example monitor");
        let sites = &bundle.enclave().sites;
        let ports = free_ports(sites.len());
        let clusters: Vec<Cluster> = sites
            .iter()
            .zip(ports)
            .map(|(site, port)| Cluster::at(&host, dir.path(), site, port).unwrap())
            .collect();
        std::thread::scope(|scope| {
            let made: Vec<_> = clusters
                .iter()
                .map(|cluster| {
                    scope.spawn(|| cluster.create(&bundle, &operator, &monitor_pem, now()).unwrap())
                })
                .collect();
            made.into_iter().for_each(|one| one.join().unwrap());
        });
        let mut secrets = Secrets::default();
        assert!(secrets.complete(&bundle));
        let servers = BTreeMap::new();
        let mut enclave = Self { bundle, secrets, clusters, operator, monitor, monitor_pem, servers, dir };
        for cluster in enclave.clusters.clone() {
            enclave.run(&cluster).await;
        }
        enclave
    }

    /// Starts and provisions.
    pub async fn provisioned(bundle: Bundle, subjects: u64) -> Self {
        let enclave = Self::start(bundle).await;
        enclave.provision(subjects).await;
        enclave
    }

    pub async fn provision(&self, subjects: u64) -> Vec<sites::Applied> {
        let generate = Generate { seed: 7, subjects };
        sites::provision(&self.bundle, &self.clusters, generate, &self.secrets, &quiet()).await.unwrap()
    }

    /// Ends the sites, and starts those of another bundle in their place: what is new is made, and nothing is provisioned.
    pub async fn change(&mut self, bundle: Bundle) {
        self.end();
        let host = Host::find().unwrap();
        for site in &bundle.enclave().sites {
            if !self.clusters.iter().any(|cluster| cluster.site() == site.name) {
                let port = free_ports(1)[0];
                self.clusters.push(Cluster::at(&host, self.dir.path(), site, port).unwrap());
            }
        }
        self.secrets.complete(&bundle);
        self.bundle = bundle;
        for cluster in self.clusters.clone() {
            cluster.create(&self.bundle, &self.operator, &self.monitor_pem, now()).unwrap();
            self.run(&cluster).await;
        }
    }

    fn end(&mut self) {
        for server in self.servers.values_mut() {
            let pid = rustix::process::Pid::from_child(server);
            rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap_or_default();
        }
        for mut server in std::mem::take(&mut self.servers).into_values() {
            drop(server.wait());
        }
    }

    pub async fn run(&mut self, cluster: &Cluster) {
        let log = fs::File::create(self.log(cluster)).unwrap();
        let server = cluster.command().unwrap().stdin(Stdio::null()).stderr(log).spawn().unwrap();
        self.servers.insert(cluster.site().to_owned(), server);
        if let Err(error) = cluster.wait_ready().await {
            panic!("{error}\n{}", fs::read_to_string(self.log(cluster)).unwrap());
        }
    }

    fn log(&self, cluster: &Cluster) -> std::path::PathBuf {
        self.dir.path().join(format!("{}.log", cluster.site()))
    }

    /// What a site's server has said.
    pub fn said(&self, cluster: &Cluster) -> String {
        fs::read_to_string(self.log(cluster)).unwrap()
    }

    /// As a power cut would; `postmaster.pid` is left behind. The command is `setpriv`, which became the server itself.
    pub fn kill(&mut self, cluster: &Cluster) {
        let server = self.servers.get_mut(cluster.site()).unwrap();
        server.kill().unwrap();
        server.wait().unwrap();
    }

    pub fn cluster(&self, site: &str) -> &Cluster {
        self.clusters.iter().find(|cluster| cluster.site() == site).unwrap()
    }

    pub fn profile(&self, name: &str) -> &Profile {
        self.bundle.profiles().iter().find(|profile| profile.name == name).unwrap()
    }

    pub fn role(&self, profile: &str, site: &str, n: u16) -> String {
        wall::names::pool_role(&self.profile(profile).hash, site, n)
    }
}

impl Drop for Enclave {
    fn drop(&mut self) {
        self.end();
    }
}

/// One value, as text.
pub async fn text(client: &tokio_postgres::Client, query: &str) -> String {
    client.query_one(query, &[]).await.unwrap().get(0)
}

/// Waits until a query yields this: replication and statistics take a moment.
pub async fn eventually(client: &tokio_postgres::Client, query: &str, expected: &str) {
    let mut last = None;
    for _ in 0..200 {
        last = client.query_opt(query, &[]).await.unwrap().and_then(|row| row.get::<_, Option<String>>(0));
        if last.as_deref() == Some(expected) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{query}: expected {expected}, found {last:?}");
}

/// Ports that nobody listens on. Another process may take one; then the test fails, and says so.
pub fn free_ports(count: usize) -> Vec<u16> {
    let held: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    held.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

/// A certificate authority, as the monitor makes one.
pub fn authority(name: &str) -> (Issuer<'static, KeyPair>, String) {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    (Issuer::new(params, key), pem)
}

/// A client certificate for a role, valid for a minute around now: (certificate, key), PEM.
pub fn certificate(issuer: &Issuer<'_, KeyPair>, role: &str) -> (String, String) {
    certificate_for(issuer, role, -60, 60)
}

/// The same, valid from and to so many seconds from now.
pub fn certificate_for(issuer: &Issuer<'_, KeyPair>, role: &str, from: i64, to: i64) -> (String, String) {
    let moment = |seconds: i64| match u64::try_from(seconds) {
        Ok(later) => now() + Duration::from_secs(later),
        Err(_) => now() - Duration::from_secs(seconds.unsigned_abs()),
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, role);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.not_before = moment(from).into();
    params.not_after = moment(to).into();
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, issuer).unwrap().pem(), key.serialize_pem())
}

/// What a client presents beside its password.
pub type Presented<'a> = Option<&'a (String, String)>;

impl Enclave {
    /// Logs in over TLS as the gate would, or as somebody who would like to.
    pub async fn login(
        &self,
        site: &str,
        role: &str,
        password: &str,
        presented: Presented<'_>,
    ) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        self.login_to(site, wall::names::DATABASE, role, password, presented).await
    }

    pub async fn login_to(
        &self,
        site: &str,
        database: &str,
        role: &str,
        password: &str,
        presented: Presented<'_>,
    ) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        self.connect(self.cluster(site).port(), database, role, password, presented).await
    }

    /// At a server that is no site of its own, by its port.
    pub async fn login_at(
        &self,
        port: u16,
        role: &str,
        password: &str,
        presented: Presented<'_>,
    ) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        self.connect(port, wall::names::DATABASE, role, password, presented).await
    }

    async fn connect(
        &self,
        port: u16,
        database: &str,
        role: &str,
        password: &str,
        presented: Presented<'_>,
    ) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        use rustls::pki_types::pem::PemObject;
        use rustls::pki_types::{CertificateDer, PrivateKeyDer};
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.operator.certificate().as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
        let config = match presented {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                config.with_client_auth_cert(chain, key).unwrap()
            }
        };
        let mut client = tokio_postgres::Config::new();
        client.host("127.0.0.1").port(port).user(role).password(password).dbname(database);
        client.ssl_mode(tokio_postgres::config::SslMode::Require);
        let tls = tokio_postgres_rustls::MakeRustlsConnect::new(config);
        let (client, connection) = client.connect(tls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// A pool session with both keys, as a permitted principal gets it.
    pub async fn session(&self, profile: &str, site: &str, n: u16) -> tokio_postgres::Client {
        let role = self.role(profile, site, n);
        let certificate = certificate(&self.monitor, &role);
        // A role has one connection, and the backend of its last one may take a moment to end.
        for _ in 0..200 {
            match self.login(site, &role, &self.secrets.pool[&role], Some(&certificate)).await {
                Err(error) if error.code() == Some(&SqlState::TOO_MANY_CONNECTIONS) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                done => return done.unwrap(),
            }
        }
        panic!("the last session of {role} does not end");
    }

    pub async fn watch(&self, site: &str) -> tokio_postgres::Client {
        self.login(site, wall::names::WATCH, &self.secrets.watch[site], None).await.unwrap()
    }
}
