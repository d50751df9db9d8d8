//! Functions that print names, or tell whether a name exists: each runs with its owner's rights, looks whether the
//! session's role sees the object, and answers as PostgreSQL would of one that does not exist. They are PL/pgSQL, which
//! costs a tenth of SQL where nothing is inlined; no search path is set, because names that a reader gives are looked
//! up in the reader's, and nobody but the administrator can make anything in it. Not here: relations.

use super::{CATALOG, READERS};
use crate::names::literal;

/// A function of `tf_catalog`.
pub(super) struct Function {
    pub(super) name: &'static str,
    /// Types, as PostgreSQL prints them.
    pub(super) arguments: &'static str,
    pub(super) result: &'static str,
    pub(super) body: String,
}

/// Who sees what: the number of an object → whether.
const SEES: &[(&str, &str)] = &[
    (
        "sees_relation",
        "pg_catalog.has_any_column_privilege(session_user, $1, 'SELECT') AND \
         tf_catalog.sees_schema((SELECT c.relnamespace FROM pg_catalog.pg_class c WHERE c.oid = $1))",
    ),
    (
        "sees_schema",
        "pg_catalog.has_schema_privilege(session_user, $1, 'USAGE') AND EXISTS (SELECT FROM pg_catalog.pg_namespace n \
         WHERE n.oid = $1 AND n.nspname !~ '^(tf_catalog|tf_information_sch|tw_[0-9a-f]{16})$')",
    ),
    // Oneself, the groups one is in, and who owns what one sees.
    (
        "sees_role",
        "pg_catalog.pg_has_role(session_user, $1, 'MEMBER') OR EXISTS (SELECT FROM pg_catalog.pg_namespace n \
         WHERE n.nspowner = $1 AND pg_catalog.has_schema_privilege(session_user, n.oid, 'USAGE'))",
    ),
    // Types of rows, and arrays of them.
    (
        "sees_type",
        "EXISTS (SELECT FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem \
         WHERE t.oid = $1 AND tf_catalog.sees_relation(nullif(greatest(t.typrelid, e.typrelid), 0)))",
    ),
];

/// Names as a reader gives them: (function, type given, type returned, finds, sees, words, SQLSTATE).
const FINDS: &[[&str; 7]] = &[
    ["relation", "text", "oid", "pg_catalog.to_regclass($1)", "sees_relation", "relation", "42P01"],
    ["schema", "text", "oid", "pg_catalog.to_regnamespace($1)", "sees_schema", "schema", "3F000"],
    [
        "role",
        "name",
        "name",
        "pg_catalog.to_regrole(pg_catalog.quote_ident($1))",
        "sees_role",
        "role",
        "42704",
    ],
];

/// Definitions and comments, of what came with PostgreSQL alone.
const DEFINITIONS: &[(&str, &str)] = &[
    ("col_description", "oid, integer"),
    ("obj_description", "oid"),
    ("obj_description", "oid, name"),
    ("pg_get_constraintdef", "oid"),
    ("pg_get_constraintdef", "oid, boolean"),
    ("pg_get_function_arguments", "oid"),
    ("pg_get_function_identity_arguments", "oid"),
    ("pg_get_function_result", "oid"),
    ("pg_get_function_sqlbody", "oid"),
    ("pg_get_functiondef", "oid"),
    ("pg_get_indexdef", "oid"),
    ("pg_get_indexdef", "oid, integer, boolean"),
    ("pg_get_partkeydef", "oid"),
    ("pg_get_ruledef", "oid"),
    ("pg_get_ruledef", "oid, boolean"),
    ("pg_get_statisticsobjdef_columns", "oid"),
    ("pg_get_triggerdef", "oid"),
    ("pg_get_triggerdef", "oid, boolean"),
    ("pg_get_viewdef", "oid"),
    ("pg_get_viewdef", "oid, boolean"),
    ("shobj_description", "oid, name"),
];

/// Functions with an answer of their own: (name, arguments, result, answer).
const ANSWERS: &[[&str; 4]] = &[
    [
        "format_type",
        "oid, integer",
        "text",
        "CASE WHEN tf_catalog.sees_type($1) THEN pg_catalog.format_type($1, $2) WHEN $1 IS NOT NULL THEN '???' END",
    ],
    [
        "pg_get_expr",
        "pg_node_tree, oid",
        "text",
        "CASE WHEN tf_catalog.sees_relation($2) THEN pg_catalog.pg_get_expr($1, $2) END",
    ],
    [
        "pg_get_expr",
        "pg_node_tree, oid, boolean",
        "text",
        "CASE WHEN tf_catalog.sees_relation($2) THEN pg_catalog.pg_get_expr($1, $2, $3) END",
    ],
    [
        "pg_get_userbyid",
        "oid",
        "name",
        "CASE WHEN tf_catalog.sees_role($1) THEN pg_catalog.pg_get_userbyid($1) \
         ELSE pg_catalog.format('unknown (OID=%s)', $1)::name END",
    ],
    // Sizes count what is hidden.
    ["pg_database_size", "name", "bigint", "NULL"],
    ["pg_database_size", "oid", "bigint", "NULL"],
    ["pg_indexes_size", "oid", "bigint", "NULL"],
    ["pg_relation_size", "oid", "bigint", "NULL"],
    ["pg_relation_size", "oid, text", "bigint", "NULL"],
    ["pg_table_size", "oid", "bigint", "NULL"],
    ["pg_stat_get_numscans", "oid", "bigint", "NULL"],
    ["pg_total_relation_size", "oid", "bigint", "NULL"],
    // Nothing of the kind is shown.
    ["pg_get_serial_sequence", "text, text", "text", "NULL"],
    ["pg_relation_is_publishable", "oid", "boolean", "false"],
    ["pg_tablespace_location", "oid", "text", "''"],
];

/// Numbers for names, of what the reader sees: (name, what it returns, who sees it; nothing: PostgreSQL's own alone).
const NUMBERS: &[(&str, &str, &str)] = &[
    ("to_regclass", "regclass", "sees_relation"),
    ("to_regnamespace", "regnamespace", "sees_schema"),
    ("to_regoper", "regoper", ""),
    ("to_regoperator", "regoperator", ""),
    ("to_regproc", "regproc", ""),
    ("to_regprocedure", "regprocedure", ""),
    ("to_regrole", "regrole", "sees_role"),
    ("to_regtype", "regtype", "sees_type"),
];

/// Whether a role may: (function, what finds the object by name, who sees it by number; nothing: everybody).
const MAY: &[(&str, &str, &str)] = &[
    ("has_any_column_privilege", "tf_catalog.relation", "tf_catalog.sees_relation"),
    ("has_database_privilege", "", ""),
    ("has_schema_privilege", "tf_catalog.schema", "tf_catalog.sees_schema"),
    ("has_table_privilege", "tf_catalog.relation", "tf_catalog.sees_relation"),
    ("pg_has_role", "tf_catalog.role", "tf_catalog.sees_role"),
];

/// Whether a role may use a column: (arguments, answer).
const MAY_COLUMN: &[(&str, &str)] = &[
    (
        "name, text, text, text",
        "pg_catalog.has_column_privilege(tf_catalog.role($1), tf_catalog.relation($2), $3, $4)",
    ),
    (
        "oid, smallint, text",
        "CASE WHEN tf_catalog.sees_relation($1) THEN pg_catalog.has_column_privilege(session_user, $1, $2, $3) END",
    ),
    (
        "oid, text, text",
        "CASE WHEN tf_catalog.sees_relation($1) THEN pg_catalog.has_column_privilege(session_user, $1, $2, $3) END",
    ),
    ("text, text, text", "pg_catalog.has_column_privilege(session_user, tf_catalog.relation($1), $2, $3)"),
];

fn returning(name: &'static str, arguments: &'static str, result: &'static str, answer: &str) -> Function {
    Function { name, arguments, result, body: format!("BEGIN RETURN {answer}; END") }
}

/// Every function there is.
pub(super) fn all() -> Vec<Function> {
    let mut all = Vec::new();
    for (name, answer) in SEES {
        all.push(returning(name, "oid", "boolean", &format!("coalesce($1 < 16384 OR {answer}, false)")));
    }
    for [name, given, result, finds, sees, words, state] in FINDS {
        let found = if *result == "oid" { "o" } else { "$1" };
        let body = format!(
            "DECLARE o oid := {finds}; BEGIN IF tf_catalog.{sees}(o) THEN RETURN {found}; END IF; \
             RAISE EXCEPTION '{words} \"%\" does not exist', $1 USING ERRCODE = '{state}'; END"
        );
        all.push(Function { name, arguments: given, result, body });
    }
    for (name, arguments) in DEFINITIONS {
        let given =
            ["$1", "$1, $2", "$1, $2, $3"].get(arguments.matches(',').count()).copied().unwrap_or_default();
        let answer = format!("CASE WHEN $1 < 16384 THEN pg_catalog.{name}({given}) END");
        all.push(returning(name, arguments, "text", &answer));
    }
    for [name, arguments, result, answer] in ANSWERS {
        all.push(returning(name, arguments, result, answer));
    }
    for (name, result, sees) in NUMBERS {
        let seen = if sees.is_empty() { "o < 16384".to_owned() } else { format!("tf_catalog.{sees}(o)") };
        let body = format!(
            "DECLARE o oid := pg_catalog.{name}($1); BEGIN RETURN CASE WHEN {seen} THEN o::{result} END; END"
        );
        all.push(Function { name, arguments: "text", result, body });
    }
    MAY.iter().for_each(|(name, finds, sees)| all.extend(may(name, finds, sees)));
    for (arguments, answer) in MAY_COLUMN {
        all.push(returning("has_column_privilege", arguments, "boolean", answer));
    }
    all
}

/// The four forms: of oneself or of a role, and of an object by name or by number.
fn may(name: &'static str, finds: &str, sees: &str) -> [Function; 4] {
    let by_name = |at: &str| if finds.is_empty() { at.to_owned() } else { format!("{finds}({at})") };
    let if_seen = |at: &str, call: String| match sees {
        "" => call,
        sees => format!("CASE WHEN {sees}({at}) THEN {call} END"),
    };
    let (object, other) = match name {
        "pg_has_role" => ("name, text", "name, name, text"),
        _ => ("text, text", "name, text, text"),
    };
    let form = |arguments, answer: String| returning(name, arguments, "boolean", &answer);
    [
        form(object, format!("pg_catalog.{name}(session_user, {}, $2)", by_name("$1"))),
        form("oid, text", if_seen("$1", format!("pg_catalog.{name}(session_user, $1, $2)"))),
        form(other, format!("pg_catalog.{name}(tf_catalog.role($1), {}, $3)", by_name("$2"))),
        form("name, oid, text", if_seen("$2", format!("pg_catalog.{name}(tf_catalog.role($1), $2, $3)"))),
    ]
}

impl Function {
    pub(super) fn signature(&self) -> String {
        format!("{CATALOG}.{}({})", self.name, self.arguments)
    }

    pub(super) fn create(&self) -> String {
        format!(
            "CREATE FUNCTION {} RETURNS {} LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL SAFE AS $body${}$body$",
            self.signature(),
            self.result,
            self.body
        )
    }
}

/// Functions of PostgreSQL that do the same without looking, and others that name or measure what they are given a
/// number of: regular expressions over their names.
const REVOKED: &[&str] = &[
    "^pg_get_(constraint|index|function|partkey|rule|trigger|view|partition_constraint|statisticsobj)(_|def)",
    "^pg_get_(object_address|publication_tables|replica_identity_index|serial_sequence|userbyid)$",
    "^pg_(describe|identify)_object",
    "^pg_filenode_relation$",
    "^pg_relation_(filenode|filepath|is_publishable|size)$",
    "^pg_(database|indexes|table|tablespace|total_relation)_size$",
    "^pg_partition_(ancestors|root|tree)$",
    "^pg_sequence_(last_value|parameters)$",
    "^pg_tablespace_(databases|location)$",
    "^(currtid2|makeaclitem|row_security_active)$",
    "^to_reg",
];

/// Which functions are revoked, as a condition on a row `p` of `pg_proc`. The forms of `has_…_privilege` that take
/// numbers alone stay: views of `information_schema` call them with the reader's rights, and so do ours.
pub(super) fn revoked() -> String {
    format!(
        "p.pronamespace = 'pg_catalog'::regnamespace AND (p.proname ~ {} OR p.proname ~ '^(has_.*_privilege|pg_has_role)$' \
         AND NOT (p.proargtypes[0] = 'oid'::regtype AND (p.pronargs = 2 OR p.proargtypes[1] IN ('int2'::regtype, 'oid'::regtype))))",
        literal(&REVOKED.join("|"))
    )
}

pub(super) fn take_back() -> String {
    format!(
        "DO $take_back$ DECLARE f regprocedure; BEGIN FOR f IN SELECT p.oid FROM pg_proc p WHERE {} LOOP \
         EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC; GRANT EXECUTE ON FUNCTION %s TO {READERS}', f, f); \
         END LOOP; END $take_back$",
        revoked()
    )
}
