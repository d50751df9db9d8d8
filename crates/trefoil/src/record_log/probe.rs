//! `trefoil record probe`: has the running gate send the monitor decisions that it must refuse, and says what it did.

use access::{Answer, Order, Probed};
use serde_json::json;

use super::forget::{order_gate, unexpected};
use crate::cli::record::Probe;
use crate::ended::Ended;
use crate::terminal::{self, Paint};

pub(crate) fn probe(asked: &Probe) -> Result<(), Ended> {
    let folder = asked.enclave.folder();
    folder.require_complete()?;
    let order = Order::CommitProbes { count: usize::from(asked.count) };
    let Answer::Committed(committed) = order_gate(&folder, &order)? else { return Err(unexpected()) };
    if asked.commit {
        if asked.json {
            return terminal::say_json(&json!({ "committed": committed }));
        }
        terminal::say(&format!("committed by entry {committed}; `trefoil record probe` sends them"));
        return Ok(());
    }
    let Answer::Probed(probed) = order_gate(&folder, &Order::SendProbes)? else { return Err(unexpected()) };
    let cosigned = probed.probes.probes.iter().filter(|probe| probe.cosigned).count();
    if asked.json {
        terminal::say_json(&probed)?;
    } else {
        print(&probed, cosigned);
    }
    if cosigned == 0 { Ok(()) } else { Err(Ended::not("")) }
}

fn print(probed: &Probed, cosigned: usize) {
    let paint = Paint::for_stdout();
    for revealed in &probed.probes.probes {
        let probe = &revealed.probe;
        let purpose = probe.purpose.as_deref().map_or(String::new(), |purpose| format!(" for {purpose}"));
        let what = format!("{} from {}{purpose} as {}", probe.principal, probe.listener, probe.profile);
        let said = match &revealed.reason {
            Some(reason) => format!("{} {what}: {reason}", paint.good("refused ")),
            None => format!("{} {what}: entry {}", paint.bad("cosigned"), revealed.index),
        };
        terminal::say(&said);
    }
    let (count, committed) = (probed.probes.probes.len(), probed.probes.committed);
    let entries = format!("committed by entry {committed}, revealed by entry {}", probed.revealed);
    terminal::say(&if cosigned == 0 {
        paint.good(&format!("the monitor refused all {count} wrong decisions; {entries}"))
    } else {
        let said = "what it cosigns says nothing about decisions";
        paint.bad(&format!("the monitor cosigned {cosigned} of {count} wrong decisions: {said}; {entries}"))
    });
}
