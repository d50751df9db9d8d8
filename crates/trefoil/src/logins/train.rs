//! `trefoil logins train`: weights of the model from made-up worlds.

use std::path::Path;

use logins::train::{self, Recipe};

use super::simulate::progress;
use crate::cli::logins::worlds::Train;
use crate::ended::{Ended, OrEnded};
use crate::terminal;

pub(crate) fn run(asked: &Train) -> Result<(), Ended> {
    let recipe = if asked.seeds.is_empty() {
        Recipe::shipped(asked.users)
    } else {
        Recipe::of(&asked.seeds, asked.users)
    };
    let bar = progress(0, "worlds");
    let weights = train::train(&recipe, |done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    let text = weights.to_json().or_cannot_tell("writing weights")?;
    if asked.out == Path::new("-") {
        terminal::say(&text);
        return Ok(());
    }
    std::fs::write(&asked.out, text + "\n").or_cannot_tell(format!("--out {}", asked.out.display()))
}
