//! What is printed and in which colours: plain text unless standard output is a terminal.

use std::io::{IsTerminal, Write};

use serde::Serialize;

use crate::ended::{Ended, OrEnded};

/// Paints words when standard output is a terminal and NO_COLOR is not set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    colour: bool,
}

impl Paint {
    pub(crate) fn for_stdout() -> Self {
        Self { colour: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() }
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    pub(crate) fn strong(self, text: &str) -> String {
        self.with("1", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Prints a line on standard output. A reader that went away (`| head`) is not our failure.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // Nothing can be told to a reader that is gone.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Prints a line on standard error.
pub(crate) fn note(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Prints a problem on standard error under the program's name, unless there is nothing more to say.
pub(crate) fn complain(said: &str) {
    if !said.is_empty() {
        note(&format!("trefoil: {said}"));
    }
}

/// Prints one value as one line of JSON.
pub(crate) fn say_json(value: &impl Serialize) -> Result<(), Ended> {
    say(&serde_json::to_string(value).or_cannot_tell("writing JSON")?);
    Ok(())
}
