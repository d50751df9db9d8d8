//! trial
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
mod common;
use common::{Enclave, example};
#[tokio::test(flavor = "multi_thread")]
async fn trial() {
    let enclave = Enclave::provisioned(example(), 60).await;
    for cluster in &enclave.clusters {
        let found = sites::check(cluster, &enclave.bundle).await.unwrap();
        for d in found.drift {
            println!("{d}");
        }
    }
    let watch = enclave.watch("dublin-1").await;
    for query in wall::drift::queries() {
        watch.batch_execute(&query).await.unwrap();
    }
    println!("DIR {} {}", enclave.cluster("dublin-1").folder().display(), enclave.cluster("dublin-1").port());
    for p in enclave.bundle.profiles() {
        println!("{} {}", p.name, enclave.role(&p.name, "dublin-1", 1));
    }
    let t = std::env::var("HOLD").map(|t| t.parse().unwrap()).unwrap_or(0);
    tokio::time::sleep(std::time::Duration::from_secs(t)).await;
}
