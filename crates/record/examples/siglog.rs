//! What a peer costs: siglog's log takes entries of the same size from so many who each wait for their own, and its witness
//! cosigns one checkpoint after the other. Both are programs of their own, with SQLite and files in this folder. Prints
//! one JSON object; `cargo xtask bench record` runs it and says what it means.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on may end")]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::HOST;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tlog::checkpoint::Checkpoint;
use tlog::hash::leaf_hash;
use tlog::note::{KeyType, SigningKey};
use tlog::tree::{Frontier, Levels, consistency_proof};
use tokio::net::TcpStream;
use tokio::time::Instant;

const ORIGIN: &str = "bench.example/siglog";
/// About what an entry of ours and its sealed detail take together.
const ENTRY_BYTES: usize = 1_200;
/// How long the servers may take to answer for the first time.
const START_MS_MAX: u64 = 20_000;
/// How long the log may take to publish what it has taken.
const BEHIND_MS_MAX: u64 = 120_000;
/// How long the log waits for a batch to fill.
const BATCH_MS: u64 = 50;
const POLL: Duration = Duration::from_millis(50);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [programs, waiting, seconds] = arguments.as_slice() else {
        eprintln!(
            "say where its programs are, how many wait, and for how many seconds: siglog target/tools/bin 32 5"
        );
        std::process::exit(2);
    };
    let (waiting, seconds) = (waiting.parse().unwrap(), Duration::from_secs(seconds.parse().unwrap()));
    let dir = tempfile::tempdir().unwrap();
    let log = log(Path::new(programs), dir.path(), waiting, seconds).await;
    let witness = witness(Path::new(programs), dir.path(), seconds).await;
    println!("{}", json!({ "log": log, "witness": witness }));
}

/// A server that ends with us.
struct Server {
    child: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    async fn start(program: &Path, arguments: &[String]) -> Server {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let mut command = Command::new(program);
        // Its traces of each request would be measured with it.
        command
            .args(arguments)
            .args(["--listen", &address])
            .env("RUST_LOG", "error,siglog=error,tower_http=error");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let server = Server { child: child.unwrap(), address };
        let until = now() + Duration::from_millis(START_MS_MAX);
        while TcpStream::connect(&server.address).await.is_err() {
            assert!(now() < until, "{} does not answer", program.display());
            tokio::time::sleep(POLL).await;
        }
        server
    }

    async fn client(&self) -> Client {
        let stream = TcpStream::connect(&self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Client { sender, host: self.address.clone() }
    }
}

/// A connection that is kept.
struct Client {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Client {
    async fn ask(&mut self, method: Method, path: &str, body: Vec<u8>) -> (StatusCode, String) {
        let request = Request::builder().method(method).uri(path).header(HOST, &self.host);
        self.sender.ready().await.unwrap();
        let answer = self.sender.send_request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    }
}

/// Entries a second, how long each waits for its index, and how much later the last is under a checkpoint.
async fn log(programs: &Path, dir: &Path, waiting: usize, seconds: Duration) -> Value {
    let key = SigningKey::from_seed(ORIGIN, KeyType::Ed25519, [1; 32]).unwrap();
    let arguments = [
        "--database-url".to_owned(),
        format!("sqlite:{}?mode=rwc", dir.join("log.db").display()),
        "--storage-backend".to_owned(),
        "fs".to_owned(),
        "--fs-root".to_owned(),
        dir.join("tiles").display().to_string(),
        "--origin".to_owned(),
        ORIGIN.to_owned(),
        "--private-key".to_owned(),
        key.to_secret_text(),
        // As shipped, whoever adds waits for a second until a batch is full: too long to compare with.
        "--batch-max-age-ms".to_owned(),
        BATCH_MS.to_string(),
    ];
    std::fs::create_dir_all(dir.join("tiles")).unwrap();
    let server = Server::start(&programs.join("siglog"), &arguments).await;
    let (began, mut tasks) = (now(), Vec::new());
    for task in 0..waiting {
        let mut client = server.client().await;
        tasks.push(tokio::spawn(async move {
            let (mut waits, mut refused) = (Vec::new(), 0_u64);
            while began.elapsed() < seconds {
                let mut entry = format!("{task} {}", waits.len()).into_bytes();
                entry.resize(ENTRY_BYTES, b'x');
                let start = now();
                // It refuses batches while its own integration holds the database.
                while client.ask(Method::POST, "/add", entry.clone()).await.0 != StatusCode::OK {
                    refused += 1;
                }
                waits.push(start.elapsed());
            }
            (waits, refused)
        }));
    }
    let (mut waits, mut refused) = (Vec::new(), 0);
    for task in tasks {
        let (more, times) = task.await.unwrap();
        waits.extend(more);
        refused += times;
    }
    let took = began.elapsed();
    let behind = behind(&server, waits.len()).await;
    let figures = figures(waits, took);
    json!({
        "per_second": figures.0,
        "p50_us": figures.1,
        "p99_us": figures.2,
        "behind_s": behind,
        "refused": refused,
    })
}

/// Seconds until the log's checkpoint has all that it took; none when that takes too long.
async fn behind(server: &Server, entries: usize) -> Option<f64> {
    let (began, mut client) = (now(), server.client().await);
    while began.elapsed() < Duration::from_millis(BEHIND_MS_MAX) {
        let (_, checkpoint) = client.ask(Method::GET, "/checkpoint", Vec::new()).await;
        let size = checkpoint.lines().nth(1).and_then(|line| line.parse::<usize>().ok());
        if size.is_some_and(|size| size >= entries) {
            return Some(began.elapsed().as_secs_f64());
        }
        tokio::time::sleep(POLL).await;
    }
    None
}

/// Cosignatures a second of checkpoints that each grow by an entry, one after the other as the rules of witnesses ask.
async fn witness(programs: &Path, dir: &Path, seconds: Duration) -> Value {
    let key = |name, seed| SigningKey::from_seed(name, KeyType::Ed25519, [seed; 32]).unwrap();
    let (log, witness) = (key(ORIGIN, 1), key("bench.example/witness", 2));
    let arguments = [
        "--database-url".to_owned(),
        format!("sqlite:{}?mode=rwc", dir.join("witness.db").display()),
        "--private-key".to_owned(),
        witness.to_secret_text(),
        "--log".to_owned(),
        format!("{ORIGIN}={}", log.verifier()),
    ];
    let server = Server::start(&programs.join("witness"), &arguments).await;
    let mut client = server.client().await;
    let (mut levels, mut tree, mut waits) = (Levels::new(), Frontier::new(), Vec::new());
    let began = now();
    while began.elapsed() < seconds {
        let old = tree.size();
        let leaf = leaf_hash(&old.to_be_bytes());
        levels.push(leaf);
        tree.push(leaf);
        let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: tree.size(), root: tree.root() };
        let note = log.sign_note(&checkpoint.to_string()).unwrap();
        let proof = consistency_proof(&levels, old, tree.size()).unwrap();
        let proof: String = proof.iter().map(|hash| format!("{}\n", hash.to_base64())).collect();
        let start = now();
        let body = format!("old {old}\n{proof}\n{note}").into_bytes();
        let (status, said) = client.ask(Method::POST, "/add-checkpoint", body).await;
        assert_eq!(status, StatusCode::OK, "{said}");
        waits.push(start.elapsed());
    }
    let figures = figures(waits, began.elapsed());
    json!({ "per_second": figures.0, "p50_us": figures.1, "p99_us": figures.2 })
}

/// How many a second, and the quantiles of how long each took, in microseconds.
fn figures(mut waits: Vec<Duration>, took: Duration) -> (f64, f64, f64) {
    waits.sort();
    let quantile = |percent: usize| waits[(waits.len() - 1) * percent / 100].as_secs_f64() * 1e6;
    (waits.len() as f64 / took.as_secs_f64(), quantile(50), quantile(99))
}

#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn now() -> Instant {
    Instant::now()
}
