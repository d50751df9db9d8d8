//! Receivers that fail first: real sockets that are closed, answer with an error, or end with a message unread, before
//! they take anything. They keep what they took.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    os::unix::net::UnixDatagram,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use rcgen::{CertificateParams, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivateKeyDer};
use serde_json::Value;
use sha2::Sha256;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
/// How often a receiver fails before it takes anything.
const FAILURES: usize = 3;

/// A way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Webhook,
    WebhookTls,
    Tcp,
    Tls,
    Udp,
    Unix,
}

impl Way {
    pub const ALL: [Way; 6] = [Way::Webhook, Way::WebhookTls, Way::Tcp, Way::Tls, Way::Udp, Way::Unix];

    /// Whether the sender learns that a message was not taken.
    pub fn can_tell(self) -> bool {
        !matches!(self, Way::Udp | Way::Unix)
    }
}

/// What a receiver has taken, and how often it failed.
pub struct Receiver {
    address: String,
    told: Arc<Mutex<Vec<Value>>>,
    failures: Arc<AtomicUsize>,
}

impl Receiver {
    /// Starts one; its files lie in `work`.
    pub fn start(way: Way, work: &Path) -> Receiver {
        let told = Arc::new(Mutex::new(Vec::new()));
        let failures = Arc::new(AtomicUsize::new(0));
        let (keep, failed) = (told.clone(), failures.clone());
        let address = match way {
            Way::Udp => {
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                let address = socket.local_addr().unwrap().to_string();
                thread::spawn(move || datagrams(|bytes| socket.recv(bytes), &keep));
                address
            }
            Way::Unix => {
                let path = work.join("syslog.sock");
                let socket = UnixDatagram::bind(&path).unwrap();
                thread::spawn(move || datagrams(|bytes| socket.recv(bytes), &keep));
                path.display().to_string()
            }
            Way::Webhook | Way::WebhookTls | Way::Tcp | Way::Tls => {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let port = listener.local_addr().unwrap().port();
                let tls = matches!(way, Way::WebhookTls | Way::Tls).then(|| certificate(work, way));
                thread::spawn(move || {
                    for stream in listener.incoming() {
                        take(way, stream.unwrap(), tls.as_ref(), &keep, &failed);
                    }
                });
                format!("localhost:{port}")
            }
        };
        Receiver { address, told, failures }
    }

    /// Its section of monitor.toml.
    pub fn config(&self, way: Way, work: &Path) -> String {
        let (address, work) = (&self.address, work.display());
        let webhook = |name: &str, scheme: &str, format: &str, more: &str| {
            format!(
                "[notify.{name}]\nto = \"webhook\"\nformat = \"{format}\"\nurl = \"{scheme}://{address}/hook\"\n\
                 secret_file = \"{work}/secret\"\n{more}"
            )
        };
        let syslog = |over: &str, more: &str| {
            format!(
                "[notify.{over}]\nto = \"syslog\"\nformat = \"incident\"\nover = \"{over}\"\n\
                 address = \"{address}\"\n{more}"
            )
        };
        let roots = format!("roots_file = \"{work}/{way:?}.pem\"\n");
        match way {
            Way::Webhook => webhook("web", "http", "incident", ""),
            Way::WebhookTls => webhook("secure-web", "https", "ocsf", &roots),
            Way::Tcp => syslog("tcp", ""),
            Way::Tls => syslog("tls", &roots),
            Way::Udp => syslog("udp", ""),
            Way::Unix => syslog("unix", ""),
        }
    }

    pub fn told(&self) -> Vec<Value> {
        self.told.lock().unwrap().clone()
    }

    /// The ids that have come.
    pub fn ids(&self) -> BTreeSet<String> {
        let id = |message: &Value| {
            message["id"].as_str().or(message["metadata"]["uid"].as_str()).unwrap().to_owned()
        };
        self.told.lock().unwrap().iter().map(id).collect()
    }

    pub fn failures(&self) -> usize {
        self.failures.load(SeqCst)
    }
}

fn certificate(work: &Path, way: Way) -> Arc<ServerConfig> {
    let key = KeyPair::generate().unwrap();
    let made = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    fs::write(work.join(format!("{way:?}.pem")), made.pem()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    Arc::new(config.with_no_client_auth().with_single_cert(vec![made.der().clone()], key).unwrap())
}

fn datagrams(receive: impl Fn(&mut [u8]) -> std::io::Result<usize>, keep: &Mutex<Vec<Value>>) {
    let mut bytes = vec![0; 65_536];
    while let Ok(length) = receive(&mut bytes) {
        keep.lock().unwrap().push(syslog(std::str::from_utf8(&bytes[..length]).unwrap()));
    }
}

/// One connection: fails in another way each time, then takes it.
fn take(
    way: Way,
    stream: TcpStream,
    tls: Option<&Arc<ServerConfig>>,
    keep: &Mutex<Vec<Value>>,
    failures: &AtomicUsize,
) {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let failure = failures.load(SeqCst);
    if failure < FAILURES {
        failures.fetch_add(1, SeqCst);
        // The first two connections end at once, with whatever was sent unread.
        if failure < 2 {
            thread::sleep(Duration::from_millis(30));
            return;
        }
    }
    let fails = failure < FAILURES;
    match tls {
        Some(config) => {
            let mut stream = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
            converse(way, &mut stream, keep, fails);
            if !fails {
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
        None => converse(way, stream, keep, fails),
    }
}

fn converse(way: Way, mut stream: impl Read + Write, keep: &Mutex<Vec<Value>>, fails: bool) {
    if matches!(way, Way::Tcp | Way::Tls) {
        if fails {
            let _ = stream.read(&mut [0; 16]);
            return;
        }
        let mut bytes = Vec::new();
        // A peer that closes without saying so first ends with an error here.
        let _ = stream.read_to_end(&mut bytes);
        let text = String::from_utf8(bytes).unwrap();
        if let Some((length, line)) = text.split_once(' ') {
            assert_eq!(length.parse::<usize>().unwrap(), line.len(), "octets are counted");
            keep.lock().unwrap().push(syslog(line));
        }
        return;
    }
    let Some((head, body)) = request(&mut stream) else { return };
    let header = |name: &str| {
        let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")));
        line.unwrap_or_else(|| panic!("no {name} in {head}")).split_once(':').unwrap().1.trim().to_owned()
    };
    assert!(head.starts_with("POST /hook HTTP/1.1\r\n"), "{head}");
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(SECRET).unwrap();
    let id = header("webhook-id");
    mac.update(format!("{id}.{}.{body}", header("webhook-timestamp")).as_bytes());
    let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(header("webhook-signature"), expected, "who has the secret knows who sent it");
    let message: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(message["id"].as_str().or(message["metadata"]["uid"].as_str()), Some(id.as_str()));
    let status = if fails { "503 Service Unavailable" } else { "204 No Content" };
    if !fails {
        keep.lock().unwrap().push(message);
    }
    let _ = stream
        .write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes());
    let _ = stream.flush();
}

fn request(stream: &mut impl Read) -> Option<(String, String)> {
    let (mut bytes, mut part) = (Vec::new(), [0; 4_096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-length:"))?;
            let length: usize = line.split_once(':')?.1.trim().parse().ok()?;
            if body.len() >= length {
                return Some((format!("{head}\r\n"), body.to_owned()));
            }
        }
        let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&part[..read]);
    }
}

/// The message in a line of RFC 5424.
fn syslog(line: &str) -> Value {
    let head: Vec<_> = line.splitn(7, ' ').collect();
    let [priority, time, host, program, process, id, rest] = head[..] else { panic!("{line}") };
    assert_eq!(
        (priority, program, process),
        ("<107>1", "trefoil-monitor", "-"),
        "facility 13, error: {line}"
    );
    assert!(time.ends_with('Z') && host == "europe-monitor.example" && id.starts_with("incident."), "{line}");
    assert!(rest.starts_with("[meta sequenceId=\""), "{line}");
    serde_json::from_str(rest.split_once("] {").map(|(_, json)| format!("{{{json}")).unwrap().as_str())
        .unwrap()
}
