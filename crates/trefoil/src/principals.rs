//! `trefoil principal …`: who may ask. A change is made in the bundle's directory and in the gate's verifiers, and
//! signed; it holds once the monitor has accepted it and the gate was started again. Not here: what a role permits.

mod text;
mod totp;

use std::io::BufRead;

use policy::{Bundle, Principal, PrincipalKind};
use serde::Serialize;
use serde_json::json;

use crate::cli::{PrincipalAdd, PrincipalRemove, Report};
use crate::enclave::estate;
use crate::enclave::ready::{Logins, shell_word};
use crate::ended::{Ended, OrEnded};
use crate::folder::{self, Folder};
use crate::policy_files;
use crate::terminal;
use crate::up::{Secrets, random_password};

pub(crate) use totp::totp;

const DIRECTORY: &str = "directory.toml";
/// The verifier's iterations do little for a password that can be guessed.
const PASSWORD_BYTES_MIN: usize = 16;
const PASSWORD_BYTES_MAX: usize = 256;

pub(crate) fn add(asked: &PrincipalAdd) -> Result<(), Ended> {
    let folder = asked.enclave.folder();
    folder.require_complete()?;
    let before = estate::read_bundle(&folder)?;
    check_words(&before, asked)?;
    if before.directory().principal(&asked.name).is_some() {
        let remedy = "`trefoil principal remove` it first, or choose another name";
        return Err(Ended::not(format!("`{}` is a principal already; {remedy}", asked.name)));
    }
    let new = text::Written {
        name: &asked.name,
        display: asked.display.as_deref().unwrap_or(&asked.name),
        kind: asked.kind.as_str(),
        employer: &asked.employer,
        office: &asked.office,
        roles: &asked.roles,
    };
    let path = folder.bundle().join(DIRECTORY);
    let edited = text::with(&folder::read_text(&path)?, &new).or_cannot_tell("adding the principal")?;
    let bundle = check(&folder, &edited)?;
    let (password, given) =
        if asked.password_stdin { (read_password()?, true) } else { (random_password(), false) };
    // The verifier first: without an entry in the directory it opens nothing, and an entry without it would need one.
    let mut secrets = Secrets::read(&folder)?;
    secrets.set_principal(&asked.name, &password)?;
    secrets.write(&folder)?;
    write(&folder, &edited, &bundle)?;
    let next = next(&folder);
    if asked.json {
        let password = (!given).then_some(password);
        let policy = bundle.hash().to_string();
        return terminal::say_json(&json!({
            "name": asked.name, "password": password, "policy": policy, "next": next,
        }));
    }
    terminal::say(&format!("added {}; policy {} is signed", asked.name, bundle.hash()));
    if !given {
        terminal::say(&format!("password, shown this once: {password}"));
    }
    say_next(&next);
    Ok(())
}

pub(crate) fn remove(asked: &PrincipalRemove) -> Result<(), Ended> {
    let folder = asked.enclave.folder();
    folder.require_complete()?;
    let path = folder.bundle().join(DIRECTORY);
    let edited =
        text::without(&folder::read_text(&path)?, &asked.name).or_cannot_tell("removing the principal")?;
    let Some(edited) = edited else {
        let remedy = "`trefoil principal list` names those that are";
        return Err(Ended::not(format!("`{}` is no principal; {remedy}", asked.name)));
    };
    let bundle = check(&folder, &edited)?;
    write(&folder, &edited, &bundle)?;
    // The verifier last: whoever is in the directory must be able to log in.
    let mut secrets = Secrets::read(&folder)?;
    secrets.forget_principal(&asked.name);
    secrets.write(&folder)?;
    forget_login(&folder, &asked.name)?;
    let next = next(&folder);
    if asked.json {
        let policy = bundle.hash().to_string();
        return terminal::say_json(&json!({ "name": asked.name, "policy": policy, "next": next }));
    }
    terminal::say(&format!("removed {}; policy {} is signed", asked.name, bundle.hash()));
    terminal::say("A session that they have open goes on until the gate has been started again.");
    say_next(&next);
    Ok(())
}

/// A principal as it is listed. The field names are a promise.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    name: &'a str,
    display: &'a str,
    kind: PrincipalKind,
    employer: &'a str,
    office: &'a str,
    roles: Vec<&'a str>,
    /// Whether the gate has a verifier: without one, nobody logs in as this principal.
    verifier: bool,
    /// Whether they can give a second proof.
    totp: bool,
}

pub(crate) fn list(asked: &Report) -> Result<(), Ended> {
    let folder = asked.enclave.folder();
    folder.require_complete()?;
    let bundle = estate::read_bundle(&folder)?;
    let secrets = Secrets::read(&folder)?;
    let listed = |principal| Listed::of(principal, &secrets);
    let listed: Vec<_> = bundle.directory().principals.iter().map(listed).collect();
    if asked.json {
        return terminal::say_json(&json!({ "principals": listed }));
    }
    let lines: Vec<String> = listed.iter().map(Listed::line).collect();
    terminal::say(&lines.join("\n"));
    Ok(())
}

impl<'a> Listed<'a> {
    fn of(principal: &'a Principal, secrets: &Secrets) -> Self {
        Self {
            name: &principal.name,
            display: &principal.display,
            kind: principal.kind,
            employer: &principal.employer,
            office: &principal.office,
            roles: principal.roles.iter().map(String::as_str).collect(),
            verifier: secrets.has_principal(&principal.name),
            totp: secrets.has_totp(&principal.name),
        }
    }

    fn line(&self) -> String {
        let Self { name, display, kind, employer, office, .. } = self;
        let roles = if self.roles.is_empty() { "no role".to_owned() } else { self.roles.join(", ") };
        let verifier = if self.verifier { "" } else { "  (no password)" };
        let totp = if self.totp { "  (one-time codes)" } else { "" };
        let kind = kind.to_string();
        format!("{name:<16} {kind:<8} {display}, {employer}, {office}: {roles}{verifier}{totp}")
    }
}

/// What the bundle would say by line of a file that is not written yet, in the words of the command line.
fn check_words(bundle: &Bundle, asked: &PrincipalAdd) -> Result<(), Ended> {
    let directory = bundle.directory();
    let places = bundle.enclave().places.iter().map(|place| place.name.as_str()).collect::<Vec<_>>();
    let employers = directory.employers.iter().map(String::as_str).collect::<Vec<_>>();
    let roles = directory.roles.iter().map(String::as_str).collect::<Vec<_>>();
    let mut asked_for = vec![("employer", &asked.employer, &employers), ("office", &asked.office, &places)];
    asked_for.extend(asked.roles.iter().map(|role| ("role", role, &roles)));
    for (option, word, known) in asked_for {
        if !known.contains(&word.as_str()) {
            let file = if option == "office" { "places in enclave.toml" } else { "those in directory.toml" };
            let known = known.join(", ");
            return Err(Ended::not(format!("--{option}: there is no `{word}`; use one of {file}: {known}")));
        }
    }
    Ok(())
}

/// The bundle as it would be with this directory; nothing is written yet.
fn check(folder: &Folder, directory: &str) -> Result<Bundle, Ended> {
    let mut files = access::bundle_files(&folder.bundle()).or_cannot_tell("reading the policy bundle")?;
    files.insert(DIRECTORY.to_owned(), directory.as_bytes().to_vec());
    Bundle::read(&files).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Ended::not(format!(
            "nothing was changed; with this change the bundle is refused:\n{}",
            lines.join("\n")
        ))
    })
}

/// If this ends between the two, the signature fits no more: nothing starts, and `trefoil policy sign` mends it.
fn write(folder: &Folder, directory: &str, bundle: &Bundle) -> Result<(), Ended> {
    folder::write_public(&folder.bundle().join(DIRECTORY), directory.as_bytes())?;
    policy_files::sign_bundle(folder, bundle)
}

/// The example's passwords are kept for whoever tries it out.
fn forget_login(folder: &Folder, name: &str) -> Result<(), Ended> {
    if !folder.principals().is_file() {
        return Ok(());
    }
    let mut logins: Logins = folder::read_json(&folder.principals())?;
    if logins.remove(name).is_some() {
        folder::write_secret(&folder.principals(), &folder::json_bytes(&logins)?)?;
    }
    Ok(())
}

fn read_password() -> Result<String, Ended> {
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .or_cannot_tell("reading the password from standard input")?;
    let password = line.trim_end_matches(['\r', '\n']).to_owned();
    if !(PASSWORD_BYTES_MIN..=PASSWORD_BYTES_MAX).contains(&password.len()) {
        let bounds = format!("{PASSWORD_BYTES_MIN} to {PASSWORD_BYTES_MAX} bytes");
        return Err(Ended::not(format!(
            "the password on standard input is not of {bounds}; nothing was changed"
        )));
    }
    Ok(password)
}

/// What is still to be done: a new directory is a new bundle, which the monitor accepts by itself.
fn next(folder: &Folder) -> Vec<String> {
    let word = |path: &std::path::Path| shell_word(&path.to_string_lossy());
    let (dir, monitor, bundle) = (word(folder.dir()), word(&folder.monitor()), word(&folder.bundle()));
    vec![
        format!("trefoil-monitor accept --dir {monitor} --bundle {bundle}"),
        format!("trefoil down --dir {dir} && trefoil up --dir {dir}"),
    ]
}

fn say_next(next: &[String]) {
    terminal::say("The monitor has to accept the changed directory, by itself, and the gate to start again:");
    for line in next {
        terminal::say(&format!("  {line}"));
    }
}
