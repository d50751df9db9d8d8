//! The proposal: for every table its person, key and home, for every column a class and what it identifies, with
//! reasons. Whatever is about a person is at least `personal`: opening is for the operator to decide. Not here: reading
//! the database, and writing the catalog.

use inspect::{Column, Judgement, Kind};
use policy::{Class, ColumnType, Identifier};
use serde::Serialize;

use super::paths::Path;
use super::read::{Live, LiveColumn, LiveTable, TableKind};
use super::relations::Relation;
use super::sample::{Sample, Samples};
use super::{hints, paths, subjects};

/// What a database seems to hold.
#[derive(Debug, Serialize)]
pub struct Proposal {
    /// Tables with a row per person, the most likely first.
    pub subjects: Vec<SubjectProposal>,
    /// Every table and view.
    pub tables: Vec<TableProposal>,
    /// Every column of them.
    pub columns: Vec<ColumnProposal>,
    /// Which rows refer to which.
    pub relations: Vec<RelationProposal>,
}

/// A table of persons.
#[derive(Debug, Serialize)]
pub struct SubjectProposal {
    /// `schema.table`.
    pub table: String,
    /// From 0 to 1.
    pub confidence: f64,
    /// Why.
    pub reasons: Vec<String>,
}

/// A table or view.
#[derive(Debug, Serialize)]
pub struct TableProposal {
    /// `schema.table`.
    pub table: String,
    /// What it is: `table`, `view`, …
    pub kind: &'static str,
    /// The table of the person whom its rows are about.
    pub subject: Option<String>,
    /// The way there.
    pub subject_path: Option<String>,
    /// The column with the person's key, if the table has one.
    pub subject_key: Option<String>,
    /// The columns of its key.
    pub key: Vec<String>,
    /// The column that says where a row is at home, if there is one.
    pub home: Option<String>,
    /// Of the way to the person, from 0 to 1.
    pub confidence: f64,
    /// Why.
    pub reasons: Vec<String>,
    #[serde(skip)]
    pub(super) place: usize,
}

/// A column.
#[derive(Debug, Serialize)]
pub struct ColumnProposal {
    /// `schema.table`.
    pub table: String,
    /// Its name.
    pub column: String,
    /// Its type, as PostgreSQL prints it.
    #[serde(rename = "type")]
    pub data_type: String,
    /// `public`, `internal`, `personal` or `restricted`.
    #[serde(serialize_with = "word")]
    pub class: Class,
    /// What it identifies: a word of catalog.toml's or, more exactly, `card`, `national_id`, `coordinates`, `address`,
    /// `secret`.
    pub kind: &'static str,
    /// Which of its kind, such as `NL-BSN`; may be empty.
    pub scheme: &'static str,
    /// From the table to the person.
    pub subject_path: Option<String>,
    /// From 0 to 1.
    pub confidence: f64,
    /// Why.
    pub reasons: Vec<String>,
    /// As catalog.toml would have it; nothing where it has no such type.
    #[serde(skip)]
    pub(super) catalog: Option<(ColumnType, Identifier)>,
}

/// A relation, as outside tools read it.
#[derive(Debug, Serialize)]
pub struct RelationProposal {
    /// `schema.table.column`.
    pub child: String,
    /// `schema.table.column`.
    pub parent: String,
    /// `foreign key`, `declared` or `proposed`.
    pub origin: &'static str,
    /// From 0 to 1.
    pub confidence: f64,
}

fn word<S: serde::Serializer>(class: &Class, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(class.as_str())
}

/// Proposes a catalog.
pub fn propose(live: &Live, samples: &Samples) -> Proposal {
    let judged: Vec<Vec<Judgement>> = live
        .tables
        .iter()
        .enumerate()
        .map(|(place, table)| judge_table(table, samples.0.get(place)))
        .collect();
    let found = subjects::find(live, &judged);
    let places: Vec<usize> = found.iter().map(|subject| subject.table).collect();
    let identifying: Vec<bool> = judged.iter().map(|columns| columns.iter().any(identifies)).collect();
    let paths = paths::find(live, &places, &identifying);
    let mut proposal = Proposal {
        subjects: found.iter().map(|subject| of_subject(live, subject)).collect(),
        tables: Vec::new(),
        columns: Vec::new(),
        relations: live.relations.iter().map(|relation| of_relation(live, relation)).collect(),
    };
    for (place, table) in live.tables.iter().enumerate() {
        let path = paths.get(place).and_then(Option::as_ref);
        proposal.tables.push(of_table(live, place, path, samples.0.get(place)));
        for (column, judgement) in table.columns.iter().zip(judged.get(place).into_iter().flatten()) {
            let about = About { live, place, table, path };
            proposal.columns.push(of_column(&about, column, judgement));
        }
    }
    of_views(live, &mut proposal);
    proposal
}

fn identifies(judgement: &Judgement) -> bool {
    let own = matches!(
        judgement.kind,
        Some(Kind::Email | Kind::Phone | Kind::Address | Kind::Name | Kind::NationalId | Kind::Iban)
    );
    own && judgement.confidence >= 0.5
}

fn judge_table(table: &LiveTable, sample: Option<&Sample>) -> Vec<Judgement> {
    table.columns.iter().map(|column| judge_column(column, sample)).collect()
}

/// The column as a whole; of a document, the part that says most.
fn judge_column(column: &LiveColumn, sample: Option<&Sample>) -> Judgement {
    let none = |reason: &str| {
        let mut judgement = inspect::judge(&Column { name: "", values: &[] });
        judgement.reasons = vec![reason.to_owned()];
        judgement.confidence = 0.7;
        judgement
    };
    if matches!(column.base_type.as_str(), "bool" | "interval" | "tsvector" | "oid") {
        return none("no value of this type identifies anybody by itself");
    }
    if column.type_kind == "e" {
        return none("one of a fixed list of words");
    }
    if column.type_kind == "c" {
        let parts =
            column.parts.iter().map(|part| (part, inspect::judge(&Column { name: part, values: &[] })));
        let best = parts
            .filter(|(_, judgement)| judgement.kind.is_some())
            .max_by_key(|(_, judgement)| weight(judgement));
        return best.map_or_else(
            || none("no part of it is named after an identifier"),
            |(part, mut judgement)| {
                judgement.reasons.insert(0, format!("its part {part:?} says so"));
                judgement
            },
        );
    }
    let paths = sample.and_then(|sample| sample.values.get(&column.name));
    let judged = paths.into_iter().flatten().map(|(path, values)| {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let inside = path.rsplit('.').next().filter(|_| path != "$");
        let mut judgement = inspect::judge(&Column { name: inside.unwrap_or(&column.name), values: &values });
        if inside.is_some() {
            judgement.reasons.insert(0, format!("in {path}"));
        }
        judgement
    });
    let judgement = judged
        .max_by_key(weight)
        .unwrap_or_else(|| inspect::judge(&Column { name: &column.name, values: &[] }));
    fitting(column, judgement)
}

/// What outweighs what in one column: the more protected, then the surer.
fn weight(judgement: &Judgement) -> (u8, u32) {
    let class = judgement.kind.map_or(0, |kind| match class_of(kind) {
        Class::Restricted => 3,
        Class::Personal => 2,
        _ => 1,
    });
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 100")]
    let confidence = (judgement.confidence * 100.0) as u32;
    (if confidence >= 40 { class } else { 0 }, confidence)
}

/// A type can speak against what a name or values say: a number is no name, a moment no birthday.
fn fitting(column: &LiveColumn, mut judgement: Judgement) -> Judgement {
    let number = matches!(
        column.base_type.as_str(),
        "int2" | "int4" | "int8" | "numeric" | "float4" | "float8" | "money"
    );
    let day = column.base_type == "date";
    let moment = matches!(column.base_type.as_str(), "timestamp" | "timestamptz" | "time" | "timetz");
    let fits = match judgement.kind {
        None => true,
        Some(Kind::Date) => !number || inspect::hint(&column.name).is_some_and(|hint| hint.whole),
        Some(Kind::Coordinates | Kind::Phone | Kind::NationalId | Kind::Card) => !(day || moment),
        Some(Kind::Ip) => !(number || day || moment),
        Some(_) => !(number || day || moment || column.base_type == "uuid"),
    };
    if !fits {
        judgement.kind = None;
        judgement.scheme = "";
        judgement.confidence = 0.6;
        judgement.reasons =
            vec![format!("its name says an identifier, its type {} does not", column.data_type)];
    }
    if matches!(column.base_type.as_str(), "inet" | "cidr") {
        judgement = typed(Kind::Ip, &column.data_type);
    }
    if matches!(column.base_type.as_str(), "macaddr" | "macaddr8") {
        judgement = typed(Kind::Device, &column.data_type);
    }
    if matches!(column.base_type.as_str(), "point" | "geometry" | "geography") {
        judgement = typed(Kind::Coordinates, &column.data_type);
    }
    judgement
}

fn typed(kind: Kind, data_type: &str) -> Judgement {
    let mut judgement = inspect::judge(&Column { name: "", values: &[] });
    judgement.kind = Some(kind);
    judgement.confidence = 0.95;
    judgement.reasons = vec![format!("its type is {data_type}")];
    judgement
}

fn of_subject(live: &Live, subject: &subjects::Subject) -> SubjectProposal {
    let table = live.tables.get(subject.table).map(LiveTable::full_name).unwrap_or_default();
    let confidence = (subject.score / (subject.score + 1.0) * 100.0).round() / 100.0;
    SubjectProposal { table, confidence, reasons: subject.reasons.clone() }
}

fn of_relation(live: &Live, relation: &Relation) -> RelationProposal {
    let name = |place: usize, columns: &[String]| {
        let table = live.tables.get(place).map(LiveTable::full_name).unwrap_or_default();
        format!("{table}.{}", columns.join("+"))
    };
    RelationProposal {
        child: name(relation.child, &relation.columns),
        parent: name(relation.parent, &relation.parent_columns),
        origin: relation.origin.as_str(),
        confidence: relation.origin.confidence(),
    }
}

fn of_table(live: &Live, place: usize, path: Option<&Path>, sample: Option<&Sample>) -> TableProposal {
    let table = live.tables.get(place);
    let name = |place: usize| live.tables.get(place).map(LiveTable::full_name).unwrap_or_default();
    let key = table.map(|table| table.key.clone()).unwrap_or_default();
    let is_subject = path.is_some_and(|path| path.steps.is_empty());
    let mut reasons: Vec<String> = sample.and_then(|sample| sample.unread.clone()).into_iter().collect();
    reasons.push(match path {
        None => "no way leads from it to a person".to_owned(),
        Some(_) if is_subject => "each row is a person".to_owned(),
        Some(path) => format!("its rows are about a person: {}", path.written(live)),
    });
    if let Some(table) = table.filter(|table| {
        !table.has_primary_key && !matches!(table.kind, TableKind::View | TableKind::Materialized)
    }) {
        reasons.push(if table.key.is_empty() {
            "it has no key".to_owned()
        } else {
            format!("it has no primary key; {} is unique", table.key.join("+"))
        });
    }
    TableProposal {
        table: name(place),
        kind: table.map_or("table", |table| table.kind.as_str()),
        subject: path.map(|path| name(path.subject)),
        subject_path: path.map(|path| path.written(live)),
        subject_key: path.and_then(|path| {
            if is_subject { key.first().cloned() } else { path.direct(live).map(str::to_owned) }
        }),
        home: table
            .and_then(|table| table.columns.iter().find(|column| hints::is_home(&column.name)))
            .map(|column| column.name.clone()),
        key,
        confidence: path.map_or(0.5, |path| (path.confidence * 100.0).round() / 100.0),
        reasons,
        place,
    }
}

/// A column's surroundings.
struct About<'a> {
    live: &'a Live,
    place: usize,
    table: &'a LiveTable,
    path: Option<&'a Path>,
}

impl About<'_> {
    /// The table of persons whose key the column holds.
    fn subject_of(&self, column: &str) -> Option<usize> {
        if self.path.is_some_and(|path| path.steps.is_empty() && self.table.key == [column]) {
            return Some(self.place);
        }
        let path = self.path?;
        let relation =
            self.live.relations.iter().find(|one| one.child == self.place && one.columns == [column])?;
        (relation.parent == path.subject).then_some(relation.parent)
    }

    fn is_row_key(&self, column: &str) -> bool {
        let refers = self
            .live
            .relations
            .iter()
            .any(|one| one.child == self.place && one.columns.iter().any(|own| own == column));
        refers || self.table.key.iter().any(|own| own == column)
    }
}

fn of_column(about: &About<'_>, column: &LiveColumn, judgement: &Judgement) -> ColumnProposal {
    let owned = about.path.is_some();
    let mut reasons = judgement.reasons.clone();
    let mut confidence = judgement.confidence;
    let strong = judgement.kind.filter(|_| judgement.confidence >= 0.4);
    let (mut class, mut kind, mut identifier) = match strong {
        Some(kind) => (class_in(kind, owned), kind.as_str(), identifier_of(kind)),
        None if owned => (Class::Personal, "none", Identifier::None),
        None => (Class::Internal, "none", Identifier::None),
    };
    let weak =
        !matches!(strong, Some(Kind::Email | Kind::Phone | Kind::NationalId | Kind::Iban | Kind::Card));
    if about.subject_of(&column.name).is_some() && weak {
        (class, kind, identifier, confidence) = (Class::Personal, "subject", Identifier::Subject, 0.9);
        reasons = vec!["the person's key".to_owned()];
    } else if about.is_row_key(&column.name) && weak {
        (class, kind, identifier, confidence) = (Class::Internal, "row", Identifier::Row, 0.8);
        reasons = vec!["the key of a row".to_owned()];
    } else if hints::is_home(&column.name) {
        (class, kind, identifier) = (Class::Public, "none", Identifier::None);
        reasons = vec!["its name says where a row is at home".to_owned()];
    } else if strong.is_none() && !owned && is_list(about) {
        class = Class::Public;
        confidence = confidence.min(0.5);
        reasons.push("a list that others refer to, and about nobody".to_owned());
    }
    if let Some(word) = hints::special(&column.name)
        .filter(|_| class < Class::Restricted && kind != "row" && kind != "subject")
    {
        (class, confidence) = (Class::Restricted, 0.7);
        reasons.push(format!("its name says {word:?}, a special category of personal data"));
    } else if let Some(word) = hints::personal(&column.name).filter(|_| class < Class::Personal && owned) {
        (class, confidence) = (Class::Personal, 0.7);
        reasons.push(format!("its name says {word:?}"));
    }
    if strong.is_none() && owned && kind == "none" && class == Class::Personal {
        reasons.push("about the person, though it identifies nobody by itself".to_owned());
    }
    let catalog = catalog_type(&column.base_type, &column.type_kind)
        .map(|data_type| (data_type, fitting_identifier(data_type, identifier)));
    ColumnProposal {
        table: about.table.full_name(),
        column: column.name.clone(),
        data_type: column.data_type.clone(),
        class,
        kind,
        scheme: if strong.is_some() { judgement.scheme } else { "" },
        subject_path: about.path.map(|path| path.written(about.live)),
        confidence,
        reasons,
        catalog,
    }
}

/// Others refer to it, and it refers to no person.
fn is_list(about: &About<'_>) -> bool {
    about.live.relations.iter().any(|one| one.parent == about.place && one.child != about.place)
}

/// A column of a view is what the column of the same name that it reads is, or the most protected one that it reads.
fn of_views(live: &Live, proposal: &mut Proposal) {
    for _ in 0..3 {
        for view in live.tables.iter().filter(|table| !table.bases.is_empty()) {
            let name = view.full_name();
            let bases: Vec<(Class, &'static str, String, String, Option<String>)> = view
                .bases
                .iter()
                .filter_map(|(base, column)| {
                    let base = live.tables.get(*base)?.full_name();
                    let known =
                        proposal.columns.iter().find(|one| one.table == base && one.column == *column)?;
                    Some((known.class, known.kind, base, column.clone(), known.subject_path.clone()))
                })
                .collect();
            let most = bases.iter().max_by_key(|base| base.0);
            for column in proposal.columns.iter_mut().filter(|column| column.table == name) {
                let same = bases.iter().filter(|base| base.3 == column.column).max_by_key(|base| base.0);
                let Some((class, kind, table, from, path)) = same.or(most) else { continue };
                if *class < column.class && same.is_none() {
                    continue;
                }
                column.class = *class;
                column.kind = if same.is_some() { kind } else { column.kind };
                column.subject_path.clone_from(path);
                column.confidence = if same.is_some() { 0.8 } else { 0.4 };
                column.reasons = vec![format!("it reads {table}.{from}")];
            }
        }
    }
}

const fn class_of(kind: Kind) -> Class {
    match kind {
        Kind::Name | Kind::Handle | Kind::Date | Kind::Address => Class::Personal,
        _ => Class::Restricted,
    }
}

/// What is written or named is about a person only where its row is.
const fn class_in(kind: Kind, owned: bool) -> Class {
    match kind {
        Kind::Content | Kind::Date | Kind::Address | Kind::Coordinates | Kind::Handle | Kind::Name
            if !owned =>
        {
            Class::Internal
        }
        kind => class_of(kind),
    }
}

const fn identifier_of(kind: Kind) -> Identifier {
    match kind {
        Kind::Email => Identifier::Email,
        Kind::Phone => Identifier::Phone,
        Kind::Iban | Kind::Card => Identifier::Iban,
        Kind::Ip => Identifier::Ip,
        Kind::Name => Identifier::Name,
        Kind::Handle => Identifier::Handle,
        Kind::Device => Identifier::Device,
        Kind::Date => Identifier::Date,
        // Words that the catalog has no mask for: as closed as what somebody wrote.
        _ => Identifier::Content,
    }
}

/// An identifier that the catalog accepts for a type.
const fn fitting_identifier(data_type: ColumnType, identifier: Identifier) -> Identifier {
    match (data_type, identifier) {
        (ColumnType::Text, Identifier::Date) => Identifier::Content,
        (ColumnType::Text, identifier) => identifier,
        (ColumnType::Bigint | ColumnType::Integer, Identifier::Subject | Identifier::Row) => identifier,
        (ColumnType::Date | ColumnType::Timestamptz, _) => Identifier::Date,
        _ => Identifier::None,
    }
}

/// The catalog's type for one of PostgreSQL's, if it has one.
pub(super) fn catalog_type(base_type: &str, type_kind: &str) -> Option<ColumnType> {
    match base_type {
        _ if type_kind == "e" => Some(ColumnType::Text),
        "int8" => Some(ColumnType::Bigint),
        "int4" | "int2" => Some(ColumnType::Integer),
        "text" | "varchar" | "bpchar" | "name" | "citext" | "uuid" | "inet" | "cidr" | "macaddr" => {
            Some(ColumnType::Text)
        }
        "date" => Some(ColumnType::Date),
        "timestamptz" | "timestamp" => Some(ColumnType::Timestamptz),
        "bool" => Some(ColumnType::Boolean),
        _ => None,
    }
}
