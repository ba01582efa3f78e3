//! `prometheus`: a PromQL query and a limit, which is what an alarm of CloudWatch is to Route 53.
//!
//! The URL says whom to ask, so that such a check has an address of its own like any other of rule 5.

use std::net::IpAddr;

use super::external::MISSING;
use super::place::parse_host;
use super::{Asked, headers, tls};
use crate::config::diagnostic::{Findings, Span};
use crate::config::reader::{Item, Spanned, Table, Value};
use crate::health::{Comparison, HttpCheck, Limit, ProbeAddress, PrometheusCheck, Protocol};
use crate::limits::CHECK_QUERY_OCTETS;

const EXAMPLE: &str = "a URL such as \"http://127.0.0.1:9090\"";

const COMPARISONS: [(&str, Comparison); 4] = [
    ("above", Comparison::Above),
    ("at_least", Comparison::AtLeast),
    ("below", Comparison::Below),
    ("at_most", Comparison::AtMost),
];

/// Where a server is, and what its API comes behind.
struct Url {
    is_tls: bool,
    host: Box<str>,
    port: u16,
    prefix: Box<str>,
}

pub(super) fn read(
    url: &Value<'_>,
    table: &mut Table<'_>,
    findings: &mut Findings<'_>,
) -> Option<Asked> {
    let span = url.span();
    let url = read_url(url, findings);
    let usage = match &url {
        Some(url) if !url.is_tls => tls::Use::Never("write https:// in the URL"),
        Some(_) => tls::Use::Always,
        None => tls::Use::IfAsked,
    };
    let tls = tls::read(usage, table, findings);
    let headers = headers::read(table, findings);
    let missing = table.take("missing").and_then(|item| item.value.word(MISSING, findings));
    let limit = read_limit(table, findings);
    let query = read_query(table, findings);
    let Url { host, port, prefix, .. } = url?;
    if query.is_none() || limit.is_none() {
        report_missing(query.is_none(), limit.is_none(), span, findings);
    }
    let (comparison, limit) = limit??;
    let address = match host.parse::<IpAddr>() {
        Ok(address) => ProbeAddress::Ip(address),
        Err(_) => ProbeAddress::Name(host.clone()),
    };
    let host = matches!(address, ProbeAddress::Name(_)).then_some(host);
    let check = PrometheusCheck {
        tls,
        host,
        prefix,
        headers,
        query: query??,
        comparison,
        limit,
        missing: missing.unwrap_or_default(),
    };
    Some(Asked { protocol: Protocol::Prometheus(check), port, address: Some(address) })
}

/// Says which of the two things are not there that every such check needs.
fn report_missing(no_query: bool, no_limit: bool, span: Span, findings: &mut Findings<'_>) {
    let (missing, help) = match (no_query, no_limit) {
        (true, true) => ("`query` and a limit", "query = \"…\" and below = 0.01"),
        (true, false) => ("`query`", "query = \"…\", which gives the value to compare"),
        _ => ("a limit", "one of above, at_least, below, at_most: below = 0.01"),
    };
    findings.error(span, format!("`prometheus` needs {missing}")).help(format!("add {help}"));
}

fn read_url(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<Url> {
    let text = value.string(EXAMPLE, findings)?;
    match parse_url(text.value) {
        Ok(url) => Some(url),
        Err((problem, help)) => {
            let message = format!("`{}` must be {EXAMPLE}", value.name);
            findings.error(text.span, message).label(problem).help_if(help);
            None
        }
    }
}

type UrlProblem = (String, Option<&'static str>);

fn parse_url(text: &str) -> Result<Url, UrlProblem> {
    let (is_tls, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
        (Some(rest), _) => (false, rest),
        (_, Some(rest)) => (true, rest),
        _ => return Err(("it begins with neither http:// nor https://".into(), None)),
    };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    if authority.contains('@') {
        let help = "credentials are a header: headers = { authorization = \"Basic …\" }";
        return Err(("a user stands in it".into(), Some(help)));
    }
    let usual_port = if is_tls { 443 } else { 80 };
    let (host, port) = split_port(authority, usual_port)
        .ok_or_else(|| (format!("`{authority}` is no host with a port"), None))?;
    let host = parse_host(host).map_err(|problem| (problem, None))?;
    let prefix = path.trim_end_matches('/');
    if prefix.contains("/api/v1") {
        return Err(("/api/v1/query comes behind it".into(), Some("leave /api/v1 out")));
    }
    if path.contains('?') {
        return Err(("it has a query".into(), Some("the PromQL query is `query`")));
    }
    let prefix = match prefix {
        "" => "".into(),
        prefix => HttpCheck::parse_path(prefix).map_err(|error| (error.to_string(), None))?,
    };
    Ok(Url { is_tls, host, port, prefix })
}

/// `host`, `host:port`, `[address]` and `[address]:port` (RFC 3986 §3.2).
fn split_port(authority: &str, usual: u16) -> Option<(&str, u16)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            let port = after.strip_prefix(':');
            (host, port.or_else(|| after.is_empty().then_some(""))?)
        }
        None => authority.split_once(':').unwrap_or((authority, "")),
    };
    let is_number = port.bytes().all(|octet| octet.is_ascii_digit());
    let port = if port.is_empty() { Some(usual) } else { port.parse().ok() };
    port.filter(|port| is_number && *port != 0).map(|port| (host, port))
}

/// Nothing if there is none, and nothing inside if it has a mistake.
fn read_query(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Option<Option<Box<str>>> {
    let Item { value, .. } = table.take("query")?;
    let text = value.string("a PromQL query such as \"up\"", findings);
    let Some(Spanned { value: text, span }) = text else {
        return Some(None);
    };
    if text.trim().is_empty() || text.len() > CHECK_QUERY_OCTETS {
        let problem = format!("a query has 1 to {CHECK_QUERY_OCTETS} octets, not {}", text.len());
        super::refuse_text(value.name, span, problem, findings);
        return Some(None);
    }
    Some(Some(text.into()))
}

/// As [`read_query`], with exactly one of four keys.
fn read_limit(
    table: &mut Table<'_>,
    findings: &mut Findings<'_>,
) -> Option<Option<(Comparison, Limit)>> {
    let typed = COMPARISONS.into_iter().filter_map(|(key, sign)| Some((table.take(key)?, sign)));
    let mut typed: Vec<(Item<'_>, Comparison)> = typed.collect();
    typed.sort_by_key(|(item, _)| item.key.span.start);
    if let [(first, _), (second, _), ..] = typed.as_slice() {
        super::report_both(&first.key, &second.key, findings)
            .help("a check has one limit; a calculated check can be of two");
        return Some(None);
    }
    let (Item { value, .. }, comparison) = typed.pop()?;
    let number = value.as_number().and_then(|text| text.parse::<f64>().ok());
    let limit = number.filter(|number| number.is_finite());
    let Some(limit) = limit.and_then(|number| Limit::try_from(number).ok()) else {
        value.expected("a number such as 0.01", findings);
        return Some(None);
    };
    Some(Some((comparison, limit)))
}
