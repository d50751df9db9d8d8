//! Writes by a service: one payment changed in a transaction, through the gate and around it. The gate has an entry
//! cosigned before the statement runs, and another before the service hears that it did.

use std::process::Command;

use super::Access;
use super::lab::{Lab, SITE, Target};
use super::shell;
use super::trips::{self, Trip, Trips};

/// With more, two cores measure how long one client waits for another's commit.
const CLIENTS_MAX: u32 = 32;
/// Payments that are made to be changed, so many that two clients seldom meet at one.
const PAYMENTS: u32 = 10_000;
/// Above the keys that the enclave begins with.
const FIRST: u32 = 1_000_000_000;

pub(crate) fn measure(lab: &Lab, asked: &Access, rounds: u32, seconds: u32) -> Result<Vec<Trips>, String> {
    // The gate only speaks TLS.
    let targets: Vec<&Target> = lab.writers.iter().filter(|target| target.tls).collect();
    prepare(lab, &targets)?;
    let mut clients: Vec<u32> = asked.clients.iter().map(|clients| (*clients).min(CLIENTS_MAX)).collect();
    clients.sort_unstable();
    clients.dedup();
    let (from, to) = (FIRST + 1, FIRST + PAYMENTS);
    let sql = format!("\\set id random({from}, {to})\nUPDATE payments SET status = 'paid' WHERE id = :id\n");
    let trip = Trip { what: "service write", sql: &sql, targets, rounds, seconds };
    trips::measure(lab, &trip, &asked.modes, &clients)
}

/// A site writes only those at home there, so the payments are made where the service asks; and a statement that
/// changes nothing would be measured as gladly as one that does, so each way is tried.
fn prepare(lab: &Lab, targets: &[&Target]) -> Result<(), String> {
    let make = format!(
        "INSERT INTO payments (id, user_id, amount_cents, currency, status) SELECT {FIRST} + n, u.id, 100, 'EUR', 'open' \
         FROM (SELECT id FROM users WHERE home_site = '{SITE}' LIMIT 1) u, generate_series(1, {PAYMENTS}) n"
    );
    let change = format!("UPDATE payments SET status = 'paid' WHERE id = {}", FIRST + 1);
    for target in targets {
        // pgbouncer is before the cluster that is asked directly.
        if target.name != "pgbouncer" {
            psql(lab, target, &make)?;
        }
        let said = psql(lab, target, &change)?;
        if said.trim() != "UPDATE 1" {
            return Err(format!("{} changes no payment: it says {:?}", target.name, said.trim()));
        }
    }
    Ok(())
}

fn psql(lab: &Lab, target: &Target, sql: &str) -> Result<String, String> {
    let mut command = Command::new(&lab.psql);
    shell::run(command.args(["-X", "-v", "ON_ERROR_STOP=1", "-c", sql, &target.connection]))
}
