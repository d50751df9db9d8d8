//! A site that comes to an enclave in use: the others make room, it copies what they have, and all are as the bundle says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends when it cannot go on"
)]

mod common;

use common::{Enclave, bundle, text};
use policy::Bundle;

const SUBJECTS: u64 = 200;
/// Everything that anybody has, at one site.
const DIGESTS: [&str; 4] = [
    "SELECT count(*) || ' ' || md5(string_agg(t::text, ',' ORDER BY t::text)) FROM data.users t",
    "SELECT count(*) || ' ' || md5(string_agg(t::text, ',' ORDER BY t::text)) FROM data.payments t",
    "SELECT count(*) || ' ' || md5(string_agg(t::text, ',' ORDER BY t::text)) FROM data.messages t",
    "SELECT count(*) || ' ' || md5(string_agg(t::text, ',' ORDER BY t::text)) FROM pseudonym.analytics t",
];

/// The example, two sessions a profile, with so many of its sites.
fn with_sites(sites: usize) -> Bundle {
    bundle(|path, text| {
        let text = match path {
            "enclave.toml" => text.replace("sessions_per_profile = 8", "sessions_per_profile = 2"),
            _ => text,
        };
        if sites < 3 { text.replace("    { name = \"hamar\", country = \"NO\" },\n", "") } else { text }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_site_comes_to_two() {
    let mut enclave = Enclave::provisioned(with_sites(2), SUBJECTS).await;
    assert_eq!(unfinished(&enclave).await, Vec::<String>::new());
    let before = digests(&enclave, "dublin-1").await;

    enclave.change(with_sites(3)).await;
    assert_eq!(unfinished(&enclave).await, ["dublin-1", "dublin-2", "hamar"]);
    // Interrupted when the others know the newcomer and nobody follows it.
    for cluster in &enclave.clusters[..2] {
        let ddl = wall::baseline::extend(&enclave.bundle, cluster.site(), "hamar", &scopes());
        cluster.admin().await.unwrap().batch_execute(&ddl.join(";\n")).await.unwrap();
    }
    assert_eq!(unfinished(&enclave).await, ["dublin-1", "dublin-2", "hamar"]);
    enclave.provision(0).await;
    assert_eq!(unfinished(&enclave).await, Vec::<String>::new());

    for cluster in &enclave.clusters {
        assert_eq!(digests(&enclave, cluster.site()).await, before, "{}", cluster.site());
        let found =
            sites::check(cluster, &enclave.bundle, &policy::Homes::first(&enclave.bundle)).await.unwrap();
        assert_eq!(found.drift, [], "{}", found.site);
        assert!(!enclave.said(cluster).contains("conflict"), "{}", enclave.said(cluster));
    }
    for applied in enclave.provision(0).await {
        assert!(applied.nothing(), "{applied:?}");
    }
    it_is_a_site_like_the_others(&enclave).await;
}

/// What is written there reaches the others, they do not write it, and people read there.
async fn it_is_a_site_like_the_others(enclave: &Enclave) {
    let hamar = enclave.cluster("hamar").admin().await.unwrap();
    hamar.batch_execute("INSERT INTO data.users (id, handle) VALUES (-1, 'new')").await.unwrap();
    let token =
        "SELECT token FROM pseudonym.analytics JOIN data.users ON subject = trefoil_subject WHERE id = -1";
    let token_there = text(&hamar, token).await;
    for site in ["dublin-1", "dublin-2"] {
        let client = enclave.cluster(site).admin().await.unwrap();
        common::eventually(&client, token, &token_there).await;
        let refused = client.batch_execute("UPDATE data.users SET handle = 'x' WHERE id = -1").await;
        assert_eq!(refused.unwrap_err().as_db_error().unwrap().message(), wall::triggers::ELSEWHERE);
    }
    let support = enclave.session("support", "hamar", 1).await;
    let seen = support.query_one("SELECT count(*)::text FROM users", &[]).await.unwrap();
    assert_eq!(seen.get::<_, String>(0), (SUBJECTS + 1).to_string());
}

async fn unfinished(enclave: &Enclave) -> Vec<String> {
    sites::unfinished(&enclave.bundle, &enclave.clusters).await.unwrap()
}

async fn digests(enclave: &Enclave, site: &str) -> Vec<String> {
    let client = enclave.cluster(site).admin().await.unwrap();
    let mut digests = Vec::new();
    for query in DIGESTS {
        digests.push(text(&client, query).await);
    }
    digests
}

fn scopes() -> std::collections::BTreeSet<String> {
    ["analytics", "engineering"].map(str::to_owned).into()
}
