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
