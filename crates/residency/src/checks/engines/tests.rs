//! Rules of the distributed engines on answers as their documentation prints them.

use std::collections::BTreeSet;

use crate::Expectations;
use crate::check::{Claim, Row};
use crate::checks::named;

/// What a check claims of these rows, in words: the host that is asked about, or the object.
fn check(name: &str, rows: &[&[(&str, &str)]], expected: &[&str]) {
    let rows: Vec<Row> =
        rows.iter().map(|row| Row::new(row.iter().map(|(column, value)| (*column, Some(*value))))).collect();
    let claims = (named(name).unwrap().rule)(&rows, &Expectations::default());
    let said: BTreeSet<String> = claims
        .into_iter()
        .map(|claim| match claim {
            Claim::There(told) => format!("there {}", told.object),
            Claim::Reaches { host, told } => format!("reaches {host} as {}", told.object),
            Claim::Unknown(told) => format!("unknown {}", told.object),
        })
        .collect();
    assert_eq!(said, expected.iter().map(|text| (*text).to_owned()).collect(), "{name}");
}

#[test]
fn citus() {
    check(
        "citus-placement",
        &[
            &[("nodename", "10.1.0.5"), ("nodeport", "5432"), ("noderack", "dublin"), ("placements", "16")],
            &[
                ("nodename", "worker-2.example"),
                ("nodeport", "5433"),
                ("noderack", "default"),
                ("placements", "0"),
            ],
        ],
        &[
            "there 10.1.0.5:5432",
            "reaches 10.1.0.5 as 10.1.0.5:5432 (outside)",
            "there worker-2.example:5433",
            "reaches worker-2.example as worker-2.example:5433 (outside)",
        ],
    );
    check("citus-placement", &[], &[]);
}

#[test]
fn yugabyte() {
    check(
        "yugabyte-server",
        &[
            &[
                ("host", "127.0.0.1"),
                ("node_type", "primary"),
                ("cloud", "aws"),
                ("region", "eu-west-1"),
                ("zone", "a"),
            ],
            &[
                ("host", "127.0.0.2"),
                ("node_type", "read_replica"),
                ("cloud", "aws"),
                ("region", "us-east-1"),
                ("zone", "a"),
            ],
        ],
        &[
            "there aws.eu-west-1",
            "reaches 127.0.0.1 as 127.0.0.1",
            "there aws.us-east-1",
            "reaches 127.0.0.2 as 127.0.0.2",
        ],
    );
    let block =
        |region: &str| format!(r#"{{"cloud":"aws","region":"{region}","zone":"a","min_num_replicas":1}}"#);
    let two =
        format!(r#"{{"num_replicas":2,"placement_blocks":[{},{}]}}"#, block("eu-west-1"), block("us-east-1"));
    check(
        "yugabyte-tablespace",
        &[
            &[("spcname", "eu"), ("placement", &two)],
            &[("spcname", "odd"), ("placement", r#"{"num_replicas":3}"#)],
            &[("spcname", "none")],
        ],
        &["there aws.eu-west-1", "there aws.us-east-1", "unknown odd", "unknown none"],
    );
}

#[test]
fn cockroach() {
    check(
        "cockroach-placement",
        &[
            &[
                ("of", "this database"),
                ("table_name", "users"),
                ("localities", "region=europe-west1,zone=europe-west1-b;region=us-east1,zone=us-east1-d"),
            ],
            &[
                ("of", "system"),
                ("table_name", "descriptor"),
                ("localities", "cloud=gce,region=europe-west1"),
            ],
            &[("of", "system"), ("table_name", "odd"), ("localities", "dc=dublin")],
            &[("of", "system"), ("table_name", "none"), ("localities", "")],
        ],
        &["there region=europe-west1", "there region=us-east1", "there dc=dublin", "unknown no locality"],
    );
}
