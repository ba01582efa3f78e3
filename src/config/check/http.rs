//! `http` and `https`: a request, and what is taken for a good answer (Route 53 rules 60 to 63).

use super::kind::Kind;
use super::place::{read_host, read_port};
use super::{Asked, headers, read_pattern, tls};
use crate::config::diagnostic::Findings;
use crate::config::reader::{Item, Table, Value};
use crate::health::{HttpCheck, Pattern, Protocol, StatusSet};
use crate::limits::PROBE_REDIRECTS;

const METHODS: &[(&str, &str)] =
    &[("GET", "GET"), ("HEAD", "HEAD"), ("POST", "POST"), ("OPTIONS", "OPTIONS")];

pub(super) fn read(
    kind: Kind,
    path: &Value<'_>,
    table: &mut Table<'_>,
    findings: &mut Findings<'_>,
) -> Option<Asked> {
    let is_tls = kind == Kind::Https;
    let tls = if is_tls { tls::read(tls::Use::Always, table, findings) } else { None };
    let host = table.take("host").and_then(|item| read_host(&item.value, findings));
    let port = table.take("port").map(|item| read_port(&item.value, findings));
    let expect = table.take("expect").and_then(|item| read_expect(&item.value, findings));
    let headers = headers::read(table, findings);
    let (method, body) = read_exchange(table, findings);
    let is_http2 = table.take("http2").and_then(|item| item.value.boolean(findings));
    let redirects = table.take("redirects").and_then(|item| {
        let count = item.value.integer(0..=i64::from(PROBE_REDIRECTS), findings)?;
        u8::try_from(count).ok()
    });
    let path = read_path(path, findings)?;
    let check = HttpCheck {
        tls,
        method: method.into(),
        host,
        headers,
        expect: expect.unwrap_or_default(),
        body,
        is_http2: is_http2.unwrap_or_default(),
        redirects: redirects.unwrap_or_default(),
        ..HttpCheck::new(&path)
    };
    let usual_port = if is_tls { 443 } else { 80 };
    let port = port.unwrap_or(Some(usual_port))?;
    Some(Asked { protocol: Protocol::Http(check), port, address: None })
}

/// The method, and what must be in a body that it may have.
fn read_exchange(
    table: &mut Table<'_>,
    findings: &mut Findings<'_>,
) -> (&'static str, Option<Pattern>) {
    let method = table.take("method");
    let word = method.as_ref().and_then(|Item { value, .. }| value.word(METHODS, findings));
    let word = word.unwrap_or("GET");
    let pattern_span = table.span_of("body").or_else(|| table.span_of("body_regex"));
    let body = read_pattern("body", "body_regex", table, findings);
    if let (Some(span), Some(method), "HEAD") = (pattern_span, method, word) {
        findings
            .error(span, "the answer to HEAD has no body (RFC 9110 §9.3.2)")
            .related(method.key.span, "the method")
            .help("write method = \"GET\", or leave the body out");
    }
    (word, body)
}

fn read_path(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<Box<str>> {
    let text = value.string("a path such as \"/healthz\"", findings)?;
    if text.value.contains("://") {
        let message = format!("`{}` is a path, not a URL", value.name);
        findings.error(text.span, message).help(
            "write the path here, the host as `host`; the address comes from the pool or `address`",
        );
        return None;
    }
    match HttpCheck::parse_path(text.value) {
        Ok(path) => Some(path),
        Err(error) => {
            findings
                .error(text.span, format!("`{}` is no path", value.name))
                .label(error.to_string());
            None
        }
    }
}

/// `"200-299,301"`, `204`, or an array of both.
fn read_expect(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<StatusSet> {
    let values = value.as_array().unwrap_or_else(|| vec![*value]);
    let texts: Option<Vec<String>> = values.iter().map(status_text).collect();
    let Some(texts) = texts else {
        let example = "statuses such as \"200-299,301\", 204 or [200, 204]";
        value.expected(example, findings);
        return None;
    };
    match StatusSet::parse(&texts.join(",")) {
        Ok(set) => Some(set),
        Err(error) => {
            let message = format!("`{}` is no set of HTTP statuses", value.name);
            let has_letters = texts.iter().any(|text| text.contains(char::is_alphabetic));
            let help = has_letters.then_some("a text of the body is expected by `body`");
            findings.error(value.span(), message).label(error.to_string()).help_if(help);
            None
        }
    }
}

fn status_text(value: &Value<'_>) -> Option<String> {
    let number = value.as_integer().map(|number| number.to_string());
    number.or_else(|| value.as_str().map(str::to_owned))
}
