//! Where engines that spread one database over many nodes have put its parts. Written from their documentation and tried
//! on recorded answers, not on running clusters.

use std::collections::BTreeMap;

use crate::Expectations;
use crate::check::{Check, Claim, Query, Row, Where};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "citus-placement",
        query: Query::Text(
            "SELECT n.nodename, n.nodeport, n.noderack, count(p.placementid) AS placements FROM pg_dist_node n \
             LEFT JOIN pg_dist_placement p ON p.groupid = n.groupid GROUP BY 1, 2, 3 ORDER BY 1, 2",
        ),
        rule: citus,
        where_: Where::Extension("citus"),
        looks_at: "the nodes of a Citus cluster, how many shard placements are on each, and their hosts, resolved now",
        why: "a shard is a table with rows, on whichever node holds it",
        cannot_see: "whether noderack says where a node stands: it is a text that somebody wrote; each node's own standbys, \
                     which are checked by a connection string of their own",
    },
    Check {
        name: "yugabyte-server",
        query: Query::Text("SELECT host, node_type, cloud, region, zone FROM yb_servers() ORDER BY host"),
        rule: yugabyte_server,
        where_: Where::Yugabyte,
        looks_at: "the nodes of a YugabyteDB universe and the cloud and region of each: every table without a tablespace of \
                   its own may be on any of them, and so is the catalog",
        why: "a tablet is a part of a table, and has replicas on several nodes",
        cannot_see: "whether a region's name is where the node stands; backups and change streams, which keep to no tablespace",
    },
    Check {
        name: "yugabyte-tablespace",
        query: Query::Text(
            "SELECT spcname, (SELECT option_value FROM pg_options_to_table(spcoptions) \
             WHERE option_name = 'replica_placement') AS placement FROM pg_tablespace WHERE spcoptions IS NOT NULL \
             ORDER BY spcname",
        ),
        rule: yugabyte_tablespace,
        where_: Where::Yugabyte,
        looks_at: "the clouds and regions on which each tablespace puts its replicas",
        why: "a tablespace is what pins a partition to a region",
        cannot_see: "whether the balancer has moved every tablet yet",
    },
    Check {
        name: "cockroach-placement",
        query: Query::Text(
            "SELECT 'this database' AS of, table_name, array_to_string(replica_localities, ';') AS localities \
             FROM [SHOW RANGES FROM CURRENT_CATALOG WITH TABLES] \
             UNION SELECT 'system', table_name, array_to_string(replica_localities, ';') \
             FROM [SHOW RANGES FROM DATABASE system WITH TABLES]",
        ),
        rule: cockroach,
        where_: Where::Cockroach,
        looks_at: "the localities of every replica of every range of the database, and of the system's own, whose keys are \
                   indexed values of the others",
        why: "zone configurations are wishes: a range may be put elsewhere to keep it alive",
        cannot_see: "whether --locality is where a node stands: it is a text; backups, change feeds, and the meta ranges' keys",
    },
];

fn citus(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    let mut claims = Vec::new();
    for row in rows {
        let (host, placements) = (row.text("nodename"), row.text("placements"));
        let node = format!("{host}:{}", row.text("nodeport"));
        let rack = row.text("noderack");
        let advice = format!(
            "move its shards (citus_drain_node) and remove it: SELECT citus_remove_node('{host}', {})",
            row.text("nodeport")
        );
        let what = format!("{placements} shard placements are on it, in rack `{rack}`");
        claims.push(Claim::there(node.clone(), what.clone(), advice.clone()));
        claims.push(Claim::reaches(
            host,
            format!("{node} (outside)"),
            format!("{what}, outside the region"),
            advice,
        ));
    }
    claims
}

fn yugabyte_server(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    let mut claims = Vec::new();
    for row in rows {
        let host = row.text("host");
        let region = format!("{}.{}", row.text("cloud"), row.text("region"));
        let advice =
            "take the node out of the universe, or pin every table by a tablespace and allow the region";
        let what = format!("node {host} ({}) is there", row.text("node_type"));
        claims.push(Claim::there(region, what, advice));
        claims.push(Claim::reaches(host, host, "a node outside the region", advice));
    }
    claims
}

fn yugabyte_tablespace(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    let mut claims = Vec::new();
    for row in rows {
        let name = row.text("spcname");
        let Some(regions) = row.get("placement").and_then(regions) else {
            let advice = "give it a replica_placement with placement_blocks";
            claims.push(Claim::unknown(name, "its replica_placement cannot be read", advice));
            continue;
        };
        claims.extend(regions.into_iter().map(|region| {
            Claim::there(
                region,
                format!("tablespace {name} puts replicas there"),
                "make a tablespace without it, and move the tables",
            )
        }));
    }
    claims
}

/// `cloud.region` of every placement block; nothing when it is no placement.
fn regions(placement: &str) -> Option<Vec<String>> {
    let placement: serde_json::Value = serde_json::from_str(placement).ok()?;
    let blocks = placement.get("placement_blocks")?.as_array()?;
    let region = |block: &serde_json::Value| {
        let text = |key| block.get(key).and_then(serde_json::Value::as_str);
        Some(format!("{}.{}", text("cloud")?, text("region")?))
    };
    blocks.iter().map(region).collect()
}

fn cockroach(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows {
        let table = format!("{} {}", row.text("of"), row.get("table_name").unwrap_or("(no table)"));
        if row.text("localities").is_empty() {
            tables.entry(String::new()).or_default().push(table);
            continue;
        }
        for locality in row.text("localities").split(';') {
            let region = locality.split(',').find(|tier| tier.starts_with("region=")).unwrap_or(locality);
            let held = tables.entry(region.to_owned()).or_default();
            if !held.contains(&table) {
                held.push(table.clone());
            }
        }
    }
    let claim = |(region, tables): (String, Vec<String>)| {
        let first = tables.first().cloned().unwrap_or_default();
        let what = format!("has replicas of {first}, and of {} more", tables.len() - 1);
        if region.is_empty() {
            return Claim::unknown("no locality", what, "start every node with --locality");
        }
        Claim::there(
            region,
            what,
            "constrain replicas to the region (ALTER … CONFIGURE ZONE), or remove its nodes",
        )
    };
    tables.into_iter().map(claim).collect()
}
