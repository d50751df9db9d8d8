//! The command line of `trefoil-monitor`: init, run, check, accept. Exit codes: 0 as promised, 1 not, 2 cannot tell.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use monitor::{
    bundle::{self, BundleError},
    clock,
    config::{Config, RawConfig},
    copy::CopyError,
    folder::Folder,
    init::{self, InitError, Plan},
    monitor::{Monitor, StartError},
    serve::Server,
};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

// A tenth of what an entry costs is memory taken and given back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The independent third party's monitor: checks, stores and cosigns what a gate records, and issues session
/// certificates for what it decided the same.
#[derive(Parser)]
#[command(name = "trefoil-monitor", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print results and errors as JSON, one object.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Make a monitor: its keys, its certificate authority, its copy of the operator's signed policy bundle.
    #[command(
        after_help = "Example:\n  trefoil-monitor init --dir monitor --origin europe.example/access \\\n    \
        --log-vkey \"$(cat log.vkey)\" --bundle bundle --bundle-vkey \"$(cat bundle.vkey)\" --listen 127.0.0.1:7480"
    )]
    Init(InitArgs),
    /// Follow the log: check every batch that the gate posts, store it, cosign it.
    #[command(after_help = "Example:\n  trefoil-monitor run --dir monitor")]
    Run(DirArgs),
    /// Check the folder and the whole copy of the record, offline: every entry, detail and signature.
    #[command(after_help = "Example:\n  trefoil-monitor check --dir monitor --json")]
    Check(DirArgs),
    /// Take over a new policy bundle that the operator signed. A running monitor uses it once it is started again.
    #[command(after_help = "Example:\n  trefoil-monitor accept --dir monitor --bundle bundle")]
    Accept(AcceptArgs),
}

#[derive(Args)]
struct DirArgs {
    /// The monitor's folder [default: trefoil-monitor in the user's state directory].
    #[arg(long, env = "TREFOIL_MONITOR_DIR")]
    dir: Option<PathBuf>,
}

#[derive(Args)]
struct InitArgs {
    #[command(flatten)]
    dir: DirArgs,
    /// Origin of the log to follow: the first line of its checkpoints.
    #[arg(long)]
    origin: String,
    /// Verifier key of the log.
    #[arg(long)]
    log_vkey: String,
    /// Folder of the operator's signed policy bundle.
    #[arg(long)]
    bundle: PathBuf,
    /// Verifier key of the operator's signature on bundles.
    #[arg(long)]
    bundle_vkey: String,
    /// Address to serve batches on.
    #[arg(long)]
    listen: String,
    /// Name of the witness key [default: <enclave>-monitor.example/witness].
    #[arg(long)]
    witness_name: Option<String>,
    /// Name of the key of the second decision [default: <enclave>-monitor.example/redecided].
    #[arg(long)]
    redecided_name: Option<String>,
}

#[derive(Args)]
struct AcceptArgs {
    #[command(flatten)]
    dir: DirArgs,
    /// Folder of the signed bundle to take over.
    #[arg(long)]
    bundle: PathBuf,
}

/// What to print, and what went wrong.
enum Outcome {
    Done {
        text: String,
        json: Value,
    },
    /// What was promised does not hold.
    Not(String),
    /// It cannot be told: a part is missing.
    Unknown(String),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Init(args) => with_folder(args.dir.dir.clone(), |folder| init(&folder, args)),
        Command::Run(args) => with_folder(args.dir, |folder| run(&folder, cli.json)),
        Command::Check(args) => with_folder(args.dir, |folder| check(&folder)),
        Command::Accept(args) => with_folder(args.dir.dir, |folder| accept(&folder, &args.bundle)),
    };
    let failed = |why: String, code: u8| {
        if cli.json {
            eprintln!("{}", json!({ "error": why }))
        } else {
            eprintln!("trefoil-monitor: {why}")
        }
        ExitCode::from(code)
    };
    match outcome {
        Outcome::Done { text, json } => {
            if cli.json {
                println!("{json}")
            } else {
                println!("{text}")
            }
            ExitCode::SUCCESS
        }
        Outcome::Not(why) => failed(why, 1),
        Outcome::Unknown(why) => failed(why, 2),
    }
}

fn with_folder(dir: Option<PathBuf>, then: impl FnOnce(Folder) -> Outcome) -> Outcome {
    let state = || std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let default = || state().or_else(home).map(|path| path.join("trefoil-monitor"));
    match dir.or_else(default) {
        Some(dir) => then(Folder::new(dir)),
        None => Outcome::Unknown("neither --dir nor HOME says where the monitor's folder is".to_owned()),
    }
}

fn init(folder: &Folder, args: InitArgs) -> Outcome {
    let config =
        RawConfig { listen: args.listen, origin: args.origin, log: args.log_vkey, bundle: args.bundle_vkey };
    let (witness_name, redecided_name) = (args.witness_name, args.redecided_name);
    let plan = Plan { config, bundle: &args.bundle, witness_name, redecided_name };
    match init::init(folder, plan, clock::now()) {
        Ok(made) => Outcome::Done {
            text: format!(
                "witness   {}\nredecided {}\nca        {}\nrecipient {}\npolicy    {}",
                made.witness, made.redecided, made.ca, made.recipient, made.policy
            ),
            json: json!(made),
        },
        Err(InitError::Bundle(e)) => bundle_failed(&e),
        Err(e) => Outcome::Unknown(e.to_string()),
    }
}

fn bundle_failed(error: &BundleError) -> Outcome {
    match error {
        BundleError::Unsigned { .. } | BundleError::Altered { .. } | BundleError::Invalid(_) => {
            Outcome::Not(error.to_string())
        }
        _ => Outcome::Unknown(error.to_string()),
    }
}

fn check(folder: &Folder) -> Outcome {
    match Monitor::check(folder, clock::now()) {
        Ok(checked) => Outcome::Done {
            text: format!(
                "the copy of {} is whole: {} entries, root {}, policy {}",
                checked.origin, checked.size, checked.root, checked.policy
            ),
            json: json!(checked),
        },
        Err(StartError::Bundle(e)) => bundle_failed(&e),
        Err(StartError::Copy(e @ (CopyError::Damaged { .. } | CopyError::Lost { .. }))) => {
            Outcome::Not(e.to_string())
        }
        Err(e) => Outcome::Unknown(e.to_string()),
    }
}

fn accept(folder: &Folder, dir: &std::path::Path) -> Outcome {
    let config = match Config::read(folder) {
        Ok(config) => config,
        Err(e) => return Outcome::Unknown(e.to_string()),
    };
    let accepted = bundle::read(dir, &config.bundle)
        .and_then(|signed| Ok((bundle::accept(&folder.bundles(), &signed, clock::now())?, signed)));
    match accepted {
        Err(e) => bundle_failed(&e),
        Ok((new, signed)) => {
            let policy = signed.bundle.hash().to_string();
            let said = if new { "accepted" } else { "in force already" };
            Outcome::Done {
                text: format!("policy {policy}: {said}"),
                json: json!({ "policy": policy, "new": new }),
            }
        }
    }
}

fn run(folder: &Folder, json: bool) -> Outcome {
    let monitor = match Monitor::open(folder, clock::now()) {
        Ok(monitor) => monitor,
        Err(e) => return Outcome::Unknown(e.to_string()),
    };
    let served = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .and_then(|runtime| runtime.block_on(serve(monitor, json)));
    match served {
        Ok(()) => Outcome::Done { text: "stopped".to_owned(), json: json!({ "stopped": true }) },
        Err(e) => Outcome::Unknown(e.to_string()),
    }
}

async fn serve(monitor: Monitor, json: bool) -> std::io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (origin, size, policy) = (monitor.config().origin.clone(), monitor.size(), monitor.policy());
    let server = Server::bind(monitor).await?;
    let url = format!("http://{}", server.address()?);
    if json {
        println!(
            "{}",
            json!({ "ready": true, "url": url, "origin": origin, "size": size, "policy": policy })
        );
    } else {
        println!("ready: {url} follows {origin} from size {size} under policy {policy}");
    }
    let stop = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    server.run(stop).await
}
