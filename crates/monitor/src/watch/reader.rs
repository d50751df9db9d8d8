//! Reads what a site counts, as `trefoil_stats`, over TLS. Not here: what it means (`fold`).

use std::{path::Path, sync::Arc, time::Duration};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use thiserror::Error;
use tokio::time::timeout;
use tokio_postgres::{Client, Row};
use tokio_postgres_rustls::MakeRustlsConnect;
use wall::stats::{COUNTERS, LIVE, STANDING};

use super::{
    account::Count,
    fold::{Counter, Live, Reading},
};
use crate::folder::{FolderError, read_bytes};

/// How long a site may take to be read.
const READ_MS_MAX: u64 = 5_000;

/// Why a site could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    #[error(transparent)]
    Database(#[from] tokio_postgres::Error),
    #[error("no answer within {READ_MS_MAX} ms")]
    Late,
    #[error("{0} is not what it should be")]
    Answer(&'static str),
}

/// Why sites cannot be known.
#[derive(Debug, Error)]
pub enum CaError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("{file}: {problem}; put the certificate of the sites' authority there")]
    Certificate { file: String, problem: String },
}

/// How every site is connected to: known by this authority, and shown no certificate.
pub fn tls(ca: &Path) -> Result<MakeRustlsConnect, CaError> {
    let wrong = |problem: String| CaError::Certificate { file: ca.display().to_string(), problem };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&read_bytes(ca)?) {
        let certificate = certificate.map_err(|e| wrong(e.to_string()))?;
        roots.add(certificate).map_err(|e| wrong(e.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("no certificate".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// One site's connection, made anew whenever it broke.
pub struct Reader {
    config: tokio_postgres::Config,
    tls: MakeRustlsConnect,
    client: Option<Client>,
}

impl Reader {
    pub fn new(config: tokio_postgres::Config, tls: MakeRustlsConnect) -> Reader {
        Reader { config, tls, client: None }
    }

    /// Everything that is counted now. `at` is left for the caller, who has a clock.
    pub async fn read(&mut self) -> Result<Reading, ReadError> {
        let limit = Duration::from_millis(READ_MS_MAX);
        let read = timeout(limit, self.try_read()).await.unwrap_or(Err(ReadError::Late));
        if read.is_err() {
            self.client = None;
        }
        read
    }

    /// Who is connected now.
    pub async fn live(&mut self) -> Result<Vec<Live>, ReadError> {
        let limit = Duration::from_millis(READ_MS_MAX);
        let read = async { self.client().await?.query(LIVE, &[]).await?.iter().map(live_of).collect() };
        let read = timeout(limit, read).await.unwrap_or(Err(ReadError::Late));
        if read.is_err() {
            self.client = None;
        }
        read
    }

    async fn client(&mut self) -> Result<&Client, ReadError> {
        let client = match self.client.take() {
            Some(client) if !client.is_closed() => client,
            _ => {
                let (client, connection) = self.config.connect(self.tls.clone()).await?;
                // It ends when the client is dropped; what breaks it shows in the queries.
                drop(tokio::spawn(connection));
                client
            }
        };
        Ok(self.client.insert(client))
    }

    async fn try_read(&mut self) -> Result<Reading, ReadError> {
        let client = self.client().await?;
        let standing = client.query_one(STANDING, &[]).await?;
        let counters = client.query(COUNTERS, &[]).await?;
        let live = client.query(LIVE, &[]).await?;
        Ok(Reading {
            at: 0,
            dropped: standing.try_get(0)?,
            emptied: standing.try_get(1)?,
            started: standing.try_get(2)?,
            counters: counters.iter().map(counter).collect::<Result<_, _>>()?,
            live: live.iter().map(live_of).collect::<Result<_, _>>()?,
        })
    }
}

fn counter(row: &Row) -> Result<Counter, ReadError> {
    let counted = Count { calls: row.try_get(2)?, rows: row.try_get(3)? };
    Ok(Counter { number: row.try_get(0)?, role: row.try_get(1)?, counted })
}

fn live_of(row: &Row) -> Result<Live, ReadError> {
    let address: Option<String> = row.try_get(3)?;
    let serial: Option<String> = row.try_get(4)?;
    let address =
        address.map(|text| text.parse().map_err(|_| ReadError::Answer("an address"))).transpose()?;
    // A number that is longer than the monitor's is of a certificate that it did not issue, as is none.
    let serial = serial.and_then(|text| text.parse().ok());
    let role: Option<String> = row.try_get(1)?;
    // A connection that is being made has no role yet.
    Ok(Live { pid: row.try_get(0)?, role: role.unwrap_or_default(), address, serial, since: row.try_get(5)? })
}
