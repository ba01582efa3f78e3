//! The kinds of checks, and which keys have a meaning for which.
//!
//! A key that belongs to another kind is told from one that nobody knows: its author has the right word in the wrong place.

use crate::config::diagnostic::Findings;
use crate::config::reader::{Item, Spanned, Table, Value};
use crate::config::value::list;

/// What decides a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Http,
    Https,
    Tcp,
    Dns,
    Icmp,
    Grpc,
    Prometheus,
    External,
    Calculated,
}

const KINDS: [(&str, Kind); 9] = [
    ("http", Kind::Http),
    ("https", Kind::Https),
    ("tcp", Kind::Tcp),
    ("dns", Kind::Dns),
    ("icmp", Kind::Icmp),
    ("grpc", Kind::Grpc),
    ("prometheus", Kind::Prometheus),
    ("external", Kind::External),
    ("calculated", Kind::Calculated),
];

const HTTP: &[Kind] = &[Kind::Http, Kind::Https];
const METRIC: &[Kind] = &[Kind::Prometheus];
const STREAMS: &[Kind] = &[Kind::Http, Kind::Https, Kind::Tcp, Kind::Grpc, Kind::Prometheus];
const PROBED: &[Kind] =
    &[Kind::Http, Kind::Https, Kind::Tcp, Kind::Dns, Kind::Icmp, Kind::Grpc, Kind::Prometheus];
const OF_ENDPOINTS: &[Kind] = &[
    Kind::Http,
    Kind::Https,
    Kind::Tcp,
    Kind::Dns,
    Kind::Icmp,
    Kind::Grpc,
    Kind::External,
    Kind::Calculated,
];

/// Keys that not every kind has, and which have them.
const USES: &[(&str, &[Kind])] = &[
    ("host", &[Kind::Http, Kind::Https, Kind::Tcp, Kind::Grpc]),
    ("port", &[Kind::Http, Kind::Https, Kind::Dns, Kind::Grpc]),
    ("method", HTTP),
    ("headers", &[Kind::Http, Kind::Https, Kind::Prometheus]),
    ("expect", &[Kind::Http, Kind::Https, Kind::Tcp, Kind::Dns]),
    ("expect_regex", &[Kind::Tcp]),
    ("send", &[Kind::Tcp]),
    ("body", HTTP),
    ("body_regex", HTTP),
    ("http2", HTTP),
    ("redirects", HTTP),
    ("tls", &[Kind::Https, Kind::Tcp, Kind::Grpc, Kind::Prometheus]),
    ("type", &[Kind::Dns]),
    ("transport", &[Kind::Dns]),
    ("query", METRIC),
    ("above", METRIC),
    ("at_least", METRIC),
    ("at_most", METRIC),
    ("below", METRIC),
    ("missing", METRIC),
    ("every", PROBED),
    ("retry", PROBED),
    ("timeout", PROBED),
    ("connect_timeout", STREAMS),
    ("reply_timeout", STREAMS),
    ("body_timeout", &[Kind::Http, Kind::Https, Kind::Prometheus]),
    ("down_after", PROBED),
    ("up_after", PROBED),
    ("damping", PROBED),
    ("breaker", PROBED),
    ("recovery", PROBED),
    ("source", PROBED),
    ("latency", PROBED),
    ("address", OF_ENDPOINTS),
];

const NO_KIND: &str = "write one of http = \"/path\", https = \"/path\", tcp = 5432, dns = \"name\", icmp = true, \
                       grpc = \"service\", prometheus = \"http://…\", external = { … } or calculated = { … }";

impl Kind {
    /// Its key.
    pub(super) fn key(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(key, _)| key)
    }

    /// Whether anything is sent for it.
    pub(super) fn is_probed(self) -> bool {
        PROBED.contains(&self)
    }
}

/// Exactly one of the kinds, with its value.
pub(super) fn read<'t>(
    name: &Spanned<&str>,
    table: &mut Table<'t>,
    findings: &mut Findings<'_>,
) -> Option<(Kind, Value<'t>)> {
    let typed = KINDS.into_iter().filter_map(|(key, kind)| Some((kind, table.take(key)?)));
    let mut typed: Vec<(Kind, Item<'t>)> = typed.collect();
    typed.sort_by_key(|(_, item)| item.key.span.start);
    let mut typed = typed.into_iter();
    let Some((kind, first)) = typed.next() else {
        let message = format!("the check `{}` does not say what to probe", name.value);
        findings.error(name.span.clone(), message).help(NO_KIND);
        return None;
    };
    if let Some((_, second)) = typed.next() {
        let (one, other) = (first.key.value, second.key.value);
        let message = format!("the check `{}` is both `{one}` and `{other}`", name.value);
        findings
            .error(second.key.span, message)
            .related(first.key.span, "already said here")
            .help("make two checks of it");
        return None;
    }
    Some((kind, first.value))
}

/// Takes what a check could have. Without a kind there is no telling what is misplaced.
pub(super) fn take_all(table: &mut Table<'_>) {
    let keys = USES.iter().map(|(key, _)| *key);
    for key in keys.chain(["inverted", "disabled"]) {
        table.take(key);
    }
}

/// Takes the keys that have a meaning for other kinds only, and reports them.
pub(super) fn report_misplaced(kind: Kind, table: &mut Table<'_>, findings: &mut Findings<'_>) {
    let users = |key: &str| USES.iter().find(|(known, _)| *known == key).map(|(_, kinds)| *kinds);
    let misplaced = table.take_where(|key| users(key).is_some_and(|kinds| !kinds.contains(&kind)));
    for Item { key, .. } in misplaced {
        let message = format!("`{}` has no meaning with `{}`", key.value, kind.key());
        let kinds = users(key.value).unwrap_or_default();
        let help = advice(kind, key.value)
            .unwrap_or_else(|| format!("it is for {}", list(kinds.iter().map(|kind| kind.key()))));
        findings.error(key.span, message).help(help);
    }
}

/// What to do about a key where more can be said than whose it is.
fn advice(kind: Kind, key: &str) -> Option<String> {
    let text = match (kind, key) {
        (Kind::Tcp, "port") => "the port is the value of `tcp`",
        (Kind::Tcp, "body") => "what the endpoint must say is `expect`",
        (Kind::Tcp, "body_regex") => "what the endpoint must say is `expect_regex`",
        (Kind::Http, "tls") => "with TLS it is https = \"/path\"",
        (Kind::Prometheus, "port" | "host") => {
            "host and port are in the URL: prometheus = \"http://127.0.0.1:9090\""
        }
        (Kind::Prometheus, "address") => {
            "the URL says whom to ask; \"{address}\" in the query stands for the endpoint"
        }
        (Kind::External, "missing") => {
            "it stands in the table: external = { stale_after = \"90s\", missing = \"down\" }"
        }
        (Kind::Calculated, "at_least") => {
            "it stands in the table: calculated = { of = [\"web\", \"db\"], at_least = 1 }"
        }
        (Kind::External, _) if !is_asked(key) => {
            "nothing is probed: it is up or down as soon as that is reported"
        }
        (Kind::Calculated, _) if !is_asked(key) => {
            "nothing is probed: it follows its checks at once; write it in those"
        }
        _ => return None,
    };
    Some(text.to_owned())
}

/// Whether a key says what is asked rather than when and how often.
fn is_asked(key: &str) -> bool {
    USES.iter().any(|(known, kinds)| *known == key && *kinds != PROBED)
}
