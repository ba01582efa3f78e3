//! What is probed: a check, and the address it is run against.
//!
//! These are compiled values: `config` makes them from what was typed, `probe` carries them out. Everything here has `Eq`
//! and `Hash`, because identical checks of one address run once and because a reload keeps what is equal.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::protocol::{CalculatedCheck, Protocol};
use super::stable::stable_hash;
use crate::limits::CHECK_THRESHOLD;

/// One check of one address. Equal targets share one schedule, one state and one set of statistics.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProbeTarget {
    /// How to probe. Shared by all addresses of a pool.
    pub check: Arc<CheckSpec>,
    /// Where to probe. Not necessarily an address we hand out (Route 53 rule 5).
    pub address: ProbeAddress,
}

/// Where a probe goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ProbeAddress {
    /// A fixed address. Private and loopback ones are allowed, unlike at Route 53 (rule 65).
    Ip(IpAddr),
    /// A host name, resolved before every probe, IPv4 only (Route 53 rule 64); no A record is a failure.
    Name(Box<str>),
}

/// How one kind of endpoint is checked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CheckSpec {
    /// What is spoken to the endpoint.
    pub protocol: Protocol,
    /// TCP or UDP port, host order; 0 where the protocol has none.
    pub port: u16,
    /// Time from the end of one probe to the start of the next (Route 53 rule 59).
    pub every: Duration,
    /// The same while a run of results that could change the status is under way: after a first failure of what is up, and
    /// after a first success of what is down. Never more than `every`.
    pub retry: Duration,
    /// Time one probe may take, from the first packet to the verdict. Resolving a name has the same time again.
    pub timeout: Duration,
    /// Limits of the parts of a probe, within `timeout`.
    pub phases: Phases,
    /// Consecutive failures that turn Up into Down.
    pub down_after: Threshold,
    /// Consecutive successes that turn Down into Up.
    pub up_after: Threshold,
    /// What else an endpoint must do to come back.
    pub recovery: Recovery,
    /// Addresses that probes are sent from, at most one of a family; the kernel's choice where there is none.
    pub sources: Box<[IpAddr]>,
    /// Which statistic of the latencies policies see.
    pub latency: LatencyMeasure,
    /// Up counts as down and down as up (Route 53 rule 70).
    pub is_inverted: bool,
    /// Never probed; counts as up, or as down if inverted (Route 53 rule 70).
    pub is_disabled: bool,
}

/// How long the parts of a probe may take; what has no limit of its own has that of the whole probe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Phases {
    /// Until the connection stands, TLS included (Route 53 rule 60: 4 s).
    pub connect: Option<Duration>,
    /// From there until the reply's status (Route 53 rule 60: 2 s).
    pub reply: Option<Duration>,
    /// From there until as much of the body is in as is looked at (Route 53 rule 61: 2 s).
    pub body: Option<Duration>,
}

/// How what is down comes back, beyond `up_after` successes in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Recovery {
    /// Not before some time has passed since its last failure, which grows while it keeps failing soon after.
    Damped(Damping),
    /// Left alone for some time, then tried; a failed trial leaves it alone for twice as long.
    Breaker(Breaker),
    /// When an operator says so.
    Manual,
}

/// How long a good run must last: what flaps stays down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Damping {
    /// Time without a failure before the first recovery. Doubles with every further one, until it has been up for `longest`.
    pub hold: Duration,
    /// What it doubles up to.
    pub longest: Duration,
}

/// How long what is down is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Breaker {
    /// Time from going down to the first trial. Doubles with every failed trial and with every further opening, until it has
    /// been up for `longest`.
    pub reset: Duration,
    /// What it doubles up to.
    pub longest: Duration,
}

impl Damping {
    /// No damping at all, as Route 53.
    pub const NONE: Self = Self { hold: Duration::ZERO, longest: Duration::ZERO };
    /// Half a minute without a failure, ten minutes for what keeps flapping.
    pub const DEFAULT: Self =
        Self { hold: Duration::from_secs(30), longest: Duration::from_secs(600) };
}

/// Which statistic of an endpoint's latencies policies see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LatencyMeasure {
    /// Smoothed as TCP smooths its round-trip time (RFC 6298 §2).
    #[default]
    Average,
    /// The median of the last ones.
    P50,
    /// What 95 in 100 of the last ones stay within.
    P95,
}

/// A number of consecutive results, 1 to 10 (Route 53 rule 59).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Threshold(u8);

/// A threshold that is 0 or more than 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThresholdError(pub u8);

impl CheckSpec {
    /// A check with Route 53's defaults (rules 59 and 60) but for what it speaks: every 30 s, 4 s, three results; damped.
    pub fn new(protocol: Protocol, port: u16) -> Self {
        Self {
            protocol,
            port,
            every: Self::EVERY,
            retry: Self::EVERY,
            timeout: Self::TIMEOUT,
            phases: Phases::default(),
            down_after: Threshold::DEFAULT,
            up_after: Threshold::DEFAULT,
            recovery: Recovery::Damped(Damping::DEFAULT),
            sources: Box::default(),
            latency: LatencyMeasure::default(),
            is_inverted: false,
            is_disabled: false,
        }
    }

    /// Route 53's standard interval (rule 59).
    pub const EVERY: Duration = Duration::from_secs(30);

    /// Route 53's time for connecting (rule 60).
    pub const TIMEOUT: Duration = Duration::from_secs(4);

    /// Whether the prober sends something for it.
    pub fn is_probed(&self) -> bool {
        !self.is_disabled && self.protocol.is_probed()
    }
}

impl ProbeTarget {
    /// What it asks, in text that stays the same over restarts: whatever has the same one has the same answers. The pace and the
    /// thresholds are not in it.
    pub fn key(&self) -> String {
        let asked = format!(
            "{:?} {:?} {}",
            self.check.protocol, self.check.sources, self.check.is_inverted
        );
        format!("{self} #{:016x}", stable_hash(asked.as_bytes()))
    }

    /// What a calculated check is calculated from; nothing for all others.
    pub fn children(&self) -> impl Iterator<Item = Self> + '_ {
        let children = match &self.check.protocol {
            Protocol::Calculated(calculated) => &*calculated.children,
            _ => &[],
        };
        children.iter().map(|child| Self {
            check: Arc::clone(&child.check),
            address: child.address.clone().unwrap_or_else(|| self.address.clone()),
        })
    }
}

impl Threshold {
    /// Route 53's default in both directions (rule 59).
    pub const DEFAULT: Self = Self(3);

    /// The number of consecutive results, never 0.
    pub fn as_u8(self) -> u8 {
        self.0
    }
}

impl Default for Threshold {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl TryFrom<u8> for Threshold {
    type Error = ThresholdError;

    fn try_from(count: u8) -> Result<Self, ThresholdError> {
        if (1..=CHECK_THRESHOLD).contains(&count) {
            Ok(Self(count))
        } else {
            Err(ThresholdError(count))
        }
    }
}

impl fmt::Display for ThresholdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a threshold of {} is not between 1 and {CHECK_THRESHOLD}", self.0)
    }
}

impl std::error::Error for ThresholdError {}

impl fmt::Display for ProbeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Ip(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// `https://192.0.2.1:443/healthz (www.example.com)`, `tcp://[2001:db8::1]:25`, `icmp://192.0.2.1`.
impl fmt::Display for ProbeTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, port) = (&self.address, self.check.port);
        match &self.check.protocol {
            Protocol::Tcp(tcp) => {
                let scheme = if tcp.tls.is_some() { "tls" } else { "tcp" };
                write!(f, "{scheme}://{address}:{port}")
            }
            Protocol::Http(http) => {
                let scheme = if http.tls.is_some() { "https" } else { "http" };
                write!(f, "{scheme}://{address}:{port}{}", http.path)?;
                http.host.as_ref().map_or(Ok(()), |host| write!(f, " ({host})"))
            }
            Protocol::Dns(dns) => write!(f, "dns://{address}:{port}/{}?{}", dns.name, dns.rtype),
            Protocol::Icmp => write!(f, "icmp://{address}"),
            Protocol::Grpc(grpc) => write!(f, "grpc://{address}:{port}/{}", grpc.service),
            Protocol::Prometheus(metric) => {
                let (sign, limit) = (metric.comparison.as_sign(), metric.limit.as_f64());
                write!(f, "prometheus://{address}:{port} {} {sign} {limit}", metric.query)
            }
            Protocol::External(external) => write!(f, "external {} {address}", external.name),
            Protocol::Calculated(CalculatedCheck { children, .. }) => {
                write!(f, "{} checks of {address}", children.len())
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::health::{HttpCheck, TcpCheck, TlsCheck};

    fn target(protocol: Protocol, address: &str) -> ProbeTarget {
        let check = CheckSpec::new(protocol, 8443);
        ProbeTarget { check: Arc::new(check), address: ProbeAddress::Ip(address.parse().unwrap()) }
    }

    fn https(host: Option<&str>) -> Protocol {
        let http = HttpCheck { tls: Some(TlsCheck::default()), ..HttpCheck::new("/healthz") };
        Protocol::Http(HttpCheck { host: host.map(Into::into), ..http })
    }

    #[test]
    fn rule_59_a_threshold_is_one_to_ten_and_three_by_default() {
        assert_eq!(Threshold::default().as_u8(), 3);
        for count in 0..=u8::MAX {
            assert_eq!(Threshold::try_from(count).is_ok(), (1..=10).contains(&count), "{count}");
        }
        assert_eq!(ThresholdError(0).to_string(), "a threshold of 0 is not between 1 and 10");
    }

    #[test]
    fn identical_checks_of_one_address_are_one_target() {
        let set = |targets: Vec<ProbeTarget>| {
            targets.into_iter().collect::<std::collections::HashSet<_>>().len()
        };
        let web = target(https(Some("a.example")), "192.0.2.1");
        assert_eq!(set(vec![web.clone(), target(https(Some("a.example")), "192.0.2.1")]), 1);
        assert_eq!(set(vec![web.clone(), target(https(Some("a.example")), "192.0.2.2")]), 2);
        assert_eq!(set(vec![web, target(https(Some("b.example")), "192.0.2.1")]), 2);
    }

    #[test]
    fn a_target_prints_as_its_address_is_written() {
        let shown = |protocol, address| target(protocol, address).to_string();
        assert_eq!(shown(Protocol::Tcp(TcpCheck::default()), "192.0.2.1"), "tcp://192.0.2.1:8443");
        assert_eq!(shown(https(None), "2001:db8::1"), "https://[2001:db8::1]:8443/healthz");
        assert_eq!(
            shown(https(Some("www.example.com")), "192.0.2.1"),
            "https://192.0.2.1:8443/healthz (www.example.com)"
        );
    }
}
