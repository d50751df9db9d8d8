//! The proposal as a catalog.toml to edit: what policy's parser accepts, with the reasons as comments. What the catalog
//! has no word for (a type, a table about nobody, a second table of persons) is a comment too, and so withheld from
//! everybody. Not here: the proposal itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use policy::{ColumnType, Identifier};

use super::plain_name;
use super::propose::{ColumnProposal, Proposal, TableProposal};
use super::read::{Live, TableKind};

/// Of each table that is listed: its name in the catalog, and its key's type and identifier if it has a key.
type Keys<'a> = BTreeMap<&'a str, (String, Option<(ColumnType, Identifier)>)>;

const HOME: &str = "home_site";
const ADDED: &str = "not in the database yet: to be added";

/// The catalog of the tables about the persons of `subject` (`schema.table`), or of the first that was found.
pub fn to_toml(live: &Live, proposal: &Proposal, subject: Option<&str>) -> String {
    let first = proposal.subjects.first().map(|subject| subject.table.as_str());
    let subject = subject.or(first);
    let mut text = head(proposal, subject);
    let (listed, left): (Vec<&TableProposal>, Vec<&TableProposal>) = proposal
        .tables
        .iter()
        .partition(|table| subject.is_some() && table.subject.as_deref() == subject && is_table(live, table));
    let mut names = BTreeSet::new();
    let tables: Vec<Written<'_>> = listed
        .iter()
        .filter(|table| names.insert(plain_name(bare(&table.table))))
        .map(|table| Written::of(proposal, table, subject.unwrap_or_default()))
        .collect();
    let keys: Keys<'_> = tables
        .iter()
        .map(|table| (table.proposal.table.as_str(), (table.name.clone(), table.key_type)))
        .collect();
    let subject_key = subject.and_then(|subject| keys.get(subject)).and_then(|(_, key)| *key);
    for table in &tables {
        table.write(
            &mut text,
            live,
            &keys,
            subject_key.map_or(ColumnType::Bigint, |(data_type, _)| data_type),
        );
    }
    if tables.is_empty() {
        text.push_str("\ntables = []\n");
    }
    rest(&mut text, proposal, &left);
    text
}

fn is_table(live: &Live, table: &TableProposal) -> bool {
    let kind = live.tables.get(table.place).map(|table| table.kind);
    matches!(kind, Some(TableKind::Table | TableKind::Partitioned))
}

/// Without the schema.
fn bare(table: &str) -> &str {
    table.split_once('.').map_or(table, |(_, name)| name)
}

/// In one line of a comment, whatever it holds.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn comment(text: &mut String, said: &str) {
    let _ = writeln!(text, "# {}", plain(said));
}

fn head(proposal: &Proposal, subject: Option<&str>) -> String {
    let mut text = String::from(
        "# Proposed by `trefoil catalog scan`: to be read, corrected and signed by somebody who knows the data.\n\
         # Behind each column: how sure the proposal is, from 0 to 1, and why. What stands only in a comment is in no\n\
         # catalog, and is withheld from everybody.\n#\n",
    );
    for other in &proposal.subjects {
        let chosen = if Some(other.table.as_str()) == subject { "subjects" } else { "persons too" };
        comment(
            &mut text,
            &format!("{chosen}: {} ({:.2}): {}", other.table, other.confidence, other.reasons.join("; ")),
        );
    }
    if proposal.subjects.is_empty() {
        comment(
            &mut text,
            "no table of persons was found; name it with --subject, and how tables refer to it with --relate",
        );
    } else if proposal.subjects.len() > 1 {
        comment(&mut text, "a catalog has one table of subjects: choose another with --subject TABLE");
    }
    let table = subject.map(|subject| plain_name(bare(subject))).unwrap_or_default();
    let _ = write!(
        text,
        "\nschema = \"data\"\nsubject_table = \"{table}\"\npseudonym_scopes = [\"analytics\"]\n"
    );
    text
}

/// A table as it will stand in the catalog.
struct Written<'a> {
    proposal: &'a TableProposal,
    columns: Vec<&'a ColumnProposal>,
    name: String,
    is_subject: bool,
    /// Its key, if it is of one column that the catalog has a type for.
    key: Option<&'a ColumnProposal>,
    key_type: Option<(ColumnType, Identifier)>,
    /// Names of the catalog, of which there may not be two.
    subject: String,
    proposed: &'a Proposal,
}

impl<'a> Written<'a> {
    fn of(proposed: &'a Proposal, proposal: &'a TableProposal, subject: &str) -> Self {
        let columns: Vec<&ColumnProposal> =
            proposed.columns.iter().filter(|column| column.table == proposal.table).collect();
        let is_subject = proposal.table == subject;
        let key = match proposal.key.as_slice() {
            [key] => columns.iter().copied().find(|column| column.column == *key),
            _ => None,
        };
        let keyed =
            |data_type| matches!(data_type, ColumnType::Bigint | ColumnType::Integer | ColumnType::Text);
        let key = key.filter(|key| key.catalog.is_some_and(|(data_type, _)| keyed(data_type)));
        let direct = proposal.subject_key.as_deref();
        let key_type = key.and_then(|key| key.catalog).map(|(data_type, _)| {
            let subject = is_subject || key.map(|key| key.column.as_str()) == direct;
            (data_type, if subject { Identifier::Subject } else { Identifier::Row })
        });
        let name = plain_name(bare(&proposal.table));
        Self {
            proposal,
            columns,
            name,
            is_subject,
            key,
            key_type,
            subject: plain_name(bare(subject)),
            proposed,
        }
    }

    fn write(&self, text: &mut String, live: &Live, keys: &Keys<'_>, subject_type: ColumnType) {
        text.push('\n');
        if plain_name(bare(&self.proposal.table)) != bare(&self.proposal.table) {
            comment(text, &format!("in the database: {}", self.proposal.table));
        }
        self.proposal.reasons.iter().for_each(|reason| comment(text, reason));
        let (roles, added) = self.roles(subject_type);
        let Roles { key, subject_key, home } = &roles;
        let _ = write!(
            text,
            "[[tables]]\nname = \"{}\"\nkey = \"{key}\"\nsubject_key = \"{subject_key}\"\nhome = \"{home}\"\n",
            self.name
        );
        text.push_str("columns = [\n");
        let mut written = BTreeMap::new();
        for column in &self.columns {
            self.column(text, column, &roles, &mut written);
        }
        for Added { name, data_type, class, identifier } in added {
            let _ = writeln!(
                text,
                "    {{ name = \"{name}\", type = \"{data_type}\", class = \"{class}\", identifier = \"{identifier}\" }}, # {ADDED}"
            );
        }
        text.push_str("]\nscopes = []\n");
        self.references(text, live, keys, &written, subject_key);
    }

    /// Which columns are key, subject's key and home, and those of them that have to be added for it.
    fn roles(&self, subject_type: ColumnType) -> (Roles, Vec<Added>) {
        let mut names: BTreeSet<String> =
            self.columns.iter().map(|column| plain_name(&column.column)).collect();
        let mut added = Vec::new();
        let mut add = |wanted: &str, data_type, class, identifier| {
            let tried = [wanted.to_owned(), format!("{wanted}_"), format!("own_{wanted}")];
            let name = tried.into_iter().find(|name| names.insert(name.clone())).unwrap_or_default();
            added.push(Added { name: name.clone(), data_type, class, identifier });
            name
        };
        let of_type = |name: Option<&String>, wanted: ColumnType| {
            let found = self.columns.iter().find(|one| Some(&one.column) == name);
            let found = found.filter(|one| one.catalog.is_some_and(|(data_type, _)| data_type == wanted));
            found.map(|one| plain_name(&one.column))
        };
        let key_identifier = if self.is_subject { "subject" } else { "row" };
        let key = self.key.map(|key| plain_name(&key.column));
        let key = key.unwrap_or_else(|| add("row_id", "bigint", "internal", key_identifier));
        let subject_key = if self.is_subject {
            key.clone()
        } else {
            of_type(self.proposal.subject_key.as_ref(), subject_type).unwrap_or_else(|| {
                let wanted = format!("{}_id", self.subject.trim_end_matches('s'));
                add(&wanted, subject_type.as_str(), "personal", "subject")
            })
        };
        let home = of_type(self.proposal.home.as_ref(), ColumnType::Text);
        let home = home.unwrap_or_else(|| add(HOME, "text", "public", "none"));
        (Roles { key, subject_key, home }, added)
    }

    fn column(
        &self,
        text: &mut String,
        column: &ColumnProposal,
        roles: &Roles,
        written: &mut BTreeMap<String, (String, ColumnType, Identifier)>,
    ) {
        let name = plain_name(&column.column);
        let said = plain(&format!("{:.2}: {}", column.confidence, column.reasons.join("; ")));
        let words = [column.kind, column.scheme].into_iter().filter(|word| !["none", ""].contains(word));
        let exact: String = words.map(|word| format!(" {word}")).collect();
        let Some((data_type, identifier)) = column.catalog else {
            let kind = plain(&format!("{} {}", column.column, column.data_type));
            let _ = writeln!(
                text,
                "    # {kind}: proposed {}{exact}, but the catalog has no such type: withheld. {said}",
                column.class
            );
            return;
        };
        let identifier = match name.as_str() {
            one if self.is_subject && one == roles.key => Identifier::Subject,
            one if one == roles.subject_key => Identifier::Subject,
            one if one == roles.key => Identifier::Row,
            one if one == roles.home => Identifier::None,
            _ => identifier,
        };
        let reserved = name.starts_with("trefoil_")
            || ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"].contains(&name.as_str());
        if reserved || written.values().any(|(known, _, _)| *known == name) {
            comment(text, &format!("    {}: its name cannot be used in a catalog: withheld", column.column));
            return;
        }
        let live = if column.data_type == data_type.as_str() {
            String::new()
        } else {
            plain(&format!(" ({})", column.data_type))
        };
        let _ = writeln!(
            text,
            "    {{ name = \"{name}\", type = \"{data_type}\", class = \"{}\", identifier = \"{identifier}\" }}, #{exact}{live} {said}",
            column.class
        );
        written.insert(column.column.clone(), (name, data_type, identifier));
    }

    /// References to tables that are in the catalog too, by a column of the key's own type.
    fn references(
        &self,
        text: &mut String,
        live: &Live,
        keys: &Keys<'_>,
        written: &BTreeMap<String, (String, ColumnType, Identifier)>,
        subject_key: &str,
    ) {
        let mut lines = Vec::new();
        let mut seen = BTreeSet::new();
        for (relation, known) in live.relations.iter().zip(&self.proposed.relations) {
            let (Some(parent), [column], [parent_column]) = (
                live.tables.get(relation.parent),
                relation.columns.as_slice(),
                relation.parent_columns.as_slice(),
            ) else {
                continue;
            };
            let Some((target, Some(key))) = keys.get(parent.full_name().as_str()) else { continue };
            let Some((name, data_type, identifier)) = written.get(column) else { continue };
            if relation.child != self.proposal.place
                || parent.key != [parent_column.clone()]
                || (*data_type, *identifier) != *key
                || !seen.insert(column)
            {
                continue;
            }
            // Only what makes a row somebody's is sure to be at the same home.
            let within = if name == subject_key { "home" } else { "enclave" };
            lines.push(format!(
                "    {{ column = \"{name}\", table = \"{target}\", within = \"{within}\" }}, # {}",
                known.origin
            ));
        }
        if !lines.is_empty() {
            let _ = write!(text, "references = [\n{}\n]\n", lines.join("\n"));
        }
    }
}

/// Columns with a part to play.
struct Roles {
    key: String,
    subject_key: String,
    home: String,
}

/// A column that the catalog needs and the database has not.
struct Added {
    name: String,
    data_type: &'static str,
    class: &'static str,
    identifier: &'static str,
}

fn rest(text: &mut String, proposal: &Proposal, left: &[&TableProposal]) {
    if left.is_empty() {
        return;
    }
    text.push_str("\n# Not in this catalog, and so withheld from everybody:\n");
    for table in left {
        comment(text, &format!("{} ({}): {}", table.table, table.kind, table.reasons.join("; ")));
        for column in proposal.columns.iter().filter(|column| column.table == table.table) {
            comment(
                text,
                &format!(
                    "    {} {}: {} {} {:.2}",
                    column.column, column.data_type, column.class, column.kind, column.confidence
                ),
            );
        }
    }
}
