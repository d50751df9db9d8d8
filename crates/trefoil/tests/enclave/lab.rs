//! Starts an enclave by the command that its users type, and runs psql against it.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// Subjects of a test's enclave: enough for results larger than a window, few enough to start quickly.
pub const SUBJECTS: u32 = 3_000;
/// How often an enclave is asked whether a part that was ended is back.
const BACK_TRIES_MAX: u32 = 300;
/// Between two such questions.
const BACK_POLL_MS: u64 = 200;

/// A running enclave; it ends with the test.
pub struct Enclave {
    pub dir: PathBuf,
    pub info: Value,
    _root: TempDir,
}

/// Somebody who connects.
#[derive(Clone, Copy, Debug)]
pub struct Who {
    pub name: &'static str,
    pub place: &'static str,
    pub options: &'static str,
}

pub const AOIFE: Who =
    Who { name: "aoife", place: "ireland", options: "-c trefoil.purpose=support -c trefoil.ticket=SUP-1" };
pub const BILLING: Who = Who { name: "billing", place: "ireland", options: "-c trefoil.purpose=billing" };
pub const MAEVE: Who =
    Who { name: "maeve", place: "ireland", options: "-c trefoil.purpose=support -c trefoil.ticket=SUP-1" };
pub const WEI: Who =
    Who { name: "wei", place: "china", options: "-c trefoil.purpose=support -c trefoil.ticket=SUP-1" };
pub const LUKAS: Who = Who { name: "lukas", place: "germany", options: "-c trefoil.purpose=analytics" };

impl Enclave {
    pub fn start() -> Enclave {
        Enclave::start_with(up)
    }

    /// Likewise, however it is brought up.
    pub fn start_with(up: impl FnOnce(&Path) -> Value) -> Enclave {
        let root = tempfile::tempdir().unwrap();
        // The user that PostgreSQL runs as passes through it, so that the sites are in it as well, and go with it.
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o711)).unwrap();
        let dir = root.path().join("enclave");
        let info = up(&dir);
        Enclave { dir, info, _root: root }
    }

    /// Runs `trefoil` on this enclave.
    pub fn trefoil(&self, arguments: &[&str]) -> Output {
        trefoil().args(arguments).arg("--dir").arg(&self.dir).output().unwrap()
    }

    /// What `trefoil status` says.
    pub fn status(&self) -> Value {
        serde_json::from_slice(&self.trefoil(&["status", "--json"]).stdout).unwrap()
    }

    /// The entries of the record, of one kind.
    pub fn shown(&self, kind: &str) -> Vec<Value> {
        let shown = self.trefoil(&["record", "show", "--json"]);
        assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
        let lines = String::from_utf8(shown.stdout).unwrap();
        let entries = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        entries.filter(|entry| entry["entry"]["kind"] == kind).collect()
    }

    /// Every check of the record passes, and the monitor has nothing to complain of.
    pub fn is_of_one_mind(&self) {
        let verified = self.trefoil(&["record", "verify"]);
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
        assert_eq!(self.breaches(), Vec::<Value>::new());
    }

    /// What the monitor refused. What detectors think of a test's habits is another matter.
    pub fn breaches(&self) -> Vec<Value> {
        let listed = self.monitor(&["incidents", "list", "--json"]);
        let incidents = listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        incidents.filter(|incident| incident["refused_entries"] != 0).collect()
    }

    /// The monitor takes over the bundle, as the third party does it.
    pub fn accept(&self) {
        let bundle = self.dir.join("bundle");
        self.monitor(&["accept", "--bundle", bundle.to_str().unwrap()]);
    }

    /// Runs the third party's own program on the monitor; answers what it prints.
    pub fn monitor(&self, arguments: &[&str]) -> String {
        let program = Path::new(env!("CARGO_BIN_EXE_trefoil")).with_file_name("trefoil-monitor");
        let mut command = Command::new(program);
        let output = command.args(arguments).arg("--dir").arg(self.dir.join("monitor")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What the gate answers at the socket at which it takes orders.
    pub fn order(&self, order: &Value) -> Value {
        let mut gate = UnixStream::connect(self.dir.join("gate/control.sock")).unwrap();
        writeln!(gate, "{order}").unwrap();
        let mut said = String::new();
        gate.read_to_string(&mut said).unwrap();
        serde_json::from_str(&said).unwrap()
    }

    /// The process of a part, if it runs.
    pub fn process(&self, part: &str) -> Option<Pid> {
        let status = self.status();
        let part = status["parts"].as_array().unwrap().iter().find(|found| found["name"] == part).unwrap();
        Pid::from_raw(i32::try_from(part["pid"].as_i64()?).unwrap())
    }

    /// Ends parts as a power cut would.
    pub fn kill(&self, parts: &[&str]) {
        let processes: Vec<_> = parts.iter().filter_map(|part| self.process(part)).collect();
        for process in processes {
            let _ = kill_process(process, Signal::KILL);
        }
    }

    /// `trefoil up`, and a query that is answered.
    pub fn bring_back(&self) {
        let mut said = String::new();
        for _ in 0..BACK_TRIES_MAX {
            // A supervisor that is dying, or has not heard of a death yet, may have been asked.
            said = try_up(&self.dir).map_or_else(|said| said, |_| self.gate(AOIFE, &["SELECT 'here'"]));
            if said.trim() == "here" {
                return;
            }
            sleep(Duration::from_millis(BACK_POLL_MS));
        }
        panic!("not back: {said}\n{}\n{}", self.log("gate"), self.log("monitor"));
    }

    /// The end of a part's log, for a test that fails.
    pub fn log(&self, part: &str) -> String {
        let log = fs::read_to_string(self.dir.join(format!("logs/{part}.log"))).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    pub fn listener(&self, place: &str) -> (String, u16) {
        let listeners = self.info["listeners"].as_array().unwrap();
        let found = listeners.iter().find(|l| l["place"] == place).unwrap();
        (found["host"].as_str().unwrap().to_owned(), u16::try_from(found["port"].as_u64().unwrap()).unwrap())
    }

    pub fn password(&self, principal: &str) -> String {
        let principals = self.info["principals"].as_array().unwrap();
        let found = principals.iter().find(|p| p["name"] == principal).unwrap();
        found["password"].as_str().unwrap().to_owned()
    }

    pub fn site(&self, name: &str) -> &Value {
        self.info["sites"].as_array().unwrap().iter().find(|s| s["name"] == name).unwrap()
    }

    /// psql through the gate; each statement is a query of its own.
    pub fn gate(&self, who: Who, statements: &[&str]) -> String {
        psql(&self.target(who), &[("PGPASSWORD", &self.password(who.name))], statements)
    }

    /// `trefoil sites …`, which has to succeed; its JSON.
    pub fn sites_command(&self, arguments: &[&str]) -> Value {
        let output = self.trefoil(&[&["sites"], arguments, &["--json"]].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}\n{}", self.log("gate"));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// psql through the gate that stays open.
    pub fn open(&self, who: Who) -> Open {
        let mut command = Command::new("psql");
        command.args(["-X", "-A", "-t", "-v", "VERBOSITY=verbose", &self.target(who)]);
        command.env("PGPASSWORD", self.password(who.name));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Open { psql: command.spawn().expect("psql is installed by ./test") }
    }

    /// Where psql finds the gate, as this person.
    pub fn target(&self, who: Who) -> String {
        let (host, port) = self.listener(who.place);
        format!(
            "host={host} port={port} dbname=trefoil user={} sslmode=verify-full sslrootcert={} options='{}'",
            who.name,
            self.info["ca"].as_str().unwrap(),
            who.options,
        )
    }

    /// psql at a site as the administrator.
    pub fn admin(&self, site: &str, statements: &[&str]) -> String {
        psql(self.site(site)["admin_url"].as_str().unwrap(), &[], statements)
    }

    /// psql at a site with a pool role's own two keys: what the wall alone holds against.
    pub fn wall(&self, profile: &str, number: u16, statements: &[&str]) -> String {
        let site = self.site("dublin-1");
        let role = self.role(profile, "dublin-1", number);
        let secrets: Value =
            serde_json::from_slice(&fs::read(self.dir.join("gate/secrets.json")).unwrap()).unwrap();
        let (certificate, key) = self.certificate(&role);
        let target = format!(
            "host={} port={} dbname=trefoil user={role} sslmode=verify-full sslrootcert={} sslcert={} sslkey={}",
            site["host"].as_str().unwrap(),
            site["port"],
            self.info["ca"].as_str().unwrap(),
            certificate.display(),
            key.display(),
        );
        let password = secrets["pool"][&role].as_str().unwrap();
        // A role has one connection, and the backend of its last one may take a moment to end.
        for _ in 0..200 {
            let said = psql(&target, &[("PGPASSWORD", password)], statements);
            if !said.contains("too many connections for role") {
                return said;
            }
            sleep(Duration::from_millis(50));
        }
        panic!("the last session of {role} does not end");
    }

    /// The pool role of a profile, by its name in the example.
    pub fn role(&self, profile: &str, site: &str, number: u16) -> String {
        let files = access::bundle_files(&self.dir.join("bundle")).unwrap();
        let bundle = policy::Bundle::read(&files).unwrap();
        let found = bundle.profiles().iter().find(|p| p.name == profile).unwrap();
        wall::names::pool_role(&found.hash, site, number)
    }

    /// A certificate for a role from the monitor's own CA, as only a monitor that is broken would issue.
    pub fn certificate(&self, role: &str) -> (PathBuf, PathBuf) {
        let ca_key =
            KeyPair::from_pem(&fs::read_to_string(self.dir.join("monitor/ca.key")).unwrap()).unwrap();
        let ca_pem = fs::read_to_string(self.dir.join("monitor/ca.pem")).unwrap();
        let issuer = Issuer::from_ca_cert_pem(&ca_pem, ca_key).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, role);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let folder = self.dir.parent().unwrap();
        let (pem, secret) = (folder.join(format!("{role}.pem")), folder.join(format!("{role}.key")));
        fs::write(&pem, certificate.pem()).unwrap();
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&secret).unwrap();
        file.write_all(key.serialize_pem().as_bytes()).unwrap();
        (pem, secret)
    }
}

/// A psql that waits for its next statement.
pub struct Open {
    psql: std::process::Child,
}

impl Open {
    pub fn say(&mut self, statement: &str) {
        let stdin = self.psql.stdin.as_mut().unwrap();
        // One that has ended is found out by what it said.
        let _ = stdin.write_all(format!("{statement}\n").as_bytes()).and_then(|()| stdin.flush());
    }

    /// Reads lines until one of them is this.
    pub fn wait_for(&mut self, line: &str) {
        let (mut said, mut byte) = (Vec::new(), [0]);
        while !said.ends_with(format!("{line}\n").as_bytes()) {
            let read = self.psql.stdout.as_mut().unwrap().read(&mut byte).unwrap();
            assert!(read == 1, "{}", String::from_utf8_lossy(&said));
            said.push(byte[0]);
        }
    }

    /// What else it said.
    pub fn end(mut self) -> String {
        drop(self.psql.stdin.take());
        let output = self.psql.wait_with_output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }
}

impl Drop for Enclave {
    fn drop(&mut self) {
        let _ = self.trefoil(&["down"]);
    }
}

pub fn trefoil() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trefoil"));
    command.stdin(Stdio::null());
    command
}

/// `trefoil up` in the background; its JSON.
pub fn up(dir: &Path) -> Value {
    try_up(dir).unwrap_or_else(|said| panic!("trefoil up: {said}"))
}

/// Likewise; what it said if it did not come up.
pub fn try_up(dir: &Path) -> Result<Value, String> {
    try_up_with(dir, &[])
}

/// Likewise, with further arguments.
pub fn try_up_with(dir: &Path, arguments: &[&str]) -> Result<Value, String> {
    let subjects = SUBJECTS.to_string();
    let output = trefoil()
        .args(["up", "--detach", "--json", "--subjects", &subjects, "--dir"])
        .arg(dir)
        .args(arguments)
        .output()
        .unwrap();
    if output.status.success() {
        return Ok(serde_json::from_slice(&output.stdout).unwrap());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// What psql prints, errors with their SQLSTATE included.
pub fn psql(target: &str, environment: &[(&str, &str)], statements: &[&str]) -> String {
    let mut command = Command::new("psql");
    command.args(["-X", "-A", "-t", "-v", "VERBOSITY=verbose", target]).stdin(Stdio::null());
    command.env("PGCONNECT_TIMEOUT", "10").envs(environment.iter().copied());
    for statement in statements {
        command.args(["-c", statement]);
    }
    let output = command.output().expect("psql is installed by ./test");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
