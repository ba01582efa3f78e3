//! Zones with something of everything, for the tests of answers.

use super::server::Server;

/// Records of each type, names of each kind.
pub const EXAMPLE: &str = r#"
zone = "example.com"
ttl  = "1h"

[names]
"@"          = { SOA = "ns1 hostmaster", NS = ["ns1", "ns2"], A = "192.0.2.1", MX = ["10 mail", "20 mail.example.net."], TXT = "v=spf1 -all", CAA = '0 issue "ca.example.net"' }
ns1          = { A = "192.0.2.53", AAAA = "2001:db8::53" }
ns2          = { A = "198.51.100.53" }
mail         = { A = "192.0.2.25", AAAA = "2001:db8::25" }
www          = { CNAME = "web" }
web          = { CNAME = "origin" }
origin       = { A = ["192.0.2.80", "192.0.2.81"], AAAA = "2001:db8::80" }
elsewhere    = { CNAME = "www.example.net." }
"_sip._tcp"  = { SRV = "10 60 5060 mail" }
quoted       = { TXT = ['"two strings" "of one record"', "a plain; one"] }
"*.wild"     = { A = "192.0.2.99", TXT = "from the wildcard" }
"host.wild"  = { TXT = "explicit" }
"a.b.c"      = { A = "192.0.2.3" }
sub          = { NS = ["ns.sub", "ns.example.net."] }
"ns.sub"     = { A = "192.0.2.54", AAAA = "2001:db8::54" }
medium       = { A = [MEDIUM] }
big          = { TXT = [BIG] }
"#;

/// Addresses of `medium`: more than 512 octets of answer, fewer than 1232.
pub const MEDIUM: usize = 40;
/// Strings of `big`, 200 octets each: more than any UDP answer.
pub const BIG: usize = 30;

pub const REVERSE: &str = r#"
zone = "2.0.192.in-addr.arpa"
ttl  = "1h"

[names]
"@" = { SOA = "ns1.example.com. hostmaster.example.com.", NS = "ns1.example.com." }
1   = { PTR = "example.com." }
25  = { PTR = "mail.example.com." }
"#;

/// A place per answer, without checks.
pub const PLACES: &str = r#"
zone = "places.example"
ttl  = "1h"

[pool.europe]
addresses = ["192.0.2.1", "2001:db8::1"]

[pool.america]
addresses = ["192.0.2.2", "2001:db8::2"]

[pool.germany]
addresses = ["192.0.2.3", "2001:db8::3"]

[pool.rest]
addresses = ["192.0.2.4", "2001:db8::4"]

[pool.only-ipv4]
addresses = ["192.0.2.5", "192.0.2.6"]

[policy.by-place]
type         = "geolocation"
continent.EU = "europe"
continent.NA = "america"
country.DE   = "germany"
default      = "rest"

[names]
"@"    = { SOA = "ns hostmaster", NS = "ns" }
ns     = { A = "192.0.2.53" }
www    = { policy = "by-place" }
fixed  = { pool = "europe" }
narrow = { pool = "only-ipv4" }
alias  = { CNAME = "www" }
"#;

/// One name, whose endpoint is probed at this port and may take as long as it likes.
pub fn hanging(port: u16) -> String {
    format!(
        r#"
zone = "slow.example"
ttl  = "1h"

[check.slow]
http    = "/"
port    = {port}
every   = "20s"
timeout = "20s"

[pool.slow]
addresses = ["127.0.0.1"]
check     = "slow"

[names]
"@" = {{ SOA = "ns hostmaster", NS = "ns" }}
ns  = {{ A = "192.0.2.53" }}
www = {{ pool = "slow" }}
"#
    )
}

/// The example zone with its long lists filled in.
pub fn example() -> String {
    let addresses: Vec<_> = (0..MEDIUM).map(|host| format!("\"203.0.113.{}\"", host + 1)).collect();
    let strings: Vec<_> = (0..BIG).map(|n| format!("\"{n:02}{}\"", "x".repeat(198))).collect();
    EXAMPLE.replace("MEDIUM", &addresses.join(", ")).replace("BIG", &strings.join(", "))
}

/// One record of each type that has a syntax of its own, and two that have none; each at the name of its type, lest the apex
/// needs it.
#[derive(Clone, Copy, Debug)]
pub struct Typed {
    pub rtype: &'static str,
    /// As the zone file has it, with `HEX` and `BASE64` for something long.
    text: &'static str,
    /// As clients print it.
    printed: &'static str,
}

const fn typed(rtype: &'static str, text: &'static str, printed: &'static str) -> Typed {
    Typed { rtype, text, printed }
}

pub const TYPES: &[Typed] = &[
    typed("A", "192.0.2.1", "192.0.2.1"),
    typed("AAAA", "2001:db8::1", "2001:db8::1"),
    typed("NS", "ns1", "ns1.types.example."),
    typed("CNAME", "www.example.net.", "www.example.net."),
    typed("PTR", "www.example.net.", "www.example.net."),
    typed("DNAME", "example.net.", "example.net."),
    typed("MX", "10 ns1", "10 ns1.types.example."),
    typed("AFSDB", "1 ns1", "1 ns1.types.example."),
    typed("KX", "10 ns1", "10 ns1.types.example."),
    typed("TXT", r#""v=spf1 -all" "second; \"string\"""#, r#""v=spf1 -all" "second; \"string\"""#),
    typed("SPF", r#""v=spf1 -all""#, r#""v=spf1 -all""#),
    typed(
        "SOA",
        "ns1 hostmaster 2026010100 2h 1h 14d 60",
        "ns1.types.example. hostmaster.types.example. 2026010100 7200 3600 1209600 60",
    ),
    typed("SRV", "0 5 5060 ns1", "0 5 5060 ns1.types.example."),
    typed(
        "CAA",
        r#"128 issue "ca.example.net; account=7""#,
        r#"128 issue "ca.example.net; account=7""#,
    ),
    typed("HINFO", "x86-64 Linux", r#""x86-64" "Linux""#),
    typed("RP", "hostmaster txt", "hostmaster.types.example. txt.types.example."),
    typed(
        "NAPTR",
        r#"100 10 "S" "SIP+D2U" "" _sip._udp"#,
        r#"100 10 "S" "SIP+D2U" "" _sip._udp.types.example."#,
    ),
    typed("DS", "60485 13 2 HEX", "60485 13 2 HEX"),
    typed("CDS", "60485 13 2 HEX", "60485 13 2 HEX"),
    typed("SSHFP", "4 2 HEX", "4 2 HEX"),
    typed("TLSA", "3 1 1 HEX", "3 1 1 HEX"),
    typed("SMIMEA", "3 1 1 HEX", "3 1 1 HEX"),
    typed("DNSKEY", "257 3 13 BASE64", "257 3 13 BASE64"),
    typed("CDNSKEY", "257 3 13 BASE64", "257 3 13 BASE64"),
    typed("KEY", "256 3 8 BASE64", "256 3 8 BASE64"),
    typed("OPENPGPKEY", "BASE64", "BASE64"),
    typed("DHCID", "BASE64", "BASE64"),
    typed("SVCB", "1 ns1 alpn=h2,h3 port=8443", "1 ns1.types.example. alpn=h2,h3 port=8443"),
    typed("HTTPS", "1 . alpn=h2,h3", "1 . alpn=h2,h3"),
    typed("URI", r#"10 1 "https://www.example.net/a b""#, r#"10 1 "https://www.example.net/a b""#),
    typed("TYPE65280", r#"\# 4 0a000001"#, r#"\# 4 0a000001"#),
    typed("TYPE65281", r#"\# 0"#, r#"\# 0"#),
];

const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const BASE64: &str =
    "mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==";

impl Typed {
    fn fill(text: &str) -> String {
        text.replace("HEX", HEX).replace("BASE64", BASE64)
    }

    /// The data as clients print it.
    pub fn printed(&self) -> String {
        Self::fill(self.printed)
    }

    /// Whether the case of its letters means nothing: it is of hexadecimal digits.
    pub fn is_hex(&self) -> bool {
        self.text.contains("HEX") || self.text.starts_with("\\#")
    }

    /// Where it stands.
    pub fn name(&self) -> String {
        match self.rtype {
            "SOA" | "NS" => "types.example".to_owned(),
            rtype => format!("{}.types.example", rtype.to_lowercase()),
        }
    }
}

/// The zone of [`TYPES`].
fn types() -> String {
    let mut zone = "zone = \"types.example\"\nttl = \"1h\"\n\n[names]\n".to_owned();
    zone.push_str("ns1 = { A = \"192.0.2.53\" }\n");
    let mut apex = Vec::new();
    for Typed { rtype, text, .. } in TYPES {
        let record = format!("{rtype} = '{}'", Typed::fill(text));
        match *rtype {
            "SOA" | "NS" => apex.push(record),
            // DS stands beside the delegation that it is for (RFC 4035 §2.4).
            "DS" => zone.push_str(&format!("ds = {{ {record}, NS = 'ns1' }}\n")),
            _ => zone.push_str(&format!("{} = {{ {record} }}\n", rtype.to_lowercase())),
        }
    }
    zone + &format!("\"@\" = {{ {} }}\n", apex.join(", "))
}

/// A server for all of them.
pub fn serve(arguments: &[&str]) -> Server {
    let zones = [
        ("example.toml", example()),
        ("reverse.toml", REVERSE.to_owned()),
        ("places.toml", PLACES.to_owned()),
    ];
    let zones: Vec<_> = zones.iter().map(|(name, text)| (*name, text.as_str())).collect();
    Server::start(&zones, arguments)
}

/// A server for [`TYPES`].
pub fn serve_types() -> Server {
    Server::start(&[("types.toml", &types())], &[])
}
