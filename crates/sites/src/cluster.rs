//! One site's PostgreSQL cluster: made, configured, started, recovered. Not here: what is in its database
//! (`provision`), how a standby's is made (`standby`).

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, SystemTime};

use policy::{Bundle, Country};
use tokio_postgres::{Client, Config, NoTls};

use crate::ca::Authority;
use crate::{Host, SitesError, conf, folder};

/// How long a server may take to answer after its start; longer than a recovery of a small cluster.
const READY_SECS_MAX: u64 = 60;
/// How long the server of an earlier run may take to end.
const END_SECS_MAX: u64 = 30;
/// How long a server may take to say that it is there.
const ANSWER_SECS_MAX: u64 = 5;
const POLL: Duration = Duration::from_millis(50);

/// One server of a site, on this machine.
#[derive(Debug, Clone)]
pub struct Cluster {
    pub(crate) host: Host,
    site: String,
    server: String,
    country: Country,
    folder: PathBuf,
    socket: PathBuf,
    port: u16,
}

impl Cluster {
    /// The cluster of a site of the enclave folder `dir`, to listen on this port. Makes folders, and nothing in them.
    ///
    /// # Errors
    /// When a folder cannot be made.
    pub fn at(host: &Host, dir: &Path, site: &policy::Site, port: u16) -> Result<Self, SitesError> {
        Self::of_server(host, dir, site, site.name.clone(), port)
    }

    /// Likewise, the cluster of a site's standby.
    ///
    /// # Errors
    /// When a folder cannot be made.
    pub fn standby_at(host: &Host, dir: &Path, site: &policy::Site, port: u16) -> Result<Self, SitesError> {
        Self::of_server(host, dir, site, policy::standby_of(&site.name), port)
    }

    fn of_server(
        host: &Host,
        dir: &Path,
        site: &policy::Site,
        server: String,
        port: u16,
    ) -> Result<Self, SitesError> {
        let folder = folder::of_clusters(host, dir)?.join(&server);
        host.make_private_folder(&folder)?;
        let socket = folder::of_socket(host, &folder)?;
        let (host, name, country) = (host.clone(), site.name.clone(), site.country);
        Ok(Self { host, site: name, server, country, folder, socket, port })
    }

    /// The site's name.
    pub fn site(&self) -> &str {
        &self.site
    }

    /// The site's name, or that of its standby.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The site's country.
    pub fn country(&self) -> Country {
        self.country
    }

    /// The port, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder that holds all of it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where psql finds the administrator's Unix socket.
    pub fn admin_url(&self) -> String {
        let socket: String = self.socket.display().to_string().chars().map(escaped).collect();
        format!(
            "postgresql:///{}?host={socket}&port={}&user={}",
            wall::names::DATABASE,
            self.port,
            wall::names::ADMIN
        )
    }

    /// Whether the cluster has been made.
    pub fn exists(&self) -> bool {
        self.data().join("PG_VERSION").is_file()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Where siblings find the operator's authority, to verify servers by.
    pub(crate) fn operator_ca(&self) -> PathBuf {
        self.data().join("operator-ca.pem")
    }

    /// A path that names no file: libpq then offers no certificate.
    pub(crate) fn no_certificate(&self) -> PathBuf {
        self.data().join("no-client-certificate")
    }

    /// Makes the cluster unless it exists, and writes its configuration and certificates. `monitor_ca` is the
    /// certificate (PEM) of the only authority whose certificates log in.
    ///
    /// # Errors
    /// When `initdb` fails or a file cannot be written.
    pub fn create(
        &self,
        bundle: &Bundle,
        operator: &Authority,
        monitor_ca: &str,
        now: SystemTime,
    ) -> Result<(), SitesError> {
        if !self.exists() {
            self.init()?;
        }
        self.configure(bundle, operator, monitor_ca, now, &[])
    }

    /// Writes configuration and certificates, with `more` settings than those of every server.
    pub(crate) fn configure(
        &self,
        bundle: &Bundle,
        operator: &Authority,
        monitor_ca: &str,
        now: SystemTime,
        more: &[(&'static str, String)],
    ) -> Result<(), SitesError> {
        let data = self.data();
        let server = operator.server(&self.server, IpAddr::V4(Ipv4Addr::LOCALHOST), now)?;
        for (name, text) in [
            ("server.pem", server.certificate.as_str()),
            ("server.key", &server.key),
            ("monitor-ca.pem", monitor_ca),
            ("operator-ca.pem", operator.certificate()),
            ("postgresql.conf", &conf::postgresql(bundle, &self.site, self.port, &self.socket, more)),
            ("pg_hba.conf", &wall::hba::text(bundle, &self.site)),
            ("pg_ident.conf", &conf::ident(&self.host)),
        ] {
            self.host.write_private(&data.join(name), text)?;
        }
        Ok(())
    }

    /// Lets nobody but the administrator in from the next start on: the site may still think that it writes its home.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn shut_out(&self) -> Result<(), SitesError> {
        self.host.write_private(&self.data().join("pg_hba.conf"), &wall::hba::text_of_out())
    }

    /// Lets those in again whom the bundle names.
    pub(crate) async fn let_in(&self, bundle: &Bundle, client: &Client) -> Result<(), SitesError> {
        let text = wall::hba::text(bundle, &self.site);
        self.host.write_private(&self.data().join("pg_hba.conf"), &text)?;
        let done = client.batch_execute("SELECT pg_reload_conf()").await;
        done.map_err(SitesError::database(&self.site, "let its siblings in"))
    }

    /// Keeps a text in a folder of the site's own, which only the servers' user may read.
    pub(crate) fn keep_file(&self, folder: &str, name: &str, text: &str) -> Result<PathBuf, SitesError> {
        let folder = self.folder.join(folder);
        self.host.make_private_folder(&folder)?;
        let path = folder.join(name);
        self.host.write_private(&path, text)?;
        for durable in [&path, &folder] {
            let synced = fs::File::open(durable).and_then(|file| file.sync_all());
            synced.map_err(SitesError::file(durable, "synchronise"))?;
        }
        Ok(path)
    }

    fn init(&self) -> Result<(), SitesError> {
        let mut initdb = self.host.program("initdb");
        initdb.args(["--username", wall::names::ADMIN, "--encoding", "UTF8"]);
        initdb.args(["--locale", "C.UTF-8", "--auth", "reject", "--data-checksums", "--no-instructions"]);
        self.make_data(initdb)
    }

    /// Makes the data folder by a program, into a folder beside it first: half a cluster is never taken for one.
    pub(crate) fn make_data(&self, mut program: Command) -> Result<(), SitesError> {
        let (next, data) = (self.folder.join("data.next"), self.data());
        if next.exists() {
            fs::remove_dir_all(&next).map_err(SitesError::file(&next, "remove"))?;
        }
        self.host.run(program.arg("--pgdata").arg(&next))?;
        fs::rename(&next, &data).map_err(SitesError::file(&data, "put in place"))
    }

    /// The command that runs the server in the foreground, its log on standard error. It is interrupted (a fast
    /// shutdown) when the *thread* that spawns it ends: spawn it from one that lives as long as the site should.
    ///
    /// # Errors
    /// When a server of an earlier run is still there and does not end.
    pub fn command(&self) -> Result<Command, SitesError> {
        self.recover()?;
        let mut command = self.host.program("postgres");
        command.arg("-D").arg(self.data());
        Ok(command)
    }

    /// After a kill, `postmaster.pid` is left behind. PostgreSQL clears it by itself unless a process has that
    /// number by now; whether that one is our server, its working folder tells.
    fn recover(&self) -> Result<(), SitesError> {
        let data = self.data();
        let lock = data.join("postmaster.pid");
        let Some(pid) =
            fs::read_to_string(&lock).ok().and_then(|text| text.lines().next()?.trim().parse().ok())
        else {
            return Ok(());
        };
        let tries = END_SECS_MAX * 1_000 / 50;
        for _ in 0..tries {
            if !works_in(pid, &data) {
                // A killed server that nobody has waited for still has its number, and would look alive.
                remove_if_there(&self.socket.join(format!(".s.PGSQL.{}.lock", self.port)))?;
                return remove_if_there(&lock);
            }
            // The server of a supervisor that has just died is on its way out.
            thread::sleep(POLL);
        }
        Err(SitesError::InUse { folder: data, pid })
    }

    /// Waits until the server answers the administrator.
    ///
    /// # Errors
    /// When it does not within a minute.
    pub async fn wait_ready(&self) -> Result<(), SitesError> {
        let tries = READY_SECS_MAX * 1_000 / 50;
        let mut why = String::new();
        for _ in 0..tries {
            match self.connect("postgres").await {
                Ok(_) => return Ok(()),
                Err(error) => why = error.to_string(),
            }
            tokio::time::sleep(POLL).await;
        }
        Err(SitesError::NotReady { site: self.server.clone(), seconds: READY_SECS_MAX, why })
    }

    /// Whether it answers the administrator now.
    pub async fn answers(&self) -> bool {
        let asked = async { self.admin().await.ok()?.simple_query("SELECT 1").await.ok() };
        tokio::time::timeout(Duration::from_secs(ANSWER_SECS_MAX), asked).await.ok().flatten().is_some()
    }

    /// A connection as the administrator, by Unix socket. What he changes is the site's own and waits for no sibling.
    ///
    /// # Errors
    /// When the server does not answer or does not know us.
    pub async fn admin(&self) -> Result<Client, SitesError> {
        self.connect(wall::names::DATABASE).await
    }

    pub(crate) async fn connect(&self, database: &str) -> Result<Client, SitesError> {
        let mut config = Config::new();
        config.host_path(&self.socket).port(self.port).user(wall::names::ADMIN).dbname(database);
        config.options("-c synchronous_commit=local");
        let failed = SitesError::database(&self.server, format!("connect to {database}"));
        let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
        // Ends by itself when the client is dropped; what breaks it is told to the client's next call.
        drop(tokio::spawn(connection));
        Ok(client)
    }
}

/// Whether a process with this number has this working folder, as a server has its data folder.
fn works_in(pid: u32, folder: &Path) -> bool {
    let theirs = fs::read_link(format!("/proc/{pid}/cwd"));
    theirs.is_ok_and(|theirs| fs::canonicalize(folder).is_ok_and(|ours| theirs == ours))
}

fn remove_if_there(path: &Path) -> Result<(), SitesError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(SitesError::file(path, "remove")(error))
        }
        _ => Ok(()),
    }
}

/// Percent-encoding of what has a meaning in a connection URL.
fn escaped(c: char) -> String {
    if c.is_ascii_alphanumeric() || "/-._~".contains(c) {
        return c.to_string();
    }
    let mut bytes = [0; 4];
    c.encode_utf8(&mut bytes).bytes().map(|byte| format!("%{byte:02X}")).collect()
}
