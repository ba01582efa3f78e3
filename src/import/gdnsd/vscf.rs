//! gdnsd's configuration syntax: nested maps and lists of texts, with `=>` or `=` between key and value, commas as one likes.

use crate::limits::YAML_DEPTH;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    List(Vec<Value>),
    /// In the order of the text.
    Map(Vec<(String, Value)>),
}

impl Value {
    /// Reads a file, which is the inside of a map or that map in braces.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut tokens = Tokens { rest: text, line: 1 };
        let mut ahead = tokens.clone();
        if ahead.next()? == Some(Token::Mark('{')) {
            tokens = ahead;
            let map = tokens.map(0, Some('}'))?;
            return match tokens.next()? {
                None => Ok(map),
                Some(_) => Err(tokens.error("something stands behind the last brace")),
            };
        }
        tokens.map(0, None)
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The entries of a map; none if this is no map.
    pub(super) fn entries(&self) -> &[(String, Value)] {
        if let Self::Map(entries) = self { entries } else { &[] }
    }

    pub(super) fn at(&self, key: &str) -> Option<&Value> {
        self.entries().iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    pub(super) fn text_at(&self, key: &str) -> Option<&str> {
        self.at(key).and_then(Self::as_str)
    }

    /// The texts of a list, or the one that stands in the place of a list.
    pub(super) fn texts(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => vec![text],
            Self::List(parts) => parts.iter().filter_map(Self::as_str).collect(),
            Self::Map(_) => Vec::new(),
        }
    }

    pub(super) fn is_true_at(&self, key: &str) -> bool {
        let text = self.text_at(key).unwrap_or_default();
        ["true", "yes", "on", "1"].iter().any(|word| text.eq_ignore_ascii_case(word))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// One of `{}[]=`.
    Mark(char),
    Text(String),
}

#[derive(Clone)]
struct Tokens<'t> {
    rest: &'t str,
    line: usize,
}

impl Tokens<'_> {
    fn error(&self, what: &str) -> String {
        format!("line {}: {what}", self.line)
    }

    fn skip(&mut self, octets: usize) {
        let (gone, rest) = self.rest.split_at_checked(octets).unwrap_or((self.rest, ""));
        self.line = self.line.saturating_add(gone.matches('\n').count());
        self.rest = rest;
    }

    fn next(&mut self) -> Result<Option<Token>, String> {
        loop {
            let space = |c: char| c.is_whitespace() || c == ',' || c == ';';
            self.skip(self.rest.len().saturating_sub(self.rest.trim_start_matches(space).len()));
            if !self.rest.starts_with('#') {
                break;
            }
            self.skip(self.rest.find('\n').unwrap_or(self.rest.len()));
        }
        let Some(first) = self.rest.chars().next() else { return Ok(None) };
        if self.rest.starts_with("$include{") {
            return Err(self.error("$include is not followed: put the files together first"));
        }
        match first {
            '=' => {
                self.skip(if self.rest.starts_with("=>") { 2 } else { 1 });
                Ok(Some(Token::Mark('=')))
            }
            '{' | '}' | '[' | ']' => {
                self.skip(1);
                Ok(Some(Token::Mark(first)))
            }
            '"' => self.quoted().map(|text| Some(Token::Text(text))),
            _ => {
                let is_end = |c: char| c.is_whitespace() || "{}[]=,;#\"".contains(c);
                let end = self.rest.find(is_end).unwrap_or(self.rest.len());
                let text = unescape(self.rest.get(..end).unwrap_or_default());
                self.skip(end);
                Ok(Some(Token::Text(text)))
            }
        }
    }

    fn quoted(&mut self) -> Result<String, String> {
        let mut is_escaped = false;
        let end = self.rest.char_indices().skip(1).find(|(_, c)| {
            let is_end = *c == '"' && !is_escaped;
            is_escaped = *c == '\\' && !is_escaped;
            is_end
        });
        let (end, _) = end.ok_or_else(|| self.error("a quotation mark is not closed"))?;
        let text = unescape(self.rest.get(1..end).unwrap_or_default());
        self.skip(end.saturating_add(1));
        Ok(text)
    }

    fn map(&mut self, depth: usize, end: Option<char>) -> Result<Value, String> {
        self.check_depth(depth)?;
        let mut entries: Vec<(String, Value)> = Vec::new();
        loop {
            let key = match self.next()? {
                Some(Token::Text(key)) => key,
                Some(Token::Mark(mark)) if Some(mark) == end => return Ok(Value::Map(entries)),
                None if end.is_none() => return Ok(Value::Map(entries)),
                None => return Err(self.error("a brace is not closed")),
                Some(Token::Mark(mark)) => {
                    return Err(self.error(&format!("`{mark}` where a key should be")));
                }
            };
            if self.next()? != Some(Token::Mark('=')) {
                return Err(self.error(&format!("`=>` is missing behind `{key}`")));
            }
            let token = self.next()?;
            let value = self.value(token, depth)?;
            entries.retain(|(known, _)| *known != key);
            entries.push((key, value));
        }
    }

    fn value(&mut self, token: Option<Token>, depth: usize) -> Result<Value, String> {
        match token {
            Some(Token::Text(text)) => Ok(Value::Text(text)),
            Some(Token::Mark('{')) => self.map(depth.saturating_add(1), Some('}')),
            Some(Token::Mark('[')) => self.list(depth.saturating_add(1)),
            _ => Err(self.error("a value is missing")),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, String> {
        self.check_depth(depth)?;
        let mut parts = Vec::new();
        loop {
            match self.next()? {
                Some(Token::Mark(']')) => return Ok(Value::List(parts)),
                token => parts.push(self.value(token, depth)?),
            }
        }
    }

    fn check_depth(&self, depth: usize) -> Result<(), String> {
        if depth > YAML_DEPTH {
            return Err(self.error(&format!("it nests deeper than {YAML_DEPTH} levels")));
        }
        Ok(())
    }
}

/// Escapes as in zone files: `\"`, `\065`.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let number = after.get(..3).and_then(|digits| digits.parse::<u8>().ok());
        let (c, length) = match (number, after.chars().next()) {
            (Some(number), _) => (char::from(number), 3),
            (None, Some(c)) => (c, c.len_utf8()),
            (None, None) => break,
        };
        plain.push(c);
        rest = after.get(length..).unwrap_or_default();
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_lists_and_comments_are_read() {
        let text = "# c\na => { b = [ x, \"y z\" w ], 10.0.0.0/8 => dc1 } c => %weighted!r # end";
        let value = Value::parse(text).unwrap();
        assert_eq!(value.at("a").unwrap().at("b").unwrap().texts(), ["x", "y z", "w"]);
        assert_eq!(value.at("a").unwrap().text_at("10.0.0.0/8"), Some("dc1"));
        assert_eq!(value.text_at("c"), Some("%weighted!r"));
        assert_eq!(Value::parse(&format!("{{ {} }}", "a => b\n")).unwrap().text_at("a"), Some("b"));
        assert_eq!(Value::parse("a => \"q\\\"\\065\"").unwrap().text_at("a"), Some("q\"A"));
    }

    #[test]
    fn mistakes_have_lines() {
        for (text, message) in [
            ("a => {", "line 1: a brace is not closed"),
            ("a =>\n b\nc", "line 3: `=>` is missing behind `c`"),
            ("a => \"b", "line 1: a quotation mark is not closed"),
            ("\n}", "line 2: `}` where a key should be"),
            ("a => [ b", "line 1: a value is missing"),
            ("a => $include{x}", "line 1: $include is not followed: put the files together first"),
            ("{a => b} c", "line 1: something stands behind the last brace"),
        ] {
            assert_eq!(Value::parse(text), Err(message.to_owned()), "{text}");
        }
        assert!(Value::parse(&"a => { ".repeat(10_000)).unwrap_err().contains("deeper"));
    }
}
