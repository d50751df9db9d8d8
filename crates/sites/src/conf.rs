//! The text of a cluster's configuration files, written whole before every start: what is in them comes from here and
//! from the bundle. Not here: `pg_hba.conf` (`wall`), which the wall rests on.

use std::path::Path;

use policy::Bundle;
use wall::services::SERVICE_CONNECTIONS_MAX;

use crate::Host;

/// Connections beside the pool's: siblings, watch, monitor, administrator.
const OTHER_CONNECTIONS: usize = 32;
/// Tables that one subscription copies at the same time while it catches up.
const COPIES_PER_SIBLING: usize = 4;

/// `postgresql.conf`. Sizes are for several sites on one small machine.
pub(crate) fn postgresql(
    bundle: &Bundle,
    site: &str,
    port: u16,
    socket: &Path,
    more: &[(&'static str, String)],
) -> String {
    let enclave = bundle.enclave();
    let pool = usize::from(enclave.sessions_per_profile) * bundle.profiles().len();
    let services = usize::from(SERVICE_CONNECTIONS_MAX) * enclave.services.len();
    let siblings = enclave.sites.len().saturating_sub(1);
    // A sibling needs one sender and slot to follow, and more while it copies; a subscription the same in workers.
    // A standby needs two to be copied. It must have as many as its site of everything, so all servers have the same.
    let streams = siblings * (1 + COPIES_PER_SIBLING) + 6;
    let mut settings = vec![
        ("listen_addresses", "127.0.0.1".to_owned()),
        ("port", port.to_string()),
        ("unix_socket_directories", socket.display().to_string()),
        ("max_connections", (pool + services + OTHER_CONNECTIONS).to_string()),
        ("shared_buffers", "64MB".to_owned()),
        ("maintenance_work_mem", "64MB".to_owned()),
        ("max_wal_size", "1GB".to_owned()),
        ("wal_level", "logical".to_owned()),
        ("max_wal_senders", streams.to_string()),
        ("max_replication_slots", streams.to_string()),
        ("max_logical_replication_workers", streams.to_string()),
        ("max_worker_processes", (streams + 8).to_string()),
        ("max_sync_workers_per_subscription", COPIES_PER_SIBLING.to_string()),
        ("wal_retrieve_retry_interval", "500ms".to_owned()),
        ("authentication_timeout", "10s".to_owned()),
        // Only a superuser sees it in pg_settings; the library's own settings are drift when it is not loaded.
        ("shared_preload_libraries", wall::stats::EXTENSION.to_owned()),
        ("log_line_prefix", "%m [%p] %q%u@%d %h ".to_owned()),
        ("timezone", "UTC".to_owned()),
        ("log_timezone", "UTC".to_owned()),
        ("lc_messages", "C".to_owned()),
        ("jit", "off".to_owned()),
        // Only a superuser sees it in pg_settings, so drift cannot watch it.
        ("ssl_min_protocol_version", "TLSv1.3".to_owned()),
    ];
    settings.extend(wall::hba::SETTINGS.iter().map(|(name, value)| (*name, (*value).to_owned())));
    settings.push((wall::hba::SYNCHRONOUS, wall::hba::synchronous(bundle, site)));
    settings.extend_from_slice(more);
    let mut text = "# Written by trefoil before every start.\n".to_owned();
    for (name, value) in settings {
        text.push_str(&format!("{name} = {}\n", wall::names::literal(&value)));
    }
    text
}

/// `pg_ident.conf`: which users of the operating system are the administrator, by Unix socket.
pub(crate) fn ident(host: &Host) -> String {
    let mut text = "# Written by trefoil before every start.\n".to_owned();
    for user in host.administrators() {
        text.push_str(&format!("trefoil \"{user}\" {}\n", wall::names::ADMIN));
    }
    text
}
