//! `[health]`: how far the prober trusts what it sees, and what it may probe.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::places::read_networks;
use super::url::{Parts, split};
use crate::config::diagnostic::Findings;
use crate::config::reader::{Item, Table, Value};
use crate::config::value::{format_duration, list};
use crate::health::{
    CheckSpec, Damping, GuardSettings, HttpCheck, ProbeAddress, ProbeTarget, Protocol, Recovery,
    StatusSet, TcpCheck, Threshold, TlsCheck,
};
use crate::limits::SENTINELS;

/// What `[health]` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthSettings {
    /// When the last view is held; nothing: never.
    pub guard: Option<GuardSettings>,
    /// What must be reachable for failures to count: none, or at least two.
    pub sentinels: Vec<ProbeTarget>,
    /// Networks that are not probed, beyond those that never are.
    pub deny: Vec<IpNet>,
    /// Networks that are probed although they are denied otherwise.
    pub allow: Vec<IpNet>,
    /// Whether health outlives a restart, if there is a state directory.
    pub persist: bool,
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self {
            guard: Some(GuardSettings::default()),
            sentinels: Vec::new(),
            deny: Vec::new(),
            allow: Vec::new(),
            persist: true,
        }
    }
}

const NOTES: &[(&str, &str)] = &[
    ("check", "checks are in the zone files: [check.NAME]"),
    ("sentinel", "the key is `sentinels`, a list of at least two"),
    ("egress", "what may be probed is `deny` and `allow`"),
    ("webhook", "webhooks stand beside [health]: [[webhook]]"),
];

const GUARD: &str = "false or a table such as { share = 50, hold = \"10m\", small_fleet = 8 }";

/// How often a sentinel is asked, and how long it may take: two failures in a row are recognised within five seconds.
const SENTINEL_EVERY: Duration = Duration::from_secs(2);
const SENTINEL_TIMEOUT: Duration = Duration::from_secs(1);

/// The longest hold: beyond a day nobody looks after the server.
const LONGEST_HOLD: Duration = Duration::from_secs(86_400);

/// Reads `[health]`.
pub(super) fn read_health(table: &mut Table<'_>, findings: &mut Findings<'_>) -> HealthSettings {
    let defaults = HealthSettings::default();
    let Some(item) = table.take("health") else { return defaults };
    let Some(mut table) = item.value.table("[health]", "[health]", findings) else {
        return defaults;
    };
    let guard = table.take("guard");
    let sentinels = table.take("sentinels");
    let mut networks = |key| {
        let item = table.take(key);
        item.map(|item| read_networks(&item.value, findings)).unwrap_or_default()
    };
    let (deny, allow) = (networks("deny"), networks("allow"));
    let persist = table.take("persist").and_then(|item| item.value.boolean(findings));
    table.finish(NOTES, findings);
    if let Some(network) = deny.iter().find(|network| allow.contains(network)) {
        findings.error(item.key.span.clone(), format!("{network} is both denied and allowed"));
    }
    HealthSettings {
        guard: guard.map_or(defaults.guard, |item| read_guard(&item, findings)),
        sentinels: sentinels.map(|item| read_sentinels(&item, findings)).unwrap_or_default(),
        deny,
        allow,
        persist: persist.unwrap_or(defaults.persist),
    }
}

fn read_guard(item: &Item<'_>, findings: &mut Findings<'_>) -> Option<GuardSettings> {
    let Some(mut table) = item.value.as_table("the guard") else {
        if item.value.as_boolean() != Some(false) {
            item.value.expected(GUARD, findings).help("with its defaults it is on without a word");
        }
        return None;
    };
    let defaults = GuardSettings::default();
    let share = table.take("share").and_then(|item| item.value.integer(1..=100, findings));
    let hold = table.take("hold").and_then(|item| item.value.duration(findings));
    let small = table.take("small_fleet").and_then(|item| item.value.integer(0..=65_535, findings));
    table.finish(&[], findings);
    let range = Duration::from_secs(1)..=LONGEST_HOLD;
    if let Some(hold) = hold.as_ref().filter(|hold| !range.contains(&hold.value)) {
        let label = format!("this is {}", format_duration(hold.value));
        findings.error(hold.span.clone(), "`hold` must be from 1s to 1d").label(label);
    }
    Some(GuardSettings {
        share: share.and_then(|share| share.try_into().ok()).unwrap_or(defaults.share),
        hold: hold.map_or(defaults.hold, |hold| hold.value),
        small_fleet: small.and_then(|most| most.try_into().ok()).unwrap_or(defaults.small_fleet),
    })
}

fn read_sentinels(item: &Item<'_>, findings: &mut Findings<'_>) -> Vec<ProbeTarget> {
    let Some(values) = item.value.as_array() else {
        item.value
            .expected("a list such as [\"icmp://192.0.2.1\", \"tcp://192.0.2.2:53\"]", findings);
        return Vec::new();
    };
    let (fewest, most) = SENTINELS;
    if !values.is_empty() && !(fewest..=most).contains(&values.len()) {
        let message = format!("`sentinels` must be none, or {fewest} to {most}");
        findings
            .error(item.value.span(), message)
            .label(format!("these are {}", values.len()))
            .help("one alone can't tell its own failure from ours");
    }
    let mut sentinels: Vec<ProbeTarget> = Vec::with_capacity(values.len().min(most));
    for value in values.iter().take(most) {
        let Some(sentinel) = read_sentinel(value, findings) else { continue };
        if sentinels.contains(&sentinel) {
            findings.error(value.span(), format!("the sentinel {sentinel} stands here twice"));
        }
        sentinels.push(sentinel);
    }
    sentinels
}

const SENTINEL: &str =
    "a sentinel such as \"tcp://192.0.2.1:443\", \"icmp://192.0.2.9\" or \"https://192.0.2.5/\"";

fn read_sentinel(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<ProbeTarget> {
    let text = value.string(SENTINEL, findings)?;
    match parse_sentinel(text.value) {
        Ok(sentinel) => Some(sentinel),
        Err(problem) => {
            let message = format!("`{}` is no sentinel", text.value);
            findings.error(text.span, message).label(problem).help(format!("write {SENTINEL}"));
            None
        }
    }
}

fn parse_sentinel(text: &str) -> Result<ProbeTarget, String> {
    let parts = split(text)?;
    let (protocol, port) = match parts.scheme {
        "http" | "https" => parse_http(&parts)?,
        "tcp" | "tls" => {
            expect_nothing(parts.path, "a path")?;
            let tls = (parts.scheme == "tls").then(TlsCheck::default);
            let port = parts.port.ok_or("it needs a port")?;
            (Protocol::Tcp(TcpCheck { tls, ..TcpCheck::default() }), port)
        }
        "icmp" => {
            expect_nothing(parts.path, "a path")?;
            expect_nothing(parts.port.map_or("", |_| ":"), "a port")?;
            (Protocol::Icmp, 0)
        }
        other => {
            let known = list(["tcp", "tls", "icmp", "http", "https"]);
            return Err(format!("`{other}` is none of {known}"));
        }
    };
    let address = match parts.host.parse::<IpAddr>() {
        Ok(address) if address.is_unspecified() || address.is_multicast() => {
            return Err(format!("nothing can be probed at {address}"));
        }
        Ok(address) => ProbeAddress::Ip(address),
        Err(_) => ProbeAddress::Name(parts.host),
    };
    Ok(ProbeTarget { check: Arc::new(sentinel_check(protocol, port)), address })
}

fn parse_http(parts: &Parts<'_>) -> Result<(Protocol, u16), String> {
    let path = HttpCheck::parse_path(parts.path).map_err(|error| error.to_string())?;
    let tls = (parts.scheme == "https").then(TlsCheck::default);
    let own_port = if tls.is_some() { 443 } else { 80 };
    // An answer is an answer: a sentinel shows that packets come back, and not that a service is well.
    let expect = StatusSet::parse("200-599").map_err(|error| error.to_string())?;
    let check = HttpCheck { tls, expect, ..HttpCheck::new(&path) };
    Ok((Protocol::Http(check), parts.port.unwrap_or(own_port)))
}

fn expect_nothing(text: &str, what: &str) -> Result<(), String> {
    if text.is_empty() { Ok(()) } else { Err(format!("{what} has no meaning here")) }
}

/// Down after two failures, up again with the first answer: a sentinel is to follow the network closely.
fn sentinel_check(protocol: Protocol, port: u16) -> CheckSpec {
    let threshold = |count: u8| Threshold::try_from(count).unwrap_or_default();
    CheckSpec {
        every: SENTINEL_EVERY,
        retry: SENTINEL_EVERY,
        timeout: SENTINEL_TIMEOUT,
        down_after: threshold(2),
        up_after: threshold(1),
        recovery: Recovery::Damped(Damping::NONE),
        ..CheckSpec::new(protocol, port)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Settings, read_settings};
    use super::*;
    use crate::config::Source;

    fn read(text: &str) -> Result<HealthSettings, Vec<crate::config::Diagnostic>> {
        let settings = read_settings(&Source::new("meridian.toml", text, 0));
        settings.map(|settings: Settings| settings.health)
    }

    #[test]
    fn health_has_defaults() {
        let defaults = read("").unwrap();
        assert_eq!(defaults, HealthSettings::default());
        assert_eq!(defaults, read("[health]\nguard = { }\nsentinels = []\n").unwrap());
        let guard = defaults.guard.unwrap();
        assert_eq!((guard.share, guard.hold.as_secs(), guard.small_fleet), (50, 600, 8));
        assert!(defaults.persist && defaults.sentinels.is_empty());
    }

    #[test]
    fn health_is_read() {
        let health = read(
            "[health]\nguard = { share = 30, hold = \"5m\" }\n\
             sentinels = [\"tcp://198.51.100.1:443\", \"icmp://198.51.100.9\", \"https://203.0.113.5/\",\
             \"http://[2001:db8::1]:8080\", \"tls://a.example:853\"]\n\
             deny = [\"10.0.0.0/8\"]\nallow = [\"169.254.7.0/24\"]\npersist = false\n",
        )
        .unwrap();
        let guard = health.guard.unwrap();
        assert_eq!((guard.share, guard.hold.as_secs(), guard.small_fleet), (30, 300, 8));
        let shown: Vec<String> = health.sentinels.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "tcp://198.51.100.1:443",
                "icmp://198.51.100.9",
                "https://203.0.113.5:443/",
                "http://[2001:db8::1]:8080/",
                "tls://a.example:853"
            ]
        );
        for sentinel in &health.sentinels {
            let check = &sentinel.check;
            assert_eq!((check.every, check.retry), (SENTINEL_EVERY, SENTINEL_EVERY));
            assert_eq!((check.down_after.as_u8(), check.up_after.as_u8()), (2, 1));
            assert_eq!(check.recovery, Recovery::Damped(Damping::NONE));
            if let Protocol::Http(http) = &check.protocol {
                assert!(http.expect.contains(503));
            }
        }
        assert_eq!((health.deny.len(), health.allow.len(), health.persist), (1, 1, false));
        assert_eq!(read("[health]\nguard = false\n").unwrap().guard, None);
    }

    #[test]
    fn mistakes_are_explained() {
        let two =
            |other: &str| format!("[health]\nsentinels = [\"icmp://192.0.2.1\", \"{other}\"]\n");
        for (text, message, label) in [
            (
                "[health]\nguard = true\n",
                "`guard` must be false or a table such as { share = 50, hold = \"10m\", small_fleet = 8 }",
                "this is `true`",
            ),
            (
                "[health]\nguard = { share = 0 }\n",
                "`share` must be an integer from 1 to 100",
                "this is the integer 0",
            ),
            ("[health]\nguard = { hold = \"0s\" }\n", "`hold` must be from 1s to 1d", "this is 0s"),
            (
                "[health]\nsentinels = [\"icmp://192.0.2.1\"]\n",
                "`sentinels` must be none, or 2 to 16",
                "these are 1",
            ),
            (&two("icmp://192.0.2.1"), "the sentinel icmp://192.0.2.1 stands here twice", ""),
            (
                &two("192.0.2.2:53"),
                "`192.0.2.2:53` is no sentinel",
                "it has no scheme such as https://",
            ),
            (&two("tcp://192.0.2.2"), "`tcp://192.0.2.2` is no sentinel", "it needs a port"),
            (
                &two("icmp://192.0.2.2:1"),
                "`icmp://192.0.2.2:1` is no sentinel",
                "a port has no meaning here",
            ),
            (
                &two("udp://192.0.2.2:53"),
                "`udp://192.0.2.2:53` is no sentinel",
                "`udp` is none of `tcp`, `tls`, `icmp`, `http`, `https`",
            ),
            (
                &two("icmp://224.0.0.1"),
                "`icmp://224.0.0.1` is no sentinel",
                "nothing can be probed at 224.0.0.1",
            ),
            (
                "[health]\ndeny = [\"10.0.0.0/8\"]\nallow = [\"10.0.0.0/8\"]\n",
                "10.0.0.0/8 is both denied and allowed",
                "",
            ),
            ("[health]\nallow = [\"10.0.0.1/8\"]\n", "`10.0.0.1/8` has bits behind its length", ""),
            (
                "[health]\ngaurd = false\n",
                "unknown key `gaurd` in [health]",
                "did you mean `guard`?",
            ),
        ] {
            let found = read(text).unwrap_err();
            assert_eq!((found[0].message.as_str(), &*found[0].label), (message, label), "{text}");
        }
    }
}
