//! Hot standbys: a second server of a site, copied whole from the first and following it page by page. It has the roles,
//! the wall and the data of its site, and writes nothing, whoever asks. Not here: who is sent there (the gate), and taking
//! a site's place, which is a sibling's.

use std::time::SystemTime;

use policy::Bundle;
use wall::baseline;
use wall::names::STANDBY;

use crate::ca::Authority;
use crate::mesh::quoted_word;
use crate::secrets::{password, verifier};
use crate::{Cluster, SitesError};

/// Says that a server follows another.
const SIGNAL: &str = "standby.signal";

/// Copies a site, which runs, to its standby, which does not, unless that was done before; and writes its configuration.
/// The password by which it follows is made anew each time, and is nowhere else.
///
/// # Errors
/// When the site refuses, or cannot be copied.
pub async fn prepare(
    standby: &Cluster,
    site: &Cluster,
    bundle: &Bundle,
    operator: &Authority,
    monitor_ca: &str,
    now: SystemTime,
) -> Result<(), SitesError> {
    let password = let_follow(site).await?;
    let connection = format!(
        "host=127.0.0.1 port={} user={STANDBY} sslmode=verify-full sslrootcert={} sslcert={}",
        site.port(),
        quoted_word(&site.operator_ca().display().to_string()),
        quoted_word(&site.no_certificate().display().to_string())
    );
    if !standby.exists() {
        let mut copy = standby.host.program("pg_basebackup");
        copy.env("PGPASSWORD", &password).args(["--dbname", &connection, "--no-password"]);
        copy.args(["--wal-method", "stream", "--slot", STANDBY, "--checkpoint", "fast"]);
        let target = standby.clone();
        tokio::task::spawn_blocking(move || target.make_data(copy)).await??;
    }
    standby.host.write_private(&standby.data().join(SIGNAL), "")?;
    let more = [
        ("primary_conninfo", format!("{connection} password={password}")),
        ("primary_slot_name", STANDBY.to_owned()),
        ("hot_standby", "on".to_owned()),
        // A reader would be ended when the site clears rows away that it may still see. What that keeps at the site is
        // bounded by how long a statement may take.
        ("hot_standby_feedback", "on".to_owned()),
    ];
    standby.configure(bundle, operator, monitor_ca, now, &more)
}

/// Sets a new password, and keeps what the standby has not taken.
async fn let_follow(site: &Cluster) -> Result<String, SitesError> {
    let failed = || SitesError::database(site.site(), "let its standby follow");
    let password = password();
    let client = site.admin().await?;
    client.batch_execute(&baseline::keep_for_standby()).await.map_err(failed())?;
    let set = baseline::set_password(STANDBY, &verifier(STANDBY, &password)?);
    client.batch_execute(&set).await.map_err(failed())?;
    Ok(password)
}
