//! A bounded memory of answers already worked out: decisions and verdicts. Two generations: when the young one is
//! full it becomes the old one, so what is asked often stays and nothing grows without bound. What a key must contain
//! for an answer to be reusable is the caller's business.

use std::{collections::HashMap, hash::Hash, mem};

/// At most twice `generation_max` answers.
pub struct Memo<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    generation_max: usize,
}

impl<K: Eq + Hash + Clone, V: Clone> Memo<K, V> {
    pub fn new(generation_max: usize) -> Self {
        Memo { young: HashMap::new(), old: HashMap::new(), generation_max }
    }

    /// Whether an answer is remembered.
    pub fn knows(&self, key: &K) -> bool {
        self.young.contains_key(key) || self.old.contains_key(key)
    }

    /// The remembered answer, or the one that `work` gives, remembered from now on.
    pub fn get_or(&mut self, key: &K, work: impl FnOnce() -> V) -> V {
        if let Some(known) = self.young.get(key) {
            return known.clone();
        }
        let answer = self.old.remove(key).unwrap_or_else(work);
        if self.young.len() >= self.generation_max {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key.clone(), answer.clone());
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_what_is_used_and_stays_small() {
        let mut memo = Memo::new(4);
        let mut worked = 0;
        for n in 0..100 {
            memo.get_or(&n, || n * 2);
            assert_eq!(
                memo.get_or(&7, || {
                    worked += 1;
                    14
                }),
                14
            );
            assert!(memo.young.len() + memo.old.len() <= 8);
        }
        assert_eq!(worked, 1, "an answer asked for all the time is never worked out again");
    }
}
