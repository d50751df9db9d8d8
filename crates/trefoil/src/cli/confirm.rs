//! Arguments of `trefoil confirm`.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Confirm {
    /// Where the gate is and who you are, as psql takes it: words such as host=… user=…, or a postgresql:// URL [default:
    /// PGHOST, PGPORT, PGUSER, PGSSLROOTCERT]
    #[arg(value_name = "CONNINFO")]
    pub(crate) target: Option<String>,
    /// The six digits that your authenticator app shows; without it they are asked for
    #[arg(long, value_name = "DIGITS")]
    pub(crate) code: Option<String>,
    /// Print one JSON object instead of a line
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) const EXAMPLES: &str = "\
Examples:
  trefoil confirm \"host=gate.example port=6432 user=aoife sslrootcert=ca.pem\"
  PGHOST=gate.example PGUSER=aoife trefoil confirm --code 287082

Needed when the gate says that a login is unusual: it takes the password and a one-time code, from the same address as that
login, and lets the next one pass. The password is PGPASSWORD, that of ~/.pgpass (or PGPASSFILE), or asked for. The server
must show a certificate that sslrootcert (or the system) vouches for.

Exit codes: 0 confirmed, 1 refused, 2 cannot tell (the gate does not answer, bad arguments).";
