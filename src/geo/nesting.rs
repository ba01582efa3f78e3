//! Prefixes inside prefixes, flattened: which is the innermost at each address, and which holds which.
//!
//! Overrides, named networks and rows of latency tables are lists of prefixes of which the longest counts. The overlay
//! (`overlay.rs`) wants each such list as spans: a value from this address on, up to the next.

use std::net::IpAddr;

use ipnet::IpNet;

use super::prefix::{Key, Prefix};

/// Where a value begins to hold: from this address up to the next span.
pub(super) type Span<K> = (K, u32);

/// For each prefix of a sorted list the longest other one that holds it.
pub(super) fn parents(sorted: &[IpNet]) -> Vec<Option<u32>> {
    let mut open: Vec<(u32, IpNet)> = Vec::new();
    let mut parents = Vec::with_capacity(sorted.len());
    for (number, network) in (0_u32..).zip(sorted) {
        while open.last().is_some_and(|(_, outer)| !outer.contains(network)) {
            open.pop();
        }
        parents.push(open.last().map(|(number, _)| *number));
        open.push((number, *network));
    }
    parents
}

/// The longest prefix of a sorted list that holds an address, by its place; `parents` are those of the list.
pub(super) fn innermost(sorted: &[IpNet], parents: &[Option<u32>], address: IpAddr) -> Option<u32> {
    let whole = IpNet::from(address);
    // The last that begins no later: it holds the address, or one of those around it does.
    let mut at = sorted.partition_point(|network| *network <= whole).checked_sub(1)?;
    while !sorted.get(at)?.contains(&address) {
        at = (*parents.get(at)?)? as usize;
    }
    u32::try_from(at).ok()
}

/// Spans of the innermost prefix, in address order, the first at the first address; 0 where no prefix is.
///
/// `sorted` has each prefix once, by first address, the shorter of two that begin at the same one first. Prefixes of the
/// other family are passed over.
pub(super) fn spans<K: Key>(sorted: impl IntoIterator<Item = (IpNet, u32)>) -> Vec<Span<K>> {
    let mut spans = Spans { list: vec![(K::ZERO, 0)], open: Vec::new() };
    for (network, value) in sorted {
        if let Some(prefix) = K::prefix_of(network) {
            spans.close_before(prefix);
            spans.set(prefix.start, value);
            spans.open.push((prefix, value));
        }
    }
    while let Some((prefix, _)) = spans.open.pop() {
        spans.resume_after(prefix);
    }
    spans.list
}

/// Spans so far, and the prefixes that are not at their end, the outermost first.
struct Spans<K> {
    list: Vec<Span<K>>,
    open: Vec<(Prefix<K>, u32)>,
}

impl<K: Key> Spans<K> {
    /// Ends all prefixes that end before this one begins.
    fn close_before(&mut self, next: Prefix<K>) {
        while let Some((prefix, _)) = self.open.pop_if(|(prefix, _)| prefix.last() < next.start) {
            self.resume_after(prefix);
        }
    }

    /// Goes back to what is around a prefix that has ended.
    fn resume_after(&mut self, ended: Prefix<K>) {
        let around = self.open.last().map_or(0, |(_, value)| *value);
        if let Some(next) = ended.last().next() {
            self.set(next, around);
        }
    }

    /// A value from an address on. What began at the same address before was nowhere the innermost.
    fn set(&mut self, start: K, value: u32) {
        match self.list.last_mut() {
            Some(last) if last.0 == start => last.1 = value,
            _ => self.list.push((start, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn spans_are_of_the_innermost() {
        let list =
            networks(&["10.0.0.0/8", "10.0.0.0/16", "10.0.255.0/24", "10.255.0.0/16", "::/0"]);
        let expected = [
            (0, 0),
            (0x0a00_0000, 1),
            (0x0a00_0000 + 0xff00, 3),
            (0x0a01_0000, 9),
            (0x0aff_0000, 4),
            (0x0b00_0000, 0),
        ];
        let found = spans::<u32>(list.iter().copied().zip([9, 1, 3, 4, 5]));
        assert_eq!(found, expected);
        assert_eq!(spans::<u128>(list.into_iter().zip([9, 1, 3, 4, 5])), [(0, 5)]);
    }

    #[test]
    fn parents_are_the_nearest_outer_ones() {
        let list = networks(&["10.0.0.0/8", "10.0.0.0/16", "10.0.1.0/24", "10.1.0.0/16", "::/0"]);
        let parents = parents(&list);
        assert_eq!(parents, [None, Some(0), Some(1), Some(0), None]);
        let innermost = |text: &str| innermost(&list, &parents, text.parse().unwrap());
        assert_eq!(innermost("10.0.1.255"), Some(2));
        assert_eq!(innermost("10.0.2.0"), Some(1));
        assert_eq!((innermost("10.2.0.0"), innermost("10.0.0.0")), (Some(0), Some(1)));
        assert_eq!(
            (innermost("9.0.0.0"), innermost("11.0.0.0"), innermost("::1")),
            (None, None, Some(4))
        );
    }
}
