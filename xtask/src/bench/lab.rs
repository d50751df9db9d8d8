//! What is measured: an enclave started by the release `trefoil up`, as which of its principals, and the ways to the
//! data that are compared. How the peers beside it are made is in `peers`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::Access;
use super::cpu::{self, Watched};
use super::peers::Peers;
use super::shell::{self, Server};

/// Whose cluster is copied, and where the gate is asked to write.
pub(super) const SITE: &str = "dublin-1";
/// Sessions beside those of the largest run: earlier ones that are still ending.
const SPARE_SESSIONS: u32 = 64;

/// Somebody to measure as: a principal of the gate, and at the peers a role with the rights of that profile's roles.
pub(super) struct Who {
    pub(super) profile: &'static str,
    principal: &'static str,
    options: &'static str,
}

const READER: Who = Who {
    profile: "support",
    principal: "aoife",
    options: "-c trefoil.purpose=support -c trefoil.ticket=SUP-1000",
};
const WRITER: Who = Who {
    profile: "billing",
    principal: "billing",
    options: "-c trefoil.purpose=billing -c trefoil.site=dublin-1",
};

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
    pub(crate) scratch: PathBuf,
    /// The ways by which people read.
    pub(crate) readers: Vec<Target>,
    /// The ways by which a service writes.
    pub(crate) writers: Vec<Target>,
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
pub(super) fn programs() -> Vec<PathBuf> {
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
        let mut peers = Peers::new(&dir, &psql);
        peers.postgres(&postgres)?;
        let whose = [&READER, &WRITER];
        whose.iter().try_for_each(|who| peers.role(who))?;
        let ready = up(&program, &dir, |command| command)?;
        for tls in [true, false] {
            peers.pgbouncer(&pgbouncer, tls, &whose)?;
        }
        let [readers, writers] = whose.map(|who| {
            let mut targets = peers.targets(who);
            targets.insert(0, gate(&dir, &ready, who)?);
            Ok::<_, String>(targets)
        });
        let scratch = dir.join("scratch");
        fs::create_dir_all(&scratch).map_err(|e| e.to_string())?;
        let versions = [postgres.as_path(), pgbouncer.as_path()].map(version).join(", ");
        Ok(Self {
            dir,
            pgbench,
            psql,
            scratch,
            readers: readers?,
            writers: writers?,
            versions,
            trefoil: program,
            keep: asked.keep,
            _servers: peers.servers,
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
pub(super) fn release_program() -> Result<PathBuf, String> {
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

fn gate(dir: &Path, ready: &Value, who: &Who) -> Result<Target, String> {
    let named = |list: &str, key: &str, name: &str| {
        let list = ready.get(list).and_then(Value::as_array).into_iter().flatten();
        list.clone().find(|item| item.get(key).and_then(Value::as_str) == Some(name)).cloned()
    };
    let principal = named("principals", "name", who.principal)
        .ok_or_else(|| format!("the enclave has no principal {}, as which this measures", who.principal))?;
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
        "host=127.0.0.1 port={port} dbname=trefoil user={} password={} sslmode=require options='{}'",
        who.principal,
        text("password"),
        who.options
    );
    let watched = vec![
        Watched { pid: pid("gate")?, group: cpu::gate },
        Watched { pid: pid("monitor")?, group: cpu::monitor },
    ];
    Ok(Target { name: "trefoil", tls: true, connection, watched })
}
