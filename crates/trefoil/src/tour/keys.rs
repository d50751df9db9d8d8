//! Two keys open the wall: a site is tried past the gate, with every key but the whole pair. The keys are read from the
//! enclave's folder, as somebody would who has broken into the gate, or into the monitor, but not into both.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
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
    /// It must be refused for this reason and no other.
    because: Because,
}

/// Where a reason shows.
#[derive(Clone, Copy)]
enum Because {
    /// One of these is in what the client is told.
    Told(&'static [&'static str]),
    /// The client is told of its password whatever the reason; this is in the server's own log.
    Logged(&'static str),
}

pub(crate) async fn tell(story: &mut Story<'_>) -> Result<(), Ended> {
    story.chapter("Two keys open the wall");
    let stolen = Stolen::take(story)?;
    for intrusion in stolen.with_less_than_two_keys().iter().chain(&stolen.with_wrong_certificates()) {
        let seen = intrude(story, &stolen, intrusion).await;
        story.observe(intrusion.subject, seen);
    }
    Ok(())
}

/// Keys to the first site, as they lie in the enclave's folder.
struct Stolen {
    site: String,
    port: u16,
    /// A pool role of the profile `support`, and the gate's password for it.
    role: String,
    password: String,
    /// A principal's own password.
    aoife: String,
    /// Certificates for this role, for another profile's role, and for this role by the wrong authority.
    right: Identity,
    other: Identity,
    operators: Identity,
}

impl Stolen {
    fn take(story: &Story<'_>) -> Result<Self, Ended> {
        let folder = story.folder;
        let failed = || Ended::cannot_tell("the example's profiles are not provisioned");
        let estate = Estate::read(folder)?;
        let site = story.ready.sites.first().ok_or_else(failed)?;
        let role = |profile: &str| {
            let profile = estate.bundle().profiles().iter().find(|compiled| compiled.name == profile);
            profile.map(|profile| wall::names::pool_role(&profile.hash, &site.name, 1)).ok_or_else(failed)
        };
        let (support, engineering) = (role("support")?, role("engineering")?);
        let password = Secrets::read(folder)?.pool.get(&support).cloned().ok_or_else(failed)?;
        let issue = |certificate: &Path, key: &Path, role: &str| {
            Identity::issue(&folder::read_text(certificate)?, &folder::read_text(key)?, role)
        };
        let (monitor_ca, monitor_key) = (folder.monitor().join("ca.pem"), folder.monitor().join("ca.key"));
        let aoife = story.ready.principals.iter().find(|principal| principal.name == "aoife");
        Ok(Self {
            site: site.name.clone(),
            port: site.port,
            right: issue(&monitor_ca, &monitor_key, &support)?,
            other: issue(&monitor_ca, &monitor_key, &engineering)?,
            operators: issue(&folder.operator("ca.pem"), &folder.operator("ca.key"), &support)?,
            aoife: aoife.map(|principal| principal.password.clone()).ok_or_else(failed)?,
            role: support,
            password,
        })
    }

    fn with_less_than_two_keys(&self) -> [Intrusion<'_>; 4] {
        let plain = |subject, role, password, because| Intrusion {
            subject,
            role,
            password,
            certificate: None,
            because,
        };
        [
            plain("a direct login to a site, as a person", "aoife", &self.aoife, NO_LINE),
            plain("a direct login to a site, as its administrator", wall::names::ADMIN, "trefoil", NO_LINE),
            plain("the gate's password without a certificate", &self.role, &self.password, CERTIFICATE),
            Intrusion {
                certificate: Some(&self.right),
                ..plain(
                    "the monitor's certificate without the gate's password",
                    &self.role,
                    "a guess",
                    PASSWORD,
                )
            },
        ]
    }

    fn with_wrong_certificates(&self) -> [Intrusion<'_>; 2] {
        let with = |subject, certificate, because| Intrusion {
            subject,
            role: &self.role,
            password: &self.password,
            certificate: Some(certificate),
            because,
        };
        [
            with(
                "the gate's password and the monitor's certificate for another profile",
                &self.other,
                OTHER_NAME,
            ),
            with("the gate's password and a certificate by the operator", &self.operators, AUTHORITY),
        ]
    }
}

/// What PostgreSQL, or TLS before it, says when it refuses for that reason.
const NO_LINE: Because = Because::Told(&["no pg_hba.conf entry", "pg_hba.conf rejects"]);
const CERTIFICATE: Because = Because::Told(&["requires a valid client certificate"]);
const PASSWORD: Because = Because::Told(&["password authentication failed"]);
const AUTHORITY: Because = Because::Told(&["UnknownCA", "unknown ca", "DecryptError"]);
const OTHER_NAME: Because = Because::Logged("CN mismatch");

async fn intrude(story: &Story<'_>, stolen: &Stolen, with: &Intrusion<'_>) -> Seen {
    let mut log = Log::at_its_end(&story.folder.log(&format!("site {}", stolen.site)))?;
    match client::intrude(story.ready, stolen.port, with.role, with.password, with.certificate).await {
        // TLS 1.3 tells a client that its certificate is refused after it believes to be connected.
        Ok(session) => match session.rows("SELECT 1").await {
            Ok(_) => Ok((false, format!("logged in as {}", with.role))),
            Err(refused) => Ok((false, format!("logged in as {}, then {refused}", with.role))),
        },
        Err(refused) => match with.because {
            Because::Told(reasons) => {
                let holds = reasons.iter().any(|reason| refused.message.contains(reason));
                Ok((holds, refused.to_string()))
            }
            Because::Logged(reason) => {
                let line = log.new_line_with(reason)?;
                let logged = line.as_deref().unwrap_or("nothing of the reason");
                Ok((line.is_some(), format!("{refused}; the server's log: {logged}")))
            }
        },
    }
}

/// What a server's log gains from a moment on.
struct Log(File);

impl Log {
    fn at_its_end(path: &Path) -> Result<Self, String> {
        let open = File::open(path).and_then(|mut file| file.seek(SeekFrom::End(0)).map(|_| file));
        open.map(Self).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// The message of the first new line that holds this.
    fn new_line_with(&mut self, reason: &str) -> Result<Option<String>, String> {
        let mut text = Vec::new();
        self.0.read_to_end(&mut text).map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&text);
        let line = text.lines().find(|line| line.contains(reason));
        Ok(line.map(|line| line.split_once("LOG:  ").map_or(line, |(_, message)| message).to_owned()))
    }
}
