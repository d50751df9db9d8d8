//! The command line: every subcommand, its arguments and its help. Nothing is done here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::folder::Folder;

const EXIT_CODES: &str = "Exit codes: 0 as promised, 1 not, 2 cannot tell (bad arguments, a missing part).";

/// Keeps the personal data of a region's people inside that region, and lets an outsider check that it does.
#[derive(Debug, Parser)]
#[command(name = "trefoil", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start an enclave on this machine: three sites, the gate, the record, the monitor
    #[command(after_help = UP_EXAMPLES)]
    Up(Up),
    /// End a running enclave, in order
    Down(Enclave),
    /// Which parts run, and how far the record is
    Status(Report),
    /// Compare what is with what was promised: schema at every site, parts, record
    #[command(after_help = EXIT_CODES)]
    Check(Report),
    /// Tell the story of the example through real client connections, and check every line of it
    #[command(after_help = TOUR_EXAMPLES)]
    Tour(Report),
    /// The operator's policy bundle
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// The published record
    #[command(subcommand)]
    Record(RecordCommand),
    /// The access gate by itself
    #[command(subcommand)]
    Access(AccessCommand),
    /// Print a completion script
    #[command(after_help = "Example:\n  trefoil completions bash > /etc/bash_completion.d/trefoil")]
    Completions(Completions),
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Check the bundle and compile its profiles into views, row security and roles at every site
    #[command(after_help = APPLY_EXAMPLES)]
    Apply(Enclave),
    /// Check the bundle and sign it with the operator's key
    Sign(Enclave),
}

#[derive(Debug, Subcommand)]
pub(crate) enum RecordCommand {
    /// Check a record offline: tree, checkpoint, signatures, every entry
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(Verify),
    /// Print entries, with their details where the operator's identity can open them
    #[command(after_help = SHOW_EXAMPLES)]
    Show(Show),
    /// Print the keys and the rule by which anyone can check the record
    Keys(Report),
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccessCommand {
    /// Run the access gate of an enclave in the foreground; `trefoil up` does this by itself
    Run(Enclave),
}

/// The enclave's folder, which every subcommand takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Enclave {
    /// The enclave's folder [default: /var/lib/trefoil/enclave for root, else trefoil in the user's state folder]
    #[arg(long, value_name = "DIR", env = "TREFOIL_DIR")]
    pub(crate) dir: Option<PathBuf>,
}

impl Enclave {
    /// The folder asked for, or the default one; absolute, so that it can be printed and handed on.
    pub(crate) fn folder(&self) -> Folder {
        let dir = self.dir.clone().unwrap_or_else(Folder::default_dir);
        Folder::at(std::path::absolute(&dir).unwrap_or(dir))
    }
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Report {
    #[command(flatten)]
    pub(crate) enclave: Enclave,
    /// Print one JSON object instead of lines
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) enclave: Enclave,
    /// How many subjects to make at the first start
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) subjects: u32,
    /// What the made subjects are drawn from: the same seed makes the same people
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// A folder with enclave.toml, catalog.toml, directory.toml and policy/, instead of the example of Europe
    #[arg(long = "enclave", value_name = "DIR")]
    pub(crate) enclave_files: Option<PathBuf>,
    /// Return when everything is ready and leave it running
    #[arg(long)]
    pub(crate) detach: bool,
    /// Print one JSON object when ready instead of lines
    #[arg(long)]
    pub(crate) json: bool,
    /// Set on the process that stays behind after --detach
    #[arg(long, hide = true)]
    pub(crate) detached: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// An enclave's folder, or the folder of a record [default: the enclave's folder]
    #[arg(value_name = "DIR|FOLDER")]
    pub(crate) target: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) enclave: Enclave,
    /// The keys and the quorum to ask for, as tlog-policy text [default: the enclave's own]
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Print one JSON object instead of lines
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// One entry; without it, all of them
    #[arg(value_name = "INDEX")]
    pub(crate) index: Option<u64>,
    #[command(flatten)]
    pub(crate) enclave: Enclave,
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell to complete in
    pub(crate) shell: Shell,
}

const UP_EXAMPLES: &str = "\
Examples:
  trefoil up                                  start in the foreground; Ctrl-C ends everything
  trefoil up --detach --json                  start, print where everything is, return
  trefoil up --dir /srv/enclave --subjects 1000

A second `up` on the same folder starts from what is there; on a running enclave it starts the parts that ended.
Exit codes: 0 as promised, 1 not, 2 cannot tell (bad arguments, a missing part).";

const TOUR_EXAMPLES: &str = "\
The enclave must be running. The tour stops the monitor and starts it again.
Exit codes: 0 when every observation was as promised, 1 when one was not, 2 cannot tell.";

const APPLY_EXAMPLES: &str = "\
Example:
  $EDITOR DIR/bundle/policy/europe.cedar && trefoil policy sign && trefoil policy apply

It speaks to the sites as their administrator, over Unix sockets. The gate must be started again afterwards, and the
monitor must accept the new bundle by itself (`trefoil-monitor accept`).";

const VERIFY_EXAMPLES: &str = "\
Examples:
  trefoil record verify                       the default enclave's record
  trefoil record verify DIR                   the record of the enclave in DIR
  trefoil record verify COPY --policy FILE    a copy of a record, by keys got elsewhere

Exit codes: 0 the record is whole, 1 it is not (each finding says what and where), 2 cannot tell.";

const SHOW_EXAMPLES: &str = "\
Examples:
  trefoil record show                         every entry, a line each
  trefoil record show 42                      one entry with its detail
  trefoil record show --json | jq .kind";
