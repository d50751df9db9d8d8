//! Arguments of `trefoil residency …`. Those that an auditor's own program has as well are `residency::cli`'s.

use clap::{Args, Subcommand};

use super::Enclave;

#[derive(Debug, Subcommand)]
pub(crate) enum ResidencyCommand {
    /// Look at every path by which a copy could leave, at every site
    #[command(after_help = CHECK_EXAMPLES)]
    Check(Check),
    /// Say what a check looks at, why it matters, and what it cannot see
    #[command(after_help = residency::cli::EXPLAIN_EXAMPLES)]
    Explain(residency::cli::Explain),
    /// Print the SQL that makes the checker's role, which is no superuser and reads no data
    #[command(after_help = residency::cli::GRANTS_EXAMPLES)]
    Grants(residency::cli::Grants),
    /// Look again and again, and put what was found into the record; `trefoil up` does this by itself
    #[command(after_help = WATCH_EXAMPLES)]
    Watch(Enclave),
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) asked: residency::cli::Arguments,
    #[command(flatten)]
    pub(crate) enclave: Enclave,
    /// Have the gate put what was found into the record
    #[arg(long, conflicts_with_all = ["config", "url", "site"])]
    pub(crate) record: bool,
}

const CHECK_EXAMPLES: &str = "\
Examples:
  trefoil residency check                              the sites of the default enclave
  trefoil residency check --site hamar --json | jq '.checks[] | select(.result != \"pass\")'
  trefoil residency check --record                     and put it into the record, as evidence
  trefoil residency check --config residency.toml      sites without an enclave, as docs/residency.md says
  trefoil residency check --url 'postgresql://checker@db.example/app?sslmode=verify-full&sslrootcert=ca.pem'

Exit codes: 0 everything passes, 1 something fails, 2 nothing fails but something is unknown.";

const WATCH_EXAMPLES: &str = "\
How often, by which country file, and where the enclave's own networks are is in DIR/residency/checker.toml. What was found
last is in DIR/run/residency.json, and `trefoil status` says it. Exit codes: 0 ended by a signal, 2 cannot look.";
