//! Counting what is too much to list: HyperLogLog with 4 096 registers, and a count that is exact until then.
//! Not here: what is counted (`counter`), limits (`limits`).

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Bits of a hash that choose the register.
const REGISTER_BITS: u32 = 12;
/// Registers of a sketch, one byte each.
pub const REGISTERS: usize = 1 << REGISTER_BITS;
/// Bits of a hash in which leading zeros are counted.
const RANK_BITS: usize = 64 - REGISTER_BITS as usize;
/// Three standard errors of 1.04 / √4096: an estimate is as far off once in 370 times.
const MARGIN: f64 = 0.048_75;

/// HyperLogLog. Ertl's estimator ("New cardinality estimation algorithms for HyperLogLog sketches", 2017) needs no
/// tables and no switch between ranges.
#[derive(Debug, Clone)]
pub struct Sketch {
    registers: Box<[u8]>,
    /// How many registers hold each rank.
    ranks: [u32; RANK_BITS + 2],
}

impl Default for Sketch {
    fn default() -> Self {
        let mut ranks = [0; RANK_BITS + 2];
        ranks[0] = 1 << REGISTER_BITS;
        Self { registers: vec![0; REGISTERS].into(), ranks }
    }
}

impl Sketch {
    /// Adds a hash; whether that changed anything.
    pub fn insert(&mut self, hash: u64) -> bool {
        let register = usize::try_from(hash >> RANK_BITS).unwrap_or_default();
        // The bit below the counted ones ends the run of zeros, so that the rank is at most 53.
        let rank = ((hash << REGISTER_BITS) | (1 << (REGISTER_BITS - 1))).leading_zeros() + 1;
        self.raise(register, u8::try_from(rank).unwrap_or(u8::MAX))
    }

    /// Adds all that another has seen.
    pub fn merge(&mut self, other: &Self) {
        for (register, rank) in other.registers.iter().enumerate() {
            self.raise(register, *rank);
        }
    }

    fn raise(&mut self, register: usize, rank: u8) -> bool {
        let Some(held) = self.registers.get_mut(register).filter(|held| **held < rank) else { return false };
        let before = std::mem::replace(held, rank);
        for (rank, by) in [(before, -1), (rank, 1)] {
            if let Some(count) = self.ranks.get_mut(usize::from(rank)) {
                *count = count.saturating_add_signed(by);
            }
        }
        true
    }

    fn estimate(&self) -> f64 {
        let m = f64::from(1_u32 << REGISTER_BITS);
        let share = |rank: usize| f64::from(self.ranks.get(rank).copied().unwrap_or_default()) / m;
        let mut z = m * tau(1.0 - share(RANK_BITS + 1));
        for rank in (1..=RANK_BITS).rev() {
            z = 0.5 * (z + m * share(rank));
        }
        z += m * sigma(share(0));
        m * m / (2.0 * std::f64::consts::LN_2 * z)
    }

    /// The count, and what it is at least and at most, but for once in 370 times.
    pub fn count(&self) -> Bounds {
        let estimate = self.estimate();
        let whole =
            |count: f64| if count.is_finite() && count >= 0.0 { count.round() as u64 } else { u64::MAX };
        Bounds {
            least: whole(estimate * (1.0 - MARGIN)),
            most: whole(estimate * (1.0 + MARGIN)),
            #[cfg(test)]
            estimate: whole(estimate),
        }
    }

    /// The registers in order, in base64.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.registers)
    }
}

/// Between which a count lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub least: u64,
    pub most: u64,
    #[cfg(test)]
    pub estimate: u64,
}

fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z <= before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z >= before {
            return z / 3.0;
        }
    }
}

/// Keys that are hashes already.
type Hashed<V> = HashMap<u128, V, BuildHasherDefault<AsItIs>>;

/// A hash map's hasher for keys that are keyed hashes: they are not hashed again.
#[derive(Default)]
pub struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Only u128 keys come here, by `write_u128`.
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = low(hash);
    }
}

fn low(hash: u128) -> u64 {
    u64::try_from(hash & u128::from(u64::MAX)).unwrap_or_default()
}

/// How many different hashes there were: each with what belongs to it up to a bound, a sketch above.
#[derive(Debug)]
pub struct Distinct<V> {
    each: Hashed<V>,
    exact_max: usize,
    /// Set when there were more; then `each` is empty.
    sketch: Option<Box<Sketch>>,
}

impl<V> Distinct<V> {
    pub fn new(exact_max: usize) -> Self {
        Self { each: HashMap::default(), exact_max, sketch: None }
    }

    /// Adds a hash with what belongs to it; whether that changed the count.
    pub fn insert(&mut self, hash: u128, value: impl FnOnce() -> V) -> bool {
        if self.sketch.is_none() {
            if self.each.contains_key(&hash) {
                return false;
            }
            if self.each.len() < self.exact_max {
                self.each.insert(hash, value());
                return true;
            }
        }
        self.sketch_mut().insert(low(hash))
    }

    /// Takes a hash back. A sketch keeps it.
    pub fn remove(&mut self, hash: u128) {
        self.each.remove(&hash);
    }

    /// Adds all that another has seen.
    pub fn merge<W>(&mut self, other: &Distinct<W>, value: impl Fn(&W) -> V) {
        match &other.sketch {
            Some(sketch) => self.sketch_mut().merge(sketch),
            None => {
                for (hash, found) in &other.each {
                    self.insert(*hash, || value(found));
                }
            }
        }
    }

    fn sketch_mut(&mut self) -> &mut Sketch {
        let each = &mut self.each;
        self.sketch.get_or_insert_with(|| {
            let mut sketch = Box::new(Sketch::default());
            std::mem::take(each).into_keys().for_each(|hash| _ = sketch.insert(low(hash)));
            sketch
        })
    }

    /// What belongs to each hash, while there is no sketch.
    pub fn each(&self) -> impl ExactSizeIterator<Item = &V> {
        self.each.values()
    }

    pub fn sketch(&self) -> Option<&Sketch> {
        self.sketch.as_deref()
    }

    /// What the count is at most.
    pub fn most(&self) -> u64 {
        match &self.sketch {
            Some(sketch) => sketch.count().most,
            None => u64::try_from(self.each.len()).unwrap_or(u64::MAX),
        }
    }
}
