//! Drift and apply: whatever somebody changes at a site is found by the watch, named, and put right by applying again;
//! a policy that changes replaces its profiles and ends their sessions.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends when it cannot go on"
)]

mod common;

use common::{Enclave, bundle, example, quiet};
use wall::names::{copy_schema, owner_role, profile_role, quoted};

const SITE: &str = "dublin-1";

/// (what somebody does, part of a drift it must cause, how it is undone: `None` if applying again undoes it).
const CHANGES: &[(&str, &str, Option<&str>)] = &[
    // Of a profile: apply puts it right.
    ("GRANT SELECT ON data.users TO {reader}", "grant of SELECT on relation data.users to tr_", None),
    (
        "GRANT SELECT (email) ON data.users TO {owner}",
        "grant of SELECT on column data.users.email to to_",
        None,
    ),
    ("GRANT USAGE ON SCHEMA pseudonym TO {reader}", "grant of USAGE on schema pseudonym to tr_", None),
    (
        "DROP VIEW analytics.users; CREATE VIEW analytics.users AS SELECT t.email FROM data.users t",
        "definition of view analytics.users",
        None,
    ),
    ("ALTER VIEW analytics.users OWNER TO trefoil_admin", "view analytics.users", None),
    ("ALTER VIEW analytics.users SET (security_invoker = true)", "view analytics.users", None),
    ("CREATE VIEW analytics.more AS SELECT * FROM data.users", "view analytics.more", None),
    (
        "GRANT SELECT ON analytics.users TO PUBLIC",
        "grant of SELECT on relation analytics.users to PUBLIC",
        None,
    ),
    (
        "REVOKE SELECT ON analytics.users FROM {reader}",
        "grant of SELECT on relation analytics.users to tr_",
        None,
    ),
    ("ALTER POLICY {owner} ON data.users USING (true)", "policy to_", None),
    ("DROP POLICY {owner} ON data.payments", "policy to_", None),
    ("CREATE POLICY more ON data.users TO {owner} USING (true)", "policy more on data.users", None),
    ("ALTER ROLE {pool} CONNECTION LIMIT 5", "role tp_", None),
    ("ALTER ROLE {pool} CREATEROLE", "role tp_", None),
    ("ALTER ROLE {pool} BYPASSRLS", "role tp_", None),
    ("ALTER ROLE {owner} LOGIN", "role to_", None),
    ("ALTER ROLE {pool} SET search_path = mine", "settings of tp_", None),
    ("ALTER ROLE {pool} IN DATABASE trefoil SET role = trefoil_admin", "settings of tp_", None),
    ("GRANT {owner} TO {pool}", "member tp_", None),
    ("GRANT {reader} TO {pool} WITH ADMIN OPTION", "member tp_", None),
    ("GRANT pg_read_all_data TO {reader}", "member tr_", None),
    ("DROP ROLE {pool}", "role tp_", None),
    (
        "GRANT EXECUTE ON FUNCTION pg_read_file(text) TO {pool}",
        "grant of EXECUTE on function pg_read_file(text) to tp_",
        None,
    ),
    // What a profile writes.
    (
        "GRANT UPDATE (amount_cents) ON billing.payments TO {writer}",
        "grant of UPDATE on column billing.payments",
        None,
    ),
    ("GRANT INSERT ON billing.payments TO {writer}", "grant of INSERT on relation billing.payments", None),
    ("GRANT DELETE ON data.payments TO {writers}", "grant of DELETE on relation data.payments to to_", None),
    ("GRANT SELECT ON {copies}.payments TO {writer}", "grant of SELECT on relation tw_", None),
    (
        "REVOKE UPDATE (status) ON data.payments FROM {writers}",
        "grant of UPDATE on column data.payments.status",
        None,
    ),
    ("ALTER POLICY {checks} ON data.payments WITH CHECK (id > 0)", "policy to_", None),
    ("DROP POLICY {checks} ON data.payments", "policy to_", None),
    ("CREATE OR REPLACE VIEW {copies}.payments AS {other_copy}", "definition of view tw_", None),
    ("ALTER FUNCTION {copies}.payments() OWNER TO trefoil_admin", "function tw_", None),
    ("GRANT EXECUTE ON FUNCTION {copies}.payments() TO PUBLIC", "grant of EXECUTE on function tw_", None),
    ("DROP TRIGGER copy_in ON {copies}.payments", "trigger copy_in on tw_", None),
    // Of a direct service.
    (
        "GRANT SELECT ON data.users TO ts_payouts",
        "grant of SELECT on relation data.users to ts_payouts",
        None,
    ),
    ("ALTER ROLE ts_payouts CONNECTION LIMIT -1", "role ts_payouts", None),
    ("GRANT pg_read_all_data TO ts_payouts", "member ts_payouts of pg_read_all_data", None),
    ("ALTER ROLE ts_payouts RESET search_path", "settings of ts_payouts", None),
    (
        "CREATE POLICY ts_payouts_more ON data.users TO ts_payouts USING (true)",
        "policy ts_payouts_more",
        None,
    ),
    ("DROP OWNED BY ts_payouts; DROP ROLE ts_payouts", "role ts_payouts", None),
    ("CREATE ROLE ts_mallory LOGIN", "role ts_mallory", None),
    // Of the site itself: somebody has to look into it.
    (
        "ALTER TABLE data.payments ALTER COLUMN home_site SET DEFAULT 'hamar'",
        "column data.payments.home_site",
        Some(
            "ALTER TABLE data.payments ALTER COLUMN home_site SET DEFAULT coalesce(nullif(current_setting('trefoil.home', true), ''), 'dublin-1')",
        ),
    ),
    (
        "ALTER TABLE data.payments ALTER COLUMN status SET DEFAULT 'paid'",
        "column data.payments.status",
        Some("ALTER TABLE data.payments ALTER COLUMN status DROP DEFAULT"),
    ),
    (
        "ALTER TABLE data.messages DROP CONSTRAINT messages_sender_id_home_site_fkey",
        "constraint on data.messages: FOREIGN KEY (sender_id, home_site)",
        Some(
            "ALTER TABLE data.messages ADD FOREIGN KEY (sender_id, home_site) REFERENCES data.users (id, home_site)",
        ),
    ),
    (
        "ALTER TABLE data.\"messages_dublin-1\" DISABLE TRIGGER ALL",
        "key of data.messages_dublin-1 is turned off",
        Some("ALTER TABLE data.\"messages_dublin-1\" ENABLE TRIGGER ALL"),
    ),
    (
        "ALTER TABLE data.\"payments_dublin-1\" DISABLE TRIGGER link_subject",
        "trigger link_subject on data.payments_dublin-1",
        Some("ALTER TABLE data.\"payments_dublin-1\" ENABLE TRIGGER link_subject"),
    ),
    ("CREATE ROLE mallory LOGIN", "role mallory", Some("DROP ROLE mallory")),
    (
        "ALTER TABLE data.users DISABLE ROW LEVEL SECURITY",
        "table data.users",
        Some("ALTER TABLE data.users ENABLE ROW LEVEL SECURITY"),
    ),
    (
        "ALTER TABLE data.users OWNER TO trefoil_pool",
        "table data.users",
        Some("ALTER TABLE data.users OWNER TO trefoil_admin"),
    ),
    ("CREATE TABLE data.copy AS TABLE data.users", "table data.copy", Some("DROP TABLE data.copy")),
    ("CREATE SCHEMA aside", "schema aside", Some("DROP SCHEMA aside")),
    (
        "ALTER TABLE data.users RENAME COLUMN phone TO mobile",
        "column data.users.phone",
        Some("ALTER TABLE data.users RENAME COLUMN mobile TO phone"),
    ),
    (
        "ALTER TABLE data.users ADD CONSTRAINT c CHECK (true); CREATE RULE r AS ON DELETE TO data.payments DO NOTHING",
        "rule r on data.payments",
        Some("DROP RULE r ON data.payments; ALTER TABLE data.users DROP CONSTRAINT c"),
    ),
    (
        "ALTER TABLE data.\"users_hamar\" DISABLE TRIGGER origin_only",
        "trigger origin_only on data.users_hamar",
        Some("ALTER TABLE data.\"users_hamar\" ENABLE TRIGGER origin_only"),
    ),
    (
        "CREATE OR REPLACE FUNCTION trefoil.mask_email(v text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT v'",
        "function trefoil.mask_email(text)",
        Some("{mask}"),
    ),
    (
        "ALTER FUNCTION trefoil.mask_iban(text) LEAKPROOF",
        "function trefoil.mask_iban(text)",
        Some("ALTER FUNCTION trefoil.mask_iban(text) NOT LEAKPROOF"),
    ),
    (
        "CREATE FUNCTION pg_catalog.see(text) RETURNS text LANGUAGE sql AS 'SELECT $1'",
        "function see(text)",
        Some("DROP FUNCTION pg_catalog.see(text)"),
    ),
    (
        "GRANT EXECUTE ON FUNCTION lo_create(oid) TO PUBLIC",
        "everybody may call lo_create(oid)",
        Some("REVOKE EXECUTE ON FUNCTION lo_create(oid) FROM PUBLIC"),
    ),
    (
        "GRANT SELECT ON pg_authid TO trefoil_pool",
        "grant of SELECT on relation pg_authid to trefoil_pool",
        Some("REVOKE SELECT ON pg_authid FROM trefoil_pool"),
    ),
    (
        "GRANT TEMPORARY ON DATABASE trefoil TO PUBLIC",
        "grant of TEMPORARY on database trefoil to PUBLIC",
        Some("REVOKE TEMPORARY ON DATABASE trefoil FROM PUBLIC"),
    ),
    (
        "GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC",
        "grant of USAGE on language plpgsql to PUBLIC",
        Some("REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC"),
    ),
    // Catalogs that are shown in part.
    (
        "GRANT SELECT ON pg_class TO PUBLIC",
        "everybody may read pg_class",
        Some("REVOKE SELECT ON pg_class FROM PUBLIC"),
    ),
    (
        "GRANT SELECT (relname) ON pg_class TO trefoil_pool",
        "grant of SELECT on column pg_class.relname to trefoil_pool",
        Some("REVOKE SELECT (relname) ON pg_class FROM trefoil_pool"),
    ),
    (
        "GRANT EXECUTE ON FUNCTION pg_get_viewdef(oid) TO PUBLIC",
        "everybody may call pg_get_viewdef(oid)",
        Some("REVOKE EXECUTE ON FUNCTION pg_get_viewdef(oid) FROM PUBLIC"),
    ),
    (
        "GRANT trefoil_catalog TO trefoil_pool",
        "member trefoil_pool of trefoil_catalog",
        Some("REVOKE trefoil_catalog FROM trefoil_pool"),
    ),
    (
        "CREATE OR REPLACE VIEW tf_catalog.pg_policy WITH (security_barrier=true) AS SELECT t.*, t.tableoid \
         FROM pg_catalog.pg_policy t",
        "definition of view tf_catalog.pg_policy",
        Some(
            "CREATE OR REPLACE VIEW tf_catalog.pg_policy WITH (security_barrier=true) AS SELECT t.*, t.tableoid \
             FROM pg_catalog.pg_policy t WHERE t.oid < 16384::oid",
        ),
    ),
    (
        "ALTER VIEW tf_catalog.pg_policy RESET (security_barrier)",
        "view tf_catalog.pg_policy",
        Some("ALTER VIEW tf_catalog.pg_policy SET (security_barrier = true)"),
    ),
    (
        "ALTER FUNCTION tf_catalog.sees_role(oid) COST 1; ALTER FUNCTION tf_catalog.sees_role(oid) LEAKPROOF",
        "function tf_catalog.sees_role(oid)",
        Some("ALTER FUNCTION tf_catalog.sees_role(oid) NOT LEAKPROOF"),
    ),
    (
        "GRANT SET ON PARAMETER session_replication_role TO trefoil_pool",
        "grant of SET on parameter session_replication_role to trefoil_pool",
        Some("REVOKE SET ON PARAMETER session_replication_role FROM trefoil_pool"),
    ),
    (
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO trefoil_pool",
        "grant of SELECT on objects to come of trefoil_admin to trefoil_pool",
        Some("ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM trefoil_pool"),
    ),
    (
        "ALTER ROLE ALL SET row_security = off",
        "settings of every role in every database",
        Some("ALTER ROLE ALL RESET row_security"),
    ),
    (
        "CREATE PUBLICATION everything FOR ALL TABLES",
        "publication everything",
        Some("DROP PUBLICATION everything"),
    ),
    (
        "ALTER PUBLICATION \"trefoil_dublin-1\" DROP TABLE data.\"users_dublin-1\"",
        "publication trefoil_dublin-1",
        Some("ALTER PUBLICATION \"trefoil_dublin-1\" ADD TABLE data.\"users_dublin-1\""),
    ),
    (
        "ALTER SUBSCRIPTION trefoil_from_hamar DISABLE",
        "subscription trefoil_from_hamar",
        Some("ALTER SUBSCRIPTION trefoil_from_hamar ENABLE"),
    ),
    ("CREATE DATABASE aside", "database aside", Some("DROP DATABASE aside")),
    ("SELECT lo_create(4242)", "large object 4242", Some("SELECT lo_unlink(4242)")),
    (
        "ALTER SYSTEM SET log_statement = 'all'; SELECT pg_reload_conf()",
        "setting log_statement",
        Some("ALTER SYSTEM RESET ALL; SELECT pg_reload_conf()"),
    ),
];

/// The columns of billing's payments that can be inserted, from somewhere else.
const OTHER_COPY: &str = "SELECT id, user_id, amount_cents, currency, status, paid_at FROM data.payments";

#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_found_and_put_right() {
    let enclave = Enclave::provisioned(example(), 30).await;
    let watch = enclave.watch(SITE).await;
    for cluster in &enclave.clusters {
        let found =
            sites::check(cluster, &enclave.bundle, &policy::Homes::first(&enclave.bundle)).await.unwrap();
        assert!(found.drift.is_empty() && found.unknown_columns.is_empty(), "{found:?}");
    }
    for (change, object, undo) in CHANGES {
        check(&enclave, &watch, change, object, *undo).await;
    }
    an_unknown_column_is_withheld_and_named(&enclave, &watch).await;
    another_hba_is_found(&enclave, &watch).await;
}

/// What the watch finds, as text.
async fn drift(enclave: &Enclave, watch: &tokio_postgres::Client) -> Vec<String> {
    let live = sites::drift::facts(watch).await.unwrap();
    let expected = wall::expected(&enclave.bundle, &policy::Holders::first(&enclave.bundle), SITE).unwrap();
    wall::compare(&live, &expected).iter().map(ToString::to_string).collect()
}

async fn check(
    enclave: &Enclave,
    watch: &tokio_postgres::Client,
    change: &str,
    object: &str,
    undo: Option<&str>,
) {
    let hash = &enclave.profile("analytics").hash;
    let writer = &enclave.profile("billing").hash;
    let mask = wall::mask::ALL.iter().find(|mask| mask.name == "mask_email").unwrap();
    let mask = format!(
        "CREATE OR REPLACE FUNCTION trefoil.mask_email(v text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$SELECT {}$$",
        mask.body
    );
    let named = |text: &str| {
        text.replace("{owner}", &quoted(&owner_role(hash)))
            .replace("{reader}", &quoted(&profile_role(hash)))
            .replace("{pool}", &quoted(&enclave.role("analytics", SITE, 2)))
            .replace("{mask}", &mask)
            .replace("{writer}", &quoted(&profile_role(writer)))
            .replace("{writers}", &quoted(&owner_role(writer)))
            .replace("{checks}", &quoted(&format!("{}_insert", owner_role(writer))))
            .replace("{copies}", &quoted(&copy_schema(writer)))
            .replace("{other_copy}", OTHER_COPY)
    };
    let admin = enclave.cluster(SITE).admin().await.unwrap();
    run(&admin, &named(change)).await;
    let found = drift(enclave, watch).await;
    assert!(found.iter().any(|drift| drift.starts_with(object)), "{change}: found {found:#?}");
    let cluster = enclave.cluster(SITE);
    let applied = match undo {
        Some(undo) => {
            run(&admin, &named(undo)).await;
            None
        }
        None => Some(sites::apply(cluster, &enclave.bundle, &enclave.secrets, &quiet()).await.unwrap()),
    };
    assert!(applied.as_ref().is_none_or(|applied| !applied.nothing()), "{change}: {applied:?}");
    let left = drift(enclave, watch).await;
    assert!(left.is_empty(), "{change}: {left:#?} is left after {applied:?}");
}

/// Statement by statement: some cannot run in a transaction.
async fn run(admin: &tokio_postgres::Client, statements: &str) {
    for statement in statements.split("; ") {
        if let Err(error) = admin.batch_execute(statement).await {
            panic!("{statement}: {error:?}");
        }
    }
    if statements.contains("pg_reload_conf") {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
}

async fn an_unknown_column_is_withheld_and_named(enclave: &Enclave, watch: &tokio_postgres::Client) {
    let admin = enclave.cluster(SITE).admin().await.unwrap();
    run(&admin, "ALTER TABLE data.users ADD COLUMN nickname text DEFAULT 'hidden'").await;
    assert!(drift(enclave, watch).await.is_empty(), "an unknown column is withheld, and no drift");
    let found = sites::check(enclave.cluster(SITE), &enclave.bundle, &policy::Homes::first(&enclave.bundle))
        .await
        .unwrap();
    assert_eq!(found.unknown_columns, ["data.users.nickname"]);
    let session = enclave.session("support", SITE, 1).await;
    for (statement, code) in
        [("SELECT nickname FROM support.users", "42703"), ("SELECT nickname FROM data.users", "42501")]
    {
        let refused = session.batch_execute(statement).await.expect_err(statement);
        assert_eq!(refused.code().unwrap().code(), code, "{statement}");
    }
    run(&admin, "ALTER TABLE data.users DROP COLUMN nickname").await;
}

async fn another_hba_is_found(enclave: &Enclave, watch: &tokio_postgres::Client) {
    let path = enclave.cluster(SITE).folder().join("data/pg_hba.conf");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace(" clientcert=verify-full", "")).unwrap();
    let found = drift(enclave, watch).await;
    std::fs::write(&path, &text).unwrap();
    assert!(found.iter().any(|drift| drift.starts_with("hba 2: ")), "{found:#?}");
    assert!(drift(enclave, watch).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_policy_replaces_profiles_and_ends_their_sessions() {
    let mut enclave = Enclave::provisioned(example(), 30).await;
    let cluster = enclave.cluster(SITE).clone();
    let touched = enclave.session("analytics", SITE, 1).await;
    let untouched = enclave.session("support", SITE, 1).await;
    let before = enclave.profile("analytics").hash;
    // Analysts lose dates, one session more for everybody.
    enclave.bundle = bundle(|path, text| match path {
        "enclave.toml" => text.replace("sessions_per_profile = 8", "sessions_per_profile = 2"),
        "policy/analytics.cedar" => text.replace("Identifier::\"date\"", "Identifier::\"phone\""),
        _ => text,
    });
    assert_ne!(enclave.profile("analytics").hash, before);
    assert!(enclave.secrets.complete(&enclave.bundle));
    let applied = sites::apply(&cluster, &enclave.bundle, &enclave.secrets, &quiet()).await.unwrap();
    assert_eq!(
        (&*applied.made, &*applied.retired),
        (&["analytics".to_owned()][..], &[wall::names::short(&before)][..])
    );
    assert!(touched.batch_execute("SELECT 1").await.is_err(), "a session of the old profile goes on");
    untouched.batch_execute("SELECT 1 FROM users").await.unwrap();
    let session = enclave.session("analytics", SITE, 1).await;
    let gone = session.batch_execute("SELECT birth_date FROM users").await.expect_err("dates are gone");
    assert_eq!(gone.code().unwrap().code(), "42703");
    assert!(
        sites::check(&cluster, &enclave.bundle, &policy::Homes::first(&enclave.bundle))
            .await
            .unwrap()
            .drift
            .is_empty()
    );
    let again = sites::apply(&cluster, &enclave.bundle, &enclave.secrets, &quiet()).await.unwrap();
    assert!(again.nothing(), "{again:?}");
    // New passwords are set without touching anything else: of the watch, the monitor's two, the residency checker and the
    // direct service too.
    enclave.secrets = sites::Secrets::default();
    enclave.secrets.complete(&enclave.bundle);
    let again = sites::apply(&cluster, &enclave.bundle, &enclave.secrets, &quiet()).await.unwrap();
    assert!(
        again.made.is_empty() && again.passwords.len() == enclave.bundle.profiles().len() * 2 + 5,
        "{again:?}"
    );
}

/// Key words as names, and a row scope with a constant that needs quotes: what is made is what is expected.
#[tokio::test(flavor = "multi_thread")]
async fn names_and_constants_are_quoted() {
    let odd = bundle(|path, text| {
        let text = text.replace("payments", "order").replace("\"language\"", "\"user\"");
        match path {
            "catalog.toml" => text.replace(
                "column = \"analytics_consent\", equals = true",
                "column = \"user\", equals = \"o'r\"",
            ),
            _ => text.replace("sessions_per_profile = 8", "sessions_per_profile = 1"),
        }
    });
    let enclave = Enclave::provisioned(odd, 0).await;
    for cluster in &enclave.clusters {
        let found =
            sites::check(cluster, &enclave.bundle, &policy::Homes::first(&enclave.bundle)).await.unwrap();
        assert!(found.drift.is_empty() && found.unknown_columns.is_empty(), "{found:#?}");
    }
    let admin = enclave.cluster(SITE).admin().await.unwrap();
    run(&admin, "INSERT INTO data.users (id, home_site, \"user\") VALUES (1, 'dublin-1', 'o''r'), (2, 'dublin-1', 'en')").await;
    run(
        &admin,
        "INSERT INTO data.\"order\" (id, home_site, user_id) VALUES (5, 'dublin-1', 1), (6, 'dublin-1', 2)",
    )
    .await;
    let session = enclave.session("analytics", SITE, 1).await;
    for query in ["SELECT \"user\" FROM users", "SELECT user_id FROM \"order\""] {
        let rows = session.query(query, &[]).await.unwrap();
        assert_eq!(rows.len(), 1, "{query}");
        assert!(rows[0].get::<_, Option<String>>(0).is_some(), "{query}");
    }
}
