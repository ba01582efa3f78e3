//! The text of a file, with those of the files that it includes.
//!
//! A master file may be spread over several (`$INCLUDE`, RFC 1035 §5.1), and a zone in TOML may name latency tables. To everything that reads them their texts are one:
//! each file has a base, the offset at which its text begins, and a [`Span`] is told in offsets of the whole. Only
//! [`Source::locate`] knows which file an offset is in, when a mistake is told to people.

use super::diagnostic::Span;

/// The text of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// As shown to the user.
    pub path: String,
    pub text: String,
    /// When the file was last changed, or a latency table of it, in seconds since 1970: the serial of an SOA that gives none, see
    /// [`super::derive_serial`].
    pub modified: u32,
    /// What the file includes, at any depth, in the order it was found.
    pub included: Vec<Included>,
}

/// One `$INCLUDE`, or one latency table, and what it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Included {
    /// The file that includes: 0 is the zone file itself, and `n` what stands at `n - 1` of [`Source::included`].
    pub by: usize,
    /// The name as it was typed.
    pub name: String,
    /// The path as shown to the user.
    pub path: String,
    /// The text, or why it can't be read.
    pub text: Result<String, String>,
}

/// A file of a source, as the readers of master files want it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part<'s> {
    pub(super) path: &'s str,
    pub(super) text: &'s str,
    /// Offset of its first octet.
    pub(super) base: usize,
}

impl Source {
    /// A file that includes nothing.
    pub fn new(path: impl Into<String>, text: impl Into<String>, modified: u32) -> Self {
        Self { path: path.into(), text: text.into(), modified, included: Vec::new() }
    }

    /// Whether the name says that it is a master file (RFC 1035 §5), not TOML.
    pub fn is_master(&self) -> bool {
        self.path.ends_with(".zone")
    }

    /// The text of one of the files.
    pub fn text_of(&self, path: &str) -> Option<&str> {
        self.parts().find(|part| part.path == path).map(|part| part.text)
    }

    /// The file itself, then what it includes. A file that can't be read has no text.
    pub(super) fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let first = (self.path.as_str(), self.text.as_str());
        let others = self
            .included
            .iter()
            .map(|included| (included.path.as_str(), included.text.as_deref().unwrap_or_default()));
        let mut base = 0usize;
        std::iter::once(first).chain(others).map(move |(path, text)| {
            let part = Part { path, text, base };
            // One more, so that the end of a text is not the beginning of the next.
            base = base.saturating_add(text.len()).saturating_add(1);
            part
        })
    }

    /// The file that an offset is in.
    pub(super) fn locate(&self, offset: usize) -> Part<'_> {
        let own = Part { path: &self.path, text: &self.text, base: 0 };
        self.parts().take_while(|part| part.base <= offset).last().unwrap_or(own)
    }

    /// The latency table that the zone file means by this name.
    pub(super) fn find_table(&self, name: &str) -> Result<Part<'_>, String> {
        let included = self.included.iter().zip(self.parts().skip(1));
        let mut wanted = included.filter(|(included, _)| included.name == name);
        let (included, part) = wanted.next().ok_or("it was not read with the zone file")?;
        included.text.as_ref().map(|_| part).map_err(String::clone)
    }

    /// What the file with this base means by a name that it includes.
    pub(super) fn find_included(&self, base: usize, name: &str) -> Result<Part<'_>, String> {
        let by = self.parts().position(|part| part.base == base);
        let included = self.included.iter().zip(self.parts().skip(1));
        let mut wanted =
            included.filter(|(included, _)| Some(included.by) == by && included.name == name);
        let (included, part) = wanted.next().ok_or("too many files are included")?;
        included.text.as_ref().map(|_| part).map_err(String::clone)
    }
}

/// The span in its own file.
pub(super) fn shift_back(span: &Span, base: usize) -> Span {
    span.start.saturating_sub(base)..span.end.saturating_sub(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_lead_back_to_their_files() {
        let include = |by, name: &str, text: Result<&str, &str>| Included {
            by,
            name: name.into(),
            path: format!("zones/{name}"),
            text: text.map(Into::into).map_err(Into::into),
        };
        let source = Source {
            included: vec![
                include(0, "a", Ok("12345")),
                include(0, "b", Err("gone")),
                include(1, "c", Ok("x")),
            ],
            ..Source::new("zones/z.zone", "0123", 0)
        };
        let bases: Vec<usize> = source.parts().map(|part| part.base).collect();
        assert_eq!(bases, [0, 5, 11, 12]);
        for (offset, path) in [(0, "z.zone"), (4, "z.zone"), (5, "a"), (10, "a"), (12, "c")] {
            assert_eq!(source.locate(offset).path, format!("zones/{path}"), "{offset}");
        }
        assert_eq!(source.find_included(5, "c").map(|part| part.base), Ok(12));
        assert_eq!(source.find_included(0, "b"), Err("gone".to_owned()));
        assert!(source.find_included(0, "c").is_err(), "the first file does not include it");
        assert_eq!(source.text_of("zones/a"), Some("12345"));
    }
}
