//! `trefoil logins publish`: events onto their users' shares in NATS.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use logins::lines::{Line, Lines};
use logins::nats::{Estate, Publisher};
use logins::ocsf;

use super::watch::server;
use crate::cli::logins::watch::Publish;
use crate::ended::{Ended, OrEnded};
use crate::terminal;

/// Problems that are told one by one; more are counted.
const TOLD_MAX: u64 = 100;

pub(crate) fn run(asked: &Publish) -> Result<(), Ended> {
    let server = server(&asked.server)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().or_cannot_tell("starting")?;
    runtime.block_on(async {
        let estate = Estate::open(&server, asked.server.shares).await.or_cannot_tell("--nats")?;
        let publisher = Publisher::new(estate).or_cannot_tell("--nats")?;
        publish(asked, publisher).await
    })
}

async fn publish(asked: &Publish, mut publisher: Publisher) -> Result<(), Ended> {
    let name = asked.input.display().to_string();
    let from: Box<dyn Read> = if asked.input == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(&asked.input).or_cannot_tell(format!("reading {name}"))?)
    };
    let mut lines = Lines::new(from);
    let (mut events, mut problems) = (0_u64, 0_u64);
    loop {
        if !lines.is_at_hand() {
            // Whatever was read is in the stream before anything more is waited for.
            publisher.flush().await.or_cannot_tell("--nats")?;
        }
        let Some((number, line)) = lines.next_line().or_cannot_tell(format!("reading {name}"))? else {
            break;
        };
        let read = match line {
            Line::Bytes([]) => continue,
            Line::Bytes(line) => ocsf::read(line).map_err(|wrong| wrong.in_line(number).to_string()),
            Line::TooLong => Err(format!("line {number}: too long")),
        };
        match (read, line) {
            (Ok(Some(login)), Line::Bytes(line)) => {
                publisher.add(&login.user, line).await.or_cannot_tell("--nats")?;
                events += 1;
            }
            // Of another class.
            (Ok(_), _) => {}
            (Err(problem), _) => {
                problems += 1;
                if problems <= TOLD_MAX {
                    terminal::complain(&format!("{name}: {problem}"));
                }
            }
        }
    }
    publisher.flush().await.or_cannot_tell("--nats")?;
    match problems {
        0 => {
            terminal::note(&format!("{name}: {events} events published"));
            Ok(())
        }
        _ => Err(Ended::not(format!("{name}: {events} events published, {problems} lines are none"))),
    }
}
