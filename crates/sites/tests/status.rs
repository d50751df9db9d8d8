//! How the sites say they are: nothing to tell of whole ones, and every break of replication told and named.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends when it cannot go on"
)]

mod common;

use std::time::Duration;

use common::{Enclave, example};
use policy::Homes;
use sites::Status;

const SUBJECTS: u64 = 60;

/// A site, what is done to it and at a sibling, what then is told, and how it is undone.
struct Break {
    plant: &'static [(&'static str, &'static str)],
    told: &'static [&'static str],
    undo: &'static [(&'static str, &'static str)],
}

const BREAKS: &[Break] = &[
    Break {
        plant: &[("hamar", "ALTER SUBSCRIPTION \"trefoil_from_dublin-1\" DISABLE")],
        told: &["dublin-1 → hamar: the slot is inactive", "dublin-1 → hamar: the subscription is disabled"],
        undo: &[("hamar", "ALTER SUBSCRIPTION \"trefoil_from_dublin-1\" ENABLE")],
    },
    Break {
        plant: &[(
            "dublin-2",
            "ALTER SUBSCRIPTION \"trefoil_from_hamar\" SET PUBLICATION \"trefoil_dublin-1\" WITH (copy_data = false)",
        )],
        told: &["hamar → dublin-2: published and not followed: data.devices_hamar"],
        undo: &[(
            "dublin-2",
            "ALTER SUBSCRIPTION \"trefoil_from_hamar\" SET PUBLICATION \"trefoil_hamar\" WITH (copy_data = false)",
        )],
    },
    Break {
        plant: &[("dublin-1", "ALTER TABLE data.users ADD COLUMN nickname text")],
        told: &["table data.users differs: only at dublin-1: [nickname text], only at dublin-2: []"],
        undo: &[("dublin-1", "ALTER TABLE data.users DROP COLUMN nickname")],
    },
    // The same key from two sides: the subscriber cannot apply what its sibling wrote.
    Break {
        plant: &[
            (
                "dublin-2",
                "SET session_replication_role = replica; \
                 INSERT INTO data.users (id, home_site) VALUES (-9, 'hamar')",
            ),
            ("hamar", "INSERT INTO data.users (id, home_site) VALUES (-9, 'hamar')"),
        ],
        told: &["hamar → dublin-2: "],
        undo: &[("dublin-2", "SET session_replication_role = replica; DELETE FROM data.users WHERE id = -9")],
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn whole_sites_have_nothing_to_tell_and_breaks_are_told() {
    let mut enclave = Enclave::provisioned(example(), SUBJECTS).await;
    let status = until(&enclave, |status| status.as_promised).await;
    for site in &status.sites {
        assert_eq!(site.writes, std::slice::from_ref(&site.name));
        let subjects: i64 = site.subjects.iter().map(|home| home.subjects).sum();
        assert!(site.up && site.bytes > 0 && subjects == 60, "{site:?}");
    }
    assert_eq!(status.replication.len(), 6);
    assert!(status.replication.iter().all(|pair| pair.follows && pair.lag_seconds.is_some()));
    for one in BREAKS {
        run(&enclave, one.plant).await;
        let told = |status: &Status| {
            one.told.iter().all(|told| status.problems.iter().any(|problem| problem.starts_with(told)))
        };
        until(&enclave, told).await;
        run(&enclave, one.undo).await;
        until(&enclave, |status| status.as_promised).await;
    }
    let homes = Homes::first(&enclave.bundle);
    let conflicts = sites::status(&enclave.bundle, &enclave.clusters, &homes).await;
    let pair = conflicts.replication.iter().find(|pair| pair.from == "hamar" && pair.to == "dublin-2");
    assert!(pair.unwrap().apply_errors > 0, "conflicts stay counted: {pair:?}");
    let hamar = enclave.cluster("hamar").clone();
    enclave.kill(&hamar);
    let status = until(&enclave, |status| status.problems.iter().any(|told| told.contains("inactive"))).await;
    assert!(status.problems.iter().any(|told| told.starts_with("site hamar is down")), "{status:#?}");
    assert!(status.problems.iter().any(|told| told.starts_with("home hamar: no site")), "{status:#?}");
}

async fn run(enclave: &Enclave, statements: &[(&str, &str)]) {
    for (site, statement) in statements {
        let client = enclave.cluster(site).admin().await.unwrap();
        for statement in statement.split("; ") {
            client.batch_execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }
}

async fn until(enclave: &Enclave, holds: impl Fn(&Status) -> bool) -> Status {
    let mut last = None;
    let homes = Homes::first(&enclave.bundle);
    for _ in 0..100 {
        let status = sites::status(&enclave.bundle, &enclave.clusters, &homes).await;
        if holds(&status) {
            return status;
        }
        last = Some(status);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("{last:#?}");
}
