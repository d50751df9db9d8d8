//! The attack table: each line tries to recover a planted value as a principal from whom it is hidden, through the
//! gate and, with a pool role's own keys, against the wall alone. Not here: the lines (`support`, `others`).

mod others;
mod support;

use super::lab::{AOIFE, BILLING, Enclave, LUKAS, Who};
use others::{BY_ANALYST, ERRORS, ERRORS_OF_A_CLEAR_PROFILE};
use support::BY_SUPPORT;

/// A subject who did not consent to analytics. Nobody here may see any of this: the first three are masked for
/// support, and the whole row is out of the analysts' scope.
const PLANT: [&str; 2] = [
    "INSERT INTO data.users (id, home_site, handle, full_name, email, phone, birth_date, country, language, \
     analytics_consent, followers, created_at) VALUES (900000001, 'dublin-1', 'planted_handle', 'Zoe Plantedname', \
     'plantedsecret@mail.example', '+353871234567', '1971-02-03', 'IE', 'zz', false, 7654321, '2020-01-02 03:04:05Z')",
    "INSERT INTO data.payments (id, home_site, user_id, amount_cents, currency, iban, status, paid_at) VALUES \
     (900000001, 'dublin-1', 900000001, 4242424, 'EUR', 'IE29AIBK93115212345678', 'settled', '2021-01-01 00:00:00Z')",
];
/// Hidden from support: in the clear nowhere in what she is shown.
const HIDDEN_FROM_SUPPORT: [&str; 3] = ["plantedsecret", "871234567", "93115212345678"];
/// Hidden from analysts: the row as a whole.
const HIDDEN_FROM_ANALYSTS: [&str; 6] =
    ["plantedsecret", "871234567", "93115212345678", "Plantedname", "7654321", "4242424"];
/// What both are shown, in rows.
const QUOTED: [&str; 2] = ["Plantedname", "settled"];

/// What the gate does.
enum Gate {
    /// 42501, a sentence and an entry's number.
    Refuses,
    /// It may run; it shows nothing hidden.
    Runs,
}

/// What PostgreSQL does when somebody has a pool role's keys and no gate in front of it.
enum Wall {
    /// An error.
    Refuses,
    /// It may run; it shows nothing hidden.
    Runs,
    /// It runs, and is more than a session should be able to do. Each is a line of docs/threat-model.md.
    LetsThrough,
}

/// Pool roles begin read-only, and can undo it.
const READ_WRITE: &str = "SET default_transaction_read_only = off";

struct Attack {
    name: &'static str,
    sql: &'static [&'static str],
    gate: Gate,
    wall: Wall,
}

const fn attack(name: &'static str, sql: &'static [&'static str], gate: Gate, wall: Wall) -> Attack {
    Attack { name, sql, gate, wall }
}

#[test]
fn nothing_hidden_is_recovered() {
    let enclave = Enclave::start();
    let planted = enclave.admin("dublin-1", &PLANT);
    assert!(!planted.contains("ERROR"), "the planted subject: {planted}");
    let mut wrong = Vec::new();
    // What the wall lets through may change a role; the roles that the gate uses first stay as they are.
    check(&enclave, AOIFE, "support", BY_SUPPORT, &HIDDEN_FROM_SUPPORT, &mut wrong);
    check(&enclave, LUKAS, "analytics", BY_ANALYST, &HIDDEN_FROM_ANALYSTS, &mut wrong);
    quote(&enclave, AOIFE, ERRORS, &mut wrong);
    quote(&enclave, BILLING, ERRORS_OF_A_CLEAR_PROFILE, &mut wrong);
    assert!(wrong.is_empty(), "{} attacks not as promised:\n{}", wrong.len(), wrong.join("\n"));
}

/// Each of these fails, and PostgreSQL would quote the planted value: what an error says nobody counts.
fn quote(enclave: &Enclave, who: Who, errors: &[&str], wrong: &mut Vec<String>) {
    for sql in errors {
        let gate = enclave.gate(who, &[sql]);
        if !gate.contains("ERROR") || QUOTED.iter().any(|value| gate.contains(value)) {
            wrong.push(format!("{sql}: the gate quotes, or nothing fails: {gate}"));
        }
    }
}

fn check(
    enclave: &Enclave,
    who: Who,
    profile: &str,
    attacks: &[Attack],
    hidden: &[&str],
    wrong: &mut Vec<String>,
) {
    for attack in attacks {
        let gate = enclave.gate(who, attack.sql);
        let refused = gate.contains("42501: refused:") && gate.contains("entry ");
        if let Some(value) = hidden.iter().find(|value| gate.contains(**value)) {
            wrong.push(format!("{}: the gate shows {value}: {gate}", attack.name));
        }
        if matches!(attack.gate, Gate::Refuses) && !refused {
            wrong.push(format!("{}: the gate does not refuse: {gate}", attack.name));
        }
    }
    for attack in attacks {
        let wall = enclave.wall(profile, 8, attack.sql);
        if wall.contains("FATAL") && attack.name != "other database" {
            wrong.push(format!("{}: the attack did not reach the wall: {wall}", attack.name));
        }
        if let Some(value) = hidden.iter().find(|value| wall.contains(**value)) {
            wrong.push(format!("{}: the wall shows {value}: {wall}", attack.name));
        }
        let errs = wall.contains("ERROR") || wall.contains("FATAL");
        match attack.wall {
            Wall::Refuses if !errs => {
                wrong.push(format!("{}: the wall does not refuse: {wall}", attack.name))
            }
            Wall::LetsThrough if errs => {
                wrong.push(format!(
                    "{}: the wall refuses now; say so in docs/threat-model.md: {wall}",
                    attack.name
                ));
            }
            Wall::Refuses | Wall::Runs | Wall::LetsThrough => {}
        }
        // "own password" locks the role out: put it back for the next line.
        if attack.name == "own password" {
            restore_password(enclave, profile);
        }
    }
}

fn restore_password(enclave: &Enclave, profile: &str) {
    let role = enclave.role(profile, "dublin-1", 8);
    let secrets: serde_json::Value =
        serde_json::from_slice(&std::fs::read(enclave.dir.join("gate/secrets.json")).unwrap()).unwrap();
    let password = secrets["pool"][&role].as_str().unwrap();
    let done = enclave.admin("dublin-1", &[&format!("ALTER ROLE \"{role}\" PASSWORD '{password}'")]);
    assert!(!done.contains("ERROR"), "{done}");
}
