//! `trefoil record forget`: asks the running gate to destroy the keys of a day, on both sides.

use access::{Answer, CONTROL_SOCKET, Order};
use serde_json::json;

use crate::cli::record::Forget;
use crate::ended::{Ended, OrEnded};
use crate::folder::Folder;
use crate::terminal;

pub(crate) fn forget(asked: &Forget) -> Result<(), Ended> {
    let folder = asked.enclave.folder();
    folder.require_complete()?;
    if !asked.yes {
        let what = "nobody will be able to open that day's details again, neither party nor an auditor";
        return Err(Ended::cannot_tell(format!("{what}; say --yes to do it")));
    }
    let class = asked.class.map(|class| class.as_str().to_owned());
    let order = Order::Forget { day: asked.day.clone(), class };
    let Answer::Forgotten(gone) = order_gate(&folder, &order)? else { return Err(unexpected()) };
    if asked.json {
        return terminal::say_json(&json!({ "forgotten": gone }));
    }
    for gone in gone {
        terminal::say(&format!("forgot {} by entry {}, on both sides", gone.key, gone.entry));
    }
    Ok(())
}

/// Has the running gate do something. What it refuses is not as promised; what failed cannot be told.
pub(crate) fn order_gate(folder: &Folder, order: &Order) -> Result<Answer, Ended> {
    let socket = folder.gate(CONTROL_SOCKET);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let answered = runtime.or_cannot_tell("starting")?.block_on(access::ask_gate(&socket, order));
    let remedy = || format!("asking the gate at {}; see that it runs (`trefoil status`)", socket.display());
    match answered.or_cannot_tell(remedy())? {
        Answer::Refused(why) => Err(Ended::not(why)),
        Answer::Failed(why) => Err(Ended::cannot_tell(why)),
        answer => Ok(answer),
    }
}

pub(crate) fn unexpected() -> Ended {
    Ended::cannot_tell("the gate answered something else than it was asked; is it of another version?")
}
