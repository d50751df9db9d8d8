//! Arguments of `trefoil sites …`.

use clap::Subcommand;

use super::Report;

#[derive(Debug, Subcommand)]
pub(crate) enum SitesCommand {
    /// How the sites are: homes, replication, lag, conflicts, differing schemas, sizes, subjects by home
    #[command(after_help = STATUS_EXAMPLES)]
    Status(Report),
}

const STATUS_EXAMPLES: &str = "\
Examples:
  trefoil sites status
  trefoil sites status --json | jq '.replication[] | {from, to, lag_bytes, lag_seconds}'

It writes a message of nothing into each site's log and sees how long each sibling takes to confirm it: that is the lag.
Exit codes: 0 every site is up and follows every other, 1 not (each problem is told), 2 cannot tell.";
