//! The detectors: what is unusual or wrong in what the gate recorded, found by small pure folds over the monitor's copy,
//! one in a file of its own. `observation` is what they see, `finding` what they say, `people` who is who, `habit` what is
//! usual, `world` the simulated enclave in which they are measured. Absent: clocks, disks, incidents, brakes.
//!
//! The state is a function of the observations so far, so that it can be rebuilt from the copy or taken from a snapshot.

pub mod compare;
pub mod dormant;
pub mod drift;
pub mod feed;
pub mod finding;
pub mod habit;
pub mod honey;
pub mod hours;
pub mod logins;
pub mod mismatch;
pub mod observation;
pub mod order;
pub mod outside;
pub mod people;
pub mod person;
pub mod place;
pub mod probing;
pub mod read;
pub mod residency;
pub mod suspicion;
mod target;
pub mod thresholds;
pub mod unmatched;
pub mod volume;
pub mod widened;
pub mod world;

use serde::{Deserialize, Serialize};

pub use finding::Finding;
pub use honey::Honey;
pub use observation::{Asker, Observation, What};
pub use thresholds::Thresholds;

use people::People;

/// Every detector, by the name that incidents and thresholds carry.
pub const NAMES: [&str; 16] = [
    mismatch::NAME,
    order::NAME,
    unmatched::NAME,
    volume::NAME,
    person::NAME,
    probing::NAME,
    hours::NAME,
    place::NAME,
    dormant::NAME,
    widened::NAME,
    honey::NAME,
    outside::NAME,
    drift::NAME,
    logins::NAME,
    residency::NAME,
    suspicion::NAME,
];

/// All detectors over one gate's record.
#[derive(Serialize, Deserialize)]
pub struct Detectors {
    limits: Thresholds,
    #[serde(skip)]
    honey: Honey,
    people: People,
    order: order::Order,
    unmatched: unmatched::Unmatched,
    volume: volume::Volume,
    person: person::SinglePerson,
    probing: probing::Probing,
    hours: hours::OffHours,
    place: place::NewPlace,
    dormant: dormant::Dormant,
    outside: outside::Unreconciled,
    drift: drift::Drift,
    logins: logins::Logins,
    residency: residency::Residency,
    suspicion: suspicion::Suspicion,
}

impl Detectors {
    /// Detectors that have seen nothing.
    pub fn new(limits: Thresholds) -> Detectors {
        Detectors {
            limits,
            honey: Honey::default(),
            people: People::default(),
            order: order::Order::default(),
            unmatched: unmatched::Unmatched::default(),
            volume: volume::Volume::default(),
            person: person::SinglePerson::default(),
            probing: probing::Probing::default(),
            hours: hours::OffHours::default(),
            place: place::NewPlace::default(),
            dormant: dormant::Dormant::default(),
            outside: outside::Unreconciled::default(),
            drift: drift::Drift::default(),
            logins: logins::Logins::default(),
            residency: residency::Residency::default(),
            suspicion: suspicion::Suspicion::default(),
        }
    }

    /// Goes on with other thresholds.
    pub fn set_limits(&mut self, limits: Thresholds) {
        self.limits = limits;
    }

    /// What was planted, under the subject key of the gate's run: from each start of the gate, and each planting, on.
    pub fn set_honey(&mut self, honey: Honey) {
        self.honey = honey;
    }

    /// Folds one observation. They come in the order in which the monitor learned of them.
    pub fn observe(&mut self, o: &Observation) -> Vec<Finding> {
        let mut found = Vec::new();
        self.people.enter(o);
        let seen = self.people.seen(o);
        let (limits, all) = (&self.limits, &mut found);
        mismatch::observe(&seen, all);
        self.order.observe(&limits.record_order, &seen, all);
        self.unmatched.observe(&limits.unmatched, &seen, all);
        self.volume.observe(&limits.volume, &seen, all);
        self.person.observe(&limits.single_person, &seen, all);
        self.probing.observe(&limits.probing, &seen, all);
        self.hours.observe(&limits.off_hours, &seen, all);
        self.place.observe(&limits.new_place, &seen, all);
        self.dormant.observe(&limits.dormant, &self.people, &seen, all);
        widened::observe(&seen, all);
        honey::observe(&limits.honeytoken, &self.honey, &seen, all);
        self.outside.observe(&limits.unreconciled, &seen, all);
        self.drift.observe(&limits.clock_drift, &seen, all);
        self.logins.observe(&limits.logins, &seen, all);
        self.residency.observe(&limits.residency, &seen, all);
        self.suspicion.observe(&limits.suspicious_logins, &seen, all);
        self.people.leave(o);
        found
    }
}
