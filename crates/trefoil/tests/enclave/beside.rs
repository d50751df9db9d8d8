//! Two enclaves on one machine, of different regions and policies: they share no key, password, port or file, and what
//! opens the one does not open the other. Then the second gets another site, and the first does not notice.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use super::lab::{AOIFE, Enclave, Who, psql, trefoil};

const SUBJECTS: &str = "300";
const GRACE: Who =
    Who { name: "grace", place: "texas", options: "-c trefoil.purpose=support -c trefoil.ticket=SUP-1" };
const GRACE_IN_PHOENIX: Who =
    Who { options: "-c trefoil.purpose=support -c trefoil.ticket=SUP-1 -c trefoil.site=phoenix", ..GRACE };
const GRACE_ABROAD: Who = Who { place: "singapore", ..GRACE };
const DANA: Who = Who { name: "dana", ..GRACE };
const BILLING_THERE: Who = Who { name: "billing", place: "virginia", options: "-c trefoil.purpose=billing" };
const MEILIN: Who = Who { name: "meilin", place: "singapore", options: "-c trefoil.purpose=metrics" };
const COUNT: &str = "SELECT count(*) FROM users";

#[test]
fn two_enclaves_share_nothing_and_one_grows() {
    let example = |name: &str| format!("{}/../../examples/{name}", env!("CARGO_MANIFEST_DIR"));
    let europe = Enclave::start_with(|dir| start(dir, &["--enclave", &example("europe")]));
    let mut texas = Enclave::start_with(|dir| start(dir, &["--enclave", &example("texas")]));
    shows_what_its_policy_says(&texas);
    nothing_is_shared(&europe, &texas);
    what_opens_one_does_not_open_the_other(&europe, &texas);
    let pids = processes(&europe);

    a_third_site(&mut texas);
    assert_eq!(processes(&europe), pids, "the other enclave goes on");
    for (enclave, who) in [(&europe, AOIFE), (&texas, GRACE)] {
        assert_eq!(enclave.gate(who, &[COUNT]).trim(), SUBJECTS);
        enclave.is_of_one_mind();
        let check = enclave.trefoil(&["check"]);
        assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    }
    nothing_is_shared(&europe, &texas);
}

fn start(dir: &Path, arguments: &[&str]) -> Value {
    let mut command = trefoil();
    command.args(["up", "--detach", "--json", "--subjects", SUBJECTS, "--dir"]).arg(dir).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Vetted staff in the country; everybody else gets figures that point at nobody.
fn shows_what_its_policy_says(texas: &Enclave) {
    let check = |who: Who, statement: &str, expected: &str| {
        let said = texas.gate(who, &[statement]);
        assert!(said.trim().contains(expected), "{} {statement}: {said}", who.name);
    };
    check(GRACE, COUNT, SUBJECTS);
    check(
        GRACE,
        "SELECT DISTINCT country || left(phone, 2) || currency FROM users JOIN payments ON user_id = users.id",
        "US+1USD",
    );
    check(GRACE, "SELECT DISTINCT account_number FROM payments", "***");
    check(GRACE_ABROAD, COUNT, "rule inside-the-country");
    check(DANA, COUNT, "rule vetted-staff-only");
    check(MEILIN, COUNT, SUBJECTS);
    let tour = texas.trefoil(&["tour"]);
    assert!(String::from_utf8_lossy(&tour.stderr).contains("the story of examples/europe"), "{tour:?}");
    check(MEILIN, "SELECT id FROM users", "profile \"metrics\" shows no column \"id\"");
}

fn nothing_is_shared(europe: &Enclave, texas: &Enclave) {
    for (what, of) in [
        ("port", ports as fn(&Enclave) -> BTreeSet<String>),
        ("key or password", keys),
        ("open file", open_files),
    ] {
        let (one, other) = (of(europe), of(texas));
        assert!(one.len() > 5 && other.len() > 5, "{what}: {one:?} {other:?}");
        assert_eq!(one.intersection(&other).collect::<Vec<_>>(), Vec::<&String>::new(), "{what}");
    }
}

/// Everything that its parts listen on.
fn ports(enclave: &Enclave) -> BTreeSet<String> {
    let kept: Value = serde_json::from_slice(&fs::read(enclave.dir.join("run/ports.json")).unwrap()).unwrap();
    let mut ports = BTreeSet::new();
    leaves(&kept, &mut ports);
    ports
}

/// Keys, certificates and passwords, public and secret ones.
fn keys(enclave: &Enclave) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in files(&enclave.dir) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let is_key = [".key", ".pem", ".age", ".csr"].iter().any(|end| name.ends_with(end));
        let is_password = ["secrets.json", "services.json", "stats.json", "stop.json", "principals.json"];
        if is_key {
            found.insert(String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned());
        } else if is_password.contains(&name.as_str()) {
            let mut all = BTreeSet::new();
            leaves(&serde_json::from_slice(&fs::read(&file).unwrap()).unwrap(), &mut all);
            found.extend(all.into_iter().filter(|text| text.len() >= 24));
        } else if name == "rule.policy" {
            found.extend(
                fs::read_to_string(&file).unwrap().lines().filter(|l| l.contains('+')).map(str::to_owned),
            );
        }
    }
    found
}

/// What its processes have open of the file system, but for what belongs to the machine.
fn open_files(enclave: &Enclave) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for pid in with_children(processes(enclave)) {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        for link in open.map(|fd| fd.path()) {
            let Ok(to) = fs::read_link(link) else { continue };
            let of_machine =
                ["/dev/null", "/dev/urandom", "/proc", "/usr"].iter().any(|of| to.starts_with(of));
            if to.is_absolute() && !of_machine {
                found.insert(to.display().to_string());
            }
        }
    }
    found
}

fn processes(enclave: &Enclave) -> Vec<u64> {
    let status = enclave.status();
    status["parts"].as_array().unwrap().iter().filter_map(|part| part["pid"].as_u64()).collect()
}

fn with_children(parents: Vec<u64>) -> Vec<u64> {
    let children = |pid: &u64| -> Vec<u64> {
        let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    };
    let of_all: Vec<u64> = parents.iter().flat_map(children).collect();
    parents.into_iter().chain(of_all).collect()
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    files.into_iter().chain(folders.iter().flat_map(|folder| self::files(folder))).collect()
}

/// The numbers and texts of a JSON value.
fn leaves(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => map.values().for_each(|value| leaves(value, found)),
        Value::Array(list) => list.iter().for_each(|value| leaves(value, found)),
        Value::String(text) => drop(found.insert(text.clone())),
        Value::Number(number) => drop(found.insert(number.to_string())),
        Value::Bool(_) | Value::Null => {}
    }
}

fn what_opens_one_does_not_open_the_other(europe: &Enclave, texas: &Enclave) {
    // A person's password, at the other's gate under the name of somebody there.
    let said = psql(&texas.target(GRACE), &[("PGPASSWORD", &europe.password("aoife"))], &[COUNT]);
    assert!(said.contains("authentication failed for \"grace\""), "{said}");
    // The other's gate is known by another authority.
    let target =
        texas.target(GRACE).replace(texas.info["ca"].as_str().unwrap(), europe.info["ca"].as_str().unwrap());
    let said = psql(&target, &[("PGPASSWORD", &texas.password("grace"))], &[COUNT]);
    assert!(said.contains("certificate verify failed"), "{said}");
    // The watch's password, at the other's site.
    let watch = |of: &Enclave, site: &str| {
        let secrets: Value =
            serde_json::from_slice(&fs::read(of.dir.join("gate/secrets.json")).unwrap()).unwrap();
        secrets["watch"][site].as_str().unwrap().to_owned()
    };
    let (ca, port) = (texas.info["ca"].as_str().unwrap(), &texas.site("ashburn")["port"]);
    let at_site = format!("host=127.0.0.1 port={port} dbname=trefoil sslmode=verify-full sslrootcert={ca}");
    let as_watch = |password: &str| {
        psql(&format!("{at_site} user=trefoil_watch"), &[("PGPASSWORD", password)], &["SELECT 'in'"])
    };
    assert_eq!(as_watch(&watch(texas, "ashburn")).trim(), "in");
    assert!(as_watch(&watch(europe, "hamar")).contains("password authentication failed"));
    // Both keys of a session, the second of the other's monitor.
    let role = texas.role("support", "ashburn", 1);
    let as_pool = |monitor: &Enclave| {
        let (certificate, key) = monitor.certificate(&role);
        let secrets: Value =
            serde_json::from_slice(&fs::read(texas.dir.join("gate/secrets.json")).unwrap()).unwrap();
        let target =
            format!("{at_site} user={role} sslcert={} sslkey={}", certificate.display(), key.display());
        psql(&target, &[("PGPASSWORD", secrets["pool"][&role].as_str().unwrap())], &["SELECT 'in'"])
    };
    assert_eq!(as_pool(texas).trim(), "in");
    let said = as_pool(europe);
    assert!(said.contains("SSL error") || said.contains("closed the connection"), "{said}");
    // A gate's certificate, at the other's monitor.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let knock = |gate: &Enclave| {
        let file = |name: &str| gate.dir.join("gate").join(name);
        let door = texas.dir.join("gate/monitor-door.pem");
        let tls = access::monitor_tls(&door, &file("monitor.pem"), &file("monitor.key")).unwrap();
        let url = texas.info["monitor"].as_str().unwrap();
        runtime.block_on(record::monitor_state(url, Some(&tls)))
    };
    assert!(knock(texas).is_ok());
    assert!(knock(europe).is_err());
}

/// A standby and a third site: named in enclave.toml, signed, accepted, and made at the next start.
fn a_third_site(texas: &mut Enclave) {
    let rule = fs::read_to_string(texas.dir.join("gate/rule.policy")).unwrap();
    let path = texas.dir.join("bundle/enclave.toml");
    let text = fs::read_to_string(&path).unwrap();
    let last = "    { name = \"san-antonio\", country = \"US\" },\n";
    let with = format!("{last}    {{ name = \"phoenix\", country = \"US\" }},\n");
    let text = text.replace(
        "{ name = \"ashburn\", country = \"US\" }",
        "{ name = \"ashburn\", country = \"US\", standby = true }",
    );
    fs::write(&path, text.replace(last, &with)).unwrap();

    assert!(texas.trefoil(&["down"]).status.success());
    let unsigned = trefoil().args(["up", "--detach", "--json", "--dir"]).arg(&texas.dir).output().unwrap();
    let said = String::from_utf8_lossy(&unsigned.stderr).into_owned();
    assert!(!unsigned.status.success() && said.contains("trefoil policy sign"), "{said}");
    assert!(texas.trefoil(&["policy", "sign"]).status.success());
    texas.accept();
    texas.info = start(&texas.dir.clone(), &[]);

    assert_eq!(texas.gate(GRACE_IN_PHOENIX, &[COUNT]).trim(), SUBJECTS);
    let homes = "SELECT string_agg(DISTINCT home_site, ' ') FROM data.users";
    assert_eq!(texas.admin("phoenix", &[homes]).trim(), "ashburn san-antonio");
    assert_eq!(fs::read_to_string(texas.dir.join("gate/rule.policy")).unwrap(), rule);
    reads_go_to_the_standby(texas);
}

/// Whoever only reads is served by the nearest site's standby, and by the site itself when it is gone. The monitor finds
/// what ran there explained.
fn reads_go_to_the_standby(texas: &Enclave) {
    let standing = || {
        let status = texas.status();
        let sites = status["sites"].as_array().unwrap();
        sites.iter().find(|site| site["name"] == "ashburn-standby").unwrap()["used"] == true
    };
    let wait_until = |used: bool| {
        for _ in 0..200 {
            if standing() == used {
                return;
            }
            sleep(Duration::from_millis(100));
        }
        panic!("the standby is used: {}\n{}", !used, texas.log("gate"));
    };
    // Calls of pool roles, as each server counts them.
    let calls = |server: &str| {
        let counted = "SELECT coalesce(sum(calls), 0) FROM trefoil_stats.counters() WHERE role LIKE 'tp\\_%'";
        texas.admin(server, &[counted]).trim().parse::<i64>().unwrap()
    };
    wait_until(true);
    let before = (calls("ashburn"), calls("ashburn-standby"));
    assert_eq!(texas.gate(GRACE, &[COUNT, COUNT]), format!("{SUBJECTS}\n{SUBJECTS}\n"));
    assert!(calls("ashburn") == before.0 && calls("ashburn-standby") >= before.1 + 2);
    // The billing service writes: it is at the site itself.
    let write = "UPDATE payments SET status = 'refunded' WHERE home_site = 'ashburn' AND id < 50";
    let said = texas.gate(BILLING_THERE, &[write]);
    assert!(said.starts_with("UPDATE "), "{said}");
    assert!(calls("ashburn") > before.0);
    let said = texas.gate(
        Who { options: "-c trefoil.purpose=billing -c trefoil.site=ashburn-standby", ..BILLING_THERE },
        &[COUNT],
    );
    assert!(said.contains("takes no writes"), "{said}");

    // The monitor reads the servers every five seconds, and the record three seconds longer.
    sleep(Duration::from_secs(9));
    let outside: Vec<String> = texas
        .monitor(&["incidents", "list", "--json"])
        .lines()
        .filter(|line| line.contains("-standby") && !line.contains("trefoil_admin"))
        .map(str::to_owned)
        .collect();
    assert_eq!(outside, Vec::<String>::new());

    texas.kill(&["site ashburn-standby"]);
    wait_until(false);
    assert_eq!(texas.gate(GRACE, &[COUNT]).trim(), SUBJECTS);
    start(&texas.dir, &[]);
    wait_until(true);
}
