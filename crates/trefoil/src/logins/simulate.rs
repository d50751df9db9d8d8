//! `trefoil logins simulate`: a world of logins into a file.

use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use logins::ocsf::{self, Product, Told};
use logins::simulate::{Describe, People, Shape, World};
use places::Places;

use crate::cli::logins::worlds::{Simulate, Who};
use crate::ended::{Ended, OrEnded};
use crate::terminal;

const BUFFER_BYTES: usize = 1 << 20;

pub(crate) fn run(asked: &Simulate) -> Result<(), Ended> {
    let mut shape = Shape::new(asked.seed, asked.users, asked.days);
    if !(0.0..=1.0).contains(&asked.rented) {
        return Err(Ended::cannot_tell(format!("--rented {}: a share is from 0 to 1", asked.rented)));
    }
    if !(0.0..=1000.0).contains(&asked.campaigns) {
        return Err(Ended::cannot_tell(format!("--campaigns {}: from 0 to 1000 a day", asked.campaigns)));
    }
    if !(0.0..=100.0).contains(&asked.churn) {
        return Err(Ended::cannot_tell(format!("--churn {}: from 0 to 100", asked.churn)));
    }
    (shape.rented, shape.campaigns, shape.churn) = (asked.rented, asked.campaigns, asked.churn);
    if asked.peaceful {
        (shape.attackers, shape.campaigns) = (0.0, 0.0);
    }
    shape.people = match asked.people {
        Who::Customers => People::Customers,
        Who::Employees => People::Employees,
    };
    let world = match &asked.places {
        None => World::new(shape),
        Some(folder) => {
            let places = Places::open(folder).or_cannot_tell("--places")?;
            let of_folder = |lacks| Ended::cannot_tell(format!("--places {}: {lacks}", folder.display()));
            World::real(shape, &places).map_err(of_folder)?
        }
    };
    let name = asked.out.display();
    let out: Box<dyn Write> = if asked.out == Path::new("-") {
        Box::new(std::io::stdout().lock())
    } else {
        Box::new(File::create(&asked.out).or_cannot_tell(format!("--out {name}"))?)
    };
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, out);
    let description = write(world, &mut out, asked).or_cannot_tell(format!("writing {name}"))?;
    if let Some(description) = description {
        describe(&description);
    }
    Ok(())
}

fn write(mut world: World, out: &mut impl Write, asked: &Simulate) -> std::io::Result<Option<Describe>> {
    let product = Product::new("trefoil logins simulate", "Trefoil");
    let mut description = asked.describe.then(Describe::default);
    let bar = progress(world.progress().1, "days");
    let mut label = String::new();
    while let Some(drawn) = world.next() {
        label.clear();
        label.push_str(&drawn.label.to_string());
        let told = Told { label: &label, trap: drawn.trap };
        let written = ocsf::write_labelled(out, &drawn.login.event(), &product, told);
        // Whoever read enough and went away is no failure.
        if written.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe) {
            return Ok(description);
        }
        written?;
        if let Some(description) = &mut description {
            description.add(&drawn);
        }
        bar.set_position(u64::from(world.progress().0));
    }
    bar.finish_and_clear();
    out.flush()?;
    Ok(description)
}

fn describe(description: &Describe) {
    terminal::note(&format!("{:<46} {:>12} {:>10}", "", "here", "published"));
    for figure in description.figures() {
        let published = figure.published.map_or_else(String::new, |published| format!("{published:.3}"));
        let here = if figure.here.fract() == 0.0 {
            format!("{:.0}", figure.here)
        } else {
            format!("{:.3}", figure.here)
        };
        terminal::note(&format!("{:<46} {here:>12} {published:>10}", figure.name));
    }
}

/// A bar on a terminal.
pub(crate) fn progress(of: u32, what: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(u64::from(of));
    let style = ProgressStyle::with_template(&format!("{{bar:30}} {{pos}}/{{len}} {what}"));
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}
