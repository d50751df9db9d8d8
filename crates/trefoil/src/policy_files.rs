//! `trefoil policy …`: signing the bundle and applying it at the sites. Both are the operator's, offline: a running gate
//! can do neither.

use std::sync::Arc;

use policy::Bundle;
use tlog::note::SigningKey;

use crate::cli::Enclave;
use crate::enclave::estate::{self, Estate};
use crate::ended::{Ended, OrEnded};
use crate::folder::{self, Folder};
use crate::terminal;
use crate::up::Secrets;

/// The operator's signature, in a bundle's folder.
const BUNDLE_NOTE: &str = "bundle.note";

pub(crate) fn sign(asked: &Enclave) -> Result<(), Ended> {
    let folder = asked.folder();
    folder.require_complete()?;
    let bundle = estate::read_bundle(&folder)?;
    sign_bundle(&folder, &bundle)?;
    terminal::say(&format!("signed policy {}", bundle.hash()));
    Ok(())
}

/// Writes `bundle.note`: the operator's signature over the bundle's hash.
pub(crate) fn sign_bundle(folder: &Folder, bundle: &Bundle) -> Result<(), Ended> {
    let note = bundle_key(folder)?.sign_note(&access::bundle_note_text(bundle));
    let note = note.or_cannot_tell("signing the bundle")?;
    keep_bundle(folder, bundle, note.to_string().as_bytes())?;
    folder::write_public(&folder.bundle_note(), note.to_string().as_bytes())
}

/// Keeps a copy of what is signed: whoever decides the record again needs every bundle that was in force.
fn keep_bundle(folder: &Folder, bundle: &Bundle, note: &[u8]) -> Result<(), Ended> {
    let kept = folder.bundles().join(bundle.hash().to_string());
    let policies = kept.join("policy");
    std::fs::create_dir_all(&policies).or_cannot_tell(format!("making {}", policies.display()))?;
    let files = access::bundle_files(&folder.bundle()).or_cannot_tell("reading the bundle")?;
    for (name, bytes) in files {
        folder::write_public(&kept.join(name), &bytes)?;
    }
    folder::write_public(&kept.join(BUNDLE_NOTE), note)
}

pub(crate) fn bundle_key(folder: &Folder) -> Result<SigningKey, Ended> {
    let path = folder.operator("bundle.key");
    folder::read_text(&path)?.parse().or_cannot_tell(format!("reading {}", path.display()))
}

pub(crate) fn apply(asked: &Enclave) -> Result<(), Ended> {
    let folder = asked.folder();
    folder.require_complete()?;
    let key = bundle_key(&folder)?;
    let signed = access::signed_bundle(&folder.bundle(), key.verifier());
    let bundle = signed.or_not("the policy bundle is not applied")?;
    let estate = Estate::read(&folder)?;
    let mut secrets = Secrets::read(&folder)?;
    // Kept before the sites learn them: a password that only a site knew would be lost.
    secrets.complete(&bundle);
    secrets.write(&folder)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let changed = runtime.or_cannot_tell("starting")?.block_on(apply_at_sites(&estate, &bundle, &secrets))?;
    if changed {
        let (dir, monitor, bundle) = (folder.dir(), folder.monitor(), folder.bundle());
        terminal::say(
            "The monitor has to accept a bundle that is new to it, by itself, and the gate to start again:",
        );
        terminal::say(&format!(
            "  trefoil-monitor accept --dir {} --bundle {}",
            monitor.display(),
            bundle.display()
        ));
        terminal::say(&format!("  trefoil down --dir {0} && trefoil up --dir {0}", dir.display()));
    }
    Ok(())
}

async fn apply_at_sites(estate: &Estate, bundle: &Bundle, secrets: &Secrets) -> Result<bool, Ended> {
    let nobody: sites::Watcher = Arc::new(|_| ());
    let prepared = sites::pseudonyms::prepare(bundle, estate.clusters(), &nobody).await;
    prepared.or_not("preparing pseudonym scopes")?;
    let (mut changed, mut waiting) = (false, Vec::new());
    for cluster in estate.clusters() {
        let applied = sites::apply(cluster, bundle, &secrets.of_sites(), &nobody).await;
        let applied = applied.or_not(format!("applying policy {}", bundle.hash()))?;
        changed |= !applied.nothing();
        let made = if applied.made.is_empty() { "nothing".to_owned() } else { applied.made.join(", ") };
        let retired =
            if applied.retired.is_empty() { "nothing".to_owned() } else { applied.retired.join(", ") };
        let passwords = applied.passwords.len();
        let site = &applied.site;
        terminal::say(&format!("site {site}: made {made}; retired {retired}; {passwords} passwords set"));
        waiting.extend(applied.waiting.iter().map(|waiting| {
            let sites::Waiting { profile, scope, missing } = waiting;
            format!("site {site}: profile {profile} waits for {missing} tokens of the scope {scope}")
        }));
    }
    if waiting.is_empty() {
        return Ok(changed);
    }
    let lines = waiting.join("\n");
    Err(Ended::not(format!("{lines}\napply again when `trefoil pseudonyms status` finds none missing")))
}
