//! Sites that enclave.toml names since the last start. They are made, and those that were there make room for them, let
//! them copy what they have and follow them. Nobody is made up for them, and nobody moves there. A standby that is new, or
//! is not to be any more, is let follow here or not. Not here: the monitor, which has to accept the bundle by itself.

use policy::{Bundle, Site};

use crate::enclave::estate::Estate;
use crate::ended::{Ended, OrEnded};
use crate::folder::Folder;
use crate::policy_files;
use crate::up::first;
use crate::up::progress::Progress;
use crate::up::secrets::Secrets;

/// Makes the passwords of roles that new servers will have. Nothing is made from a bundle that the operator has not signed.
pub(crate) fn prepare(folder: &Folder, new: &[&String]) -> Result<(), Ended> {
    let bundle = signed(folder)?;
    let stated = folder.gate(access::HOMES_FILE);
    let is_site = |name: &&&String| bundle.enclave().sites.iter().any(|site| site.name == ***name);
    if let Some(site) = new.iter().find(is_site).filter(|_| stated.exists()) {
        return Err(Ended::not(format!(
            "{}: homes were moved, and the statement about them does not know of {site}; take it out of enclave.toml",
            stated.display()
        )));
    }
    let mut secrets = Secrets::read(folder)?;
    secrets.complete(&bundle);
    secrets.write(folder)
}

/// Provisions what is not provisioned to the end, at sites that run. Begins where an earlier start was interrupted. While a
/// home is held elsewhere the sites are as a failover left them, and nothing is provisioned.
pub(crate) async fn finish(
    folder: &Folder,
    estate: &Estate,
    is_new: bool,
    progress: &Progress,
) -> Result<(), Ended> {
    let homes = estate.homes()?;
    let at_home = |site: &Site| homes.now().holds(&site.name, &site.name) && !homes.is_out(&site.name);
    if homes.next().is_some() || !estate.bundle().enclave().sites.iter().all(at_home) {
        let remedy = "bring it back (`trefoil sites failback`) before a server is added";
        return if is_new { Err(Ended::not(format!("a home is held elsewhere; {remedy}"))) } else { Ok(()) };
    }
    let unfinished = sites::unfinished(estate.bundle(), estate.clusters()).await;
    let unfinished = unfinished.or_not("looking for sites that are new")?;
    if unfinished.is_empty() {
        return Ok(());
    }
    signed(folder)?;
    progress.step(&format!("making room at {}", unfinished.join(", ")));
    let generate = sites::Generate { seed: 0, subjects: 0 };
    first::provision(estate, generate, &Secrets::read(folder)?, progress).await
}

fn signed(folder: &Folder) -> Result<Bundle, Ended> {
    let key = policy_files::bundle_key(folder)?;
    let signed = access::signed_bundle(&folder.bundle(), key.verifier());
    signed.or_not("no site is made from this policy bundle")
}
