//! Roots and proofs: the reference values of certificate transparency, then every pair of sizes up to 300.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use proptest::prelude::*;

use super::*;
use crate::hash::leaf_hash;

/// The leaves that the certificate-transparency reference implementations are tested with.
const LEAVES: [&[u8]; 8] = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];

/// Their roots, for one leaf to eight.
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn levels(leaves: impl IntoIterator<Item = Hash>) -> Levels {
    let mut levels = Levels::new();
    leaves.into_iter().for_each(|leaf| levels.push(leaf));
    levels
}

fn numbered(count: u32) -> Levels {
    levels((0..count).map(|number| leaf_hash(&number.to_be_bytes())))
}

fn texts(proof: &[Hash]) -> Vec<String> {
    proof.iter().map(|hash| hash.to_hex()).collect()
}

#[test]
fn reference_roots() {
    let tree = levels(LEAVES.map(leaf_hash));
    let mut frontier = Frontier::new();
    assert_eq!((frontier.root(), root_at(&tree, 0).unwrap()), (EMPTY_ROOT, EMPTY_ROOT));
    for (size, (leaf, root)) in (1..).zip(LEAVES.iter().zip(ROOTS)) {
        frontier.push(leaf_hash(leaf));
        assert_eq!(frontier.root().to_hex(), root);
        assert_eq!(root_at(&tree, size).unwrap().to_hex(), root);
        let stored = Frontier::from_peaks(size, frontier.peaks().to_vec());
        assert_eq!(stored.as_ref(), Some(&frontier));
        assert_eq!(Frontier::from_peaks(size + 16, frontier.peaks().to_vec()), None);
    }
}

#[test]
fn reference_proofs() {
    let tree = levels(LEAVES.map(leaf_hash));
    const A: &str = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
    const B: &str = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
    const C: &str = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";
    const D: &str = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
    const E: &str = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
    const F: &str = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";
    for (index, size, expected) in [
        (0, 1, vec![]),
        (0, 8, vec![A, B, C]),
        (5, 8, vec![D, E, ROOTS[3]]),
        (2, 3, vec![ROOTS[1]]),
        (1, 5, vec![ROOTS[0], B, D]),
    ] {
        assert_eq!(texts(&inclusion_proof(&tree, index, size).unwrap()), expected, "{index} in {size}");
    }
    for (old, new, expected) in [
        (1, 1, vec![]),
        (0, 8, vec![]),
        (1, 8, vec![A, B, C]),
        (6, 8, vec![F, E, ROOTS[3]]),
        (2, 5, vec![B, D]),
    ] {
        assert_eq!(texts(&consistency_proof(&tree, old, new).unwrap()), expected, "{old} to {new}");
    }
}

#[test]
fn every_proof_up_to_300_holds_and_only_for_what_it_proves() {
    const SIZE: u32 = 300;
    let tree = numbered(SIZE);
    let other = leaf_hash(b"other");
    let roots: Vec<_> = (0..=u64::from(SIZE)).map(|size| root_at(&tree, size).unwrap()).collect();
    for new in 0..=u64::from(SIZE) {
        let root = roots[usize::try_from(new).unwrap()];
        for old in 0..=new {
            let old_root = roots[usize::try_from(old).unwrap()];
            let proof = consistency_proof(&tree, old, new).unwrap();
            assert!(proof.len() <= PROOF_HASHES_MAX);
            let check = |proof: &[Hash], old_root, root| verify_consistency(old, new, proof, old_root, root);
            assert_eq!(check(&proof, &old_root, &root), Ok(()), "{old} to {new}");
            assert!(check(&proof, &other, &root).is_err());
            // The empty tree precedes any other tree, so nothing ties it to the new root.
            assert_eq!(check(&proof, &old_root, &other).is_err(), old != 0 || new == 0);
            let longer = [proof.as_slice(), &[other]].concat();
            assert!(check(&longer, &old_root, &root).is_err());
            if let Some((_, shorter)) = proof.split_last() {
                assert!(check(shorter, &old_root, &root).is_err());
            }
        }
        for index in 0..new {
            let leaf = tree.node(0, index).unwrap();
            let proof = inclusion_proof(&tree, index, new).unwrap();
            let check = |leaf, index, proof: &[Hash]| verify_inclusion(leaf, index, new, proof, &root);
            assert_eq!(check(&leaf, index, &proof), Ok(()), "{index} in {new}");
            assert!(check(&other, index, &proof).is_err());
            assert!(check(&leaf, index + 1, &proof).is_err());
            assert!(check(&leaf, index, &[proof.as_slice(), &[other]].concat()).is_err());
        }
    }
}

#[test]
fn impossible_requests_are_errors() {
    let tree = numbered(5);
    assert_eq!(inclusion_proof(&tree, 5, 5), Err(ProofError::NoSuchLeaf { index: 5, size: 5 }));
    assert_eq!(inclusion_proof(&tree, 0, 0), Err(ProofError::NoSuchLeaf { index: 0, size: 0 }));
    assert_eq!(consistency_proof(&tree, 3, 2), Err(ProofError::Backwards { old: 3, new: 2 }));
    assert_eq!(consistency_proof(&tree, 4, 6), Err(ProofError::Missing { level: 1, index: 2 }));
    assert_eq!(root_at(&tree, u64::MAX), Err(ProofError::Missing { level: 63, index: 0 }));
}

proptest! {
    /// Sizes and hashes out of nowhere never verify and never stop the program.
    #[test]
    fn invented_proofs_fail(
        sizes in (any::<u64>(), any::<u64>()),
        shift in 0u32..64,
        bytes in prop::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let (old, new) = (sizes.0 >> shift, sizes.1 >> shift);
        let proof: Vec<_> = bytes.into_iter().map(Hash).collect();
        let (leaf, root) = (leaf_hash(b"leaf"), leaf_hash(b"root"));
        prop_assert!(verify_inclusion(&leaf, old, new, &proof, &root).is_err());
        prop_assert!(verify_consistency(old, new, &proof, &leaf, &root).is_err());
    }
}
