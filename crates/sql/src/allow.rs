//! What a statement may be made of: expressions, types, operators' and catalogs' names. Functions are in `functions`,
//! settings in `settings`.
//!
//! These are allowlists. What is not here is refused, so that a construct of a newer PostgreSQL is refused until
//! somebody has thought about it. None of this is the wall: PostgreSQL's own privileges decide what can be read. The
//! lists close what privileges cannot (covert channels, counters, definitions).

/// Node types that may stand in a read. Left out, among others: everything that writes or locks, `SELECT INTO`,
/// `TABLESAMPLE` (counts pages of what policy hides), XML and `JSON_TABLE`.
const NODES: &[&str] = &[
    "AArrayExpr",
    "AConst",
    "AExpr",
    "AIndices",
    "AIndirection",
    "AStar",
    "Alias",
    "BitString",
    "BoolExpr",
    "Boolean",
    "BooleanTest",
    "CaseExpr",
    "CaseWhen",
    "CoalesceExpr",
    "CollateClause",
    "ColumnDef",
    "ColumnRef",
    "CommonTableExpr",
    "CteCycleClause",
    "CteSearchClause",
    "Float",
    "FuncCall",
    "GroupingFunc",
    "GroupingSet",
    "Integer",
    "JoinExpr",
    "List",
    "MinMaxExpr",
    "NamedArgExpr",
    "NullTest",
    "ParamRef",
    "RangeFunction",
    "RangeSubselect",
    "RangeVar",
    "ResTarget",
    "RowExpr",
    "SelectStmt",
    "SortBy",
    "SqlValueFunction",
    "String",
    "SubLink",
    "TypeCast",
    "TypeName",
    "WindowDef",
    "WithClause",
];

/// Node types that may stand in a write besides.
const NODES_OF_WRITES: &[&str] =
    &["IndexElem", "InferClause", "MultiAssignRef", "OnConflictClause", "ReturningClause", "SetToDefault"];

/// Types that may be named, in `pg_catalog` or unqualified. Not `xml`, and no row type of a table.
const TYPES: &[&str] = &[
    "aclitem",
    "bit",
    "bool",
    "bpchar",
    "bytea",
    "char",
    "cidr",
    "date",
    "daterange",
    "float4",
    "float8",
    "inet",
    "int2",
    "int2vector",
    "int4",
    "int4range",
    "int8",
    "int8range",
    "interval",
    "json",
    "jsonb",
    "jsonpath",
    "macaddr",
    "macaddr8",
    "money",
    "name",
    "numeric",
    "numrange",
    "oid",
    "oidvector",
    "regclass",
    "regcollation",
    "regnamespace",
    "regoper",
    "regoperator",
    "regproc",
    "regprocedure",
    "regrole",
    "regtype",
    "text",
    "time",
    "timestamp",
    "timestamptz",
    "timetz",
    "tsrange",
    "tstzrange",
    "unknown",
    "uuid",
    "varbit",
    "varchar",
    "xid",
];

/// Domains of `information_schema` that drivers cast to.
const INFORMATION_TYPES: &[&str] =
    &["cardinal_number", "character_data", "sql_identifier", "time_stamp", "yes_or_no"];

/// Relations of `pg_catalog` that psql, JDBC, psycopg, asyncpg and SQLAlchemy read. The sites show each of them as far
/// as it concerns the profile, without definitions and counts (crate `wall`, schema `tf_catalog`). Statistics, activity,
/// locks and secrets are left out.
const PG_CATALOG: &[&str] = &[
    "pg_aggregate",
    "pg_am",
    "pg_amop",
    "pg_amproc",
    "pg_attrdef",
    "pg_attribute",
    "pg_auth_members",
    "pg_cast",
    "pg_class",
    "pg_collation",
    "pg_constraint",
    "pg_conversion",
    "pg_database",
    "pg_depend",
    "pg_description",
    "pg_enum",
    "pg_event_trigger",
    "pg_extension",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_foreign_table",
    "pg_index",
    "pg_indexes",
    "pg_inherits",
    "pg_language",
    "pg_matviews",
    "pg_namespace",
    "pg_opclass",
    "pg_operator",
    "pg_opfamily",
    "pg_partitioned_table",
    "pg_policy",
    "pg_proc",
    "pg_publication",
    "pg_publication_namespace",
    "pg_publication_rel",
    "pg_range",
    "pg_rewrite",
    "pg_roles",
    "pg_sequence",
    "pg_settings",
    "pg_shdescription",
    "pg_statistic_ext",
    "pg_tables",
    "pg_tablespace",
    "pg_timezone_abbrevs",
    "pg_timezone_names",
    "pg_trigger",
    "pg_ts_config",
    "pg_ts_dict",
    "pg_ts_parser",
    "pg_ts_template",
    "pg_type",
    "pg_views",
];

/// Views of `information_schema` that drivers read. It shows only what the role may touch; definitions are left out.
const INFORMATION_SCHEMA: &[&str] = &[
    "applicable_roles",
    "column_privileges",
    "columns",
    "constraint_column_usage",
    "enabled_roles",
    "information_schema_catalog_name",
    "key_column_usage",
    "referential_constraints",
    "schemata",
    "table_constraints",
    "table_privileges",
    "tables",
];

pub(crate) fn node(name: &str) -> bool {
    NODES.contains(&name)
}

pub(crate) fn node_of_write(name: &str) -> bool {
    NODES_OF_WRITES.contains(&name)
}

/// Whether the type named by `parts` (one or two) may be named.
pub(crate) fn type_name(parts: &[&str]) -> bool {
    match parts {
        [name] | ["pg_catalog", name] => TYPES.contains(name),
        ["information_schema", name] => INFORMATION_TYPES.contains(name),
        _ => false,
    }
}

/// Whether a catalog relation of that name may be read. An empty schema means `pg_catalog`, which PostgreSQL searches
/// first.
pub(crate) fn is_catalog(schema: &str, relation: &str) -> bool {
    match schema {
        "" | "pg_catalog" => PG_CATALOG.contains(&relation),
        "information_schema" => INFORMATION_SCHEMA.contains(&relation),
        _ => false,
    }
}

/// Whether an operator's, collation's or sort operator's name is PostgreSQL's own.
pub(crate) fn built_in(parts: &[&str]) -> bool {
    matches!(parts, [_] | ["pg_catalog", _])
}
