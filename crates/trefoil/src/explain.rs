//! `trefoil policy explain`: what a request would be answered, table by table, and which policy says so. It reads a
//! bundle and nothing else: no part of the enclave need run. Not here: the decision itself (crate `policy`).

use std::collections::BTreeMap;

use policy::{
    Ask, Bundle, Class, Country, Denial, Disclosure, GroupAnswer, Limit, Permit, Place, RULE_NOT_PROVISIONED,
    TableAnswer, Writes,
};
use serde::Serialize;
use serde_json::Value;

use crate::cli::Explain;
use crate::enclave::estate;
use crate::ended::Ended;
use crate::terminal::{self, Paint};

/// The answer to one request. The field names are a promise.
#[derive(Debug, Serialize)]
struct Explained {
    request: Value,
    /// `permitted` or `denied`.
    decision: &'static str,
    /// The policy that permits to connect, or the rule that refuses.
    rule: String,
    /// Why it is denied, and what would be needed instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    denial: Option<Denied>,
    /// Hash of the bundle.
    policy: String,
    profile: Option<Profile>,
    tables: Vec<Table>,
    limits: Vec<LimitShown>,
    /// Whether subjects are counted, so that what hides their number is refused.
    capped: bool,
}

#[derive(Debug, Serialize)]
struct Denied {
    sentence: String,
    needs: String,
}

#[derive(Debug, Serialize)]
struct Profile {
    name: String,
    hash: String,
    pseudonym_scope: Option<String>,
}

#[derive(Debug, Serialize)]
struct Table {
    table: String,
    /// Null: no row.
    scope: Option<String>,
    rule: String,
    columns: Vec<Column>,
    /// Whether rows may be deleted, and by which policy.
    delete: Option<String>,
}

#[derive(Debug, Serialize)]
struct Column {
    name: String,
    class: &'static str,
    identifier: &'static str,
    /// `clear`, `masked`, `pseudonym` or `withheld`.
    disclosure: &'static str,
    rule: String,
    /// What the policy that withholds it says would be needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    needs: Option<String>,
    /// The policy that permits to give it to a new row.
    insert: Option<String>,
    /// The policy that permits to change it.
    update: Option<String>,
}

#[derive(Debug, Serialize)]
struct LimitShown {
    name: String,
    per: &'static str,
    class: Option<&'static str>,
    rows: Option<u64>,
    bytes: Option<u64>,
    subjects: Option<u64>,
}

const WITHHELD: &str = "withheld";

pub(crate) fn run(asked: &Explain) -> Result<(), Ended> {
    let bundle = match &asked.bundle {
        Some(path) => estate::read_bundle_at(path)?,
        None => {
            let folder = asked.enclave.folder();
            folder.require_complete()?;
            estate::read_bundle(&folder)?
        }
    };
    let place = place(&bundle, asked)?;
    let (purpose, ticket) = (asked.purpose.as_deref(), asked.ticket.as_deref());
    let explained = Explained::of(&bundle, &Ask { principal: &asked.principal, place, purpose, ticket });
    if asked.json {
        terminal::say_json(&explained)?;
    } else {
        terminal::say(&explained.text(&bundle, &asked.principal, Paint::for_stdout()));
    }
    if explained.denial.is_none() { Ok(()) } else { Err(Ended::not("")) }
}

/// From a country's code, or from the name of one of the enclave's places.
fn place(bundle: &Bundle, asked: &Explain) -> Result<Place, Ended> {
    if let Some(listener) = &asked.listener {
        let places = &bundle.enclave().places;
        if places.iter().any(|place| &place.name == listener) {
            return Ok(bundle.place_of(listener));
        }
        let known: Vec<&str> = places.iter().map(|place| place.name.as_str()).collect();
        let problem = format!("there is no place `{listener}`; use one of: {}", known.join(", "));
        return Err(Ended::cannot_tell(problem));
    }
    let code = asked.place.as_deref().unwrap_or_default();
    if code == Place::Unknown.as_str() {
        return Ok(Place::Unknown);
    }
    let country = Country::parse(code).map(Place::Country);
    country.ok_or_else(|| {
        Ended::cannot_tell(format!(
            "`{code}` is no country; use two upper-case letters, such as IE, or unknown"
        ))
    })
}

impl Explained {
    fn of(bundle: &Bundle, ask: &Ask<'_>) -> Self {
        let (request, policy) = (bundle.request(ask), bundle.hash().to_string());
        let answers = bundle.answers(ask);
        match bundle.decide(ask) {
            Ok(permit) => {
                let rule = answers.as_ref().map(|answers| answers.rule.clone()).unwrap_or_default();
                let tables = answers.map(|answers| answers.tables).unwrap_or_default();
                Self {
                    request,
                    decision: "permitted",
                    rule,
                    denial: None,
                    policy,
                    profile: Some(Profile::of(&permit)),
                    tables: tables.iter().map(|table| Table::of(bundle, table, Some(&permit))).collect(),
                    limits: permit.limits().iter().map(LimitShown::of).collect(),
                    capped: permit.is_capped(),
                }
            }
            Err(Denial { rule, sentence, needs, .. }) => {
                // What policy permits is only of use here to whoever makes the profile that is missing.
                let shown = rule == RULE_NOT_PROVISIONED;
                let tables = answers.map(|answers| answers.tables).unwrap_or_default();
                let tables = tables.iter().filter(|_| shown).map(|table| Table::of(bundle, table, None));
                Self {
                    request,
                    decision: "denied",
                    rule,
                    denial: Some(Denied { sentence, needs }),
                    policy,
                    profile: None,
                    tables: tables.collect(),
                    limits: Vec::new(),
                    capped: false,
                }
            }
        }
    }

    fn text(&self, bundle: &Bundle, principal: &str, paint: Paint) -> String {
        let mut lines = Vec::new();
        if let Some(known) = bundle.directory().principal(principal) {
            let roles: Vec<&str> = known.roles.iter().map(String::as_str).collect();
            let roles = if roles.is_empty() { "none".to_owned() } else { roles.join(", ") };
            lines.push(format!("{principal}: {} of {}, roles: {roles}", known.kind, known.employer));
        }
        match (&self.denial, &self.profile) {
            (Some(Denied { sentence, needs }), _) => {
                lines.push(format!("{} [{}]: {sentence}", paint.bad("denied"), self.rule));
                lines.push(format!("needed: {needs}"));
            }
            (None, Some(profile)) => {
                lines.push(format!("{} [{}]: profile {}", paint.good("permitted"), self.rule, profile.name));
                if let Some(scope) = &profile.pseudonym_scope {
                    lines.push(format!("pseudonyms: of the scope {scope}"));
                }
            }
            (None, None) => {}
        }
        let mut shown = true;
        for table in &self.tables {
            // Tables of which nothing is shown stand together.
            if shown || table.scope.is_some() {
                lines.push(String::new());
            }
            shown = table.scope.is_some();
            table.lines(&mut lines, paint);
        }
        if !self.limits.is_empty() {
            lines.push(String::new());
            lines.push(paint.strong("limits"));
            lines.extend(self.limits.iter().map(LimitShown::line));
        }
        lines.join("\n")
    }
}

impl Profile {
    fn of(permit: &Permit) -> Self {
        let profile = permit.profile();
        let (name, pseudonym_scope) = (profile.name.clone(), profile.pseudonym_scope.clone());
        Self { name, hash: profile.hash.to_string(), pseudonym_scope }
    }
}

impl Table {
    /// Without a permit: as policy answers, for a profile that is yet to be made.
    fn of(bundle: &Bundle, answer: &TableAnswer, permit: Option<&Permit>) -> Self {
        let catalog = bundle.catalog().table(&answer.table);
        let columns = catalog.into_iter().flat_map(|table| &table.columns);
        let shown = permit.and_then(|permit| permit.profile().table(&answer.table));
        let writes = shown.map(|table| &table.writes);
        Self {
            table: answer.table.clone(),
            scope: answer.scope.clone(),
            rule: answer.rule.clone(),
            columns: columns
                .filter_map(|column| {
                    Some(Column::of(bundle, &column.name, answer.group(&column.name)?, writes))
                })
                .collect(),
            delete: answer.delete.clone(),
        }
    }

    fn lines(&self, lines: &mut Vec<String>, paint: Paint) {
        let rows = match self.scope.as_deref() {
            None => "no row".to_owned(),
            Some(policy::SCOPE_ALL) => "all rows".to_owned(),
            Some(scope) => format!("rows of the scope {scope}"),
        };
        lines.push(format!("{}: {rows} [{}]", paint.strong(&self.table), self.rule));
        if self.scope.is_none() {
            return;
        }
        // Columns that are shown alike for the same reason share a line.
        let mut alike: BTreeMap<(usize, &str, &str), Vec<&str>> = BTreeMap::new();
        for column in &self.columns {
            let order = Disclosure::ALL.iter().position(|one| one.as_str() == column.disclosure);
            let key = (order.unwrap_or(Disclosure::ALL.len()), column.disclosure, column.rule.as_str());
            alike.entry(key).or_default().push(&column.name);
        }
        for ((_, disclosure, rule), names) in alike {
            let needs = self.columns.iter().find(|column| column.rule == rule);
            let needs = needs.and_then(|column| column.needs.as_ref()).filter(|_| disclosure == WITHHELD);
            let needs = needs.map(|needs| format!("; needed: {needs}")).unwrap_or_default();
            lines.push(format!("  {disclosure:<9}  {} [{rule}]{needs}", names.join(", ")));
        }
        for (word, rule_of) in [
            ("insert", (|column| column.insert.as_deref()) as fn(&Column) -> Option<&str>),
            ("update", |column| column.update.as_deref()),
        ] {
            let mut by_rule: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for column in &self.columns {
                if let Some(rule) = rule_of(column) {
                    by_rule.entry(rule).or_default().push(&column.name);
                }
            }
            for (rule, names) in by_rule {
                lines.push(format!("  {word:<9}  {} [{rule}]", names.join(", ")));
            }
        }
        if let Some(rule) = &self.delete {
            lines.push(format!("  {:<9}  rows [{rule}]", "delete"));
        }
    }
}

impl Column {
    fn of(bundle: &Bundle, name: &str, group: &GroupAnswer, writes: Option<&Writes>) -> Self {
        // A policy may name a group with the row's home or key in it; those are never written, whatever it says.
        let written = |names: fn(&Writes) -> &Vec<String>, rule: &Option<String>| {
            let names = writes.map(names);
            rule.clone().filter(|_| names.is_none_or(|names| names.iter().any(|one| one == name)))
        };
        let withheld = group.disclosure.is_none();
        Self {
            name: name.to_owned(),
            class: group.class.as_str(),
            identifier: group.identifier.as_str(),
            disclosure: group.disclosure.map_or(WITHHELD, Disclosure::as_str),
            rule: group.rule.clone(),
            needs: bundle.needs(&group.rule).filter(|_| withheld).map(str::to_owned),
            insert: written(|writes| &writes.insert, &group.insert),
            update: written(|writes| &writes.update, &group.update),
        }
    }
}

impl LimitShown {
    fn of(limit: &Limit) -> Self {
        Self {
            name: limit.name.clone(),
            per: limit.per.as_str(),
            class: limit.class.map(Class::as_str),
            rows: limit.rows,
            bytes: limit.bytes,
            subjects: limit.subjects,
        }
    }

    fn line(&self) -> String {
        let amounts = [("rows", self.rows), ("bytes", self.bytes), ("subjects", self.subjects)];
        let amounts = amounts.iter().filter_map(|(what, most)| Some(format!("{} {what}", (*most)?)));
        let amounts = amounts.collect::<Vec<_>>().join(", ");
        let class =
            self.class.map(|class| format!(", of results that show a {class} column")).unwrap_or_default();
        format!("  {}: at most {amounts} a {}{class}", self.name, self.per)
    }
}
