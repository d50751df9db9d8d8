//! The policies: parsed, named by their `@id`, validated strictly against the schema, sliced by action. Not here: what
//! they are asked (`decide`).

use std::collections::BTreeMap;
use std::ops::Range;
use std::str::FromStr;

use cedar_policy::{
    ActionConstraint, Effect, Policy, PolicyId, PolicySet, PrincipalConstraint, Schema, ValidationMode,
    Validator,
};
use miette::Diagnostic;

use crate::error::{ConfigError, Problems};
use crate::names::NameKind;
use crate::world::{CedarFault, World};

const SCHEMA: &str = include_str!("policy.cedarschema");
/// Longest `@needs`, in bytes: it ends up in error messages.
pub const NEEDS_BYTES_MAX: usize = 200;

/// What a policy is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Action {
    Connect,
    Rows,
    Clear,
    Masked,
    Pseudonym,
}

impl Action {
    pub(crate) const ALL: [Self; 5] = [Self::Connect, Self::Rows, Self::Clear, Self::Masked, Self::Pseudonym];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Rows => "rows",
            Self::Clear => "clear",
            Self::Masked => "masked",
            Self::Pseudonym => "pseudonym",
        }
    }
}

/// All policies of a bundle.
pub(crate) struct Rules {
    pub(crate) schema: Schema,
    slices: BTreeMap<Action, PolicySet>,
    needs: BTreeMap<String, String>,
    permits: Vec<PermitScope>,
}

/// For whom and for what a permit is, so that a refusal can say what would have been needed.
struct PermitScope {
    action: Action,
    principal: PrincipalConstraint,
    needs: String,
}

/// A policy of a file, with where it stands.
struct Placed {
    policy: Policy,
    span: Range<usize>,
}

pub(crate) fn schema() -> Result<Schema, CedarFault> {
    Schema::from_cedarschema_str(SCHEMA).map(|(schema, _)| schema).map_err(CedarFault::new)
}

impl Rules {
    /// Reads every policy file (`path`, text).
    pub(crate) fn read(
        files: &[(&str, &str)],
        schema: Schema,
        world: &World,
    ) -> Result<Self, Vec<ConfigError>> {
        let mut errors = Vec::new();
        let mut policies = BTreeMap::new();
        for (path, text) in files {
            let mut found = Problems::new(path, text);
            for (id, placed) in read_file(text, &mut found) {
                if policies.contains_key(&id) {
                    found.at(placed.span, &id, "another policy has this @id".into(), "give each its own");
                } else {
                    check_policy(&id, &placed, &schema, world, &mut found);
                    policies.insert(id, placed.policy);
                }
            }
            errors.append(&mut found.into_found());
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Self::slice(policies, schema, world).map_err(|fault| {
            let remedy = "correct the policies".to_owned();
            vec![ConfigError { file: "policy".into(), line: None, key: None, problem: fault.0, remedy }]
        })
    }

    fn slice(policies: BTreeMap<String, Policy>, schema: Schema, world: &World) -> Result<Self, CedarFault> {
        let mut rules = Self { schema, slices: BTreeMap::new(), needs: BTreeMap::new(), permits: Vec::new() };
        for action in Action::ALL {
            let uid = world.uid(crate::world::Type::Action, action.as_str())?;
            let mut slice = PolicySet::new();
            for policy in policies.values() {
                let applies = match policy.action_constraint() {
                    ActionConstraint::Any => true,
                    ActionConstraint::In(some) => some.contains(&uid),
                    ActionConstraint::Eq(one) => one == uid,
                };
                if !applies {
                    continue;
                }
                slice.add(policy.clone()).map_err(CedarFault::new)?;
                if policy.effect() == Effect::Permit {
                    let needs = policy.annotation("needs").unwrap_or_default().to_owned();
                    rules.permits.push(PermitScope {
                        action,
                        principal: policy.principal_constraint(),
                        needs,
                    });
                }
            }
            rules.slices.insert(action, slice);
        }
        for (id, policy) in policies {
            rules.needs.insert(id, policy.annotation("needs").unwrap_or_default().to_owned());
        }
        Ok(rules)
    }

    /// The policies that can decide this action.
    pub(crate) fn of(&self, action: Action) -> Result<&PolicySet, CedarFault> {
        self.slices.get(&action).ok_or_else(|| CedarFault::new("an action has no policies"))
    }

    /// What the policy with this id says would be needed.
    pub(crate) fn needs(&self, id: &str) -> &str {
        self.needs.get(id).map_or("", String::as_str)
    }

    /// What the permits for this action need of a principal whom their scope does not exclude.
    pub(crate) fn needs_of_permits(
        &self,
        action: Action,
        is: impl Fn(&PrincipalConstraint) -> bool,
    ) -> Vec<&str> {
        let open = self.permits.iter().filter(|permit| permit.action == action && is(&permit.principal));
        let mut needs: Vec<_> = open.map(|permit| permit.needs.as_str()).collect();
        needs.sort_unstable();
        needs.dedup();
        needs
    }
}

fn read_file(text: &str, found: &mut Problems<'_>) -> Vec<(String, Placed)> {
    let set = match PolicySet::from_str(text) {
        Ok(set) => set,
        Err(errors) => {
            for error in errors.iter() {
                let offset = error.labels().and_then(|mut labels| labels.next()).map_or(0, |l| l.offset());
                let problem = error.to_string();
                found.at(offset..offset, "", problem, "correct the policy's syntax (docs.cedarpolicy.com)");
            }
            return Vec::new();
        }
    };
    for template in set.templates() {
        let span = span_of(text, &template.to_cedar());
        found.at(
            span,
            "",
            "a template is no policy".into(),
            "write the principal and resource instead of slots",
        );
    }
    let mut placed: Vec<_> = set
        .policies()
        .map(|policy| Placed {
            span: span_of(text, &policy.to_cedar().unwrap_or_default()),
            policy: policy.clone(),
        })
        .collect();
    placed.sort_by_key(|placed| placed.span.start);
    placed.into_iter().filter_map(|placed| name_policy(placed, found)).collect()
}

/// The `@id` becomes the policy's id; a policy without `@id` or `@needs` is refused.
fn name_policy(placed: Placed, found: &mut Problems<'_>) -> Option<(String, Placed)> {
    let Some(id) = placed.policy.annotation("id").map(str::to_owned) else {
        let remedy = "give it one, such as @id(\"support-in-region\"): refusals name it";
        found.at(placed.span, "@id", "a policy has no @id".into(), remedy);
        return None;
    };
    if !NameKind::Name.accepts(&id) {
        let problem = format!("`{}` cannot be used as an @id", id.escape_debug());
        found.at(placed.span.clone(), "@id", problem, NameKind::Name.remedy());
    }
    let needs = placed.policy.annotation("needs").unwrap_or_default();
    if needs.is_empty() || needs.len() > NEEDS_BYTES_MAX || needs.chars().any(char::is_control) {
        let remedy = format!("say in 1 to {NEEDS_BYTES_MAX} bytes what whoever is refused would need");
        found.at(placed.span.clone(), &id, "the policy has no usable @needs".into(), remedy);
    }
    let policy = placed.policy.new_id(PolicyId::new(&id));
    Some((id, Placed { policy, span: placed.span }))
}

fn check_policy(id: &str, placed: &Placed, schema: &Schema, world: &World, found: &mut Problems<'_>) {
    let Placed { policy, span } = placed;
    for literal in policy.entity_literals() {
        if let Some(remedy) = world.dangling(&literal) {
            found.at(span.clone(), id, format!("there is no `{literal}`"), remedy);
        }
    }
    if policy.effect() == Effect::Permit && policy.action_constraint() == ActionConstraint::Any {
        let remedy = "name the actions that it permits: action == Action::\"…\"";
        found.at(span.clone(), id, "it permits every action".into(), remedy);
    }
    let mut alone = PolicySet::new();
    if let Err(error) = alone.add(policy.clone()) {
        return found.at(span.clone(), id, error.to_string(), "correct the policy");
    }
    let result = Validator::new(schema.clone()).validate(&alone, ValidationMode::Strict);
    let errors = result.validation_errors().map(|error| (error.to_string(), error.help()));
    let errors: Vec<_> = errors.map(|(text, help)| (text, help.map(|help| help.to_string()))).collect();
    for (text, help) in errors {
        found.at(span.clone(), id, text, help.unwrap_or_else(|| "correct it against the schema".to_owned()));
    }
    for warning in result.validation_warnings() {
        found.at(span.clone(), id, warning.to_string(), "remove or correct it: it cannot do what it says");
    }
}

fn span_of(text: &str, part: &str) -> Range<usize> {
    let start = text.find(part).unwrap_or(0);
    start..start + part.len()
}
