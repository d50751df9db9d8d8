//! `trefoil logins score`: judges the logins of a log in their order, from nothing known or by what a state has learnt, and
//! prints what it thinks of them. Nothing is kept; `trefoil logins watch` keeps it.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use logins::answer;
use logins::login::Login;
use logins::share;
use logins::state::Folder;
use places::Places;
use risk::engine::Settings;
use risk::weights::Weights;
use risk::{Baseline, Engine, Key};

use super::{handing, kept, source};
use crate::cli::logins::read::{Action, Score};
use crate::ended::{Ended, OrEnded};
use crate::terminal;

/// Nothing of a run is stored, so that its hashes need no secret; with the same one, the same log is judged the same.
const KEY: [u8; 16] = [0; 16];
/// Logins between two looks at whether the files of places changed.
const LOGINS_BETWEEN: u64 = 1 << 16;

impl Action {
    pub(super) const fn of_risk(self) -> risk::Action {
        match self {
            Self::Allow => risk::Action::Allow,
            Self::StepUp => risk::Action::StepUp,
            Self::Throttle => risk::Action::Throttle,
            Self::Block => risk::Action::Block,
            Self::Revoke => risk::Action::Revoke,
        }
    }
}

pub(crate) fn run(asked: &Score) -> Result<(), Ended> {
    let options = source::options(&asked.source)?;
    let mut judge = Judge {
        engine: match &asked.state {
            None => Engine::new(Key::new(KEY), Weights::shipped(), Settings::default()),
            Some(state) => learnt(state)?,
        },
        baseline: asked.baseline.then(Baseline::new),
        places: places(asked.places.as_deref())?,
        min_score: asked.min_score.unwrap_or(f64::NEG_INFINITY),
        above: asked.above.map_or(risk::Action::Allow, Action::of_risk),
        out: BufWriter::new(io::stdout().lock()),
    };
    let read =
        source::read(&asked.input, asked.source.format, &options, |index, login| judge.take(index, login));
    // Nothing can be told to a reader that is gone.
    let _ = judge.out.flush();
    read
}

/// What a state has learnt, as its last snapshot has it; the state stays as it is, whether a watch runs on it or not.
fn learnt(state: &Path) -> Result<Engine, Ended> {
    if let Some(enclave) = handing::enclave_of(state)? {
        return Err(Ended::not(format!(
            "{} belongs to the enclave in {}, whose record says who looks at whom: reasons would tell it of everybody that \
             the input names; ask `trefoil logins explain USER --state {}`",
            state.display(),
            enclave.dir().display(),
            state.display()
        )));
    }
    let folder = Folder::look(state).or_cannot_tell("--state")?;
    let newest = share::newest(&folder, &kept::judging(folder.secret())).or_cannot_tell("--state")?;
    newest.refused.iter().for_each(|why| terminal::complain(why));
    let Some((_, (covers, share))) = newest.used else { return Err(kept::nothing()) };
    terminal::note(&format!("{}: judged by what was learnt up to line {}", state.display(), covers.lines));
    Ok(share.into_engine())
}

/// What is known of addresses. What is not is said once.
pub(super) fn places(folder: Option<&Path>) -> Result<Places, Ended> {
    let Some(folder) = folder else {
        terminal::note("addresses are not looked up: --places DIR says where they are");
        return Ok(Places::default());
    };
    let places = Places::open(folder).or_cannot_tell("--places")?;
    let missing = places.missing();
    if !missing.is_empty() {
        terminal::note(&format!("{}: not known of addresses: {}", folder.display(), missing.join(", ")));
    }
    Ok(places)
}

struct Judge {
    engine: Engine,
    baseline: Option<Baseline>,
    places: Places,
    min_score: f64,
    above: risk::Action,
    out: BufWriter<io::StdoutLock<'static>>,
}

impl Judge {
    fn take(&mut self, index: u64, login: &Login<'_>) -> io::Result<()> {
        if index % LOGINS_BETWEEN == LOGINS_BETWEEN - 1
            && let Err(error) = self.places.reload()
        {
            terminal::complain(&format!("{error}; what was known of addresses before is used on"));
        }
        let mut event = login.event();
        self.places.fill(&mut event);
        let judgement = self.engine.judge(&event);
        let baseline = self.baseline.as_mut().map(|baseline| baseline.judge(&event));
        for finding in &judgement.findings {
            answer::write_finding(&mut self.out, index, finding, event.time_ms)?;
        }
        if judgement.score < self.min_score || judgement.action < self.above {
            return Ok(());
        }
        answer::write_judgement(&mut self.out, index, &event, &judgement, baseline)
    }
}
