//! Arguments of `trefoil sites …`.

use clap::{Args, Subcommand};

use super::{Enclave, Report};

#[derive(Debug, Subcommand)]
pub(crate) enum SitesCommand {
    /// How the sites are: homes, replication, lag, conflicts, differing schemas, sizes, subjects by home
    #[command(after_help = STATUS_EXAMPLES)]
    Status(Report),
    /// Have the home of a site written at another: exactly once, and never at two
    #[command(after_help = FAILOVER_EXAMPLES)]
    Failover(Failover),
    /// Bring a site back: it follows its siblings again, and its home is written there as before
    #[command(after_help = FAILBACK_EXAMPLES)]
    Failback(Failback),
}

#[derive(Debug, Args)]
pub(crate) struct Failover {
    /// The site whose home is to be written elsewhere
    #[arg(value_name = "SITE")]
    pub(crate) site: String,
    /// Where [default: the sibling that has most of what the site wrote]
    #[arg(long, value_name = "SITE")]
    pub(crate) to: Option<String>,
    #[command(flatten)]
    pub(crate) enclave: Enclave,
    /// Print one JSON object instead of lines
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Failback {
    /// The site that is back
    #[arg(value_name = "SITE")]
    pub(crate) site: String,
    #[command(flatten)]
    pub(crate) enclave: Enclave,
    /// Print one JSON object instead of lines
    #[arg(long)]
    pub(crate) json: bool,
}

const STATUS_EXAMPLES: &str = "\
Examples:
  trefoil sites status
  trefoil sites status --json | jq '.replication[] | {from, to, lag_bytes, lag_seconds}'

It writes a message of nothing into each site's log and sees how long each sibling takes to confirm it: that is the lag.
Exit codes: 0 every site is up and follows every other, 1 not (each problem is told), 2 cannot tell.";

const FAILOVER_EXAMPLES: &str = "\
Examples:
  trefoil sites failover dublin-1                 to the sibling that has most of what it wrote
  trefoil sites failover dublin-1 --to hamar      before work at dublin-1, while it still answers

A site that answers stops first and nothing is lost. One that does not is given up: what it had committed and not shipped
stays there until `trefoil sites failback`. The gate and the monitor must run, because both statements, that it will be so
and that it is so, are entries of the record. Every other site must answer. Run it again when it was interrupted.
Exit codes: 0 the home is written at the other site, 1 refused or not finished (what to do is said), 2 cannot tell.";

const FAILBACK_EXAMPLES: &str = "\
Example:
  trefoil up && trefoil sites failback dublin-1

What the site had committed and not shipped is written into a file at that site, beside what the home has under the same
keys: it is neither dropped nor merged. Run it again when it was interrupted.
Exit codes: 0 the site writes its home again, 1 refused or not finished (what to do is said), 2 cannot tell.";
