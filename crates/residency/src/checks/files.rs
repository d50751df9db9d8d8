//! Where the files are, and files that belong to nobody.

use super::set;
use crate::Expectations;
use crate::check::{Check, Claim, Query, Row, Where};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "tablespace",
        query: Query::Text(
            "SELECT spcname AS name, pg_tablespace_location(oid) AS location FROM pg_tablespace \
             WHERE spcname NOT IN ('pg_default', 'pg_global') ORDER BY spcname",
        ),
        rule: tablespace,
        where_: Where::PostgreSql,
        looks_at: "tablespaces and their folders",
        why: "a tablespace is a folder anywhere: a network file system, another country's disk",
        cannot_see: "on which device a folder is, and where that device stands",
    },
    Check {
        name: "tablespace-setting",
        query: Query::Text(
            "SELECT name, setting, file, line FROM {file_settings} WHERE name IN ('temp_tablespaces', \
             'default_tablespace') UNION ALL SELECT name, setting, NULL, NULL FROM {settings} \
             WHERE name IN ('temp_tablespaces', 'default_tablespace') \
             UNION ALL SELECT 'tablespace of ' || datname, spcname, NULL, NULL FROM pg_database \
             JOIN pg_tablespace t ON t.oid = dattablespace WHERE spcname <> 'pg_default'",
        ),
        rule: tablespace_setting,
        where_: Where::PostgreSql,
        looks_at: "where new tables, sorts and spilled results go, and databases that are elsewhere as a whole",
        why: "what spills from a query is a copy of its rows",
        cannot_see: "what a session sets for itself",
    },
    Check {
        name: "data-directory",
        query: Query::Made(|expected| {
            expected.data_directory.as_ref()?;
            Some("SELECT setting FROM {settings} WHERE name = 'data_directory'".to_owned())
        }),
        rule: data_directory,
        where_: Where::PostgreSql,
        looks_at: "whether the data folder is the one that is expected; only where one is",
        why: "a server that was started from a copy of its folder is another server",
        cannot_see: "on which device the folder is, whether that is encrypted, where it stands, and where pg_wal points",
    },
    Check {
        name: "cluster",
        query: Query::Text(
            "SELECT system_identifier::text AS identifier, pg_postmaster_start_time()::text AS started, \
             pg_is_in_recovery() AS recovering FROM pg_control_system()",
        ),
        rule: cluster,
        where_: Where::PostgreSql,
        looks_at: "the number that a cluster gets when it is made: the expected one, where one is, and not that of another \
                   site",
        why: "a copy of the files starts as a second server and keeps the number",
        cannot_see: "a copy that is not among the sites that are checked",
    },
    Check {
        name: "orphan-file",
        query: Query::Text(
            "SELECT format('%s/%s', folder, file) AS path, st.size, st.modification FROM (SELECT 'base/' || oid AS folder \
             FROM pg_database WHERE datname = current_database() AND dattablespace = 1663) d, \
             pg_ls_dir(folder, true, false) file, pg_stat_file(folder || '/' || file, true) st \
             WHERE file !~ '^(PG_VERSION|pg_filenode\\.map|pg_internal\\.init.*)$' AND NOT EXISTS (SELECT FROM \
             (SELECT pg_relation_filenode(oid)::text AS node FROM pg_class WHERE relkind IN ('r', 'i', 't', 'm', 'S')) c \
             WHERE node = substring(file FROM '^(?:t[0-9]+_)?([0-9]+)(?:_(?:fsm|vm|init))?(?:\\.[0-9]+)?$')) \
             AND st.size > 0 AND st.modification < clock_timestamp() - interval '10 minutes' \
             UNION ALL SELECT 'base/pgsql_tmp/' || file, st.size, st.modification \
             FROM pg_ls_dir('base/pgsql_tmp', true, false) file, pg_stat_file('base/pgsql_tmp/' || file, true) st \
             WHERE st.modification < clock_timestamp() - interval '1 day' ORDER BY 1",
        ),
        rule: orphan_file,
        where_: Where::PostgreSql,
        looks_at: "files in the database's folder that belong to no table or index, and spilled results that nobody \
                   removed; those of the last minutes are left alone, as they may belong to an open transaction",
        why: "a crash leaves whole tables that no statement reads or erases",
        cannot_see: "other folders of the machine; freed blocks of the disk",
    },
];

fn tablespace(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    super::each(rows, |row| {
        let object = format!("{} at {}", row.text("name"), row.text("location"));
        let advice =
            format!("move what is in it, and DROP TABLESPACE {}", wall::names::quoted(row.text("name")));
        Claim::there(object, "a folder outside the data folder", advice)
    })
}

fn tablespace_setting(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    set(rows, &["pg_default"], "data goes to another tablespace", "reset it, and reload")
}

fn data_directory(rows: &[Row], expected: &Expectations) -> Vec<Claim> {
    let Some(wanted) = expected.data_directory.as_ref().map(|path| path.display().to_string()) else {
        return Vec::new();
    };
    let found = rows.first().map_or("", |row| row.text("setting"));
    if found.is_empty() {
        return vec![Claim::unknown(wanted, "the server does not say where its data is", "see `grants`")];
    }
    if found == wanted {
        return Vec::new();
    }
    vec![Claim::there(found, format!("the data should be in {wanted}"), "find out who moved it")]
}

fn cluster(rows: &[Row], expected: &Expectations) -> Vec<Claim> {
    let Some(wanted) = &expected.system_identifier else { return Vec::new() };
    let other = rows.iter().filter(|row| row.text("identifier") != wanted);
    other
        .map(|row| {
            let what = format!("this is not the cluster of the inventory, which is {wanted}");
            Claim::there(row.text("identifier"), what, "find out what became of the one that was there")
        })
        .collect()
}

fn orphan_file(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    super::each(rows, |row| {
        let what =
            format!("{} bytes that belong to nobody, from {}", row.text("size"), row.text("modification"));
        Claim::there(row.text("path"), what, "look into it, stop the server, and remove it")
    })
}
