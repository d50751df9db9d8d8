//! A witness that shares no code with ours: HTTP by hand over a socket, RFC 6962 and the signature formats written out
//! once more. It can be made slow, forgetful, silent or dishonest.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest as _, Sha256};

type Hash = [u8; 32];

/// How it treats what is asked of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Manner {
    #[default]
    Proper,
    /// Answers after so many milliseconds.
    Slow(u64),
    /// Hangs up.
    Away,
    /// Answers with another key's signature under its own name.
    Forges,
    /// Signs a time of zero.
    Timeless,
    /// Answers 409 with a size that nobody has.
    Boasts,
}

pub(crate) struct State {
    pub(crate) manner: Manner,
    pub(crate) size: u64,
    root: Hash,
}

/// One that runs.
#[derive(Clone)]
pub(crate) struct Stranger {
    pub(crate) name: String,
    pub(crate) vkey: String,
    pub(crate) url: String,
    key: SigningKey,
    state: Arc<Mutex<State>>,
}

impl Stranger {
    pub(crate) fn start(name: &str) -> Self {
        let key = SigningKey::from_bytes(&Sha256::digest(name).into());
        let mut typed = vec![4];
        typed.extend(key.verifying_key().as_bytes());
        let id = Self::id(name, &key);
        let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let vkey = format!("{name}+{hex}+{}", STANDARD.encode(typed));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let empty = Sha256::digest("").into();
        let state = State { manner: Manner::Proper, size: 0, root: empty };
        let stranger = Self {
            name: name.to_owned(),
            vkey,
            // Below a path, as public ones are.
            url: format!("http://{address}/some/where"),
            key,
            state: Arc::new(Mutex::new(state)),
        };
        let served = stranger.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let served = served.clone();
                std::thread::spawn(move || served.serve(stream.unwrap()));
            }
        });
        stranger
    }

    fn id(name: &str, key: &SigningKey) -> [u8; 4] {
        let mut hashed = name.as_bytes().to_vec();
        hashed.extend([b'\n', 4]);
        hashed.extend(key.verifying_key().as_bytes());
        Sha256::digest(hashed)[..4].try_into().unwrap()
    }

    /// Its line of a rule.
    pub(crate) fn line(&self, name: &str) -> String {
        format!("witness {name} {} {}\n", self.vkey, self.url)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn be(&self, manner: Manner) {
        self.state().manner = manner;
    }

    /// Loses what it knew.
    pub(crate) fn forget(&self) {
        let mut state = self.state();
        (state.size, state.root) = (0, Sha256::digest("").into());
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        loop {
            let mut head = Vec::new();
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 {
                    return;
                }
                if line == "\r\n" {
                    break;
                }
                head.push(line.trim_end().to_lowercase());
            }
            let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
            let mut body = vec![0; length.parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            let manner = self.state().manner;
            if let Manner::Slow(ms) = manner {
                std::thread::sleep(Duration::from_millis(ms));
            }
            if manner == Manner::Away {
                return;
            }
            let (status, text) = match head[0].as_str() {
                "post /some/where/add-checkpoint http/1.1" => self.add(std::str::from_utf8(&body).unwrap()),
                _ => (404, "no such page\n".to_owned()),
            };
            let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n\r\n{text}", text.len());
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }

    fn add(&self, body: &str) -> (u16, String) {
        let mut state = self.state();
        let (head, note) = body.split_once("\n\n").unwrap();
        let mut head = head.lines();
        let old: u64 = head.next().unwrap().strip_prefix("old ").unwrap().parse().unwrap();
        let unbase = |line: &str| -> Hash { STANDARD.decode(line).unwrap().try_into().unwrap() };
        let proof: Vec<Hash> = head.map(unbase).collect();
        let text = format!("{}\n", note.split("\n\n").next().unwrap());
        let lines: Vec<&str> = text.lines().collect();
        let (size, root): (u64, Hash) = (lines[1].parse().unwrap(), unbase(lines[2]));
        if state.manner == Manner::Boasts {
            return (409, "9999999\n".to_owned());
        }
        if old != state.size {
            return (409, format!("{}\n", state.size));
        }
        let same = old == size && proof.is_empty() && state.root == root;
        let first = old == 0 && proof.is_empty();
        if !(same || first || (old < size && consistent(old, size, &proof, state.root, root))) {
            return (422, "no\n".to_owned());
        }
        (state.size, state.root) = (size, root);
        (200, self.cosign(&text, state.manner))
    }

    fn cosign(&self, text: &str, manner: Manner) -> String {
        let time: u64 = if manner == Manner::Timeless { 0 } else { 1_700_000_000 };
        let other = SigningKey::from_bytes(&[9; 32]);
        let key = if manner == Manner::Forges { &other } else { &self.key };
        let signature = key.sign(format!("cosignature/v1\ntime {time}\n{text}").as_bytes());
        let mut payload = Self::id(&self.name, &self.key).to_vec();
        payload.extend(time.to_be_bytes());
        payload.extend(signature.to_bytes());
        // With a line of somebody else's before it, which is none of its business.
        format!(
            "\u{2014} monitor/witness AAAAAAAAAAA=\n\u{2014} {} {}\n",
            self.name,
            STANDARD.encode(payload)
        )
    }
}

fn node(left: Hash, right: Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// RFC 9162, section 2.1.4.2.
fn consistent(old: u64, new: u64, proof: &[Hash], old_root: Hash, new_root: Hash) -> bool {
    let mut path = proof.to_vec();
    if old.is_power_of_two() {
        path.insert(0, old_root);
    }
    let (mut f, mut s) = (old - 1, new - 1);
    while f & 1 == 1 {
        (f, s) = (f >> 1, s >> 1);
    }
    let Some((first, rest)) = path.split_first() else { return false };
    let (mut fr, mut sr) = (*first, *first);
    for hash in rest {
        if s == 0 {
            return false;
        }
        if f & 1 == 1 || f == s {
            (fr, sr) = (node(*hash, fr), node(*hash, sr));
            while f & 1 == 0 && f != 0 {
                (f, s) = (f >> 1, s >> 1);
            }
        } else {
            sr = node(sr, *hash);
        }
        (f, s) = (f >> 1, s >> 1);
    }
    fr == old_root && sr == new_root && s == 0
}
