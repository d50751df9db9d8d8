//! Drives one session: moves bytes between client, relay and site, and waits for the record on the relay's behalf.
//! The relay decides; this only reads, writes and waits, and never stops reading the client to wait for a witness.
//!
//! Everything that a session waits for is polled by one future, in one order, until nothing moves: no task, no box and
//! no timer is made for a statement.

mod asked;
mod leg;
mod rarely;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use socket2::SockRef;
use sql::Verdicts;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Duration, Instant, Sleep, sleep_until, timeout};
use tokio_rustls::{client, server};

use crate::admit::{self, Admitted};
use crate::brake::Seat;
use crate::cancel::{Answered, Key};
use crate::client::Client;
use crate::config::Site;
use crate::fault::{Fault, Whose};
use crate::gate::Gate;
use crate::relay::{Deadlines, Relay, SessionFacts};
use crate::standing::Standing;
use crate::{clock, upstream};
use asked::Asked;
use leg::Leg;
use rarely::Rarely;

/// What is read from the client ahead of the relay; also the largest message that a client may send.
const CLIENT_READ_BYTES_MAX: usize = crate::relay::CLIENT_MESSAGE_BYTES_MAX + 65_536;
/// What is read at once from a site whose answer nobody waits for any more.
const LAST_READ_BYTES: usize = 65_536;
/// Terminate, by which a client of PostgreSQL says goodbye.
const TERMINATE: &[u8] = b"X\0\0\0\x04";
/// What is read from the site ahead of the relay.
const SITE_READ_BYTES_MAX: usize = 131_072;
/// How long a backend may take to end after the gate has said goodbye.
const BACKEND_END_MS_MAX: u64 = 3_000;
/// How long a client that was stopped may take to read why.
const STOPPED_GOODBYE_MS_MAX: u64 = 20;
/// How often everything is polled before other sessions have their turn.
const TURNS_MAX: u32 = 64;

/// Admits the client and serves it to the end.
pub async fn run(gate: &Arc<Gate>, mut client: Client, verdicts: Arc<Mutex<Verdicts>>) {
    let asker = client.asker.clone();
    // What is done once has its own memory, which an idle session does not keep.
    let admitted = match Box::pin(admit::admit(gate, asker)).await {
        Ok(admitted) => admitted,
        Err(fault) => {
            tracing::info!(whose = ?fault.whose, why = fault.internal, "no session");
            client.end(&fault.shown).await;
            return;
        }
    };
    let key = gate.cancels.issue(client.takes_long_cancel_keys);
    let Admitted { id, asker, permit, lease, seat, site, standing, backend } = admitted;
    let facts = SessionFacts {
        id: id.clone(),
        principal: asker.principal.clone(),
        listener: asker.listener.clone(),
        site: site.name.clone(),
    };
    let deadlines = Deadlines::of(gate.config.bundle.enclave());
    let meter = gate.metering.session(&site.name, &permit);
    let mut relay = Relay::new(permit, facts, deadlines, meter, verdicts, clock::instant());
    relay.greet(&backend.parameters, key.pid, &key.secret);
    let mut link = Link {
        gate,
        site: &site,
        backend_key: backend.key,
        client: Leg::new(client.stream),
        client_ended: false,
        backend: Leg::new(backend.stream),
        asked: Vec::new(),
        key,
        cancelling: None,
        cancellers: Vec::new(),
        ending: Rarely::new(ending(standing, &site.name, seat.stopped())),
        alarm: None,
    };
    let fault = poll_fn(|context| link.poll(&mut relay, context)).await;
    let reason = fault.as_ref().map_or_else(|| "client left".to_owned(), |f| f.internal.clone());
    match &fault {
        Some(fault) if fault.whose != Whose::Client => tracing::warn!(session = id, %fault, "session ended"),
        _ => tracing::debug!(session = id, reason, "session ended"),
    }
    Box::pin(link.close(&mut relay, fault, &seat)).await;
    drop(lease);
    // No entry but the one of its end comes after this.
    drop(seat);
    let closing = relay.closing(reason);
    #[cfg(feature = "rogue")]
    let closing = crate::rogue::closes(closing);
    Box::pin(admit::close(gate, &asker, &id, closing)).await;
}

/// Why the session ends although neither side wants it to.
async fn ending(
    mut standing: watch::Receiver<Standing>,
    site: &str,
    stopped: impl Future<Output = Fault>,
) -> Fault {
    tokio::select! {
        fault = stopped => return fault,
        // An error means that the gate is gone.
        _ = standing.wait_for(Standing::ends) => {}
    }
    standing.borrow().fault(site)
}

/// A session's two connections, and all else that it waits for.
struct Link<'a> {
    gate: &'a Gate,
    site: &'a Site,
    backend_key: (i32, i32),
    client: Leg<server::TlsStream<TcpStream>>,
    /// The client has closed its half; it may still listen.
    client_ended: bool,
    backend: Leg<client::TlsStream<TcpStream>>,
    /// Oldest first; the relay bounds how many there are.
    asked: Vec<Asked>,
    key: Key,
    cancelling: Option<Pin<Box<dyn Future<Output = ()> + Send + 'a>>>,
    /// Who waits until the cancel under way is done.
    cancellers: Vec<Answered>,
    ending: Rarely<'a, Fault>,
    /// Goes off at the next deadline or before. It is set again when it goes off, not whenever a deadline changes.
    alarm: Option<Pin<Box<Sleep>>>,
}

/// Whether something was done that may let more be done.
type Moved = bool;

impl<'a> Link<'a> {
    /// Relays until somebody ends the session; `None` when the client did, in good order.
    fn poll(&mut self, relay: &mut Relay, context: &mut Context<'_>) -> Poll<Option<Fault>> {
        // Before anything moves: a session that always has something to move ends as well.
        if let Poll::Ready(fault) = self.ending.poll(context) {
            return Poll::Ready(Some(fault));
        }
        // One look at the clock: what is polled again at once is not older.
        let now = clock::instant();
        for _ in 0..TURNS_MAX {
            match self.turn(relay, context, now) {
                Err(fault) => return Poll::Ready(Some(fault)),
                Ok(_) if relay.is_over() && relay.to_client().is_empty() && self.client.is_flushed() => {
                    return Poll::Ready(None);
                }
                Ok(true) => {}
                Ok(false) => match self.poll_alarm(relay, context) {
                    Poll::Ready(()) => {}
                    Poll::Pending => return Poll::Pending,
                },
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Everything once: what the relay wants, what can be written, what can be read, who has answered.
    fn turn(&mut self, relay: &mut Relay, context: &mut Context<'_>, now: Instant) -> Result<Moved, Fault> {
        if self.cancelling.is_none() {
            relay.on_client(&mut self.client.bytes, now)?;
        }
        relay.on_site(&mut self.backend.bytes, now)?;
        relay.on_time(now)?;
        while let Some(asking) = relay.ask(now) {
            self.asked.push(Asked::append(self.gate, asking, now)?);
        }
        if self.cancelling.is_none() && relay.takes_cancel() {
            self.cancelling = Some(Box::pin(cancel(self.site, self.backend_key)));
        }
        let moved = self.write(relay, context)? | self.read(relay, context)?;
        if moved | self.hear(relay, context, now)? {
            return Ok(true);
        }
        Ok(self.hear_others(relay, context))
    }

    fn write(&mut self, relay: &mut Relay, context: &mut Context<'_>) -> Result<Moved, Fault> {
        let mut moved = false;
        if let Poll::Ready(written) = self.client.poll_write(context, relay.to_client()) {
            relay.sent_to_client(written.map_err(|e| gone(&e))?);
            moved = true;
        }
        if let Poll::Ready(written) = self.backend.poll_write(context, relay.to_site()) {
            relay.sent_to_site(written.map_err(|e| self.broke(&e))?);
            moved = true;
        }
        Ok(moved)
    }

    fn read(&mut self, relay: &mut Relay, context: &mut Context<'_>) -> Result<Moved, Fault> {
        let mut moved = false;
        let ahead = SITE_READ_BYTES_MAX.max(relay.site_needs());
        if relay.wants_site()
            && self.backend.bytes.len() < ahead
            && let Poll::Ready(read) = self.backend.poll_read(context)
        {
            if read.map_err(|e| self.broke(&e))? == 0 {
                return Err(Fault::site(&self.site.name, "closed the connection"));
            }
            moved = true;
        }
        if !self.client_ended
            && self.client.bytes.len() < CLIENT_READ_BYTES_MAX
            && let Poll::Ready(read) = self.client.poll_read(context)
        {
            if read.map_err(|e| gone(&e))? == 0 {
                self.client_ended = true;
                relay.client_ended();
            }
            moved = true;
        }
        Ok(moved)
    }

    /// Hears the record.
    fn hear(&mut self, relay: &mut Relay, context: &Context<'_>, now: Instant) -> Result<Moved, Fault> {
        let mut moved = false;
        let mut at = 0;
        while let Some(asked) = self.asked.get_mut(at) {
            match asked.poll(self.gate, context, now) {
                Poll::Pending => at += 1,
                Poll::Ready(outcome) => {
                    relay.answered(self.asked.remove(at).id, outcome)?;
                    moved = true;
                }
            }
        }
        Ok(moved)
    }

    /// Hears who cancels.
    fn hear_others(&mut self, relay: &Relay, context: &mut Context<'_>) -> Moved {
        let mut moved = false;
        if let Some(cancelling) = &mut self.cancelling
            && cancelling.as_mut().poll(context).is_ready()
        {
            self.cancelling = None;
            self.cancellers.clear();
            moved = true;
        }
        while let Poll::Ready(Some(answered)) = self.key.rings.poll_recv(context) {
            if relay.is_busy() && !answered.is_closed() {
                if self.cancelling.is_none() {
                    self.cancelling = Some(Box::pin(cancel(self.site, self.backend_key)));
                }
                self.cancellers.push(answered);
            }
            moved = true;
        }
        moved
    }

    /// Ready when a deadline may have come.
    fn poll_alarm(&mut self, relay: &Relay, context: &mut Context<'_>) -> Poll<()> {
        let next = self.asked.iter().filter_map(Asked::until).chain(relay.deadline()).min();
        let Some(next) = next else {
            return Poll::Pending;
        };
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(next)));
        // One that has gone off is set again, even if it was for an earlier deadline.
        if alarm.deadline() > next || alarm.is_elapsed() {
            alarm.as_mut().reset(next);
        }
        alarm.as_mut().poll(context)
    }

    fn broke(&self, error: &std::io::Error) -> Fault {
        Fault::site(&self.site.name, error.to_string())
    }

    /// Says goodbye on both sides, and waits until the backend has ended, so that its role can be used again.
    async fn close(self, relay: &mut Relay, fault: Option<Fault>, seat: &Seat) {
        let Self { site, backend_key, client, backend, .. } = self;
        let stopped = fault.as_ref().is_some_and(Fault::is_stop);
        if stopped {
            relay.drop_what_waits();
        }
        if let Some(fault) = &fault {
            relay.say_goodbye(&fault.shown);
        }
        let limit = Duration::from_millis(BACKEND_END_MS_MAX);
        let to_client = async {
            say_and_close(client.stream, relay.to_client(), stopped).await;
            seat.is_silent();
        };
        let busy = relay.is_busy();
        let to_site = async {
            // A backend that ends closes its socket without a word of TLS.
            let ended = match end_backend(site, backend_key, backend.stream, busy).await {
                Ok(()) => true,
                Err(error) => {
                    use std::io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
                    matches!(error.kind(), UnexpectedEof | ConnectionReset | BrokenPipe)
                }
            };
            if ended {
                seat.is_gone();
            }
        };
        // A client that does not read its goodbye holds up nothing of the site's.
        let ((), ended) = tokio::join!(to_client, timeout(limit, to_site));
        if ended.is_err() {
            tracing::warn!(site = site.name, "a backend did not end in time");
        }
    }
}

/// Ends a backend, and waits until it has ended. What it still sends is thrown away from the first moment: one that
/// waits for room to send in does not look whether it was cancelled.
async fn end_backend(
    site: &Site,
    key: (i32, i32),
    stream: client::TlsStream<TcpStream>,
    busy: bool,
) -> std::io::Result<()> {
    let (mut from_site, mut to_site) = tokio::io::split(stream);
    let goodbye = async {
        to_site.write_all(TERMINATE).await?;
        to_site.flush().await?;
        // If that was taken for a part of a message or of a COPY, the end of the stream is not.
        to_site.shutdown().await
    };
    let cancelled = async {
        if busy {
            cancel(site, key).await;
        }
    };
    let ended = async {
        let mut rest = vec![0; LAST_READ_BYTES];
        while from_site.read(&mut rest).await? > 0 {}
        Ok(())
    };
    // Once its socket is closed there is nobody to take the goodbye.
    let (_, (), ended) = tokio::join!(goodbye, cancelled, ended);
    ended
}

/// Sends the last words and closes. Who is stopped has little time for them; what the system still holds for somebody
/// who does not take them is dropped.
async fn say_and_close(mut stream: server::TlsStream<TcpStream>, words: &[u8], stopped: bool) {
    let limit = if stopped { STOPPED_GOODBYE_MS_MAX } else { BACKEND_END_MS_MAX };
    let said = timeout(Duration::from_millis(limit), async {
        stream.write_all(words).await?;
        stream.shutdown().await
    });
    if !matches!(said.await, Ok(Ok(()))) && stopped {
        let _ = SockRef::from(stream.get_ref().0).set_linger(Some(Duration::ZERO));
    }
}

fn gone(error: &std::io::Error) -> Fault {
    Fault::client("08006", format!("the client's connection broke: {error}"), None)
}

async fn cancel(site: &Site, key: (i32, i32)) {
    let limit = Duration::from_millis(BACKEND_END_MS_MAX);
    match timeout(limit, upstream::cancel(site, key)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(site = site.name, %error, "cannot cancel"),
        Err(_) => tracing::warn!(site = site.name, "cancelling took too long"),
    }
}
