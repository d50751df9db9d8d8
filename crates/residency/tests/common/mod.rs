//! A real PostgreSQL for tests: one cluster in a temporary folder, clean by every check, and what is done to it. Not here:
//! any check.
#![allow(dead_code, reason = "each test program uses a part of this")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends when it cannot go on"
)]

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use residency::{Expectations, Home, Hosts, Identity, Network, Report, Site, Target};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// The password of every role of a test.
pub const PASSWORD: &str = "a test's";
/// In no output of a checker: what seeds give as passwords.
pub const SECRET: &str = "hunter2";

const CONF: &str = "\
listen_addresses = '127.0.0.1'
wal_level = logical
max_prepared_transactions = 4
max_wal_size = 1GB
log_connections = on
log_replication_commands = on
wal_recycle = off
fsync = off
synchronous_commit = off
shared_buffers = 16MB
";
const HBA: &str = "\
local all postgres peer map=test
host all trefoil_residency 127.0.0.1/32 scram-sha-256
host all stranger 127.0.0.1/32 scram-sha-256
";
const TABLES: &str = "\
CREATE ROLE app;
CREATE TABLE public.users (id bigint PRIMARY KEY, home text NOT NULL, CONSTRAINT at_home CHECK (home IN ('eu')));
CREATE TABLE public.posts (id bigint, home text NOT NULL) PARTITION BY LIST (home);
CREATE TABLE public.posts_eu PARTITION OF public.posts FOR VALUES IN ('eu');
INSERT INTO public.users SELECT n, 'eu' FROM generate_series(1, 100) n;
INSERT INTO public.posts SELECT n, 'eu' FROM generate_series(1, 100) n;
CREATE FUNCTION public.harmless() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
ANALYZE;
";

/// A running cluster; it ends with this.
pub struct Cluster {
    pub dir: TempDir,
    pub port: u16,
    server: Option<Child>,
}

/// A server program, as the user who runs servers, to be ended with us.
pub fn program(name: &str) -> Command {
    let newest = fs::read_dir("/usr/lib/postgresql").unwrap().filter_map(|entry| {
        let path = entry.unwrap().path();
        let major: u32 = path.file_name()?.to_str()?.parse().ok()?;
        path.join("bin/initdb").is_file().then_some((major, path))
    });
    let (_, programs) = newest.max().expect("PostgreSQL is installed");
    let mut command = Command::new("setpriv");
    if rustix::process::geteuid().is_root() {
        command.args(["--reuid", "postgres", "--regid", "postgres", "--init-groups"]);
    }
    command.args(["--pdeathsig", "INT", "--"]).arg(programs.join("bin").join(name)).current_dir("/");
    command.env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
}

/// Gives a path to the user who runs servers.
pub fn give(path: &Path) {
    if rustix::process::geteuid().is_root() {
        let id = |flag: &str| {
            let out = Command::new("id").args([flag, "postgres"]).output().unwrap();
            String::from_utf8(out.stdout).unwrap().trim().parse().unwrap()
        };
        chown(path, Some(id("-u")), Some(id("-g"))).unwrap();
    }
}

fn run(command: &mut Command) {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Cluster {
    /// Makes and starts a cluster that is clean by every check.
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        give(dir.path());
        let mut cluster = Self { dir, port: free_port(), server: None };
        let data = cluster.data();
        run(program("initdb")
            .arg("-D")
            .arg(&data)
            .args(["-U", "postgres", "--auth", "reject", "-E", "UTF8", "-N"]));
        cluster.append("postgresql.conf", &format!("{CONF}port = {}\n", cluster.port));
        cluster.append(
            "postgresql.conf",
            &format!("unix_socket_directories = '{}'\n", cluster.dir.path().display()),
        );
        fs::write(data.join("pg_hba.conf"), HBA).unwrap();
        cluster.append("pg_ident.conf", "test root postgres\ntest postgres postgres\n");
        let us = Command::new("id").arg("-un").output().unwrap().stdout;
        let us = String::from_utf8(us).unwrap();
        if !["root", "postgres"].contains(&us.trim()) {
            cluster.append("pg_ident.conf", &format!("test {} postgres\n", us.trim()));
        }
        cluster.up().await;
        let client = cluster.admin().await;
        client.batch_execute(TABLES).await.unwrap();
        let statements = wall::residency::lay("postgres").join(";\n");
        client.batch_execute(&statements).await.unwrap();
        let homes = "GRANT USAGE ON SCHEMA public TO trefoil_residency; \
                     GRANT SELECT (home) ON public.users, public.posts TO trefoil_residency";
        client.batch_execute(homes).await.unwrap();
        let password = format!("ALTER ROLE trefoil_residency PASSWORD {}", wall::names::literal(PASSWORD));
        client.batch_execute(&password).await.unwrap();
        cluster
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Starts the server and waits for it.
    pub async fn up(&mut self) {
        self.server = Some(serve(&self.data(), &self.dir.path().join("log")));
        for _ in 0..600 {
            if self.connect("postgres").await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{}", fs::read_to_string(self.dir.path().join("log")).unwrap());
    }

    pub async fn restart(&mut self) {
        stop(self.server.take());
        self.up().await;
    }

    /// Adds to a file of the data folder.
    pub fn append(&self, file: &str, text: &str) {
        let mut file = fs::OpenOptions::new().append(true).open(self.data().join(file)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    async fn connect(&self, database: &str) -> Result<Client, tokio_postgres::Error> {
        let mut config = tokio_postgres::Config::new();
        config.host_path(self.dir.path()).port(self.port).user("postgres").dbname(database);
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// The superuser, by Unix socket.
    pub async fn admin(&self) -> Client {
        self.connect("postgres").await.unwrap()
    }

    /// Somebody else, over the network.
    pub async fn login(&self, role: &str) -> Client {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.port).user(role).password(PASSWORD).dbname("postgres");
        let (client, connection) = config.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// A connection string for psql and its kin.
    pub fn words(&self) -> String {
        format!("host={} port={} user=postgres dbname=postgres", self.dir.path().display(), self.port)
    }

    /// This cluster as a site that is checked by this role.
    pub fn site(&self, role: &str) -> Site {
        let words = match role {
            "postgres" => self.words(),
            role => format!("host=127.0.0.1 port={} user={role} dbname=postgres", self.port),
        };
        let target = Target::parse(&words, Some(PASSWORD)).unwrap();
        Site { name: "dublin".to_owned(), target, expectations: expectations() }
    }
}

/// What is expected of a clean cluster.
pub fn expectations() -> Expectations {
    let home = |table: &str| Home {
        table: table.to_owned(),
        column: "home".to_owned(),
        homes: vec!["eu".to_owned()],
        rows: true,
    };
    let here = vec![Network::parse("127.0.0.1/32").unwrap()];
    let identity = |role: &str, from| Identity { role: role.to_owned(), from };
    Expectations {
        identities: Some(vec![identity("postgres", vec![]), identity("trefoil_residency", here)]),
        homes: vec![home("public.users"), home("public.posts")],
        ..Expectations::default()
    }
}

pub fn hosts() -> Hosts {
    Hosts { networks: vec![Network::parse("10.1.0.0/16").unwrap()], ..Hosts::default() }
}

pub async fn check(site: &Site) -> Report {
    residency::run(std::slice::from_ref(site), &hosts()).await
}

/// Starts a server over a data folder.
pub fn serve(data: &Path, log: &Path) -> Child {
    let log = fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
    program("postgres").arg("-D").arg(data).stderr(log).spawn().unwrap()
}

pub fn stop(server: Option<Child>) {
    let Some(mut server) = server else { return };
    let pid = rustix::process::Pid::from_child(&server);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap_or_default();
    server.wait().unwrap();
}

impl Drop for Cluster {
    fn drop(&mut self) {
        stop(self.server.take());
    }
}
