//! Master files: RFC 1035 §5 and what BIND made of it since.
//!
//! [`read_master`] walks a text entry by entry and hands out records and problems as it goes. After a problem it goes on with
//! the next entry, so that one run finds all mistakes. What zone the records make, and whether they may stand together, is
//! judged elsewhere.
//!
//! ```text
//! text ─ lexer ─▶ entry: tokens with their places ─┬─ record ─ presentation ─▶ MasterRecord
//!                                                  └─ $ORIGIN, $TTL, $INCLUDE, $GENERATE
//! ```
//!
//! | module | owns |
//! |---|---|
//! | `lexer` | lines, quotes, parentheses, comments |
//! | `reader` | owners, directives, included files |
//! | `record` | TTL, class, type and data of one record |
//! | `generate` | the templates of `$GENERATE` |
//! | `write` | records back to text, for the tests |
//!
//! Pure: texts of included files are handed in. Nothing recurses but includes. The work is linear in the text, and all that a
//! text can make of itself is bounded in [`limits`](crate::limits).

mod generate;
mod lexer;
mod reader;
mod record;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod write;

use std::ops::Range;

use super::presentation::Token;
use crate::wire::{Name, RecordType, Ttl};
use lexer::{Entry, Lexer};
use reader::Reader;

/// Octets of a text, with the base of its file added.
pub type Span = Range<usize>;

/// One text: the zone file itself, or one that it includes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MasterFile<'t> {
    pub text: &'t str,
    /// Added to every offset in this text, so that spans of all files of one zone are distinct.
    pub base: usize,
}

/// One record, and where its parts were typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterRecord {
    pub owner: Name,
    /// Where the owner was typed; for an omitted owner, where it was last typed.
    pub owner_span: Span,
    pub ttl: Ttl,
    pub rtype: RecordType,
    pub type_span: Span,
    /// In wire format, names uncompressed.
    pub rdata: Box<[u8]>,
    /// From the first token of the data to the last; empty behind the type where there are none.
    pub rdata_span: Span,
}

/// Something that is wrong, or that works and is probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub span: Span,
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Otherwise it is a warning.
    pub is_error: bool,
}

impl Problem {
    fn error(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: None, is_error: true }
    }

    fn warning(span: Span, message: impl Into<String>) -> Self {
        Self { is_error: false, ..Self::error(span, message) }
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// Finds an included file by the base of the file that includes it and the name as typed, without quotes. The error says
/// why it can't be read.
pub type Include<'i, 't> = &'i dyn Fn(usize, &str) -> Result<MasterFile<'t>, String>;

/// Takes records and problems in the order of the text.
pub type Take<'i> = &'i mut dyn FnMut(Result<MasterRecord, Problem>);

/// Reads a master file and the files that it includes. Names without a final dot are below `origin` until `$ORIGIN` says
/// otherwise.
pub fn read_master<'t>(
    file: MasterFile<'t>,
    origin: &Name,
    include: Include<'_, 't>,
    take: Take<'_>,
) {
    Reader::new(origin, include, take).read_file(file);
}

/// Names of the files that a text includes directly, in order and without quotes, for whoever reads files beforehand.
pub fn included_names(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    if !has_include(text) {
        return names;
    }
    let mut lexer = Lexer::new(MasterFile { text, base: 0 });
    while let Some(entry) = lexer.next_entry() {
        if let Ok(Entry { tokens: [directive, name, ..], is_indented: false, .. }) = entry
            && directive.text.eq_ignore_ascii_case("$INCLUDE")
        {
            names.push(name.inner().to_owned());
        }
    }
    names
}

/// Whether a text may include files, without looking at its entries.
fn has_include(text: &str) -> bool {
    const DIRECTIVE: &[u8] = b"$INCLUDE";
    text.match_indices('$').any(|(at, _)| {
        let here = text.as_bytes().get(at..at.saturating_add(DIRECTIVE.len()));
        here.is_some_and(|here| here.eq_ignore_ascii_case(DIRECTIVE))
    })
}

/// The origin that a file's name implies, its directory already stripped: `example.com.zone` is example.com., `root.zone`
/// the root. Nothing if the name does not end in `.zone`, or is no name of a zone before that.
pub fn origin_of_file_name(name: &str) -> Option<Name> {
    match name.strip_suffix(".zone")? {
        "root" => Some(Name::root()),
        "@" | "." => None,
        stem => Name::parse(stem, &Name::root()).ok(),
    }
}

/// Where a token stands.
fn span_of(token: &Token<'_>) -> Span {
    token.offset..token.offset.saturating_add(token.text.len())
}

/// From the first token to the last; nothing without tokens.
fn span_over(tokens: &[Token<'_>]) -> Option<Span> {
    let (first, last) = (tokens.first()?, tokens.last()?);
    Some(first.offset..span_of(last).end)
}
