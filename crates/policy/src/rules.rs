//! The policies: parsed, named by their `@id`, validated strictly against the schema, sliced for whoever asks (`slices`). Not here:
//! what they are asked (`decide`).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use cedar_policy::{
    ActionConstraint, Effect, Policy, PolicyId, PolicySet, PrincipalConstraint, Schema, ValidationError,
    ValidationMode, Validator,
};
use miette::Diagnostic;

use crate::error::{ConfigError, Problems};
use crate::names::NameKind;
use crate::permit::RULES;
use crate::slices::{Asker, Sliceable, Slices};
use crate::world::{CedarFault, World};

const SCHEMA: &str = include_str!("policy.cedarschema");
/// Longest `@needs`, in bytes: it ends up in error messages.
pub const NEEDS_BYTES_MAX: usize = 200;

/// What a policy is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Action {
    Connect,
    Rows,
    Clear,
    Masked,
    Pseudonym,
    Insert,
    Update,
    Delete,
}

impl Action {
    pub(crate) const ALL: [Self; 8] = [
        Self::Connect,
        Self::Rows,
        Self::Clear,
        Self::Masked,
        Self::Pseudonym,
        Self::Insert,
        Self::Update,
        Self::Delete,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Rows => "rows",
            Self::Clear => "clear",
            Self::Masked => "masked",
            Self::Pseudonym => "pseudonym",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// All policies of a bundle.
pub(crate) struct Rules {
    pub(crate) schema: Schema,
    slices: Sliceable,
    needs: BTreeMap<String, String>,
    permits: Vec<PermitScope>,
}

/// For whom a permit to connect is, so that a refusal can say what would have been needed.
struct PermitScope {
    principal: PrincipalConstraint,
    needs: String,
}

/// A policy of a file, with where it stands.
pub(crate) struct Placed<'a> {
    path: &'a str,
    text: &'a str,
    span: Range<usize>,
    policy: Policy,
}

pub(crate) fn schema() -> Result<Schema, CedarFault> {
    Schema::from_cedarschema_str(SCHEMA).map(|(schema, _)| schema).map_err(CedarFault::new)
}

/// Every policy of the bundle by its `@id`: syntax and annotations are checked, nothing else yet.
pub(crate) fn parse<'a>(
    texts: &BTreeMap<&'a str, &'a str>,
    errors: &mut Vec<ConfigError>,
) -> BTreeMap<String, Placed<'a>> {
    let mut policies: BTreeMap<String, Placed<'a>> = BTreeMap::new();
    for (path, text) in texts.iter().filter(|(path, _)| path.starts_with("policy/")) {
        let mut found = Problems::new(path, text);
        for (span, policy) in parse_file(text, &mut found) {
            let Some((id, policy)) = name_policy(&policy, &span, &mut found) else { continue };
            match policies.get(&id) {
                Some(other) => {
                    let problem = format!("a policy of {} has this @id already", other.path);
                    found.at(span, &id, problem, "give each policy its own");
                }
                None => {
                    policies.insert(id, Placed { path, text, span, policy });
                }
            }
        }
        errors.append(&mut found.into_found());
    }
    policies
}

impl Rules {
    /// Checks every policy against the schema and the names of the bundle.
    pub(crate) fn check(
        placed: BTreeMap<String, Placed<'_>>,
        schema: Schema,
        world: &World,
    ) -> Result<Self, Vec<ConfigError>> {
        let mut errors = Vec::new();
        for (id, placed) in &placed {
            let mut found = Problems::new(placed.path, placed.text);
            check_policy(id, placed, &schema, world, &mut found);
            errors.append(&mut found.into_found());
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let policies = placed.into_iter().map(|(id, placed)| (id, placed.policy)).collect();
        Self::slice(policies, schema, world).map_err(|fault| vec![fault.into_error("policy")])
    }

    fn slice(policies: BTreeMap<String, Policy>, schema: Schema, world: &World) -> Result<Self, CedarFault> {
        let slices = Sliceable::new(policies.values().cloned(), world)?;
        let mut rules = Self { schema, slices, needs: BTreeMap::new(), permits: Vec::new() };
        let connect = world.uid(crate::world::Type::Action, Action::Connect.as_str())?;
        for (id, policy) in policies {
            let needs = policy.annotation("needs").unwrap_or_default().to_owned();
            let connects = match policy.action_constraint() {
                ActionConstraint::Any => true,
                ActionConstraint::In(some) => some.contains(&connect),
                ActionConstraint::Eq(one) => one == connect,
            };
            if connects && policy.effect() == Effect::Permit {
                rules
                    .permits
                    .push(PermitScope { principal: policy.principal_constraint(), needs: needs.clone() });
            }
            rules.needs.insert(id, needs);
        }
        Ok(rules)
    }

    /// The policies that can decide what somebody asks.
    pub(crate) fn of(&self, asker: &Asker) -> Result<Arc<Slices>, CedarFault> {
        self.slices.of(asker)
    }

    /// What the policy with this id says would be needed.
    pub(crate) fn needs(&self, id: &str) -> &str {
        self.needs.get(id).map_or("", String::as_str)
    }

    #[cfg(test)]
    pub(crate) fn everything(&self) -> cedar_policy::PolicySet {
        self.slices.everything()
    }

    /// What the permits to connect need of somebody whom their scope does not exclude.
    pub(crate) fn needs_of_permits(&self, asker: &Asker) -> Vec<&str> {
        let open = self.permits.iter().filter(|permit| asker.is_covered(&permit.principal));
        let mut needs: Vec<_> = open.map(|permit| permit.needs.as_str()).collect();
        needs.sort_unstable();
        needs.dedup();
        needs
    }
}

fn parse_file(text: &str, found: &mut Problems<'_>) -> Vec<(Range<usize>, Policy)> {
    let set = match PolicySet::from_str(text) {
        Ok(set) => set,
        Err(errors) => {
            for error in errors.iter() {
                let label = error.labels().and_then(|mut labels| labels.next());
                let offset = label.map_or(0, |label| label.offset());
                found.at(offset..offset, "", error.to_string(), "correct the policy's syntax");
            }
            return Vec::new();
        }
    };
    for template in set.templates() {
        let span = span_of(text, &template.to_cedar());
        let remedy = "write a principal and a resource instead of the slots";
        found.at(span, "", "a template is no policy".into(), remedy);
    }
    let mut policies: Vec<_> = set
        .policies()
        .map(|policy| (span_of(text, &policy.to_cedar().unwrap_or_default()), policy.clone()))
        .collect();
    policies.sort_by_key(|(span, _)| span.start);
    policies
}

/// The `@id` becomes the policy's id; a policy without `@id` or `@needs` is refused.
fn name_policy(policy: &Policy, span: &Range<usize>, found: &mut Problems<'_>) -> Option<(String, Policy)> {
    let Some(id) = policy.annotation("id") else {
        let remedy = "give it one, such as @id(\"support-in-region\"): refusals name it";
        found.at(span.clone(), "@id", "a policy has no @id".into(), remedy);
        return None;
    };
    if !NameKind::Name.accepts(id) {
        let problem = format!("`{}` cannot be used as an @id", id.escape_debug());
        found.at(span.clone(), "@id", problem, NameKind::Name.remedy());
    }
    if RULES.contains(&id) {
        let problem = "this @id is the name of a rule that is built in".to_owned();
        found.at(span.clone(), id, problem, "call the policy something else");
    }
    let needs = policy.annotation("needs").unwrap_or_default();
    if needs.is_empty() || needs.len() > NEEDS_BYTES_MAX || needs.chars().any(char::is_control) {
        let remedy = format!("say in 1 to {NEEDS_BYTES_MAX} bytes what whoever is refused would need");
        found.at(span.clone(), id, "the policy has no usable @needs".into(), remedy);
    }
    Some((id.to_owned(), policy.new_id(PolicyId::new(id))))
}

fn check_policy(id: &str, placed: &Placed<'_>, schema: &Schema, world: &World, found: &mut Problems<'_>) {
    let Placed { policy, span, .. } = placed;
    // Cedar reports in no particular order; people and tests compare.
    let dangling: BTreeSet<_> = policy
        .entity_literals()
        .iter()
        .filter_map(|literal| Some((format!("there is no {literal}"), world.dangling(literal)?)))
        .collect();
    let known = dangling.is_empty();
    for (problem, remedy) in dangling {
        found.at(span.clone(), id, problem, remedy);
    }
    if policy.effect() == Effect::Permit && policy.action_constraint() == ActionConstraint::Any {
        let remedy = "name the actions that it permits: action == Action::\"...\"";
        found.at(span.clone(), id, "it permits every action".into(), remedy);
    }
    let mut alone = PolicySet::new();
    if let Err(error) = alone.add(policy.clone()) {
        return found.at(span.clone(), id, error.to_string(), "correct the policy");
    }
    let result = Validator::new(schema.clone()).validate(&alone, ValidationMode::Strict);
    let help = |error: &ValidationError| {
        error.help().map_or("correct it against the schema".to_owned(), |help| help.to_string())
    };
    let errors: BTreeSet<_> =
        result.validation_errors().map(|error| (error.to_string(), help(error))).collect();
    // What is impossible because of something wrong above needs no second word.
    let warnings = result.validation_warnings().filter(|_| known && errors.is_empty());
    let warnings: BTreeSet<_> = warnings.map(ToString::to_string).collect();
    for (problem, remedy) in errors {
        found.at(span.clone(), id, problem, remedy);
    }
    for problem in warnings {
        found.at(span.clone(), id, problem, "correct it: it cannot do what it says");
    }
}

fn span_of(text: &str, part: &str) -> Range<usize> {
    let start = text.find(part).unwrap_or(0);
    start..start + part.len()
}
