//! `trefoil sites failover` and `failback`: the operator decides here, signs what will be and what is, and has the running
//! gate record it. Not here: the steps (`sites::moves`).

use std::sync::Arc;

use access::{Answer, CONTROL_SOCKET, HOMES_FILE, Order};
use policy::{Bundle, Homes};
use serde::Serialize;
use sites::moves::{Course, Kind, Moved, Mover, Notary, Stated};
use sites::{Event, SitesError};
use tlog::detail::HomesStated;
use tlog::note::SigningKey;

use crate::cli::sites::{Failback, Failover};
use crate::enclave::estate::Estate;
use crate::ended::{Ended, OrEnded};
use crate::folder::Folder;
use crate::policy_files;
use crate::terminal;

use super::runtime;

/// The journal of a move, in DIR/run.
const JOURNAL: &str = "homes.json";

pub(crate) fn failover(asked: &Failover) -> Result<(), Ended> {
    let folder = asked.enclave.folder();
    run(&folder, asked.json, async |mover| mover.failover(&asked.site, asked.to.as_deref()).await)
}

pub(crate) fn failback(asked: &Failback) -> Result<(), Ended> {
    let folder = asked.enclave.folder();
    run(&folder, asked.json, async |mover| mover.failback(&asked.site).await)
}

fn run(
    folder: &Folder,
    json: bool,
    moving: impl AsyncFnOnce(&Mover<'_, Gate<'_>>) -> Result<Moved, SitesError>,
) -> Result<(), Ended> {
    folder.require_complete()?;
    let estate = Estate::read(folder)?;
    let gate = Gate { folder, bundle: estate.bundle(), key: policy_files::bundle_key(folder)? };
    let mover = Mover {
        bundle: estate.bundle(),
        clusters: estate.clusters(),
        notary: &gate,
        journal: folder.run(JOURNAL),
        watcher: Arc::new(|event| {
            if let Event::Moving { home, step } = event {
                terminal::note(&format!("home {home}: {step}"));
            }
        }),
        stop: None,
    };
    let moved = runtime()?.block_on(moving(&mover)).or_not("moving the home")?;
    if json { terminal::say_json(&Told::of(&moved)) } else { print(&moved) }
}

/// The operator's signature, and the gate that records.
struct Gate<'a> {
    folder: &'a Folder,
    bundle: &'a Bundle,
    key: SigningKey,
}

impl Notary for Gate<'_> {
    async fn homes(&self) -> Result<Homes, String> {
        let file = self.folder.gate(HOMES_FILE);
        access::read_homes(&file, self.bundle, self.key.verifier()).map_err(|error| error.to_string())
    }

    async fn state(&self, homes: &Homes, of: &Stated) -> Result<(), String> {
        let statement = self.key.sign_note(&homes.text()).map_err(|error| error.to_string())?;
        let (unshipped, kept) = of.unshipped.clone().unzip();
        let stated = HomesStated {
            id: of.id.clone(),
            home: of.home.clone(),
            from: of.from.clone(),
            to: of.to.clone(),
            course: course(of.course).to_owned(),
            done: of.done,
            unshipped,
            kept,
            statement: statement.to_string(),
        };
        let order = match of.kind {
            Kind::Failover => Order::Failover(stated),
            Kind::Failback => Order::Failback(stated),
        };
        let socket = self.folder.gate(CONTROL_SOCKET);
        let remedy =
            |error| format!("the gate does not answer ({error}); see that it runs (`trefoil status`)");
        match access::ask_gate(&socket, &order).await.map_err(remedy)? {
            Answer::Stated(_) => Ok(()),
            Answer::Refused(why) | Answer::Failed(why) => Err(why),
            _ => {
                Err("the gate answered something else than it was asked; is it of another version?"
                    .to_owned())
            }
        }
    }
}

const fn course(course: Course) -> &'static str {
    match course {
        Course::Planned => "planned",
        Course::TakenOver => "taken_over",
        Course::Back => "back",
    }
}

/// What came of it. The field names are a promise.
#[derive(Debug, Serialize)]
struct Told<'m> {
    moves: Vec<ToldMove<'m>>,
    /// Rows that a site had committed and shipped to nobody.
    unshipped: u64,
    /// The file at that site that keeps them.
    kept: Option<&'m std::path::Path>,
    /// Rows in which the siblings differed when a site was gone.
    evened: u64,
}

#[derive(Debug, Serialize)]
struct ToldMove<'m> {
    home: &'m str,
    from: &'m str,
    to: &'m str,
    course: &'static str,
}

impl<'m> Told<'m> {
    fn of(moved: &'m Moved) -> Self {
        let one = |(home, from, to, how): &'m (String, String, String, Course)| ToldMove {
            home,
            from,
            to,
            course: course(*how),
        };
        Self {
            moves: moved.moves.iter().map(one).collect(),
            unshipped: moved.unshipped,
            kept: moved.kept.as_deref(),
            evened: moved.evened,
        }
    }
}

fn print(moved: &Moved) -> Result<(), Ended> {
    if moved.moves.is_empty() {
        terminal::say("nothing to do: the site writes its home");
    }
    for (home, from, to, course) in &moved.moves {
        terminal::say(&match course {
            Course::Planned => {
                format!("home {home} is written at {to}; {from} stopped first, and nothing is lost")
            }
            Course::TakenOver => format!(
                "home {home} is written at {to}; {from} was gone. What it had committed and not shipped is there until \
                 `trefoil sites failback {from}`"
            ),
            Course::Back => format!("site {to} follows its siblings again"),
        });
    }
    if moved.evened > 0 {
        terminal::say(&format!("{} rows differed between the siblings and are the same now", moved.evened));
    }
    if let Some(kept) = &moved.kept {
        terminal::say(&format!(
            "{} changes that the site had committed and not shipped are in {}",
            moved.unshipped,
            kept.display()
        ));
    }
    Ok(())
}
