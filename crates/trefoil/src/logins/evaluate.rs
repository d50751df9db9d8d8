//! `trefoil logins evaluate`: how well attacks are told from logins in a labelled file.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::ProgressBar;
use logins::evaluate::{self, Figures, FileLog, Judge, Reauth, Share};
use risk::Weights;

use crate::cli::logins::worlds::Evaluate;
use crate::ended::{Ended, OrEnded};
use crate::terminal;

const TURN_MS: u64 = 100;

pub(crate) fn run(asked: &Evaluate) -> Result<(), Ended> {
    let name = asked.input.display();
    let weights = match &asked.weights {
        None => Weights::shipped(),
        Some(path) => {
            let text = std::fs::read_to_string(path).or_cannot_tell(path.display())?;
            Weights::from_json(&text).or_cannot_tell(path.display())?
        }
    };
    let waiting = waiting("reading labels");
    let mut log = FileLog::new(&asked.input);
    let truths = log.truths().or_cannot_tell(&name)?;
    if truths.counts().0 == 0 {
        return Err(Ended::cannot_tell(format!(
            "{name}: no line has a label in unmapped.label; without one nobody can tell what is right"
        )));
    }
    waiting.set_message("judging");
    let figures = evaluate::evaluate(&mut log, &truths, &weights, asked.ablate).or_cannot_tell(&name)?;
    waiting.finish_and_clear();
    let (problems, unreadable) = log.problems();
    for problem in problems {
        terminal::note(&format!("{name}: {problem}"));
    }
    if unreadable > 0 {
        terminal::note(&format!("{name}: {unreadable} lines could not be read, and count for nothing"));
    }
    for (kind, count) in &figures.log.passed_over {
        terminal::note(&format!("{name}: passed over, no logins: {count} of {kind}"));
    }
    if log.events() == 0 {
        return Err(Ended::cannot_tell(format!("{name}: no line could be read as an event of a login")));
    }
    if asked.json { terminal::say_json(&figures) } else { table(&figures) }
}

fn waiting(what: &'static str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner().with_message(what);
    bar.enable_steady_tick(Duration::from_millis(TURN_MS));
    bar
}

fn table(figures: &Figures) -> Result<(), Ended> {
    let log = &figures.log;
    terminal::say(&format!(
        "{} logins of {} users in {:.0} days, {} of attackers; {} attempts by users",
        log.logins, log.users, log.days, log.attackers, log.attempts
    ));
    terminal::say(
        "\nHow often a user is asked again, median, when a share of the attackers is to be stopped:",
    );
    terminal::say(&format!(
        "{:<22} {:>6} {:>21} {:>21} {:>19}",
        "", "share", "in 12 logins", "in 39 logins", "AUC"
    ));
    terminal::say(&format!(
        "{:<29} {:>10} {:>10} {:>10} {:>10} {:>9} {:>9}",
        "attacker", "baseline", "model", "baseline", "model", "baseline", "model"
    ));
    let mut silent = Vec::new();
    for (kind, shares) in &figures.model.reauth {
        reauth(figures, kind, shares, &mut silent);
    }
    for line in silent {
        terminal::say(&format!("  {line}"));
    }
    stopped(figures);
    campaigns(&figures.model);
    terminal::say("\nWhat the model would have done about users' own logins, of a million:");
    let innocents: Vec<String> =
        figures.innocents.iter().map(|(what, count)| format!("{what} {count:.0}")).collect();
    terminal::say(&format!("  {}", innocents.join(", ")));
    traps(figures);
    terminal::say("\nAttacks by what the model's scores say, and in truth, by how many logins came before:");
    for (before, calibration) in &figures.calibration {
        terminal::say(&format!(
            "  {before:<4} {:>9} logins: said {:.4}, were {:.4}",
            calibration.logins, calibration.said, calibration.was
        ));
    }
    without(figures);
    if !figures.left_out.is_empty() {
        terminal::say("\nLeft out:");
    }
    for left_out in &figures.left_out {
        terminal::say(&format!("  {left_out}"));
    }
    Ok(())
}

fn reauth(figures: &Figures, kind: &str, shares: &BTreeMap<&'static str, Reauth>, silent: &mut Vec<String>) {
    if let Some(why) = shares.values().find_map(|model| model.left_out.as_ref()) {
        silent.push(format!("{kind}: {why}"));
        if shares.values().all(|model| model.after_12.is_none()) {
            return;
        }
    }
    for (share, model) in shares {
        let baseline = figures.baseline.reauth.get(kind).and_then(|shares| shares.get(share));
        let auc = |judge: &Judge| shown(judge.auc.get(kind).copied().flatten(), 3);
        let first = *share == "0.98";
        terminal::say(&format!(
            "{:<22} {share:>6} {:>10} {:>10} {:>10} {:>10} {:>9} {:>9}",
            if first { kind } else { "" },
            shown(baseline.and_then(|baseline| baseline.after_12), 1),
            shown(model.after_12, 1),
            shown(baseline.and_then(|baseline| baseline.after_39), 1),
            shown(model.after_39, 1),
            if first { auc(&figures.baseline) } else { String::new() },
            if first { auc(&figures.model) } else { String::new() },
        ));
    }
}

fn stopped(figures: &Figures) {
    let stopped = &figures.stopped;
    terminal::say(&format!(
        "\nWhose logins are stopped as shipped: asked for a second proof from {} on, refused from {} on:",
        stopped.step_up_at, stopped.block_at
    ));
    terminal::say(&format!("{:<22} {:>9} {:>9} {:>9} {:>9}", "", "logins", "asked", "share", "refused"));
    let row = |name: &str, share: &Share| {
        terminal::say(&format!(
            "{name:<22} {:>9} {:>9} {:>9} {:>9}",
            share.logins,
            share.asked,
            shown(share.of(share.asked), 4),
            shown(share.of(share.refused), 4),
        ));
    };
    stopped.attackers.iter().for_each(|(kind, share)| row(kind, share));
    row("users' own", &stopped.users);
}

fn campaigns(model: &Judge) {
    if model.campaigns.is_empty() {
        return;
    }
    terminal::say("\nCampaigns found by the model:");
    terminal::say(&format!(
        "{:<22} {:>9} {:>7} {:>13} {:>9} {:>36}",
        "kind", "campaigns", "found", "95 %", "seconds", "false a day, a million; at most"
    ));
    for (kind, group) in &model.campaigns {
        terminal::say(&format!(
            "{kind:<22} {:>9} {:>7} {:>13} {:>9} {:>24} {:>11}",
            group.campaigns,
            shown(group.recall, 3),
            group.recall_interval.map_or_else(String::new, |[low, high]| format!("{low:.3}-{high:.3}")),
            shown(group.seconds_to_detect, 0),
            shown(group.false_per_million_per_day, 2),
            shown(group.false_at_most, 2),
        ));
    }
    for (kind, _) in model.campaigns.iter().filter(|(_, group)| group.by_any) {
        terminal::say(&format!("  {kind}: no finding is known to be of this kind; any counts"));
    }
    for (kind, group) in model.campaigns.iter().filter(|(_, group)| group.unread > 0) {
        terminal::say(&format!("  {kind}: of {} no event could be read; they count as missed", group.unread));
    }
}

fn traps(figures: &Figures) {
    if figures.traps.is_empty() {
        return;
    }
    terminal::say("\nThe same where something harmless looks like an attack:");
    terminal::say(&format!(
        "{:<22} {:>9} {:>9} {:>9} {:>9} {:>9}  false findings",
        "", "logins", "step_up", "throttle", "block", "revoke"
    ));
    for (name, trap) in &figures.traps {
        let of = |what: &str| shown(trap.innocents.get(what).map(|count| count.round()), 0);
        let found: Vec<String> =
            trap.false_findings.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        terminal::say(&format!(
            "{name:<22} {:>9} {:>9} {:>9} {:>9} {:>9}  {}",
            trap.logins,
            of("step_up"),
            of("throttle"),
            of("block"),
            of("revoke"),
            found.join(", "),
        ));
    }
}

fn without(figures: &Figures) {
    if figures.without.is_empty() {
        return;
    }
    terminal::say("\nThe model's AUC without a term:");
    let kinds: Vec<&String> =
        figures.model.auc.iter().filter(|(_, auc)| auc.is_some()).map(|(kind, _)| kind).collect();
    let row = |name: &str, judge: &Judge| {
        let cells =
            kinds.iter().map(|kind| format!("{:>14}", shown(judge.auc.get(*kind).copied().flatten(), 3)));
        terminal::say(&format!("{name:<14}{}", cells.collect::<String>()));
    };
    terminal::say(&format!(
        "{:<14}{}",
        "",
        kinds.iter().map(|kind| format!("{kind:>14}")).collect::<String>()
    ));
    row("all", &figures.model);
    for (term, judge) in &figures.without {
        row(term, judge);
    }
}

fn shown(value: Option<f64>, digits: usize) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value.fract() == 0.0 => format!("{value:.0}"),
        Some(value) => format!("{value:.digits$}"),
    }
}
