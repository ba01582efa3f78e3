//! Entries one after another: owners and TTLs that are taken over from the entry before, directives, included files.

use super::generate::Generator;
use super::lexer::{Entry, Lexer};
use super::record::{Header, is_like_class, read_data, read_header, read_ttl};
use super::{Include, MasterFile, MasterRecord, Problem, Span, Take, span_of, span_over};
use crate::limits::{GENERATED_RECORDS, INCLUDE_DEPTH, INCLUDED_FILES, MASTER_OCTETS};
use crate::wire::{Name, RecordType, Ttl};
use crate::zone::presentation::Token;

const TTL_HELP: &str = "begin the file with a default for all records: $TTL 1h";

pub(super) struct Reader<'i, 't> {
    include: Include<'i, 't>,
    take: Take<'i>,
    origin: Name,
    /// Of the last record, and where it was typed.
    owner: Option<(Name, Span)>,
    /// Of `$TTL` (RFC 2308 §4), or the minimum of an SOA that has no TTL, as BIND has it.
    default_ttl: Option<Ttl>,
    /// The last one that a record had of its own (RFC 1035 §5.1).
    last_ttl: Option<Ttl>,
    /// Whether it was said that TTLs are taken over.
    is_warned: bool,
    /// Bases of the files that are being read, the innermost last.
    open_files: Vec<usize>,
    /// How many files were included.
    included: usize,
    /// How many records were generated.
    generated: usize,
    /// Octets of text that were read.
    octets: usize,
    /// RDATA of the record that is being read.
    rdata: Vec<u8>,
}

impl<'i, 't> Reader<'i, 't> {
    pub(super) fn new(origin: &Name, include: Include<'i, 't>, take: Take<'i>) -> Self {
        Self {
            include,
            take,
            origin: origin.clone(),
            owner: None,
            default_ttl: None,
            last_ttl: None,
            is_warned: false,
            open_files: Vec::new(),
            included: 0,
            generated: 0,
            octets: 0,
            rdata: Vec::new(),
        }
    }

    pub(super) fn read_file(&mut self, file: MasterFile<'t>) {
        if let Err(problem) = self.count_octets(file.text.len(), file.base..file.base) {
            return (self.take)(Err(problem));
        }
        self.open_files.push(file.base);
        let mut lexer = Lexer::new(file);
        while let Some(entry) = lexer.next_entry() {
            if let Err(problem) = entry.and_then(|entry| self.read_entry(&entry)) {
                (self.take)(Err(problem));
            }
        }
        self.open_files.pop();
    }

    fn count_octets(&mut self, octets: usize, span: Span) -> Result<(), Problem> {
        self.octets = self.octets.saturating_add(octets);
        if self.octets > MASTER_OCTETS {
            let message = format!("the zone has more than {MASTER_OCTETS} octets of text");
            return Err(Problem::error(span, message));
        }
        Ok(())
    }

    fn read_entry(&mut self, entry: &Entry<'_, 't>) -> Result<(), Problem> {
        if let Some(joint) = entry.joint {
            self.warn_of_joint(span_of(&joint));
        }
        match entry.tokens.split_first() {
            Some((first, rest)) if first.text.starts_with('$') => {
                self.read_directive(entry, first, rest)
            }
            Some((owner, rest)) if !entry.is_indented => {
                let name = self.read_name(owner)?;
                self.owner = Some((name, span_of(owner)));
                self.read_record(entry, Some(owner), rest)
            }
            _ => self.read_record(entry, None, entry.tokens),
        }
    }

    /// Quotes end a token without a blank, as in BIND: keys for DKIM are found split like this.
    fn warn_of_joint(&mut self, span: Span) {
        let message = "this is read as a text of its own, no blank stands before it";
        (self.take)(Err(Problem::warning(span, message)
            .help("write a blank between two texts, and \\\" for a quote inside of one")));
    }

    fn read_name(&self, typed: &Token<'_>) -> Result<Name, Problem> {
        let text = typed.inner();
        Name::parse(text, &self.origin).map_err(|error| {
            Problem::error(span_of(typed), format!("`{text}` is no name: {error}"))
        })
    }

    fn read_record(
        &mut self,
        entry: &Entry<'_, 't>,
        typed: Option<&Token<'t>>,
        tokens: &[Token<'t>],
    ) -> Result<(), Problem> {
        let (header, data) = read_header(typed, tokens)?;
        let rdata_span = read_data(&header, data, entry.parameter, &self.origin, &mut self.rdata)?;
        if let Some(parameter) = entry.parameter.filter(|_| !header.has_parameters()) {
            self.warn_of_joint(span_of(&parameter));
        }
        let Some((owner, owner_span)) = self.owner.clone() else {
            let span = tokens.first().map_or(0..0, span_of);
            return Err(Problem::error(span, "the first record has no owner")
                .help("a line that begins with a blank has the owner of the record before; begin it with a name, or `@` for the origin"));
        };
        if let Some(typed) = typed.filter(|typed| is_like_class(typed)) {
            let message = format!("`{}` is read as the owner here", typed.text);
            (self.take)(Err(Problem::warning(span_of(typed), message)
                .help("begin the line with a blank if it belongs to the owner before")));
        }
        self.hand_out(header, owner, owner_span, rdata_span)
    }

    fn hand_out(
        &mut self,
        header: Header,
        owner: Name,
        owner_span: Span,
        rdata_span: Span,
    ) -> Result<(), Problem> {
        let ttl = self.settle_ttl(&header)?;
        let Header { rtype, type_span, .. } = header;
        let rdata = self.rdata.as_slice().into();
        (self.take)(Ok(MasterRecord {
            owner,
            owner_span,
            ttl,
            rtype,
            type_span,
            rdata,
            rdata_span,
        }));
        Ok(())
    }

    /// The record's own TTL, else the default, else the last one written, else the minimum if it is an SOA.
    fn settle_ttl(&mut self, header: &Header) -> Result<Ttl, Problem> {
        if let Some(ttl) = header.ttl {
            self.last_ttl = Some(ttl);
            return Ok(ttl);
        }
        if let Some(ttl) = self.default_ttl {
            return Ok(ttl);
        }
        let span = header.type_span.clone();
        if let Some(ttl) = self.last_ttl {
            self.warn_of_ttl(span, "the last one written", ttl);
            return Ok(ttl);
        }
        let minimum = self.rdata.last_chunk().filter(|_| header.rtype == RecordType::SOA);
        match minimum.and_then(|octets| Ttl::from_seconds(u32::from_be_bytes(*octets))) {
            Some(ttl) => {
                self.default_ttl = Some(ttl);
                self.warn_of_ttl(span, "the minimum of the SOA", ttl);
                Ok(ttl)
            }
            None => Err(Problem::error(span, "the record has no TTL, and there is no default")
                .help(TTL_HELP)),
        }
    }

    fn warn_of_ttl(&mut self, span: Span, what: &str, ttl: Ttl) {
        if !std::mem::replace(&mut self.is_warned, true) {
            let message = format!("the record has no TTL; {what} is taken, {ttl}");
            (self.take)(Err(Problem::warning(span, message).help(TTL_HELP)));
        }
    }

    fn read_directive(
        &mut self,
        entry: &Entry<'_, 't>,
        directive: &Token<'t>,
        rest: &[Token<'t>],
    ) -> Result<(), Problem> {
        let span = span_of(directive);
        let is = |name: &str| directive.text.eq_ignore_ascii_case(name);
        if entry.is_indented {
            let message = format!("`{}` does not begin its line", directive.text);
            return Err(
                Problem::error(span, message).help("take away the blanks before a directive")
            );
        }
        if is("$ORIGIN") {
            return self.read_origin(span, rest);
        }
        if is("$TTL") {
            return self.read_default_ttl(span, rest);
        }
        if is("$INCLUDE") {
            return self.read_include(span, rest);
        }
        if is("$GENERATE") {
            return self.read_generate(span, rest);
        }
        let message = format!("`{}` is no directive", directive.text);
        Err(Problem::error(span, message).help("there are $ORIGIN, $TTL, $INCLUDE and $GENERATE; the owner of a record is written `\\$` if it begins with one"))
    }

    fn read_origin(&mut self, span: Span, rest: &[Token<'t>]) -> Result<(), Problem> {
        let name = only(span, rest, "$ORIGIN takes one name: $ORIGIN example.com.")?;
        self.origin = self.read_name(name)?;
        Ok(())
    }

    fn read_default_ttl(&mut self, span: Span, rest: &[Token<'t>]) -> Result<(), Problem> {
        let typed = only(span, rest, "$TTL takes one time: $TTL 1h")?;
        let ttl = read_ttl(typed)?.ok_or_else(|| {
            let message = format!("`{}` is no time such as 3600 or 1h30m", typed.text);
            Problem::error(span_of(typed), message)
        })?;
        self.default_ttl = Some(ttl);
        Ok(())
    }

    /// Reads another file in place of the line. Origin and owner are the same behind it (RFC 1035 §5.1); a `$TTL` of the
    /// file stays, as it does in BIND.
    fn read_include(&mut self, span: Span, rest: &[Token<'t>]) -> Result<(), Problem> {
        let (name, origin) = match rest {
            [name] => (name, self.origin.clone()),
            [name, origin] => (name, self.read_name(origin)?),
            [_, _, extra, ..] => {
                let message = format!("`{}` is one field too many", extra.text);
                return Err(Problem::error(span_of(extra), message));
            }
            [] => {
                let message = "$INCLUDE takes the name of a file, and an origin if need be";
                return Err(Problem::error(span, message));
            }
        };
        let file = self.find_file(name)?;
        let origin = std::mem::replace(&mut self.origin, origin);
        let owner = self.owner.clone();
        self.read_file(file);
        (self.origin, self.owner) = (origin, owner);
        Ok(())
    }

    fn find_file(&mut self, name: &Token<'t>) -> Result<MasterFile<'t>, Problem> {
        let typed = name.inner();
        let fail = |why: String| Err(Problem::error(span_of(name), why));
        self.included = self.included.saturating_add(1);
        if self.included > INCLUDED_FILES {
            return fail(format!("the zone includes more than {INCLUDED_FILES} files"));
        }
        if self.open_files.len() > INCLUDE_DEPTH {
            return fail(format!("files include each other more than {INCLUDE_DEPTH} deep"));
        }
        let base = self.open_files.last().copied().unwrap_or(0);
        match (self.include)(base, typed) {
            Ok(file) => Ok(file),
            Err(why) => fail(format!("`{typed}` can't be included: {why}")),
        }
    }

    /// Many records from one line. A mistake that all of them have is told once.
    fn read_generate(&mut self, span: Span, rest: &[Token<'t>]) -> Result<(), Problem> {
        let generator = Generator::read(span.clone(), rest)?;
        let (header, data) = read_header(Some(generator.owner), generator.fields)?;
        let data_span = span_over(data).unwrap_or_else(|| header.type_span.clone());
        self.generated = self.generated.saturating_add(generator.count());
        if self.generated > GENERATED_RECORDS {
            let message = format!("more than {GENERATED_RECORDS} records are generated");
            return Err(Problem::error(span, message));
        }
        let template = generator.data_template(data);
        for number in generator.numbers() {
            let owner = generator.expand_owner(number)?;
            let text = generator.expand_data(&template, &data_span, number)?;
            self.count_octets(owner.len().saturating_add(text.len()), span.clone())?;
            self.read_generated(&header, generator.owner, &owner, &data_span, &text)?;
        }
        Ok(())
    }

    /// The owner of a generated record is not taken over by the records behind it, as in BIND.
    fn read_generated(
        &mut self,
        header: &Header,
        template: &Token<'_>,
        owner: &str,
        data_span: &Span,
        text: &str,
    ) -> Result<(), Problem> {
        let generated = Token { text: owner, offset: template.offset };
        let on_data = |problem: Problem| Problem { span: data_span.clone(), ..problem };
        let name = self
            .read_name(&generated)
            .map_err(|problem| Problem { span: span_of(template), ..problem })?;
        let mut lexer = Lexer::new(MasterFile { text, base: 0 });
        let entry = lexer.next_entry().transpose().map_err(on_data)?;
        let (tokens, parameter) = entry.map_or((&[][..], None), |it| (it.tokens, it.parameter));
        read_data(header, tokens, parameter, &self.origin, &mut self.rdata).map_err(on_data)?;
        self.hand_out(header.clone(), name, span_of(template), data_span.clone())
    }
}

/// The one token that a directive takes.
fn only<'e, 't>(
    directive: Span,
    tokens: &'e [Token<'t>],
    usage: &str,
) -> Result<&'e Token<'t>, Problem> {
    match tokens {
        [token] => Ok(token),
        [] => Err(Problem::error(directive, usage)),
        [_, extra, ..] => Err(Problem::error(span_of(extra), usage)),
    }
}
