//! Whether a part answers: the smallest honest question that its protocol allows.

use std::net::Ipv4Addr;
use std::time::Duration;

use record::MonitorState;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::enclave::ports::Ports;
use crate::folder::{Folder, MONITOR_CERT, MONITOR_DOOR, MONITOR_KEY};

const ANSWER_MS_MAX: u64 = 2_000;
const RECORD_REQUEST: &[u8] = b"HEAD /checkpoint HTTP/1.1\r\nHost: record\r\nConnection: close\r\n\r\n";
const RECORD_ANSWER: &[u8; 12] = b"HTTP/1.1 200";
/// PostgreSQL's SSLRequest: length 8, code 1234.5679.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// True when the gate answers at every one of its listeners.
pub(crate) async fn gate_answers(ports: &Ports) -> bool {
    for port in ports.gate.values() {
        if !speaks_tls(*port).await {
            return false;
        }
    }
    true
}

/// True when something that speaks PostgreSQL with TLS listens there.
async fn speaks_tls(port: u16) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok()?;
        stream.write_all(&SSL_REQUEST).await.ok()?;
        stream.read_u8().await.ok()
    };
    timeout(Duration::from_millis(ANSWER_MS_MAX), ask).await.ok().flatten() == Some(b'S')
}

/// True when the published record is served.
pub(crate) async fn record_answers(ports: &Ports) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, ports.record)).await.ok()?;
        stream.write_all(RECORD_REQUEST).await.ok()?;
        let mut status = [0; RECORD_ANSWER.len()];
        stream.read_exact(&mut status).await.ok()?;
        Some(status == *RECORD_ANSWER)
    };
    timeout(Duration::from_millis(ANSWER_MS_MAX), ask).await.ok().flatten() == Some(true)
}

/// What the monitor says of itself to the gate, if it answers.
pub(crate) async fn monitor_state(folder: &Folder, ports: &Ports) -> Option<MonitorState> {
    let [door, cert, key] = [MONITOR_DOOR, MONITOR_CERT, MONITOR_KEY].map(|file| folder.gate(file));
    let tls = access::monitor_tls(&door, &cert, &key).ok()?;
    let url = ports.monitor_url();
    let asked = record::monitor_state(&url, Some(&tls));
    timeout(Duration::from_millis(ANSWER_MS_MAX), asked).await.ok()?.ok()
}
