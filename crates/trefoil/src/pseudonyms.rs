//! `trefoil pseudonyms …`: how complete the pseudonym scopes are, and forgetting one. The operator's, over the sites'
//! Unix sockets. Not here: making tokens (`sites`).

use serde::Serialize;

use crate::cli::{Forget, Report};
use crate::enclave::estate::Estate;
use crate::ended::{Ended, OrEnded};
use crate::terminal::{self, Paint};

/// Whether every subject has a token in every scope at every site.
#[derive(Debug, Serialize)]
struct Status {
    complete: bool,
    scopes: Vec<Scope>,
}

#[derive(Debug, Serialize)]
struct Scope {
    scope: String,
    site: String,
    subjects: i64,
    /// Subjects without a token.
    missing: i64,
    /// Tokens without a subject.
    orphans: i64,
}

pub(crate) fn status(asked: &Report) -> Result<(), Ended> {
    let folder = asked.enclave.folder();
    folder.require_complete()?;
    let estate = Estate::read(&folder)?;
    let states = runtime()?.block_on(sites::pseudonyms::status(estate.bundle(), estate.clusters()));
    let mut states = states.or_cannot_tell("counting tokens")?;
    states.sort_by(|one, other| (&one.scope, &one.site).cmp(&(&other.scope, &other.site)));
    let complete = states.iter().all(|state| state.missing == 0 && state.orphans == 0);
    if asked.json {
        let scopes = states.into_iter().map(|state| Scope {
            scope: state.scope,
            site: state.site,
            subjects: state.subjects,
            missing: state.missing,
            orphans: state.orphans,
        });
        terminal::say_json(&Status { complete, scopes: scopes.collect() })?;
    } else {
        let paint = Paint::for_stdout();
        for state in &states {
            let good = state.missing == 0 && state.orphans == 0;
            let word = if good { paint.good("ok ") } else { paint.bad("NOT") };
            let sites::pseudonyms::ScopeState { site, scope, subjects, missing, orphans } = state;
            let less = if good {
                String::new()
            } else {
                format!("; {missing} have no token, {orphans} tokens belong to nobody")
            };
            terminal::say(&format!("{word} scope {scope}, site {site}: {subjects} subjects{less}"));
        }
    }
    if complete { Ok(()) } else { Err(Ended::not("")) }
}

pub(crate) fn forget(asked: &Forget) -> Result<(), Ended> {
    let folder = asked.enclave.folder();
    folder.require_complete()?;
    let scope = &asked.scope;
    if !asked.yes {
        return Err(Ended::cannot_tell(format!(
            "forgetting the scope `{scope}` cannot be undone: every subject gets a new token, and nothing that was \
             collected under the old ones can be joined to anything later; say --yes to do it"
        )));
    }
    let estate = Estate::read(&folder)?;
    let done = runtime()?.block_on(sites::pseudonyms::forget(estate.bundle(), estate.clusters(), scope));
    done.or_not(format!("forgetting the scope `{scope}`"))?;
    terminal::say(&format!(
        "forgot the scope `{scope}` at {}: every subject has a new token, the old ones are gone",
        estate.names().join(", ")
    ));
    Ok(())
}

fn runtime() -> Result<tokio::runtime::Runtime, Ended> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().or_cannot_tell("starting")
}
