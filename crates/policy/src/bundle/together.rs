//! What the files of a bundle say of each other. Not here: each file by itself (`enclave`, `catalog`, `directory`), and
//! policies, which may name only what the files declare (`rules`).

use std::collections::BTreeSet;

use crate::catalog::Catalog;
use crate::directory::Directory;
use crate::enclave::{Enclave, Whose};
use crate::error::{ConfigError, Problems};
use crate::files::{CATALOG, ENCLAVE};

pub(super) fn check(
    enclave: &Enclave,
    catalog: &Catalog,
    directory: &Directory,
    text: &str,
) -> Vec<ConfigError> {
    let mut errors = names_taken(enclave, catalog);
    let mut found = Problems::new(ENCLAVE, text);
    limits(enclave, directory, &mut found);
    services(enclave, catalog, &mut found);
    errors.append(&mut found.into_found());
    errors
}

/// Names that would be the same in PostgreSQL: a profile's schema and the catalog's, a table and another's partition.
fn names_taken(enclave: &Enclave, catalog: &Catalog) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    let mut taken = |file: &str, name: &str, by: String| {
        let (file, key) = (file.to_owned(), Some(name.to_owned()));
        let problem = format!("the name is taken by {by}");
        errors.push(ConfigError { file, line: None, key, problem, remedy: "choose another name".into() });
    };
    if enclave.profiles.iter().any(|profile| profile.name == catalog.schema) {
        taken(ENCLAVE, &catalog.schema, format!("the schema of the base tables in {CATALOG}"));
    }
    for table in &catalog.tables {
        for site in &enclave.sites {
            let partition = format!("{}_{}", table.name, site.name);
            if catalog.table(&partition).is_some() {
                taken(CATALOG, &partition, format!("the partition of `{}` at `{}`", table.name, site.name));
            }
        }
    }
    errors
}

/// A limit of nobody would hold for nobody, without a word.
fn limits(enclave: &Enclave, directory: &Directory, found: &mut Problems<'_>) {
    for rule in &enclave.limits {
        let (kind, name, known) = match &rule.whose {
            Whose::Everybody => continue,
            Whose::Principal(name) => ("principal", name, directory.principal(name).is_some()),
            Whose::Role(name) => ("role", name, directory.roles.contains(name)),
        };
        if !known {
            let problem = format!("there is no {kind} `{}`", name.escape_debug());
            let remedy = format!("use a {kind} of directory.toml");
            found.at(rule.at.clone(), &format!("limits.{}.{kind}", rule.limit.name), problem, remedy);
        }
    }
}

fn services(enclave: &Enclave, catalog: &Catalog, found: &mut Problems<'_>) {
    for service in &enclave.services {
        let missing = |table: &&String| catalog.table(table).is_none();
        // A table that is read and written is missing once.
        let missing: BTreeSet<_> = service.reads.iter().chain(&service.writes).filter(missing).collect();
        for table in missing {
            let problem = format!("there is no table `{}`", table.escape_debug());
            let remedy = format!("use the name of a table in {CATALOG}");
            found.at(service.at.clone(), &format!("services.{}", service.name), problem, remedy);
        }
    }
}
