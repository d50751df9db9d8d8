//! `trefoil principal totp`: the secret that a person's app makes one-time codes from. It is kept beside the verifiers, and
//! shown once. Not here: when a code is asked for, and which holds (`access`).

use policy::PrincipalKind;
use serde_json::json;

use crate::cli::principal::Totp;
use crate::enclave::estate;
use crate::ended::Ended;
use crate::terminal;
use crate::up::Secrets;

pub(crate) fn totp(asked: &Totp) -> Result<(), Ended> {
    let folder = asked.enclave.folder();
    folder.require_complete()?;
    let bundle = estate::read_bundle(&folder)?;
    let name = &asked.name;
    let mut secrets = Secrets::read(&folder)?;
    if asked.remove {
        if !secrets.forget_totp(name) {
            return Err(Ended::not(format!("`{name}` has no one-time codes")));
        }
        secrets.write(&folder)?;
        if asked.json {
            return terminal::say_json(&json!({ "name": name, "totp": false }));
        }
        terminal::say(&format!("{name} has no one-time codes any more"));
        return Ok(());
    }
    let Some(principal) = bundle.directory().principal(name) else {
        return Err(Ended::not(format!(
            "`{name}` is no principal; `trefoil principal list` names those that are"
        )));
    };
    if principal.kind == PrincipalKind::Service {
        let remedy = "where it comes from is known beforehand, and `trefoil logins pass` answers for a move";
        return Err(Ended::not(format!("`{name}` is a service, and reads no codes; {remedy}")));
    }
    let uri = secrets.make_totp(name).uri(&format!("Trefoil {}", bundle.enclave().name), name);
    secrets.write(&folder)?;
    if asked.json {
        return terminal::say_json(&json!({ "name": name, "totp": true, "uri": uri }));
    }
    terminal::note(&format!(
        "one-time codes for {name}, shown this once; what was set up before holds no more:"
    ));
    terminal::say(&uri);
    Ok(())
}
