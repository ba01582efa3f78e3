//! One open-addressing hash table for all names, and the arena that holds their nodes.
//!
//! A lookup costs two cache misses: the slot (a part of the hash, and an offset) and the node at that offset, which begins
//! with the name and goes on with its RRsets, encoded as answers need them. The hash is keyed with a seed that the outside
//! can't know, so that nobody can choose names that collide.
//!
//! Layout of a node: `length of name, flags, number of RRsets (u16), zone (u32), route (u32)`, the name in lower case, and per
//! RRset `type (u16), count (u16), octets (u32)` and the records. Numbers are little-endian; nothing is aligned.

use super::catalog::ZoneId;
use super::data::RRset;
use crate::limits::NAME_OCTETS;
use crate::wire::{Malformed, Reader, RecordType, Records};

/// The route of a node whose records are chosen per client. The numbers are the snapshot's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteId(pub u32);

/// The top of a zone.
pub(super) const APEX: u8 = 1;
/// A name with NS below the apex: what is at it and below it belongs to another zone (RFC 2181 §6).
pub(super) const CUT: u8 = 2;
/// A name below a cut. Its records are glue at most.
pub(super) const OCCLUDED: u8 = 4;
/// A wildcard stands directly below: this is a possible closest encloser that synthesises (RFC 4592 §2.1).
pub(super) const HAS_WILDCARD: u8 = 8;
/// A DNAME stands here: every name below it is another name (RFC 6672 §2.2).
pub(super) const REDIRECT: u8 = 16;

/// Stands before the name in the key of a node that holds what a zone says of a zone nested in it. No name begins so.
pub(super) const PARENT_SIDE: u8 = 0xff;

const NO_ROUTE: u32 = u32::MAX;

/// Names that are approached at once: as many as a batch of datagrams has.
const APPROACHED: usize = 64;

/// What a processor loads at once; most nodes lie in two of them.
const CACHE_LINE: usize = 64;
const NODE_PREFIX: usize = 12;

/// All names of all zones.
#[derive(Debug)]
pub(super) struct Table {
    /// Upper half: bits of the hash; lower half: offset of the node plus one, 0 for a free slot.
    slots: Box<[u64]>,
    mask: usize,
    seed: u64,
    arena: Box<[u8]>,
}

/// One name and what it holds.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    octets: &'a [u8],
    offset: u32,
}

impl<'a> Node<'a> {
    fn number(&self, at: usize) -> u32 {
        let octets = self.octets.get(at..).and_then(|rest| rest.first_chunk::<4>());
        octets.map_or(0, |octets| u32::from_le_bytes(*octets))
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.octets.get(1).is_some_and(|flags| flags & flag != 0)
    }

    /// The zone that holds the name.
    pub fn zone(&self) -> ZoneId {
        ZoneId(self.number(4))
    }

    /// By which route other records are chosen, if any are.
    pub fn route(&self) -> Option<RouteId> {
        Some(self.number(8)).filter(|&route| route != NO_ROUTE).map(RouteId)
    }

    /// The name in lower case.
    pub fn name(&self) -> &'a [u8] {
        let key = self.key();
        key.strip_prefix(&[PARENT_SIDE]).unwrap_or(key)
    }

    /// What the node is found by: its name, for all but parent sides.
    fn key(&self) -> &'a [u8] {
        let length = self.octets.first().map_or(0, |&length| usize::from(length));
        self.octets.get(NODE_PREFIX..NODE_PREFIX.saturating_add(length)).unwrap_or_default()
    }

    /// A number that no other node of the same table has.
    pub fn identity(&self) -> u32 {
        self.offset
    }

    /// The RRset of a type.
    pub fn rrset(&self, rtype: RecordType) -> Option<Records<'a>> {
        self.rrsets().find(|records| records.rtype == rtype)
    }

    /// All RRsets.
    pub fn rrsets(&self) -> impl Iterator<Item = Records<'a>> + use<'a> {
        let [low, high] =
            self.octets.get(2..4).and_then(|o| o.first_chunk::<2>()).copied().unwrap_or_default();
        let mut left = u16::from_le_bytes([low, high]);
        let start = NODE_PREFIX.saturating_add(self.key().len());
        let mut reader = Reader::new(self.octets.get(start..).unwrap_or_default());
        std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            read_rrset(&mut reader).ok()
        })
    }
}

fn read_rrset<'a>(reader: &mut Reader<'a>) -> Result<Records<'a>, Malformed> {
    let rtype = RecordType(reader.u16()?.swap_bytes());
    let count = reader.u16()?.swap_bytes();
    let octets = usize::try_from(reader.u32()?.swap_bytes()).map_err(|_| Malformed)?;
    Ok(Records { rtype, count, octets: reader.take(octets)? })
}

impl Table {
    /// Every node that a name finds, in no order.
    pub(super) fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        let nodes = self.slots.iter().filter_map(|slot| {
            let [_, offset] = split(*slot);
            let offset = offset.checked_sub(1)?;
            Some(Node { octets: self.arena.get(usize::try_from(offset).ok()?..)?, offset })
        });
        nodes.filter(|node| node.key().first() != Some(&PARENT_SIDE))
    }

    /// Reads the first octets of the slots, and then of the nodes, of names with these hashes, for nothing but that they are in the
    /// cache when they are wanted. Loads that do not depend on each other wait together; a loop that looks up name by name waits
    /// for two after the other each time.
    pub(super) fn approach(&self, hashes: impl Iterator<Item = u64>) {
        let mut offsets = [0u32; APPROACHED];
        let mut count = 0usize;
        for (offset, hash) in offsets.iter_mut().zip(hashes) {
            let slot = self.slots.get(index(hash) & self.mask).copied().unwrap_or(0);
            [_, *offset] = split(slot);
            count = count.saturating_add(1);
        }
        let mut sum = 0u8;
        for offset in offsets.get(..count).unwrap_or_default() {
            let at = usize::try_from(offset.saturating_sub(1)).unwrap_or(usize::MAX);
            let first = self.arena.get(at).copied().unwrap_or(0);
            let last = self.arena.get(at.saturating_add(CACHE_LINE)).copied().unwrap_or(0);
            sum ^= first ^ last;
        }
        std::hint::black_box(sum);
    }

    /// The node of a name in lower case.
    #[inline]
    pub(super) fn find(&self, name: &[u8]) -> Option<Node<'_>> {
        self.find_by(hash(self.seed, name), name)
    }

    /// The same by the name's hash.
    #[inline]
    pub(super) fn find_by(&self, hash: u64, name: &[u8]) -> Option<Node<'_>> {
        let mut at = index(hash) & self.mask;
        loop {
            let slot = *self.slots.get(at)?;
            let [tag, offset] = split(slot);
            let offset = offset.checked_sub(1)?;
            if tag == split(hash)[0] {
                let octets = self.arena.get(usize::try_from(offset).ok()?..)?;
                let node = Node { octets, offset };
                if node.key() == name {
                    return Some(node);
                }
            }
            // Some slot is always free, so that this ends.
            at = at.wrapping_add(1) & self.mask;
        }
    }

    /// A keyed hash of a name in lower case.
    pub(super) fn hash(&self, name: &[u8]) -> u64 {
        hash(self.seed, name)
    }

    /// Octets of memory that the table and its nodes take.
    pub(super) fn memory_octets(&self) -> usize {
        self.slots.len().saturating_mul(8).saturating_add(self.arena.len())
    }
}

/// The halves of a slot or a hash: upper, lower.
#[inline]
fn split(value: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = value.to_be_bytes();
    [u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])]
}

#[inline]
fn join(upper: u32, lower: u32) -> u64 {
    u64::from(upper) << 32 | u64::from(lower)
}

/// The lower half of a hash as the place to begin at.
#[inline]
fn index(hash: u64) -> usize {
    usize::try_from(split(hash)[1]).unwrap_or(0)
}

/// A keyed hash of a name: sixteen octets a step, each step a 128-bit product folded in half (the construction of wyhash). The last
/// step takes the last sixteen octets, some of them again, or a name that has no more.
#[inline]
pub(super) fn hash(seed: u64, name: &[u8]) -> u64 {
    let length = u64::try_from(name.len()).unwrap_or(0);
    let mut state = seed ^ length;
    let last = match name.last_chunk::<16>() {
        Some(last) => {
            let steps = name.len().saturating_sub(1) / 16;
            for chunk in name.as_chunks::<16>().0.iter().take(steps) {
                state = mix(state, chunk);
            }
            *last
        }
        None => {
            let mut last = [0u8; 16];
            for (to, from) in last.iter_mut().zip(name) {
                *to = *from;
            }
            last
        }
    };
    // The length once more, where no octet of the name can cancel it: steps that overlap would else be alike for some of two lengths.
    fold_product(mix(state, &last), 0x8ebc_6af0_9c88_c6e3 ^ length)
}

#[inline]
fn mix(state: u64, chunk: &[u8; 16]) -> u64 {
    let value = u128::from_le_bytes(*chunk);
    let (low, high) = (value & u128::from(u64::MAX), value >> 64);
    let word = |part: u128| u64::try_from(part).unwrap_or(0);
    // The state, and with it the seed, is in both factors: a chunk that makes a constant factor zero would make the hash of
    // every name that holds it the same.
    fold_product(word(low) ^ state, word(high) ^ state.rotate_left(32) ^ 0xe703_7ed1_a0b4_28db)
}

#[inline]
fn fold_product(a: u64, b: u64) -> u64 {
    let product = u128::from(a).wrapping_mul(u128::from(b));
    let word = |part: u128| u64::try_from(part & u128::from(u64::MAX)).unwrap_or(0);
    word(product) ^ word(product >> 64)
}

/// Collects nodes, and makes the table when all are there.
#[derive(Debug)]
pub(super) struct TableBuilder {
    seed: u64,
    arena: Vec<u8>,
    entries: Vec<(u64, u32)>,
}

/// A node that was added.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry(usize);

/// More nodes than four gigabytes hold, or an RRset too large to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TableFull;

impl TableBuilder {
    /// `seed` keys the hash; it comes from the operating system's generator.
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, arena: Vec::new(), entries: Vec::new() }
    }

    /// Adds a node. Its name, which may be in any case, was not added before.
    pub(super) fn add(
        &mut self,
        name: &[u8],
        flags: u8,
        zone: ZoneId,
        route: Option<RouteId>,
        rrsets: &[RRset],
    ) -> Result<Entry, TableFull> {
        let start = self.arena.len();
        let offset = u32::try_from(start).map_err(|_| TableFull)?;
        let length = u8::try_from(name.len()).map_err(|_| TableFull)?;
        debug_assert!(name.len() <= NAME_OCTETS);
        let count = u16::try_from(rrsets.len()).map_err(|_| TableFull)?;
        self.arena.extend([length, flags]);
        self.arena.extend(count.to_le_bytes());
        self.arena.extend(zone.0.to_le_bytes());
        self.arena.extend(route.map_or(NO_ROUTE, |route| route.0).to_le_bytes());
        self.arena.extend(name.iter().map(u8::to_ascii_lowercase));
        let key = self.arena.get(start.saturating_add(NODE_PREFIX)..).unwrap_or_default();
        self.entries.push((hash(self.seed, key), offset));
        for rrset in rrsets {
            self.add_rrset(rrset)?;
        }
        Ok(Entry(start))
    }

    /// Adds a flag to a node.
    pub(super) fn set_flag(&mut self, entry: Entry, flag: u8) {
        if let Some(flags) = self.arena.get_mut(entry.0.saturating_add(1)) {
            *flags |= flag;
        }
    }

    fn add_rrset(&mut self, rrset: &RRset) -> Result<(), TableFull> {
        self.arena.extend(rrset.rtype.0.to_le_bytes());
        let sizes = self.arena.len();
        self.arena.extend([0; 6]);
        let start = self.arena.len();
        let count = Records::encode(rrset.rtype, rrset.ttl, &rrset.rdata, &mut self.arena)
            .ok_or(TableFull)?;
        let octets =
            u32::try_from(self.arena.len().saturating_sub(start)).map_err(|_| TableFull)?;
        let [a, b] = count.to_le_bytes();
        let [c, d, e, f] = octets.to_le_bytes();
        let sizes = self.arena.get_mut(sizes..start).ok_or(TableFull)?;
        sizes.copy_from_slice(&[a, b, c, d, e, f]);
        Ok(())
    }

    /// The finished table, at most half full.
    pub(super) fn build(self) -> Table {
        let size = self.entries.len().saturating_mul(2).next_power_of_two().max(2);
        let mask = size.saturating_sub(1);
        let mut slots = vec![0u64; size];
        for (hash, offset) in self.entries {
            let mut at = index(hash) & mask;
            while slots.get(at).is_some_and(|&slot| slot != 0) {
                at = at.wrapping_add(1) & mask;
            }
            if let Some(slot) = slots.get_mut(at) {
                *slot = join(split(hash)[0], offset.saturating_add(1));
            }
        }
        Table { slots: slots.into(), mask, seed: self.seed, arena: self.arena.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Name, Ttl};

    #[test]
    fn ten_thousand_names_are_found_and_others_are_not() {
        let mut builder = TableBuilder::new(7);
        let names: Vec<Name> = (0..10_000)
            .map(|i| Name::parse(&format!("n{i}.example."), &Name::root()).unwrap())
            .collect();
        for (i, name) in (0u32..).zip(&names) {
            let rdata = vec![Box::from(i.to_be_bytes())];
            let rrset = RRset { rtype: RecordType::A, ttl: Ttl::from_seconds(i).unwrap(), rdata };
            let route = (i % 2 == 0).then_some(RouteId(i));
            builder.add(name.as_wire(), APEX, ZoneId(i), route, &[rrset]).unwrap();
        }
        let table = builder.build();
        for (i, name) in (0u32..).zip(&names) {
            let node = table.find(name.as_wire()).unwrap();
            assert_eq!((node.zone(), node.name()), (ZoneId(i), name.as_wire()));
            assert_eq!(node.route(), (i % 2 == 0).then_some(RouteId(i)));
            let records = node.rrset(RecordType::A).unwrap();
            assert_eq!((records.count, records.ttl()), (1, i));
            assert_eq!(records.rdata().next(), Some(&i.to_be_bytes()[..]));
            assert!(node.rrset(RecordType::AAAA).is_none());
            assert!(node.has(APEX) && !node.has(CUT));
        }
        assert!(table.find(b"\x01n\x07example\x00").is_none());
        assert!(table.find(b"").is_none());
    }

    /// Names whose second half of a chunk cancelled the constant factor of an earlier hash all had one hash, whatever the seed.
    #[test]
    fn no_chunk_cancels_the_seed() {
        const CANCELS: [u8; 8] = [0xdb, 0x28, 0xb4, 0xa0, 0xd1, 0x7e, 0x03, 0xe7];
        let name =
            |number: u64| [&[15][..], &number.to_be_bytes()[1..], &CANCELS, b"\x01h\x00"].concat();
        let hashes: std::collections::HashSet<u64> =
            (0..1000).map(|number| hash(7, &name(number))).collect();
        assert_eq!(hashes.len(), 1000);
        assert_ne!(hash(7, &name(1)), hash(8, &name(1)));
    }

    /// Two names of 30 and 31 octets whose first step cancelled what their lengths differ by, and whose last was the same.
    #[test]
    fn no_octets_cancel_the_length() {
        let label = |octets: &[u8]| [&[octets.len() as u8], octets].concat();
        let (head, tail) = (*b"abcdefghijklm", *b"nopqrstuvwxyz");
        let short = [label(&[&head[..], &[13]].concat()), label(&tail), vec![0]].concat();
        let mut other = head;
        other[11] ^= 1;
        let long = [label(&[&other[..], &[13, 13]].concat()), label(&tail), vec![0]].concat();
        assert_eq!((short.len(), long.len()), (30, 31));
        for seed in 0..100 {
            assert_ne!(hash(seed, &short), hash(seed, &long));
        }
    }

    #[test]
    fn an_empty_table_finds_nothing() {
        assert!(TableBuilder::new(1).build().find(b"\x00").is_none());
    }
}
