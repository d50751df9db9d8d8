//! What a session may know of the catalogs. PostgreSQL shows everybody the names of every table, column, schema and
//! role; here that is taken back, and two schemas of views show what came with PostgreSQL and what the reader's own
//! profile shows: `tf_catalog` stands for `pg_catalog`, `tf_information_sch` for `information_schema`. Each has as many
//! letters as what it stands for, so that putting one name for the other in a statement moves nothing.
//!
//! Not here: putting it there (`sql`), and the functions that print names (`functions`). What no privilege can take
//! back, casts from numbers of objects to their names, is refused by `sql` as well.

mod functions;

use policy::Bundle;

use crate::drift::{Facts, normal};
use crate::names::{POOL, RESIDENCY, WATCH, literal, quoted, repl_role, service_role};
use crate::services::of_site;

/// Stands for `pg_catalog`.
pub const CATALOG: &str = "tf_catalog";
/// Stands for `information_schema`.
pub const INFORMATION: &str = "tf_information_sch";
/// Reads what everybody could read: the watch, the residency checker, sibling sites and direct services are members.
pub const READERS: &str = "trefoil_catalog";

/// Relations of which the rows that came with PostgreSQL are shown, by the column that numbers them: what is made later
/// has numbers from 16384.
const SYSTEM: &[(&str, &str)] = &[
    ("pg_aggregate", "aggfnoid"),
    ("pg_am", "oid"),
    ("pg_amop", "oid"),
    ("pg_amproc", "oid"),
    ("pg_attrdef", "oid"),
    ("pg_cast", "oid"),
    ("pg_collation", "oid"),
    ("pg_constraint", "oid"),
    ("pg_conversion", "oid"),
    ("pg_description", "objoid"),
    ("pg_enum", "oid"),
    ("pg_event_trigger", "oid"),
    ("pg_extension", "oid"),
    ("pg_foreign_data_wrapper", "oid"),
    ("pg_foreign_server", "oid"),
    ("pg_foreign_table", "ftrelid"),
    ("pg_index", "indexrelid"),
    ("pg_inherits", "inhrelid"),
    ("pg_language", "oid"),
    ("pg_opclass", "oid"),
    ("pg_operator", "oid"),
    ("pg_opfamily", "oid"),
    ("pg_partitioned_table", "partrelid"),
    ("pg_policy", "oid"),
    ("pg_proc", "oid"),
    ("pg_publication", "oid"),
    ("pg_publication_namespace", "oid"),
    ("pg_publication_rel", "oid"),
    ("pg_range", "rngtypid"),
    ("pg_rewrite", "oid"),
    ("pg_sequence", "seqrelid"),
    ("pg_shdescription", "objoid"),
    ("pg_statistic_ext", "oid"),
    ("pg_tablespace", "oid"),
    ("pg_trigger", "oid"),
    ("pg_ts_config", "oid"),
    ("pg_ts_dict", "oid"),
    ("pg_ts_parser", "oid"),
    ("pg_ts_template", "oid"),
];

/// Schemas that statements are moved to on their way, these and those for COPY, and that nobody names: they are not
/// shown. Written out in the conditions below as well.
const INTERNAL: &str = "'^(tf_catalog|tf_information_sch|tw_[0-9a-f]{16})$'::text";

/// Relations of which the reader's own are shown as well: the condition on a row `t`, as PostgreSQL prints it.
const OWN: &[(&str, &str)] = &[
    (
        "pg_class",
        "((t.oid < (16384)::oid) OR (has_any_column_privilege(t.oid, 'SELECT'::text) AND \
         (NOT (t.relnamespace IN ( SELECT n.oid FROM pg_namespace n \
         WHERE (n.nspname ~ '^(tf_catalog|tf_information_sch|tw_[0-9a-f]{16})$'::text))))))",
    ),
    (
        "pg_namespace",
        "((t.oid < (16384)::oid) OR (has_schema_privilege(t.oid, 'USAGE'::text) AND \
         (t.nspname !~ '^(tf_catalog|tf_information_sch|tw_[0-9a-f]{16})$'::text)))",
    ),
    (
        "pg_attribute",
        "((t.attrelid < (16384)::oid) OR (t.attrelid IN ( SELECT c.oid FROM tf_catalog.pg_class c)))",
    ),
    (
        "pg_type",
        "((t.oid < (16384)::oid) OR (t.typrelid IN ( SELECT c.oid FROM tf_catalog.pg_class c)) OR \
         (t.typelem IN ( SELECT e.oid FROM pg_type e WHERE (e.typrelid IN ( SELECT c.oid FROM tf_catalog.pg_class c)))))",
    ),
    ("pg_depend", "((t.objid < (16384)::oid) AND (t.refobjid < (16384)::oid))"),
    ("pg_database", "((t.oid < (16384)::oid) OR (t.datname = current_database()))"),
    ("pg_roles", "tf_catalog.sees_role(t.oid)"),
    ("pg_auth_members", "(tf_catalog.sees_role(t.roleid) AND tf_catalog.sees_role(t.member))"),
    (
        "pg_settings",
        "(t.name = ANY (ARRAY['DateStyle'::text, 'IntervalStyle'::text, 'TimeZone'::text, 'block_size'::text, \
         'bytea_output'::text, 'client_encoding'::text, 'default_transaction_isolation'::text, \
         'default_transaction_read_only'::text, 'extra_float_digits'::text, 'lc_collate'::text, 'lc_ctype'::text, \
         'max_identifier_length'::text, 'max_index_keys'::text, 'search_path'::text, 'server_encoding'::text, \
         'server_version'::text, 'server_version_num'::text, 'standard_conforming_strings'::text, \
         'statement_timeout'::text, 'transaction_isolation'::text]))",
    ),
    ("pg_timezone_abbrevs", ""),
    ("pg_timezone_names", ""),
];

/// Views of `information_schema`, which already shows only what the reader may touch: the column that names a schema.
/// Its filters are no barrier: an error of a condition that the reader adds would quote rows that they hold back.
const OF_INFORMATION: &[(&str, &str)] = &[
    ("applicable_roles", ""),
    ("column_privileges", "table_schema"),
    ("columns", "table_schema"),
    ("constraint_column_usage", "table_schema"),
    ("enabled_roles", ""),
    ("information_schema_catalog_name", ""),
    ("key_column_usage", "table_schema"),
    ("referential_constraints", "constraint_schema"),
    ("schemata", "schema_name"),
    ("table_constraints", "table_schema"),
    ("table_privileges", "table_schema"),
    ("tables", "table_schema"),
];

/// Columns that are not shown as they are: counts, definitions, numbers of transactions and files. In the order of the
/// relations' columns, as PostgreSQL prints them. Of all others, numbers of objects that print as names (`regproc` and
/// its kin) are shown as numbers, because a constant beside one would be printed as a name, and privileges not at all.
const INSTEAD: &[(&str, &str, &str)] = &[
    ("pg_class", "relfilenode", "(0)::oid"),
    ("pg_class", "relpages", "0"),
    ("pg_class", "reltuples", "('-1'::integer)::real"),
    ("pg_class", "relallvisible", "0"),
    ("pg_class", "relfrozenxid", "'0'::xid"),
    ("pg_class", "relminmxid", "'0'::xid"),
    ("pg_class", "relacl", "CASE WHEN (t.oid >= (16384)::oid) THEN (t.relacl)::text[] ELSE NULL::text[] END"),
    (
        "pg_namespace",
        "nspacl",
        "CASE WHEN (t.oid >= (16384)::oid) THEN (t.nspacl)::text[] ELSE NULL::text[] END",
    ),
    ("pg_database", "datfrozenxid", "'0'::xid"),
    ("pg_database", "datminmxid", "'0'::xid"),
    ("pg_rewrite", "ev_qual", "NULL::pg_node_tree"),
    ("pg_rewrite", "ev_action", "NULL::pg_node_tree"),
    ("pg_roles", "rolconfig", "NULL::text[]"),
];

/// Views that PostgreSQL makes of its catalogs, made of ours: (name, query as PostgreSQL prints it).
const MADE: &[(&str, &str)] = &[
    (
        "pg_indexes",
        "SELECT n.nspname AS schemaname, c.relname AS tablename, i.relname AS indexname, NULL::name AS tablespace, \
         tf_catalog.pg_get_indexdef(i.oid) AS indexdef FROM (((tf_catalog.pg_index x \
         JOIN tf_catalog.pg_class c ON ((c.oid = x.indrelid))) JOIN tf_catalog.pg_class i ON ((i.oid = x.indexrelid))) \
         JOIN tf_catalog.pg_namespace n ON ((n.oid = c.relnamespace)))",
    ),
    (
        "pg_matviews",
        "SELECT n.nspname AS schemaname, c.relname AS matviewname, \
         tf_catalog.pg_get_userbyid(c.relowner) AS matviewowner, NULL::name AS tablespace, \
         c.relhasindex AS hasindexes, c.relispopulated AS ispopulated, NULL::text AS definition \
         FROM (tf_catalog.pg_class c JOIN tf_catalog.pg_namespace n ON ((n.oid = c.relnamespace))) \
         WHERE (c.relkind = 'm'::\"char\")",
    ),
    (
        "pg_tables",
        "SELECT n.nspname AS schemaname, c.relname AS tablename, \
         tf_catalog.pg_get_userbyid(c.relowner) AS tableowner, NULL::name AS tablespace, \
         c.relhasindex AS hasindexes, c.relhasrules AS hasrules, c.relhastriggers AS hastriggers, \
         c.relrowsecurity AS rowsecurity \
         FROM (tf_catalog.pg_class c JOIN tf_catalog.pg_namespace n ON ((n.oid = c.relnamespace))) \
         WHERE (c.relkind = ANY (ARRAY['r'::\"char\", 'p'::\"char\"]))",
    ),
    (
        "pg_views",
        "SELECT n.nspname AS schemaname, c.relname AS viewname, \
         tf_catalog.pg_get_userbyid(c.relowner) AS viewowner, NULL::text AS definition \
         FROM (tf_catalog.pg_class c JOIN tf_catalog.pg_namespace n ON ((n.oid = c.relnamespace))) \
         WHERE (c.relkind = 'v'::\"char\")",
    ),
];

/// Functions by which views of `information_schema` read catalogs with the reader's rights: they tell the length of a
/// character and the place of a column in an index, and no name.
const OF_THE_OWNER: &[&str] = &[
    "information_schema._pg_char_octet_length(oid, integer)",
    "information_schema._pg_index_position(oid, smallint)",
];

/// The statements, at the end of the baseline: the roles that read catalogs are there by then.
pub(crate) fn lay(bundle: &Bundle, site: &str) -> Vec<String> {
    let mut ddl = vec![format!("CREATE ROLE {READERS} NOLOGIN")];
    let siblings = bundle.enclave().sites.iter().filter(|sibling| sibling.name != site);
    ddl.push(format!("GRANT {READERS} TO {WATCH}, {RESIDENCY}"));
    ddl.extend(siblings.map(|sibling| admit(&repl_role(&sibling.name))));
    ddl.extend([CATALOG, INFORMATION].map(|schema| format!("CREATE SCHEMA {schema}")));
    ddl.extend(functions::all().iter().map(functions::Function::create));
    ddl.push(format!("REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {CATALOG} FROM PUBLIC"));
    ddl.push(make_views());
    for (name, query) in MADE {
        ddl.push(format!("CREATE VIEW {CATALOG}.{name} WITH (security_barrier=true) AS {query}"));
    }
    for schema in [CATALOG, INFORMATION] {
        ddl.push(format!("GRANT USAGE ON SCHEMA {schema} TO {POOL}"));
        ddl.push(format!("GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {POOL}"));
    }
    ddl.push(format!("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {CATALOG} TO {POOL}"));
    ddl.extend([TAKE_BACK_RELATIONS.to_owned(), functions::take_back()]);
    ddl.extend(OF_THE_OWNER.iter().map(|function| format!("ALTER FUNCTION {function} SECURITY DEFINER")));
    ddl
}

/// Lets a role read what everybody could read.
pub(crate) fn admit(role: &str) -> String {
    format!("GRANT {READERS} TO {}", quoted(role))
}

/// Columns differ between versions of PostgreSQL: the site lists its own.
fn make_views() -> String {
    let row = |schema: &str, name: &str, rows: &str| {
        format!("({}, {}, {})", literal(schema), literal(name), literal(rows))
    };
    let views: Vec<String> = sources().map(|(schema, name, rows)| row(schema, name, &rows)).collect();
    let instead: Vec<String> =
        INSTEAD.iter().map(|(relation, column, text)| row(relation, column, text)).collect();
    MAKE_VIEWS.replace("{views}", &views.join(", ")).replace("{instead}", &instead.join(", "))
}

/// Every view of one relation: (schema, name, condition on a row or nothing).
fn sources() -> impl Iterator<Item = (&'static str, &'static str, String)> {
    let system = SYSTEM.iter().map(|(name, key)| {
        // Numbers of functions print as names.
        let key = if *key == "aggfnoid" { "(t.aggfnoid)::oid".to_owned() } else { format!("t.{key}") };
        ("pg_catalog", *name, format!("({key} < (16384)::oid)"))
    });
    let own = OWN.iter().map(|(name, rows)| ("pg_catalog", *name, (*rows).to_owned()));
    let information = OF_INFORMATION.iter().map(|(name, column)| {
        let rows = format!("((t.{column})::name !~ {INTERNAL})");
        ("information_schema", *name, if column.is_empty() { String::new() } else { rows })
    });
    own.chain(system).chain(information)
}

/// What drift finds of a view of one relation: columns that are shown as they are, are numbers or nothing are left out.
fn one_relation(schema: &str, name: &str, rows: &str) -> String {
    let plain = ["(0)::oid", "NULL::text[]"];
    let odd = INSTEAD.iter().filter(|(relation, _, text)| *relation == name && !plain.contains(text));
    let odd: String = odd.map(|(_, column, text)| format!("{text} AS {column}, ")).collect();
    let schema = if schema == "pg_catalog" { "" } else { "information_schema." };
    let rows = if rows.is_empty() { String::new() } else { format!(" WHERE {rows}") };
    normal(&format!("SELECT {odd}FROM {schema}{name} t{rows}"))
}

/// Leaves those columns out of a definition: a regular expression.
pub(crate) const PLAIN_COLUMNS: &str =
    r"(?<=(SELECT|,) )(\w+|\(\w+\)::oid AS \w+|NULL::text\[\] AS \w+)(, | (?=FROM ))";

const MAKE_VIEWS: &str = "DO $views$ DECLARE v record; columns text; BEGIN \
    FOR v IN SELECT * FROM (VALUES {views}) AS v (schema, name, rows) LOOP \
    SELECT string_agg(CASE WHEN i.text IS NOT NULL THEN format('%s AS %I', i.text, attname) \
    WHEN atttypid IN ('aclitem[]'::regtype, 'anyarray'::regtype) THEN format('NULL::text[] AS %I', attname) \
    WHEN atttypid = 'regproc'::regtype THEN format('t.%I::oid AS %I', attname, attname) \
    ELSE format('t.%I', attname) END, ', ' ORDER BY attnum < 0, attnum) INTO columns \
    FROM pg_attribute JOIN pg_class c ON c.oid = attrelid \
    LEFT JOIN (VALUES {instead}) AS i (relation, name, text) ON (i.relation, i.name) = (c.relname, attname) \
    WHERE attrelid = format('%I.%I', v.schema, v.name)::regclass AND NOT attisdropped \
    AND (attnum > 0 OR attname = 'tableoid' AND relkind = 'r'); \
    EXECUTE format('CREATE VIEW %s.%I WITH (security_barrier=true) AS SELECT %s FROM %I.%I t', \
    CASE v.schema WHEN 'pg_catalog' THEN 'tf_catalog' ELSE 'tf_information_sch' END, v.name, columns, v.schema, v.name) \
    || CASE WHEN v.rows = '' THEN '' ELSE ' WHERE ' || v.rows END; \
    END LOOP; END $views$";

/// What everybody could read is for members of [`READERS`].
const TAKE_BACK_RELATIONS: &str = "DO $take_back$ DECLARE r record; BEGIN \
    FOR r IN SELECT c.oid::regclass AS name, has_table_privilege('public', c.oid, 'SELECT') AS whole, \
    (SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 \
    AND has_column_privilege('public', c.oid, attnum, 'SELECT')) AS columns \
    FROM pg_class c WHERE c.oid < 16384 AND relkind IN ('r', 'v', 'm') \
    AND has_any_column_privilege('public', c.oid, 'SELECT, INSERT, UPDATE') LOOP \
    IF r.whole THEN EXECUTE format('GRANT SELECT ON %s TO trefoil_catalog', r.name); \
    ELSIF r.columns IS NOT NULL THEN EXECUTE format('GRANT SELECT (%s) ON %s TO trefoil_catalog', r.columns, r.name); \
    END IF; EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', r.name); END LOOP; END $take_back$";

/// The facts of it, beside those that are of every relation and role.
pub(crate) fn expected(bundle: &Bundle, site: &str, facts: &mut Facts) {
    let mut add = |object: String, state: &str| _ = facts.insert(object, state.to_owned());
    let siblings = bundle.enclave().sites.iter().filter(|sibling| sibling.name != site);
    let services = of_site(bundle, site).map(|service| service_role(&service.name));
    let own = [WATCH, RESIDENCY].map(str::to_owned);
    let readers = siblings.map(|sibling| repl_role(&sibling.name)).chain(services).chain(own);
    readers.for_each(|reader| add(format!("member {reader} of {READERS}"), "plain"));
    for schema in [CATALOG, INFORMATION] {
        add(format!("schema {schema}"), "owner=trefoil_admin");
        add(format!("grant of USAGE on schema {schema} to {POOL}"), "plain");
    }
    let made = MADE.iter().map(|(name, query)| (format!("{CATALOG}.{name}"), normal(query)));
    let views = sources().map(|(schema, name, rows)| {
        let view = if schema == "pg_catalog" { CATALOG } else { INFORMATION };
        (format!("{view}.{name}"), one_relation(schema, name, &rows))
    });
    for (view, definition) in views.chain(made) {
        add(
            format!("view {view}"),
            "owner=trefoil_admin kind=v persistence=p rls=f forced=f options=security_barrier=true part=",
        );
        add(format!("definition of view {view}"), &definition);
        add(format!("grant of SELECT on relation {view} to {POOL}"), "plain");
    }
    for function in functions::all() {
        let state = format!(
            "owner=trefoil_admin language=plpgsql definer=t volatile=s leakproof=f returns={} settings= source={}",
            function.result, function.body
        );
        let signature = function.signature().replace(", ", ",");
        add(format!("function {signature}"), &state);
        add(format!("grant of EXECUTE on function {signature} to {POOL}"), "plain");
    }
}

/// What everybody may do again.
pub(crate) fn still_public() -> String {
    format!(
        "SELECT 'everybody may read ' || oid::regclass, 'yes' FROM pg_class WHERE oid < 16384 \
         AND relkind IN ('r', 'v', 'm') AND has_any_column_privilege('public', oid, 'SELECT, INSERT, UPDATE') \
         UNION ALL SELECT 'everybody may call ' || p.oid::regprocedure, 'yes' FROM pg_proc p \
         WHERE {} AND has_function_privilege('public', p.oid, 'EXECUTE')",
        functions::revoked()
    )
}
