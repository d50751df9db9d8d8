//! What is measured: an enclave started by the release `trefoil up`, and its peers. PostgreSQL itself is a copy of one
//! site's cluster with the wall's door open, because the enclave's own sites admit nobody but the gate and a gate
//! closes on drift; pgbouncer stands before that copy, once with TLS on both legs and once without.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::Access;
use super::cpu::{self, Watched};
use super::shell::{self, Server};

const SITE: &str = "dublin-1";
const WHO: &str = "aoife";
const PASSWORD: &str = "bench";
const READY_SECS_MAX: u32 = 60;
/// Sessions beside those of the largest run: earlier ones that are still ending.
const SPARE_SESSIONS: u32 = 64;

/// A way to the data.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) tls: bool,
    pub(crate) connection: String,
    pub(crate) watched: Vec<Watched>,
}

pub(crate) struct Lab {
    pub(crate) dir: PathBuf,
    pub(crate) pgbench: PathBuf,
    pub(crate) psql: PathBuf,
    pub(crate) script: PathBuf,
    pub(crate) scratch: PathBuf,
    pub(crate) targets: Vec<Target>,
    pub(crate) versions: String,
    trefoil: PathBuf,
    keep: bool,
    _servers: Vec<Server>,
}

impl Drop for Lab {
    fn drop(&mut self) {
        if self.keep {
            eprintln!("the enclave stays in {}; press Enter to end it", self.dir.display());
            let _ = std::io::stdin().read_line(&mut String::new());
        }
        let _ = shell::run(&mut trefoil(&self.trefoil, "down", &self.dir));
        self._servers.clear();
        if !self.keep {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

/// Where PostgreSQL's programs are.
fn programs() -> Vec<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    found.sort();
    found.into_iter().rev().map(|(_, path)| path).chain([PathBuf::from("/usr/sbin")]).collect()
}

fn trefoil(program: &Path, subcommand: &str, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg(subcommand).arg("--dir").arg(dir.join("enclave"));
    command
}

impl Lab {
    pub(crate) fn start(asked: &Access) -> Result<Self, String> {
        let folders = programs();
        let pgbouncer = shell::find("pgbouncer", &folders, "pgbouncer")?;
        let pgbench = shell::find("pgbench", &folders, "postgresql-contrib")?;
        let psql = shell::find("psql", &folders, "postgresql-client")?;
        let postgres = shell::find("postgres", &folders, "postgresql")?;
        let program = release_program()?;
        let dir = asked.dir.clone();
        if dir.exists() {
            let _ = shell::run(&mut trefoil(&program, "down", &dir));
            fs::remove_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        }
        let clients = asked.clients.iter().copied().max().unwrap_or(1);
        let bundle = bundle(&dir, asked.enclave_files.as_deref(), clients + SPARE_SESSIONS)?;
        let first = ["--subjects".to_owned(), asked.subjects.to_string(), "--enclave".to_owned()];
        up(&program, &dir, |command| command.args(first).arg(&bundle))?;
        shell::run(&mut trefoil(&program, "down", &dir))?;
        let mut peers = Peers { dir: dir.clone(), psql: psql.clone(), servers: Vec::new() };
        peers.postgres(&postgres)?;
        let ready = up(&program, &dir, |command| command)?;
        let mut targets = vec![
            Target {
                name: "direct",
                tls: true,
                connection: peers.connection(PEER_PORT, true),
                watched: vec![],
            },
            Target {
                name: "direct",
                tls: false,
                connection: peers.connection(PEER_PORT, false),
                watched: vec![],
            },
            peers.pgbouncer(&pgbouncer, true)?,
            peers.pgbouncer(&pgbouncer, false)?,
        ];
        targets.insert(0, gate(&dir, &ready)?);
        let script = dir.join("look-up.sql");
        let text = format!(
            "\\set id random(1, {})\nSELECT full_name, country FROM users WHERE id = :id\n",
            asked.subjects
        );
        fs::write(&script, text).map_err(|e| e.to_string())?;
        let scratch = dir.join("scratch");
        fs::create_dir_all(&scratch).map_err(|e| e.to_string())?;
        let versions = [postgres.as_path(), pgbouncer.as_path()].map(version).join(", ");
        let Peers { servers, .. } = peers;
        Ok(Self {
            dir,
            pgbench,
            psql,
            script,
            scratch,
            targets,
            versions,
            trefoil: program,
            keep: asked.keep,
            _servers: servers,
        })
    }
}

impl Lab {
    /// How long the last releases waited for their witness: p50 and p99 in microseconds, if the gate says so.
    pub(crate) fn witness_waits(&self) -> Option<(f64, f64)> {
        let text = shell::run(trefoil(&self.trefoil, "status", &self.dir).arg("--json")).ok()?;
        let status: Value = serde_json::from_str(&text).ok()?;
        let us = |key: &str| Some(status.get("waits")?.get(key)?.as_f64()? * 1_000.0);
        Some((us("p50_ms")?, us("p99_ms")?))
    }
}

fn version(program: &Path) -> String {
    let said = shell::run(Command::new(program).arg("--version")).unwrap_or_default();
    said.lines().next().unwrap_or_default().to_owned()
}

/// Starts the enclave; what it says of itself.
fn up(program: &Path, dir: &Path, first: impl FnOnce(&mut Command) -> &mut Command) -> Result<Value, String> {
    let mut command = trefoil(program, "up", dir);
    let text = shell::run(first(command.args(["--detach", "--json"])))?;
    serde_json::from_str(&text).map_err(|e| format!("trefoil up --json: {e}"))
}

/// Beside our own program: `cargo xtask` and `./up` build into the same folder.
fn release_program() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|e| e.to_string())?;
    let program = own.with_file_name("trefoil");
    if program.is_file() && own.with_file_name("trefoil-monitor").is_file() {
        return Ok(program);
    }
    Err(format!("{} is not built: run `./up --build-only`", program.display()))
}

/// The enclave's files with room for all clients, and nothing else changed.
fn bundle(dir: &Path, files: Option<&Path>, sessions: u32) -> Result<PathBuf, String> {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/europe");
    let from = files.unwrap_or(&example);
    let to = dir.join("bundle");
    fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    shell::run(Command::new("cp").arg("-r").arg(from).arg(&to))?;
    let file = to.join("enclave.toml");
    let text = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    let changed = text.lines().map(|line| {
        if line.starts_with("sessions_per_profile") {
            format!("sessions_per_profile = {sessions}\n")
        } else {
            format!("{line}\n")
        }
    });
    fs::write(&file, changed.collect::<String>()).map_err(|e| format!("{}: {e}", file.display()))?;
    Ok(to)
}

fn gate(dir: &Path, ready: &Value) -> Result<Target, String> {
    let named = |list: &str, key: &str, name: &str| {
        let list = ready.get(list).and_then(Value::as_array).into_iter().flatten();
        list.clone().find(|item| item.get(key).and_then(Value::as_str) == Some(name)).cloned()
    };
    let principal = named("principals", "name", WHO).ok_or("no principal to measure with")?;
    let text = |key: &str| principal.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let listener = named("listeners", "place", &text("place")).ok_or("no listener to measure with")?;
    let port = listener.get("port").and_then(Value::as_u64).ok_or("no port to measure with")?;
    let state = fs::read_to_string(dir.join("enclave/run/supervisor.json")).map_err(|e| e.to_string())?;
    let state: Value = serde_json::from_str(&state).map_err(|e| e.to_string())?;
    let pid = |name: &str| {
        let parts = state.get("parts").and_then(Value::as_array).into_iter().flatten();
        let part = parts.clone().find(|part| part.get("name").and_then(Value::as_str) == Some(name));
        let pid = part.and_then(|part| part.get("pid")?.as_u64()).and_then(|pid| u32::try_from(pid).ok());
        pid.ok_or_else(|| format!("{name} does not run"))
    };
    let connection = format!(
        "host=127.0.0.1 port={port} dbname=trefoil user={WHO} password={} sslmode=require \
         options='-c trefoil.purpose=support -c trefoil.ticket=SUP-1000'",
        text("password")
    );
    let watched = vec![
        Watched { pid: pid("gate")?, group: cpu::gate },
        Watched { pid: pid("monitor")?, group: cpu::monitor },
    ];
    Ok(Target { name: "trefoil", tls: true, connection, watched })
}

const PEER_PORT: u16 = 19_432;
const POOL_PORT: u16 = 19_433;
const POOL_TLS_PORT: u16 = 19_434;

struct Peers {
    dir: PathBuf,
    psql: PathBuf,
    servers: Vec<Server>,
}

impl Peers {
    fn folder(&self) -> PathBuf {
        self.dir.join("peer")
    }

    fn connection(&self, port: u16, tls: bool) -> String {
        let mode = if tls { "require" } else { "disable" };
        format!(
            "host=127.0.0.1 port={port} dbname=trefoil user=bench password={PASSWORD} sslmode={mode} connect_timeout=5"
        )
    }

    /// Copies the cluster, opens its door, and makes a role that is like a pool role but not bound to a certificate.
    fn postgres(&mut self, program: &Path) -> Result<(), String> {
        let folder = self.folder();
        let data = folder.join("data");
        fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let from = self.dir.join("enclave/sites").join(SITE).join("data");
        shell::run(Command::new("cp").arg("-a").arg(from).arg(&data))?;
        let conf = data.join("postgresql.conf");
        let mut text = fs::read_to_string(&conf).map_err(|e| e.to_string())?;
        text.push_str(&format!(
            "port = {PEER_PORT}\nunix_socket_directories = '{}'\nmax_logical_replication_workers = 0\n",
            folder.display()
        ));
        fs::write(&conf, text).map_err(|e| e.to_string())?;
        let door = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
        fs::write(data.join("pg_hba.conf"), door).map_err(|e| e.to_string())?;
        shell::give_to_server(&folder)?;
        let mut command = shell::as_server(program);
        self.servers.push(Server::start(command.arg("-D").arg(&data), &self.dir.join("peer.log"))?);
        self.wait(&format!("host={} port={PEER_PORT} dbname=trefoil user=trefoil_admin", folder.display()))?;
        self.role()
    }

    fn role(&self) -> Result<(), String> {
        let sql = format!(
            "DO $$ DECLARE setting text; model oid; roles text; BEGIN
               SELECT m.member INTO model FROM pg_auth_members m JOIN pg_roles p ON p.oid = m.member
                 JOIN pg_db_role_setting s ON s.setrole = p.oid
                 WHERE p.rolname LIKE 'tp\\_%\\_001' AND s.setconfig::text LIKE '%search_path=support%' LIMIT 1;
               SELECT string_agg(quote_ident(r.rolname), ', ') INTO roles
                 FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid WHERE m.member = model;
               EXECUTE format('CREATE ROLE bench LOGIN PASSWORD %L IN ROLE %s', '{PASSWORD}', roles);
               FOR setting IN SELECT unnest(setconfig) FROM pg_db_role_setting WHERE setrole = model LOOP
                 IF setting LIKE 'search_path=%' THEN
                   EXECUTE 'ALTER ROLE bench SET ' || setting;
                 ELSE
                   EXECUTE format('ALTER ROLE bench SET %I = %L',
                     split_part(setting, '=', 1), split_part(setting, '=', 2));
                 END IF;
               END LOOP;
             END $$"
        );
        let admin =
            format!("host={} port={PEER_PORT} dbname=trefoil user=trefoil_admin", self.folder().display());
        shell::run(Command::new(&self.psql).args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", &sql, &admin]))
            .map(drop)
    }

    fn pgbouncer(&mut self, program: &Path, tls: bool) -> Result<Target, String> {
        let folder = self.folder();
        let (name, port) = if tls { ("tls", POOL_TLS_PORT) } else { ("plain", POOL_PORT) };
        let users = folder.join("users.txt");
        fs::write(&users, format!("\"bench\" \"{PASSWORD}\"\n")).map_err(|e| e.to_string())?;
        let mut text = format!(
            "[databases]\ntrefoil = host=127.0.0.1 port={PEER_PORT}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\n\
             pool_mode = session\nmax_client_conn = 2000\ndefault_pool_size = 1000\nlog_connections = 0\n\
             log_disconnections = 0\n",
            users.display()
        );
        if tls {
            let data = folder.join("data");
            text.push_str(&format!(
                "client_tls_sslmode = require\nclient_tls_cert_file = {0}/server.pem\nclient_tls_key_file = \
                 {0}/server.key\nserver_tls_sslmode = require\n",
                data.display()
            ));
        }
        let ini = folder.join(format!("pgbouncer-{name}.ini"));
        fs::write(&ini, text).map_err(|e| e.to_string())?;
        shell::give_to_server(&folder)?;
        let log = self.dir.join(format!("pgbouncer-{name}.log"));
        let server = Server::start(shell::as_server(program).arg(&ini), &log)?;
        let connection = self.connection(port, tls);
        let watched = vec![Watched { pid: server.pid(), group: cpu::pgbouncer }];
        self.servers.push(server);
        self.wait(&connection)?;
        Ok(Target { name: "pgbouncer", tls, connection, watched })
    }

    fn wait(&self, connection: &str) -> Result<(), String> {
        let mut last = String::new();
        for _ in 0..READY_SECS_MAX * 5 {
            match shell::run(Command::new(&self.psql).args(["-X", "-q", "-c", "SELECT 1", connection])) {
                Ok(_) => return Ok(()),
                Err(problem) => last = problem,
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Err(last)
    }
}
