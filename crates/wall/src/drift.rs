//! What is live at a site, as facts, and how it differs from what was compiled. A fact is an object and its state,
//! both text: each query yields such pairs, `expected` computes the same pairs from the bundle, and comparing is
//! comparing two maps. A thing that nobody expected is a fact without a partner, so new ways in are found without
//! being named here. Not here: what is expected (`expected`).
//!
//! The queries run as `trefoil_watch`, which reads catalogs and no data. Its search path holds nothing of ours, so
//! that PostgreSQL prints every name with its schema.

use std::collections::BTreeMap;

use crate::baseline::REVOKED;
use crate::{catalogs, hba};

/// Object → state.
pub type Facts = BTreeMap<String, String>;

/// A difference between a site and the bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// What differs, such as `view support.users`.
    pub object: String,
    /// Its state according to the bundle, if it should exist.
    pub expected: Option<String>,
    /// Its state at the site, if it exists.
    pub found: Option<String>,
}

impl std::fmt::Display for Drift {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.expected, &self.found) {
            (Some(expected), Some(found)) => {
                write!(f, "{}: expected `{expected}`, found `{found}`", self.object)
            }
            (Some(expected), None) => write!(f, "{}: expected `{expected}`, found nothing", self.object),
            (None, Some(found)) => write!(f, "{}: not of this policy, found `{found}`", self.object),
            (None, None) => write!(f, "{}: nothing", self.object),
        }
    }
}

/// Everything that differs, but for columns that the catalog does not know: those are withheld from everybody, and
/// named by [`unknown_columns`].
pub fn compare(live: &Facts, expected: &Facts) -> Vec<Drift> {
    let extra = live.keys().filter(|object| !expected.contains_key(*object) && !object.starts_with(COLUMN));
    let objects = expected.keys().filter(|object| live.get(*object) != expected.get(*object));
    let drift = |object: &String| Drift {
        object: object.clone(),
        expected: expected.get(object).cloned(),
        found: live.get(object).cloned(),
    };
    objects.chain(extra).map(drift).collect()
}

/// What differs from both: while a home moves, each object may be as it was or as it will be.
pub(crate) fn compare_either(live: &Facts, before: &Facts, after: &Facts) -> Vec<Drift> {
    let later: std::collections::BTreeSet<String> =
        compare(live, after).into_iter().map(|drift| drift.object).collect();
    compare(live, before).into_iter().filter(|drift| later.contains(&drift.object)).collect()
}

/// Columns of the catalog's tables that the catalog does not know, such as `data.users.nickname`.
pub fn unknown_columns(live: &Facts, expected: &Facts) -> Vec<String> {
    let unknown = live.keys().filter(|object| !expected.contains_key(*object));
    unknown.filter_map(|object| object.strip_prefix(COLUMN)).map(str::to_owned).collect()
}

pub(crate) const COLUMN: &str = "column ";

/// SQL as it is compared: PostgreSQL's own line breaks and quotes removed, and the alias of the base table, which it
/// prints or not depending on its version. The queries below do the same to what they find.
pub(crate) fn normal(sql: &str) -> String {
    let words: Vec<&str> = sql.split_whitespace().collect();
    let bare = words.join(" ").replace('"', "");
    bare.replace(" t.", " ").replace("(t.", "(").trim_end_matches(';').to_owned()
}

/// The queries. Each yields rows of two text columns: object, state. All of them together are the facts of a site.
pub fn queries() -> Vec<String> {
    let names = hba::SETTINGS.iter().map(|(name, _)| *name);
    let settings: Vec<&str> = names.chain([hba::SYNCHRONOUS]).collect();
    let fixed = [
        ROLES,
        MEMBERS,
        SETTINGS_OF_ROLES,
        SCHEMAS,
        RELATIONS,
        VIEWS,
        COLUMNS,
        POLICIES,
        CONSTRAINTS,
        TURNED_OFF,
        TRIGGERS,
        FUNCTIONS,
        GRANTS,
        CATALOG_GRANTS,
        PUBLICATIONS,
        SUBSCRIPTIONS,
        OTHERS,
        HBA,
    ];
    let mut queries: Vec<String> = fixed.into_iter().map(str::to_owned).collect();
    queries.push(CATALOG_VIEWS.replace("{plain}", catalogs::PLAIN_COLUMNS));
    queries.push(catalogs::still_public());
    queries.push(STILL_PUBLIC.replace("{revoked}", &REVOKED.join("|")));
    queries.push(SETTINGS.replace("{settings}", &settings.join(",")));
    queries
}

const ROLES: &str = "SELECT 'role ' || rolname, format('super=%s inherit=%s createrole=%s createdb=%s login=%s \
    replication=%s bypassrls=%s limit=%s until=%s', rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, \
    rolreplication, rolbypassrls, rolconnlimit, coalesce(rolvaliduntil::text, 'ever')) \
    FROM pg_roles WHERE rolname !~ '^pg_'";

const MEMBERS: &str = "SELECT format('member %s of %s', m.rolname, g.rolname), \
    CASE WHEN admin_option THEN 'with admin' ELSE 'plain' END \
    FROM pg_auth_members JOIN pg_roles m ON m.oid = member JOIN pg_roles g ON g.oid = roleid WHERE m.rolname !~ '^pg_'";

const SETTINGS_OF_ROLES: &str = "SELECT format('settings of %s in %s', coalesce(rolname, 'every role'), \
    coalesce(datname, 'every database')), replace(array_to_string(ARRAY(SELECT s FROM unnest(setconfig) s ORDER BY s \
    COLLATE \"C\"), '; '), '\"', '') \
    FROM pg_db_role_setting LEFT JOIN pg_roles r ON r.oid = setrole LEFT JOIN pg_database d ON d.oid = setdatabase";

const SCHEMAS: &str = "SELECT 'schema ' || nspname, 'owner=' || pg_get_userbyid(nspowner) FROM pg_namespace \
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'";

const RELATIONS: &str = "SELECT format('%s %s.%s', CASE relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' \
    WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' WHEN 'S' THEN 'sequence' \
    ELSE relkind::text END, nspname, relname), \
    format('owner=%s kind=%s persistence=%s rls=%s forced=%s options=%s part=%s', pg_get_userbyid(relowner), relkind, \
    relpersistence, relrowsecurity, relforcerowsecurity, coalesce(array_to_string(reloptions, ','), ''), \
    coalesce((SELECT replace(inhparent::regclass::text, '\"', '') FROM pg_inherits WHERE inhrelid = c.oid) || ' ' || \
    pg_get_expr(relpartbound, c.oid), pg_get_partkeydef(c.oid), '')) \
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')";

const VIEWS: &str = "SELECT format('definition of view %s.%s', nspname, relname), \
    regexp_replace(rtrim(btrim(regexp_replace(replace(pg_get_viewdef(c.oid), '\"', ''), '\\s+', ' ', 'g')), ';'), \
    '([ (])t\\.', '\\1', 'g') \
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
    WHERE nspname !~ '^(pg_|tf_)' AND nspname <> 'information_schema' AND relkind IN ('v', 'm')";

/// Views of catalogs, without the columns that differ between versions of PostgreSQL.
const CATALOG_VIEWS: &str = "SELECT format('definition of view %s.%s', nspname, relname), regexp_replace( \
    regexp_replace(rtrim(btrim(regexp_replace(replace(pg_get_viewdef(c.oid), '\"', ''), '\\s+', ' ', 'g')), ';'), \
    '([ (])t\\.', '\\1', 'g'), '{plain}', '', 'g') \
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
    WHERE nspname ~ '^tf_' AND relkind IN ('v', 'm')";

const COLUMNS: &str = "SELECT format('column %s.%s.%s', nspname, relname, attname), \
    concat_ws(' ', format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'not null' END, \
    'identity ' || nullif(attidentity::text, ''), 'generated ' || nullif(attgenerated::text, ''), \
    'default ' || pg_get_expr(adbin, adrelid)) FROM pg_attribute JOIN pg_class c ON c.oid = attrelid \
    JOIN pg_namespace n ON n.oid = relnamespace \
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum \
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND attnum > 0 AND NOT attisdropped \
    AND relkind IN ('r', 'p', 'f') AND NOT relispartition";

const POLICIES: &str = "SELECT format('policy %s on %s', polname, replace(polrelid::regclass::text, '\"', '')), \
    format('command=%s permissive=%s to=%s using=%s check=%s', polcmd, polpermissive, \
    (SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(r) END, ',') FROM unnest(polroles) r), \
    coalesce(btrim(regexp_replace(replace(pg_get_expr(polqual, polrelid), '\"', ''), '\\s+', ' ', 'g')), ''), \
    coalesce(btrim(regexp_replace(replace(pg_get_expr(polwithcheck, polrelid), '\"', ''), '\\s+', ' ', 'g')), '')) \
    FROM pg_policy";

/// Constraints of whole tables, by what they say, and not by their names. What a partition has of its own is here too.
const CONSTRAINTS: &str = "SELECT format('constraint on %s: %s', replace(conrelid::regclass::text, '\"', ''), \
    replace(pg_get_constraintdef(oid), '\"', '')), CASE WHEN convalidated THEN 'in force' ELSE 'not validated' END \
    FROM pg_constraint WHERE conparentid = 0 AND conrelid >= 16384";

/// A foreign key is kept by triggers that can be turned off.
const TURNED_OFF: &str = "SELECT format('key of %s is turned off', replace(tgrelid::regclass::text, '\"', '')), \
    count(*)::text FROM pg_trigger WHERE tgisinternal AND tgenabled <> 'O' GROUP BY tgrelid";

const TRIGGERS: &str = "SELECT format('trigger %s on %s', tgname, replace(tgrelid::regclass::text, '\"', '')), \
    format('%s enabled=%s', replace(pg_get_triggerdef(oid), '\"', ''), tgenabled) FROM pg_trigger WHERE NOT tgisinternal";

/// Every function that did not come with PostgreSQL, wherever it is: objects that did have numbers below 16384. Those
/// of the library that counts statements differ between its versions.
const FUNCTIONS: &str = "SELECT 'function ' || replace(p.oid::regprocedure::text, '\"', ''), \
    format('owner=%s language=%s definer=%s volatile=%s leakproof=%s returns=%s settings=%s source=%s', \
    pg_get_userbyid(proowner), lanname, prosecdef, provolatile, proleakproof, format_type(prorettype, NULL), \
    coalesce(array_to_string(proconfig, ';'), ''), coalesce(pg_get_function_sqlbody(p.oid), prosrc)) \
    FROM pg_proc p JOIN pg_language l ON l.oid = prolang \
    WHERE p.oid >= 16384 AND NOT (lanname = 'c' AND probin = '$libdir/pg_stat_statements')";

/// Everything granted on what is ours, and on whole databases, languages, parameters and so on; an owner's own
/// rights left out.
const GRANTS: &str = "WITH held AS ( \
    SELECT format('relation %s.%s', nspname, relname) AS object, relacl AS acl, relowner AS owner \
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid >= 16384 \
    UNION ALL SELECT format('column %s.%s.%s', nspname, relname, attname), attacl, relowner FROM pg_attribute \
    JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid >= 16384 \
    UNION ALL SELECT 'schema ' || nspname, nspacl, nspowner FROM pg_namespace WHERE oid >= 16384 \
    UNION ALL SELECT 'function ' || replace(oid::regprocedure::text, '\"', ''), \
    coalesce(proacl, acldefault('f', proowner)), proowner FROM pg_proc WHERE oid >= 16384 \
    UNION ALL SELECT 'database ' || datname, coalesce(datacl, acldefault('d', datdba)), datdba FROM pg_database \
    UNION ALL SELECT 'language ' || lanname, coalesce(lanacl, acldefault('l', lanowner)), lanowner FROM pg_language \
    WHERE lanpltrusted \
    UNION ALL SELECT 'parameter ' || parname, paracl, 10 FROM pg_parameter_acl \
    UNION ALL SELECT 'tablespace ' || spcname, spcacl, spcowner FROM pg_tablespace \
    UNION ALL SELECT 'large object ' || oid, lomacl, lomowner FROM pg_largeobject_metadata \
    UNION ALL SELECT 'objects to come of ' || pg_get_userbyid(defaclrole), defaclacl, 0 FROM pg_default_acl) \
    SELECT format('grant of %s on %s to %s', privilege_type, object, \
    CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee) END), \
    CASE WHEN is_grantable THEN 'with grant option' ELSE 'plain' END \
    FROM held, aclexplode(acl) WHERE grantee <> owner";

/// What is granted on PostgreSQL's own relations and functions beyond what every database begins with.
const CATALOG_GRANTS: &str = "WITH held AS ( \
    SELECT 'relation ' || oid::regclass AS object, oid, 'pg_class'::regclass AS class, 0 AS sub, relacl AS acl, \
    relowner AS owner FROM pg_class WHERE oid < 16384 \
    UNION ALL SELECT format('column %s.%s', c.oid::regclass, attname), c.oid, 'pg_class'::regclass, attnum, attacl, \
    relowner FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE c.oid < 16384 \
    UNION ALL SELECT 'schema ' || nspname, oid, 'pg_namespace'::regclass, 0, nspacl, nspowner FROM pg_namespace \
    WHERE oid < 16384 AND nspname <> 'pg_toast' \
    UNION ALL SELECT 'function ' || oid::regprocedure, oid, 'pg_proc'::regclass, 0, proacl, proowner \
    FROM pg_proc WHERE oid < 16384 AND proacl IS NOT NULL) \
    SELECT format('grant of %s on %s to %s', a.privilege_type, object, \
    CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END), \
    CASE WHEN a.is_grantable THEN 'with grant option' ELSE 'plain' END \
    FROM held h CROSS JOIN LATERAL aclexplode(acl) a \
    LEFT JOIN pg_init_privs i ON i.objoid = h.oid AND i.classoid = h.class AND i.objsubid = sub \
    WHERE a.grantee <> h.owner \
    AND NOT (a.grantee = 0 AND h.object ~ '^schema information_schema' AND a.privilege_type = 'USAGE') \
    AND NOT (a.grantee = to_regrole('trefoil_catalog') AND h.object ~ '^relation information_schema' \
    AND a.privilege_type = 'SELECT') \
    AND NOT EXISTS (SELECT FROM aclexplode(coalesce(i.initprivs, \
    CASE WHEN h.class = 'pg_proc'::regclass THEN acldefault('f', h.owner) END)) b \
    WHERE (b.grantee, b.privilege_type, b.is_grantable) = (CASE WHEN a.grantee = to_regrole('trefoil_catalog') \
    THEN 0 ELSE a.grantee END, a.privilege_type, a.is_grantable))";

/// What was taken back from everybody and is there again.
const STILL_PUBLIC: &str = "SELECT 'everybody may call ' || oid::regprocedure, 'yes' FROM pg_proc \
    WHERE pronamespace = 'pg_catalog'::regnamespace AND proname ~ '{revoked}' \
    AND has_function_privilege('public', oid, 'EXECUTE')";

const PUBLICATIONS: &str = "SELECT 'publication ' || pubname, format('all=%s schemas=%s root=%s tables=%s', \
    puballtables, (SELECT count(*) FROM pg_publication_namespace WHERE pnpubid = p.oid), pubviaroot, \
    (SELECT string_agg(format('%s.%s%s', nspname, relname, CASE WHEN prqual IS NULL AND prattrs IS NULL THEN '' \
    ELSE ' in part' END), ',' ORDER BY nspname COLLATE \"C\", relname COLLATE \"C\") FROM pg_publication_rel \
    JOIN pg_class c ON c.oid = prrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE prpubid = p.oid)) \
    FROM pg_publication p";

const SUBSCRIPTIONS: &str = "SELECT 'subscription ' || subname, format('enabled=%s owner=%s slot=%s publications=%s', \
    subenabled, pg_get_userbyid(subowner), subslotname, array_to_string(subpublications, ',')) FROM pg_subscription";

/// Whole kinds of objects of which none is expected, or one.
const OTHERS: &str = "SELECT 'extension ' || extname, 'present' FROM pg_extension \
    UNION ALL SELECT 'event trigger ' || evtname, 'present' FROM pg_event_trigger \
    UNION ALL SELECT 'foreign data wrapper ' || fdwname, 'present' FROM pg_foreign_data_wrapper \
    UNION ALL SELECT 'foreign server ' || srvname, 'present' FROM pg_foreign_server \
    UNION ALL SELECT 'language ' || lanname, 'present' FROM pg_language WHERE oid >= 16384 AND lanname <> 'plpgsql' \
    UNION ALL SELECT 'cast from ' || format_type(castsource, NULL) || ' to ' || format_type(casttarget, NULL), \
    'present' FROM pg_cast WHERE oid >= 16384 \
    UNION ALL SELECT 'operator ' || oid::regoperator, 'present' FROM pg_operator WHERE oid >= 16384 \
    UNION ALL SELECT 'rule ' || rulename || ' on ' || ev_class::regclass, 'present' FROM pg_rewrite \
    WHERE oid >= 16384 AND rulename <> '_RETURN' \
    UNION ALL SELECT 'database ' || datname, 'present' FROM pg_database \
    UNION ALL SELECT 'tablespace ' || spcname, 'present' FROM pg_tablespace \
    UNION ALL SELECT 'large object ' || oid, 'present' FROM pg_largeobject_metadata";

const SETTINGS: &str = "SELECT 'setting ' || name, setting FROM pg_settings WHERE name = ANY (string_to_array('{settings}', ','))";

const HBA: &str = "SELECT 'hba ' || row_number() OVER (ORDER BY line_number), concat_ws(' ', type, \
    array_to_string(database, ','), array_to_string(user_name, ','), \
    coalesce(address || '/' || netmask, address), auth_method, array_to_string(options, ','), error) \
    FROM pg_hba_file_rules";
