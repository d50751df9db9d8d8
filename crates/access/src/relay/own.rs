//! What the gate itself answers: `SHOW trefoil.session`, `trefoil.profile` and `trefoil.last_entry`. The site is sent
//! a harmless statement of the same shape in its place, so that a failed transaction, a pipeline that skips and a
//! Describe do as for any other statement; its row and its tag are then replaced. Not here: which SHOW is one (`sql`).

use sql::Own;

/// What the site is sent instead.
pub fn stand_in(own: Own) -> &'static str {
    match own {
        Own::Session => "SELECT NULL::pg_catalog.text AS \"trefoil.session\"",
        Own::Profile => "SELECT NULL::pg_catalog.text AS \"trefoil.profile\"",
        Own::LastEntry => "SELECT NULL::pg_catalog.text AS \"trefoil.last_entry\"",
    }
}

/// The command tag of it.
pub const TAG: &str = "SHOW";
