//! Lines, quotes, parentheses and comments (RFC 1035 §5.1): a text becomes entries, and each entry tokens.
//!
//! An entry is a line, or several that parentheses or a quoted text span. After a mistake the rest of its entry is skipped.
//! Where a quote or a parenthesis is not closed nobody knows what was meant to belong to the entry: reading goes on with the
//! next line that begins with an owner.

use super::{MasterFile, Problem, Span};
use crate::limits::{ENTRY_TOKENS, UNCLOSED_ENTRIES};
use crate::zone::presentation::{Token, skip_escape};

const UNCLOSED_GROUP: &str = "a `(` is not closed";

/// What is said where the line feed would belong to the word, and the next record with it.
const ESCAPED_END: &str = "a backslash stands at the end of a line; write `\\\\` if one is meant";

/// One record or directive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'e, 't> {
    /// Whether its line begins with a blank: then the owner is that of the entry before.
    pub(super) is_indented: bool,
    /// At least one. The base of the file is added to their offsets.
    pub(super) tokens: &'e [Token<'t>],
    /// The first token that has its value in quotes, `alpn="h2"`, as the parameters of services may (RFC 9460 §2.1).
    pub(super) parameter: Option<Token<'t>>,
    /// The first token that begins right behind the one before, `"a"b`.
    pub(super) joint: Option<Token<'t>>,
}

/// Takes entries from the front of a text.
#[derive(Debug)]
pub(super) struct Lexer<'t> {
    text: &'t str,
    base: usize,
    at: usize,
    /// Of the entry under construction; one list for all of them.
    tokens: Vec<Token<'t>>,
    parameter: Option<Token<'t>>,
    joint: Option<Token<'t>>,
    /// How many parentheses are open, and where the first of them is.
    depth: usize,
    opened: usize,
    /// The first mistake of the entry under construction.
    mistake: Option<Problem>,
    /// How many parentheses were never closed.
    unclosed: usize,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(file: MasterFile<'t>) -> Self {
        // Some editors write a byte order mark, which is no part of the text.
        let at = if file.text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self {
            text: file.text,
            base: file.base,
            at,
            tokens: Vec::new(),
            parameter: None,
            joint: None,
            depth: 0,
            opened: 0,
            mistake: None,
            unclosed: 0,
        }
    }

    /// The next entry, or what is wrong with it; nothing at the end of the text.
    pub(super) fn next_entry(&mut self) -> Option<Result<Entry<'_, 't>, Problem>> {
        self.tokens.clear();
        (self.parameter, self.joint, self.depth, self.mistake) = (None, None, 0, None);
        let mut is_indented = self.is_at_blank();
        while let Some(octet) = self.peek() {
            if octet == b'\n' && self.depth == 0 {
                self.advance(1);
                if !self.tokens.is_empty() || self.mistake.is_some() {
                    break;
                }
                is_indented = self.is_at_blank();
            } else if let Err(problem) = self.step(octet) {
                return Some(Err(problem));
            }
        }
        if self.depth > 0 {
            return Some(Err(self.give_up_group(UNCLOSED_GROUP)));
        }
        if let Some(problem) = self.mistake.take() {
            return Some(Err(problem));
        }
        let Self { tokens, parameter, joint, .. } = self;
        let entry = Entry { is_indented, tokens, parameter: *parameter, joint: *joint };
        (!entry.tokens.is_empty()).then_some(Ok(entry))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn is_at_blank(&self) -> bool {
        matches!(self.peek(), Some(b' ' | b'\t'))
    }

    fn advance(&mut self, octets: usize) {
        self.at = self.at.saturating_add(octets);
    }

    fn span(&self, start: usize, octets: usize) -> Span {
        let start = self.base.saturating_add(start);
        start..start.saturating_add(octets)
    }

    /// Remembers a mistake after which the rest of the entry still can be skipped.
    fn report(&mut self, start: usize, octets: usize, message: &str) {
        if self.mistake.is_none() {
            self.mistake = Some(Problem::error(self.span(start, octets), message));
        }
    }

    /// Takes one token, or what stands between tokens. After an error it stands where reading goes on.
    fn step(&mut self, octet: u8) -> Result<(), Problem> {
        match octet {
            b' ' | b'\t' | b'\r' | b'\n' => self.advance(1),
            b';' => self.at = self.end_of_line(self.at),
            b'(' => {
                if self.depth == 0 {
                    self.opened = self.at;
                }
                self.depth = self.depth.saturating_add(1);
                self.advance(1);
            }
            b')' => {
                if self.depth == 0 {
                    self.report(self.at, 1, "a `)` closes nothing");
                }
                self.depth = self.depth.saturating_sub(1);
                self.advance(1);
            }
            _ => return self.take_token(octet),
        }
        Ok(())
    }

    fn take_token(&mut self, first: u8) -> Result<(), Problem> {
        let start = self.at;
        if self.tokens.len() >= ENTRY_TOKENS {
            let message = format!("the entry has more than {ENTRY_TOKENS} fields");
            return Err(self.give_up_group(&message));
        }
        let behind = self.tokens.last().map(|last| last.offset.saturating_add(last.text.len()));
        let is_joint = behind == Some(self.base.saturating_add(start));
        let has_value = if first == b'"' {
            self.skip_quoted(is_joint)?;
            false
        } else {
            self.skip_word()?
        };
        let text = self.text.get(start..self.at).unwrap_or_default();
        let token = Token { text, offset: self.base.saturating_add(start) };
        self.tokens.push(token);
        if has_value && self.parameter.is_none() {
            self.parameter = Some(token);
        }
        if is_joint && self.joint.is_none() {
            self.joint = Some(token);
        }
        Ok(())
    }

    /// Steps over a word, which a quote ends as a blank does; answers whether it ends with a value in quotes.
    fn skip_word(&mut self) -> Result<bool, Problem> {
        let start = self.at;
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            self.advance(rest.iter().position(|octet| is_special(*octet)).unwrap_or(rest.len()));
            match self.peek() {
                Some(b'\\') => self.skip_escape_in_word(),
                Some(b'"') if is_key(self.text.get(start..self.at)) => {
                    return self.skip_quoted(true).map(|()| true);
                }
                _ => return Ok(false),
            }
        }
    }

    /// Steps over a quoted text, in which a line may end (RFC 1035 §5.1). Where a quote stands right behind a word or a
    /// closing quote, or right before one, it is too likely that it was not meant to open or to close a text of several lines.
    fn skip_quoted(&mut self, is_behind_other: bool) -> Result<(), Problem> {
        let start = self.at;
        self.advance(1);
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            let end = rest.iter().position(|octet| matches!(octet, b'"' | b'\\'));
            self.advance(end.unwrap_or(rest.len()));
            match self.peek() {
                Some(b'\\') => self.skip_escape(),
                Some(_) => break,
                None => return Err(self.unclosed_quote(start)),
            }
        }
        self.advance(1);
        let is_gap = |octet| matches!(octet, b' ' | b'\t' | b'\r' | b'\n' | b'(' | b')' | b';');
        let is_joined = is_behind_other || !self.peek().is_none_or(is_gap);
        if is_joined && self.text.get(start..self.at).is_some_and(|text| text.contains('\n')) {
            return Err(self.unclosed_quote(start));
        }
        Ok(())
    }

    /// Outside of quotes no escape takes the end of a line away: the next record would be lost with it.
    fn skip_escape_in_word(&mut self) {
        let next = self.text.as_bytes().get(self.at.saturating_add(1));
        if matches!(next, None | Some(b'\n' | b'\r')) {
            self.report(self.at, 1, ESCAPED_END);
            return self.advance(1);
        }
        self.skip_escape();
    }

    fn skip_escape(&mut self) {
        let start = self.at;
        let rest = self.text.get(start.saturating_add(1)..).unwrap_or_default();
        let mut characters = rest.char_indices();
        let escaped = skip_escape(&mut characters);
        let octets = match escaped {
            Ok(()) => rest.len().saturating_sub(characters.as_str().len()),
            Err(message) => {
                self.report(start, 1, message);
                0
            }
        };
        self.advance(octets.saturating_add(1));
    }

    fn unclosed_quote(&mut self, start: usize) -> Problem {
        if self.depth > 0 && self.is_on_line_of_owner(start) {
            return self.give_up_group(UNCLOSED_GROUP);
        }
        self.resume_behind(start);
        Problem::error(self.span(start, 1), "a quote is not closed")
            .help("a `\"` inside of a quoted text is written `\\\"`")
    }

    /// Whether a place inside of parentheses is on a later line than they, and one that begins with what looks like an owner:
    /// then it is the parentheses that were meant to be closed before.
    fn is_on_line_of_owner(&self, at: usize) -> bool {
        let lines = self.text.get(self.opened..at).unwrap_or_default();
        lines
            .rsplit_once('\n')
            .is_some_and(|(_, line)| !line.starts_with([' ', '\t', '"', ')']) && !line.is_empty())
    }

    /// Goes on behind the first parenthesis of the entry, which was meant to be closed; or nowhere if that is so too often.
    fn give_up_group(&mut self, message: &str) -> Problem {
        let opened = if self.depth > 0 { self.opened } else { self.at };
        self.resume_behind(opened);
        self.unclosed = self.unclosed.saturating_add(1);
        let problem = Problem::error(self.span(opened, 1), message);
        if self.unclosed < UNCLOSED_ENTRIES {
            return problem.help("a `)` ends what spans several lines; the lines behind are skipped up to the next owner");
        }
        self.at = self.text.len();
        problem.help(format!("this is number {UNCLOSED_ENTRIES}: the rest of the file is not read"))
    }

    /// Goes to the next line that begins with an owner or a directive.
    fn resume_behind(&mut self, start: usize) {
        let mut at = self.end_of_line(start);
        while self.text.as_bytes().get(at) == Some(&b'\n') {
            at = at.saturating_add(1);
            let first = self.text.as_bytes().get(at);
            if !matches!(first, Some(b' ' | b'\t' | b'\r' | b'\n' | b';' | b')')) {
                break;
            }
            at = self.end_of_line(at);
        }
        self.at = at;
    }

    /// The line feed that ends a line, or the end of the text.
    fn end_of_line(&self, start: usize) -> usize {
        let rest = self.text.as_bytes().get(start..).unwrap_or_default();
        start.saturating_add(rest.iter().position(|octet| *octet == b'\n').unwrap_or(rest.len()))
    }
}

/// Whether an octet ends a word or needs a closer look inside of one.
fn is_special(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n' | b'(' | b')' | b';' | b'"' | b'\\')
}

/// Whether a value in quotes may follow.
fn is_key(before: Option<&str>) -> bool {
    let is_of_key = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
    before.and_then(|text| text.strip_suffix('=')).is_some_and(|key| key.bytes().all(is_of_key))
}
