//! The policies that can decide an action for somebody: those whose scope takes them in, and what of a request these look
//! at. Requests that differ in nothing that is looked at have one answer, so that Cedar is asked once. Not here: what is
//! asked (`decide`), what the policies are (`rules`).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use cedar_policy::{ActionConstraint, Effect, EntityUid, Policy, PolicySet, PrincipalConstraint};
use serde_json::Value;

use crate::rules::Action;
use crate::world::{CedarFault, Type, World};

/// Most kinds of principals whose slices are remembered; then all are forgotten and made again.
const REMEMBERED_MAX: usize = 256;

/// The policies that can decide one action.
#[derive(Debug)]
pub(crate) struct Slice {
    pub(crate) policies: PolicySet,
    /// Whether one of them permits.
    pub(crate) permits: bool,
    pub(crate) sight: Sight,
}

/// What of a resource and of a row scope policies look at. Everything else of a request is the same as long as one
/// principal's request is decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sight {
    pub(crate) table: bool,
    pub(crate) class: bool,
    pub(crate) identifier: bool,
    pub(crate) scope: bool,
}

/// Slices by action.
pub(crate) type Slices = BTreeMap<Action, Slice>;

/// Whoever asks: everything that a policy's scope can name.
pub(crate) struct Asker {
    pub(crate) me: EntityUid,
    pub(crate) roles: Vec<EntityUid>,
}

impl Asker {
    /// Whether a policy's principal scope takes them in.
    pub(crate) fn is_covered(&self, scope: &PrincipalConstraint) -> bool {
        let within = |group: &EntityUid| *group == self.me || self.roles.contains(group);
        match scope {
            PrincipalConstraint::Any => true,
            PrincipalConstraint::Eq(one) => *one == self.me,
            PrincipalConstraint::Is(kind) => kind == self.me.type_name(),
            PrincipalConstraint::In(group) => within(group),
            PrincipalConstraint::IsIn(kind, group) => kind == self.me.type_name() && within(group),
        }
    }
}

/// All policies, each with what does not change from principal to principal.
pub(crate) struct Sliceable {
    policies: Vec<One>,
    /// By which of the policies take a principal in.
    remembered: Mutex<HashMap<Vec<bool>, Arc<Slices>>>,
}

struct One {
    policy: Policy,
    principal: PrincipalConstraint,
    actions: Vec<Action>,
    sight: Sight,
}

impl Sliceable {
    pub(crate) fn new(policies: impl Iterator<Item = Policy>, world: &World) -> Result<Self, CedarFault> {
        let mut all = Vec::new();
        for policy in policies {
            let mut actions = Vec::new();
            for action in Action::ALL {
                let uid = world.uid(Type::Action, action.as_str())?;
                let applies = match policy.action_constraint() {
                    ActionConstraint::Any => true,
                    ActionConstraint::In(some) => some.contains(&uid),
                    ActionConstraint::Eq(one) => one == uid,
                };
                actions.extend(applies.then_some(action));
            }
            let (principal, sight) = (policy.principal_constraint(), Sight::of(&policy));
            all.push(One { policy, principal, actions, sight });
        }
        Ok(Self { policies: all, remembered: Mutex::default() })
    }

    /// The slices of whoever asks. A policy whose principal scope does not take them in cannot match, nor can it fail.
    pub(crate) fn of(&self, asker: &Asker) -> Result<Arc<Slices>, CedarFault> {
        let covered: Vec<bool> = self.policies.iter().map(|one| asker.is_covered(&one.principal)).collect();
        let before = self.remembered.lock().ok().and_then(|known| known.get(&covered).cloned());
        if let Some(slices) = before {
            return Ok(slices);
        }
        let slices = Arc::new(self.slice(&covered)?);
        if let Ok(mut known) = self.remembered.lock() {
            if known.len() >= REMEMBERED_MAX {
                known.clear();
            }
            known.insert(covered, slices.clone());
        }
        Ok(slices)
    }

    /// Every policy, for everybody and everything.
    #[cfg(test)]
    pub(crate) fn everything(&self) -> PolicySet {
        PolicySet::from_policies(self.policies.iter().map(|one| one.policy.clone())).unwrap_or_default()
    }

    fn slice(&self, covered: &[bool]) -> Result<Slices, CedarFault> {
        let mut slices = Slices::new();
        for action in Action::ALL {
            let mut slice = Slice { policies: PolicySet::new(), permits: false, sight: Sight::default() };
            for (one, is_covered) in self.policies.iter().zip(covered) {
                if *is_covered && one.actions.contains(&action) {
                    slice.policies.add(one.policy.clone()).map_err(CedarFault::new)?;
                    slice.permits |= one.policy.effect() == Effect::Permit;
                    slice.sight.add(one.sight);
                }
            }
            slices.insert(action, slice);
        }
        Ok(slices)
    }
}

impl Sight {
    const EVERYTHING: Self = Self { table: true, class: true, identifier: true, scope: true };

    /// What a policy looks at, by its syntax tree; all of what is used in any way but by the name of an attribute.
    fn of(policy: &Policy) -> Self {
        let Ok(tree) = policy.to_json() else { return Self::EVERYTHING };
        let mut sight = Self::default();
        let resource = tree.get("resource");
        let op = resource.and_then(|scope| scope.get("op")).and_then(Value::as_str);
        let within = resource.and_then(|scope| scope.get("in")).is_some();
        match op {
            // One action has resources of one type.
            Some("All" | "is") if !within => {}
            _ => sight.add(Self::of_whole("resource")),
        }
        match tree.get("conditions") {
            Some(conditions) => sight.look(conditions),
            None => sight = Self::EVERYTHING,
        }
        sight
    }

    fn of_whole(variable: &str) -> Self {
        match variable {
            "resource" => Self { scope: false, ..Self::EVERYTHING },
            "context" => Self { scope: true, ..Self::default() },
            "principal" | "action" => Self::default(),
            _ => Self::EVERYTHING,
        }
    }

    fn of_attribute(variable: &str, attribute: &str) -> Self {
        match (variable, attribute) {
            ("resource", "table") => Self { table: true, ..Self::default() },
            ("resource", "class") => Self { class: true, ..Self::default() },
            ("resource", "identifier") => Self { identifier: true, ..Self::default() },
            ("context", "place" | "purpose" | "ticket" | "pseudonyms") => Self::default(),
            _ => Self::of_whole(variable),
        }
    }

    fn add(&mut self, other: Self) {
        self.table |= other.table;
        self.class |= other.class;
        self.identifier |= other.identifier;
        self.scope |= other.scope;
    }

    fn look(&mut self, tree: &Value) {
        match tree {
            Value::Object(fields) => {
                for (key, value) in fields {
                    match (
                        key.as_str(),
                        variable(value.get("left")),
                        value.get("attr").and_then(Value::as_str),
                    ) {
                        ("." | "has", Some(name), Some(attribute)) => {
                            self.add(Self::of_attribute(name, attribute))
                        }
                        ("Var", ..) => self.add(value.as_str().map_or(Self::EVERYTHING, Self::of_whole)),
                        _ => self.look(value),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.look(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

fn variable(tree: Option<&Value>) -> Option<&str> {
    tree?.get("Var")?.as_str()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;

    #[test]
    fn what_policies_look_at() {
        let check = |conditions: &str, expected: Sight| {
            let policy: Policy = conditions.parse().unwrap();
            assert_eq!(Sight::of(&policy), expected, "{conditions}");
        };
        let none = Sight::default();
        let whole = Sight { scope: false, ..Sight::EVERYTHING };
        let all = "permit (principal, action, resource)";
        check(&format!("{all};"), none);
        check("permit (principal is Person, action, resource is Column);", none);
        check("permit (principal, action, resource == Table::\"users\");", whole);
        check("permit (principal, action, resource is Column in Table::\"users\");", whole);
        check(
            &format!("{all} when {{ resource.class == Class::\"public\" }};"),
            Sight { class: true, ..none },
        );
        check(&format!("{all} when {{ context.place.known }};"), none);
        check(&format!("{all} unless {{ context.scope == Scope::\"all\" }};"), Sight { scope: true, ..none });
        check(&format!("{all} when {{ context has scope }};"), Sight { scope: true, ..none });
        check(&format!("{all} when {{ context has place.known }};"), Sight { scope: true, ..none });
        check(
            &format!("{all} when {{ resource.table == Table::\"a\" || resource has identifier }};"),
            Sight { table: true, identifier: true, ..none },
        );
        check(&format!("{all} unless {{ [Table::\"a\"].contains(resource) }};"), whole);
        check(&format!("{all} when {{ resource in [Table::\"a\"] }};"), whole);
        check(&format!("{all} when {{ if resource == context then true else false }};"), Sight::EVERYTHING);
        check(
            &format!("{all} when {{ resource[\"class\"] == Class::\"a\" }};"),
            Sight { class: true, ..none },
        );
        check(&format!("{all} when {{ {{\"a\": resource}} == {{\"a\": 1}} }};"), whole);
        check(&format!("{all} when {{ resource.other }};"), whole);
    }
}
