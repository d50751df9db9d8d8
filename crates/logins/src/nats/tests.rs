//! A real nats-server, and processes that fail: every event's judgement is published once, and is the one that a process
//! alone would have come to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::*;
use crate::answer::{Above, At};
use crate::share::{Judging, Share};
use crate::steps::{Step, Steps, When};

/// A server of its own, on a free port.
struct Nats {
    process: Child,
    dir: tempfile::TempDir,
}

impl Nats {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let process = Command::new("nats-server")
            .args(["-a", "127.0.0.1", "-p", "-1", "-js"])
            .arg("-sd")
            .arg(dir.path().join("store"))
            .arg("--ports_file_dir")
            .arg(dir.path())
            .stderr(Stdio::null())
            .spawn()
            .expect("nats-server must be installed: apt-get install nats-server");
        Self { process, dir }
    }

    async fn server(&self) -> Server {
        let file = self.dir.path().join(format!("nats-server_{}.ports", self.process.id()));
        for _ in 0..500 {
            let ports = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
            let url = ports.and_then(|ports: serde_json::Value| Some(ports["nats"][0].as_str()?.to_owned()));
            if let Some(url) = url {
                return Server { url, credentials: None, authorities: None, identity: None };
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("nats-server did not start");
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn judging(dir: &tempfile::TempDir) -> Judging {
    // Small tables, so that a snapshot can be taken every few events.
    let campaign = risk::campaign::Settings {
        sources: 256,
        networks: 256,
        cohorts: 256,
        targets: 64,
        pairs: 256,
        users: 256,
        sessions: 256,
        campaigns: 64,
        ..risk::campaign::Settings::default()
    };
    Judging {
        secret: Secret::read_or_make(&dir.path().join("key")).unwrap(),
        weights: Arc::new(risk::Weights::shipped()),
        settings: risk::Settings { campaign, ..risk::Settings::default() },
        places: Arc::default(),
        above: Above::Everything,
    }
}

/// Events of many users: most log in from where they always do, some from elsewhere.
fn events(count: usize) -> Vec<(String, String)> {
    let event = |number: usize| {
        let user = format!("user-{}", number * 7 % 97);
        let elsewhere = number.is_multiple_of(11);
        let ip =
            if elsewhere { format!("203.0.113.{}", number % 200) } else { format!("10.0.0.{}", number % 3) };
        let line = format!(
            r#"{{"class_uid":3002,"activity_id":1,"status_id":1,"time":{},"user":{{"name":"{user}"}},"service":{{"name":"mail"}},"src_endpoint":{{"ip":"{ip}","location":{{"country":"{}"}}}},"metadata":{{"uid":"e{number}"}}}}"#,
            1_700_000_000_000_u64 + number as u64 * 60_000,
            if elsewhere { "RU" } else { "IE" },
        );
        (user, line)
    };
    (0..count).map(event).collect()
}

async fn publish(estate: &Estate, events: &[(String, String)]) {
    let mut publisher = Publisher::new(estate.clone()).unwrap();
    for (at, (user, line)) in events.iter().enumerate() {
        publisher.add(user, line.as_bytes()).await.unwrap();
        // Many small messages rather than few large ones.
        if at % 10 == 9 {
            publisher.flush().await.unwrap();
        }
    }
    publisher.flush().await.unwrap();
}

/// All messages of a stream, by their subject's last part: sequence and payload.
async fn all(stream: &stream::Stream) -> BTreeMap<u32, Vec<(u64, Vec<u8>)>> {
    let state = stream.get_info().await.unwrap().state;
    let mut found: BTreeMap<u32, Vec<(u64, Vec<u8>)>> = BTreeMap::new();
    for sequence in state.first_sequence..=state.last_sequence {
        let Ok(message) = stream.get_raw_message(sequence).await else { continue };
        let share = message.subject.rsplit('.').next().unwrap().parse().unwrap();
        found.entry(share).or_default().push((sequence, message.payload.to_vec()));
    }
    found
}

/// What was published of each share.
async fn judged(estate: &Estate) -> BTreeMap<u32, String> {
    let text = |messages: Vec<(u64, Vec<u8>)>| {
        String::from_utf8(messages.into_iter().flat_map(|(_, payload)| payload).collect()).unwrap()
    };
    all(&estate.judged).await.into_iter().map(|(share, messages)| (share, text(messages))).collect()
}

/// What a process alone comes to that never fails: what it publishes, and hands in.
async fn expected(
    estate: &Estate,
    judging: &Judging,
) -> (BTreeMap<u32, String>, BTreeMap<(u32, u64), String>) {
    let (mut expected, mut handed) = (BTreeMap::new(), BTreeMap::new());
    for (share, messages) in all(&estate.input).await {
        let (mut alone, mut out) = (Share::new(judging), Vec::new());
        for (sequence, payload) in messages {
            alone.handed = Some(Vec::new());
            alone.take(|line| At::Stream { share, sequence, line }, &payload, Some(&mut out));
            let new = alone.handed.take().unwrap();
            if !new.is_empty() {
                handed.insert((share, sequence << 16), format!("{new:?}"));
            }
        }
        expected.insert(share, String::from_utf8(out).unwrap());
    }
    (expected, handed)
}

async fn wait_for(estate: &Estate, lines: usize) -> BTreeMap<u32, String> {
    for _ in 0..600 {
        let judged = judged(estate).await;
        if judged.values().map(|text| text.lines().count()).sum::<usize>() >= lines {
            return judged;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let counts: Vec<usize> = judged(estate).await.values().map(|text| text.lines().count()).collect();
    for share in 0..estate.shares() {
        eprintln!("share {share}: {:?}", lease::entry(&estate.bucket, share).await);
    }
    panic!("{lines} judgements were not published in time: {counts:?}");
}

/// What an enclave has of each share, under which number: once, or again as it was.
type Taken = Arc<Mutex<BTreeMap<(u32, u64), String>>>;

fn taker(taken: &Taken) -> Hand {
    let taken = taken.clone();
    Arc::new(move |share, number, batch| {
        let batch = format!("{batch:?}");
        let mut taken = taken.lock().unwrap();
        let there = taken.entry((share, number)).or_insert_with(|| batch.clone());
        assert!(*there == batch, "another batch of number {number} of share {share}");
        Ok(())
    })
}

struct Run {
    task: JoinHandle<Result<(), NatsError>>,
    stop: watch::Sender<bool>,
    told: Arc<Mutex<Vec<String>>>,
}

async fn work(server: &Server, judging: &Judging, steps: Steps) -> Run {
    work_for(server, judging, steps, None).await
}

async fn work_for(server: &Server, judging: &Judging, steps: Steps, hand: Option<Hand>) -> Run {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = told.clone();
    let mut settings = Settings::new(judging.clone(), move |line| {
        eprintln!("{line}");
        tell.lock().unwrap().push(line);
    });
    settings.lease = Duration::from_millis(1_500);
    settings.snapshot_events = 20;
    settings.steps = steps;
    settings.hand = hand;
    let estate = Estate::open(server, None).await.unwrap();
    let worker = Worker::new(estate, settings).await.unwrap();
    let (stop, stopped) = watch::channel(false);
    Run { task: tokio::spawn(worker.run(stopped)), stop, told }
}

impl Run {
    async fn end(self) -> Vec<String> {
        self.stop.send_replace(true);
        self.task.await.unwrap().unwrap();
        self.told.lock().unwrap().clone()
    }
}

/// Which shares each process holds.
async fn owners(estate: &Estate) -> BTreeMap<String, u32> {
    let mut owners = BTreeMap::new();
    for share in 0..estate.shares() {
        let (entry, _) = lease::entry(&estate.bucket, share).await.unwrap();
        *owners.entry(entry.owner.unwrap_or_default()).or_default() += 1;
    }
    owners
}

#[tokio::test(flavor = "multi_thread")]
async fn a_judgement_is_published_once_whatever_step_fails() {
    let dir = tempfile::tempdir().unwrap();
    let judging = judging(&dir);
    let case = |step: Step, when: When, skip: usize| {
        let judging = judging.clone();
        async move {
            let nats = Nats::start().await;
            let server = nats.server().await;
            let estate = Estate::open(&server, Some(3)).await.unwrap();
            let failed = Arc::new(AtomicUsize::new(0));
            let count = failed.clone();
            let hook =
                move |at, side| at == step && side == when && count.fetch_add(1, Ordering::Relaxed) == skip;
            let taken = Taken::default();
            let steps = Steps { hook: Some(Arc::new(hook)) };
            let run = work_for(&server, &judging, steps, Some(taker(&taken))).await;
            publish(&estate, &events(600)).await;
            let published = wait_for(&estate, 600).await;
            let (wanted, handed) = expected(&estate, &judging).await;
            assert_eq!(published, wanted, "{step:?} {when:?}");
            assert_eq!(*taken.lock().unwrap(), handed, "{step:?} {when:?}");
            assert!(handed.len() > 3, "{handed:?}");
            let elsewhere = Worker::new(estate, Settings::new(judging.clone(), drop)).await;
            assert!(elsewhere.is_err_and(|why| why.to_string().contains("give every process --dir")));
            let told = run.end().await;
            assert!(failed.load(Ordering::Relaxed) > skip, "{step:?} {when:?} did not fail");
            assert!(told.iter().any(|line| line.contains("injected failure")), "{told:?}");
        }
    };
    let steps = Step::SHARE.into_iter().flat_map(|step| [When::Before, When::After].map(|when| (step, when)));
    join_all(steps.map(|(step, when)| case(step, when, 2))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_move_with_what_was_learnt_when_a_process_dies_or_comes() {
    let dir = tempfile::tempdir().unwrap();
    let judging = judging(&dir);
    let nats = Nats::start().await;
    let server = nats.server().await;
    let estate = Estate::open(&server, Some(8)).await.unwrap();
    let events = events(3_000);
    let (one, other) =
        (work(&server, &judging, Steps::default()).await, work(&server, &judging, Steps::default()).await);
    publish(&estate, &events[..1_000]).await;
    wait_for(&estate, 500).await;
    // It dies as it stands: nothing is committed, nothing is given back.
    other.task.abort();
    publish(&estate, &events[1_000..2_000]).await;
    wait_for(&estate, 2_000).await;
    let third = work(&server, &judging, Steps::default()).await;
    publish(&estate, &events[2_000..]).await;
    let published = wait_for(&estate, 3_000).await;
    for _ in 0..600 {
        if owners(&estate).await.values().collect::<Vec<_>>() == [&4, &4] {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let owners = owners(&estate).await;
    assert_eq!(owners.values().collect::<Vec<_>>(), [&4, &4], "{owners:?}");
    assert_eq!(published, expected(&estate, &judging).await.0);
    one.end().await;
    third.end().await;
    // What is left over in the end: two snapshots a share at most.
    let mut objects = estate.objects.list().await.unwrap();
    let mut count = 0;
    while objects.next().await.is_some() {
        count += 1;
    }
    assert!(count <= 16, "{count} objects");
    assert!(matches!(Estate::open(&server, Some(9)).await, Err(NatsError::Estate(_))));
    // One that hands nothing in ends when another does: what it judges would be missing.
    let silent = work(&server, &judging, Steps::default()).await;
    let handing = work_for(&server, &judging, Steps::default(), Some(taker(&Taken::default()))).await;
    let ended = tokio::time::timeout(Duration::from_secs(20), silent.task).await.expect("it ends").unwrap();
    assert!(ended.unwrap_err().to_string().contains("give every process --dir"));
    handing.end().await;
    // The same name for another stream would make the gate take its events for those that it has.
    let before = estate.name();
    estate.context.delete_stream(STREAM_IN).await.unwrap();
    assert_ne!(Estate::open(&server, None).await.unwrap().name(), before);
    let foreign = tempfile::tempdir().unwrap();
    let other_key = Secret::read_or_make(&foreign.path().join("key")).unwrap();
    assert!(matches!(estate.check(&other_key).await, Err(NatsError::Estate(_))));
}

/// Whoever has no publisher of ours can have the server itself find the share.
#[tokio::test]
async fn a_share_is_what_nats_own_partition_says() {
    let dir = tempfile::tempdir().unwrap();
    let config: PathBuf = dir.path().join("nats.conf");
    std::fs::write(&config, "mappings = { \"logins.user.*\": \"logins.in.{{partition(64,1)}}\" }\n").unwrap();
    let process = Command::new("nats-server")
        .args(["-a", "127.0.0.1", "-p", "-1"])
        .arg("-c")
        .arg(&config)
        .arg("--ports_file_dir")
        .arg(dir.path())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let nats = Nats { process, dir };
    let client = async_nats::connect(nats.server().await.url).await.unwrap();
    let mut heard = client.subscribe("logins.in.*").await.unwrap();
    for user in ["alice", "bob", "zoë", "1234", "a@b"] {
        client.publish(format!("logins.user.{user}"), "x".into()).await.unwrap();
        client.flush().await.unwrap();
        assert_eq!(heard.next().await.unwrap().subject.as_str(), subject_in(share_of(user, 64)), "{user}");
    }
}
