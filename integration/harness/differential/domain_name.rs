//! Domain names as labels of any octets, written and read by code of their own: what the server makes of an odd name is
//! compared with this, so that this must not be the server's.

use std::fmt;

/// Octets that a name may have on the wire (RFC 1035 §2.3.4).
const NAME_OCTETS: usize = 255;
/// Octets that a label may have.
pub const LABEL_OCTETS: usize = 63;

/// A domain name, its labels from left to right. Two that differ in case are two here; [`DomainName::folded`] is for keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(Vec<Vec<u8>>);

impl DomainName {
    pub fn root() -> Self {
        Self::default()
    }

    /// Reads a name of plain labels, with or without its final dot.
    pub fn plain(text: &str) -> Self {
        let labels = text.split('.').filter(|label| !label.is_empty());
        Self(labels.map(|label| label.as_bytes().to_vec()).collect())
    }

    pub fn from_labels<'l>(labels: impl IntoIterator<Item = &'l [u8]>) -> Self {
        Self(labels.into_iter().map(<[u8]>::to_vec).collect())
    }

    /// The name that uncompressed octets begin with.
    pub fn from_wire(octets: &[u8]) -> Self {
        let (mut labels, mut rest) = (Vec::new(), octets);
        while let [length @ 1..=255, after @ ..] = rest {
            let (label, after) = after.split_at(usize::from(*length).min(after.len()));
            labels.push(label.to_vec());
            rest = after;
        }
        Self(labels)
    }

    /// The name below this one with one more label.
    pub fn child(&self, label: &[u8]) -> Self {
        let mut labels = vec![label.to_vec()];
        labels.extend_from_slice(&self.0);
        Self(labels)
    }

    /// The name without its first label; nothing for the root.
    pub fn parent(&self) -> Option<Self> {
        self.0.split_first().map(|(_, rest)| Self(rest.to_vec()))
    }

    /// This name and all above it, the root last.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self.clone()), Self::parent)
    }

    pub fn labels(&self) -> &[Vec<u8>] {
        &self.0
    }

    /// With ASCII letters in lower case (RFC 4343).
    pub fn folded(&self) -> Self {
        Self(self.0.iter().map(|label| label.to_ascii_lowercase()).collect())
    }

    /// Case is ignored.
    pub fn is_at_or_below(&self, above: &Self) -> bool {
        let Some(extra) = self.0.len().checked_sub(above.0.len()) else { return false };
        self.0[extra..].iter().zip(&above.0).all(|(one, other)| one.eq_ignore_ascii_case(other))
    }

    pub fn is_below(&self, above: &Self) -> bool {
        self.0.len() > above.0.len() && self.is_at_or_below(above)
    }

    pub fn is_wildcard(&self) -> bool {
        self.0.first().is_some_and(|label| label == b"*")
    }

    /// Whether it can be sent at all.
    pub fn is_short_enough(&self) -> bool {
        self.wire().len() <= NAME_OCTETS
    }

    /// This name with `from` at its end replaced by `to` (RFC 6672 §2.2).
    pub fn moved(&self, from: &Self, to: &Self) -> Self {
        let kept = self.0.len() - from.0.len();
        Self(self.0[..kept].iter().chain(&to.0).cloned().collect())
    }

    /// Uncompressed.
    pub fn wire(&self) -> Vec<u8> {
        let mut octets = Vec::new();
        for label in &self.0 {
            octets.push(label.len() as u8);
            octets.extend(label);
        }
        octets.push(0);
        octets
    }

    /// As a file of `origin` may write it: relative where that is possible.
    pub fn relative_to(&self, origin: &Self) -> String {
        if self.0.len() == origin.0.len() && self.is_at_or_below(origin) {
            return "@".to_owned();
        }
        if origin.0.is_empty() || !self.is_below(origin) {
            return self.to_string();
        }
        let kept = self.0.len() - origin.0.len();
        Self(self.0[..kept].to_vec()).to_string().trim_end_matches('.').to_owned()
    }
}

/// Absolute, with escapes (RFC 1035 §5.1) for whatever may mean something else.
impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(".");
        }
        for label in &self.0 {
            for octet in label {
                match octet {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'*' => {
                        write!(f, "{}", char::from(*octet))?;
                    }
                    b'.' | b'\\' => write!(f, "\\{}", char::from(*octet))?,
                    other => write!(f, "\\{other:03}")?,
                }
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}
