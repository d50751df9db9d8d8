//! Many small cells that are asked for at random. Each is one line of memory as processors read it, wherever the allocator
//! puts them, so that asking for one waits once. What was never written takes no memory. Not here: what is in a cell.

/// What processors read at a time.
const LINE_BYTES: usize = 64;

/// Lines of `N` numbers, 64 bytes together.
#[derive(Debug, Clone)]
pub struct Lines<T, const N: usize> {
    /// One line more than is used: the first begins where one of memory does.
    numbers: Vec<T>,
}

impl<T: Copy + Default, const N: usize> Lines<T, N> {
    /// So many lines of zeros.
    pub fn new(lines: usize) -> Self {
        const { assert!(N * size_of::<T>() == LINE_BYTES) };
        Self { numbers: vec![T::default(); (lines + 1) * N] }
    }

    /// Where a line begins.
    fn start(&self, line: usize) -> usize {
        // Anew each time, because a copy is somewhere else.
        self.numbers.as_ptr().align_offset(LINE_BYTES).min(N) + line * N
    }

    /// A line.
    pub fn get(&self, line: usize) -> Option<&[T; N]> {
        self.numbers.get(self.start(line)..)?.first_chunk()
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, line: usize) -> Option<&mut [T; N]> {
        let start = self.start(line);
        self.numbers.get_mut(start..)?.first_chunk_mut()
    }

    /// All of so many lines, in order.
    pub fn iter(&self, lines: usize) -> impl Iterator<Item = &[T; N]> {
        (0..lines).filter_map(|line| self.get(line))
    }

    /// Bytes of memory held.
    pub fn bytes(&self) -> usize {
        self.numbers.capacity() * size_of::<T>()
    }
}
