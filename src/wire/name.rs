//! Domain names, uncompressed, as they stand in a message.
//!
//! [`Name`] is the owned form that zones are built from: validated once, kept in the case it was typed in, compared
//! without regard to case (RFC 4343). The query path never makes one; it works on the folded octets of the question.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use crate::limits::{LABEL_OCTETS, NAME_LABELS, NAME_OCTETS};

/// A domain name in wire format: length-prefixed labels that end with the root's empty one.
#[derive(Clone)]
pub struct Name {
    octets: Box<[u8]>,
}

/// Why a text is no domain name. The messages are written for the author of a zone file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameError {
    /// Nothing between the quotes, or nothing between two dots.
    EmptyLabel,
    /// A label of more than 63 octets (RFC 1035 §2.3.4).
    LabelTooLong(usize),
    /// More than 255 octets in wire format (RFC 1035 §2.3.4).
    NameTooLong(usize),
    /// A backslash that is not followed by three digits up to 255 or by one character (RFC 1035 §5.1).
    BadEscape,
    /// A character outside printable ASCII; internationalised names are written as A-labels (RFC 5891 §4.4).
    NotAscii(char),
    /// Octets that end inside a label, or a compression pointer where none may stand.
    BadWire,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyLabel => f.write_str("a label is empty"),
            Self::LabelTooLong(octets) => {
                write!(f, "a label has {octets} octets, {LABEL_OCTETS} is the most")
            }
            Self::NameTooLong(octets) => {
                write!(f, "the name has {octets} octets in wire format, {NAME_OCTETS} is the most")
            }
            Self::BadEscape => {
                f.write_str("a backslash needs three digits up to 255 or one character after it")
            }
            Self::NotAscii(c) => {
                write!(
                    f,
                    "the character {c:?} may not stand in a name; write internationalised labels as xn--…"
                )
            }
            Self::BadWire => f.write_str("the octets are no name"),
        }
    }
}

impl std::error::Error for NameError {}

impl Name {
    /// The root of the name space.
    pub fn root() -> Self {
        Self { octets: Box::new([0]) }
    }

    /// Reads presentation format (RFC 1035 §5.1): `@` is the origin, a name without a final dot is below it.
    pub fn parse(text: &str, origin: &Name) -> Result<Self, NameError> {
        let mut buffer = NameBuffer::default();
        Ok(Self { octets: buffer.read(text, origin)?.into() })
    }

    /// The same, appended to RDATA: a zone file of a million records makes no million names of their data.
    pub fn push_parsed(text: &str, origin: &Name, octets: &mut Vec<u8>) -> Result<(), NameError> {
        let mut buffer = NameBuffer::default();
        octets.extend_from_slice(buffer.read(text, origin)?);
        Ok(())
    }

    /// Takes an uncompressed name from the front of `octets` and says how long it was.
    pub fn from_wire(octets: &[u8]) -> Result<(Self, usize), NameError> {
        let mut end = 0usize;
        loop {
            let length = usize::from(*octets.get(end).ok_or(NameError::BadWire)?);
            if length > LABEL_OCTETS {
                return Err(NameError::BadWire);
            }
            end = end.saturating_add(length).saturating_add(1);
            if end > NAME_OCTETS {
                return Err(NameError::NameTooLong(end));
            }
            if length == 0 {
                break;
            }
        }
        let name = octets.get(..end).ok_or(NameError::BadWire)?;
        Ok((Self { octets: name.into() }, end))
    }

    /// The name below this one whose first label is `label`.
    pub fn child(&self, label: &[u8]) -> Result<Self, NameError> {
        let length = u8::try_from(label.len())
            .ok()
            .filter(|&l| usize::from(l) <= LABEL_OCTETS)
            .ok_or(NameError::LabelTooLong(label.len()))?;
        if length == 0 {
            return Err(NameError::EmptyLabel);
        }
        let octets = [&[length], label, self.as_wire()].concat();
        if octets.len() > NAME_OCTETS {
            return Err(NameError::NameTooLong(octets.len()));
        }
        Ok(Self { octets: octets.into() })
    }

    /// The octets as they go into a message.
    pub fn as_wire(&self) -> &[u8] {
        &self.octets
    }

    /// The same name with ASCII letters in lower case (RFC 4343 §3). Label lengths are below `A`, so folding is plain.
    pub fn to_folded(&self) -> Self {
        Self { octets: self.octets.to_ascii_lowercase().into() }
    }

    /// The labels from the left, the root's empty one left out.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        Labels { rest: &self.octets }
    }

    /// How many labels there are, the root's not counted.
    pub fn label_count(&self) -> usize {
        self.labels().count()
    }

    /// Offset of each label's length octet, the root's left out.
    fn label_starts(&self) -> SmallStarts {
        let mut starts = SmallStarts { offsets: [0; NAME_LABELS], count: 0 };
        let mut at = 0usize;
        while let Some(&length @ 1..) = self.octets.get(at) {
            if let (Some(slot), Ok(offset)) =
                (starts.offsets.get_mut(starts.count), u8::try_from(at))
            {
                *slot = offset;
                starts.count = starts.count.saturating_add(1);
            }
            at = at.saturating_add(usize::from(length)).saturating_add(1);
        }
        starts
    }

    fn label_at(&self, start: u8) -> &[u8] {
        let rest = self.octets.get(usize::from(start)..).unwrap_or_default();
        Labels { rest }.next().unwrap_or_default()
    }

    /// The name without its first label, or nothing for the root.
    pub fn parent(&self) -> Option<Self> {
        let length = usize::from(*self.octets.first()?);
        let rest = self.octets.get(length.saturating_add(1)..)?;
        (!rest.is_empty()).then(|| Self { octets: rest.into() })
    }

    /// Whether this is `other` or a name below it.
    pub fn is_at_or_below(&self, other: &Name) -> bool {
        ends_in(&self.octets, &other.octets)
    }

    /// Whether the first label is `*` (RFC 4592 §2.1.1).
    pub fn is_wildcard(&self) -> bool {
        self.labels().next() == Some(b"*")
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.octets.len() == 1
    }

    /// The name as a zone file inside `origin` would write it: `@`, relative, or absolute with its dot.
    pub fn display_within<'a>(&'a self, origin: &Name) -> Cow<'a, str> {
        if self == origin {
            return Cow::Borrowed("@");
        }
        let whole = self.to_string();
        if origin.is_root() || !self.is_at_or_below(origin) {
            return Cow::Owned(whole);
        }
        let suffix = origin.to_string().len().saturating_add(1);
        let kept = whole.len().saturating_sub(suffix);
        Cow::Owned(whole.get(..kept).unwrap_or(&whole).to_owned())
    }
}

/// Whether the wire-format name `name` is `ancestor` or below it, case ignored.
pub fn ends_in(name: &[u8], ancestor: &[u8]) -> bool {
    let mut rest = name;
    while rest.len() > ancestor.len() {
        let Some(next) = rest.first().and_then(|&l| rest.get(usize::from(l).saturating_add(1)..))
        else {
            return false;
        };
        rest = next;
    }
    // Most times both are in lower case.
    rest == ancestor || rest.eq_ignore_ascii_case(ancestor)
}

/// A name under construction, on the stack. It goes on counting where it is full, so that an error can say how long the
/// name would have been.
struct NameBuffer {
    octets: [u8; NAME_OCTETS],
    /// May be more than there is room for.
    length: usize,
    /// Where the length octet of the label under construction stands.
    label: usize,
}

impl Default for NameBuffer {
    fn default() -> Self {
        Self { octets: [0; NAME_OCTETS], length: 0, label: 0 }
    }
}

impl NameBuffer {
    /// Reads a whole name and answers with its wire format.
    fn read(&mut self, text: &str, origin: &Name) -> Result<&[u8], NameError> {
        let is_absolute = match text {
            "@" => false,
            "." => true,
            _ => self.read_labels(text)?,
        };
        let end = if is_absolute { &[0] } else { origin.as_wire() };
        let whole = self.length.saturating_add(end.len());
        let slot = self.octets.get_mut(self.length..whole).ok_or(NameError::NameTooLong(whole))?;
        slot.copy_from_slice(end);
        Ok(self.octets.get(..whole).unwrap_or_default())
    }

    /// Reads the labels and says whether the text ended with a dot.
    fn read_labels(&mut self, text: &str) -> Result<bool, NameError> {
        let mut characters = text.chars();
        let mut is_absolute = false;
        self.open_label();
        while let Some(c) = characters.next() {
            if is_absolute {
                self.open_label();
            }
            is_absolute = c == '.';
            match c {
                '.' => self.close_label()?,
                '\\' => self.push(parse_escape(&mut characters)?),
                '!'..='~' => self.push(u8::try_from(c).map_err(|_| NameError::NotAscii(c))?),
                _ => return Err(NameError::NotAscii(c)),
            }
        }
        if !is_absolute {
            self.close_label()?;
        }
        Ok(is_absolute)
    }

    fn push(&mut self, octet: u8) {
        if let Some(slot) = self.octets.get_mut(self.length) {
            *slot = octet;
        }
        self.length = self.length.saturating_add(1);
    }

    fn open_label(&mut self) {
        self.label = self.length;
        self.push(0);
    }

    fn close_label(&mut self) -> Result<(), NameError> {
        let octets = self.length.saturating_sub(self.label).saturating_sub(1);
        match u8::try_from(octets) {
            Ok(0) => return Err(NameError::EmptyLabel),
            Ok(length) if octets <= LABEL_OCTETS => {
                if let Some(slot) = self.octets.get_mut(self.label) {
                    *slot = length;
                }
            }
            _ => return Err(NameError::LabelTooLong(octets)),
        }
        Ok(())
    }
}

fn parse_escape(characters: &mut std::str::Chars<'_>) -> Result<u8, NameError> {
    let first = characters.next().ok_or(NameError::BadEscape)?;
    let Some(hundreds) = first.to_digit(10) else {
        return u8::try_from(first).ok().filter(u8::is_ascii).ok_or(NameError::BadEscape);
    };
    let mut value = hundreds;
    for _ in 0..2 {
        let digit = characters.next().and_then(|c| c.to_digit(10)).ok_or(NameError::BadEscape)?;
        value = value.saturating_mul(10).saturating_add(digit);
    }
    u8::try_from(value).map_err(|_| NameError::BadEscape)
}

/// The label offsets of one name, without a heap: a million names are compared twenty million times when they are sorted.
struct SmallStarts {
    offsets: [u8; NAME_LABELS],
    count: usize,
}

impl std::ops::Deref for SmallStarts {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.offsets.get(..self.count).unwrap_or_default()
    }
}

struct Labels<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (&length, rest) = self.rest.split_first()?;
        if length == 0 {
            return None;
        }
        let (label, rest) = rest.split_at_checked(usize::from(length))?;
        self.rest = rest;
        Some(label)
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.octets.eq_ignore_ascii_case(&other.octets)
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut folded = [0; NAME_OCTETS];
        if let Some(folded) = folded.get_mut(..self.octets.len()) {
            folded.copy_from_slice(&self.octets);
            folded.make_ascii_lowercase();
            state.write(folded);
        }
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    /// Canonical order: by labels from the right, as unsigned octets in lower case (RFC 4034 §6.1).
    fn cmp(&self, other: &Self) -> Ordering {
        // Most names that are compared are siblings: sorting a large zone is twice as fast for this.
        if let (Some((ours, above)), Some((theirs, other_above))) =
            (split_first_label(&self.octets), split_first_label(&other.octets))
            && above == other_above
        {
            return fold(ours).cmp(fold(theirs));
        }
        let (ours, theirs) = (self.label_starts(), other.label_starts());
        for (a, b) in ours.iter().rev().zip(theirs.iter().rev()) {
            let order = fold(self.label_at(*a)).cmp(fold(other.label_at(*b)));
            if order.is_ne() {
                return order;
            }
        }
        ours.len().cmp(&theirs.len())
    }
}

/// The first label and what follows it; nothing for the root.
fn split_first_label(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = name.split_first()?;
    if length == 0 { None } else { rest.split_at_checked(usize::from(length)) }
}

fn fold(label: &[u8]) -> impl Iterator<Item = u8> {
    label.iter().map(u8::to_ascii_lowercase)
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_str(".");
        }
        for label in self.labels() {
            for &octet in label {
                match octet {
                    b'.' | b'\\' | b'"' | b'(' | b')' | b';' | b'@' | b'$' => {
                        write!(f, "\\{}", char::from(octet))?;
                    }
                    b'!'..=b'~' => write!(f, "{}", char::from(octet))?,
                    _ => write!(f, "\\{octet:03}")?,
                }
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        Name::parse(text, &Name::root()).expect(text)
    }

    #[test]
    fn relative_names_are_below_the_origin() {
        let origin = name("example.com.");
        assert_eq!(Name::parse("www", &origin).unwrap(), name("www.example.com."));
        assert_eq!(Name::parse("www.", &origin).unwrap(), name("www."));
        assert_eq!(Name::parse("@", &origin).unwrap(), origin);
    }

    #[test]
    fn escapes_are_octets() {
        assert_eq!(name(r"a\.b.").as_wire(), b"\x03a.b\x00");
        assert_eq!(name(r"\065\000.").as_wire(), b"\x02A\x00\x00");
        assert_eq!(name(r"a\.b.").to_string(), r"a\.b.");
        assert_eq!(Name::parse(r"a\25", &Name::root()), Err(NameError::BadEscape));
        assert_eq!(Name::parse(r"a\256", &Name::root()), Err(NameError::BadEscape));
    }

    #[test]
    fn lengths_are_bounded() {
        let label = "a".repeat(63);
        assert!(Name::parse(&label, &Name::root()).is_ok());
        assert_eq!(Name::parse(&"a".repeat(64), &Name::root()), Err(NameError::LabelTooLong(64)));
        let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        assert_eq!(name(&longest).as_wire().len(), 255);
        let longer = format!("{label}.{label}.{label}.{}", "a".repeat(62));
        assert_eq!(Name::parse(&longer, &Name::root()), Err(NameError::NameTooLong(256)));
        assert_eq!(Name::parse("a..b", &Name::root()), Err(NameError::EmptyLabel));
        assert_eq!(Name::parse("", &Name::root()), Err(NameError::EmptyLabel));
    }

    #[test]
    fn comparison_ignores_case_and_respects_labels() {
        assert_eq!(name("WWW.Example.com"), name("www.example.COM."));
        assert!(name("a.B.c").is_at_or_below(&name("b.C")));
        assert!(!name("ab.c").is_at_or_below(&name("b.c")));
        assert!(name("a").is_at_or_below(&Name::root()));
        assert!(name("z.a.example").cmp(&name("a.b.example")).is_lt());
    }

    #[test]
    fn display_within_an_origin() {
        let origin = name("example.com");
        assert_eq!(name("a.b.example.com").display_within(&origin), "a.b");
        assert_eq!(origin.display_within(&origin), "@");
        assert_eq!(name("a.org").display_within(&origin), "a.org.");
    }

    proptest! {
        #[test]
        fn parse_of_display_is_identity(labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..8)) {
            let mut original = Name::root();
            for label in &labels {
                original = original.child(label).unwrap();
            }
            let text = original.to_string();
            let parsed = Name::parse(&text, &Name::root()).unwrap();
            prop_assert_eq!(parsed.as_wire(), original.as_wire());
            let (read, used) = Name::from_wire(original.as_wire()).unwrap();
            prop_assert_eq!(read.as_wire(), original.as_wire());
            prop_assert_eq!(used, original.as_wire().len());
        }
    }
}
