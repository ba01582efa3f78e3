//! `tls`: what a check asks of certificates (Route 53 rule 62: nothing, unless told to).

use std::net::IpAddr;
use std::time::Duration;

use super::place::read_host;
use crate::config::diagnostic::Findings;
use crate::config::reader::{Item, Table, Value};
use crate::health::TlsCheck;
use crate::limits::{CERTIFICATE_WARNING_SECONDS, CHECK_NAME_OCTETS};

const NOTES: &[(&str, &str)] = &[
    ("insecure", "certificates are not verified, unless verify = true says so"),
    ("skip_verify", "certificates are not verified, unless verify = true says so"),
    ("name", "the name that the certificate must have is `server_name`"),
];

/// When a check has TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Its kind or its URL says so.
    Always,
    /// It was not asked for, and cannot be here: what to write instead.
    Never(&'static str),
    /// If `tls` says so.
    IfAsked,
}

pub(super) fn read(
    usage: Use,
    table: &mut Table<'_>,
    findings: &mut Findings<'_>,
) -> Option<TlsCheck> {
    let Some(Item { key, value }) = table.take("tls") else {
        return (usage == Use::Always).then(TlsCheck::default);
    };
    if let Use::Never(help) = usage {
        findings.error(key.span, "`tls` has no meaning here").help(help);
        return None;
    }
    if let Some(table) = value.as_table("tls") {
        return Some(read_table(table, findings));
    }
    match value.as_boolean() {
        Some(true) => Some(TlsCheck::default()),
        Some(false) if usage == Use::IfAsked => None,
        Some(false) => {
            let error = findings.error(value.span(), "this check always has TLS");
            error.help("without TLS it is http instead of https");
            None
        }
        None => {
            value.expected("true, or a table such as { verify = true }", findings);
            None
        }
    }
}

fn read_table(mut table: Table<'_>, findings: &mut Findings<'_>) -> TlsCheck {
    let is_verified = table.take("verify").and_then(|item| item.value.boolean(findings));
    let is_verified = is_verified.unwrap_or_default();
    let authorities = table.take("ca");
    let server_name = table.take("server_name");
    let sni = table.take("sni").and_then(|item| item.value.boolean(findings));
    let hides_name = sni == Some(false);
    let warns_before = table
        .take("warn_before")
        .and_then(|item| item.value.duration_within(CERTIFICATE_WARNING_SECONDS, findings));
    table.finish(NOTES, findings);
    if let Some(ca) = authorities.as_ref().filter(|_| !is_verified) {
        findings
            .error(ca.key.span.clone(), "`ca` has no meaning without `verify`")
            .label("no certificate is looked at")
            .help("add verify = true, or leave `ca` out");
    }
    if let Some(name) = server_name.as_ref().filter(|_| hides_name && !is_verified) {
        findings
            .error(name.key.span.clone(), "`server_name` is neither sent nor verified")
            .help("leave it out, or leave out sni = false, or add verify = true");
    }
    TlsCheck {
        is_verified,
        authorities: authorities.and_then(|item| read_path(&item.value, findings)),
        server_name: server_name.and_then(|item| read_server_name(&item.value, findings)),
        hides_name,
        warns_before: warns_before.unwrap_or(Duration::ZERO),
    }
}

fn read_path(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<Box<str>> {
    let expected = "a file of certificates such as \"/etc/ssl/own.pem\"";
    let text = value.string(expected, findings)?;
    if text.value.contains("-----BEGIN") {
        findings
            .error(text.span, "`ca` is a file, not what is in it")
            .help(format!("write {expected}"));
        return None;
    }
    if text.value.is_empty() || text.value.len() > CHECK_NAME_OCTETS || text.value.contains('\0') {
        let label = format!("a path has 1 to {CHECK_NAME_OCTETS} octets");
        findings.error(text.span, format!("`{}` is no path", value.name)).label(label);
        return None;
    }
    Some(text.value.into())
}

/// RFC 6066 §3: a name, never an address.
fn read_server_name(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<Box<str>> {
    let name = read_host(value, findings)?;
    if name.parse::<IpAddr>().is_err() {
        return Some(name);
    }
    findings
        .error(value.span(), "`server_name` is a name, not an address (RFC 6066 §3)")
        .help("for a certificate of the address itself leave it out");
    None
}
