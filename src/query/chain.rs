//! The chain of names that an answer follows: the question's at first, then what CNAMEs and DNAMEs lead to.
//!
//! The name is kept in the case it was written in, since a synthesised CNAME carries labels of the question on (RFC 6672
//! §2.2), and in lower case, since that is how names are looked up. The room for all of it is a worker's: an answer without a
//! chain does not touch it.

use crate::limits::{CNAME_CHAIN, NAME_OCTETS};

/// A chain in the making.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    written: [u8; NAME_OCTETS],
    folded: [u8; NAME_OCTETS],
    octets: usize,
    /// Fingerprints of the names that it went through, the question's first.
    passed: Seen<u64>,
    /// The nodes of the DNAMEs that the answer tells of.
    redirects: Seen<u32>,
}

/// What was seen so far, at most one for each step of the longest chain and the question.
#[derive(Clone, Debug)]
struct Seen<T> {
    items: [T; CNAME_CHAIN + 1],
    count: usize,
}

impl<T: Copy + PartialEq> Seen<T> {
    fn contains(&self, item: T) -> bool {
        self.items.get(..self.count).is_some_and(|items| items.contains(&item))
    }

    /// Adds an item, and says whether it was there before.
    fn add(&mut self, item: T) -> bool {
        let is_again = self.contains(item);
        if let Some(slot) = self.items.get_mut(self.count) {
            *slot = item;
            self.count = self.count.saturating_add(1);
        }
        is_again
    }
}

/// The name would have more than 255 octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Chain {
    pub(super) fn empty() -> Self {
        Self {
            written: [0; NAME_OCTETS],
            folded: [0; NAME_OCTETS],
            octets: 0,
            passed: Seen { items: [0; CNAME_CHAIN + 1], count: 0 },
            redirects: Seen { items: [0; CNAME_CHAIN + 1], count: 0 },
        }
    }

    /// Begins with another question. The name is set when the question's is left.
    pub(super) fn begin(&mut self) {
        (self.passed.count, self.redirects.count) = (0, 0);
    }

    /// Whether the chain has gone through no name yet.
    pub(super) fn is_at_question(&self) -> bool {
        self.passed.count == 0
    }

    /// Takes note of a name that the chain goes through, and says whether it did before.
    pub(super) fn pass(&mut self, fingerprint: u64) -> bool {
        self.passed.add(fingerprint)
    }

    /// Takes note that the answer tells of the DNAME at a node, and says whether it did before.
    pub(super) fn tell_redirect(&mut self, node: u32) -> bool {
        self.redirects.add(node)
    }

    /// Whether the answer tells of the DNAME at a node.
    pub(super) fn has_told_redirect(&self, node: u32) -> bool {
        self.redirects.contains(node)
    }

    /// Takes another name, in uncompressed wire format.
    pub(super) fn set(&mut self, name: &[u8]) -> Result<(), TooLong> {
        self.substitute(0, name)
    }

    /// Keeps the first `kept` octets, which are whole labels, and puts `suffix` in the place of the rest. On an error the name
    /// stays as it was.
    pub(super) fn substitute(&mut self, kept: usize, suffix: &[u8]) -> Result<(), TooLong> {
        let octets = kept.saturating_add(suffix.len());
        self.written.get_mut(kept..octets).ok_or(TooLong)?.copy_from_slice(suffix);
        let folded = self.folded.get_mut(..octets).ok_or(TooLong)?;
        folded.copy_from_slice(self.written.get(..octets).ok_or(TooLong)?);
        folded.make_ascii_lowercase();
        self.octets = octets;
        Ok(())
    }

    /// In the case it was written in.
    pub(super) fn written(&self) -> &[u8] {
        self.written.get(..self.octets).unwrap_or_default()
    }

    /// In lower case.
    pub(super) fn folded(&self) -> &[u8] {
        self.folded.get(..self.octets).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_is_substituted_or_the_name_stays() {
        let mut name = Chain::empty();
        name.set(b"\x03WwW\x01a\x00").unwrap();
        name.substitute(4, b"\x01B\x01c\x00").unwrap();
        assert_eq!(name.written(), b"\x03WwW\x01B\x01c\x00");
        assert_eq!(name.folded(), b"\x03www\x01b\x01c\x00");
        assert_eq!(name.substitute(4, &[0; 252]), Err(TooLong));
        assert_eq!(name.written(), b"\x03WwW\x01B\x01c\x00");
        assert_eq!(name.substitute(4, &[0; 251]), Ok(()));
    }
}
