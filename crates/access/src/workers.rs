//! The threads that sessions run on: each has a runtime of its own, named `gate-N`, and a session stays where it was
//! given out, so that what it does wakes no other thread. Not here: what sessions do (`session`).

use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;

use sql::Verdicts;
use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Verdicts that one worker remembers.
const VERDICTS_MAX: usize = 16_384;

/// The threads. They end when this is dropped, and with them what still runs there.
#[derive(Debug)]
pub struct Workers {
    workers: Vec<Worker>,
    next: AtomicUsize,
    _running: watch::Sender<()>,
}

#[derive(Debug)]
struct Worker {
    handle: Handle,
    verdicts: Arc<Mutex<Verdicts>>,
}

impl Workers {
    /// As many as asked for, or one for every second core: a worker that is busy shares what a wake costs among its
    /// sessions, and the record and TLS handshakes have work too.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(count: Option<u32>) -> io::Result<Self> {
        let some = || thread::available_parallelism().map_or(1, usize::from) / 2;
        let count = count.and_then(|count| usize::try_from(count).ok()).unwrap_or_else(some).max(1);
        let (running, until) = watch::channel(());
        let workers = (1..=count).map(|number| Worker::start(number, until.clone()));
        Ok(Self {
            workers: workers.collect::<io::Result<_>>()?,
            next: AtomicUsize::default(),
            _running: running,
        })
    }

    /// Gives a connection out, to one worker after the other. `serve` runs there.
    ///
    /// # Errors
    /// When the connection cannot be taken from the thread that accepted it.
    pub fn give_out<F: Future<Output = ()> + Send + 'static>(
        &self,
        connection: tokio::net::TcpStream,
        sessions: &mut JoinSet<()>,
        serve: impl FnOnce(TcpStream, Arc<Mutex<Verdicts>>) -> F,
    ) -> io::Result<()> {
        let connection = connection.into_std()?;
        let at = self.next.fetch_add(1, Relaxed) % self.workers.len().max(1);
        let worker = self.workers.get(at).ok_or(io::ErrorKind::NotFound)?;
        sessions.spawn_on(serve(connection, Arc::clone(&worker.verdicts)), &worker.handle);
        Ok(())
    }
}

impl Worker {
    fn start(number: usize, mut until: watch::Receiver<()>) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let ended = async move {
            // Nothing is ever sent: the sender's end is the end.
            let _ = until.changed().await;
        };
        thread::Builder::new().name(format!("gate-{number}")).spawn(move || runtime.block_on(ended))?;
        Ok(Self { handle, verdicts: Arc::new(Mutex::new(Verdicts::new(VERDICTS_MAX))) })
    }
}
