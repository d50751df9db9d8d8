//! The gate's peers: PostgreSQL itself, which is a copy of one site's cluster with the wall's door open, because the
//! enclave's own sites admit nobody but the gate and a gate closes on drift; and pgbouncer before that copy, once with
//! TLS on both legs and once without.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::cpu::{self, Watched};
use super::lab::{SITE, Target, Who};
use super::shell::{self, Server};

const PASSWORD: &str = "bench";
const READY_SECS_MAX: u32 = 60;
const PEER_PORT: u16 = 19_432;
const POOL_PORT: u16 = 19_433;
const POOL_TLS_PORT: u16 = 19_434;

pub(super) struct Peers {
    dir: PathBuf,
    psql: PathBuf,
    /// Process of pgbouncer, with TLS and without.
    pools: Vec<(bool, u32)>,
    pub(super) servers: Vec<Server>,
}

impl Peers {
    pub(super) fn new(dir: &Path, psql: &Path) -> Self {
        Self { dir: dir.to_owned(), psql: psql.to_owned(), pools: Vec::new(), servers: Vec::new() }
    }

    fn folder(&self) -> PathBuf {
        self.dir.join("peer")
    }

    fn connection(port: u16, tls: bool, who: &Who) -> String {
        let (role, mode) = (who.profile, if tls { "require" } else { "disable" });
        format!(
            "host=127.0.0.1 port={port} dbname=trefoil user=bench_{role} password={PASSWORD} sslmode={mode} connect_timeout=5"
        )
    }

    /// Copies the cluster and opens its door.
    pub(super) fn postgres(&mut self, program: &Path) -> Result<(), String> {
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
        self.wait(&self.admin())
    }

    fn admin(&self) -> String {
        format!("host={} port={PEER_PORT} dbname=trefoil user=trefoil_admin", self.folder().display())
    }

    /// Makes a role that is like a pool role of the profile but not bound to a certificate.
    pub(super) fn role(&self, who: &Who) -> Result<(), String> {
        let profile = who.profile;
        let sql = format!(
            "DO $$ DECLARE setting text; model oid; roles text; BEGIN
               SELECT m.member INTO model FROM pg_auth_members m JOIN pg_roles p ON p.oid = m.member
                 JOIN pg_db_role_setting s ON s.setrole = p.oid
                 WHERE p.rolname LIKE 'tp\\_%\\_001' AND s.setconfig::text LIKE '%search_path={profile}%' LIMIT 1;
               SELECT string_agg(quote_ident(r.rolname), ', ') INTO roles
                 FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid WHERE m.member = model;
               EXECUTE format('CREATE ROLE bench_{profile} LOGIN PASSWORD %L IN ROLE %s', '{PASSWORD}', roles);
               FOR setting IN SELECT unnest(setconfig) FROM pg_db_role_setting WHERE setrole = model LOOP
                 IF setting LIKE 'search_path=%' THEN
                   EXECUTE 'ALTER ROLE bench_{profile} SET ' || setting;
                 ELSE
                   EXECUTE format('ALTER ROLE bench_{profile} SET %I = %L',
                     split_part(setting, '=', 1), split_part(setting, '=', 2));
                 END IF;
               END LOOP;
             END $$"
        );
        let admin = self.admin();
        shell::run(Command::new(&self.psql).args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", &sql, &admin]))
            .map(drop)
    }

    /// Starts pgbouncer for these, and waits until it lets the first of them through.
    pub(super) fn pgbouncer(&mut self, program: &Path, tls: bool, whose: &[&Who]) -> Result<(), String> {
        let folder = self.folder();
        let (name, port) = if tls { ("tls", POOL_TLS_PORT) } else { ("plain", POOL_PORT) };
        let users = folder.join("users.txt");
        let lines = whose.iter().map(|who| format!("\"bench_{}\" \"{PASSWORD}\"\n", who.profile));
        fs::write(&users, lines.collect::<String>()).map_err(|e| e.to_string())?;
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
        self.pools.push((tls, server.pid()));
        self.servers.push(server);
        whose.first().map_or(Ok(()), |who| self.wait(&Self::connection(port, tls, who)))
    }

    /// Every way around the gate, as this role.
    pub(super) fn targets(&self, who: &Who) -> Vec<Target> {
        let direct = |tls| Target {
            name: "direct",
            tls,
            connection: Self::connection(PEER_PORT, tls, who),
            watched: vec![],
        };
        let pool = |(tls, pid): &(bool, u32)| Target {
            name: "pgbouncer",
            tls: *tls,
            connection: Self::connection(if *tls { POOL_TLS_PORT } else { POOL_PORT }, *tls, who),
            watched: vec![Watched { pid: *pid, group: cpu::pgbouncer }],
        };
        [true, false].map(direct).into_iter().chain(self.pools.iter().map(pool)).collect()
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
