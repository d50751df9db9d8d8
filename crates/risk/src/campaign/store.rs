//! Where evidence is kept: tables of a fixed size that forget what is worth least, and their bytes in a snapshot. Not
//! here: what the evidence is.

/// A value with a fixed form in a snapshot: little-endian, fields in their order.
pub(super) trait Stored: Sized {
    fn put(&self, out: &mut Vec<u8>);
    /// Takes the value off the front of the bytes; nothing when they are too few or impossible.
    fn take(from: &mut &[u8]) -> Option<Self>;
}

/// A struct of stored fields.
macro_rules! stored {
    ($(#[$meta:meta])* pub(super) struct $name:ident { $($(#[$field_meta:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, Default)]
        pub(super) struct $name { $($(#[$field_meta])* pub(super) $field: $kind,)* }

        impl crate::campaign::store::Stored for $name {
            fn put(&self, out: &mut Vec<u8>) {
                $(crate::campaign::store::Stored::put(&self.$field, out);)*
            }

            fn take(from: &mut &[u8]) -> Option<Self> {
                Some(Self { $($field: crate::campaign::store::Stored::take(from)?,)* })
            }
        }
    };
}
pub(super) use stored;

macro_rules! stored_numbers {
    ($($kind:ty),*) => {$(
        impl Stored for $kind {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn take(from: &mut &[u8]) -> Option<Self> {
                Some(Self::from_le_bytes(crate::bytes::take(from)?))
            }
        }
    )*};
}
stored_numbers!(u8, u16, u32, u64, i16, i64);

/// Sums that are no number would never decay again: they are refused.
impl Stored for f32 {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        Some(Self::from_le_bytes(crate::bytes::take(from)?)).filter(|number| number.is_finite())
    }
}

impl<T: Stored + Copy + Default, const N: usize> Stored for [T; N] {
    fn put(&self, out: &mut Vec<u8>) {
        self.iter().for_each(|value| value.put(out));
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        let mut values = [T::default(); N];
        for value in &mut values {
            *value = T::take(from)?;
        }
        Some(values)
    }
}

/// What a table forgets first: the cell that was of use the longest ago. Evidence counts as later use, so that a flood
/// of strangers evicts other strangers.
pub(super) trait Kept: Stored + Copy + Default {
    /// Milliseconds since 1970, put later by what the cell has seen.
    fn worth_ms(&self) -> i64;
}

/// How many places a key may be at.
const WAYS: usize = 8;
/// The largest table that a snapshot may ask for.
const SETS_MAX: usize = 1 << 25;

/// One cache line that says what is at its places.
#[derive(Clone, Copy, Default)]
#[repr(align(64))]
struct Set {
    /// A part of each key (the set is another); 0 is free.
    prints: [u32; WAYS],
    /// What each cell was worth when it was last asked for, in seconds.
    worths: [u32; WAYS],
}

/// Both look at all places, because which one it is cannot be foreseen, and a wrong guess costs more than looking.
impl Set {
    /// The place of a key.
    fn way_of(&self, print: u32) -> Option<usize> {
        let hits = self.prints.iter().rev().fold(0_u32, |hits, at| hits << 1 | u32::from(*at == print));
        (hits != 0).then(|| hits.trailing_zeros() as usize)
    }

    /// A free place, or the one that is worth least.
    fn least(&self) -> usize {
        let places = (0_u64..).zip(self.prints.iter().zip(&self.worths));
        let worths =
            places.map(|(way, (print, worth))| u64::from(*print != 0) << 40 | u64::from(*worth) << 8 | way);
        (worths.min().unwrap_or_default() & 0xff) as usize
    }
}

/// Where a cell is, until another takes its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    set: usize,
    way: usize,
}

/// Cells by key, in a fixed number of places.
pub(super) struct Table<T> {
    sets: Vec<Set>,
    cells: Vec<Cells<T>>,
}

/// The cells of a set. They begin where a line of memory does, too: those of few bytes are one line together.
#[derive(Clone, Copy, Default)]
#[repr(align(64))]
struct Cells<T>([T; WAYS]);

impl<T: Kept> Table<T> {
    /// A table of so many cells, rounded up to a power of two.
    pub(super) fn new(cells: usize) -> Self {
        let sets = (cells / WAYS).clamp(1, SETS_MAX).next_power_of_two();
        Self { sets: vec![Set::default(); sets], cells: vec![Cells::default(); sets] }
    }

    /// Bytes that the table takes, full or empty.
    pub(super) fn bytes(&self) -> usize {
        self.sets.len() * size_of::<Set>() + self.cells.len() * size_of::<Cells<T>>()
    }

    /// Its set, and its print there.
    fn hash(&self, key: u64) -> (usize, u32) {
        let mixed = mix(key, 0);
        (mixed as usize & (self.sets.len() - 1), ((mixed >> 32) as u32).max(1))
    }

    /// Where the cell of a key is, if it is held.
    pub(super) fn find(&self, key: u64) -> Option<Place> {
        let (set, print) = self.hash(key);
        let way = self.sets.get(set)?.way_of(print)?;
        Some(Place { set, way })
    }

    /// Reads what says where the cell of a key is.
    pub(super) fn reach_set(&self, key: u64) -> u64 {
        let (set, _) = self.hash(key);
        self.sets.get(set).map_or(0, |set| set.prints[0].into())
    }

    /// Reads where the first cells of a key's set are.
    pub(super) fn reach_cells(&self, key: u64) -> u64 {
        let (set, _) = self.hash(key);
        self.cells.get(set).map_or(0, |cells| cells.0[0].worth_ms().cast_unsigned())
    }

    /// The cell at a place.
    pub(super) fn at(&self, place: Place) -> Option<&T> {
        self.cells.get(place.set)?.0.get(place.way)
    }

    /// The same, to be changed.
    pub(super) fn at_mut(&mut self, place: Place) -> Option<&mut T> {
        self.cells.get_mut(place.set)?.0.get_mut(place.way)
    }

    /// The cell of a key that is held.
    pub(super) fn get(&self, key: u64) -> Option<&T> {
        self.at(self.find(key)?)
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, key: u64) -> Option<&mut T> {
        let place = self.find(key)?;
        self.at_mut(place)
    }

    /// The cell of a key; a new one in the place of the one worth least where the key is not held.
    pub(super) fn entry(&mut self, key: u64, now_ms: i64) -> &mut T {
        let (number, print) = self.hash(key);
        let set = &mut self.sets[number];
        let found = set.way_of(print);
        let way = found.unwrap_or_else(|| set.least());
        let cell = &mut self.cells[number].0[way];
        if found.is_none() {
            set.prints[way] = print;
            *cell = T::default();
        }
        let worth_ms = cell.worth_ms().max(now_ms);
        set.worths[way] = u32::try_from(worth_ms / 1_000).unwrap_or(u32::MAX);
        cell
    }
}

impl<T: Kept> Stored for Table<T> {
    /// How many sets, how many cells are taken, then each with its place.
    fn put(&self, out: &mut Vec<u8>) {
        let taken = || {
            let ways = self.sets.iter().flat_map(|set| set.prints.into_iter().zip(set.worths));
            ways.zip(self.cells.iter().flat_map(|cells| &cells.0))
                .enumerate()
                .filter(|(_, ((print, _), _))| *print != 0)
        };
        (self.sets.len() as u64).put(out);
        (taken().count() as u64).put(out);
        for (at, ((print, worth), cell)) in taken() {
            (at as u64).put(out);
            print.put(out);
            worth.put(out);
            cell.put(out);
        }
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        let sets = usize::try_from(u64::take(from)?).ok()?;
        if !sets.is_power_of_two() || sets > SETS_MAX {
            return None;
        }
        let mut table = Self::new(sets * WAYS);
        for _ in 0..u64::take(from)? {
            let at = usize::try_from(u64::take(from)?).ok()?;
            let set = table.sets.get_mut(at / WAYS)?;
            *set.prints.get_mut(at % WAYS)? = u32::take(from)?;
            *set.worths.get_mut(at % WAYS)? = u32::take(from)?;
            *table.at_mut(Place { set: at / WAYS, way: at % WAYS })? = T::take(from)?;
        }
        Some(table)
    }
}

/// One key of two.
pub(super) fn mix(a: u64, b: u64) -> u64 {
    let mut x = a ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
