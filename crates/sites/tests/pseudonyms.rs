//! Pseudonym scopes: a new one reaches every site, a profile waits until nobody is without a token, and a forgotten
//! scope leaves none of its tokens anywhere.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends when it cannot go on"
)]

mod common;

use std::collections::BTreeSet;

use common::{Enclave, bundle, example, quiet};
use sites::pseudonyms::{forget, prepare, status};
use tokio_postgres::Client;

const SUBJECTS: i64 = 300;
const SITES: [&str; 3] = ["dublin-1", "dublin-2", "hamar"];

#[tokio::test(flavor = "multi_thread")]
async fn scopes_are_added_counted_and_forgotten() {
    let mut enclave = Enclave::provisioned(example(), SUBJECTS.unsigned_abs()).await;
    a_new_scope_reaches_every_site(&mut enclave).await;
    a_profile_waits_for_tokens(&enclave).await;
    a_forgotten_scope_is_gone(&enclave).await;
}

/// (subjects, missing, orphans) of every scope at every site.
async fn counts(enclave: &Enclave) -> BTreeSet<(i64, i64, i64)> {
    let states = status(&enclave.bundle, &enclave.clusters).await.unwrap();
    states.iter().map(|state| (state.subjects, state.missing, state.orphans)).collect()
}

async fn a_new_scope_reaches_every_site(enclave: &mut Enclave) {
    assert_eq!(counts(enclave).await, BTreeSet::from([(SUBJECTS, 0, 0)]));
    enclave.bundle = bundle(|path, text| match path {
        "enclave.toml" => text.replace("sessions_per_profile = 8", "sessions_per_profile = 2"),
        "catalog.toml" => text
            .replace("[\"analytics\", \"engineering\"]", "[\"analytics\", \"engineering\", \"research-2\"]"),
        _ => text,
    });
    assert!(status(&enclave.bundle, &enclave.clusters).await.is_err(), "the sites do not have it yet");
    // Twice: what is there stays.
    for _ in 0..2 {
        prepare(&enclave.bundle, &enclave.clusters, &quiet()).await.unwrap();
    }
    assert_eq!(counts(enclave).await, BTreeSet::from([(SUBJECTS, 0, 0)]));
    for cluster in &enclave.clusters {
        let applied = sites::apply(cluster, &enclave.bundle, &enclave.secrets, &quiet()).await.unwrap();
        assert!(applied.waiting.is_empty(), "{applied:?}");
        let found =
            sites::check(cluster, &enclave.bundle, &policy::Homes::first(&enclave.bundle)).await.unwrap();
        assert!(found.drift.is_empty() && found.unknown_columns.is_empty(), "{found:#?}");
    }
    let hamar = enclave.cluster("hamar").admin().await.unwrap();
    run(&hamar, "INSERT INTO data.users (id, handle) VALUES (-1, 'new')").await;
    let everywhere = BTreeSet::from([(SUBJECTS + 1, 0, 0)]);
    for _ in 0..200 {
        // Between two states at most: a subject arrives with its tokens.
        let now = counts(enclave).await;
        assert!(now.iter().all(|(_, missing, orphans)| (*missing, *orphans) == (0, 0)), "{now:?}");
        if now == everywhere {
            return run(&hamar, "DELETE FROM data.users WHERE id = -1").await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the new subject has not arrived");
}

async fn a_profile_waits_for_tokens(enclave: &Enclave) {
    let dublin = enclave.cluster("dublin-1");
    let admin = dublin.admin().await.unwrap();
    run(&admin, "DELETE FROM pseudonym.\"engineering_dublin-1\" WHERE token < '4'").await;
    let (missing, left) = count(&admin, "engineering").await;
    assert!(missing > 0 && left > 0);
    run(&admin, "DROP VIEW engineering.users").await;
    let applied = sites::apply(dublin, &enclave.bundle, &enclave.secrets, &quiet()).await.unwrap();
    assert!(applied.made.is_empty(), "{applied:?}");
    let waiting: Vec<_> =
        applied.waiting.iter().map(|one| (&*one.profile, &*one.scope, one.missing)).collect();
    assert_eq!(waiting, [("engineering", "engineering", missing)]);
    prepare(&enclave.bundle, &enclave.clusters, &quiet()).await.unwrap();
    assert_eq!(count(&admin, "engineering").await.0, 0);
    let applied = sites::apply(dublin, &enclave.bundle, &enclave.secrets, &quiet()).await.unwrap();
    assert_eq!((&*applied.made, &*applied.waiting), (&["engineering".to_owned()][..], &[][..]));
    enclave.session("engineering", "dublin-1", 1).await.batch_execute("SELECT id FROM users").await.unwrap();
}

async fn a_forgotten_scope_is_gone(enclave: &Enclave) {
    for site in SITES {
        run(&enclave.cluster(site).admin().await.unwrap(), "ANALYZE").await;
    }
    let before = [tokens(enclave, "analytics").await, tokens(enclave, "engineering").await];
    assert!(forget(&enclave.bundle, &enclave.clusters, "nobody").await.is_err());
    forget(&enclave.bundle, &enclave.clusters, "analytics").await.unwrap();
    let after = [tokens(enclave, "analytics").await, tokens(enclave, "engineering").await];
    assert!(before[0].is_disjoint(&after[0]) && before[0].len() == after[0].len());
    assert_eq!(before[1], after[1], "another scope");
    assert_eq!(counts(enclave).await.len(), 1);
    for site in SITES {
        let admin = enclave.cluster(site).admin().await.unwrap();
        let samples = "SELECT coalesce(string_agg(concat(most_common_vals, histogram_bounds), ''), '') \
            FROM pg_stats WHERE schemaname = 'pseudonym' AND attname = 'token'";
        let samples: String = admin.query_one(samples, &[]).await.unwrap().get(0);
        assert!(!samples.is_empty() && before[0].iter().all(|token| !samples.contains(token)), "{site}");
    }
    let session = enclave.session("analytics", "hamar", 1).await;
    let seen = session.query("SELECT DISTINCT id FROM users", &[]).await.unwrap();
    assert!(!seen.is_empty() && seen.iter().all(|row| after[0].contains(row.get::<_, &str>(0))));
}

/// The tokens of a scope, which are the same at every site.
async fn tokens(enclave: &Enclave, scope: &str) -> BTreeSet<String> {
    let mut of_sites = Vec::new();
    for site in SITES {
        let client = enclave.cluster(site).admin().await.unwrap();
        let rows = client.query(&format!("SELECT token FROM pseudonym.{scope}"), &[]).await.unwrap();
        of_sites.push(rows.iter().map(|row| row.get(0)).collect::<BTreeSet<String>>());
    }
    assert!(of_sites.windows(2).all(|pair| pair[0] == pair[1]));
    of_sites.swap_remove(0)
}

/// How many subjects have no token, and how many have one.
async fn count(admin: &Client, scope: &str) -> (i64, i64) {
    let query = format!(
        "SELECT count(*) FILTER (WHERE token IS NULL), count(token) FROM data.users \
         LEFT JOIN pseudonym.{scope} ON subject = trefoil_subject"
    );
    let row = admin.query_one(&query, &[]).await.unwrap();
    (row.get(0), row.get(1))
}

async fn run(client: &Client, statement: &str) {
    client.batch_execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
}
