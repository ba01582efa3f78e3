//! `$GENERATE start-stop[/step] owner [ttl] [class] type data`: many records from one line, as BIND has it.
//!
//! In owner and data `$` is the number. `${offset,width,base}` is the number plus the offset, filled up with zeros to the
//! width, in the base `d`, `o`, `x` or `X`, or in `n` or `N` its hexadecimal digits in reverse order, each a label. `\$` and
//! `$$` are a `$`.

use std::iter::StepBy;
use std::ops::RangeInclusive;

use super::{Problem, Span, span_of};
use crate::limits::GENERATED_WIDTH;
use crate::zone::presentation::Token;

const USAGE: &str = "for example: $GENERATE 1-100 host-$ A 192.0.2.$";

/// One directive.
#[derive(Debug)]
pub(super) struct Generator<'e, 't> {
    range: StepBy<RangeInclusive<u32>>,
    pub(super) owner: &'e Token<'t>,
    /// What stands behind the owner.
    pub(super) fields: &'e [Token<'t>],
}

impl<'e, 't> Generator<'e, 't> {
    /// Takes what follows the directive, which stands at `span`.
    pub(super) fn read(span: Span, tokens: &'e [Token<'t>]) -> Result<Self, Problem> {
        let [range, owner, fields @ ..] = tokens else {
            let message = "$GENERATE needs a range, an owner, a type and data";
            return Err(Problem::error(span, message).help(USAGE));
        };
        let numbers = read_range(range.text).ok_or_else(|| {
            let message = format!("`{}` is no range such as 1-100 or 0-254/2", range.text);
            Problem::error(span_of(range), message).help(USAGE)
        })?;
        Ok(Self { range: numbers, owner, fields })
    }

    pub(super) fn count(&self) -> usize {
        self.range.size_hint().0
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> + use<> {
        self.range.clone()
    }

    pub(super) fn expand_owner(&self, number: u32) -> Result<String, Problem> {
        expand(self.owner.inner(), number)
            .map_err(|message| Problem::error(span_of(self.owner), message))
    }

    /// The data as one text: a quoted token is a template for several fields, as in BIND, where it is the only one.
    pub(super) fn data_template(&self, data: &[Token<'_>]) -> String {
        match data {
            // As long as it is a quoted text, `\"` is a quote; any other escape stays for whoever reads the fields.
            [only] if only.text.starts_with('"') => unescape_quotes(only.inner()),
            [only] => only.text.to_owned(),
            several => several.iter().map(|token| token.text).collect::<Vec<_>>().join(" "),
        }
    }

    pub(super) fn expand_data(
        &self,
        template: &str,
        span: &Span,
        number: u32,
    ) -> Result<String, Problem> {
        expand(template, number).map_err(|message| Problem::error(span.clone(), message))
    }
}

/// Takes the backslashes before quotes away.
fn unescape_quotes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let escaped = if c == '\\' { rest.next() } else { None };
        if escaped != Some('"') {
            plain.push(c);
        }
        plain.extend(escaped);
    }
    plain
}

/// `start-stop` or `start-stop/step`.
fn read_range(text: &str) -> Option<StepBy<RangeInclusive<u32>>> {
    let number = |text: &str| {
        let is_number = text.bytes().all(|c| c.is_ascii_digit());
        // BIND counts with 31 bits.
        text.parse::<u32>().ok().filter(|number| is_number && *number <= 0x7fff_ffff)
    };
    let (range, step) = text.split_once('/').unwrap_or((text, "1"));
    let (start, stop) = range.split_once('-')?;
    let (start, stop, step) = (number(start)?, number(stop)?, number(step)?);
    let step = usize::try_from(step).ok()?;
    (start <= stop && step > 0).then(|| (start..=stop).step_by(step))
}

/// Fills a number into a template.
fn expand(template: &str, number: u32) -> Result<String, String> {
    let mut text = String::with_capacity(template.len().saturating_add(8));
    let mut rest = template;
    while let Some((before, here)) = rest.find(['$', '\\']).and_then(|at| rest.split_at_checked(at))
    {
        text.push_str(before);
        rest = match here.strip_prefix('$') {
            Some(after) => expand_number(after, number, &mut text)?,
            None => copy_escape(here, &mut text),
        };
    }
    text.push_str(rest);
    Ok(text)
}

/// An escape goes on as it is, so that `\$` becomes a `$` when the text is read.
fn copy_escape<'h>(here: &'h str, text: &mut String) -> &'h str {
    let end = here.char_indices().nth(2).map_or(here.len(), |(end, _)| end);
    let (escape, after) = here.split_at_checked(end).unwrap_or((here, ""));
    text.push_str(escape);
    after
}

/// Writes the number for a `$` and answers with what follows.
fn expand_number<'h>(after: &'h str, number: u32, text: &mut String) -> Result<&'h str, String> {
    if let Some(after) = after.strip_prefix('$') {
        text.push('$');
        return Ok(after);
    }
    let Some(braced) = after.strip_prefix('{') else {
        text.push_str(&number.to_string());
        return Ok(after);
    };
    let (modifier, after) = braced.split_once('}').ok_or("a `${` is not closed")?;
    let Some((offset, width, base)) = read_modifier(modifier) else {
        return Err(format!(
            "`${{{modifier}}}` is none of ${{offset}}, ${{offset,width}} and ${{offset,width,base}} with a base of d, o, x, X, n or N"
        ));
    };
    let value = i64::from(number).saturating_add(i64::from(offset));
    let written = write_number(value, width, base);
    text.push_str(&written.ok_or_else(|| {
        format!("{number} plus {offset} is {value}, which is not written in base {base}")
    })?);
    Ok(after)
}

fn read_modifier(modifier: &str) -> Option<(i32, usize, char)> {
    let mut parts = modifier.split(',');
    let offset = parts.next()?.parse().ok()?;
    let width = parts.next().map_or(Some(0), |part| part.parse().ok())?;
    let base: char = parts.next().unwrap_or("d").parse().ok()?;
    let is_good = width <= GENERATED_WIDTH && "doxXnN".contains(base) && parts.next().is_none();
    is_good.then_some((offset, width, base))
}

/// Nothing for a number below zero, unless it is decimal.
fn write_number(value: i64, width: usize, base: char) -> Option<String> {
    if base == 'd' {
        return Some(format!("{value:0width$}"));
    }
    let value = u32::try_from(value).ok()?;
    Some(match base {
        'o' => format!("{value:0width$o}"),
        'x' => format!("{value:0width$x}"),
        'X' => format!("{value:0width$X}"),
        'n' => write_nibbles(value, width),
        _ => write_nibbles(value, width).to_ascii_uppercase(),
    })
}

/// Hexadecimal digits from the lowest up with a dot behind each but the last. Dots count for the width, so that an even one
/// ends with a dot, which makes the name absolute at its end: BIND has it so.
fn write_nibbles(mut value: u32, width: usize) -> String {
    let mut text = String::new();
    loop {
        text.extend(char::from_digit(value & 15, 16));
        value >>= 4;
        if text.len() >= width && value == 0 {
            return text;
        }
        text.push('.');
        if text.len() >= width && value == 0 {
            return text;
        }
    }
}
