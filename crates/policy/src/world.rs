//! The bundle as Cedar sees it: entity types, and one entity for each principal and column group. Built once per
//! bundle; a request adds only its context. Not here: policies (`rules`), the order of questions (`decide`).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::str::FromStr;

use cedar_policy::{Entities, Entity, EntityId, EntityTypeName, EntityUid, RestrictedExpression, Schema};

use crate::catalog::{Catalog, Class, Identifier};
use crate::directory::{Directory, Principal, PrincipalKind};
use crate::enclave::Enclave;
use crate::error::ConfigError;
use crate::names::{Country, Place};
use crate::slices::Asker;

/// All columns of a table that policy cannot tell apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct ColumnGroup {
    /// Of the catalog.
    pub table: String,
    /// Of each of its columns.
    pub class: Class,
    /// Of each of its columns.
    pub identifier: Identifier,
}

impl ColumnGroup {
    fn id(&self) -> String {
        format!("{}/{}/{}", self.table, self.class, self.identifier)
    }
}

/// An entity type of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Type {
    Action,
    Class,
    Column,
    Country,
    Employer,
    Enclave,
    Identifier,
    Person,
    PseudonymScope,
    Purpose,
    Role,
    Scope,
    Service,
    Table,
}

impl Type {
    const ALL: [Self; 14] = [
        Self::Action,
        Self::Class,
        Self::Column,
        Self::Country,
        Self::Employer,
        Self::Enclave,
        Self::Identifier,
        Self::Person,
        Self::PseudonymScope,
        Self::Purpose,
        Self::Role,
        Self::Scope,
        Self::Service,
        Self::Table,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Action => "Action",
            Self::Class => "Class",
            Self::Column => "Column",
            Self::Country => "Country",
            Self::Employer => "Employer",
            Self::Enclave => "Enclave",
            Self::Identifier => "Identifier",
            Self::Person => "Person",
            Self::PseudonymScope => "PseudonymScope",
            Self::Purpose => "Purpose",
            Self::Role => "Role",
            Self::Scope => "Scope",
            Self::Service => "Service",
            Self::Table => "Table",
        }
    }
}

/// The entities of one bundle.
pub(crate) struct World {
    types: BTreeMap<Type, EntityTypeName>,
    pub(crate) entities: Entities,
    pub(crate) groups: BTreeSet<ColumnGroup>,
    /// What a policy may name, by entity type; other types are closed by the schema.
    known: BTreeMap<Type, BTreeSet<String>>,
}

/// Something that the checks before should have made impossible; shown, never ignored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct CedarFault(pub(crate) String);

impl CedarFault {
    pub(crate) fn new(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }

    pub(crate) fn into_error(self, file: &str) -> ConfigError {
        let remedy = "report this: an earlier check should have found it".to_owned();
        ConfigError { file: file.to_owned(), line: None, key: None, problem: self.0, remedy }
    }
}

impl World {
    pub(crate) fn new(
        schema: &Schema,
        enclave: &Enclave,
        catalog: &Catalog,
        directory: &Directory,
    ) -> Result<Self, CedarFault> {
        let mut types = BTreeMap::new();
        for one in Type::ALL {
            types.insert(one, EntityTypeName::from_str(one.name()).map_err(CedarFault::new)?);
        }
        let groups = catalog
            .tables
            .iter()
            .flat_map(|table| {
                table.columns.iter().map(|column| ColumnGroup {
                    table: table.name.clone(),
                    class: column.class,
                    identifier: column.identifier,
                })
            })
            .collect();
        let known = known(enclave, catalog, directory, &groups);
        let mut world = Self { types, entities: Entities::empty(), groups, known };
        let mut entities = Vec::new();
        for principal in &directory.principals {
            entities.push(world.principal_entity(principal)?);
        }
        for group in &world.groups {
            entities.push(world.group_entity(group)?);
        }
        world.entities = Entities::from_entities(entities, Some(schema)).map_err(CedarFault::new)?;
        Ok(world)
    }

    pub(crate) fn uid(&self, kind: Type, id: &str) -> Result<EntityUid, CedarFault> {
        let name = self.types.get(&kind).ok_or_else(|| CedarFault::new("an entity type is missing"))?;
        Ok(EntityUid::from_type_name_and_id(name.clone(), EntityId::new(id)))
    }

    pub(crate) fn principal(&self, principal: &Principal) -> Result<EntityUid, CedarFault> {
        let kind = match principal.kind {
            PrincipalKind::Person => Type::Person,
            PrincipalKind::Service => Type::Service,
        };
        self.uid(kind, &principal.name)
    }

    /// Somebody, as a policy's scope can name them.
    pub(crate) fn asker(&self, principal: &Principal) -> Result<Asker, CedarFault> {
        let roles: Result<_, _> = principal.roles.iter().map(|role| self.uid(Type::Role, role)).collect();
        Ok(Asker { me: self.principal(principal)?, roles: roles? })
    }

    pub(crate) fn group(&self, group: &ColumnGroup) -> Result<EntityUid, CedarFault> {
        self.uid(Type::Column, &group.id())
    }

    /// A literal of a policy that stands for nothing in this bundle, with what it could have been.
    pub(crate) fn dangling(&self, literal: &EntityUid) -> Option<String> {
        let kind = Type::ALL.into_iter().find(|one| self.types.get(one) == Some(literal.type_name()))?;
        let known = self.known.get(&kind)?;
        if known.contains(literal.id().unescaped()) {
            return None;
        }
        if kind == Type::Country {
            return Some("use an ISO 3166-1 code of two upper-case letters, or \"unknown\"".to_owned());
        }
        let ids: Vec<_> = known.iter().map(String::as_str).collect();
        let ids = if ids.is_empty() { "nothing: none is declared".to_owned() } else { ids.join(", ") };
        Some(format!("use one of the bundle's: {ids}"))
    }

    fn principal_entity(&self, principal: &Principal) -> Result<Entity, CedarFault> {
        let employer = self.uid(Type::Employer, &principal.employer)?;
        let attributes =
            HashMap::from([("employer".to_owned(), RestrictedExpression::new_entity_uid(employer))]);
        let roles: Result<HashSet<_>, _> =
            principal.roles.iter().map(|role| self.uid(Type::Role, role)).collect();
        Entity::new(self.principal(principal)?, attributes, roles?).map_err(CedarFault::new)
    }

    fn group_entity(&self, group: &ColumnGroup) -> Result<Entity, CedarFault> {
        let mut attributes = HashMap::new();
        for (key, kind, id) in [
            ("table", Type::Table, group.table.as_str()),
            ("class", Type::Class, group.class.as_str()),
            ("identifier", Type::Identifier, group.identifier.as_str()),
        ] {
            let uid = self.uid(kind, id)?;
            attributes.insert(key.to_owned(), RestrictedExpression::new_entity_uid(uid));
        }
        Entity::new(self.group(group)?, attributes, HashSet::new()).map_err(CedarFault::new)
    }
}

fn known(
    enclave: &Enclave,
    catalog: &Catalog,
    directory: &Directory,
    groups: &BTreeSet<ColumnGroup>,
) -> BTreeMap<Type, BTreeSet<String>> {
    let of_kind = |kind: PrincipalKind| {
        let some = directory.principals.iter().filter(move |principal| principal.kind == kind);
        some.map(|principal| principal.name.clone()).collect()
    };
    let mut countries: BTreeSet<String> = Country::all().map(str::to_owned).collect();
    countries.insert(Place::Unknown.as_str().to_owned());
    let scopes = catalog.tables.iter().flat_map(|table| &table.scopes);
    BTreeMap::from([
        (Type::Column, groups.iter().map(ColumnGroup::id).collect()),
        (Type::Country, countries),
        (Type::Employer, directory.employers.clone()),
        (Type::Enclave, BTreeSet::from([enclave.name.clone()])),
        (Type::Person, of_kind(PrincipalKind::Person)),
        (Type::PseudonymScope, catalog.pseudonym_scopes.iter().cloned().collect()),
        (Type::Purpose, enclave.purposes.clone()),
        (Type::Role, directory.roles.clone()),
        (Type::Scope, scopes.map(|scope| scope.name.clone()).collect()),
        (Type::Service, of_kind(PrincipalKind::Service)),
        (Type::Table, catalog.tables.iter().map(|table| table.name.clone()).collect()),
    ])
}
