//! Which column of which profile a column of a result comes from: at each site, views have object ids of their own.
//! Read as `trefoil_watch`, which sees catalogs and no data. Not here: what a result shows (`shape`).

use std::collections::HashMap;
use std::sync::Arc;

use policy::{Bundle, Class, Disclosure, Identifier, Profile, ProfileHash};

/// The columns of all views of some schemas.
const COLUMNS: &str = "SELECT n.nspname::text, c.relname::text, c.oid, a.attname::text, a.attnum \
    FROM pg_catalog.pg_class c \
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid \
    WHERE c.relkind = 'v' AND a.attnum > 0 AND NOT a.attisdropped AND n.nspname = ANY ($1)";

/// The views of every profile, at one site.
#[derive(Debug, Default)]
pub struct Views {
    profiles: HashMap<ProfileHash, Arc<Relations>>,
}

/// The views of one profile, at one site.
#[derive(Debug, Default)]
pub struct Relations {
    /// Pseudonym scope of the subjects' keys that it shows; empty when they are clear.
    pub(super) scope: String,
    /// By object id; columns by their number from 1.
    views: HashMap<u32, HashMap<i16, Known>>,
}

/// What is known of a view's column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    pub class: Class,
    /// Set when its values are keys of subjects.
    pub key: Option<Whose>,
}

/// Whose key a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The subject's whom the row is about.
    Own,
    /// Somebody else's.
    Other,
}

/// A column as a site's catalog names it.
#[derive(Debug, Clone)]
pub struct LiveColumn {
    pub schema: String,
    pub view: String,
    pub oid: u32,
    pub column: String,
    pub number: i16,
}

impl Views {
    /// Reads the views of a site. A profile whose views are not found shows nothing that could be counted.
    pub async fn read(
        client: &tokio_postgres::Client,
        bundle: &Bundle,
    ) -> Result<Self, tokio_postgres::Error> {
        let schemas: Vec<&str> =
            bundle.profiles().iter().map(|profile| wall::names::schema_of(profile)).collect();
        let mut live = Vec::new();
        for row in client.query(COLUMNS, &[&schemas]).await? {
            live.push(LiveColumn {
                schema: row.try_get(0)?,
                view: row.try_get(1)?,
                oid: row.try_get(2)?,
                column: row.try_get(3)?,
                number: row.try_get(4)?,
            });
        }
        Ok(Self::of(bundle, &live))
    }

    /// What the bundle says about these columns.
    pub fn of(bundle: &Bundle, live: &[LiveColumn]) -> Self {
        let profiles = bundle.profiles().iter();
        let relations = |profile: &Arc<Profile>| {
            let schema = wall::names::schema_of(profile);
            let live = live.iter().filter(|column| column.schema == schema);
            (profile.hash, Arc::new(Relations::of(bundle, profile, live)))
        };
        Self { profiles: profiles.map(relations).collect() }
    }

    /// The views of a profile.
    pub fn relations(&self, profile: &Profile) -> Arc<Relations> {
        self.profiles.get(&profile.hash).cloned().unwrap_or_default()
    }
}

impl Relations {
    fn of<'a>(bundle: &Bundle, profile: &Profile, live: impl Iterator<Item = &'a LiveColumn>) -> Self {
        let pseudonyms = profile.columns().any(|(_, column)| column.disclosure == Disclosure::Pseudonym);
        let scope = profile.pseudonym_scope.clone().filter(|_| pseudonyms).unwrap_or_default();
        let mut views: HashMap<u32, HashMap<i16, Known>> = HashMap::new();
        for found in live {
            let table = bundle.catalog().table(&found.view);
            let shown = profile.table(&found.view).and_then(|table| table.column(&found.column));
            let (Some(table), Some(shown)) = (table, shown) else { continue };
            // The lint lets no clear key stand beside pseudonyms; one that did would not be comparable with them.
            let comparable = match shown.disclosure {
                Disclosure::Pseudonym => true,
                Disclosure::Clear => !pseudonyms,
                Disclosure::Masked => false,
            };
            let key = (shown.identifier == Identifier::Subject && comparable)
                .then_some(if table.subject_key == found.column { Whose::Own } else { Whose::Other });
            views.entry(found.oid).or_default().insert(found.number, Known { class: shown.class, key });
        }
        Self { scope, views }
    }

    /// What is known of a column of a result, by the numbers in its description.
    pub(super) fn known(&self, table: u32, number: i16) -> Option<Known> {
        self.views.get(&table)?.get(&number).copied()
    }
}
