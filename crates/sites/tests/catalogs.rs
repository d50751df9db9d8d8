//! What a session learns from the catalogs: what clients ask is answered, as far as the profile goes, and names of
//! hidden tables, columns, schemas and roles are in no answer. Statements go through the verdict, and to the site as the
//! gate would send them; then past the verdict, as somebody would who found a hole in it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends when it cannot go on"
)]

mod common;

use std::collections::BTreeSet;

use common::{Enclave, example};
use policy::{Ask, Permit};
use tokio_postgres::{Client, SimpleQueryMessage};

const SITE: &str = "dublin-1";

/// What clients send: `-- client` or `-- client | rule that refuses`, and a statement to the next empty line. `{view}` and
/// `{schema}` are numbers that such a client has read before.
const CLIENTS: &str = include_str!("data/clients.sql");

/// Who gets each profile: (profile, principal, listener, purpose, ticket).
const WHO: &[(&str, &str, &str, &str, Option<&str>)] = &[
    ("support", "aoife", "ireland", "support", Some("SUP-1")),
    ("analytics", "lukas", "germany", "analytics", None),
    ("engineering", "wei", "china", "engineering", None),
    ("abroad", "aoife", "china", "support", Some("SUP-1")),
    ("billing", "billing", "ireland", "billing", None),
];

/// What should come of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// The verdict refuses, by this rule.
    Rule(&'static str),
    /// The site refuses, with this SQLSTATE.
    State(&'static str),
    /// Answered, with nothing hidden.
    Harmless,
    /// Answered with no row, or with nulls.
    Nothing,
}
use Ends::{Harmless, Nothing, Rule, State};

const NAME: Ends = Rule("object-name");
const DENIED: Ends = State("42501");
const MISSING: Ends = State("42P01");

/// Through the verdict, as `abroad`. `{n}` is the number of a hidden table, `{type}` of its row type, `{role}` of
/// another profile's role.
const ATTEMPTS: &[(&str, Ends)] = &[
    // Numbers to names.
    ("SELECT {n}::regclass", NAME),
    ("SELECT '{n}'::regclass", NAME),
    ("SELECT CAST('{n}' AS pg_catalog.regclass)::text", NAME),
    ("SELECT regclass '{n}'", NAME),
    ("SELECT \"regclass\" '{n}'", NAME),
    ("SELECT U&'\\0031' || '{n}'::regclass::text", NAME),
    ("SELECT {n}::oid::regclass", NAME),
    ("SELECT ({n}::int8)::regclass::text", NAME),
    ("SELECT '{type}'::regtype, '{role}'::regrole, '{n}'::regclass", NAME),
    ("SELECT '{{n}}'::regclass[]", NAME),
    ("SELECT ARRAY[{n}]::regclass[]", NAME),
    ("SELECT ('pg_class'::regclass)::text || '{n}'::regclass", NAME),
    ("SELECT coalesce('pg_class'::regclass, '{n}')", NAME),
    ("SELECT CASE WHEN false THEN 'pg_class'::regclass ELSE '{n}' END", NAME),
    ("SELECT 'pg_class'::regclass UNION ALL SELECT '{n}'", NAME),
    ("VALUES ('pg_class'::regclass), ('{n}')", NAME),
    ("SELECT ARRAY['pg_class'::regclass, '{n}']", NAME),
    ("SELECT r FROM (SELECT 'pg_class'::regclass AS r) x UNION SELECT '{n}'", NAME),
    ("SELECT coalesce(r, '{n}') FROM (SELECT 'pg_class'::regclass AS r) x", NAME),
    ("WITH w AS (SELECT 'pg_class'::regclass AS r) SELECT coalesce(r, '{n}') FROM w", NAME),
    ("SELECT coalesce(x.r, '{n}') FROM pg_class, LATERAL (SELECT relnamespace::regnamespace AS r) x", NAME),
    ("SELECT array_append(ARRAY['pg_class'::regclass], '{n}')", NAME),
    ("SELECT lag('pg_class'::regclass, 1, '{n}') OVER ()", NAME),
    ("SELECT coalesce(pg_typeof(1), '{type}')", NAME),
    ("SELECT coalesce((1).pg_typeof, '{type}')", NAME),
    ("SELECT coalesce(g.pg_typeof, '{type}') FROM generate_series(1, 1) g", NAME),
    ("SELECT coalesce(to_regclass('pg_class'), '{n}')", NAME),
    ("SELECT coalesce(to_regtype('text'), '{type}')", NAME),
    ("SELECT ({n}).regclass", Rule("function")),
    ("SELECT g.regclass FROM generate_series({n}, {n}) g", Rule("function")),
    ("SELECT regclass({n})", Rule("function")),
    ("SELECT * FROM jsonb_to_record('{\"a\": \"{n}\"}') AS x(a regclass)", NAME),
    ("SELECT x.oid::regclass FROM (SELECT {n} AS oid) x", NAME),
    ("SELECT oid::regclass FROM (SELECT {n} AS oid FROM pg_class) x LIMIT 1", NAME),
    ("WITH pg_class AS (SELECT {n} AS oid) SELECT oid::regclass FROM pg_class", NAME),
    ("WITH pg_class AS (SELECT {n} AS oid) SELECT pg_class.oid::regclass::text FROM pg_class", NAME),
    ("SELECT g.oid::regclass FROM generate_series({n}, {n}) g(oid)", NAME),
    (
        "SELECT c.oid::regclass FROM (pg_class c JOIN pg_am a ON true) AS j, (SELECT {n} AS oid) c LIMIT 1",
        NAME,
    ),
    (
        "SELECT (SELECT c.oid::regclass::text FROM (pg_class c JOIN pg_am a ON true) AS j LIMIT 1) FROM (SELECT {n} AS oid) c",
        NAME,
    ),
    ("SELECT s.oid::regclass FROM pg_settings AS s(oid) LIMIT 1", NAME),
    ("SELECT setting::regclass FROM pg_settings WHERE name = 'application_name'", NAME),
    ("SELECT followers::regclass FROM users LIMIT 1", NAME),
    ("SELECT oid::regclass FROM pg_class, users LIMIT 1", NAME),
    (
        "WITH w(a, b) AS (SELECT oid, relnamespace FROM pg_class) SELECT a::regclass FROM w WHERE b = 11",
        Harmless,
    ),
    ("WITH w(a, b) AS (SELECT oid, {n} FROM pg_class) SELECT b::regclass FROM w LIMIT 1", NAME),
    ("WITH w(b) AS (SELECT oid, {n} FROM pg_class) SELECT w2.b::regclass FROM w AS w2(a, b) LIMIT 1", NAME),
    ("WITH w AS (SELECT *, {n} AS oid FROM pg_am) SELECT w.oid::regclass FROM w LIMIT 1", NAME),
    (
        "WITH RECURSIVE w(a) AS (SELECT {n}::oid UNION SELECT c.oid FROM pg_class c, w) SELECT a::regclass FROM w",
        NAME,
    ),
    (
        "WITH a AS (SELECT {n} AS oid), b AS (SELECT oid FROM a) \
         SELECT (WITH a AS (SELECT oid FROM pg_class) SELECT oid::regclass::text FROM b LIMIT 1)",
        NAME,
    ),
    (
        "SELECT (WITH users AS (SELECT oid AS followers FROM pg_class) SELECT 1 FROM users LIMIT 1), \
         followers::regclass FROM users LIMIT 1",
        NAME,
    ),
    (
        "SELECT (SELECT x.o::regclass::text FROM (SELECT {n} AS oid) c, LATERAL (SELECT c.oid AS o) x) \
         FROM pg_class c LIMIT 1",
        NAME,
    ),
    ("SELECT coalesce(x.o, {n})::regclass FROM (SELECT oid AS o FROM pg_class) x LIMIT 1", NAME),
    ("SELECT relnatts::regclass FROM pg_class", NAME),
    ("SELECT (oid + 0)::regclass FROM pg_class", NAME),
    ("SELECT $1 FROM (SELECT 1 WHERE $1 = 'pg_class'::regclass) x", NAME),
    ("PREPARE p (regclass) AS SELECT $1", NAME),
    ("PREPARE p AS SELECT $1 FROM (SELECT 1 FROM pg_class WHERE oid::regclass = $1) x", NAME),
    ("PREPARE p AS SELECT $1 FROM (SELECT 1 FROM pg_type WHERE typinput = $1) x; EXECUTE p('{n}')", Harmless),
    ("SELECT coalesce(typinput, '{n}') FROM pg_type", Harmless),
    ("SELECT typinput FROM pg_type UNION ALL SELECT '{n}'", Harmless),
    ("SELECT coalesce(aggfnoid, '{n}') FROM pg_aggregate", Harmless),
    ("SELECT format_type({type}, NULL)", Harmless),
    ("SELECT format_type('{type}', NULL), pg_catalog.format_type({type}, 1)", Harmless),
    ("SELECT format_type(g, NULL) FROM generate_series(16384, 20000) g", Harmless),
    ("SELECT pg_get_userbyid({role})", Harmless),
    ("SELECT pg_get_userbyid(g::oid) FROM generate_series(16384, 20000) g", Harmless),
    ("SELECT acldefault('r', {role})", Rule("function")),
    ("SELECT makeaclitem({role}, {role}, 'SELECT', false)", Rule("function")),
    ("SELECT ({role}::oid).pg_get_userbyid", DENIED),
    ("SELECT pg_get_viewdef({view}), pg_get_viewdef('{view}'::oid, true)", Nothing),
    ("SELECT pg_get_viewdef('users')", State("22P02")),
    (
        "SELECT pg_get_indexdef(g::oid) FROM generate_series(16384, 20000) g WHERE pg_get_indexdef(g::oid) IS NOT NULL",
        Nothing,
    ),
    (
        "SELECT pg_get_constraintdef(g::oid) FROM generate_series(16384, 20000) g WHERE pg_get_constraintdef(g::oid) <> ''",
        Nothing,
    ),
    (
        "SELECT pg_get_triggerdef(g::oid) FROM generate_series(16384, 20000) g WHERE pg_get_triggerdef(g::oid) <> ''",
        Nothing,
    ),
    (
        "SELECT pg_get_function_arguments(g::oid) FROM generate_series(16384, 20000) g WHERE pg_get_function_result(g::oid) <> ''",
        Nothing,
    ),
    ("SELECT obj_description({n}), obj_description({n}, 'pg_class'), col_description({n}, 1)", Nothing),
    ("SELECT pg_total_relation_size({n}), pg_relation_size('{n}'), pg_table_size({n})", Nothing),
    ("SELECT pg_get_serial_sequence('data.users', 'id')", Nothing),
    ("SELECT pg_describe_object('pg_class'::regclass, {n}, 0)", Rule("function")),
    ("SELECT pg_identify_object('pg_class'::regclass, {n}, 0)", Rule("function")),
    ("SELECT pg_filenode_relation(0, {n})", Rule("function")),
    ("SELECT currtid2('data.users', '(0,1)')", Rule("function")),
    ("SELECT nextval('{n}')", Rule("function")),
    // Names to whether they exist.
    ("SELECT 'data.users'::regclass", NAME),
    ("SELECT '\"data\".\"users\"'::regclass", NAME),
    ("SELECT U&'d\\0061ta.users'::regclass", NAME),
    ("SELECT 'data'::regnamespace, 'pseudonym'::regnamespace", NAME),
    ("SELECT 'trefoil_pool'::regrole", NAME),
    ("SELECT 'data.users'::regtype", NAME),
    ("SELECT ('data' || '.users')::regclass", NAME),
    ("SELECT $1::regclass", NAME),
    ("SELECT format('%I.%I', 'data', 'users')::regclass", NAME),
    ("SELECT format('%I.%I', n.nspname, 'users')::regclass FROM pg_namespace n", NAME),
    ("SELECT NULL::data.users", Rule("type")),
    ("SELECT 'a=r/trefoil_pool'::aclitem", NAME),
    (
        "SELECT coalesce(relacl, '{trefoil_pool=r/trefoil_pool}') FROM pg_class WHERE relname = 'users'",
        Harmless,
    ),
    ("SELECT to_regclass('data.users'), to_regclass('no.such')", Nothing),
    ("SELECT to_regtype('data.users'), to_regnamespace('data')", Nothing),
    ("SELECT to_regrole('trefoil_pool') IS NULL", Harmless),
    ("SELECT to_regrole('trefoil_watch'), to_regproc('trefoil.mask_email')", Nothing),
    ("SELECT has_table_privilege('data.users', 'SELECT')", MISSING),
    ("SELECT has_table_privilege('no.such', 'SELECT')", MISSING),
    ("SELECT has_table_privilege({n}, 'SELECT'), has_table_privilege(4000000000, 'SELECT')", Nothing),
    ("SELECT has_table_privilege('trefoil_watch', 'users', 'SELECT')", State("42704")),
    ("SELECT has_table_privilege('nobody', 'users', 'SELECT')", State("42704")),
    ("SELECT has_any_column_privilege('data.users', 'SELECT')", MISSING),
    ("SELECT has_column_privilege('data.users', 'email', 'SELECT')", MISSING),
    ("SELECT has_column_privilege({n}, 'email', 'SELECT')", Nothing),
    ("SELECT has_schema_privilege('data', 'USAGE')", State("3F000")),
    ("SELECT has_schema_privilege('nope', 'USAGE')", State("3F000")),
    ("SELECT pg_has_role('trefoil_watch', 'MEMBER')", State("42704")),
    ("SELECT has_function_privilege('trefoil.mask_email(text)', 'EXECUTE')", DENIED),
    ("SELECT has_type_privilege('data.users', 'USAGE')", DENIED),
    ("SELECT has_sequence_privilege('data.users', 'USAGE')", DENIED),
    // Rows, however the catalog is named.
    (
        "SELECT * FROM pg_catalog.pg_namespace WHERE nspname IN ('data', 'pseudonym', 'trefoil', 'support')",
        Nothing,
    ),
    ("SELECT oid FROM \"pg_catalog\".\"pg_class\" WHERE oid = {n}", Nothing),
    ("SELECT oid FROM PG_CATALOG.PG_CLASS WHERE oid = {n}", Nothing),
    ("SELECT oid FROM pg_catalog /* . */ . -- x\n pg_class WHERE oid = {n}", Nothing),
    ("SELECT oid FROM ONLY (pg_class) WHERE oid = {n}", Nothing),
    ("TABLE pg_policy", Nothing),
    ("SELECT oid FROM U&\"pg_c\\006Cass\" WHERE oid = {n}", Rule("catalog-name")),
    ("SELECT oid FROM U&\"pg!005Fcatalog\" UESCAPE '!' . pg_class", Rule("catalog-name")),
    ("SELECT pg_class.oid FROM users JOIN pg_class ON pg_class.oid = {n}", Nothing),
    ("SELECT c.relname FROM pg_class c JOIN pg_class d USING (oid) WHERE oid = {n}", Nothing),
    ("SELECT (SELECT relname FROM pg_class WHERE oid = {n})", Nothing),
    (
        "SELECT x FROM users, LATERAL (SELECT relname AS x FROM pg_catalog.pg_class WHERE oid = {n}) l",
        Nothing,
    ),
    (
        "WITH pg_class AS (SELECT oid FROM pg_catalog.pg_class) SELECT * FROM pg_class WHERE oid = {n}",
        Nothing,
    ),
    ("WITH a AS (WITH pg_class AS (SELECT 1) SELECT 1) SELECT oid FROM pg_class WHERE oid = {n}", Nothing),
    (
        "WITH RECURSIVE pg_class AS (SELECT 1 AS oid UNION SELECT oid + 1 FROM pg_class WHERE oid < 3) SELECT oid FROM pg_class WHERE oid > 3",
        Nothing,
    ),
    ("SELECT pg_catalog.pg_class.oid FROM pg_catalog.pg_class WHERE pg_catalog.pg_class.oid = {n}", Nothing),
    ("COPY (SELECT nspname FROM pg_namespace) TO STDOUT", Harmless),
    ("BEGIN; DECLARE c CURSOR FOR SELECT relname FROM pg_class; FETCH ALL FROM c; COMMIT", Harmless),
    ("PREPARE q AS SELECT relname FROM pg_class; EXECUTE q", Harmless),
    ("SELECT relname FROM tf_catalog.pg_class", Rule("relation")),
    ("SELECT tf_catalog.format_type(1, 1)", Rule("function")),
    // Errors of conditions quote what they look at: rows that are held back are not looked at.
    ("SELECT * FROM pg_namespace WHERE nspname::text::integer = 1 AND oid >= 16384", State("22P02")),
    ("SELECT oid FROM pg_class WHERE oid = {n} AND relname::text::integer = 1", Nothing),
    ("SELECT table_name FROM information_schema.tables WHERE table_name::text::integer = 1", State("22P02")),
    ("SELECT relname FROM pg_class ORDER BY relname::text::integer", State("22P02")),
    ("SELECT atttypid FROM pg_attribute WHERE attrelid = {n}", Nothing),
    ("SELECT typname FROM pg_type WHERE oid = {type}", Nothing),
    ("SELECT rolname FROM pg_roles WHERE oid = {role}", Nothing),
    ("SELECT * FROM pg_depend WHERE objid = {n} OR refobjid = {n}", Nothing),
    ("SELECT * FROM pg_stat_user_tables", Rule("relation")),
    ("SELECT * FROM pg_locks", Rule("relation")),
    ("SELECT * FROM pg_subscription", Rule("relation")),
    ("SELECT * FROM pg_stats", Rule("relation")),
    ("SELECT reltuples FROM pg_class WHERE reltuples > 0 OR relpages > 0", Nothing),
];

#[tokio::test(flavor = "multi_thread")]
async fn catalogs_show_what_the_profile_shows() {
    let enclave = Enclave::provisioned(example(), 40).await;
    let admin = enclave.cluster(SITE).admin().await.unwrap();
    admin
        .batch_execute("COMMENT ON TABLE data.users IS 'people of dublin'; ANALYZE data.users")
        .await
        .unwrap();
    for who in WHO {
        let session = Session::open(&enclave, &admin, who).await;
        what_clients_ask(&session).await;
        whole_catalogs(&session, &admin).await;
    }
    let session = Session::open(&enclave, &admin, &WHO[3]).await;
    attempts(&session).await;
    past_the_verdict(&session, &admin).await;
    lists(&session).await;
}

struct Session {
    permit: Permit,
    client: Client,
    /// Names that no answer may hold.
    hidden: BTreeSet<String>,
    /// What `{…}` stands for.
    numbers: Vec<(&'static str, String)>,
}

impl Session {
    async fn open(
        enclave: &Enclave,
        admin: &Client,
        (profile, principal, listener, purpose, ticket): &(&str, &str, &str, &str, Option<&str>),
    ) -> Self {
        let place = enclave.bundle.place_of(listener);
        let ask = Ask { principal, place, purpose: Some(purpose), ticket: *ticket };
        let permit = enclave.bundle.decide(&ask).unwrap();
        assert_eq!(permit.profile().name, *profile);
        let client = enclave.session(profile, SITE, 1).await;
        let number =
            async |query: &str| admin.query_one(query, &[]).await.unwrap().get::<_, u32>(0).to_string();
        let numbers = vec![
            ("{view}", number(&format!("SELECT '{profile}.users'::regclass::oid")).await),
            ("{schema}", number(&format!("SELECT '{profile}'::regnamespace::oid")).await),
            ("{n}", number("SELECT 'data.users'::regclass::oid").await),
            ("{type}", number("SELECT 'data.users'::regtype::oid").await),
            ("{role}", number("SELECT 'trefoil_watch'::regrole::oid").await),
        ];
        let hidden = hidden(enclave, admin, profile).await;
        Self { permit, client, hidden, numbers }
    }

    fn filled(&self, text: &str) -> String {
        self.numbers.iter().fold(text.to_owned(), |text, (name, number)| text.replace(name, number))
    }

    /// Sends what is cleared. The rows, or the rule or SQLSTATE that refused.
    async fn ask(&self, text: &str) -> Result<Vec<Vec<Option<String>>>, String> {
        let cleared = sql::judge(&self.permit, text).map_err(|refusal| refusal.rule.to_string())?;
        self.send(cleared.sent()).await
    }

    async fn send(&self, text: &str) -> Result<Vec<Vec<Option<String>>>, String> {
        if text.starts_with("COPY") {
            let out = self.client.copy_out(text).await.map_err(|error| self.state(text, &error))?;
            let rows: Vec<_> = futures_util::StreamExt::collect::<Vec<_>>(out).await;
            return Ok(vec![
                rows.into_iter()
                    .map(|row| Some(String::from_utf8(row.unwrap().to_vec()).unwrap().trim_end().to_owned()))
                    .collect(),
            ]);
        }
        let answer = self.client.simple_query(text).await;
        let rows = answer.map_err(|error| self.state(text, &error));
        if rows.is_err() {
            self.client.batch_execute("ROLLBACK").await.unwrap();
        }
        let cells = |row: &tokio_postgres::SimpleQueryRow| {
            (0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect::<Vec<_>>()
        };
        let rows: Vec<Vec<Option<String>>> = rows?
            .iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(cells(row)),
                _ => None,
            })
            .collect();
        rows.iter().flatten().flatten().for_each(|cell| self.looked_at(text, cell));
        Ok(rows)
    }

    fn state(&self, text: &str, error: &tokio_postgres::Error) -> String {
        let server = error.as_db_error().unwrap_or_else(|| panic!("{error:?}"));
        for part in [Some(server.message()), server.detail(), server.hint(), server.table(), server.schema()]
        {
            // What the client said may come back to it.
            let own = part.unwrap_or_default().replace("tf_catalog.", "");
            let words = own.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'));
            words
                .filter(|word| word.contains(['_', '-']) && !text.contains(word))
                .for_each(|word| self.looked_at(text, word));
        }
        server.code().code().to_owned()
    }

    /// A cell is a name, a list of names, or holds one with a schema.
    fn looked_at(&self, text: &str, cell: &str) {
        for word in cell.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')) {
            let alone = word.len() == cell.len() || word.contains(['_', '-']);
            assert!(!(alone && self.hidden.contains(word)), "{text}\nshows {word} in {cell}");
        }
    }
}

/// Names of relations, columns, schemas, roles, types, functions and whatever else there is that the profile does not
/// show and PostgreSQL did not bring.
async fn hidden(enclave: &Enclave, admin: &Client, profile: &str) -> BTreeSet<String> {
    let names = async |system: &str| {
        let query = format!(
            "SELECT relname::text FROM pg_class WHERE oid {system} 16384 \
             UNION SELECT attname FROM pg_attribute WHERE attrelid {system} 16384 \
             UNION SELECT nspname FROM pg_namespace WHERE oid {system} 16384 \
             UNION SELECT rolname FROM pg_roles WHERE oid {system} 16384 \
             UNION SELECT typname FROM pg_type WHERE oid {system} 16384 \
             UNION SELECT conname FROM pg_constraint WHERE oid {system} 16384 \
             UNION SELECT tgname FROM pg_trigger WHERE oid {system} 16384 \
             UNION SELECT proname FROM pg_proc WHERE oid {system} 16384 \
             UNION SELECT polname FROM pg_policy WHERE oid {system} 16384 \
             UNION SELECT pubname FROM pg_publication WHERE oid {system} 16384 \
             UNION SELECT subname FROM pg_subscription WHERE oid {system} 16384"
        );
        let rows = admin.query(&query, &[]).await.unwrap();
        rows.iter().filter_map(|row| row.get::<_, Option<String>>(0)).collect::<BTreeSet<_>>()
    };
    let mut hidden = names(">=").await;
    let shown = enclave.profile(profile);
    let mut known = names("<").await;
    known.extend([
        profile.to_owned(),
        enclave.role(profile, SITE, 1),
        "trefoil".to_owned(),
        "trefoil_pool".to_owned(),
    ]);
    known.extend([wall::names::owner_role(&shown.hash), wall::names::profile_role(&shown.hash)]);
    for table in &shown.tables {
        known.extend([table.table.clone(), format!("_{}", table.table)]);
        known.extend(table.columns.iter().map(|column| column.name.clone()));
    }
    // Names of two letters are words of other things, such as collations.
    hidden.retain(|name| name.len() > 2 && !known.contains(name));
    assert!(hidden.len() > 100 && hidden.contains("users_dublin-1") && hidden.contains("pseudonym"));
    hidden
}

/// Everything is answered, quickly enough not to be noticed, and as the profile goes.
async fn what_clients_ask(session: &Session) {
    let mut wrong = String::new();
    for piece in CLIENTS.split("\n\n") {
        let (head, text) = piece.split_once('\n').unwrap();
        let expected = head.split_once(" | ").map(|(_, rule)| rule.to_owned());
        let text = session.filled(text);
        let found = session.ask(&text).await.err();
        if found != expected {
            wrong.push_str(&format!("{head}: expected {expected:?}, found {found:?}\n{text}\n\n"));
        }
    }
    assert!(wrong.is_empty(), "{}\n{wrong}", session.permit.profile().name);
}

/// Every row of every view, past the verdict; and no row of what the views are made of.
async fn whole_catalogs(session: &Session, admin: &Client) {
    let list = async |schemas: &str, kinds: &str| {
        let query = format!(
            "SELECT format('%I.%I', nspname, relname) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace \
             WHERE nspname IN ({schemas}) AND relkind IN ({kinds})"
        );
        let rows = admin.query(&query, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect::<Vec<String>>()
    };
    let views = list("'tf_catalog', 'tf_information_sch'", "'v'").await;
    assert!(views.len() > 60, "{}", views.len());
    for view in views {
        let read = session.send(&format!("SELECT * FROM {view}")).await;
        assert!(read.is_ok(), "{view}: {read:?}");
    }
    for relation in list("'pg_catalog', 'information_schema'", "'r', 'v'").await {
        assert_eq!(
            session.send(&format!("SELECT FROM {relation}")).await.unwrap_err(),
            "42501",
            "{relation}"
        );
    }
}

async fn attempts(session: &Session) {
    let mut wrong = String::new();
    for (text, expected) in ATTEMPTS {
        let text = session.filled(text);
        let found = session.ask(&text).await;
        let fine = match (&found, expected) {
            (Ok(_), Harmless) => true,
            (Ok(rows), Nothing) => rows.iter().flatten().flatten().next().is_none(),
            (Err(found), Rule(expected) | State(expected)) => found == expected,
            _ => false,
        };
        if !fine {
            wrong.push_str(&format!("{text}\n    expected {expected:?}, found {found:.300?}\n"));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// What PostgreSQL refuses when the verdict has missed something.
async fn past_the_verdict(session: &Session, admin: &Client) {
    for text in [
        "SELECT relname FROM pg_catalog.pg_class",
        "SELECT count(*) FROM pg_class",
        "SELECT attname FROM pg_attribute",
        "SELECT subname FROM pg_subscription",
        "SELECT pg_get_viewdef({view})",
        "SELECT pg_get_userbyid({role})",
        "SELECT pg_get_constraintdef({n})",
        "SELECT obj_description({n}, 'pg_class')",
        "SELECT has_table_privilege('data.users', 'SELECT')",
        "SELECT has_table_privilege('trefoil_watch', {n}, 'SELECT')",
        "SELECT pg_has_role('trefoil_watch', 'MEMBER')",
        "SELECT to_regclass('data.users')",
        "SELECT pg_describe_object(1259, {n}, 0)",
        "SELECT pg_relation_size({n})",
        "SELECT table_name FROM information_schema.tables",
        "SELECT tf_catalog.pg_get_viewdef(NULL) FROM pg_views",
        "SET SESSION AUTHORIZATION trefoil_admin",
        "CREATE VIEW tf_catalog.pg_x AS SELECT 1",
        "CREATE OR REPLACE FUNCTION tf_catalog.sees_role(oid) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
    ] {
        let found = session.send(&format!("BEGIN READ WRITE; {}; ROLLBACK", session.filled(text))).await;
        assert_eq!(found.unwrap_err(), "42501", "{text}");
    }
    // The functions of a schema that nobody may name answer of the session's role, whoever runs them.
    let all: i64 = admin.query_one("SELECT count(*) FROM tf_catalog.pg_class", &[]).await.unwrap().get(0);
    let own = session.send("SELECT count(*) FROM tf_catalog.pg_class").await.unwrap();
    assert!(own[0][0].as_deref().unwrap().parse::<i64>().unwrap() < all);
}

/// What `\d` and its kin list.
async fn lists(session: &Session) {
    let list = async |text: &str| -> Vec<String> {
        session.ask(text).await.unwrap().iter().map(|row| row[0].clone().unwrap_or_default()).collect()
    };
    let relations = "SELECT relname FROM pg_class WHERE oid >= 16384 ORDER BY 1";
    assert_eq!(list(relations).await, ["users"]);
    assert_eq!(
        list(
            "SELECT viewname FROM pg_views WHERE schemaname !~ '^pg_' AND schemaname <> 'information_schema'"
        )
        .await,
        ["users"]
    );
    assert_eq!(list("SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_schema <> 'information_schema' AND table_schema <> 'pg_catalog'").await, ["abroad.users"]);
    assert_eq!(list("SELECT column_name FROM information_schema.columns WHERE table_name = 'users' ORDER BY ordinal_position").await, ["home_site", "country", "language", "followers"]);
    assert_eq!(
        list("SELECT nspname FROM pg_namespace ORDER BY 1").await,
        ["abroad", "information_schema", "pg_catalog", "pg_toast"]
    );
    assert_eq!(list("SELECT 'users'::regclass").await, ["users"]);
    assert_eq!(list("SELECT to_regclass('users')").await, ["users"]);
    assert_eq!(list("SELECT has_table_privilege('users', 'SELECT')").await, ["t"]);
    assert_eq!(list("SELECT has_table_privilege(current_user, 'abroad.users', 'DELETE')").await, ["f"]);
    assert_eq!(
        list("SELECT format_type(t.oid, NULL) FROM pg_type t WHERE typname = 'users'").await,
        ["users"]
    );
}
