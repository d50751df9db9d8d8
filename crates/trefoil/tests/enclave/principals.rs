//! A principal who is added gets in, and one who is removed does not, once the monitor has accepted it and the gate was
//! started again; not before. Not here: what the commands change in the files (`operator`).

use super::lab::{Enclave, psql, trefoil};

#[test]
fn a_principal_gets_in_when_operator_and_monitor_agree() {
    let mut enclave = Enclave::start();
    let add = ["principal", "add", "niamh", "--employer", "fernway-ireland", "--office", "ireland", "--json"];
    let added = enclave.trefoil(&[&add[..], &["--role", "support_agent"]].concat());
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let added: serde_json::Value = serde_json::from_slice(&added.stdout).unwrap();
    let password = added["password"].as_str().unwrap().to_owned();
    let said = ask(&enclave, &password);
    assert!(said.contains("authentication failed for \"niamh\""), "{said}");

    // The gate alone does not get ahead of the monitor.
    assert!(enclave.trefoil(&["down"]).status.success());
    let refused = trefoil().args(["up", "--detach", "--dir"]).arg(&enclave.dir).output().unwrap();
    assert!(!refused.status.success());
    assert!(enclave.trefoil(&["down"]).status.success());
    enclave.accept();
    enclave.info = super::lab::up(&enclave.dir);
    assert_eq!(ask(&enclave, &password).trim(), super::lab::SUBJECTS.to_string());

    let removed = enclave.trefoil(&["principal", "remove", "niamh"]);
    assert!(removed.status.success(), "{}", String::from_utf8_lossy(&removed.stderr));
    assert!(enclave.trefoil(&["down"]).status.success());
    enclave.accept();
    enclave.info = super::lab::up(&enclave.dir);
    let said = ask(&enclave, &password);
    assert!(said.contains("authentication failed for \"niamh\""), "{said}");
}

fn ask(enclave: &Enclave, password: &str) -> String {
    let (host, port) = enclave.listener("ireland");
    let target = format!(
        "host={host} port={port} dbname=trefoil user=niamh sslmode=verify-full sslrootcert={} options='-c \
         trefoil.purpose=support -c trefoil.ticket=SUP-1'",
        enclave.info["ca"].as_str().unwrap()
    );
    psql(&target, &[("PGPASSWORD", password)], &["SELECT count(*) FROM users"])
}
