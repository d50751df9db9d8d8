//! Two keys open the wall: a site is tried past the gate, with every key but the whole pair. The keys are read from the
//! enclave's folder, as somebody would who has broken into the gate, or into the monitor, but not into both.

use std::path::Path;

use crate::enclave::estate::Estate;
use crate::ended::Ended;
use crate::folder;
use crate::tour::client::{self, Identity};
use crate::tour::{Seen, Story};
use crate::up::Secrets;

/// What an intruder tries, and what PostgreSQL must say.
struct Intrusion<'a> {
    subject: &'a str,
    role: &'a str,
    password: &'a str,
    certificate: Option<&'a Identity>,
    /// One of these must be in the refusal: it must be refused for this reason and no other.
    because: &'a [&'a str],
}

pub(crate) async fn tell(story: &mut Story<'_>) -> Result<(), Ended> {
    story.chapter("Two keys open the wall");
    let folder = story.folder;
    let secrets = Secrets::read(folder)?;
    let estate = Estate::read(folder)?;
    let failed = || Ended::cannot_tell("the example's profiles are not provisioned");
    let site = story.ready.sites.first().ok_or_else(failed)?;
    let role = |profile: &str| {
        let profile = estate.bundle().profiles().iter().find(|compiled| compiled.name == profile);
        profile.map(|profile| wall::names::pool_role(&profile.hash, &site.name, 1)).ok_or_else(failed)
    };
    let (support, engineering) = (role("support")?, role("engineering")?);
    let password = secrets.pool.get(&support).ok_or_else(failed)?;
    let issue = |certificate: &Path, key: &Path, role: &str| {
        Identity::issue(&folder::read_text(certificate)?, &folder::read_text(key)?, role)
    };
    let (monitor_ca, monitor_key) = (folder.monitor().join("ca.pem"), folder.monitor().join("ca.key"));
    let right = issue(&monitor_ca, &monitor_key, &support)?;
    let other = issue(&monitor_ca, &monitor_key, &engineering)?;
    let operators = issue(&folder.operator("ca.pem"), &folder.operator("ca.key"), &support)?;
    let aoife = story.ready.principals.iter().find(|principal| principal.name == "aoife");
    let aoife = aoife.map(|principal| principal.password.clone()).unwrap_or_default();
    let certificate = &["client certificate", "certificate"][..];
    let intrusions = [
        Intrusion {
            subject: "a direct login to a site, as a person",
            role: "aoife",
            password: &aoife,
            certificate: None,
            because: &["pg_hba.conf", "authentication failed"],
        },
        Intrusion {
            subject: "a direct login to a site, as its administrator",
            role: wall::names::ADMIN,
            password: "trefoil",
            certificate: None,
            because: &["pg_hba.conf"],
        },
        Intrusion {
            subject: "the gate's password without a certificate",
            role: &support,
            password,
            certificate: None,
            because: certificate,
        },
        Intrusion {
            subject: "the gate's password and the monitor's certificate for another profile",
            role: &support,
            password,
            certificate: Some(&other),
            because: certificate,
        },
        Intrusion {
            subject: "the gate's password and a certificate by the operator",
            role: &support,
            password,
            certificate: Some(&operators),
            because: &["UnknownCA", "unknown ca", "DecryptError", "certificate"],
        },
        Intrusion {
            subject: "the monitor's certificate without the gate's password",
            role: &support,
            password: "a guess",
            certificate: Some(&right),
            because: &["password authentication failed"],
        },
    ];
    for intrusion in &intrusions {
        let seen = intrude(story, site.port, intrusion).await;
        story.observe(intrusion.subject, seen);
    }
    Ok(())
}

async fn intrude(story: &Story<'_>, port: u16, with: &Intrusion<'_>) -> Seen {
    match client::intrude(story.ready, port, with.role, with.password, with.certificate).await {
        // TLS 1.3 tells a client that its certificate is refused after it believes to be connected.
        Ok(session) => match session.rows("SELECT 1").await {
            Ok(_) => Ok((false, format!("logged in as {}", with.role))),
            Err(refused) => Ok((false, format!("logged in as {}, then {refused}", with.role))),
        },
        Err(refused) => {
            let holds = with.because.iter().any(|reason| refused.message.contains(reason));
            Ok((holds, refused.to_string()))
        }
    }
}
