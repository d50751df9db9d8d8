//! From an authenticated principal to a session that may ask: decide, record, obtain the monitor's certificate, and
//! open the site with both keys. Not here: authentication (`client`), what the session says (`session`).

use std::net::IpAddr;
use std::sync::Arc;

use policy::{Ask, Denial, Permit};
use rand::RngCore;
use rcgen::{CertificateParams, DnType, KeyPair};
use record::{Draft, Witnessed};
use tlog::detail::{Refused, SessionClose, SessionOpen, Stage};
use tlog::entry::{Decision, Kind};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Duration, timeout};

use crate::brake::Seat;
use crate::config::Site;
use crate::entries::detail_of;
use crate::fault::{Fault, Whose};
use crate::gate::Gate;
use crate::logins;
use crate::pool::Lease;
use crate::standing::{Stand, Standing};
use crate::upstream::{self, Backend, TwoKeys};

/// How long a site may take to accept a connection before the next one is tried.
const SITE_CONNECT_MS_MAX: u64 = 1_000;
/// How long a site may take from the first byte until it is ready for a statement.
const SITE_READY_MS_MAX: u64 = 5_000;

/// Who asks, as far as the gate has established it.
#[derive(Debug, Clone)]
pub struct Asker {
    /// The authenticated principal.
    pub principal: String,
    /// The name of the place that it connects from, from which the country follows.
    pub listener: String,
    /// Its address.
    pub address: IpAddr,
    /// From the startup options.
    pub purpose: Option<String>,
    /// From the startup options.
    pub ticket: Option<String>,
    /// The site that it wants and no other, from the startup options.
    pub site: Option<String>,
    /// The home that it comes to write, from the startup options: it gets the site that holds it, and no other.
    pub home: Option<String>,
    /// A one-time code, from the startup options: the connection confirms and opens no session.
    pub code: Option<String>,
    /// Settings that go on to the site.
    pub settings: Vec<(String, String)>,
}

/// A session that policy permits, the record holds and the site has let in.
#[derive(Debug)]
pub struct Admitted {
    /// 32 hexadecimal digits; also the serial number of the certificate.
    pub id: String,
    /// Who asks.
    pub asker: Asker,
    /// What the decision was.
    pub permit: Permit,
    /// The pool role, until the backend has ended.
    pub lease: Lease,
    /// By which a brake ends it.
    pub seat: Seat,
    /// Where.
    pub site: Site,
    /// Whether the gate goes on using the site.
    pub standing: watch::Receiver<Standing>,
    /// The open backend.
    pub backend: Backend,
}

/// Decides, records and connects.
pub async fn admit(gate: &Arc<Gate>, asker: Asker) -> Result<Admitted, Fault> {
    let seat = match gate.brakes.sit(&asker.principal, asker.address) {
        Ok(seat) => seat,
        Err(fault) => return Err(refuse_braked(gate, &asker, fault).await),
    };
    let permit = match decide(gate, &asker) {
        Ok(permit) => permit,
        Err(denial) => {
            logins::failed(gate, &asker, logins::Ended::Denied).await;
            return Err(refuse(gate, &asker, &denial).await);
        }
    };
    logins::proven(gate, &asker).await?;
    let wanted = wanted(gate, &asker, &permit)?;
    let mut last = None;
    for stand in wanted {
        let (site, standing) = (&stand.site, stand.watch());
        let now = standing.borrow().clone();
        if now.ends() {
            last = Some(now.fault(&site.name));
            continue;
        }
        if !answers(site).await {
            last = Some(Fault::site_silent(&site.name));
            continue;
        }
        // A full pool here is no reason to be sent away while there is room elsewhere.
        let Some(lease) = gate.pool.lease(&permit.profile().hash, site.site()) else {
            last = Some(full(gate, &permit, &site.name));
            continue;
        };
        match open_at(gate, &asker, &permit, site, &lease).await {
            Ok((id, backend)) => {
                seat.opens(&id);
                let site = site.clone();
                return Ok(Admitted { id, asker, permit, lease, seat, site, standing, backend });
            }
            // It takes connections and no sessions, as while it starts or stops: the next one may do better.
            Err(fault) if fault.whose == Whose::Site => {
                tracing::warn!(%fault, "the next site is tried");
                last = Some(fault);
            }
            Err(fault) => return Err(fault),
        }
    }
    Err(last.unwrap_or_else(|| Fault::ours("the gate has no site")))
}

/// The servers that may be tried, in order: each site after its standby, for whoever only reads and while the standby is
/// not far behind; or the one that was asked for, or that holds the home.
fn wanted<'g>(gate: &'g Gate, asker: &Asker, permit: &Permit) -> Result<Vec<&'g Arc<Stand>>, Fault> {
    let holder = asker.home.as_ref().map(|home| holder(gate, home)).transpose()?;
    if let (Some(site), Some(holder)) = (&asker.site, &holder)
        && site != holder
    {
        let message = format!("the home is held by site {holder}, and trefoil.site asks for {site}");
        return Err(Fault::client("22023", message, Some("Leave trefoil.site out.")));
    }
    let only_reads = permit.profile().only_reads();
    let Some(name) = asker.site.as_ref().or(holder.as_ref()) else {
        let of =
            |site: &Stand| gate.sites.iter().find(|stand| stand.site.of.as_ref() == Some(&site.site.name));
        let own = gate.sites.iter().filter(|stand| stand.site.of.is_none());
        let standby = |site: &Stand| of(site).filter(|standby| only_reads && standby.is_fresh());
        return Ok(own.flat_map(|site| standby(site).into_iter().chain([site])).collect());
    };
    let Some(found) = gate.sites.iter().find(|stand| stand.site.name == *name) else {
        let known: Vec<&str> = gate.sites.iter().map(|stand| stand.site.name.as_str()).collect();
        let hint = format!("Set trefoil.site to one of {}, or leave it out.", known.join(", "));
        return Err(Fault::client("22023", format!("there is no site \"{name}\" here"), Some(&hint)));
    };
    if found.site.of.is_some() && !only_reads {
        let message = format!("\"{name}\" takes no writes, and profile \"{}\" writes", permit.profile().name);
        return Err(Fault::client("25006", message, Some("Leave trefoil.site out.")));
    }
    Ok(vec![found])
}

/// The site that holds a home now.
fn holder(gate: &Gate, home: &str) -> Result<String, Fault> {
    let homes = gate.homes.borrow();
    homes.now().of(home).map(|holder| holder.site.clone()).ok_or_else(|| {
        let known = gate.config.bundle.enclave().sites.iter().map(|site| site.name.as_str());
        let hint =
            format!("Set trefoil.home to one of {}, or leave it out.", known.collect::<Vec<_>>().join(", "));
        Fault::client("22023", format!("there is no home \"{home}\" here"), Some(&hint))
    })
}

fn full(gate: &Gate, permit: &Permit, site: &str) -> Fault {
    let (sessions, profile) = (gate.config.bundle.enclave().sessions_per_profile, &permit.profile().name);
    let message = format!("all {sessions} sessions of profile \"{profile}\" at site {site} are taken");
    let hint = "Close a session, or raise sessions_per_profile in enclave.toml.";
    Fault::client("53300", message, Some(hint))
}

/// Records and opens a session at one site.
async fn open_at(
    gate: &Gate,
    asker: &Asker,
    permit: &Permit,
    site: &Site,
    lease: &Lease,
) -> Result<(String, Backend), Fault> {
    let id = session_id();
    let (csr, private_key) = certificate_request(lease.role())?;
    let witnessed = record_opening(gate, asker, permit, site, &id, lease.role(), csr).await?;
    match open_site(gate, site, lease.role(), &private_key, &witnessed, &asker.settings).await {
        Ok(backend) => Ok((id, backend)),
        Err(fault) => {
            close(gate, asker, &id, nothing_released(&fault)).await;
            Err(fault)
        }
    }
}

/// Records the opening, which is also the request for the second key; it is witnessed, or the session does not open.
async fn record_opening(
    gate: &Gate,
    asker: &Asker,
    permit: &Permit,
    site: &Site,
    id: &str,
    role: &str,
    csr: String,
) -> Result<Witnessed, Fault> {
    let detail = SessionOpen {
        principal: asker.principal.clone(),
        listener: asker.listener.clone(),
        address: Some(asker.address.to_string()),
        purpose: asker.purpose.clone(),
        ticket: asker.ticket.clone(),
        profile: permit.profile().name.clone(),
        site: site.name.clone(),
        role: role.to_owned(),
        csr,
    };
    let mut draft = gate.draft(Kind::SessionOpen, &asker.principal, &asker.listener);
    draft.session = Some(id.to_owned());
    draft.decision = Some(Decision::Permit);
    draft.request = Some(permit.request());
    draft.profile = Some(permit.profile().hash.to_string());
    draft.classes = permit.profile().classes().iter().map(ToString::to_string).collect();
    draft.detail = Some(detail_of(&detail)?);
    #[cfg(feature = "rogue")]
    if permit.principal() != asker.principal {
        return Err(crate::rogue::asks(gate, draft).await);
    }
    gate.record.append(draft).await.map_err(|not| {
        let fault = Fault::not_witnessed(&not.why, not.index);
        if not.index.is_some() {
            // It may be witnessed later, so its end is recorded; the client does not wait for that.
            let end = ending(gate, asker, id, nothing_released(&fault));
            let record = gate.record.clone();
            tokio::spawn(async move { record.append(end).await.map(drop) });
        }
        fault
    })
}

/// Opens the site with both keys.
async fn open_site(
    gate: &Gate,
    site: &Site,
    role: &str,
    private_key: &str,
    witnessed: &Witnessed,
    settings: &[(String, String)],
) -> Result<Backend, Fault> {
    let certificate = witnessed.certificate().ok_or_else(|| Fault::no_certificate(witnessed.index()))?;
    let password = gate.config.secrets.pool.get(role);
    let password = password
        .ok_or_else(|| Fault::ours(format!("no password for role {role}: run `trefoil policy apply`")))?;
    let keys = TwoKeys { role, password, certificate, private_key };
    let ready = upstream::connect(site, &gate.roots, &keys, settings);
    timeout(Duration::from_millis(SITE_READY_MS_MAX), ready)
        .await
        .map_err(|_| Fault::site(&site.name, "not ready in time"))?
        .map_err(|e| Fault::site(&site.name, e.to_string()))
}

/// Records that a session has ended. Nothing waits for it: what it counts was witnessed before.
pub async fn close(gate: &Gate, asker: &Asker, id: &str, closed: SessionClose) {
    if let Err(error) = gate.record.append(ending(gate, asker, id, closed)).await {
        tracing::debug!(%error, "the end of a session is not witnessed yet");
    }
}

fn ending(gate: &Gate, asker: &Asker, id: &str, closed: SessionClose) -> Draft {
    let mut draft = gate.draft(Kind::SessionClose, &asker.principal, &asker.listener);
    draft.session = Some(id.to_owned());
    draft.detail = detail_of(&closed).ok();
    draft
}

/// The end of a session that was never opened at a site.
fn nothing_released(fault: &Fault) -> SessionClose {
    SessionClose { reason: fault.internal.clone(), rows: 0, bytes: 0, subjects: None }
}

fn decide(gate: &Gate, asker: &Asker) -> Result<Permit, Denial> {
    let bundle = &gate.config.bundle;
    let decided = bundle.decide(&Ask {
        principal: &asker.principal,
        place: bundle.place_of(&asker.listener),
        purpose: asker.purpose.as_deref(),
        ticket: asker.ticket.as_deref(),
    });
    #[cfg(feature = "rogue")]
    let decided = decided.or_else(|denial| crate::rogue::decides(bundle, asker).ok_or(denial));
    decided
}

/// What is recorded of somebody who gets no session.
fn refused(asker: &Asker, rule: &str, sentence: &str) -> Refused {
    Refused {
        principal: asker.principal.clone(),
        listener: asker.listener.clone(),
        purpose: asker.purpose.clone(),
        ticket: asker.ticket.clone(),
        stage: Stage::Connect,
        statement: None,
        rule: rule.to_owned(),
        sentence: sentence.to_owned(),
    }
}

/// Records that somebody came who is stopped.
async fn refuse_braked(gate: &Gate, asker: &Asker, fault: Fault) -> Fault {
    let detail = refused(asker, tlog::brake::RULE, &fault.internal);
    gate.append_refusal(Kind::AccessDecision, &detail, None).await;
    fault
}

/// Records a denial at connect, and says it with the entry's number.
async fn refuse(gate: &Gate, asker: &Asker, denial: &Denial) -> Fault {
    let detail = refused(asker, &denial.rule, &denial.sentence);
    let entry = gate.append_refusal(Kind::AccessDecision, &detail, None).await;
    Fault::policy(
        format!("refused: {} (rule {}; {entry})", denial.sentence, denial.rule),
        denial.needs.clone(),
    )
}

/// Whether a site takes connections; no entry is made about one that does not.
async fn answers(site: &Site) -> bool {
    let attempt = TcpStream::connect((site.host.as_str(), site.port));
    match timeout(Duration::from_millis(SITE_CONNECT_MS_MAX), attempt).await {
        Ok(Ok(_)) => return true,
        Ok(Err(error)) => tracing::warn!(site = site.name, %error, "site does not answer"),
        Err(_) => tracing::warn!(site = site.name, "site does not answer in time"),
    }
    false
}

/// 16 random bytes in hexadecimal, of which the first makes a positive serial number that keeps all its digits.
pub(crate) fn session_id() -> String {
    let mut bytes = [0_u8; 16];
    rand::rng().fill_bytes(&mut bytes);
    bytes[0] = (bytes[0] & 0x3f) | 0x40;
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A fresh key for one session, and the request that names the role (PEM both).
pub(crate) fn certificate_request(role: &str) -> Result<(String, String), Fault> {
    let failed = |e: rcgen::Error| Fault::ours(format!("certificate request: {e}"));
    let key = KeyPair::generate().map_err(failed)?;
    let mut params = CertificateParams::new(Vec::new()).map_err(failed)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, role);
    let request = params.serialize_request(&key).map_err(failed)?;
    Ok((request.pem().map_err(failed)?, key.serialize_pem()))
}
