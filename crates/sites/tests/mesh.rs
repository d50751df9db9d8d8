//! Sites together: every site holds every subject, replication carries tokens and does not loop, and a site refuses
//! to write what is not at home there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends when it cannot go on"
)]

mod common;

use std::time::Duration;

use common::{Enclave, eventually, example, text};

const SUBJECTS: u64 = 300;
/// The new subject's.
const TOKEN: &str =
    "SELECT token FROM pseudonym.analytics JOIN data.users ON subject = trefoil_subject WHERE id = -1";
const TABLES: [&str; 4] = ["data.users", "data.payments", "pseudonym.analytics", "pseudonym.engineering"];

#[tokio::test(flavor = "multi_thread")]
async fn sites_hold_the_same_and_write_their_own() {
    let mut enclave = Enclave::provisioned(example(), SUBJECTS).await;
    every_site_holds_everything(&enclave).await;
    tokens_are_in_random_order(&enclave).await;
    writes_travel_once(&enclave).await;
    siblings_rows_are_refused(&enclave).await;
    erasing_a_subject_erases_its_tokens(&enclave).await;
    for applied in enclave.provision(SUBJECTS).await {
        assert!(applied.nothing(), "{applied:?}");
    }
    a_killed_site_starts_again(&mut enclave).await;
}

async fn every_site_holds_everything(enclave: &Enclave) {
    for table in TABLES {
        let mut digests = Vec::new();
        for cluster in &enclave.clusters {
            let client = cluster.admin().await.unwrap();
            let query = format!(
                "SELECT count(*) || ' ' || md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {table} t"
            );
            digests.push(text(&client, &query).await);
        }
        assert!(digests.windows(2).all(|pair| pair[0] == pair[1]), "{table}: {digests:?}");
        let rows: u64 = digests[0].split(' ').next().unwrap().parse().unwrap();
        assert!(rows > 0 && (table == "data.payments" || rows == SUBJECTS), "{table}: {rows}");
    }
    let client = enclave.cluster("hamar").admin().await.unwrap();
    let homes = "SELECT count(DISTINCT home_site)::text FROM data.users";
    assert_eq!(text(&client, homes).await, "3", "subjects live at every site");
    let distinct =
        "SELECT count(*)::text FROM pseudonym.analytics a JOIN pseudonym.engineering e USING (token)";
    assert_eq!(text(&client, distinct).await, "0", "scopes share a token");
}

/// Neither a row's place on disk nor a token's says whose it is.
async fn tokens_are_in_random_order(enclave: &Enclave) {
    for cluster in &enclave.clusters {
        let client = cluster.admin().await.unwrap();
        let site = cluster.site();
        for table in [format!("data.\"users_{site}\""), format!("pseudonym.\"analytics_{site}\"")] {
            let link = if table.starts_with("data") { "trefoil_subject" } else { "subject" };
            let query = format!(
                "SELECT (count(*) FILTER (WHERE id > before) * 100 / count(*))::text FROM (SELECT u.id, \
                 lag(u.id) OVER (ORDER BY t.ctid) AS before FROM {table} t \
                 JOIN data.users u ON u.trefoil_subject = t.{link}) t"
            );
            let ascending: i64 = text(&client, &query).await.parse().unwrap();
            assert!((20..80).contains(&ascending), "{table}: {ascending} % lie in their subjects' order");
        }
    }
}

async fn writes_travel_once(enclave: &Enclave) {
    let home = enclave.cluster("dublin-1").admin().await.unwrap();
    home.batch_execute("INSERT INTO data.users (id, home_site, handle) VALUES (-1, 'dublin-1', 'new')")
        .await
        .unwrap();
    let token = text(&home, TOKEN).await;
    assert_eq!(token.len(), 32);
    for site in ["dublin-2", "hamar"] {
        let sibling = enclave.cluster(site).admin().await.unwrap();
        eventually(&sibling, TOKEN, &token).await;
        eventually(&sibling, "SELECT handle FROM data.users WHERE id = -1", "new").await;
    }
    home.batch_execute("UPDATE data.users SET followers = 1 WHERE id = -1").await.unwrap();
    for site in ["dublin-2", "hamar"] {
        let sibling = enclave.cluster(site).admin().await.unwrap();
        eventually(&sibling, "SELECT followers::text FROM data.users WHERE id = -1", "1").await;
    }
    // If a sibling sent it on, it would arrive here within this time, as an error or as another update.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    eventually(
        &home,
        "SELECT n_tup_upd::text FROM pg_stat_user_tables WHERE relname = 'users_dublin-1'",
        "1",
    )
    .await;
    for cluster in &enclave.clusters {
        let said = enclave.said(cluster);
        assert!(!said.contains("conflict") && !said.contains("duplicate key"), "{}: {said}", cluster.site());
    }
}

async fn siblings_rows_are_refused(enclave: &Enclave) {
    let client = enclave.cluster("dublin-1").admin().await.unwrap();
    for statement in [
        "INSERT INTO data.users (id, home_site) VALUES (-2, 'hamar')",
        "INSERT INTO data.\"users_hamar\" (id, home_site) VALUES (-2, 'hamar')",
        "INSERT INTO data.payments (id, home_site, user_id) VALUES (-2, 'dublin-2', 1)",
        "INSERT INTO pseudonym.analytics VALUES (gen_random_uuid(), 'hamar', 'mine')",
        "UPDATE data.users SET handle = 'x' WHERE home_site = 'hamar'",
        "UPDATE data.users SET home_site = 'hamar' WHERE id = -1",
        "DELETE FROM data.users WHERE home_site = 'dublin-2'",
        "TRUNCATE data.\"messages_hamar\"",
        "TRUNCATE data.messages",
    ] {
        let refused = client.batch_execute(statement).await.expect_err(statement);
        assert_eq!(refused.code().unwrap().code(), "0A000", "{statement}: {refused}");
        assert_eq!(refused.as_db_error().unwrap().message(), wall::triggers::ELSEWHERE, "{statement}");
    }
}

async fn erasing_a_subject_erases_its_tokens(enclave: &Enclave) {
    let home = enclave.cluster("dublin-1").admin().await.unwrap();
    let link = text(&home, "SELECT trefoil_subject::text FROM data.users WHERE id = -1").await;
    home.batch_execute("DELETE FROM data.users WHERE id = -1").await.unwrap();
    for cluster in &enclave.clusters {
        let client = cluster.admin().await.unwrap();
        let left = format!(
            "SELECT ((SELECT count(*) FROM pseudonym.analytics WHERE subject = '{link}') + \
             (SELECT count(*) FROM data.users WHERE id = -1))::text"
        );
        eventually(&client, &left, "0").await;
    }
}

async fn a_killed_site_starts_again(enclave: &mut Enclave) {
    let hamar = enclave.cluster("hamar").clone();
    enclave.kill(&hamar);
    assert!(hamar.folder().join("data/postmaster.pid").exists());
    let home = enclave.cluster("dublin-1").admin().await.unwrap();
    home.batch_execute("INSERT INTO data.users (id, home_site) VALUES (-3, 'dublin-1')").await.unwrap();
    enclave.run(&hamar).await;
    let client = hamar.admin().await.unwrap();
    eventually(&client, "SELECT count(*)::text FROM data.users WHERE id = -3", "1").await;
}
