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

/// A catalog relation that may be read, and the columns of it that may not.
pub(crate) struct Catalog {
    pub(crate) name: &'static str,
    pub(crate) hidden: &'static [&'static str],
    /// Where some are hidden, those that are not: any other name after a dot may be a function of the whole row.
    pub(crate) shown: &'static [&'static str],
}

const fn open(name: &'static str) -> Catalog {
    Catalog { name, hidden: &[], shown: &[] }
}

const CLASS: Catalog = Catalog {
    name: "pg_class",
    hidden: &["relallfrozen", "relallvisible", "relpages", "reltuples"],
    shown: &[
        "ctid",
        "oid",
        "relacl",
        "relam",
        "relchecks",
        "relfilenode",
        "relforcerowsecurity",
        "relfrozenxid",
        "relhasindex",
        "relhasoids",
        "relhasrules",
        "relhassubclass",
        "relhastriggers",
        "relispartition",
        "relispopulated",
        "relisshared",
        "relkind",
        "relminmxid",
        "relname",
        "relnamespace",
        "relnatts",
        "reloftype",
        "reloptions",
        "relowner",
        "relpartbound",
        "relpersistence",
        "relreplident",
        "relrewrite",
        "relrowsecurity",
        "reltablespace",
        "reltoastrelid",
        "reltype",
        "tableoid",
        "xmin",
    ],
};

const PROC: Catalog = Catalog {
    name: "pg_proc",
    hidden: &["probin", "proconfig", "prosqlbody", "prosrc"],
    shown: &[
        "ctid",
        "oid",
        "proacl",
        "proallargtypes",
        "proargdefaults",
        "proargmodes",
        "proargnames",
        "proargtypes",
        "procost",
        "proisagg",
        "proisstrict",
        "proiswindow",
        "prokind",
        "prolang",
        "proleakproof",
        "proname",
        "pronamespace",
        "pronargdefaults",
        "pronargs",
        "proowner",
        "proparallel",
        "proretset",
        "prorettype",
        "prorows",
        "prosecdef",
        "prosupport",
        "protrftypes",
        "provariadic",
        "provolatile",
        "tableoid",
        "xmin",
    ],
};

const ROLES: Catalog = Catalog {
    name: "pg_roles",
    hidden: &["rolconfig"],
    shown: &[
        "oid",
        "rolbypassrls",
        "rolcanlogin",
        "rolconnlimit",
        "rolcreatedb",
        "rolcreaterole",
        "rolinherit",
        "rolname",
        "rolpassword",
        "rolreplication",
        "rolsuper",
        "rolvaliduntil",
    ],
};

/// Relations of `pg_catalog` that psql, JDBC, psycopg, asyncpg and SQLAlchemy read. The sites show each of them as far
/// as it concerns the profile, without definitions and counts (crate `wall`, schema `tf_catalog`). Statistics, activity,
/// locks and secrets are left out.
const PG_CATALOG: &[Catalog] = &[
    open("pg_aggregate"),
    open("pg_am"),
    open("pg_amop"),
    open("pg_amproc"),
    open("pg_attrdef"),
    open("pg_attribute"),
    open("pg_auth_members"),
    open("pg_cast"),
    CLASS,
    open("pg_collation"),
    open("pg_constraint"),
    open("pg_conversion"),
    open("pg_database"),
    open("pg_depend"),
    open("pg_description"),
    open("pg_enum"),
    open("pg_event_trigger"),
    open("pg_extension"),
    open("pg_foreign_data_wrapper"),
    open("pg_foreign_server"),
    open("pg_foreign_table"),
    open("pg_index"),
    open("pg_indexes"),
    open("pg_inherits"),
    open("pg_language"),
    open("pg_matviews"),
    open("pg_namespace"),
    open("pg_opclass"),
    open("pg_operator"),
    open("pg_opfamily"),
    open("pg_partitioned_table"),
    open("pg_policy"),
    PROC,
    open("pg_publication"),
    open("pg_publication_namespace"),
    open("pg_publication_rel"),
    open("pg_range"),
    open("pg_rewrite"),
    ROLES,
    open("pg_sequence"),
    open("pg_settings"),
    open("pg_shdescription"),
    open("pg_statistic_ext"),
    open("pg_tables"),
    open("pg_tablespace"),
    open("pg_timezone_abbrevs"),
    open("pg_timezone_names"),
    open("pg_trigger"),
    open("pg_ts_config"),
    open("pg_ts_dict"),
    open("pg_ts_parser"),
    open("pg_ts_template"),
    open("pg_type"),
    open("pg_views"),
];

/// Views of `information_schema` that drivers read. It shows only what the role may touch; definitions are left out.
const INFORMATION_SCHEMA: &[Catalog] = &[
    open("applicable_roles"),
    open("column_privileges"),
    open("columns"),
    open("constraint_column_usage"),
    open("enabled_roles"),
    open("information_schema_catalog_name"),
    open("key_column_usage"),
    open("referential_constraints"),
    open("schemata"),
    open("table_constraints"),
    open("table_privileges"),
    open("tables"),
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

/// The catalog relation of that name, if it may be read. An empty schema means `pg_catalog`, which PostgreSQL
/// searches first.
pub(crate) fn catalog(schema: &str, relation: &str) -> Option<&'static Catalog> {
    let list = match schema {
        "" | "pg_catalog" => PG_CATALOG,
        "information_schema" => INFORMATION_SCHEMA,
        _ => return None,
    };
    list.iter().find(|entry| entry.name == relation)
}

/// Whether `c.name` certainly means a column, where `c` may be a catalog relation that has hidden columns. PostgreSQL
/// reads any other name as a call: `c.row_to_json` is `row_to_json(c)`. Every such catalog is looked at, because one
/// alias may stand for several.
pub(crate) fn shown_column(name: &str) -> bool {
    PG_CATALOG.iter().any(|catalog| catalog.shown.contains(&name))
}

/// Whether a function of this name takes a row of any type.
pub(crate) fn takes_any_row(name: &str) -> bool {
    ROW_FUNCTIONS.contains(&name) || crate::functions::allowed(&[name])
}

/// Functions that take a row of any type, other than those on the list of functions.
const ROW_FUNCTIONS: &[&str] = &[
    "any_out",
    "anycompatible_out",
    "anycompatiblenonarray_out",
    "anyelement_out",
    "anynonarray_out",
    "hash_record",
    "hash_record_extended",
    "pg_column_compression",
    "pg_column_size",
    "pg_column_toast_chunk_id",
    "record_image_cmp",
    "record_out",
    "record_send",
];

/// Whether an operator's, collation's or sort operator's name is PostgreSQL's own.
pub(crate) fn built_in(parts: &[&str]) -> bool {
    matches!(parts, [_] | ["pg_catalog", _])
}
