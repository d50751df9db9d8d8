//! One cluster: it ends with who started it, starts again after any end, and finds a place to live wherever the
//! enclave's folder is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends when it cannot go on"
)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Stdio};

use common::{authority, example, free_ports, now};
use sites::ca::Authority;
use sites::{Cluster, Host};

/// The first site of the example, made in `dir`.
fn make(dir: &Path) -> Cluster {
    let bundle = example();
    let cluster =
        Cluster::at(&Host::find().unwrap(), dir, &bundle.enclave().sites[0], free_ports(1)[0]).unwrap();
    let operator = Authority::make("example operator", now()).unwrap();
    cluster.create(&bundle, &operator, &authority("example monitor").1, now()).unwrap();
    cluster
}

fn spawn(cluster: &Cluster) -> Child {
    cluster.command().unwrap().stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

async fn answers(cluster: &Cluster) {
    cluster.wait_ready().await.unwrap();
}

fn end(mut server: Child) {
    rustix::process::kill_process(rustix::process::Pid::from_child(&server), rustix::process::Signal::INT)
        .unwrap();
    assert!(server.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_ends_with_its_supervisor_and_starts_after_any_end() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = make(dir.path());
    let lock = cluster.folder().join("data/postmaster.pid");

    // The supervisor's thread ends: so does the server, in order.
    let (server, cluster) = std::thread::spawn(move || {
        let server = spawn(&cluster);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(answers(&cluster));
        (server, cluster)
    })
    .join()
    .unwrap();
    let mut server = server;
    assert!(server.wait().unwrap().success());
    assert!(!lock.exists());

    // Killed: its lock is left behind, and its number may be somebody else's by now.
    let mut server = spawn(&cluster);
    answers(&cluster).await;
    server.kill().unwrap();
    server.wait().unwrap();
    let left = fs::read_to_string(&lock).unwrap();
    fs::write(&lock, left.replace(&server.id().to_string(), &std::process::id().to_string())).unwrap();
    let server = spawn(&cluster);
    answers(&cluster).await;

    // Secrets are nobody else's to read.
    end(server);
    for name in ["server.key", "pg_hba.conf", "monitor-ca.pem"] {
        let mode = fs::metadata(cluster.folder().join("data").join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert!(cluster.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_path_has_a_short_socket() {
    let dir = tempfile::tempdir().unwrap();
    let long = dir.path().join("a folder with a name that is quite long".repeat(4));
    let cluster = make(&long);
    let server = spawn(&cluster);
    answers(&cluster).await;
    assert!(cluster.admin_url().contains("host=/tmp/trefoil-"), "{}", cluster.admin_url());
    end(server);
    let short = fs::read_link(cluster.folder().join("socket")).unwrap();
    // The same next time, and another when it is gone.
    let again = make(&long);
    assert_eq!(again.admin_url().split("&port").next(), cluster.admin_url().split("&port").next());
    fs::remove_dir_all(&short).unwrap();
    let moved = fs::read_link(make(&long).folder().join("socket")).unwrap();
    assert_ne!(moved, short);
    fs::remove_dir(moved).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_live_elsewhere_when_their_user_cannot_get_in() {
    let parent = tempfile::tempdir().unwrap();
    fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let dir = parent.path().join("enclave");
    let cluster = make(&dir);
    let mode = fs::metadata(parent.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "a folder above the enclave's is not ours to open");
    let server = spawn(&cluster);
    answers(&cluster).await;
    end(server);
    if rustix::process::geteuid().is_root() {
        let elsewhere = fs::read_link(dir.join("sites")).unwrap();
        assert!(elsewhere.starts_with("/var/lib/trefoil"));
        assert!(cluster.folder().starts_with(&elsewhere));
        fs::remove_dir_all(elsewhere).unwrap();
    }
}
