//! The attack table: each line tries to recover a planted value as a principal from whom it is hidden, through the
//! gate and, with a pool role's own keys, against the wall alone. Add a line to add an attack.

use super::lab::{AOIFE, Enclave, LUKAS, Who};

/// A subject who did not consent to analytics. Nobody here may see any of this: the first three are masked for
/// support, and the whole row is out of the analysts' scope.
const PLANT: [&str; 2] = [
    "INSERT INTO data.users (id, home_site, handle, full_name, email, phone, birth_date, country, language, \
     analytics_consent, followers, created_at) VALUES (900000001, 'dublin-1', 'planted_handle', 'Zoe Plantedname', \
     'plantedsecret@mail.example', '+353871234567', '1971-02-03', 'IE', 'zz', false, 7654321, '2020-01-02 03:04:05Z')",
    "INSERT INTO data.payments (id, home_site, user_id, amount_cents, currency, iban, status, paid_at) VALUES \
     (900000001, 'dublin-1', 900000001, 4242424, 'EUR', 'IE29AIBK93115212345678', 'settled', '2021-01-01 00:00:00Z')",
];
/// Hidden from support: in the clear nowhere in what she is shown.
const HIDDEN_FROM_SUPPORT: [&str; 3] = ["plantedsecret", "871234567", "93115212345678"];
/// Hidden from analysts: the row as a whole.
const HIDDEN_FROM_ANALYSTS: [&str; 6] =
    ["plantedsecret", "871234567", "93115212345678", "Plantedname", "7654321", "4242424"];

/// What the gate does.
enum Gate {
    /// 42501, a sentence and an entry's number.
    Refuses,
    /// It may run; it shows nothing hidden.
    Runs,
}

/// What PostgreSQL does when somebody has a pool role's keys and no gate in front of it.
enum Wall {
    /// An error.
    Refuses,
    /// It may run; it shows nothing hidden.
    Runs,
    /// It runs, and is more than a session should be able to do. Each is a line of docs/threat-model.md.
    LetsThrough,
}

/// Pool roles begin read-only, and can undo it.
const READ_WRITE: &str = "SET default_transaction_read_only = off";

struct Attack {
    name: &'static str,
    sql: &'static [&'static str],
    gate: Gate,
    wall: Wall,
}

const fn attack(name: &'static str, sql: &'static [&'static str], gate: Gate, wall: Wall) -> Attack {
    Attack { name, sql, gate, wall }
}

/// As the Irish support agent, who sees phone, e-mail and IBAN masked.
const BY_SUPPORT: &[Attack] = &[
    attack("base table", &["SELECT email FROM data.users"], Gate::Refuses, Wall::Refuses),
    attack("partition", &["SELECT email FROM data.\"users_dublin-1\""], Gate::Refuses, Wall::Refuses),
    attack("masked column", &["SELECT email, phone FROM users WHERE id = 900000001"], Gate::Runs, Wall::Runs),
    attack("whole row", &["SELECT row_to_json(u) FROM users u WHERE id = 900000001"], Gate::Runs, Wall::Runs),
    attack(
        "cast error on a mask",
        &["SELECT email::int FROM users WHERE id = 900000001"],
        Gate::Runs,
        Wall::Refuses,
    ),
    attack(
        "guess by equality",
        &["SELECT id FROM users WHERE phone = '+353' || '87' || '1234567'"],
        Gate::Runs,
        Wall::Runs,
    ),
    attack(
        "leaky function",
        &[
            "CREATE FUNCTION pg_temp.leak(text) RETURNS bool LANGUAGE plpgsql COST 0.0001 AS \
             $$ BEGIN RAISE NOTICE '%', $1; RETURN true; END $$",
            "SELECT id FROM users WHERE pg_temp.leak(email)",
        ],
        Gate::Refuses,
        Wall::Refuses,
    ),
    attack("sub-select", &["SELECT (SELECT email FROM data.users LIMIT 1)"], Gate::Refuses, Wall::Refuses),
    attack(
        "limit",
        &["SELECT 1 LIMIT (SELECT length(email) FROM data.users LIMIT 1)"],
        Gate::Refuses,
        Wall::Refuses,
    ),
    attack("values", &["VALUES ((SELECT email FROM data.users LIMIT 1))"], Gate::Refuses, Wall::Refuses),
    attack(
        "common table",
        &["WITH x AS (SELECT * FROM data.users) SELECT * FROM x"],
        Gate::Refuses,
        Wall::Refuses,
    ),
    attack(
        "sample",
        &["SELECT email FROM data.users TABLESAMPLE SYSTEM (100)"],
        Gate::Refuses,
        Wall::Refuses,
    ),
    attack(
        "prepare",
        &["PREPARE p AS SELECT email FROM data.users", "EXECUTE p"],
        Gate::Refuses,
        Wall::Refuses,
    ),
    attack(
        "cursor",
        &["DECLARE c CURSOR WITH HOLD FOR SELECT email FROM data.users"],
        Gate::Refuses,
        Wall::Refuses,
    ),
    attack(
        "cursor on the view",
        &["BEGIN; DECLARE c CURSOR FOR SELECT email FROM users; FETCH ALL c; END"],
        Gate::Runs,
        Wall::Runs,
    ),
    attack("two statements", &["SELECT 1; SELECT email FROM data.users"], Gate::Refuses, Wall::Refuses),
    attack("copy base", &["COPY data.users TO STDOUT"], Gate::Refuses, Wall::Refuses),
    attack(
        "copy view",
        &["COPY (SELECT * FROM users WHERE id = 900000001) TO STDOUT"],
        Gate::Runs,
        Wall::Runs,
    ),
    attack("copy to program", &["COPY (SELECT 1) TO PROGRAM 'cat'"], Gate::Refuses, Wall::Refuses),
    attack("copy to file", &["COPY (SELECT 1) TO '/tmp/trefoil-attack'"], Gate::Refuses, Wall::Refuses),
    attack("do", &["DO $$ BEGIN RAISE NOTICE 'x'; END $$"], Gate::Refuses, Wall::Refuses),
    attack("set role", &["SET ROLE trefoil_admin"], Gate::Refuses, Wall::Refuses),
    attack(
        "set session authorization",
        &["SET SESSION AUTHORIZATION trefoil_admin"],
        Gate::Refuses,
        Wall::Refuses,
    ),
    attack(
        "set_config",
        &["SELECT set_config('role', 'trefoil_admin', false)"],
        Gate::Refuses,
        Wall::Refuses,
    ),
    attack(
        "search_path",
        &["SET search_path = data", "SELECT email FROM users"],
        Gate::Refuses,
        Wall::Refuses,
    ),
    attack(
        "own password",
        &[READ_WRITE, "ALTER ROLE CURRENT_USER PASSWORD 'x'"],
        Gate::Refuses,
        Wall::LetsThrough,
    ),
    attack(
        "own settings",
        &[READ_WRITE, "ALTER ROLE CURRENT_USER SET work_mem = '4MB'"],
        Gate::Refuses,
        Wall::LetsThrough,
    ),
    attack(
        "undo own settings",
        &[READ_WRITE, "ALTER ROLE CURRENT_USER RESET work_mem"],
        Gate::Refuses,
        Wall::LetsThrough,
    ),
    attack("create role", &[READ_WRITE, "CREATE ROLE x SUPERUSER"], Gate::Refuses, Wall::Refuses),
    attack("grant", &[READ_WRITE, "GRANT trefoil_admin TO CURRENT_USER"], Gate::Refuses, Wall::Refuses),
    attack("explain verbose", &["EXPLAIN VERBOSE SELECT * FROM users"], Gate::Refuses, Wall::LetsThrough),
    attack(
        "explain analyze",
        &["EXPLAIN ANALYZE SELECT * FROM users WHERE id = 900000001"],
        Gate::Refuses,
        Wall::LetsThrough,
    ),
    attack("view definition", &["SELECT pg_get_viewdef('users'::regclass)"], Gate::Runs, Wall::Runs),
    attack(
        "rewritten tree",
        &[
            "SET client_min_messages = log",
            "SET debug_print_rewritten = on",
            "SELECT * FROM users WHERE id = 900000001",
        ],
        Gate::Refuses,
        Wall::LetsThrough,
    ),
    attack("statistics", &["SELECT * FROM pg_stats WHERE schemaname = 'data'"], Gate::Runs, Wall::Runs),
    attack("raw statistics", &["SELECT * FROM pg_statistic"], Gate::Refuses, Wall::Refuses),
    attack(
        "rows counted by the catalog",
        &["SELECT reltuples FROM pg_class WHERE relname = 'users'"],
        Gate::Refuses,
        Wall::LetsThrough,
    ),
    attack(
        "rows counted by the catalog, as a function of its row",
        &["SELECT c.row_to_json FROM pg_class c WHERE relname = 'users'"],
        Gate::Refuses,
        Wall::LetsThrough,
    ),
    attack(
        "code, as a function of its row",
        &["SELECT p.row_to_json FROM pg_proc p WHERE proname = 'mask_email'"],
        Gate::Refuses,
        Wall::LetsThrough,
    ),
    attack("activity", &["SELECT query FROM pg_stat_activity"], Gate::Refuses, Wall::Runs),
    attack(
        "query_to_xml",
        &["SELECT query_to_xml('SELECT email FROM data.users', true, true, '')"],
        Gate::Refuses,
        Wall::Refuses,
    ),
    attack("table_to_xml", &["SELECT table_to_xml('users', true, true, '')"], Gate::Refuses, Wall::Refuses),
    attack(
        "ts_stat",
        &["SELECT * FROM ts_stat('SELECT to_tsvector(email) FROM data.users')"],
        Gate::Refuses,
        Wall::Refuses,
    ),
    attack("read file", &["SELECT pg_read_file('/etc/passwd')"], Gate::Refuses, Wall::Refuses),
    attack("list folder", &["SELECT pg_ls_dir('/')"], Gate::Refuses, Wall::Refuses),
    attack("large object", &[READ_WRITE, "SELECT lo_create(0)"], Gate::Refuses, Wall::Refuses),
    attack("import file", &["SELECT lo_import('/etc/passwd')"], Gate::Refuses, Wall::Refuses),
    attack("listen", &["LISTEN channel"], Gate::Refuses, Wall::LetsThrough),
    attack("notify", &["NOTIFY channel, 'x'"], Gate::Refuses, Wall::LetsThrough),
    attack("pg_notify", &["SELECT pg_notify('channel', 'x')"], Gate::Refuses, Wall::Refuses),
    attack("advisory lock", &["SELECT pg_advisory_lock(1)"], Gate::Refuses, Wall::Refuses),
    attack("temporary table", &[READ_WRITE, "CREATE TEMP TABLE t (x text)"], Gate::Refuses, Wall::Refuses),
    attack("select into", &[READ_WRITE, "SELECT email INTO t FROM users"], Gate::Refuses, Wall::Refuses),
    attack("end another", &["SELECT pg_terminate_backend(1)"], Gate::Refuses, Wall::Refuses),
    attack("snapshot", &["SELECT pg_export_snapshot()"], Gate::Refuses, Wall::Runs),
    attack("write", &["UPDATE users SET full_name = 'x'"], Gate::Refuses, Wall::Refuses),
    attack("read-write", &[READ_WRITE, "DELETE FROM users"], Gate::Refuses, Wall::Refuses),
    attack("call a mask", &["SELECT trefoil.mask_email('x')"], Gate::Refuses, Wall::Refuses),
    attack("pseudonyms", &["SELECT * FROM pseudonym.analytics"], Gate::Refuses, Wall::Refuses),
    attack("another profile", &["SELECT * FROM analytics.users"], Gate::Refuses, Wall::Refuses),
    attack(
        "read-write by reset",
        &["BEGIN", "RESET transaction_read_only", "ROLLBACK"],
        Gate::Refuses,
        Wall::LetsThrough,
    ),
    // The gate once recorded rows without a statement here, which the monitor refuses for good: the lines after this
    // one show that it goes on.
    attack(
        "not shown, said after rows",
        &[
            "SELECT CASE WHEN g < 5 THEN g::text ELSE ('none' || g)::regclass::text END FROM generate_series(1, 9) g",
        ],
        Gate::Runs,
        Wall::Refuses,
    ),
    attack("server's log", &["SET log_min_messages = notice"], Gate::Refuses, Wall::Refuses),
    attack("server's disk", &["SET temp_file_limit = -1"], Gate::Refuses, Wall::Refuses),
    attack("load", &["LOAD 'auto_explain'"], Gate::Refuses, Wall::Refuses),
    attack("other database", &["\\connect postgres"], Gate::Runs, Wall::Refuses),
];

/// As the German analyst, whose scope leaves out subjects who did not consent.
const BY_ANALYST: &[Attack] = &[
    attack("count", &["SELECT count(*) FROM users WHERE language = 'zz'"], Gate::Runs, Wall::Runs),
    attack("all", &["SELECT * FROM users", "SELECT * FROM payments"], Gate::Runs, Wall::Runs),
    attack("cast error", &["SELECT * FROM users WHERE language::int = 1"], Gate::Runs, Wall::Runs),
    attack(
        "cast error by case",
        &["SELECT CASE WHEN language = 'zz' THEN followers::text::date END FROM users"],
        Gate::Runs,
        Wall::Runs,
    ),
    attack(
        "divide by zero",
        &["SELECT 1 / (followers - 7000000 - 654321) FROM users"],
        Gate::Runs,
        Wall::Runs,
    ),
    attack(
        "row security off",
        &["SET row_security = off", "SELECT * FROM users"],
        Gate::Refuses,
        Wall::Refuses,
    ),
    attack(
        "leaky function",
        &[
            "CREATE FUNCTION pg_temp.leak(text, int) RETURNS bool LANGUAGE plpgsql COST 0.0001 AS \
             $$ BEGIN RAISE NOTICE '% %', $1, $2; RETURN true; END $$",
            "SELECT 1 FROM users WHERE pg_temp.leak(language, followers)",
        ],
        Gate::Refuses,
        Wall::Refuses,
    ),
    attack(
        "explain analyze",
        &["EXPLAIN ANALYZE SELECT * FROM users WHERE language = 'zz'"],
        Gate::Refuses,
        Wall::LetsThrough,
    ),
    attack("tokens", &["SELECT * FROM pseudonym.analytics"], Gate::Refuses, Wall::Refuses),
    attack("withheld column", &["SELECT email FROM users"], Gate::Refuses, Wall::Refuses),
    attack("true key", &["SELECT t.id FROM data.users t"], Gate::Refuses, Wall::Refuses),
];

#[test]
fn nothing_hidden_is_recovered() {
    let enclave = Enclave::start();
    let planted = enclave.admin("dublin-1", &PLANT);
    assert!(!planted.contains("ERROR"), "the planted subject: {planted}");
    let mut wrong = Vec::new();
    // What the wall lets through may change a role; the roles that the gate uses first stay as they are.
    check(&enclave, AOIFE, "support", BY_SUPPORT, &HIDDEN_FROM_SUPPORT, &mut wrong);
    check(&enclave, LUKAS, "analytics", BY_ANALYST, &HIDDEN_FROM_ANALYSTS, &mut wrong);
    assert!(wrong.is_empty(), "{} attacks not as promised:\n{}", wrong.len(), wrong.join("\n"));
}

fn check(
    enclave: &Enclave,
    who: Who,
    profile: &str,
    attacks: &[Attack],
    hidden: &[&str],
    wrong: &mut Vec<String>,
) {
    for attack in attacks {
        let gate = enclave.gate(who, attack.sql);
        let refused = gate.contains("42501: refused:") && gate.contains("entry ");
        if let Some(value) = hidden.iter().find(|value| gate.contains(**value)) {
            wrong.push(format!("{}: the gate shows {value}: {gate}", attack.name));
        }
        if matches!(attack.gate, Gate::Refuses) && !refused {
            wrong.push(format!("{}: the gate does not refuse: {gate}", attack.name));
        }
    }
    for attack in attacks {
        let wall = enclave.wall(profile, 8, attack.sql);
        if wall.contains("FATAL") && attack.name != "other database" {
            wrong.push(format!("{}: the attack did not reach the wall: {wall}", attack.name));
        }
        if let Some(value) = hidden.iter().find(|value| wall.contains(**value)) {
            wrong.push(format!("{}: the wall shows {value}: {wall}", attack.name));
        }
        let errs = wall.contains("ERROR") || wall.contains("FATAL");
        match attack.wall {
            Wall::Refuses if !errs => {
                wrong.push(format!("{}: the wall does not refuse: {wall}", attack.name))
            }
            Wall::LetsThrough if errs => {
                wrong.push(format!(
                    "{}: the wall refuses now; say so in docs/threat-model.md: {wall}",
                    attack.name
                ));
            }
            Wall::Refuses | Wall::Runs | Wall::LetsThrough => {}
        }
        // "own password" locks the role out: put it back for the next line.
        if attack.name == "own password" {
            restore_password(enclave, profile);
        }
    }
}

fn restore_password(enclave: &Enclave, profile: &str) {
    let role = enclave.role(profile, "dublin-1", 8);
    let secrets: serde_json::Value =
        serde_json::from_slice(&std::fs::read(enclave.dir.join("gate/secrets.json")).unwrap()).unwrap();
    let password = secrets["pool"][&role].as_str().unwrap();
    let done = enclave.admin("dublin-1", &[&format!("ALTER ROLE \"{role}\" PASSWORD '{password}'")]);
    assert!(!done.contains("ERROR"), "{done}");
}
