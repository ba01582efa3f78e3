//! The search tree of a MaxMind DB file, walked once into leaves.
//!
//! Why not `maxminddb`'s own iterator: it skips the IPv6 aliases of the IPv4 tree without yielding anything, so a
//! hostile file of a few hundred octets can keep it busy for ever between two items, and no bound of ours would be
//! asked. Here every step either yields a leaf or goes one bit deeper, so the bound on leaves is a bound on time.
//! `maxminddb` still reads the metadata and decodes the records.
//!
//! The format (MaxMind DB 2.0, "Binary Search Tree Section"): node `n` is two records of 24, 28 or 32 bits; a record
//! below the node count is a node, the node count itself is "nothing here", anything above points to data.
//!
//! Invariant: the leaves come in address order and cover the whole space, each address once. Neighbours: `special.rs`
//! has the blocks that are cut out, `database.rs` turns data into locations.

use super::error::DatabaseError;
use super::prefix::{Key, Prefix};

/// One end of the tree: a prefix in which all addresses have the same data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leaf<K> {
    /// Where.
    pub prefix: Prefix<K>,
    /// The record that points to the data; `None` where there is nothing, or nothing that counts.
    pub data: Option<u32>,
}

/// The nodes of a file.
#[derive(Clone, Copy)]
pub(super) struct Tree<'file> {
    nodes: &'file [u8],
    node_count: u32,
    /// Octets of one node: 6, 7 or 8.
    node_octets: usize,
    /// The record under which IPv4 hangs: the root, or 96 zero bits below it.
    ipv4: u32,
}

impl<'file> Tree<'file> {
    /// The tree in the first octets of a file, with what the file's metadata says of it.
    pub fn new(nodes: &'file [u8], metadata: &maxminddb::Metadata) -> Result<Self, DatabaseError> {
        let mut tree = Self {
            nodes,
            node_count: metadata.node_count,
            node_octets: usize::from(metadata.record_size / 4),
            ipv4: 0,
        };
        if metadata.ip_version == 6 {
            tree.ipv4 = tree.zero_bits_below_root(96)?;
        }
        Ok(tree)
    }

    /// The record where IPv4 addresses begin.
    pub fn ipv4_root(&self) -> u32 {
        self.ipv4
    }

    /// A record that says "nothing here".
    pub fn nothing(&self) -> u32 {
        self.node_count
    }

    /// Follows lower halves from the root, and stops early where the tree does.
    fn zero_bits_below_root(&self, bits: u8) -> Result<u32, DatabaseError> {
        let mut record = 0;
        for _ in 0..bits {
            if record >= self.node_count {
                break;
            }
            [record, _] = self.children(record)?;
        }
        Ok(record)
    }

    /// Both records of a node, lower half first.
    fn children(&self, node: u32) -> Result<[u32; 2], DatabaseError> {
        let at = (node as usize).saturating_mul(self.node_octets);
        let octets = self.nodes.get(at..).and_then(|rest| rest.get(..self.node_octets));
        match octets {
            Some(&[a, b, c, d, e, f]) => Ok([[0, a, b, c], [0, d, e, f]]),
            Some(&[a, b, c, both, d, e, f]) => Ok([[both >> 4, a, b, c], [both & 15, d, e, f]]),
            Some(&[a, b, c, d, e, f, g, h]) => Ok([[a, b, c, d], [e, f, g, h]]),
            _ => Err(DatabaseError::BrokenTree),
        }
        .map(|records| records.map(u32::from_be_bytes))
    }

    /// Is this the IPv4 tree, hung a second time into IPv6? Databases alias ::ffff:0:0/96, 2002::/16 and others so.
    fn is_alias_of_ipv4<K: Key>(&self, step: &Step<K>) -> bool {
        K::BITS == 128
            && self.ipv4 != 0
            && step.record == self.ipv4
            && step.record < self.node_count
    }

    /// What one step of the walk finds.
    fn look<K: Key>(
        &self,
        step: &Step<K>,
        special: Option<&Prefix<K>>,
    ) -> Result<Found, DatabaseError> {
        let is_special = special.is_some_and(|block| block.contains(step.prefix));
        if is_special || self.is_alias_of_ipv4(step) {
            return Ok(Found::Leaf(None));
        }
        if step.record < self.node_count {
            return self.children(step.record).map(Found::Halves);
        }
        if special.is_some_and(|block| step.prefix.contains(*block)) {
            return Ok(Found::Halves([step.record; 2]));
        }
        Ok(Found::Leaf((step.record > self.node_count).then_some(step.record)))
    }

    /// Visits the leaves below `root` in address order, with the blocks of `special` (sorted, disjoint) cut out.
    pub fn walk<K: Key>(
        &self,
        root: u32,
        mut special: &[Prefix<K>],
        mut visit: impl FnMut(Leaf<K>) -> Result<(), DatabaseError>,
    ) -> Result<(), DatabaseError> {
        let mut ahead = vec![Step { record: root, prefix: Prefix::ALL }];
        while let Some(step) = ahead.pop() {
            while let [block, rest @ ..] = special
                && block.last() < step.prefix.start
            {
                special = rest;
            }
            match self.look(&step, special.first())? {
                Found::Leaf(data) => visit(Leaf { prefix: step.prefix, data })?,
                Found::Halves(records) => {
                    let halves = step.prefix.halves().ok_or(DatabaseError::BrokenTree)?;
                    let steps = halves.into_iter().zip(records);
                    ahead.extend(steps.rev().map(|(prefix, record)| Step { record, prefix }));
                }
            }
        }
        Ok(())
    }
}

/// A record still to be looked at, and the prefix it stands for.
struct Step<K> {
    record: u32,
    prefix: Prefix<K>,
}

/// What a record turned out to be.
enum Found {
    /// An end, with or without data.
    Leaf(Option<u32>),
    /// Two records, one for each half.
    Halves([u32; 2]),
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::Tree;

    /// The second node of a tree whose first is all ones.
    fn second_node(node: &[u8]) -> [u32; 2] {
        let nodes = [vec![0xff; node.len()], node.to_vec()].concat();
        let node_octets = node.len();
        let tree = Tree { nodes: &nodes, node_count: 2, node_octets, ipv4: 0 };
        assert!(tree.children(2).is_err());
        tree.children(1).unwrap()
    }

    #[test]
    fn records_of_all_three_sizes_are_read() {
        let bits24 = second_node(&[0x12, 0x34, 0x56, 0xab, 0xcd, 0xef]);
        assert_eq!(bits24, [0x12_3456, 0xab_cdef]);
        let bits28 = second_node(&[0x23, 0x45, 0x67, 0x18, 0x9a, 0xbc, 0xde]);
        assert_eq!(bits28, [0x123_4567, 0x89a_bcde]);
        let bits32 = second_node(&[0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]);
        assert_eq!(bits32, [0x0123_4567, 0x89ab_cdef]);
    }
}
