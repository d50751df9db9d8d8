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
stored_numbers!(u8, u16, u32, u64, i64);

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

/// How many places a key may be at: one cache line of keys.
const WAYS: usize = 8;

/// Cells by key, in a fixed number of places.
pub(super) struct Table<T> {
    keys: Vec<u64>,
    cells: Vec<T>,
}

impl<T: Kept> Table<T> {
    /// A table of so many cells, rounded up to a power of two.
    pub(super) fn new(cells: usize) -> Self {
        let cells = cells.max(WAYS).next_power_of_two();
        Self { keys: vec![0; cells], cells: vec![T::default(); cells] }
    }

    /// Bytes that the table takes, full or empty.
    pub(super) fn bytes(&self) -> usize {
        self.keys.len() * size_of::<u64>() + self.cells.len() * size_of::<T>()
    }

    fn place(&self, key: u64) -> (usize, Option<usize>) {
        let sets = self.keys.len() / WAYS;
        let start = (mix(key, 0) as usize & (sets - 1)) * WAYS;
        let set = self.keys.get(start..start + WAYS).unwrap_or_default();
        (start, set.iter().position(|at| *at == key).map(|way| start + way))
    }

    /// The cell of a key that is held.
    pub(super) fn get(&self, key: u64) -> Option<&T> {
        self.cells.get(self.place(key.max(1)).1?)
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, key: u64) -> Option<&mut T> {
        let place = self.place(key.max(1)).1?;
        self.cells.get_mut(place)
    }

    /// The cell of a key; a new one in the place of the one worth least where the key is not held.
    pub(super) fn entry(&mut self, key: u64) -> &mut T {
        let key = key.max(1);
        let (start, found) = self.place(key);
        let at = found.unwrap_or_else(|| {
            let free = |at: &usize| self.keys.get(*at) == Some(&0);
            let worth = |at: &usize| self.cells.get(*at).map_or(i64::MAX, Kept::worth_ms);
            let ways = start..start + WAYS;
            let at = ways.clone().find(free).or_else(|| ways.min_by_key(worth)).unwrap_or(start);
            self.keys[at] = key;
            self.cells[at] = T::default();
            at
        });
        &mut self.cells[at]
    }
}

impl<T: Kept> Stored for Table<T> {
    /// How many places, how many cells, then each with its place.
    fn put(&self, out: &mut Vec<u8>) {
        (self.keys.len() as u64).put(out);
        (self.keys.iter().filter(|key| **key != 0).count() as u64).put(out);
        for (at, (key, cell)) in
            self.keys.iter().zip(&self.cells).enumerate().filter(|(_, (key, _))| **key != 0)
        {
            (at as u64).put(out);
            key.put(out);
            cell.put(out);
        }
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        let places = usize::try_from(u64::take(from)?).ok()?;
        if !places.is_power_of_two() || !(WAYS..=PLACES_MAX).contains(&places) {
            return None;
        }
        let mut table = Self::new(places);
        for _ in 0..u64::take(from)? {
            let at = usize::try_from(u64::take(from)?).ok()?;
            *table.keys.get_mut(at)? = u64::take(from)?;
            *table.cells.get_mut(at)? = T::take(from)?;
        }
        Some(table)
    }
}

/// The largest table that a snapshot may ask for.
const PLACES_MAX: usize = 1 << 28;

/// One key of two.
pub(super) fn mix(a: u64, b: u64) -> u64 {
    let mut x = a ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
