//! `trefoil logins watch`: events from files and standard input of any format, HTTP or NATS, judged for as long as they come.

use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use logins::answer::Above;
use logins::nats::{self, Estate, Worker};
use logins::share::Judging;
use logins::state::Secret;
use logins::watch::{Every, Told, WatchError};
use logins::{http, watch};
use places::Places;
use risk::{Settings, Weights};
use tokio::signal::unix::{SignalKind, signal};

use super::{handing, score, source};
use crate::cli::logins::read::{Action, Format};
use crate::cli::logins::watch::{Server, Watch};
use crate::ended::{Ended, OrEnded};
use crate::terminal;

const STANDARD_INPUT: &str = "-";
/// A shorter token can be guessed.
const TOKEN_CHARS_MIN: usize = 16;

pub(crate) fn run(asked: &Watch) -> Result<(), Ended> {
    if asked.source.format != Format::Ocsf {
        return importing(asked);
    }
    match (&asked.server.nats, asked.listen, &asked.input) {
        (Some(_), _, _) => of_nats(asked),
        (None, Some(address), _) => listening(asked, address),
        (None, None, Some(input)) if input == Path::new(STANDARD_INPUT) => {
            let mut watch = open(asked)?;
            ends_on_signals(watch.stop())?;
            watch.stream(std::io::stdin()).map_err(ended)
        }
        (None, None, Some(input)) => {
            let mut watch = open(asked)?;
            ends_on_signals(watch.stop())?;
            watch.file(input, asked.follow).map_err(ended)
        }
        (None, None, None) => {
            Err(Ended::cannot_tell("name an --input, an address to --listen at, or --nats"))
        }
    }
}

/// A log of another format, from a file or standard input.
fn importing(asked: &Watch) -> Result<(), Ended> {
    let Some(input) = &asked.input else {
        return Err(Ended::cannot_tell(
            "--format is what --input is: by HTTP and NATS come OCSF events, which `trefoil logins import` makes",
        ));
    };
    let (format, options) = (asked.source.format.of_logins(), source::options(&asked.source)?);
    let is_stream = input == Path::new(STANDARD_INPUT);
    if asked.follow && !is_stream {
        return Err(Ended::cannot_tell(format!(
            "--follow reads OCSF alone, since a line of other formats may need the one before it: `tail -F {} | trefoil logins \
             watch --format … --input -` follows",
            input.display()
        )));
    }
    let mut watch = open(asked)?;
    ends_on_signals(watch.stop())?;
    if is_stream {
        return watch.imported_stream(std::io::stdin(), format, options).map_err(ended);
    }
    watch.imported(input, format, &options).map_err(ended)
}

fn ended(error: WatchError) -> Ended {
    Ended::cannot_tell(error.to_string())
}

/// Files of places that change are read again within this time.
const RELOAD_EVERY: Duration = Duration::from_secs(60);

/// What is known of addresses, and kept so.
fn places(asked: &Watch) -> Result<Arc<RwLock<Places>>, Ended> {
    let places = Arc::new(RwLock::new(score::places(asked.places.as_deref())?));
    if asked.places.is_some() {
        let places = places.clone();
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(RELOAD_EVERY);
                let reloaded = places.write().unwrap_or_else(PoisonError::into_inner).reload();
                if let Err(error) = reloaded {
                    terminal::complain(&format!("{error}; what was known of addresses before is used on"));
                }
            }
        });
    }
    Ok(places)
}

/// How events are judged, by these arguments.
fn judging(asked: &Watch, places: Arc<RwLock<Places>>, secret: Secret) -> Judging {
    let settings = Settings { observe_only: asked.observe_only, ..Settings::default() };
    let above = match (asked.min_score, asked.above) {
        (Some(score), _) => Above::Score(score),
        (None, Action::Allow) => Above::Everything,
        (None, action) => Above::Action(action.of_risk()),
    };
    Judging { secret, weights: Arc::new(Weights::shipped()), settings, places, above }
}

fn open(asked: &Watch) -> Result<watch::Watch, Ended> {
    let told = match &asked.out {
        Some(path) => Told::file(path).or_cannot_tell(format!("--out {}", path.display()))?,
        None => Told::stream(std::io::stdout(), &asked.state)
            .or_cannot_tell(format!("--state {}", asked.state.display()))?,
    };
    let places = places(asked)?;
    let judging = |secret| judging(asked, places, secret);
    let mut watch = watch::Watch::open(&asked.state, judging, told, terminal::complain).map_err(ended)?;
    if let Some(dir) = &asked.dir {
        watch.hand_in(handing::belong(&asked.state, dir)?).map_err(ended)?;
    }
    watch.set_every(Every {
        events: asked.snapshot_events,
        time: Duration::from_secs(asked.snapshot_seconds),
    });
    Ok(watch)
}

/// Sets a flag when a signal asks for the end. A second one ends at once, as signals do.
fn ends_on_signals(stop: Arc<AtomicBool>) -> Result<(), Ended> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().or_cannot_tell("starting")?;
    let signals =
        runtime.block_on(async { Ok((signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)) });
    let (mut interrupt, mut terminate) = signals
        .map_err(|error: std::io::Error| Ended::cannot_tell(format!("listening for signals: {error}")))?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        stop.store(true, Ordering::Relaxed);
    });
    Ok(())
}

fn listening(asked: &Watch, address: SocketAddr) -> Result<(), Ended> {
    let token = match &asked.token {
        Some(path) => Some(token(path)?),
        None if http::is_private(&address) => None,
        None => {
            return Err(Ended::cannot_tell(format!(
                "--listen {address} can be reached from elsewhere: --token FILE says what whoever posts must give"
            )));
        }
    };
    let mut watch = open(asked)?;
    ends_on_signals(watch.stop())?;
    watch
        .listen(address, token, |address| terminal::note(&format!("listening at http://{address}")))
        .map_err(ended)
}

fn token(path: &Path) -> Result<String, Ended> {
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(4_096).read_to_string(&mut text))
        .or_cannot_tell(format!("--token {}", path.display()))?;
    let token = text.trim().to_owned();
    if token.len() < TOKEN_CHARS_MIN {
        return Err(Ended::cannot_tell(format!(
            "--token {}: fewer than {TOKEN_CHARS_MIN} characters; make one with `openssl rand -hex 32`",
            path.display()
        )));
    }
    Ok(token)
}

/// Where NATS is, as the arguments say.
pub(super) fn server(asked: &Server) -> Result<nats::Server, Ended> {
    let url = asked.nats.clone().ok_or_else(|| Ended::cannot_tell("--nats URL says where NATS is"))?;
    Ok(nats::Server {
        url,
        credentials: asked.nats_creds.clone(),
        authorities: asked.nats_ca.clone(),
        identity: asked.nats_cert.clone().zip(asked.nats_key.clone()),
    })
}

pub(super) fn key(state: &Path) -> PathBuf {
    state.join("key")
}

fn of_nats(asked: &Watch) -> Result<(), Ended> {
    let enclave = asked.dir.as_deref().map(handing::enclave_at).transpose()?;
    std::fs::create_dir_all(&asked.state).or_cannot_tell(format!("--state {}", asked.state.display()))?;
    let secret = Secret::read_or_make(&key(&asked.state)).or_cannot_tell("--state")?;
    let mut settings =
        nats::Settings::new(judging(asked, places(asked)?, secret), |said| terminal::complain(&said));
    settings.lease = Duration::from_secs(asked.lease);
    settings.snapshot_events = asked.snapshot_events;
    settings.snapshot_after = Duration::from_secs(asked.snapshot_seconds);
    let server = server(&asked.server)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().or_cannot_tell("starting")?;
    runtime.block_on(async {
        let estate = Estate::open(&server, asked.server.shares).await.or_cannot_tell("--nats")?;
        if let Some(enclave) = enclave {
            settings.hand = Some(handing::shares_belong(&asked.state, enclave, estate.name())?);
        }
        let worker = Worker::new(estate, settings).await.or_cannot_tell("--nats")?;
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let mut interrupt = signal(SignalKind::interrupt()).or_cannot_tell("listening for signals")?;
        let mut terminate = signal(SignalKind::terminate()).or_cannot_tell("listening for signals")?;
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            stop.send_replace(true);
        });
        worker.run(stopped).await.or_cannot_tell("--nats")
    })
}
