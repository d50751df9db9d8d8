//! Arguments of `trefoil principal totp`.

use clap::Args;

use super::Enclave;

#[derive(Debug, Args)]
pub(crate) struct Totp {
    /// What they log in as
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Take their codes back instead: the app that made them is lost, or they are gone
    #[arg(long)]
    pub(crate) remove: bool,
    #[command(flatten)]
    pub(crate) enclave: Enclave,
    /// Print one JSON object instead of lines
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) const TOTP_EXAMPLES: &str = "\
Examples:
  trefoil principal totp aoife             prints an otpauth:// URI, once, for her authenticator app
  trefoil principal totp aoife | qrencode -t ansiutf8
  trefoil principal totp aoife --remove    a second set-up takes the first back, too

The running gate goes by it at once. Exit codes: 0 done, 1 refused, 2 cannot tell (bad arguments, a missing part).";
