//! `trefoil-monitor replay`: a whole record, decided again by an auditor. It needs no monitor's folder.

use std::path::PathBuf;

use monitor::audit::{self, AuditError, Found, Plan};
use monitor::bundle::BundleError;
use monitor::folder;
use serde_json::json;
use tlog::rule::ReleaseRule;

use super::{Outcome, either};

/// Decide a whole record again with an auditor's key and the signed bundles, asking neither party.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  trefoil-monitor replay --record H/record --details H/gate/details --keys H/gate/keys \\\n    \
    --bundles H/bundles --bundle-vkey \"$(cat bundle.vkey)\" --rule rule.policy --key auditor.age\n\n\
    Exit codes: 0 every decision is as policy has it, 1 one is not, 2 cannot tell: a bundle or a key is missing."
)]
pub struct Arguments {
    /// Folder of the published record.
    #[arg(long)]
    record: PathBuf,
    /// Folder of the sealed details, which the operator hands over.
    #[arg(long)]
    details: PathBuf,
    /// Folder of the wrapped day keys, which the operator hands over.
    #[arg(long)]
    keys: PathBuf,
    /// Folder of every bundle that the operator signed, each in a folder named after its hash.
    #[arg(long)]
    bundles: PathBuf,
    /// Verifier key of the operator's signature on bundles.
    #[arg(long)]
    bundle_vkey: String,
    /// Who must have signed: a tlog-policy file.
    #[arg(long)]
    rule: PathBuf,
    /// The auditor's age identity (AGE-SECRET-KEY-1…).
    #[arg(long)]
    key: PathBuf,
}

pub fn replay(arguments: Arguments) -> Outcome {
    either(try_replay(arguments))
}

fn try_replay(arguments: Arguments) -> Result<Outcome, Outcome> {
    let Arguments { record, details, keys, bundles, bundle_vkey, rule, key } = arguments;
    let text = folder::read_bytes(&rule).map_err(Outcome::unknown)?;
    let rule = ReleaseRule::parse(text).map_err(|e| Outcome::Unknown(format!("{}: {e}", rule.display())))?;
    let operator = bundle_vkey.parse().map_err(|e| Outcome::Unknown(format!("--bundle-vkey: {e}")))?;
    let identity = audit::read_identity(&key).map_err(Outcome::unknown)?;
    let plan = Plan { record, details, keys, bundles, operator, rule, identity };
    let progress = |done: u64, of: u64| eprintln!("decided {done} of {of} entries");
    match audit::replay(&plan, progress) {
        Ok(found) => Ok(told(&found)),
        Err(AuditError::Bundle(e @ (BundleError::Unsigned { .. } | BundleError::Altered { .. }))) => {
            Err(Outcome::Not(e.to_string()))
        }
        Err(e) => Err(Outcome::unknown(e)),
    }
}

fn told(found: &Found) -> Outcome {
    let code = match (found.agrees(), found.is_whole()) {
        (false, _) => 1,
        (true, false) => 2,
        (true, true) => 0,
    };
    Outcome::Told { text: text(found).join("\n"), json: json!(found), code }
}

fn text(found: &Found) -> Vec<String> {
    let Found { origin, size, root, decided, forgotten, undecided, .. } = found;
    let mut lines = vec![
        format!("{origin}: {size} entries, root {root}"),
        format!("{decided} decided again, {forgotten} under forgotten keys, {undecided} undecided"),
    ];
    let missing = |what: &str, which: &std::collections::BTreeSet<String>| {
        which.iter().map(|one| format!("missing: {what} {one}")).collect::<Vec<_>>()
    };
    lines.extend(missing("bundle", &found.bundles_missing));
    lines.extend(missing("key", &found.keys_missing));
    if found.probes > 0 {
        lines.push(format!(
            "{} probes were revealed, {} of them cosigned",
            found.probes, found.probes_cosigned
        ));
    }
    lines.extend(found.disagreements.iter().map(|one| {
        let place = one.index.map_or_else(|| "the tree".to_owned(), |index| format!("entry {index}"));
        format!("wrong: {place}: {}: {}", one.kind.as_str(), one.reason)
    }));
    if found.disagreements_omitted > 0 {
        lines.push(format!("and {} more", found.disagreements_omitted));
    }
    lines.push(match (found.agrees(), found.is_whole()) {
        (false, _) => "the record holds what policy does not permit".to_owned(),
        (true, false) => "what could be decided is as policy has it; not everything could be".to_owned(),
        (true, true) => "every decision is as policy has it".to_owned(),
    });
    lines
}
