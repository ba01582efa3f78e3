//! The name that an answer has come to: the question's at first, then what CNAMEs and DNAMEs lead to.
//!
//! It is kept in the case it was written in, since a synthesised CNAME carries labels of the question on (RFC 6672 §2.2), and
//! in lower case, since that is how names are looked up. The room for it is a worker's; it takes no memory.

use crate::limits::NAME_OCTETS;

/// A name in the making.
#[derive(Clone, Debug)]
pub(super) struct ChainName {
    written: [u8; NAME_OCTETS],
    folded: [u8; NAME_OCTETS],
    octets: usize,
}

/// The name would have more than 255 octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl ChainName {
    pub(super) fn empty() -> Self {
        Self { written: [0; NAME_OCTETS], folded: [0; NAME_OCTETS], octets: 0 }
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
        let mut name = ChainName::empty();
        name.set(b"\x03WwW\x01a\x00").unwrap();
        name.substitute(4, b"\x01B\x01c\x00").unwrap();
        assert_eq!(name.written(), b"\x03WwW\x01B\x01c\x00");
        assert_eq!(name.folded(), b"\x03www\x01b\x01c\x00");
        assert_eq!(name.substitute(4, &[0; 252]), Err(TooLong));
        assert_eq!(name.written(), b"\x03WwW\x01B\x01c\x00");
        assert_eq!(name.substitute(4, &[0; 251]), Ok(()));
    }
}
