//! Asks Cedar, in a fixed order: connect; then per table the widest row scope; then per column group the most open
//! disclosure, and what may be written. Not here: which profile the answer is (`bundle`), what the policies are (`rules`).

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use cedar_policy::{Authorizer, Context, Decision, PolicySet, Request, RestrictedExpression};

use crate::catalog::{Catalog, Class, Column, Identifier, Scope, Table};
use crate::directory::Principal;
use crate::enclave::Enclave;
use crate::names::Place;
use crate::permit::{Ask, Denial, GroupAnswer, RULE_NO_PERMIT, RULE_POLICY_FAULT, TableAnswer};
use crate::profile::{Disclosed, Disclosure, ProfileColumn, ProfileTable, Writes};
use crate::rules::{Action, Rules};
use crate::slices::{Asker, Sight, Slice, Slices};
use crate::world::{CedarFault, ColumnGroup, Type, World};

/// Everything that a decision is made from, borrowed from the bundle.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub(crate) enclave: &'a Enclave,
    pub(crate) catalog: &'a Catalog,
    pub(crate) rules: &'a Rules,
    pub(crate) world: &'a World,
}

/// One request on its way to a decision.
pub(crate) struct Asking<'a> {
    ground: Ground<'a>,
    principal: &'a Principal,
    ask: &'a Ask<'a>,
    asker: Asker,
    slices: Arc<Slices>,
    /// Contexts made so far, by row scope and pseudonym scope.
    contexts: RefCell<HashMap<Reading<'a>, Context>>,
    /// What was checked against the schema.
    checked: RefCell<HashSet<(Action, Reading<'a>)>>,
    /// Answers so far, by what the policies look at.
    answers: RefCell<HashMap<Seen<'a>, Rc<Answer>>>,
}

/// A row scope and a pseudonym scope, where the action has one.
type Reading<'a> = (Option<&'a str>, Option<&'a str>);

/// What an action is asked about.
#[derive(Clone, Copy)]
enum What<'a> {
    Enclave,
    Table(&'a str),
    Group(&'a ColumnGroup),
}

/// All of a question that a policy may look at.
#[derive(PartialEq, Eq, Hash)]
struct Seen<'a> {
    action: Action,
    table: Option<&'a str>,
    class: Option<Class>,
    identifier: Option<Identifier>,
    scope: Option<&'a str>,
    pseudonyms: Option<&'a str>,
}

/// What Cedar says about one action.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// The permits that matched, in order.
    Permitted(Vec<String>),
    /// The forbids that matched, in order; none: no permit matched.
    Refused(Vec<String>),
}

impl Answer {
    fn permits(&self) -> bool {
        matches!(self, Self::Permitted(_))
    }

    /// The first determining policy, or the rule that stands in for one.
    fn rule(&self) -> &str {
        let (Self::Permitted(ids) | Self::Refused(ids)) = self;
        ids.first().map_or(RULE_NO_PERMIT, String::as_str)
    }
}

impl<'a> Asking<'a> {
    pub(crate) fn new(
        ground: Ground<'a>,
        principal: &'a Principal,
        ask: &'a Ask<'a>,
    ) -> Result<Self, CedarFault> {
        let asker = ground.world.asker(principal)?;
        let slices = ground.rules.of(&asker)?;
        let (contexts, checked, answers) = (RefCell::default(), RefCell::default(), RefCell::default());
        Ok(Self { ground, principal, ask, asker, slices, contexts, checked, answers })
    }

    /// Whether a session may be opened at all, and the policy that permits it.
    pub(crate) fn connect(&self) -> Result<String, Denial> {
        let answer = self
            .answer(Action::Connect, What::Enclave, (None, None))
            .map_err(|fault| fault_denial(&fault))?;
        match answer.as_ref() {
            Answer::Permitted(_) => Ok(answer.rule().to_owned()),
            Answer::Refused(ids) => match ids.first() {
                Some(first) => Err(Denial {
                    rule: first.clone(),
                    sentence: self.forbidden(ids),
                    needs: ids
                        .iter()
                        .map(|id| self.ground.rules.needs(id))
                        .collect::<Vec<_>>()
                        .join("; and "),
                }),
                None => Err(self.no_permit()),
            },
        }
    }

    /// What may be seen and written by whoever may connect.
    pub(crate) fn disclosed(&self) -> Result<Disclosed, Denial> {
        let (answers, pseudonym_scope) = self.answers().map_err(|fault| fault_denial(&fault))?;
        let mut tables = Vec::new();
        for (table, answer) in self.ground.catalog.tables.iter().zip(&answers) {
            let scope = answer.scope.as_deref().and_then(|name| table.scope(name));
            let Some(Scope { name: scope, rule: rows }) = scope.cloned() else { continue };
            let columns: Vec<_> = table
                .columns
                .iter()
                .filter_map(|column| {
                    Some(ProfileColumn::new(column, answer.group(&column.name)?.disclosure?))
                })
                .collect();
            let writes = writes(table, answer);
            // What may be written and not seen is for the lint to find, so it is not left out here.
            if !columns.is_empty() || !writes.is_none() {
                tables.push(ProfileTable { columns, rows, scope, table: table.name.clone(), writes });
            }
        }
        Ok(Disclosed { tables, pseudonym_scope })
    }

    /// The answer for every table, in the catalog's order, and the pseudonym scope where one is used.
    pub(crate) fn answers(&self) -> Result<(Vec<TableAnswer>, Option<String>), CedarFault> {
        let mut answers = Vec::new();
        for table in &self.ground.catalog.tables {
            answers.push(self.of_table(table)?);
        }
        let pseudonyms = self.pseudonymise(&mut answers)?;
        Ok((answers, pseudonyms))
    }

    /// The answer for a table, pseudonyms not yet looked at.
    fn of_table(&self, table: &'a Table) -> Result<TableAnswer, CedarFault> {
        let (scope, rule) = self.widest(table)?;
        let reading = (scope, None);
        let mut groups = Vec::new();
        for group in self.ground.world.groups.iter().filter(|group| group.table == table.name) {
            let what = What::Group(group);
            let (mut disclosure, mut rule) = (None, RULE_NO_PERMIT.to_owned());
            let (mut insert, mut update) = (None, None);
            if scope.is_some() {
                (disclosure, rule) = self.open(what, reading)?;
                insert = self.permit(Action::Insert, what, reading)?;
                update = self.permit(Action::Update, what, reading)?;
            }
            let alike =
                |column: &&Column| column.class == group.class && column.identifier == group.identifier;
            let columns = table.columns.iter().filter(alike).map(|column| column.name.clone()).collect();
            let (class, identifier) = (group.class, group.identifier);
            groups.push(GroupAnswer { class, identifier, columns, disclosure, rule, insert, update });
        }
        let delete = match scope {
            Some(_) => self.permit(Action::Delete, What::Table(&table.name), reading)?,
            None => None,
        };
        Ok(TableAnswer { table: table.name.clone(), scope: scope.map(str::to_owned), rule, groups, delete })
    }

    /// The widest row scope, and the policy that permits it; without one, what stands against all rows.
    fn widest(&self, table: &'a Table) -> Result<(Option<&'a str>, String), CedarFault> {
        let mut against = None;
        for scope in &table.scopes {
            let answer = self.answer(Action::Rows, What::Table(&table.name), (Some(&scope.name), None))?;
            if answer.permits() {
                return Ok((Some(&scope.name), answer.rule().to_owned()));
            }
            against.get_or_insert_with(|| answer.rule().to_owned());
        }
        Ok((None, against.unwrap_or_else(|| RULE_NO_PERMIT.to_owned())))
    }

    /// Clear, masked or withheld: pseudonyms are looked at when all other disclosures are known.
    fn open(&self, what: What<'a>, reading: Reading<'a>) -> Result<(Option<Disclosure>, String), CedarFault> {
        let clear = self.answer(Action::Clear, what, reading)?;
        if clear.permits() {
            return Ok((Some(Disclosure::Clear), clear.rule().to_owned()));
        }
        Ok(match self.permit(Action::Masked, what, reading)? {
            Some(rule) => (Some(Disclosure::Masked), rule),
            None => (None, clear.rule().to_owned()),
        })
    }

    /// The policy that permits it, if one does.
    fn permit(
        &self,
        action: Action,
        what: What<'a>,
        reading: Reading<'a>,
    ) -> Result<Option<String>, CedarFault> {
        // Most principals are in the scope of no permit to write, and of few others: Cedar is not asked then.
        if !self.slice(action)?.permits {
            return Ok(None);
        }
        let answer = self.answer(action, what, reading)?;
        Ok(answer.permits().then(|| answer.rule().to_owned()))
    }

    /// The first pseudonym scope that is permitted for any withheld group is the profile's only one.
    fn pseudonymise(&self, answers: &mut [TableAnswer]) -> Result<Option<String>, CedarFault> {
        for pseudonyms in &self.ground.catalog.pseudonym_scopes {
            let mut used = false;
            for (table, answer) in self.ground.catalog.tables.iter().zip(answers.iter_mut()) {
                let Some(scope) = answer.scope.as_deref().and_then(|name| table.scope(name)) else {
                    continue;
                };
                for group in answer.groups.iter_mut().filter(|group| group.disclosure.is_none()) {
                    let alike = |other: &&ColumnGroup| {
                        other.table == table.name
                            && (other.class, other.identifier) == (group.class, group.identifier)
                    };
                    let Some(known) = self.ground.world.groups.iter().find(alike) else { continue };
                    let reading = (Some(scope.name.as_str()), Some(pseudonyms.as_str()));
                    if let Some(rule) = self.permit(Action::Pseudonym, What::Group(known), reading)? {
                        group.disclosure = Some(Disclosure::Pseudonym);
                        group.rule = rule;
                        used = true;
                    }
                }
            }
            if used {
                return Ok(Some(pseudonyms.clone()));
            }
        }
        Ok(None)
    }

    fn slice(&self, action: Action) -> Result<&Slice, CedarFault> {
        self.slices.get(&action).ok_or_else(|| CedarFault::new("an action has no policies"))
    }

    /// What Cedar says, asked once for all questions that no policy can tell apart.
    fn answer(&self, action: Action, what: What<'a>, reading: Reading<'a>) -> Result<Rc<Answer>, CedarFault> {
        let slice = self.slice(action)?;
        let seen = Seen::of(action, what, reading, slice.sight);
        if let Some(known) = self.answers.borrow().get(&seen) {
            return Ok(known.clone());
        }
        let answer = Rc::new(self.ask(action, what, reading, &slice.policies)?);
        self.answers.borrow_mut().insert(seen, answer.clone());
        Ok(answer)
    }

    /// Request and entities are checked against the schema: what was proved of the policies holds for no others. Of two
    /// requests that differ in the resource alone, which is one of the bundle's own and of the type that the action has,
    /// one is checked.
    fn ask(
        &self,
        action: Action,
        what: What<'a>,
        reading: Reading<'a>,
        policies: &PolicySet,
    ) -> Result<Answer, CedarFault> {
        let world = self.ground.world;
        let action_uid = world.uid(Type::Action, action.as_str())?;
        let resource = match what {
            What::Enclave => world.uid(Type::Enclave, &self.ground.enclave.name)?,
            What::Table(table) => world.uid(Type::Table, table)?,
            What::Group(group) => world.group(group)?,
        };
        let is_new = self.checked.borrow_mut().insert((action, reading));
        let (context, schema) = (self.context(reading)?, is_new.then_some(&self.ground.rules.schema));
        let request = Request::new(self.asker.me.clone(), action_uid, resource, context, schema)
            .map_err(CedarFault::new)?;
        let response = Authorizer::new().is_authorized(&request, policies, &world.entities);
        // Cedar skips a policy that fails, and a forbid must not be lost that way.
        if let Some(error) = response.diagnostics().errors().map(ToString::to_string).min() {
            return Err(CedarFault(error));
        }
        let mut ids: Vec<_> = response.diagnostics().reason().map(ToString::to_string).collect();
        ids.sort_unstable();
        Ok(match response.decision() {
            Decision::Allow => Answer::Permitted(ids),
            Decision::Deny => Answer::Refused(ids),
        })
    }

    fn context(&self, reading: Reading<'a>) -> Result<Context, CedarFault> {
        if let Some(made) = self.contexts.borrow().get(&reading) {
            return Ok(made.clone());
        }
        let made = self.make_context(reading)?;
        self.contexts.borrow_mut().insert(reading, made.clone());
        Ok(made)
    }

    fn make_context(&self, (scope, pseudonyms): Reading<'a>) -> Result<Context, CedarFault> {
        let uid = |kind, id: &str| self.ground.world.uid(kind, id).map(RestrictedExpression::new_entity_uid);
        let (known, in_region) = match self.ask.place {
            Place::Country(country) => (true, self.ground.enclave.region.contains(&country)),
            Place::Unknown => (false, false),
        };
        let place = RestrictedExpression::new_record([
            ("country".to_owned(), uid(Type::Country, self.ask.place.as_str())?),
            ("known".to_owned(), RestrictedExpression::new_bool(known)),
            ("in_region".to_owned(), RestrictedExpression::new_bool(in_region)),
        ])
        .map_err(CedarFault::new)?;
        let ticket = RestrictedExpression::new_bool(self.ask.ticket.is_some());
        let mut pairs = vec![("place".to_owned(), place), ("ticket".to_owned(), ticket)];
        for (key, kind, id) in [
            ("purpose", Type::Purpose, self.ask.purpose),
            ("scope", Type::Scope, scope),
            ("pseudonyms", Type::PseudonymScope, pseudonyms),
        ] {
            if let Some(id) = id {
                pairs.push((key.to_owned(), uid(kind, id)?));
            }
        }
        Context::from_pairs(pairs).map_err(CedarFault::new)
    }

    fn no_permit(&self) -> Denial {
        let roles: Vec<_> = self.principal.roles.iter().map(String::as_str).collect();
        let roles = if roles.is_empty() { "none".to_owned() } else { roles.join(", ") };
        let needs = self.ground.rules.needs_of_permits(&self.asker).join("; or ");
        Denial {
            rule: RULE_NO_PERMIT.into(),
            sentence: format!("no policy permits that {} (roles: {roles})", self.sentence()),
            needs: if needs.is_empty() { "a role that a policy permits to connect".into() } else { needs },
        }
    }

    fn forbidden(&self, ids: &[String]) -> String {
        let (policies, forbid) = if ids.len() == 1 { ("policy", "forbids") } else { ("policies", "forbid") };
        format!("{policies} `{}` {forbid} that {}", ids.join("` and `"), self.sentence())
    }

    /// "`aoife` connects from IE for purpose `support` and with a ticket".
    fn sentence(&self) -> String {
        let purpose = self
            .ask
            .purpose
            .map_or("without a purpose".to_owned(), |purpose| format!("for purpose `{purpose}`"));
        let ticket = if self.ask.ticket.is_some() { "with a ticket" } else { "without a ticket" };
        let place = match &self.ask.place {
            Place::Country(country) => country.as_str(),
            Place::Unknown => "an unknown place",
        };
        format!("`{}` connects from {place} {purpose} and {ticket}", self.principal.name)
    }
}

impl<'a> Seen<'a> {
    fn of(action: Action, what: What<'a>, (scope, pseudonyms): Reading<'a>, sight: Sight) -> Self {
        let (table, class, identifier) = match what {
            What::Enclave => (None, None, None),
            What::Table(table) => (Some(table), None, None),
            What::Group(group) => (Some(group.table.as_str()), Some(group.class), Some(group.identifier)),
        };
        Self {
            action,
            table: table.filter(|_| sight.table),
            class: class.filter(|_| sight.class),
            identifier: identifier.filter(|_| sight.identifier),
            scope: scope.filter(|_| sight.scope),
            pseudonyms,
        }
    }
}

/// The columns behind the groups. No policy can permit to write a row's home, which is the site's own, or to change
/// its key or its subject: the row would become another's.
fn writes(table: &Table, answer: &TableAnswer) -> Writes {
    let columns = |permitted: fn(&GroupAnswer) -> bool, never: &[&String]| {
        let columns = table.columns.iter().map(|column| &column.name).filter(|name| !never.contains(name));
        columns.filter(|name| answer.group(name).is_some_and(permitted)).cloned().collect()
    };
    Writes {
        delete: answer.delete.is_some(),
        insert: columns(|group| group.insert.is_some(), &[&table.home]),
        update: columns(|group| group.update.is_some(), &[&table.home, &table.key, &table.subject_key]),
    }
}

pub(crate) fn fault_denial(fault: &CedarFault) -> Denial {
    Denial {
        rule: RULE_POLICY_FAULT.into(),
        sentence: format!("the request could not be decided: {fault}"),
        needs: "a corrected policy bundle".into(),
    }
}

#[cfg(test)]
mod tests;
