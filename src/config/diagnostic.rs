//! What is wrong with a file, where, and what to write instead.
//!
//! A [`Diagnostic`] is plain data, so that it can go to a terminal ([`render`]), into a log line (`Display`) or through
//! the API as fields. [`Findings`] collects those of one file while it is read: all of them up to a limit, because an
//! author who fixes one mistake per run loses patience before the tenth.
//!
//! Texts of a diagnostic may quote the file and are untrusted: control characters are escaped here, on the way out.

use std::fmt;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::Source;
use super::source::shift_back;
use crate::limits::ERRORS_PER_FILE;

/// A range of octets in a file's text.
pub type Span = Range<usize>;

/// Lines between two places of one file that are still shown in one excerpt.
const EXCERPT_LINES: usize = 24;

/// Whether the file can be used in spite of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
}

/// A place in a file, as people count: from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

/// Another place that a diagnostic speaks of, such as the first of two definitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    /// The file, as [`Source::path`] has it.
    pub path: String,
    pub span: Span,
    pub label: String,
}

/// One finding about one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    /// One sentence without a final stop.
    pub message: String,
    /// The file, as [`Source::path`] has it.
    pub path: String,
    /// Where; nothing when the file as a whole is meant.
    pub span: Option<Span>,
    /// What stands under the caret; may be empty.
    pub label: String,
    pub related: Vec<Related>,
    /// What else is known, line by line.
    pub notes: Vec<String>,
    /// What to do about it, each a sentence.
    pub help: Vec<String>,
    /// Where `span` begins.
    pub position: Option<Position>,
}

impl Diagnostic {
    fn new(severity: Severity, path: &str, span: Option<Span>, message: String) -> Self {
        Self {
            severity,
            message,
            path: path.to_owned(),
            span,
            label: String::new(),
            related: Vec::new(),
            notes: Vec::new(),
            help: Vec::new(),
            position: None,
        }
    }

    /// An error at a place of a file that compiles, such as a test that fails.
    pub fn at(source: &Source, span: Span, message: String) -> Self {
        Self::placed(Severity::Error, source, span, message)
    }

    /// A warning at a place of a file that compiles, such as a policy that asks for more than a database knows.
    pub fn warning_at(source: &Source, span: Span, message: String) -> Self {
        Self::placed(Severity::Warning, source, span, message)
    }

    fn placed(severity: Severity, source: &Source, span: Span, message: String) -> Self {
        let mut diagnostic = Self::new(severity, &source.path, Some(span), message);
        place(&mut diagnostic, source);
        diagnostic
    }

    /// Whether the file cannot be used because of it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The line of the mistake, from 1.
    pub fn line(&self) -> Option<usize> {
        self.position.map(|position| position.line)
    }

    /// The column of the mistake in characters, from 1.
    pub fn column(&self) -> Option<usize> {
        self.position.map(|position| position.column)
    }

    /// Puts a text under the caret.
    pub(super) fn label(&mut self, label: impl Into<String>) -> &mut Self {
        self.label = label.into();
        self
    }

    /// Adds advice.
    pub(super) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help.push(help.into());
        self
    }

    /// Adds advice if there is any.
    pub(super) fn help_if(&mut self, help: Option<impl Into<String>>) -> &mut Self {
        self.help.extend(help.map(Into::into));
        self
    }

    /// Points at another place of the same file.
    pub(super) fn related(&mut self, span: Span, label: impl Into<String>) -> &mut Self {
        let path = self.path.clone();
        self.related_in(&path, span, label)
    }

    /// Points at a place of another file.
    pub(super) fn related_in(
        &mut self,
        path: &str,
        span: Span,
        label: impl Into<String>,
    ) -> &mut Self {
        self.related.push(Related { path: path.to_owned(), span, label: label.into() });
        self
    }
}

/// One line for logs: `zones/example.com.toml:3:8: error: …`.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(&self.path))?;
        if let Some(Position { line, column }) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        let severity = if self.is_error() { "error" } else { "warning" };
        write!(f, ": {severity}: {}", escape(&self.message))
    }
}

/// Collects what is found in one file.
pub(super) struct Findings<'s> {
    source: &'s Source,
    kept: Vec<Diagnostic>,
    /// The one that is still being described.
    latest: Option<Diagnostic>,
    errors: usize,
    warnings: usize,
}

impl<'s> Findings<'s> {
    pub(super) fn new(source: &'s Source) -> Self {
        Self { source, kept: Vec::new(), latest: None, errors: 0, warnings: 0 }
    }

    /// The file that is being read.
    pub(super) fn source(&self) -> &'s Source {
        self.source
    }

    /// Reports a mistake because of which the file cannot be used.
    pub(super) fn error(&mut self, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.errors = self.errors.saturating_add(1);
        self.push(Severity::Error, Some(span), message.into())
    }

    /// Reports a mistake of the file as a whole.
    pub(super) fn error_of_file(&mut self, message: impl Into<String>) -> &mut Diagnostic {
        self.errors = self.errors.saturating_add(1);
        self.push(Severity::Error, None, message.into())
    }

    /// Reports something that works and is probably not meant.
    pub(super) fn warning(&mut self, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.warnings = self.warnings.saturating_add(1);
        self.push(Severity::Warning, Some(span), message.into())
    }

    /// Whether the file cannot be used.
    pub(super) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Whether further errors will only be counted, so that nobody needs to think of advice for them.
    pub(super) fn is_full(&self) -> bool {
        self.errors > ERRORS_PER_FILE
    }

    fn push(&mut self, severity: Severity, span: Option<Span>, text: String) -> &mut Diagnostic {
        self.keep_latest();
        let diagnostic = Diagnostic::new(severity, &self.source.path, span, text);
        self.latest.insert(diagnostic)
    }

    fn keep_latest(&mut self) {
        let count = |kept: &[Diagnostic], severity| {
            kept.iter().filter(|diagnostic| diagnostic.severity == severity).count()
        };
        if let Some(diagnostic) = self.latest.take()
            && count(&self.kept, diagnostic.severity) < ERRORS_PER_FILE
        {
            self.kept.push(diagnostic);
        }
    }

    /// Everything in the order of the text, with a last line about what was left out.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        self.keep_latest();
        self.kept.sort_by_key(|diagnostic| diagnostic.span.as_ref().map(|span| span.start));
        for diagnostic in &mut self.kept {
            place(diagnostic, self.source);
        }
        for (count, severity, what) in [
            (self.errors, Severity::Error, "errors"),
            (self.warnings, Severity::Warning, "warnings"),
        ] {
            if let Some(more) = count.checked_sub(ERRORS_PER_FILE).filter(|more| *more > 0) {
                let text = format!("there are {more} more {what} in this file");
                self.kept.push(Diagnostic::new(severity, &self.source.path, None, text));
            }
        }
        self.kept
    }
}

/// Turns the spans of a diagnostic, which are in the text of all files together, into places in their files.
fn place(diagnostic: &mut Diagnostic, source: &Source) {
    for related in diagnostic.related.iter_mut().filter(|related| related.path == source.path) {
        let part = source.locate(related.span.start);
        related.span = shift_back(&related.span, part.base);
        related.path = part.path.to_owned();
    }
    let Some(span) = &diagnostic.span else { return };
    let part = source.locate(span.start);
    let span = shift_back(span, part.base);
    diagnostic.position = Some(position_of(part.text, span.start));
    diagnostic.span = Some(span);
    diagnostic.path = part.path.to_owned();
}

/// Line and column of an octet.
pub(super) fn position_of(text: &str, offset: usize) -> Position {
    let before = text.get(..offset.min(text.len())).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
    let newlines = before.bytes().filter(|octet| *octet == b'\n').count();
    let column = before.get(line_start..).unwrap_or_default().chars().count();
    Position { line: newlines.saturating_add(1), column: column.saturating_add(1) }
}

/// Renders diagnostics as rustc does: message, file:line:column, the line with a caret, help.
///
/// `text_of` gives the text of a path; a diagnostic about a text it does not know is printed without its line. Plain
/// output is ASCII but for what it quotes.
pub fn render<'t>(
    diagnostics: &[Diagnostic],
    text_of: impl Fn(&str) -> Option<&'t str>,
    styled: bool,
) -> String {
    let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut output = String::new();
    for diagnostic in diagnostics {
        output.push_str(&renderer.render(&[group_of(diagnostic, &text_of)]));
        output.push_str("\n\n");
    }
    output
}

fn group_of<'t>(
    diagnostic: &Diagnostic,
    text_of: &impl Fn(&str) -> Option<&'t str>,
) -> Group<'static> {
    let level = if diagnostic.is_error() { Level::ERROR } else { Level::WARNING };
    let mut group = Group::with_title(level.primary_title(escape(&diagnostic.message)));
    let marks = marks_of(diagnostic);
    if marks.is_empty() {
        group = group.element(Origin::path(escape(&diagnostic.path)));
    }
    let mut rest = marks.as_slice();
    while let Some(first) = rest.first() {
        let text = text_of(first.path).unwrap_or_default();
        let together = rest.iter().take_while(|mark| is_near(text, first, mark)).count().max(1);
        let (here, later) = rest.split_at(together.min(rest.len()));
        group = match excerpt(text, here) {
            Some(snippet) => group.element(snippet),
            None => group.element(Origin::path(escape(first.path))),
        };
        rest = later;
    }
    let notes = diagnostic.notes.iter().map(|note| Level::NOTE.message(escape(note)));
    let group = group.elements(notes);
    group.elements(diagnostic.help.iter().map(|help| Level::HELP.message(escape(help))))
}

/// A place to point at.
struct Mark<'d> {
    path: &'d str,
    span: &'d Span,
    label: &'d str,
    kind: AnnotationKind,
}

fn marks_of(diagnostic: &Diagnostic) -> Vec<Mark<'_>> {
    let primary = diagnostic.span.iter().map(|span| Mark {
        path: &diagnostic.path,
        span,
        label: &diagnostic.label,
        kind: AnnotationKind::Primary,
    });
    let related = diagnostic.related.iter().map(|related| Mark {
        path: &related.path,
        span: &related.span,
        label: &related.label,
        kind: AnnotationKind::Context,
    });
    primary.chain(related).collect()
}

/// Whether both marks fit into one excerpt.
fn is_near(text: &str, one: &Mark<'_>, other: &Mark<'_>) -> bool {
    let start = one.span.start.min(other.span.start);
    let end = one.span.start.max(other.span.start);
    let between = text.get(start..end).unwrap_or_default();
    one.path == other.path
        && between.bytes().filter(|octet| *octet == b'\n').count() <= EXCERPT_LINES
}

/// The lines of the marks, cut out of the text: files may be large.
fn excerpt(
    text: &str,
    marks: &[Mark<'_>],
) -> Option<Snippet<'static, annotate_snippets::Annotation<'static>>> {
    let first = marks.first()?;
    let start = marks.iter().map(|mark| mark.span.start).min()?.min(text.len());
    let end = marks.iter().map(|mark| mark.span.start).max()?.min(text.len());
    let start = text.get(..start)?.rfind('\n').map_or(0, |at| at.saturating_add(1));
    let end = text.get(end..)?.find('\n').map_or(text.len(), |at| end.saturating_add(at));
    let lines = text.get(start..end)?;
    let annotations = marks.iter().map(|mark| {
        let label = (!mark.label.is_empty()).then(|| escape(mark.label));
        mark.kind.span(clip(lines, start, mark.span)).label(label)
    });
    let snippet = Snippet::source(tame(lines)).path(escape(first.path));
    let line = position_of(text, start).line;
    Some(snippet.line_start(line).annotations(annotations.collect::<Vec<_>>()))
}

/// The part of a span that is on its first line, relative to the excerpt.
fn clip(lines: &str, offset: usize, span: &Span) -> Span {
    let start = span.start.saturating_sub(offset).min(lines.len());
    let rest = lines.get(start..).unwrap_or_default();
    let line_end = rest.find('\n').unwrap_or(rest.len()).saturating_add(start);
    let end = span.end.saturating_sub(offset).clamp(start, line_end);
    start..end
}

/// Makes control characters and the ones that turn the direction of text visible.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            _ if c.is_control() => escaped.extend(c.escape_debug()),
            _ if turns_text(c) => escaped.extend(c.escape_unicode()),
            _ => escaped.push(c),
        }
    }
    escaped
}

/// Lines of the file without the controls that `annotate-snippets` lets through: C1, of which U+009B begins a terminal's
/// escape sequence, and marks of direction. What stands for them is as long in octets, so that spans stay true.
fn tame(lines: &str) -> String {
    let stand_in = |c: char| match c {
        '\u{80}'..='\u{9f}' => '·',
        _ if turns_text(c) => char::REPLACEMENT_CHARACTER,
        _ => c,
    };
    lines.chars().map(stand_in).collect()
}

/// Marks and overrides of direction (Unicode Annex 9), with which a text can look like another.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("zones/a.toml", text, 0)
    }

    #[test]
    fn rendering_is_ascii_with_caret_label_and_help() {
        let source = source("one\ntwo = 2\nthree = 3\n");
        let mut findings = Findings::new(&source);
        let error = findings.error(4..7, "`two` is unknown");
        error.label("here").related(12..17, "there").help("remove it");
        let found = findings.finish();
        assert_eq!((found[0].line(), found[0].column()), (Some(2), Some(1)));
        assert_eq!(found[0].to_string(), "zones/a.toml:2:1: error: `two` is unknown");
        let expected = "\
error: `two` is unknown
 --> zones/a.toml:2:1
  |
2 | two = 2
  | ^^^ here
3 | three = 3
  | ----- there
  |
  = help: remove it

";
        let text = render(&found, |_| Some(&source.text), false);
        assert_eq!(text, expected);
        assert!(render(&found, |_| Some(&source.text), true).contains('\u{1b}'));
        assert!(render(&found, |_| None, false).contains("zones/a.toml"));
    }

    #[test]
    fn places_far_apart_and_in_other_files_are_both_shown() {
        let one = source(&format!("first = 1\n{}last = 2\n", "\n".repeat(100)));
        let mut findings = Findings::new(&one);
        let start = one.text.find("last").unwrap();
        let error = findings.error(start..start + 4, "twice");
        error.related(0..5, "first").related_in("b.toml", 2..3, "also here");
        let text = render(
            &findings.finish(),
            |path| {
                if path == "b.toml" { Some("x\ny") } else { Some(&one.text) }
            },
            false,
        );
        assert!(text.contains("zones/a.toml:102:1") && text.contains("b.toml:2:1"), "{text}");
        assert!(text.contains("1 | first = 1"), "{text}");
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        let source = source("a\u{1b}[31m = \u{202e}1\u{7}\u{9b}2J\u{7f}\n");
        let mut findings = Findings::new(&source);
        findings.error(0..1, "bad \u{1b}[2J").label("\u{1b}").help("\u{9b}x\ny");
        let text = render(&findings.finish(), |_| Some(&source.text), false);
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        assert!(!text.contains('\u{202e}'));
    }

    #[test]
    fn errors_beyond_the_limit_are_counted() {
        let source = source("x");
        let mut findings = Findings::new(&source);
        for _ in 0..ERRORS_PER_FILE + 7 {
            findings.error(0..1, "bad");
            findings.warning(0..1, "odd");
        }
        assert!(findings.is_full());
        let found = findings.finish();
        assert_eq!(found.iter().filter(|d| d.is_error()).count(), ERRORS_PER_FILE + 1);
        assert!(found.iter().any(|d| d.message == "there are 7 more errors in this file"));
    }

    #[test]
    fn spans_outside_the_text_are_survived() {
        let source = source("é");
        let mut findings = Findings::new(&source);
        findings.error(1..1, "inside a character");
        findings.error(50..60, "behind the end");
        let text = render(&findings.finish(), |_| Some(&source.text), false);
        assert!(text.contains("inside a character") && text.contains("behind the end"));
    }
}
