//! `trefoil logins watch` and what belongs to it, as processes that are killed: what is told is what one that was never
//! killed tells, once. NATS is a real nats-server. Scores are not looked at here.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends when it cannot go on")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::Value;

/// A folder, with a log of a few thousand logins in it.
struct Room {
    dir: tempfile::TempDir,
}

fn trefoil() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trefoil"));
    command.arg("logins").env_remove("TREFOIL_NATS").env_remove("TREFOIL_PLACES");
    command
}

/// Ends a process as nothing ends orderly.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Room {
    fn new(logins: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let room = Self { dir };
        fs::write(room.path("log"), (0..logins).map(line).collect::<String>()).unwrap();
        room
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    /// A state whose key is the same in every room.
    fn state(&self, name: &str) -> PathBuf {
        let state = self.path(name);
        fs::create_dir_all(&state).unwrap();
        fs::write(state.join("key"), "000102030405060708090a0b0c0d0e0f\n").unwrap();
        state
    }

    /// A watch on a state, telling everything into a file.
    fn watch(&self, state: &str, out: &str) -> Command {
        let mut command = trefoil();
        command.arg("watch").arg("--state").arg(self.path(state)).arg("--out").arg(self.path(out));
        command.args(["--above", "allow", "--snapshot-events", "300"]);
        command
    }

    /// What one that is never killed tells.
    fn expected(&self) -> String {
        self.state("alone");
        run(self.watch("alone", "alone.out").arg("--input").arg(self.path("log")));
        fs::read_to_string(self.path("alone.out")).unwrap()
    }
}

/// Logins of many users: most from where they always are, some from elsewhere, some that fail.
fn line(number: usize) -> String {
    let user = number * 7 % 61;
    let (ip, country) = if number.is_multiple_of(13) { ("203.0.113", "RU") } else { ("192.0.2", "IE") };
    let status = if number.is_multiple_of(5) { 2 } else { 1 };
    let time = 1_700_000_000_000_u64 + number as u64 * 90_000;
    format!(
        r#"{{"class_uid":3002,"activity_id":1,"status_id":{status},"time":{time},"user":{{"name":"user-{user}"}},"service":{{"name":"mail"}},"src_endpoint":{{"ip":"{ip}.{}","location":{{"country":"{country}"}}}},"metadata":{{"uid":"e{number}"}}}}
"#,
        number % 40,
    )
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..1_200 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("waited too long until {what}");
}

fn lines(path: &Path) -> usize {
    fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

#[test]
fn a_file_is_judged_once_however_often_the_watch_is_killed() {
    let room = Room::new(2_500);
    let expected = room.expected();
    room.state("state");
    let out = room.path("out");
    fs::write(room.path("growing"), "").unwrap();
    let log = room.log();
    let parts: Vec<&str> = log.split_inclusive('\n').collect();
    for (number, part) in parts.chunks(500).enumerate() {
        let mut watch = room.watch("state", "out");
        watch.arg("--input").arg(room.path("growing")).arg("--follow").stderr(Stdio::null());
        let killed = Killed(watch.spawn().unwrap());
        let mut growing = fs::OpenOptions::new().append(true).open(room.path("growing")).unwrap();
        growing.write_all(part.concat().as_bytes()).unwrap();
        // Killed at a different place each time: once before anything, once after all of it.
        wait_until("it has told something", || lines(&out) >= number * 500 + number * 120);
        if number == 2 {
            wait_until("a snapshot knows the file", || room.path("state/snapshot.0").exists());
        }
        drop(killed);
        if number == 2 {
            fs::rename(room.path("growing"), room.path("growing.1")).unwrap();
            fs::write(room.path("growing"), "").unwrap();
        }
    }
    let mut last = room.watch("state", "out");
    run(last.arg("--input").arg(room.path("growing")).stderr(Stdio::piped()));
    assert!(fs::read_to_string(&out).unwrap() == expected, "not what one tells that is never killed");
    // Another one finds nothing new.
    run(room.watch("state", "out").arg("--input").arg(room.path("growing")));
    assert!(fs::read_to_string(room.path("out")).unwrap() == expected, "something was told again");
}

/// The same logins as OpenSSH would log them; some names are none.
fn auth_log(logins: usize) -> String {
    let one = |number: usize| {
        let (minute, second) = (number / 60 % 60, number % 60);
        let said = match number % 5 {
            0 => "Failed password for",
            1 => "Failed password for invalid user",
            _ => "Accepted password for",
        };
        let (user, ip) = (number * 7 % 61, number % 40);
        format!(
            "2024-05-{:02}T{:02}:{minute:02}:{second:02}+00:00 gw sshd[{number}]: {said} user-{user} from 192.0.2.{ip} port 5 ssh2\n",
            1 + number / 86_400,
            number / 3_600 % 24,
        )
    };
    (0..logins).map(one).collect()
}

#[test]
fn a_log_of_another_format_is_judged_once_however_often_the_watch_is_killed() {
    let room = Room::new(0);
    let (auth, log, out) = (room.path("auth.log"), auth_log(6_000), room.path("out"));
    fs::write(&auth, &log).unwrap();
    run(trefoil().args(["import", "--format", "sshd"]).arg(&auth).arg("--out").arg(room.path("log")));
    let expected = room.expected();
    assert!(expected.lines().count() > 5_000);
    room.state("state");
    let watch = |format: &str, input: &Path| {
        let mut watch = room.watch("state", "out");
        watch.args(["--format", format, "--input"]).arg(input).stderr(Stdio::null());
        watch
    };
    // It grows, and whoever reads it is killed wherever it is.
    let halves = [log.lines().take(3_000).map(|line| format!("{line}\n")).collect::<String>(), log];
    for (half, told) in halves.iter().zip([[1, 900, 2_000], [3_000, 4_000, 5_000]]) {
        fs::write(&auth, half).unwrap();
        for told in told {
            let killed = Killed(watch("sshd", &auth).spawn().unwrap());
            wait_until("it has told something", || lines(&out) >= told);
            drop(killed);
        }
        run(&mut watch("sshd", &auth));
    }
    run(&mut watch("sshd", &auth));
    assert!(fs::read_to_string(&out).unwrap() == expected, "not what one tells that reads what was imported");

    let judged = || {
        let text = fs::read_to_string(&out).unwrap();
        text.lines().filter(|line| !line.contains("\"finding\"")).count()
    };
    assert_eq!(judged(), 6_000);
    // Another log of that name is another log, and standard input is taken up as it comes.
    let more = auth_log(6_000).replace("2024-05", "2024-06");
    fs::write(&auth, &more).unwrap();
    run(&mut watch("sshd", &auth));
    assert_eq!(judged(), 2 * 6_000);
    let mut piped = watch("sshd", Path::new("-")).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = piped.stdin.take().unwrap();
    stdin.write_all(more.replace("2024-06", "2024-07").as_bytes()).unwrap();
    wait_until("what came is judged before there is more", || judged() > 2 * 6_000);
    drop(stdin);
    assert!(piped.wait().unwrap().success());
    assert_eq!(judged(), 3 * 6_000);
    for (format, input, more) in
        [("sshd", &*auth, &["--follow"][..]), ("evtx", &*auth, &[]), ("entra", Path::new("/nowhere"), &[])]
    {
        assert_eq!(watch(format, input).args(more).status().unwrap().code(), Some(2), "{format} {more:?}");
    }
}

#[test]
fn verdicts_are_learnt_while_a_watch_runs_and_without_one_and_a_user_is_explained() {
    let room = Room::new(1_500);
    let state = room.state("state");
    run(room.watch("state", "out").arg("--input").arg(room.path("log")));
    let judged = fs::read_to_string(room.path("out")).unwrap();
    let risky: Value = judged
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .rfind(|line: &Value| line["action"] == "step_up" || line["action"] == "block")
        .unwrap();
    let (event, user) = (risky["index"].to_string(), risky["user"].as_str().unwrap().to_owned());
    let mark = |arguments: &[&str]| {
        let mut command = trefoil();
        command.arg("mark").arg("--state").arg(&state).args(["--because", "a test"]).args(arguments);
        command.output().unwrap().status.code().unwrap()
    };
    let explain = |arguments: &[&str]| -> Value {
        let mut command = trefoil();
        command.arg("explain").arg("--state").arg(&state).arg("--json").args(arguments);
        serde_json::from_slice(&run(&mut command).stdout).unwrap()
    };
    let said = explain(&[&user, "--event", &event]);
    assert_eq!(said["risky"][0]["index"], risky["index"]);
    assert_eq!(said["risky"][0].get("user"), None, "what is kept names nobody");
    assert_eq!(said["known"]["marked"], serde_json::json!([0, 0]));
    assert_eq!(mark(&[&event, "attack"]), 0);
    assert_eq!(explain(&[&user])["known"]["marked"], serde_json::json!([0, 1]));
    // While a watch runs, it is that which learns.
    let mut watch = room.watch("state", "out");
    let killed = Killed(watch.arg("--input").arg(room.path("log")).arg("--follow").spawn().unwrap());
    wait_until("the watch runs", || {
        fs::read_to_string(state.join("lock")).is_ok_and(|pid| pid.trim() == killed.0.id().to_string())
    });
    assert_eq!(mark(&[&event, "attack", "--undo"]), 0);
    assert_eq!(mark(&["no-such-event", "attack"]), 1);
    drop(killed);
    // Killed before any snapshot of it, it learns it again.
    run(room.watch("state", "out").arg("--input").arg(room.path("log")));
    assert_eq!(explain(&[&user])["known"]["marked"], serde_json::json!([0, 0]));
    let mut list = trefoil();
    let list = run(list.arg("mark").arg("--list").arg("--json").arg("--state").arg(&state));
    let learnt: Vec<Value> = String::from_utf8(list.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["learnt"].clone())
        .collect();
    assert_eq!(learnt, [true, true, false]);
    // Nothing in the folder names anybody.
    for file in fs::read_dir(&state).unwrap().map(|file| file.unwrap().path()).filter(|path| path.is_file()) {
        let bytes = fs::read(&file).unwrap();
        assert!(!bytes.windows(user.len()).any(|part| part == user.as_bytes()), "{}", file.display());
    }
}

/// Sends a request, and answers the status and the body.
fn request(address: &str, head: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "{head} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[test]
fn what_http_has_taken_in_outlives_a_kill_and_bad_lines_are_named() {
    let room = Room::new(900);
    let expected = room.expected();
    room.state("state");
    let listen = || {
        let mut watch = room.watch("state", "out");
        let mut watch = watch.args(["--listen", "127.0.0.1:0"]).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(watch.stderr.take().unwrap());
        let address = loop {
            let mut line = String::new();
            assert!(said.read_line(&mut line).unwrap() > 0, "it ended");
            if let Some(address) = line.trim().strip_prefix("listening at http://") {
                break address.to_owned();
            }
        };
        (Killed(watch), address)
    };
    let log = room.log();
    let parts: Vec<&str> = log.split_inclusive('\n').collect();
    let (killed, address) = listen();
    let (status, body) = request(&address, "POST /events", &parts[..400].concat());
    assert_eq!((status, body.as_str()), (200, r#"{"accepted":400,"passed_over":0,"refused":0}"#));
    drop(killed);
    let (killed, address) = listen();
    let (status, body) = request(&address, "POST /events?judge=1", &parts[400..].concat());
    assert_eq!((status, body.lines().count()), (200, 500));
    let first: Value = serde_json::from_str(body.lines().next().unwrap()).unwrap();
    assert_eq!(first["index"], 400);
    assert_eq!(request(&address, "GET /healthz", ""), (200, "ok\n".to_owned()));
    assert!(request(&address, "GET /metrics", "").1.contains("trefoil_logins_events_total 900"));
    drop(killed);
    let (killed, address) = listen();
    assert!(
        fs::read_to_string(room.path("out")).unwrap() == expected,
        "not what one tells that is never killed"
    );
    let (status, body) = request(&address, "POST /events", "\n{\"class_uid\":3002}\nnonsense\n");
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &answer["refused"]), (200, &serde_json::json!(2)));
    let named: Vec<&Value> =
        answer["errors"].as_array().unwrap().iter().map(|error| &error["line"]).collect();
    assert_eq!(named, [2, 3]);
    assert_eq!(request(&address, "POST /events?judge=2", "").0, 400);
    assert_eq!(request(&address, "POST /elsewhere", "").0, 404);
    drop(killed);
    let mut open = trefoil();
    let open = open
        .arg("watch")
        .arg("--state")
        .arg(room.path("state"))
        .args(["--listen", "0.0.0.0:0"])
        .output()
        .unwrap();
    assert_eq!(open.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&open.stderr).contains("--token"));
}

/// A nats-server of its own, on a free port, and its URL.
fn nats(dir: &Path) -> (Killed, String) {
    let server = Command::new("nats-server")
        .args(["-a", "127.0.0.1", "-p", "-1", "-js"])
        .arg("-sd")
        .arg(dir.join("store"))
        .arg("--ports_file_dir")
        .arg(dir)
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|why| panic!("`. .ci/install.sh && ensure_nats` installs nats-server: {why}"));
    let ports = dir.join(format!("nats-server_{}.ports", server.id()));
    let mut url = None;
    wait_until("nats-server runs", || {
        let read = fs::read(&ports).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        url = read.and_then(|ports| Some(ports["nats"][0].as_str()?.to_owned()));
        url.is_some()
    });
    (Killed(server), url.unwrap())
}

/// What was published, by share, each message's lines one after the other.
fn judged(url: &str) -> BTreeMap<String, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let context = async_nats::jetstream::new(async_nats::connect(url).await.unwrap());
        let Ok(stream) = context.get_stream("LOGINS_JUDGED").await else { return BTreeMap::new() };
        let mut left = stream.get_info().await.unwrap().state.messages;
        let ordered = async_nats::jetstream::consumer::pull::OrderedConfig::default();
        let mut messages = stream.create_consumer(ordered).await.unwrap().messages().await.unwrap();
        let mut found: BTreeMap<String, String> = BTreeMap::new();
        while left > 0 {
            let message = messages.next().await.unwrap().unwrap();
            let text = std::str::from_utf8(&message.payload).unwrap();
            found.entry(message.subject.to_string()).or_default().push_str(text);
            left -= 1;
        }
        found
    })
}

#[test]
fn processes_share_the_work_and_one_that_is_killed_loses_and_doubles_nothing() {
    let room = Room::new(3_000);
    let work = |url: &str, state: &str| {
        let mut watch = trefoil();
        watch.arg("watch").arg("--state").arg(room.state(state)).args(["--nats", url, "--shares", "4"]);
        watch
            .args(["--above", "allow", "--snapshot-events", "200", "--snapshot-seconds", "1", "--lease", "1"])
            .stderr(Stdio::null());
        Killed(watch.spawn().unwrap())
    };
    let publish = |url: &str, from: usize, to: usize| {
        let log = room.log();
        let part: String = log.split_inclusive('\n').skip(from).take(to - from).collect();
        fs::write(room.path("part"), part).unwrap();
        run(trefoil().args(["publish", "--nats", url, "--shares", "4", "--input"]).arg(room.path("part")));
    };
    let count = |url: &str| judged(url).values().map(|text| text.lines().count()).sum::<usize>();
    // One process alone, for comparison: the same messages.
    let (alone_dir, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ((_alone, alone), (_nats, url)) = (nats(alone_dir.path()), nats(dir.path()));
    for (from, to) in [(0, 1_000), (1_000, 2_000), (2_000, 3_000)] {
        publish(&alone, from, to);
    }
    let one_alone = work(&alone, "one-alone");
    let (one, other) = (work(&url, "one"), work(&url, "other"));
    publish(&url, 0, 1_000);
    wait_until("half of it is judged", || count(&url) >= 500);
    drop(other);
    publish(&url, 1_000, 2_000);
    wait_until("others have taken over", || count(&url) >= 2_000);
    let third = work(&url, "third");
    publish(&url, 2_000, 3_000);
    wait_until("all of it is judged", || count(&url) >= 3_000 && count(&alone) >= 3_000);
    assert!(judged(&url) == judged(&alone), "not what one process alone publishes");
    // A verdict goes among the events, and whoever holds the share learns it.
    let all = judged(&url);
    let mut risky = all.values().flat_map(|text| text.lines()).filter(|line| line.contains("step_up"));
    let risky: Value = serde_json::from_str(risky.next().unwrap()).unwrap();
    let line = risky.get("line").map_or_else(String::new, |line| format!(":{line}"));
    let event = format!("{}:{}{line}", risky["share"], risky["sequence"]);
    let mark = ["mark", &event, "attack", "--because", "a test", "--nats", &url];
    run(trefoil().args(mark));
    let user = risky["user"].as_str().unwrap();
    wait_until("a snapshot knows the verdict", || {
        let mut explain = trefoil();
        explain.args(["explain", user, "--json", "--nats", &url]).arg("--state").arg(room.path("one"));
        let said: Value = serde_json::from_slice(&run(&mut explain).stdout).unwrap();
        said["known"]["marked"] == serde_json::json!([0, 1])
    });
    // An orderly end gives everything back.
    for mut process in [one, third] {
        run(Command::new("kill").arg(process.0.id().to_string()));
        assert!(process.0.wait().unwrap().success());
    }
    drop(one_alone);
}
