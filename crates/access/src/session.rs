//! Drives one session: moves bytes between client, relay and site, and waits for the record on the relay's behalf.
//! The relay decides; this only reads, writes and waits, and never stops reading the client to wait for a witness.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::BytesMut;
use record::Witnessed;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep_until, timeout};
use tokio_rustls::{client, server};

use crate::admit::{self, Admitted};
use crate::cancel::{Answered, Key};
use crate::client::Client;
use crate::fault::{Fault, Whose};
use crate::gate::Gate;
use crate::relay::{AskId, Asking, Deadlines, Relay, SessionFacts};
use crate::standing::Standing;
use crate::{clock, upstream};

/// What is read from the client ahead of the relay; also the largest message that a client may send.
const CLIENT_READ_BYTES_MAX: usize = crate::relay::CLIENT_MESSAGE_BYTES_MAX + 65_536;
/// What is read from the site ahead of the relay.
const SITE_READ_BYTES_MAX: usize = 131_072;
/// How long a backend may take to end after the gate has said goodbye.
const BACKEND_END_MS_MAX: u64 = 3_000;

type Outcome = Result<Vec<Witnessed>, Fault>;
/// What the relay asked for and the record has not answered, oldest first; the relay bounds how many there are.
type Pending = Vec<(AskId, Pin<Box<dyn Future<Output = Outcome> + Send>>)>;
type Cancelling<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Admits the client and serves it to the end.
pub async fn run(gate: &Gate, mut client: Client) {
    let asker = client.asker.clone();
    let admitted = match admit::admit(gate, asker).await {
        Ok(admitted) => admitted,
        Err(fault) => {
            tracing::info!(whose = ?fault.whose, why = fault.internal, "no session");
            client.end(&fault.shown).await;
            return;
        }
    };
    let mut key = gate.cancels.issue(client.takes_long_cancel_keys);
    let Admitted { id, asker, permit, lease, site, standing, backend } = admitted;
    let facts = SessionFacts {
        id: id.clone(),
        principal: asker.principal.clone(),
        listener: asker.listener.clone(),
        site: site.name.clone(),
    };
    let deadlines = Deadlines::of(gate.config.bundle.enclave());
    let meter = gate.metering.session(&site.name, &permit);
    let mut relay = Relay::new(permit, facts, deadlines, meter, clock::instant());
    relay.greet(&backend.parameters, key.pid, &key.secret);
    let (client_read, client_write) = split(client.stream);
    let (site_read, site_write) = split(backend.stream);
    let mut link = Link {
        gate,
        site: &site,
        backend_key: backend.key,
        client_read,
        client_write,
        site_read,
        site_write,
        client_bytes: BytesMut::new(),
        site_bytes: BytesMut::new(),
        client_unflushed: false,
        site_unflushed: false,
        client_ended: false,
    };
    let fault = link.relay(&mut relay, &mut key, standing).await;
    drop(key);
    let reason = fault.as_ref().map_or_else(|| "client left".to_owned(), |f| f.internal.clone());
    match &fault {
        Some(fault) if fault.whose != Whose::Client => tracing::warn!(session = id, %fault, "session ended"),
        _ => tracing::debug!(session = id, reason, "session ended"),
    }
    link.close(&mut relay, fault).await;
    drop(lease);
    admit::close(gate, &asker, &id, relay.closing(reason)).await;
}

/// A session's two connections.
struct Link<'a> {
    gate: &'a Gate,
    site: &'a crate::config::Site,
    backend_key: (i32, i32),
    client_read: ReadHalf<server::TlsStream<TcpStream>>,
    client_write: WriteHalf<server::TlsStream<TcpStream>>,
    site_read: ReadHalf<client::TlsStream<TcpStream>>,
    site_write: WriteHalf<client::TlsStream<TcpStream>>,
    client_bytes: BytesMut,
    site_bytes: BytesMut,
    client_unflushed: bool,
    site_unflushed: bool,
    /// The client has closed its half; it may still listen.
    client_ended: bool,
}

/// What woke the session up.
enum Woken {
    ClientRead(usize),
    SiteRead(usize),
    ClientWritten(usize),
    SiteWritten(usize),
    Witnessed(AskId, Outcome),
    Cancelled(Answered),
    CancelDone,
    Deadline,
    Stop,
}

impl<'a> Link<'a> {
    /// Relays until somebody ends the session; `None` when the client did, in good order.
    async fn relay(
        &mut self,
        relay: &mut Relay,
        key: &mut Key,
        mut standing: watch::Receiver<Standing>,
    ) -> Option<Fault> {
        let mut pending = Pending::new();
        let mut cancelling: Option<Cancelling<'a>> = None;
        let mut cancellers: Vec<Answered> = Vec::new();
        loop {
            let now = clock::instant();
            if let Err(fault) = self.pump(relay, cancelling.is_some(), now) {
                return Some(fault);
            }
            while let Some(asking) = relay.ask(now) {
                match witness(self.gate, asking) {
                    Ok(asked) => pending.push(asked),
                    Err(fault) => return Some(fault),
                }
            }
            if cancelling.is_none() && relay.takes_cancel() {
                cancelling = Some(Box::pin(cancel(self.site, self.backend_key)));
            }
            if relay.is_over() && relay.to_client().is_empty() {
                return None;
            }
            let woken = match self.wait(relay, &mut pending, &mut cancelling, key, &mut standing).await {
                Ok(woken) => woken,
                Err(fault) => return Some(fault),
            };
            match woken {
                Woken::ClientRead(0) => {
                    self.client_ended = true;
                    relay.client_ended();
                }
                Woken::SiteRead(0) => return Some(Fault::site(&self.site.name, "closed the connection")),
                Woken::ClientRead(_) | Woken::SiteRead(_) | Woken::Deadline => {}
                Woken::ClientWritten(n) => self.client_unflushed = relay.sent_to_client(n),
                Woken::SiteWritten(n) => self.site_unflushed = relay.sent_to_site(n),
                Woken::Witnessed(id, outcome) => {
                    pending.retain(|(pending, _)| *pending != id);
                    if let Err(fault) = relay.answered(id, outcome) {
                        return Some(fault);
                    }
                }
                Woken::Cancelled(answered) if relay.is_busy() && !answered.is_closed() => {
                    if cancelling.is_none() {
                        cancelling = Some(Box::pin(cancel(self.site, self.backend_key)));
                    }
                    cancellers.push(answered);
                }
                Woken::Cancelled(nothing_runs) => drop(nothing_runs),
                Woken::CancelDone => {
                    cancelling = None;
                    cancellers.clear();
                }
                Woken::Stop => return Some(standing.borrow().fault(&self.site.name)),
            }
        }
    }

    /// Hands the relay what was read.
    fn pump(&mut self, relay: &mut Relay, cancelling: bool, now: Instant) -> Result<(), Fault> {
        if !cancelling {
            relay.on_client(&mut self.client_bytes, now)?;
        }
        relay.on_site(&mut self.site_bytes, now)?;
        relay.on_time(now)
    }

    async fn wait(
        &mut self,
        relay: &Relay,
        pending: &mut Pending,
        cancelling: &mut Option<Cancelling<'a>>,
        key: &mut Key,
        standing: &mut watch::Receiver<Standing>,
    ) -> Result<Woken, Fault> {
        let gone =
            |e: std::io::Error| Fault::client("08006", format!("the client's connection broke: {e}"), None);
        let site = &self.site.name;
        let broke = |e: std::io::Error| Fault::site(site, e.to_string());
        let write_client = self.client_unflushed || !relay.to_client().is_empty();
        let write_site = self.site_unflushed || !relay.to_site().is_empty();
        let read_site =
            relay.wants_site() && self.site_bytes.len() < SITE_READ_BYTES_MAX.max(relay.site_needs());
        let read_client = !self.client_ended && self.client_bytes.len() < CLIENT_READ_BYTES_MAX;
        tokio::select! {
            read = self.client_read.read_buf(&mut self.client_bytes), if read_client => {
                read.map(Woken::ClientRead).map_err(gone)
            }
            read = self.site_read.read_buf(&mut self.site_bytes), if read_site => {
                read.map(Woken::SiteRead).map_err(broke)
            }
            written = write_some(&mut self.client_write, relay.to_client()), if write_client => {
                written.map(Woken::ClientWritten).map_err(gone)
            }
            written = write_some(&mut self.site_write, relay.to_site()), if write_site => {
                written.map(Woken::SiteWritten).map_err(broke)
            }
            (id, outcome) = any(pending) => Ok(Woken::Witnessed(id, outcome)),
            () = maybe(cancelling) => Ok(Woken::CancelDone),
            Some(answered) = key.rings.recv() => Ok(Woken::Cancelled(answered)),
            () = until(relay.deadline()) => Ok(Woken::Deadline),
            _ = standing.wait_for(Standing::ends) => Ok(Woken::Stop),
        }
    }

    /// Says goodbye on both sides, and waits until the backend has ended, so that its role can be used again.
    async fn close(&mut self, relay: &mut Relay, fault: Option<Fault>) {
        if let Some(fault) = &fault {
            relay.say_goodbye(&fault.shown);
        }
        let limit = Duration::from_millis(BACKEND_END_MS_MAX);
        let to_client = async {
            self.client_write.write_all(relay.to_client()).await?;
            self.client_write.shutdown().await
        };
        let busy = relay.is_busy();
        let to_site = async {
            if busy {
                cancel(self.site, self.backend_key).await;
            }
            self.site_write.write_all(b"X\0\0\0\x04").await?;
            self.site_write.flush().await?;
            loop {
                self.site_bytes.clear();
                if self.site_read.read_buf(&mut self.site_bytes).await? == 0 {
                    return Ok::<(), std::io::Error>(());
                }
            }
        };
        // A client that does not read its goodbye holds up nothing of the site's.
        let (_, ended) = tokio::join!(timeout(limit, to_client), timeout(limit, to_site));
        if ended.is_err() {
            tracing::warn!(site = self.site.name, "a backend did not end in time");
        }
    }
}

/// Appends what the relay asks for, at once and in order; the future waits until all of it is witnessed.
fn witness(
    gate: &Gate,
    asking: Asking,
) -> Result<(AskId, Pin<Box<dyn Future<Output = Outcome> + Send>>), Fault> {
    let id = asking.id();
    let (gave, since, figures) = (asking.gave(), clock::instant(), Arc::clone(&gate.figures));
    let appended: Vec<_> =
        asking.drafts(gate)?.into_iter().map(|draft| gate.record.append(draft)).collect();
    let outcome = async move {
        let mut witnessed = Vec::with_capacity(appended.len());
        for entry in appended {
            witnessed.push(entry.await.map_err(|not| Fault::not_witnessed(&not.why, not.index))?);
        }
        figures.released(gave, clock::instant().duration_since(since));
        Ok(witnessed)
    };
    Ok((id, Box::pin(outcome)))
}

async fn cancel(site: &crate::config::Site, key: (i32, i32)) {
    let limit = Duration::from_millis(BACKEND_END_MS_MAX);
    match timeout(limit, upstream::cancel(site, key)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(site = site.name, %error, "cannot cancel"),
        Err(_) => tracing::warn!(site = site.name, "cancelling took too long"),
    }
}

/// Writes what it can; flushes when there is nothing left to write. Safe to drop at any point.
async fn write_some(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> std::io::Result<usize> {
    if bytes.is_empty() {
        to.flush().await?;
        return Ok(0);
    }
    to.write(bytes).await
}

/// The future's result, if there is one; never otherwise.
async fn maybe<F: Future + Unpin>(future: &mut Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

/// The first outcome of any that is pending; never, when none is.
async fn any(pending: &mut Pending) -> (AskId, Outcome) {
    poll_fn(|context| {
        for (id, outcome) in &mut *pending {
            if let Poll::Ready(outcome) = outcome.as_mut().poll(context) {
                return Poll::Ready((*id, outcome));
            }
        }
        Poll::Pending
    })
    .await
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
