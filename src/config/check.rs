//! `[check.NAME]`: how endpoints are probed. A check refers to nothing, so that what is typed is what it means.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::CompiledCheck;
use super::diagnostic::{Findings, Span};
use super::document::Entry;
use super::reader::{Item, Spanned, Table, Value};
use super::value::format_duration;
use crate::health::{
    CheckSpec, HttpCheck, ProbeAddress, Protocol, StatusSet, TcpCheck, Threshold, TlsCheck,
};
use crate::limits::{CHECK_EVERY_SECONDS, CHECK_THRESHOLD, CHECK_TIMEOUT_MS};
use crate::wire::Name;

const NO_KIND: &str = "write one of http = \"/path\", https = \"/path\" or tcp = 5432";

const FUTURE: &[(&str, &str)] = &[
    ("dns", NOT_BUILT),
    ("icmp", NOT_BUILT),
    ("grpc", NOT_BUILT),
    ("prometheus", NOT_BUILT),
    ("external", NOT_BUILT),
    ("calculated", NOT_BUILT),
    ("interval", "the time between probes is `every`"),
    ("threshold", "the thresholds are `down_after` and `up_after`"),
    ("path", "the path is the value of `http` or `https`: https = \"/healthz\""),
    ("type", NO_KIND),
];

const NOT_BUILT: &str = "checks of this kind are not built yet; there are http, https and tcp";

/// A check as it was typed.
pub(super) struct Check<'t> {
    pub(super) name: Spanned<&'t str>,
    /// Nothing if it has a mistake.
    pub(super) compiled: Option<CompiledCheck>,
}

/// What kind of check it is, with where that was said.
enum Kind<'t> {
    Http { tls: bool, path: Value<'t> },
    Tcp { port: Value<'t> },
}

pub(super) fn read<'t>(entry: Entry<'t>, findings: &mut Findings<'_>) -> Check<'t> {
    let Entry { name, mut table } = entry;
    let spec = read_spec(&name, &mut table, findings);
    let address = table.take("address");
    let address = address.map(|item| read_address(&item.value, findings));
    table.finish(FUTURE, findings);
    let compiled = spec.map(|spec| CompiledCheck {
        name: name.value.into(),
        spec: Arc::new(spec),
        address: address.flatten(),
    });
    Check { name, compiled }
}

fn read_spec(
    name: &Spanned<&str>,
    table: &mut Table<'_>,
    findings: &mut Findings<'_>,
) -> Option<CheckSpec> {
    let kind = read_kind(name, table, findings);
    let timing = read_timing(table, findings);
    let (down_after, up_after) = read_thresholds(table, findings);
    let protocol = match kind {
        Some(Kind::Http { tls, path }) => read_http(tls, &path, table, findings),
        Some(Kind::Tcp { port }) => read_tcp(&port, table, findings),
        None => {
            for key in ["host", "port", "expect"] {
                table.take(key);
            }
            None
        }
    };
    let (every, timeout) = timing?;
    let (protocol, port) = protocol?;
    let (down_after, up_after) = (down_after?, up_after?);
    let spec = CheckSpec::new(protocol, port);
    Some(CheckSpec { every, retry: every, timeout, down_after, up_after, ..spec })
}

/// Exactly one of the three kinds.
fn read_kind<'t>(
    name: &Spanned<&str>,
    table: &mut Table<'t>,
    findings: &mut Findings<'_>,
) -> Option<Kind<'t>> {
    let mut kinds = ["http", "https", "tcp"].into_iter().filter_map(|key| table.take(key));
    let Some(first) = kinds.next() else {
        let message = format!("the check `{}` does not say what to probe", name.value);
        findings.error(name.span.clone(), message).help(NO_KIND);
        return None;
    };
    if let Some(second) = kinds.next() {
        let (one, other) = (first.key.value, second.key.value);
        let message = format!("the check `{}` is both `{one}` and `{other}`", name.value);
        findings
            .error(second.key.span, message)
            .related(first.key.span, "already said here")
            .help("make two checks of it");
        return None;
    }
    Some(match first.key.value {
        "tcp" => Kind::Tcp { port: first.value },
        key => Kind::Http { tls: key == "https", path: first.value },
    })
}

fn read_http(
    tls: bool,
    path: &Value<'_>,
    table: &mut Table<'_>,
    findings: &mut Findings<'_>,
) -> Option<(Protocol, u16)> {
    let host = table.take("host");
    let host = host.map(|item| read_host(&item.value, findings));
    let port = table.take("port");
    let port = port.map(|item| read_port(&item.value, findings));
    let expect = table.take("expect");
    let expect = expect.map(|item| read_expect(&item.value, findings));
    let path = read_path(path, findings)?;
    let default_port = if tls { 443 } else { 80 };
    let check = HttpCheck {
        tls: tls.then(TlsCheck::default),
        host: host.flatten(),
        expect: expect.flatten().unwrap_or_default(),
        ..HttpCheck::new(&path)
    };
    Some((Protocol::Http(check), port.unwrap_or(Some(default_port))?))
}

fn read_tcp(
    port: &Value<'_>,
    table: &mut Table<'_>,
    findings: &mut Findings<'_>,
) -> Option<(Protocol, u16)> {
    let tcp = "a check with `tcp` only connects";
    let notes = [
        ("host", format!("{tcp}; a host is asked for by `http` and `https`")),
        ("expect", format!("{tcp}; a status is expected by `http` and `https`")),
        ("port", "the port is the value of `tcp`".to_owned()),
    ];
    for (key, note) in notes {
        if let Some(Item { key, .. }) = table.take(key) {
            let message = format!("`{}` has no meaning with `tcp`", key.value);
            findings.error(key.span, message).help(note);
        }
    }
    Some((Protocol::Tcp(TcpCheck::default()), read_port(port, findings)?))
}

fn read_port(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<u16> {
    let port = value.integer(1..=65_535, findings)?;
    u16::try_from(port).ok()
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

fn read_host(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<Box<str>> {
    let text = value.string("a host name such as \"www.example.com\"", findings)?;
    let host = text.value.strip_suffix('.').unwrap_or(text.value);
    let parsed = HttpCheck::parse_host(host).map_err(|error| error.to_string());
    match parsed.and_then(|parsed| expect_host(host).map(|()| parsed)) {
        Ok(host) => Some(host),
        Err(problem) => {
            findings.error(text.span, format!("`{}` is no host name", value.name)).label(problem);
            None
        }
    }
}

/// A name that DNS could hold, or an address.
fn expect_host(host: &str) -> Result<(), String> {
    if host.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    Name::parse(host, &Name::root()).map(|_| ()).map_err(|error| error.to_string())
}

/// Rule 5: health of one address decided by probing another.
fn read_address(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<ProbeAddress> {
    let expected = "an address such as \"192.0.2.10\" or a host name";
    let text = value.string(expected, findings)?;
    match text.value.parse::<IpAddr>() {
        Ok(address) if address.is_unspecified() || address.is_multicast() => {
            findings.error(text.span, format!("nothing can be probed at `{address}`"));
            None
        }
        Ok(address) => Some(ProbeAddress::Ip(address)),
        Err(_) if looks_like_address(text.value) => {
            value.expected(expected, findings);
            None
        }
        Err(_) => read_host(value, findings).map(ProbeAddress::Name),
    }
}

/// Digits and dots only: an address with a mistake rather than a name.
fn looks_like_address(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit() || c == b'.')
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
            findings.error(value.span(), message).label(error.to_string());
            None
        }
    }
}

fn status_text(value: &Value<'_>) -> Option<String> {
    let number = value.as_integer().map(|number| number.to_string());
    number.or_else(|| value.as_str().map(str::to_owned))
}

/// `every` and `timeout`: a probe must end before the next one begins.
fn read_timing(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Option<(Duration, Duration)> {
    let (shortest, longest) = CHECK_EVERY_SECONDS;
    let shortest = Duration::from_secs(shortest);
    let longest = Duration::from_secs(longest);
    let every = read_duration(table, "every", findings);
    let interval = every.as_ref().map_or(CheckSpec::EVERY, |every| every.value);
    let timeout = read_duration(table, "timeout", findings);
    let time = timeout.as_ref().map_or(CheckSpec::TIMEOUT.min(interval), |timeout| timeout.value);
    if let Some(every) = every.filter(|every| !(shortest..=longest).contains(&every.value)) {
        let range = format!("from {} to {}", format_duration(shortest), format_duration(longest));
        let label = format!("this is {}", format_duration(every.value));
        findings.error(every.span, format!("`every` must be {range}")).label(label);
        return None;
    }
    let timeout_span = timeout.map_or(0..0, |timeout| timeout.span);
    if time < Duration::from_millis(CHECK_TIMEOUT_MS) {
        let message = format!("`timeout` must be at least {CHECK_TIMEOUT_MS}ms");
        findings.error(timeout_span, message);
        return None;
    }
    check_order(time, interval, timeout_span, findings)
}

fn check_order(
    timeout: Duration,
    every: Duration,
    span: Span,
    findings: &mut Findings<'_>,
) -> Option<(Duration, Duration)> {
    if timeout > every {
        let shown = format_duration(every);
        let message = format!("`timeout` is longer than `every`, which is {shown}");
        findings
            .error(span, message)
            .label("a probe must end before the next one begins")
            .help(format!("write a timeout of at most \"{shown}\", or a longer `every`"));
        return None;
    }
    Some((every, timeout))
}

fn read_duration(
    table: &mut Table<'_>,
    key: &'static str,
    findings: &mut Findings<'_>,
) -> Option<Spanned<Duration>> {
    table.take(key)?.value.duration(findings)
}

/// `down_after` and `up_after`, the same number unless both are given (rule 59).
fn read_thresholds(
    table: &mut Table<'_>,
    findings: &mut Findings<'_>,
) -> (Option<Threshold>, Option<Threshold>) {
    let mut read = |key| {
        let item = table.take(key)?;
        let count = item.value.integer(1..=i64::from(CHECK_THRESHOLD), findings);
        Some(count.and_then(|count| u8::try_from(count).ok()?.try_into().ok()))
    };
    let down_after = read("down_after").unwrap_or(Some(Threshold::DEFAULT));
    let up_after = read("up_after").unwrap_or(down_after);
    (down_after, up_after)
}
