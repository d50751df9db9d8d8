//! The command line: every subcommand, its arguments and its help. Nothing is done here.

use std::net::SocketAddr;
pub(crate) mod catalog;
pub(crate) mod confirm;
pub(crate) mod inspect;
pub(crate) mod logins;
pub(crate) mod principal;
pub(crate) mod record;
pub(crate) mod residency;
pub(crate) mod sites;
pub(crate) mod tour;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
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
    #[command(after_help = tour::EXAMPLES)]
    Tour(tour::Tour),
    /// The operator's policy bundle
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Who may ask: the principals of the bundle's directory
    #[command(subcommand)]
    Principal(PrincipalCommand),
    /// The random tokens that stand for subjects
    #[command(subcommand)]
    Pseudonyms(PseudonymsCommand),
    /// The sites: how they are and how they follow each other
    #[command(subcommand)]
    Sites(sites::SitesCommand),
    /// Subjects who arrive at an enclave that is in use
    #[command(subcommand)]
    Subjects(SubjectsCommand),
    /// The published record
    #[command(subcommand)]
    Record(RecordCommand),
    /// Every path by which a copy of data could leave a site, read from the database's own state
    #[command(subcommand)]
    Residency(residency::ResidencyCommand),
    /// Give the gate a second proof that a login is yours: a one-time code
    #[command(after_help = confirm::EXAMPLES)]
    Confirm(confirm::Confirm),
    /// The access gate by itself
    #[command(subcommand)]
    Access(AccessCommand),
    /// What a database holds, and whether its catalog still says so
    #[command(subcommand)]
    Catalog(catalog::Command),
    /// Streams of logins: how suspicious each is, and how well that is told
    #[command(subcommand)]
    Logins(logins::LoginsCommand),
    /// Identifiers of people in any text
    #[command(subcommand)]
    Inspect(inspect::Command),
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
    /// Say what a request would be answered, and which policy says so
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(Explain),
}

#[derive(Debug, Subcommand)]
pub(crate) enum PrincipalCommand {
    /// Add a person or service to the directory, make its password, sign the bundle
    #[command(after_help = ADD_EXAMPLES)]
    Add(PrincipalAdd),
    /// Print the principals of the directory
    #[command(after_help = EXIT_CODES)]
    List(Report),
    /// Take a principal out of the directory, forget its password, sign the bundle
    #[command(after_help = REMOVE_EXAMPLES)]
    Remove(PrincipalRemove),
    /// Set up one-time codes for a person, for logins that the gate finds unusual
    #[command(after_help = principal::TOTP_EXAMPLES)]
    Totp(principal::Totp),
}

#[derive(Debug, Subcommand)]
pub(crate) enum PseudonymsCommand {
    /// Whether every subject has a token in every scope, site by site
    #[command(after_help = EXIT_CODES)]
    Status(Report),
    /// Give every subject a new token in one scope, and forget the old ones for ever
    #[command(after_help = FORGET_EXAMPLES)]
    Forget(Forget),
}

#[derive(Debug, Subcommand)]
pub(crate) enum SubjectsCommand {
    /// Make subjects up, who follow those that are there, and write them to a file
    #[command(after_help = SUBJECTS_EXAMPLES)]
    Make(SubjectsMake),
    /// Take the subjects of a file in, each at its home
    #[command(after_help = SUBJECTS_EXAMPLES)]
    Load(SubjectsLoad),
}

#[derive(Debug, Args)]
pub(crate) struct SubjectsMake {
    /// How many
    #[arg(value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) count: u32,
    /// Where to write them, a line each
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// What the enclave's subjects were drawn from
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) enclave: Enclave,
}

#[derive(Debug, Args)]
pub(crate) struct SubjectsLoad {
    /// Subjects, a line each: {"table": [{"column": value}]}
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) enclave: Enclave,
}

const SUBJECTS_EXAMPLES: &str = "Example:\n  trefoil subjects make 1000 --out coming.ndjson\n  \
    trefoil-monitor plant 20 --dir DIR/monitor --among coming.ndjson --out load.ndjson\n  \
    trefoil subjects load load.ndjson";

#[derive(Debug, Subcommand)]
pub(crate) enum RecordCommand {
    /// Check a record, a folder's or a served one, or one entry's receipt: tree, checkpoint, signatures, every entry
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(Verify),
    /// Make a receipt: proof that an entry is in the record, which anyone can verify by itself
    #[command(after_help = PROVE_EXAMPLES)]
    Prove(Prove),
    /// Serve the published record over HTTP, as C2SP tlog-tiles says; `trefoil up` does this by itself
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(Serve),
    /// Print entries, with their details where the operator's identity can open them
    #[command(after_help = SHOW_EXAMPLES)]
    Show(Show),
    /// Open the sealed detail of one entry, and check that it is the one the entry commits to
    #[command(after_help = OPEN_EXAMPLES)]
    Open(Open),
    /// Print the keys and the rule by which anyone can check the record
    Keys(Report),
    /// Destroy the keys of a day, here and at the monitor: nobody can open that day's details any more
    #[command(after_help = record::FORGET_EXAMPLES)]
    Forget(record::Forget),
    /// Decide a whole record again with an auditor's key and the signed bundles, asking neither party
    #[command(after_help = record::REPLAY_EXAMPLES)]
    Replay(record::Replay),
    /// Find out whether the monitor decides by itself: send it decisions that it must refuse
    #[command(after_help = record::PROBE_EXAMPLES)]
    Probe(record::Probe),
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
    /// A file of countries in the MaxMind DB format, by which the residency checker places addresses; it is copied
    #[arg(long, value_name = "FILE", env = "TREFOIL_COUNTRY_FILE")]
    pub(crate) country_file: Option<PathBuf>,
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
pub(crate) struct Explain {
    /// Who asks: a name of directory.toml
    #[arg(value_name = "PRINCIPAL")]
    pub(crate) principal: String,
    /// From which country: a code such as CN, or `unknown`
    #[arg(long, value_name = "CN", required_unless_present = "listener")]
    pub(crate) place: Option<String>,
    /// From which place of enclave.toml, instead of a country
    #[arg(long, value_name = "NAME", conflicts_with = "place")]
    pub(crate) listener: Option<String>,
    /// What they state at connect as trefoil.purpose
    #[arg(long, value_name = "P")]
    pub(crate) purpose: Option<String>,
    /// What they state at connect as trefoil.ticket
    #[arg(long, value_name = "T")]
    pub(crate) ticket: Option<String>,
    #[command(flatten)]
    pub(crate) enclave: Enclave,
    /// A folder with a bundle, instead of the enclave's own
    #[arg(long, value_name = "DIR")]
    pub(crate) bundle: Option<PathBuf>,
    /// Print one JSON object instead of lines
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PrincipalAdd {
    /// What they log in as: a-z, 0-9 and -, a letter first
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Their name for people to read [default: NAME]
    #[arg(long, value_name = "TEXT")]
    pub(crate) display: Option<String>,
    /// A person or a service
    #[arg(long, value_enum, default_value_t = Kind::Person)]
    pub(crate) kind: Kind,
    /// For whom they work: an employer of directory.toml
    #[arg(long, value_name = "EMPLOYER")]
    pub(crate) employer: String,
    /// From where they usually ask: a place of enclave.toml; it permits nothing
    #[arg(long, value_name = "PLACE")]
    pub(crate) office: String,
    /// A role of directory.toml; may be given more than once
    #[arg(long = "role", value_name = "ROLE", required = true)]
    pub(crate) roles: Vec<String>,
    /// Take the password from the first line of standard input, instead of making and printing one
    #[arg(long)]
    pub(crate) password_stdin: bool,
    #[command(flatten)]
    pub(crate) enclave: Enclave,
    /// Print one JSON object instead of lines
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Person,
    Service,
}

impl Kind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Service => "service",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct PrincipalRemove {
    /// What they log in as
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) enclave: Enclave,
    /// Print one JSON object instead of lines
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// An enclave's folder, the folder of a record, the URL of one that is served, or a receipt [default: the enclave's
    /// folder]
    #[arg(value_name = "FOLDER|URL|RECEIPT")]
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) enclave: Enclave,
    /// The keys and the quorum to ask for, as tlog-policy text [default: the enclave's own]
    #[arg(long, visible_alias = "policy", value_name = "FILE")]
    pub(crate) rule: Option<PathBuf>,
    /// Where the newest checkpoint of each log is kept, which later ones must continue [default: of an enclave, run/seen
    /// in its folder; of a URL, trefoil-seen beside the enclaves; of a copy, nowhere]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// The entry that a receipt is about, when the receipt does not carry it
    #[arg(long, value_name = "FILE")]
    pub(crate) entry: Option<PathBuf>,
    /// The authorities to believe over HTTPS, PEM [default: the system's]
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Print one JSON object instead of lines
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Prove {
    /// Which entry
    #[arg(value_name = "INDEX")]
    pub(crate) index: u64,
    /// An enclave's folder, the folder of a record, or the URL of one that is served [default: the enclave's folder]
    #[arg(value_name = "FOLDER|URL")]
    pub(crate) from: Option<String>,
    #[command(flatten)]
    pub(crate) enclave: Enclave,
    /// The keys and the quorum that the receipt must satisfy, as tlog-policy text [default: the enclave's own]
    #[arg(long, value_name = "FILE")]
    pub(crate) rule: Option<PathBuf>,
    /// The authorities to believe over HTTPS, PEM [default: the system's]
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Print one JSON object with the receipt in it
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// An enclave's folder, or the folder of a record [default: the enclave's folder]
    #[arg(value_name = "FOLDER")]
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) enclave: Enclave,
    /// Where to listen; port 0 is any free one, and the address is printed
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// Print the address as a JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// One entry, or with --follow the first one; without it, all of them, or the last ten
    #[arg(value_name = "INDEX")]
    pub(crate) index: Option<u64>,
    /// Go on with new entries as they come, until interrupted
    #[arg(long, short)]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) enclave: Enclave,
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Forget {
    /// The scope, as catalog.toml names it
    pub(crate) scope: String,
    #[command(flatten)]
    pub(crate) enclave: Enclave,
    /// Do it: it cannot be undone
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Open {
    /// Which entry
    #[arg(value_name = "INDEX")]
    pub(crate) index: u64,
    /// An age identity (AGE-SECRET-KEY-1…) of the operator, the monitor or the auditor
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    #[command(flatten)]
    pub(crate) enclave: Enclave,
    /// Print one JSON object instead of the detail by itself
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

const APPLY_EXAMPLES: &str = "\
Example:
  $EDITOR DIR/bundle/policy/europe.cedar && trefoil policy sign && trefoil policy apply

It speaks to the sites as their administrator, over Unix sockets. The gate must be started again afterwards, and the
monitor must accept the new bundle by itself (`trefoil-monitor accept`).";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  trefoil policy explain aoife --place IE --purpose support --ticket SUP-1
  trefoil policy explain aoife --listener china --purpose support --ticket SUP-1 --json
  trefoil policy explain aoife --place IE --bundle examples/europe

It reads the bundle as it is on disk, signed or not, and asks no running part.
Exit codes: 0 permitted, 1 denied (or the bundle is refused), 2 cannot tell.";

const ADD_EXAMPLES: &str = "\
Examples:
  trefoil principal add niamh --display 'Niamh Ryan' --employer fernway-ireland --office ireland --role support_agent
  trefoil principal add billing-2 --kind service --employer fernway-ireland --office ireland --role billing_service
  pwgen -s 24 1 | trefoil principal add niamh --employer fernway-ireland --office ireland --role analyst --password-stdin

The rest of directory.toml stays as it is, comments included. The change holds once the monitor has accepted it
(`trefoil-monitor accept`) and the gate was started again; both lines are printed.
Exit codes: 0 added, 1 refused and nothing changed, 2 cannot tell.";

const REMOVE_EXAMPLES: &str = "\
Example:
  trefoil principal remove niamh

A principal that a profile of enclave.toml has as its exemplar cannot be removed before the profile names another.
Exit codes: 0 removed, 1 refused and nothing changed, 2 cannot tell.";

const FORGET_EXAMPLES: &str = "\
Example:
  trefoil pseudonyms forget analytics --yes

It speaks to the sites as their administrator, over Unix sockets, and waits until every site has the new tokens.
Whoever reads the scope meanwhile waits, or sees no token. Exit codes: 0 forgotten, 1 not, 2 cannot tell.";

const VERIFY_EXAMPLES: &str = "\
Examples:
  trefoil record verify                                   the default enclave's record
  trefoil record verify DIR                               the record of the enclave in DIR
  trefoil record verify COPY --rule FILE                  a copy of a record, by keys got elsewhere
  trefoil record verify https://record.example --rule FILE --state DIR
                                                          a record that is served, and that it has only grown
  trefoil record verify r.tlog-proof --rule FILE          that one entry is in the record

Exit codes: 0 the record is whole, 1 it is not (each finding says what and where), 2 cannot tell.";

const PROVE_EXAMPLES: &str = "\
Examples:
  trefoil record prove 42 > r.tlog-proof
  trefoil record prove 42 https://record.example --rule FILE > r.tlog-proof

The receipt is a C2SP tlog-proof whose extra line holds the entry, so that it needs nothing beside it.
Exit codes: 0 proved, 1 the record is not whole, 2 cannot tell (no such entry, no rule).";

const SERVE_EXAMPLES: &str = "\
Examples:
  trefoil record serve                                    the default enclave's record, on a free port
  trefoil record serve --listen 0.0.0.0:8080
  trefoil record serve COPY --listen 127.0.0.1:8080

It reads the published record alone and may run as a user that can read nothing else.
Exit codes: 0 ended by a signal, 2 cannot listen.";

const OPEN_EXAMPLES: &str = "\
Examples:
  trefoil record open 42 --key DIR/operator/detail.age
  trefoil record open 42 --key auditor.age --json | jq .detail.statements

Exit codes: 0 opened, and it is the detail that the entry commits to; 1 it is another one, or was altered; 2 cannot
tell: no such entry, no detail, or a key that opens nothing here.";

const SHOW_EXAMPLES: &str = "\
Examples:
  trefoil record show                         every entry, a line each
  trefoil record show 42                      one entry with its detail
  trefoil record show --follow                the last ten, then each new one as it comes
  trefoil record show --json | jq .kind";
