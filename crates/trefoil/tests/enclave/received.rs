//! What a client received, held against what the record says was released.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt;
use serde_json::Value;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, SimpleQueryMessage};

use super::lab::{Enclave, Who};

/// What came back for one statement.
#[derive(Debug)]
pub struct Got {
    /// A comment in the statement's text, which no other has.
    pub mark: String,
    pub rows: u64,
    /// The entry that an error named, and whether it is about a verdict.
    pub entry: Option<(u64, bool)>,
}

/// A session, or nothing when the gate does not give one now.
pub async fn connect(enclave: &Enclave, who: Who) -> Option<Client> {
    let pem = std::fs::read(enclave.info["ca"].as_str().unwrap()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    for certificate in rustls::pki_types::pem::PemObject::pem_slice_iter(&pem) {
        roots.add(Result::unwrap(certificate)).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (host, port) = enclave.listener(who.place);
    let mut config = Config::new();
    config.host(&host).port(port).user(who.name).password(enclave.password(who.name)).dbname("trefoil");
    config.options(who.options).ssl_mode(SslMode::Require);
    let connected = config.connect(tokio_postgres_rustls::MakeRustlsConnect::new(tls)).await;
    let (client, connection) = connected.ok()?;
    tokio::spawn(connection);
    Some(client)
}

/// Asks, and counts what comes until it ends, well or not.
pub async fn ask(client: &Client, statement: String, mark: String) -> Got {
    let mut got = Got { mark, rows: 0, entry: None };
    let text = format!("{statement} /* {} */", got.mark);
    let Ok(answer) = client.simple_query_raw(&text).await else { return got };
    let mut answer = std::pin::pin!(answer);
    while let Some(message) = answer.next().await {
        match message {
            Ok(SimpleQueryMessage::Row(_)) => got.rows += 1,
            Ok(_) => {}
            Err(error) => {
                let said = error.as_db_error().map(|error| error.message().to_owned()).unwrap_or_default();
                let index =
                    said.rsplit_once("; entry ").and_then(|(_, n)| n.trim_end_matches(')').parse().ok());
                got.entry = index.map(|index| (index, said.contains("(rule ")));
                break;
            }
        }
    }
    got
}

/// Asks for much, does something when so many rows have come, and counts a little more until the connection breaks.
pub async fn ask_for(client: &Client, statement: &str, mark: &str, rows: u64, then: impl FnOnce()) -> Got {
    let mut got = Got { mark: mark.to_owned(), rows: 0, entry: None };
    let answer = client.simple_query_raw(&format!("{statement} /* {mark} */")).await.unwrap();
    let mut answer = std::pin::pin!(answer);
    let mut then = Some(then);
    while let Some(Ok(message)) = answer.next().await {
        got.rows += u64::from(matches!(message, SimpleQueryMessage::Row(_)));
        if got.rows == rows
            && let Some(then) = then.take()
        {
            then();
        }
        if got.rows == 2 * rows {
            break;
        }
    }
    got
}

/// What the record allows a statement to have given.
#[derive(Debug, Default, Clone, Copy)]
struct Allowed {
    /// Of an entry with exact counts.
    exact: Option<u64>,
    /// The sum of its windows.
    windows: u64,
}

/// Every row that came was in an entry; every entry that a client was told of is there.
pub fn reconcile(enclave: &Enclave, got: &[Got]) {
    let shown = enclave.trefoil(&["record", "show", "--json"]);
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    let entries: Vec<Value> = String::from_utf8_lossy(&shown.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let allowed = allowed(&entries);
    for got in got {
        let allowed = allowed.get(&got.mark).copied().unwrap_or_default();
        let most = allowed.exact.unwrap_or(0).max(allowed.windows);
        assert!(got.rows <= most, "{got:?}, and the record allows {allowed:?}");
        if let Some((index, is_verdict)) = got.entry {
            let entry = entries.get(usize::try_from(index).unwrap());
            let kind = entry.map(|entry| entry["entry"]["kind"].as_str().unwrap());
            let told = if is_verdict { kind == Some("access.decision") } else { kind.is_some() };
            assert!(told, "{got:?}: the client was told of this entry, and it is {kind:?}");
        }
    }
}

fn allowed(entries: &[Value]) -> BTreeMap<String, Allowed> {
    let mut allowed: BTreeMap<String, Allowed> = BTreeMap::new();
    // Session → the statement that its open window is for.
    let mut windows: BTreeMap<&str, String> = BTreeMap::new();
    for entry in entries {
        let fields = &entry["entry"];
        if fields["kind"] != "access.release" {
            continue;
        }
        let session = fields["session"].as_str().unwrap();
        let (state, rows) = (&fields["count"]["state"], fields["count"]["rows"].as_u64().unwrap_or(0));
        let statements = entry["detail"]["statements"].as_array().cloned().unwrap_or_default();
        for statement in &statements {
            let Some(mark) = mark(statement) else { continue };
            if state == "window" {
                windows.insert(session, mark);
            } else {
                let exact = &mut allowed.entry(mark).or_default().exact;
                *exact = Some(exact.unwrap_or(0) + statement["rows"].as_u64().unwrap());
            }
        }
        match (state == "window", windows.get(session)) {
            (true, Some(mark)) => allowed.entry(mark.clone()).or_default().windows += rows,
            (true, None) => {}
            (false, _) => drop(windows.remove(session)),
        }
    }
    allowed
}

fn mark(statement: &Value) -> Option<String> {
    let text = statement["text"].as_str()?;
    Some(text.rsplit_once("/* ")?.1.trim_end_matches(" */").to_owned())
}
