//! Clients that are Rust libraries: tokio-postgres and sqlx, as a service uses them.

use std::sync::Arc;

use super::lab::{AOIFE, Enclave};

type Outcome = Result<(), String>;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn say(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}

pub fn tokio_postgres(enclave: &Enclave) -> Outcome {
    runtime().block_on(with_tokio_postgres(enclave)).map_err(|error| format!("tokio-postgres: {error}"))
}

async fn with_tokio_postgres(enclave: &Enclave) -> Outcome {
    use futures_util::TryStreamExt;

    let mut client = tokio_postgres_client(enclave).await?;
    let count: i64 = client.query_one("SELECT count(*) FROM users", &[]).await.map_err(say)?.get(0);
    let by_id = client.prepare("SELECT id, handle FROM users WHERE id = $1").await.map_err(say)?;
    // Without awaiting one by one: a pipeline.
    let lookups = (1..=50_i64).map(|id| {
        let (client, by_id) = (&client, &by_id);
        async move { client.query_one(by_id, &[&id]).await.map(|row| row.get::<_, i64>(0)) }
    });
    let sum: i64 = futures_util::future::try_join_all(lookups).await.map_err(say)?.iter().sum();
    let refused = client.simple_query("SELECT * FROM data.users").await.err().and_then(|e| e.code().cloned());
    let transaction = client.transaction().await.map_err(say)?;
    let portal = transaction.bind("SELECT id FROM users", &[]).await.map_err(say)?;
    let mut paged = 0;
    loop {
        let rows = transaction.query_portal(&portal, 700).await.map_err(say)?.len();
        paged += rows;
        if rows == 0 {
            break;
        }
    }
    transaction.rollback().await.map_err(say)?;
    let copied = client.copy_out("COPY (SELECT id FROM users) TO STDOUT").await.map_err(say)?;
    let copied = copied.try_fold(0, |lines, bytes| async move {
        Ok(lines + bytes.iter().filter(|byte| **byte == b'\n').count())
    });
    let copied = copied.await.map_err(say)?;
    expect(&(count, sum, paged, copied, refused.map(|code| code.code().to_owned())))
}

fn expect(found: &(i64, i64, usize, usize, Option<String>)) -> Outcome {
    let expected = (3_000, 1_275, 3_000, 3_000, Some("42501".to_owned()));
    if *found == expected { Ok(()) } else { Err(format!("found {found:?}, expected {expected:?}")) }
}

async fn tokio_postgres_client(enclave: &Enclave) -> Result<tokio_postgres::Client, String> {
    let pem = std::fs::read(enclave.info["ca"].as_str().unwrap()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    for certificate in rustls::pki_types::pem::PemObject::pem_slice_iter(&pem) {
        roots.add(certificate.map_err(say)?).map_err(say)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(say)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (host, port) = enclave.listener(AOIFE.place);
    let mut config = tokio_postgres::Config::new();
    config.host(&host).port(port).user(AOIFE.name).password(enclave.password(AOIFE.name)).dbname("trefoil");
    config.options(AOIFE.options).ssl_mode(tokio_postgres::config::SslMode::Require);
    let (client, connection) =
        config.connect(tokio_postgres_rustls::MakeRustlsConnect::new(tls)).await.map_err(say)?;
    tokio::spawn(connection);
    Ok(client)
}

pub fn sqlx(enclave: &Enclave) -> Outcome {
    runtime().block_on(with_sqlx(enclave)).map_err(|error| format!("sqlx: {error}"))
}

async fn with_sqlx(enclave: &Enclave) -> Outcome {
    use sqlx::Row;
    use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};

    let (host, port) = enclave.listener(AOIFE.place);
    let options = PgConnectOptions::new_without_pgpass()
        .host(&host)
        .port(port)
        .username(AOIFE.name)
        .password(&enclave.password(AOIFE.name))
        .database("trefoil")
        .ssl_mode(PgSslMode::VerifyFull)
        .ssl_root_cert(enclave.info["ca"].as_str().unwrap())
        .options([("trefoil.purpose", "support"), ("trefoil.ticket", "SUP-1")]);
    let pool = PgPoolOptions::new().max_connections(2).connect_with(options).await.map_err(say)?;
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(&pool).await.map_err(say)?;
    let mut sum = 0_i64;
    for id in 1..=50_i64 {
        let row = sqlx::query("SELECT id, handle FROM users WHERE id = $1").bind(id).fetch_one(&pool).await;
        sum += row.map_err(say)?.get::<i64, _>("id");
    }
    let refused = sqlx::query("SELECT * FROM data.users").fetch_all(&pool).await.err();
    let refused = refused.and_then(|error| Some(error.as_database_error()?.code()?.into_owned()));
    let mut transaction = pool.begin().await.map_err(say)?;
    let all = sqlx::query("SELECT id FROM users").fetch_all(&mut *transaction).await.map_err(say)?.len();
    transaction.rollback().await.map_err(say)?;
    let raw = sqlx::raw_sql("SELECT 1; SELECT id FROM users").fetch_all(&pool).await.map_err(say)?.len();
    expect(&(count, sum, all, raw - 1, refused))
}
