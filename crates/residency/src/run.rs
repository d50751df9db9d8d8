//! Runs the checks: all sites at the same time, one connection a site, all queries of a site sent at once. Not here: what
//! a check asks (`checks`), and what becomes of its claims (`judge`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage};
use wall::names::RESIDENCY_SCHEMA;
use wall::residency::Function;

use crate::check::{Check, Claim, Query, Row, Told, Where};
use crate::connect::said;
use crate::judge::{judge, standings};
use crate::{Expectations, Hosts, Report, Target, checks};

/// How long a site may take for everything.
const SITE_MS_MAX: u64 = 20_000;

/// A site to look at.
#[derive(Debug, Clone)]
pub struct Site {
    /// What it is called.
    pub name: String,
    /// Where it is.
    pub target: Target,
    /// What may be there.
    pub expectations: Expectations,
}

/// Looks at all sites.
pub async fn run(sites: &[Site], hosts: &Hosts) -> Report {
    let looked = join_all(sites.iter().map(look)).await;
    let clones = clones(sites, &looked);
    let mut answers = Vec::new();
    for (at, (site, looked)) in sites.iter().zip(looked).enumerate() {
        for mut answer in looked.answers {
            if answer.check.name == "cluster" {
                answer.claims.extend(clones.get(&at).cloned());
            }
            answers.push((site, answer));
        }
    }
    let standings = standings(answers.iter().flat_map(|(_, answer)| &answer.claims), hosts).await;
    let lines = answers.iter().flat_map(|(site, answer)| judge(site, answer, &standings));
    Report { checks: lines.collect() }
}

/// What a site answered.
struct Looked {
    answers: Vec<Answer>,
    /// Number of the cluster, and when its server started.
    cluster: Option<(String, String)>,
}

/// What a check's rule says of what was answered.
pub(crate) struct Answer {
    pub(crate) check: &'static Check,
    pub(crate) query: String,
    pub(crate) claims: Vec<Claim>,
    /// Why there is no answer.
    pub(crate) problem: Option<Told>,
}

async fn look(site: &Site) -> Looked {
    let asked = tokio::time::timeout(Duration::from_millis(SITE_MS_MAX), ask(site));
    let problem = match asked.await {
        Ok(Ok(looked)) => return looked,
        Ok(Err(problem)) => problem,
        Err(_) => format!("the site did not answer everything within {SITE_MS_MAX} ms"),
    };
    let unknown = |check: &'static Check| Answer {
        check,
        query: match check.query {
            Query::Text(text) => text.to_owned(),
            Query::Made(make) => make(&site.expectations).unwrap_or_default(),
        },
        claims: Vec::new(),
        problem: Some(Told::new("", problem.clone(), "let the checker connect, and check again")),
    };
    let asked = checks::all().filter(|check| check.where_ == Where::PostgreSql && is_asked(check, site));
    Looked { answers: asked.map(unknown).collect(), cluster: None }
}

fn is_asked(check: &Check, site: &Site) -> bool {
    match check.query {
        Query::Text(_) => true,
        Query::Made(make) => make(&site.expectations).is_some(),
    }
}

async fn ask(site: &Site) -> Result<Looked, String> {
    let client = site.target.connect().await.map_err(|error| said(&error))?;
    let version = rows(&client, "SELECT version() AS version").await.map_err(|problem| problem.what)?;
    let version = version.first().map(|row| row.text("version").to_owned()).unwrap_or_default();
    let cockroach = version.contains("CockroachDB");
    let standing = if cockroach { Rights::default() } else { Rights::read(&client).await? };
    let here = |check: &&'static Check| match check.where_ {
        Where::PostgreSql => !cockroach,
        Where::Extension(name) => standing.extensions.contains(name),
        Where::Yugabyte => version.contains("-YB-"),
        Where::Cockroach => cockroach,
    };
    let asked = checks::all().filter(here).filter(|check| is_asked(check, site));
    let answers = asked.map(|check| answer(&client, check, &site.expectations, &standing));
    let answered = join_all(answers).await;
    let cluster = answered.iter().find_map(|(_, cluster)| cluster.clone());
    Ok(Looked { answers: answered.into_iter().map(|(answer, _)| answer).collect(), cluster })
}

async fn answer(
    client: &Client,
    check: &'static Check,
    expected: &Expectations,
    rights: &Rights,
) -> (Answer, Option<(String, String)>) {
    let text = match check.query {
        Query::Text(text) => text.to_owned(),
        Query::Made(make) => make(expected).unwrap_or_default(),
    };
    let query = match rights.resolve(&text) {
        Ok(query) => query,
        Err(problem) => {
            return (Answer { check, query: text, claims: Vec::new(), problem: Some(problem) }, None);
        }
    };
    match rows(client, &query).await {
        Ok(rows) => {
            let cluster = rows
                .first()
                .filter(|row| check.name == "cluster" && !row.yes("recovering"))
                .map(|row| (row.text("identifier").to_owned(), row.text("started").to_owned()));
            (Answer { check, query, claims: (check.rule)(&rows, expected), problem: None }, cluster)
        }
        Err(problem) => (Answer { check, query, claims: Vec::new(), problem: Some(problem) }, None),
    }
}

/// Asks one query. Everything comes as text.
async fn rows(client: &Client, query: &str) -> Result<Vec<Row>, Told> {
    let messages = client.simple_query(query).await.map_err(|error| {
        let advice = match error.code() {
            Some(&SqlState::INSUFFICIENT_PRIVILEGE) => "grant what `residency grants` prints",
            Some(&SqlState::QUERY_CANCELED) => "ask again when the site is less busy",
            _ => "run the query by hand, and see",
        };
        Told::new("", said(&error), advice)
    })?;
    // A value that cannot be read is not one that is missing: the check would pass on it.
    let unread = |error: tokio_postgres::Error| {
        Told::new("", format!("a value that cannot be read: {error}"), "run the query by hand, and see")
    };
    let mut rows = Vec::new();
    for message in &messages {
        let SimpleQueryMessage::Row(row) = message else { continue };
        let columns = row.columns().iter().enumerate();
        let read = columns.map(|(at, column)| Ok((column.name(), row.try_get(at).map_err(unread)?)));
        rows.push(Row::new(read.collect::<Result<Vec<_>, Told>>()?));
    }
    Ok(rows)
}

/// What the checker's role may call and see.
#[derive(Debug, Default)]
struct Rights {
    role: String,
    superuser: bool,
    extensions: BTreeSet<String>,
    /// Roles of which it is a member.
    member: BTreeSet<String>,
    /// Functions of the schema that it may call, and their text.
    functions: BTreeMap<String, String>,
}

const RIGHTS: &str = "SELECT 'role' AS what, session_user::text AS name, current_setting('is_superuser') AS text \
    UNION ALL SELECT 'extension', extname, NULL FROM pg_extension \
    UNION ALL SELECT 'member', rolname, NULL FROM pg_roles WHERE rolname ~ '^pg_' AND pg_has_role(oid, 'USAGE') \
    UNION ALL SELECT 'function', proname, CASE WHEN proconfig = ARRAY['search_path=pg_catalog, pg_temp'] \
    AND lanname = 'sql' AND prosqlbody IS NULL AND prosecdef AND o.rolsuper THEN prosrc ELSE 'something else' END \
    FROM pg_proc p JOIN pg_roles o ON o.oid = proowner JOIN pg_language l ON l.oid = prolang \
    WHERE pronamespace = to_regnamespace('trefoil_residency') AND pronargs = 0 \
    AND has_schema_privilege(pronamespace, 'USAGE') AND has_function_privilege(p.oid, 'EXECUTE')";

impl Rights {
    async fn read(client: &Client) -> Result<Self, String> {
        let mut rights = Self::default();
        for row in rows(client, RIGHTS).await.map_err(|problem| problem.what)? {
            let (name, text) = (row.text("name").to_owned(), row.text("text").to_owned());
            match row.text("what") {
                "role" => (rights.role, rights.superuser) = (name, text == "on"),
                "extension" => drop(rights.extensions.insert(name)),
                "member" => drop(rights.member.insert(name)),
                _ => drop(rights.functions.insert(name, text)),
            }
        }
        Ok(rights)
    }

    /// A query with what stands for its functions.
    fn resolve(&self, text: &str) -> Result<String, Told> {
        let mut text = text.to_owned();
        for function in wall::residency::functions() {
            let mark = format!("{{{}}}", function.name);
            if text.contains(&mark) {
                text = text.replace(&mark, &self.instead(&function)?);
            }
        }
        Ok(text)
    }

    /// A function, or the query that it is where the role sees as much by that. What would be seen in part is not asked.
    fn instead(&self, function: &Function) -> Result<String, Told> {
        let Function { name, returns, source, instead } = function;
        let bare = || {
            let columns = returns.split(", ").filter_map(|column| column.split(' ').next());
            format!("({source}) AS {name}({})", columns.collect::<Vec<_>>().join(", "))
        };
        if self.superuser {
            return Ok(bare());
        }
        let role = &self.role;
        match self.functions.get(*name) {
            Some(text) if text == source => return Ok(format!("{RESIDENCY_SCHEMA}.{name}() AS {name}")),
            Some(_) => {
                let what =
                    format!("{RESIDENCY_SCHEMA}.{name}() is not the function that `residency grants` prints");
                return Err(Told::new("", what, "find out who changed it, and make it again"));
            }
            None => {}
        }
        match instead {
            Some(group) if self.member.contains(*group) => Ok(bare()),
            Some(group) => {
                let what = format!(
                    "role {role} would see only a part: it is no member of {group} and may not call {RESIDENCY_SCHEMA}.{name}()"
                );
                Err(Told::new("", what, "grant what `residency grants` prints"))
            }
            None => {
                let what =
                    format!("only a superuser sees it: role {role} may not call {RESIDENCY_SCHEMA}.{name}()");
                Err(Told::new("", what, "grant what `residency grants` prints"))
            }
        }
    }
}

/// Sites of one number that are not one server.
fn clones(sites: &[Site], looked: &[Looked]) -> BTreeMap<usize, Claim> {
    let mut found = BTreeMap::new();
    for (at, one) in looked.iter().enumerate() {
        let Some((number, started)) = &one.cluster else { continue };
        let twin = looked.iter().zip(sites).enumerate().find(|(other, (looked, _))| {
            *other != at && looked.cluster.as_ref().is_some_and(|(n, s)| n == number && s != started)
        });
        if let Some((_, (_, twin))) = twin {
            let what = format!("site {} is a copy of the same cluster, or this one of that", twin.name);
            found.insert(at, Claim::there(number, what, "find out which is the copy, stop it, and erase it"));
        }
    }
    found
}
