//! Asks Cedar, in a fixed order: connect; then per table the widest row scope; then per column group the most open
//! disclosure, and what may be written. Not here: which profile the answer is (`bundle`), what the policies are (`rules`).

use cedar_policy::{
    Authorizer, Context, Decision, EntityUid, PrincipalConstraint, Request, RestrictedExpression,
};

use crate::catalog::{Catalog, Column, Scope, Table};
use crate::directory::Principal;
use crate::enclave::Enclave;
use crate::names::Place;
use crate::permit::{Ask, Denial, GroupAnswer, RULE_NO_PERMIT, RULE_POLICY_FAULT, TableAnswer};
use crate::profile::{Disclosed, Disclosure, ProfileColumn, ProfileTable, Writes};
use crate::rules::{Action, Rules};
use crate::world::{CedarFault, ColumnGroup, Type, World};

/// Everything that a decision is made from, borrowed from the bundle, and who asks.
pub(crate) struct Asking<'a> {
    pub(crate) enclave: &'a Enclave,
    pub(crate) catalog: &'a Catalog,
    pub(crate) rules: &'a Rules,
    pub(crate) world: &'a World,
    pub(crate) principal: &'a Principal,
    pub(crate) ask: &'a Ask<'a>,
}

/// What Cedar says about one action.
#[derive(Debug, Clone, PartialEq, Eq)]
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

impl Asking<'_> {
    /// Whether a session may be opened at all, and the policy that permits it.
    pub(crate) fn connect(&self) -> Result<String, Denial> {
        let answer = self.connect_answer().map_err(|fault| fault_denial(&fault))?;
        match answer {
            Answer::Permitted(_) => Ok(answer.rule().to_owned()),
            Answer::Refused(ids) => match ids.first() {
                Some(first) => Err(Denial {
                    rule: first.clone(),
                    sentence: self.forbidden(&ids),
                    needs: ids.iter().map(|id| self.rules.needs(id)).collect::<Vec<_>>().join("; and "),
                }),
                None => Err(self.no_permit()),
            },
        }
    }

    /// What may be seen and written by whoever may connect.
    pub(crate) fn disclosed(&self) -> Result<Disclosed, Denial> {
        let (answers, pseudonym_scope) = self.answers().map_err(|fault| fault_denial(&fault))?;
        let mut tables = Vec::new();
        for (table, answer) in self.catalog.tables.iter().zip(&answers) {
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
        for table in &self.catalog.tables {
            answers.push(self.of_table(table)?);
        }
        let pseudonyms = self.pseudonymise(&mut answers)?;
        Ok((answers, pseudonyms))
    }

    /// The answer for a table, pseudonyms not yet looked at.
    fn of_table(&self, table: &Table) -> Result<TableAnswer, CedarFault> {
        let (scope, rule) = self.widest(table)?;
        let context = self.context(scope, None)?;
        let mut groups = Vec::new();
        for group in self.world.groups.iter().filter(|group| group.table == table.name) {
            let resource = self.world.group(group)?;
            let (mut disclosure, mut rule) = (None, RULE_NO_PERMIT.to_owned());
            let (mut insert, mut update) = (None, None);
            if scope.is_some() {
                (disclosure, rule) = self.open(&resource, &context)?;
                insert = self.permit(Action::Insert, &resource, &context)?;
                update = self.permit(Action::Update, &resource, &context)?;
            }
            let alike =
                |column: &&Column| column.class == group.class && column.identifier == group.identifier;
            let columns = table.columns.iter().filter(alike).map(|column| column.name.clone()).collect();
            let (class, identifier) = (group.class, group.identifier);
            groups.push(GroupAnswer { class, identifier, columns, disclosure, rule, insert, update });
        }
        let delete = match scope {
            Some(_) => self.permit(Action::Delete, &self.world.uid(Type::Table, &table.name)?, &context)?,
            None => None,
        };
        Ok(TableAnswer { table: table.name.clone(), scope: scope.map(str::to_owned), rule, groups, delete })
    }

    /// The widest row scope, and the policy that permits it; without one, what stands against all rows.
    fn widest<'t>(&self, table: &'t Table) -> Result<(Option<&'t str>, String), CedarFault> {
        let resource = self.world.uid(Type::Table, &table.name)?;
        let mut against = None;
        for scope in &table.scopes {
            let context = self.context(Some(&scope.name), None)?;
            let answer = self.answer(Action::Rows, resource.clone(), context)?;
            if answer.permits() {
                return Ok((Some(&scope.name), answer.rule().to_owned()));
            }
            against.get_or_insert_with(|| answer.rule().to_owned());
        }
        Ok((None, against.unwrap_or_else(|| RULE_NO_PERMIT.to_owned())))
    }

    /// Clear, masked or withheld: pseudonyms are looked at when all other disclosures are known.
    fn open(
        &self,
        resource: &EntityUid,
        context: &Context,
    ) -> Result<(Option<Disclosure>, String), CedarFault> {
        let clear = self.answer(Action::Clear, resource.clone(), context.clone())?;
        if clear.permits() {
            return Ok((Some(Disclosure::Clear), clear.rule().to_owned()));
        }
        Ok(match self.permit(Action::Masked, resource, context)? {
            Some(rule) => (Some(Disclosure::Masked), rule),
            None => (None, clear.rule().to_owned()),
        })
    }

    /// The policy that permits it, if one does.
    fn permit(
        &self,
        action: Action,
        resource: &EntityUid,
        context: &Context,
    ) -> Result<Option<String>, CedarFault> {
        // Most principals are in the scope of no permit to write, and of few others: Cedar is not asked then.
        if !self.rules.may_permit(action, |scope| self.covers(scope)) {
            return Ok(None);
        }
        let answer = self.answer(action, resource.clone(), context.clone())?;
        Ok(answer.permits().then(|| answer.rule().to_owned()))
    }

    /// The first pseudonym scope that is permitted for any withheld group is the profile's only one.
    fn pseudonymise(&self, answers: &mut [TableAnswer]) -> Result<Option<String>, CedarFault> {
        for pseudonyms in &self.catalog.pseudonym_scopes {
            let mut used = false;
            for TableAnswer { table, scope, groups, .. } in answers.iter_mut() {
                if scope.is_none() {
                    continue;
                }
                for group in groups.iter_mut().filter(|group| group.disclosure.is_none()) {
                    let (table, class, identifier) = (table.clone(), group.class, group.identifier);
                    let resource = self.world.group(&ColumnGroup { table, class, identifier })?;
                    let context = self.context(scope.as_deref(), Some(pseudonyms))?;
                    if let Some(rule) = self.permit(Action::Pseudonym, &resource, &context)? {
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

    fn connect_answer(&self) -> Result<Answer, CedarFault> {
        let resource = self.world.uid(Type::Enclave, &self.enclave.name)?;
        self.answer(Action::Connect, resource, self.context(None, None)?)
    }

    /// Request and entities are checked against the schema: what was proved of the policies holds for no others.
    fn answer(&self, action: Action, resource: EntityUid, context: Context) -> Result<Answer, CedarFault> {
        let principal = self.world.principal(self.principal)?;
        let action_uid = self.world.uid(Type::Action, action.as_str())?;
        let schema = Some(&self.rules.schema);
        let request =
            Request::new(principal, action_uid, resource, context, schema).map_err(CedarFault::new)?;
        let policies = self.rules.of(action)?;
        let response = Authorizer::new().is_authorized(&request, policies, &self.world.entities);
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

    fn context(&self, scope: Option<&str>, pseudonyms: Option<&str>) -> Result<Context, CedarFault> {
        let uid = |kind, id: &str| self.world.uid(kind, id).map(RestrictedExpression::new_entity_uid);
        let (known, in_region) = match self.ask.place {
            Place::Country(country) => (true, self.enclave.region.contains(&country)),
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
        let needs = self.rules.needs_of_permits(Action::Connect, |scope| self.covers(scope)).join("; or ");
        Denial {
            rule: RULE_NO_PERMIT.into(),
            sentence: format!("no policy permits that {} (roles: {roles})", self.sentence()),
            needs: if needs.is_empty() { "a role that a policy permits to connect".into() } else { needs },
        }
    }

    /// Whether a permit's principal scope takes in whoever asks.
    fn covers(&self, scope: &PrincipalConstraint) -> bool {
        let Ok(me) = self.world.principal(self.principal) else { return false };
        let within = |group: &EntityUid| {
            let mut roles = self.principal.roles.iter();
            *group == me
                || roles.any(|role| self.world.uid(Type::Role, role).is_ok_and(|role| role == *group))
        };
        match scope {
            PrincipalConstraint::Any => true,
            PrincipalConstraint::Eq(one) => *one == me,
            PrincipalConstraint::Is(kind) => kind == me.type_name(),
            PrincipalConstraint::In(group) => within(group),
            PrincipalConstraint::IsIn(kind, group) => kind == me.type_name() && within(group),
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
