//! Probes: session.open entries for what policy denies, sent to the monitor where real ones would be, to find out whether
//! it decides by itself. What they will ask is committed to in the record before, and revealed after. A probe opens
//! nothing: no site is asked, and a certificate that comes for one is dropped. Not here: how one is sent (`record`).

use std::path::PathBuf;

use policy::{Ask, Bundle, Profile};
use rand::Rng;
use rand::seq::SliceRandom;
use record::{Draft, Probed as Sent};
use serde::{Deserialize, Serialize};
use tlog::detail::{
    PROBES_MAX, Probe, ProbeRevealed, ProbesCommitted, ProbesRevealed, SALT_BYTES, SessionOpen,
};
use tlog::entry::{Decision, Kind};
use tlog::hash::{hex, unhex};

use crate::admit::{certificate_request, session_id};
use crate::control::Probed;
use crate::entries::detail_of;
use crate::fault::Fault;
use crate::gate::Gate;

/// Where probes wait that are committed to, beside the gate's other files.
const WAITING_FILE: &str = "probes.json";
/// Tickets that probes claim, in the form of real ones.
const TICKETS: std::ops::Range<u32> = 1_000..10_000;

/// Probes that are committed to and not sent yet. The monitor must not know them.
#[derive(Serialize, Deserialize)]
struct Waiting {
    /// Index of the `probe.committed`.
    committed: u64,
    probes: Vec<Salted>,
}

#[derive(Serialize, Deserialize)]
struct Salted {
    /// In hexadecimal.
    salt: String,
    probe: Probe,
}

/// Commits to so many probes; or, where some wait already, answers which entry committed to them.
pub(crate) async fn commit(gate: &Gate, count: usize) -> Result<u64, Fault> {
    if let Some(waiting) = read(gate)? {
        return Ok(waiting.committed);
    }
    let own = gate.sites.iter().filter(|stand| stand.site.of.is_none());
    let sites: Vec<&str> = own.map(|stand| stand.site.name.as_str()).collect();
    let probes = choose(&gate.config.bundle, &sites, count.clamp(1, PROBES_MAX), &mut rand::rng());
    if probes.is_empty() {
        return Err(Fault::ours("policy permits everything: there is nothing to probe with"));
    }
    let mut commitments = Vec::with_capacity(probes.len());
    let mut salted = Vec::with_capacity(probes.len());
    for probe in probes {
        let salt: [u8; SALT_BYTES] = rand::random();
        commitments.push(probe.commitment(&salt).map_err(|e| Fault::ours(e.to_string()))?);
        salted.push(Salted { salt: hex(&salt), probe });
    }
    let mut draft = Draft::new(Kind::ProbeCommitted);
    draft.detail = Some(detail_of(&ProbesCommitted { probes: commitments })?);
    let witnessed = gate.record.append(draft).await.map_err(|not| Fault::ours(not.to_string()))?;
    write(gate, &Waiting { committed: witnessed.index(), probes: salted })?;
    Ok(witnessed.index())
}

/// Sends the probes that wait, each by itself between two batches of real entries, and reveals them.
pub(crate) async fn send(gate: &Gate) -> Result<Probed, Fault> {
    let Waiting { committed, probes } =
        read(gate)?.ok_or_else(|| Fault::ours("no probe waits; commit to some first"))?;
    let mut revealed = Vec::with_capacity(probes.len());
    for Salted { salt, probe } in probes {
        let sent = gate.record.probe(draft(gate, &probe)?).await;
        let Sent { index, line, refused } = sent.map_err(|error| Fault::ours(error.to_string()))?;
        let line = String::from_utf8_lossy(&line).into_owned();
        if refused.is_none() {
            tracing::error!(index, "the monitor cosigned a probe: it does not decide by itself");
        }
        revealed.push(ProbeRevealed {
            probe,
            salt,
            index,
            line,
            cosigned: refused.is_none(),
            reason: refused,
        });
    }
    let probes = ProbesRevealed { committed, probes: revealed };
    let mut draft = Draft::new(Kind::ProbeRevealed);
    draft.detail = Some(detail_of(&probes)?);
    let witnessed = gate.record.append(draft).await.map_err(|not| Fault::ours(not.to_string()))?;
    let file = file(gate);
    std::fs::remove_file(&file).map_err(|e| Fault::ours(format!("{}: {e}", file.display())))?;
    Ok(Probed { revealed: witnessed.index(), probes })
}

/// So many wrong decisions, drawn from all that policy could be asked: a profile claimed where it denies, or another one
/// than it gives.
fn choose(bundle: &Bundle, sites: &[&str], count: usize, random: &mut impl Rng) -> Vec<Probe> {
    let profiles: Vec<&str> = bundle.profiles().iter().map(|profile| profile.name.as_str()).collect();
    let mut questions = Vec::new();
    for principal in &bundle.directory().principals {
        for place in bundle.enclave().places.iter().filter(|place| place.country.is_some()) {
            let purposes = bundle.enclave().purposes.iter().map(Some).chain([None]);
            questions.extend(purposes.map(|purpose| (principal, place, purpose)));
        }
    }
    questions.shuffle(random);
    let mut probes = Vec::new();
    for (principal, place, purpose) in questions {
        let ticket = random.random_bool(0.5).then(|| format!("SUP-{}", random.random_range(TICKETS)));
        let asked = Ask {
            principal: &principal.name,
            place: bundle.place_of(&place.name),
            purpose: purpose.map(String::as_str),
            ticket: ticket.as_deref(),
        };
        let right = bundle.decide(&asked).ok().map(|permit| permit.profile().name.clone());
        let wrong: Vec<&&str> =
            profiles.iter().filter(|profile| right.as_deref() != Some(**profile)).collect();
        let (Some(profile), Some(site)) = (pick(&wrong, random), pick(sites, random)) else { continue };
        probes.push(Probe {
            principal: principal.name.clone(),
            listener: place.name.clone(),
            purpose: purpose.cloned(),
            ticket,
            profile: (**profile).to_owned(),
            site: (*site).to_owned(),
        });
        if probes.len() == count {
            break;
        }
    }
    probes
}

fn pick<'a, T>(of: &'a [T], random: &mut impl Rng) -> Option<&'a T> {
    if of.is_empty() { None } else { of.get(random.random_range(0..of.len())) }
}

/// The entry as a gate would write it that had decided so: nothing in it is wrong but the decision.
fn draft(gate: &Gate, probe: &Probe) -> Result<Draft, Fault> {
    let bundle = &gate.config.bundle;
    let profile = bundle.profiles().iter().find(|profile| profile.name == probe.profile);
    let profile: &Profile =
        profile.ok_or_else(|| Fault::ours(format!("there is no profile {} any more", probe.profile)))?;
    let sessions = bundle.enclave().sessions_per_profile;
    let role = wall::names::pool_role(&profile.hash, &probe.site, rand::rng().random_range(1..=sessions));
    let (csr, _) = certificate_request(&role)?;
    let detail = SessionOpen {
        principal: probe.principal.clone(),
        listener: probe.listener.clone(),
        address: Some(gate.brakes.some_address(&mut rand::rng()).to_string()),
        purpose: probe.purpose.clone(),
        ticket: probe.ticket.clone(),
        profile: profile.name.clone(),
        site: probe.site.clone(),
        role,
        csr,
    };
    let mut draft = gate.draft(Kind::SessionOpen, &probe.principal, &probe.listener);
    draft.session = Some(session_id());
    draft.decision = Some(Decision::Permit);
    draft.request = Some(bundle.request(&Ask {
        principal: &probe.principal,
        place: bundle.place_of(&probe.listener),
        purpose: probe.purpose.as_deref(),
        ticket: probe.ticket.as_deref(),
    }));
    draft.profile = Some(profile.hash.to_string());
    draft.classes = profile.classes().iter().map(ToString::to_string).collect();
    draft.detail = Some(detail_of(&detail)?);
    Ok(draft)
}

fn file(gate: &Gate) -> PathBuf {
    gate.config.status.with_file_name(WAITING_FILE)
}

fn read(gate: &Gate) -> Result<Option<Waiting>, Fault> {
    let file = file(gate);
    let wrong = |problem: String| Fault::ours(format!("{}: {problem}", file.display()));
    let bytes = match std::fs::read(&file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|error| wrong(error.to_string()))?,
    };
    let waiting: Waiting = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    let salts_fit = waiting.probes.iter().all(|salted| unhex::<SALT_BYTES>(&salted.salt).is_some());
    if salts_fit { Ok(Some(waiting)) } else { Err(wrong("a salt is not 32 bytes in hexadecimal".to_owned())) }
}

fn write(gate: &Gate, waiting: &Waiting) -> Result<(), Fault> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let file = file(gate);
    let beside = file.with_extension("new");
    let written = serde_json::to_vec(waiting).map_err(std::io::Error::other).and_then(|bytes| {
        let mut options = std::fs::OpenOptions::new();
        let mut written = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        written.write_all(&bytes)?;
        written.sync_all()?;
        std::fs::rename(&beside, &file)
    });
    written.map_err(|error| Fault::ours(format!("{}: {error}", file.display())))
}
