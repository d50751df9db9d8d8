//! Catalogs are proposed for schemas that nobody prepared (data/catalogs), and compared with what a person who knows
//! the data says; what is proposed is a catalog; a schema that changes after that is told of.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends when it cannot go on"
)]

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use sites::catalog::{self, DifferenceKind, Limits, Live, Proposal};
use tokio_postgres::Client;

const PEOPLE: &str = include_str!("data/catalogs/people.sql");
const SCHEMAS: &[(&str, &str)] = &[
    ("shop", include_str!("data/catalogs/shop.sql")),
    ("praxis", include_str!("data/catalogs/praxis.sql")),
    ("music", include_str!("data/catalogs/music.sql")),
    ("legacy", include_str!("data/catalogs/legacy.sql")),
    ("firm", include_str!("data/catalogs/firm.sql")),
    ("social", include_str!("data/catalogs/social.sql")),
];
const EXPECTED: &str = include_str!("data/catalogs/expected.tsv");

fn limits(schema: &str) -> Limits {
    Limits { schemas: vec![schema.to_owned()], ..Limits::default() }
}

async fn scan(client: &Client, limits: &Limits, relations: &[String]) -> (Live, Proposal) {
    catalog::prepare(client, limits).await.unwrap();
    let mut live = catalog::read(client, limits).await.unwrap();
    catalog::declare(&mut live, relations).unwrap();
    let samples = catalog::sample(client, &live, limits, |_| ()).await.unwrap();
    catalog::discover(client, &mut live, &samples).await.unwrap();
    let proposal = catalog::propose(&live, &samples);
    (live, proposal)
}

/// Found, wrong and missed identifiers, and columns whose class is less protected than it should be.
#[derive(Debug, Default)]
struct Score {
    right: u32,
    wrong: u32,
    missed: u32,
    columns: u32,
    classes: u32,
    open: u32,
    told: Vec<String>,
}

impl Score {
    fn take(&mut self, proposal: &Proposal, schema: &str) {
        let expected = EXPECTED.lines().filter(|line| line.starts_with(&format!("{schema}.")));
        let proposed: BTreeMap<(&str, &str), &catalog::ColumnProposal> =
            proposal.columns.iter().map(|one| ((one.table.as_str(), one.column.as_str()), one)).collect();
        for line in expected {
            let [table, column, classes, kind] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            let found =
                proposed.get(&(table, column)).unwrap_or_else(|| panic!("{table}.{column} is not proposed"));
            let names = |kind: &str| !["none", "row"].contains(&kind);
            let (is, says) = (names(kind), names(found.kind));
            self.right += u32::from(is && found.kind == kind);
            self.wrong += u32::from(says && found.kind != kind);
            self.missed += u32::from(is && found.kind != kind);
            self.columns += 1;
            let class = classes.split('|').any(|class| class == found.class.as_str());
            self.classes += u32::from(class);
            let least = classes.split('|').filter_map(policy::Class::parse).min().unwrap();
            self.open += u32::from(found.class < least);
            if !class || (found.kind != kind && (is || says)) {
                self.told.push(format!(
                    "{table}.{column}: {} {}, not {classes} {kind}: {:?}",
                    found.class, found.kind, found.reasons
                ));
            }
            assert!((0.0..=1.0).contains(&found.confidence) && !found.reasons.is_empty(), "{found:?}");
        }
    }

    fn share(part: u32, rest: u32) -> f64 {
        f64::from(part) / f64::from((part + rest).max(1))
    }
}

/// What is proposed is a catalog, and the live schema differs from it in nothing but what has to be added.
fn check_catalog(schema: &str, live: &Live, proposal: &Proposal) {
    let text = catalog::to_toml(live, proposal, None);
    let read = policy::Catalog::read(&text).unwrap_or_else(|errors| panic!("{schema}: {errors:#?}\n{text}"));
    let added = text.lines().filter(|line| line.ends_with("to be added")).count();
    let differences = catalog::compare(live, &read);
    let missing = differences.iter().filter(|one| one.kind == DifferenceKind::MissingColumn).count();
    assert_eq!(missing, added, "{schema}: {differences:#?}");
    let other = |one: &&catalog::Difference| {
        !matches!(
            one.kind,
            DifferenceKind::MissingColumn | DifferenceKind::NewColumn | DifferenceKind::NewTable
        )
    };
    assert_eq!(differences.iter().find(other), None, "{schema}");
}

/// The administrator, in the database that every cluster has.
async fn connect(enclave: &common::Enclave) -> Client {
    let mut config: tokio_postgres::Config = enclave.clusters[0].admin_url().parse().unwrap();
    let (client, connection) = config.dbname("postgres").connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_that_nobody_prepared() {
    let enclave = common::Enclave::start(common::example()).await;
    let owner = connect(&enclave).await;
    owner.batch_execute(PEOPLE).await.unwrap();
    for (schema, text) in SCHEMAS {
        owner.batch_execute(text).await.unwrap_or_else(|error| panic!("{schema}: {error:?}"));
    }
    owner.batch_execute("ANALYZE").await.unwrap();
    let client = connect(&enclave).await;
    let mut score = Score::default();
    let mut proposals = BTreeMap::new();
    for (schema, _) in SCHEMAS {
        let (live, proposal) = scan(&client, &limits(schema), &[]).await;
        score.take(&proposal, schema);
        check_catalog(schema, &live, &proposal);
        proposals.insert(*schema, proposal);
    }
    let (precision, recall) =
        (Score::share(score.right, score.wrong), Score::share(score.right, score.missed));
    let classes = Score::share(score.classes, score.columns - score.classes);
    println!("{}", score.told.join("\n"));
    println!(
        "identifiers: precision {precision:.3}, recall {recall:.3}; classes right {classes:.3} of {}; too open {}",
        score.columns, score.open
    );
    assert!(
        precision >= 0.95 && recall >= 0.95 && classes >= 0.95 && score.open == 0,
        "{}",
        score.told.join("\n")
    );
    subjects(&proposals);
    paths(&proposals);
    declared(&client).await;
    changed(&owner, &client).await;
    nothing_is_written(&client).await;
}

/// The persons of each schema, the first one first.
fn subjects(proposals: &BTreeMap<&str, Proposal>) {
    let check = |schema: &str, expected: &[&str]| {
        let found: Vec<&str> = proposals[schema].subjects.iter().map(|one| one.table.as_str()).collect();
        assert_eq!(found, expected, "{schema}: {:#?}", proposals[schema].subjects);
    };
    check("shop", &["shop.customers"]);
    check("praxis", &["praxis.patienten", "praxis.aerzte"]);
    check("music", &["music.Customer", "music.Employee"]);
    check("legacy", &["legacy.t01"]);
    check("firm", &["firm.person"]);
    check("social", &["social.app_users"]);
}

fn paths(proposals: &BTreeMap<&str, Proposal>) {
    let check = |table: &str, expected: Option<&str>| {
        let schema = table.split('.').next().unwrap();
        let found = proposals[schema].tables.iter().find(|one| one.table == table).unwrap();
        assert_eq!(found.subject_path.as_deref(), expected, "{found:#?}");
    };
    check(
        "shop.order_items",
        Some("shop.order_items.order_id -> shop.orders.customer_id -> shop.customers.id"),
    );
    check("shop.events", Some("shop.events.customer_id -> shop.customers.id"));
    check("shop.products", None);
    check("praxis.behandlungen", Some("praxis.behandlungen.patient_nr -> praxis.patienten.patient_nr"));
    check(
        "praxis.rechnungen",
        Some(
            "praxis.rechnungen.behandlung_id -> praxis.behandlungen.patient_nr -> praxis.patienten.patient_nr",
        ),
    );
    check("legacy.t03", Some("legacy.t03.t01_id -> legacy.t01.t01_id"));
    check("legacy.t99", None);
    check(
        "firm.sick_leave",
        Some("firm.sick_leave.person_id -> firm.employee.person_id -> firm.person.person_id"),
    );
    check(
        "social.post_tags",
        Some("social.post_tags.post_id -> social.posts.author -> social.app_users.user_id"),
    );
    let home = proposals["social"].tables.iter().find(|one| one.table == "social.app_users").unwrap();
    assert_eq!(home.home.as_deref(), Some("home_region"));
}

/// A relation that neither a foreign key nor a name says is declared; one that is not there is refused.
async fn declared(client: &Client) {
    let relations = ["legacy.t99.k=legacy.t01.c5".to_owned()];
    let (_, proposal) = scan(client, &limits("legacy"), &relations).await;
    let found = proposal.tables.iter().find(|one| one.table == "legacy.t99").unwrap();
    assert!(found.subject_path.is_some(), "{found:#?}");
    let mut live = catalog::read(client, &limits("legacy")).await.unwrap();
    for wrong in ["t99.k", "t99.nothing=t01.c5", "t99.k=nothing.c5"] {
        assert!(catalog::declare(&mut live, &[wrong.to_owned()]).is_err(), "{wrong}");
    }
}

/// What happens to a schema after its catalog was written.
async fn changed(owner: &Client, client: &Client) {
    let (live, proposal) = scan(client, &limits("shop"), &[]).await;
    let catalog = policy::Catalog::read(&catalog::to_toml(&live, &proposal, None)).unwrap();
    let before = catalog::compare(&live, &catalog);
    let change = "ALTER TABLE shop.customers ADD nickname text; ALTER TABLE shop.orders DROP COLUMN comment; \
                  ALTER TABLE shop.order_items ALTER quantity TYPE bigint; CREATE TABLE shop.wishes (id int); \
                  ALTER TABLE shop.payments RENAME TO paid; ALTER TABLE shop.customers ALTER vip TYPE date USING NULL";
    owner.batch_execute(change).await.unwrap();
    let live = catalog::read(client, &limits("shop")).await.unwrap();
    let new: Vec<(DifferenceKind, String)> = catalog::compare(&live, &catalog)
        .into_iter()
        .filter(|one| !before.contains(one))
        .map(|one| (one.kind, one.object))
        .collect();
    let check = |kind: DifferenceKind, object: &str| {
        assert!(new.contains(&(kind, object.to_owned())), "{object}: {new:#?}")
    };
    check(DifferenceKind::NewColumn, "shop.customers.nickname");
    check(DifferenceKind::MissingColumn, "shop.orders.comment");
    check(DifferenceKind::WidenedType, "shop.order_items.quantity");
    check(DifferenceKind::NewTable, "shop.wishes");
    check(DifferenceKind::NewTable, "shop.paid");
    check(DifferenceKind::MissingTable, "payments");
    check(DifferenceKind::OtherType, "shop.customers.vip");
    assert_eq!(new.len(), 7, "{new:#?}");
}

/// A scanning connection writes nothing, and a scan without time judges by names.
async fn nothing_is_written(client: &Client) {
    let refused = client.batch_execute("CREATE TABLE public.left_behind (id int)").await.unwrap_err();
    assert_eq!(refused.code().map(tokio_postgres::error::SqlState::code), Some("25006"));
    let hurried = Limits { total: Duration::ZERO, ..limits("shop") };
    let (_, proposal) = scan(client, &hurried, &[]).await;
    let email =
        proposal.columns.iter().find(|one| one.table == "shop.customers" && one.column == "email").unwrap();
    assert_eq!((email.kind, email.class), ("email", policy::Class::Restricted), "{email:?}");
}
