//! The lines of the attack table by an analyst, and errors that would quote. Not here: those by support (`support`).

use super::{Attack, Gate, Wall, attack};

/// As the German analyst, whose scope leaves out subjects who did not consent.
pub const BY_ANALYST: &[Attack] = &[
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
    // Design: row scope holds below whatever the statement does with rows; pushdown needs leakproof operators.
    attack("pattern", &["SELECT handle FROM users WHERE language LIKE 'z%'"], Gate::Runs, Wall::Runs),
    attack(
        "regular expression of a value",
        &["SELECT 1 FROM users WHERE 'x' ~ (language || '(')"],
        Gate::Runs,
        Wall::Runs,
    ),
    attack("date of a value", &["SELECT (language || '-01-01')::date FROM users"], Gate::Runs, Wall::Runs),
    attack(
        "exists",
        &["SELECT EXISTS (SELECT 1 FROM users WHERE followers = 7654321 + 0)"],
        Gate::Runs,
        Wall::Runs,
    ),
    attack(
        "anti-join",
        &["SELECT p.id FROM payments p LEFT JOIN users u ON u.id = p.user_id WHERE u.id IS NULL"],
        Gate::Runs,
        Wall::Runs,
    ),
    attack(
        "grouping sets",
        &["SELECT language, count(*) FROM users GROUP BY CUBE (language, country)"],
        Gate::Runs,
        Wall::Runs,
    ),
    attack(
        "filtered aggregate",
        &["SELECT sum(followers) FILTER (WHERE language = 'zz') FROM users"],
        Gate::Runs,
        Wall::Runs,
    ),
    attack(
        "recursive",
        &["WITH RECURSIVE r AS (SELECT id FROM users UNION SELECT id FROM users) SELECT count(*) FROM r"],
        Gate::Runs,
        Wall::Runs,
    ),
    attack(
        "cursor",
        &["BEGIN; DECLARE c SCROLL CURSOR FOR SELECT language FROM users; FETCH LAST c; END"],
        Gate::Runs,
        Wall::Runs,
    ),
    attack("policy of another", &["ALTER POLICY x ON data.users USING (true)"], Gate::Refuses, Wall::Refuses),
    // Design: pseudonyms are random tokens in a table, and no function makes them.
    attack(
        "a token of a guessed key",
        &["SELECT id FROM users WHERE id = '900000001'"],
        Gate::Runs,
        Wall::Runs,
    ),
    attack(
        "a function of tokens",
        &["SELECT trefoil.pseudonym('analytics', '900000001')"],
        Gate::Refuses,
        Wall::Refuses,
    ),
    attack("the key in a plan", &["EXPLAIN VERBOSE SELECT id FROM users"], Gate::Refuses, Wall::LetsThrough),
    attack("tokens of another scope", &["SELECT u.id FROM security.users u"], Gate::Refuses, Wall::Refuses),
];

/// Design: messages quote values. Each fails at the planted row, with what support is shown of it in PostgreSQL's words.
pub const ERRORS: &[&str] = &[
    "SELECT full_name::int FROM users WHERE id = 900000001",
    "SELECT full_name::date FROM users WHERE id = 900000001",
    "SELECT full_name::uuid FROM users WHERE id = 900000001",
    "SELECT full_name::jsonb FROM users WHERE id = 900000001",
    "SELECT ('{' || full_name)::int[] FROM users WHERE id = 900000001",
    "SELECT encode('x', full_name) FROM users WHERE id = 900000001",
    "SELECT now() AT TIME ZONE full_name FROM users WHERE id = 900000001",
    "SELECT date_trunc(full_name, now()) FROM users WHERE id = 900000001",
    "SELECT 'x' ~ ('(' || full_name) FROM users WHERE id = 900000001",
    "SELECT string_agg(full_name, ',')::int FROM users WHERE id > 900000000",
    "COPY (SELECT full_name::int FROM users WHERE id = 900000001) TO STDOUT",
];

/// The same of a profile that hides nothing of what it shows: an error is no row, and nobody counts it.
pub const ERRORS_OF_A_CLEAR_PROFILE: &[&str] = &[
    "SELECT status::int FROM payments WHERE id = 900000001",
    "SELECT string_agg(status, ',')::int FROM payments WHERE id = 900000001",
    "SELECT encode('x', status) FROM payments WHERE id = 900000001",
];
