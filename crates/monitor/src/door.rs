//! The listening socket: who is let in where, how many, and for how long they may say nothing. Whoever speaks plain
//! HTTP is nobody in particular and gets what is public; whoever speaks TLS has to show a certificate of a gate that is
//! enrolled (`enrol`), and gets what is the gates'. Both at one address: TLS begins with a byte that HTTP does not. What is
//! served is `serve` and `witness::http`.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch},
    time::{Sleep, sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use crate::{clock, enrol, folder::Folder};

/// Connections of which it is not known yet who they are; more wait in the kernel's queue.
pub const STRANGERS_MAX: usize = 256;
/// How long it may take to say who one is.
pub const HELLO_MS_MAX: u64 = 5_000;
/// Connections in plain HTTP at once; one more is hung up on.
pub const PUBLIC_CONNECTIONS_MAX: usize = 256;
/// Connections of gates at once. A gate has two: it sends batches on one and hears of brakes on the other.
pub const GATE_CONNECTIONS_MAX: usize = 256;
/// How long a peer may say nothing. A gate says something every ten seconds.
pub const SILENCE_MS_MAX: u64 = 30_000;
/// The longest head of a request.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long a stop waits for connections to end.
pub const STOP_WAIT_MS_MAX: u64 = 2_000;
/// How long to wait when the system gives no connection, which it has no descriptors for.
const RETRY_MS: u64 = 50;
/// The first byte of TLS: a record of the handshake.
const TLS_FIRST_BYTE: u8 = 0x16;

/// The name of the gate that asks, among a request's extensions.
#[derive(Debug, Clone)]
pub struct Gate(pub String);

/// How gates are let in, and what they get.
pub struct Gates {
    pub folder: Folder,
    pub tls: Arc<ServerConfig>,
    pub router: Router,
}

/// A bound address.
pub struct Door {
    listener: TcpListener,
}

/// What every connection needs.
struct House {
    public: Router,
    gates: Option<Gates>,
    public_room: Arc<Semaphore>,
    gate_room: Arc<Semaphore>,
    stopping: watch::Receiver<bool>,
}

impl Door {
    pub async fn bind(address: SocketAddr) -> io::Result<Door> {
        Ok(Door { listener: TcpListener::bind(address).await? })
    }

    /// The address, with its port.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is done, and then for as long as requests in flight take, up to [`STOP_WAIT_MS_MAX`].
    pub async fn run(self, public: Router, gates: Option<Gates>, stop: impl Future<Output = ()>) {
        let (stops, stopping) = watch::channel(false);
        let house = Arc::new(House {
            public,
            gates,
            public_room: Arc::new(Semaphore::new(PUBLIC_CONNECTIONS_MAX)),
            gate_room: Arc::new(Semaphore::new(GATE_CONNECTIONS_MAX)),
            stopping,
        });
        // Held by every connection, so that it is known when the last one has ended.
        let (guest, mut ended) = mpsc::channel::<()>(1);
        let strangers = Arc::new(Semaphore::new(STRANGERS_MAX));
        let mut stop = pin!(stop);
        loop {
            let next = tokio::select! {
                () = &mut stop => break,
                next = next(&self.listener, &strangers) => next,
            };
            match next {
                Ok((stream, stranger)) => {
                    let (house, guest) = (Arc::clone(&house), guest.clone());
                    tokio::spawn(async move {
                        house.welcome(stream, stranger).await;
                        drop(guest);
                    });
                }
                Err(error) => {
                    eprintln!("cannot accept: {error}");
                    sleep(Duration::from_millis(RETRY_MS)).await;
                }
            }
        }
        drop((self.listener, guest));
        let _ = stops.send(true);
        let _ = timeout(Duration::from_millis(STOP_WAIT_MS_MAX), ended.recv()).await;
    }
}

async fn next(
    listener: &TcpListener,
    strangers: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let stranger = Arc::clone(strangers).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    // A batch waits for its answer: without this the answer may wait for the batch's acknowledgement.
    stream.set_nodelay(true)?;
    Ok((stream, stranger))
}

impl House {
    /// Finds out who connects, and serves them. Whoever does not say it in time is hung up on.
    async fn welcome(&self, stream: TcpStream, stranger: OwnedSemaphorePermit) {
        let hello = Duration::from_millis(HELLO_MS_MAX);
        let mut first = [0];
        let Ok(Ok(1)) = timeout(hello, stream.peek(&mut first)).await else { return };
        if first != [TLS_FIRST_BYTE] {
            drop(stranger);
            let Ok(_room) = self.public_room.try_acquire() else { return };
            return self.serve(stream, self.public.clone()).await;
        }
        let Some(Gates { folder, tls, router }) = &self.gates else { return };
        let handshake = TlsAcceptor::from(Arc::clone(tls)).accept(stream);
        let stream = match timeout(hello, handshake).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return eprintln!("a TLS connection was refused: {error}"),
            Err(_) => return,
        };
        drop(stranger);
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let Some(gate) = shown.and_then(|shown| enrol::gate_of(folder, shown)) else {
            return eprintln!("a gate was refused: its certificate is not in the folder gates");
        };
        let Ok(_room) = self.gate_room.try_acquire() else { return };
        self.serve(stream, router.clone().layer(Extension(Gate(gate)))).await;
    }

    async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send, router: Router) {
        let guest = TokioIo::new(Guest { stream, silence: Box::pin(sleep(silence())) });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(silence()).max_buf_size(HEAD_BYTES_MAX);
        let mut connection = pin!(http.serve_connection(guest, TowerToHyperService::new(router)));
        let mut stopping = self.stopping.clone();
        // An error is the peer's: it hung up, fell silent, or does not speak HTTP.
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

fn silence() -> Duration {
    Duration::from_millis(SILENCE_MS_MAX)
}

/// A connection, until its peer has said nothing for too long.
struct Guest<S> {
    stream: S,
    silence: Pin<Box<Sleep>>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Guest<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, into) {
            self.silence.as_mut().reset(clock::instant() + silence());
            return Poll::Ready(read);
        }
        ready!(self.silence.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guest<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        // Who listens to brakes says nothing, and takes what is said.
        self.silence.as_mut().reset(clock::instant() + silence());
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
