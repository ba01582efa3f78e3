//! A bounded reader: every length that came from outside goes through here, and running out is an error, not a panic.

use crate::limits::{LABEL_OCTETS, NAME_OCTETS};

/// The octets ended too early, or a name among them was not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Octets that are consumed from the front.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    /// Octets not yet read.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `count` octets.
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        let (&first, rest) = self.rest.split_first().ok_or(Malformed)?;
        self.rest = rest;
        Ok(first)
    }

    /// A number in network order.
    #[inline]
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        let (octets, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
        self.rest = rest;
        Ok(u16::from_be_bytes(*octets))
    }

    /// A number in network order.
    #[inline]
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        let (octets, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
        self.rest = rest;
        Ok(u32::from_be_bytes(*octets))
    }

    /// An uncompressed name as it stands in a question, with the root's octet at its end.
    pub fn question_name(&mut self) -> Result<&'a [u8], Malformed> {
        let whole = self.rest;
        let mut end = 0usize;
        loop {
            let length = usize::from(*whole.get(end).ok_or(Malformed)?);
            // A compression pointer has nothing to point to in a question that stands first.
            if length > LABEL_OCTETS {
                return Err(Malformed);
            }
            end = end.saturating_add(length).saturating_add(1);
            if end > NAME_OCTETS {
                return Err(Malformed);
            }
            if length == 0 {
                return self.take(end);
            }
        }
    }

    /// Steps over the owner of a record, which may end in a compression pointer (RFC 1035 §4.1.4). Says whether it was
    /// the root written as one octet. Pointers are not followed: nobody asks where they lead.
    pub fn skip_owner(&mut self) -> Result<bool, Malformed> {
        let before = self.remaining();
        loop {
            match self.u8()? {
                0 => return Ok(before.saturating_sub(self.remaining()) == 1),
                length @ 1..=0x3f => {
                    self.take(usize::from(length))?;
                }
                0xc0.. => {
                    self.u8()?;
                    return Ok(false);
                }
                // 0x40 and 0x80 were never given a meaning that lasted (RFC 6891 §5).
                _ => return Err(Malformed),
            }
            if before.saturating_sub(self.remaining()) > NAME_OCTETS {
                return Err(Malformed);
            }
        }
    }
}
