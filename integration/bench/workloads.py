"""What is asked: zones, queries and the answers that they must get, the same for every server.

A site is what one process serves at once; the workloads of a site are measured on the same process. `small` has two zones of
1,000 names and of kinds of answers, `geo` one name per choice, `big` a million names. Everything is made from a fixed seed.
"""

import ipaddress
import random
import struct
from dataclasses import dataclass
from functools import partial

from database import COUNTRIES

SMALL, BIG = 1000, 1_000_000
A, AAAA = 1, 28
NOERROR, NXDOMAIN = 0, 3
# The i-th country is sent to 192.0.2.(i+1), everybody else to the default.
DEFAULT = "192.0.2.99"
APEX = "@ 3600 IN SOA ns hostmaster 1 7200 3600 86400 60\n@ 3600 IN NS ns\nns 3600 IN A 127.0.0.1\n"

PEERS = ("gdnsd", "nsd", "knot", "pdns")
EVERYBODY = ("meridian", *PEERS)
WITH_GEO = ("meridian", "gdnsd", "knot", "pdns")
OURS = ("meridian",)


@dataclass(frozen=True)
class Expected:
    rcode: int = NOERROR
    addresses: tuple = ()
    is_referral: bool = False


@dataclass(frozen=True)
class Query:
    """`expected` may be a function that finds what is right, where that takes time. `subnet` is a client's, in whole octets."""
    name: str
    expected: object
    type: int = A
    subnet: bytes = b""
    is_ipv6: bool = False

    def accepted(self):
        """The replies that are right; none if nobody can say."""
        return self.expected() if callable(self.expected) else [self.expected]

    def to_wire(self):
        option, family = b"", 2 if self.is_ipv6 else 1
        if self.subnet:
            size = len(self.subnet)
            option = struct.pack(">HHHBB", 8, 4 + size, family, size * 8, 0) + self.subnet
        labels = b"".join(bytes([len(label)]) + label.encode() for label in self.name.split("."))
        header = struct.pack(">HHHHHH", 0, 0, 1, 0, 0, 1)
        opt = b"\0" + struct.pack(">HHIH", 41, 1232, 0, len(option)) + option
        return header + labels + b"\0" + struct.pack(">HH", self.type, 1) + opt


def parse_reply(reply):
    """What a reply says of what is expected; raises if it is no whole message."""
    def skip_name(at):
        while reply[at]:
            if reply[at] >= 0xC0:
                return at + 2
            at += reply[at] + 1
        return at + 1

    answers, authorities = struct.unpack(">HH", reply[6:10])
    at, addresses, cuts = skip_name(12) + 4, [], 0
    for number in range(answers + authorities):
        at = skip_name(at)
        type_, _, _, length = struct.unpack(">HHIH", reply[at : at + 10])
        at += 10
        if number < answers and type_ == A:
            addresses.append(str(ipaddress.ip_address(reply[at : at + length])))
        cuts += number >= answers and type_ == 2
        at += length
    return Expected(reply[3] & 15, tuple(addresses), answers == 0 and cuts > 0)


def address_of(number):
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


# Zones. Each function gives the lines of a master file after its apex.

def numbered_zone(count, digits):
    return (f"n{i:0{digits}d} A {address_of(i)}\n" for i in range(count))


def kinds_zone():
    """A wildcard, chains of two CNAMEs, and delegations with glue."""
    yield "*.w A 10.9.0.1\n"
    for i in range(100):
        yield f"a{i:03d} CNAME b{i:03d}\nb{i:03d} CNAME n{i:03d}\nn{i:03d} A {address_of(i)}\n"
        yield f"d{i:03d} NS ns.d{i:03d}\nns.d{i:03d} A {address_of(i)}\n"


def geo_zone():
    yield f"www 60 A {DEFAULT}\n"


ZONES = {
    "static.test": partial(numbered_zone, SMALL, 6),
    "kinds.test": kinds_zone,
    "geo.test": geo_zone,
    "big.test": partial(numbered_zone, BIG, 7),
}
SITES = {
    "small": ["static.test", "kinds.test"],
    "geo": ["geo.test"],
    "big": ["big.test"],
    "big-toml": ["big.test"],
    "shipped": [],
}


# Queries. Each function gives one, with its answer.

def static_query(random):
    number = random.randrange(SMALL)
    return Query(f"n{number:06d}.static.test", Expected(addresses=(address_of(number),)))


def nx_query(random):
    if random.random() < 0.5:
        return static_query(random)
    return Query(f"x{random.randrange(1 << 24):06x}.static.test", Expected(NXDOMAIN))


def nodata_query(random):
    return Query(static_query(random).name, Expected(), AAAA)


def wildcard_query(random):
    return Query(f"x{random.randrange(1 << 24):06x}.w.kinds.test", Expected(addresses=("10.9.0.1",)))


def cname_query(random):
    number = random.randrange(100)
    return Query(f"a{number:03d}.kinds.test", Expected(addresses=(address_of(number),)))


def referral_query(random):
    return Query(f"www.d{random.randrange(100):03d}.kinds.test", Expected(is_referral=True))


def big_query(random):
    number = random.randrange(BIG)
    return Query(f"n{number:07d}.big.test", Expected(addresses=(address_of(number),)))


def geo_query(name, is_ipv6, random, database):
    """A /24 of IPv4 at random, or a /56 of IPv6 that the database knows."""
    if is_ipv6:
        subnet = database.draw_ipv6(random).to_bytes(16, "big")[:7]
    else:
        subnet = bytes([random.randrange(1, 224), random.randrange(256), random.randrange(256)])
    expect = partial(expect_by_country, database, subnet, is_ipv6, name.startswith("nested"))
    return Query(name, expect, subnet=subnet, is_ipv6=is_ipv6)


def expect_by_country(database, subnet, is_ipv6, is_nested):
    """Nested, two in five go to the default instead, and of those without a country to the first one's. A subnet that the
    database splits has no one right answer."""
    country, length = database.find(ipaddress.ip_address(subnet.ljust(16 if is_ipv6 else 4, b"\0")))
    if length > len(subnet) * 8:
        return []
    own = f"192.0.2.{COUNTRIES.index(country) + 1}" if country in COUNTRIES else DEFAULT
    other = "192.0.2.1" if own == DEFAULT else DEFAULT
    return [Expected(addresses=(address,)) for address in ([own, other] if is_nested else [own])]


@dataclass(frozen=True)
class Workload:
    """`count` is of queries that are repeated; `load` says how they are sent (`LOADS` of measure.py), and `disturbance` what
    happens meanwhile."""
    name: str
    label: str
    site: str
    query: object
    count: int = 100_000
    servers: tuple = EVERYBODY
    load: str = "own"
    needs_database: bool = False
    disturbance: str = None

    def make_queries(self, database):
        source = random.Random(1)
        arguments = (source, database) if self.needs_database else (source,)
        return (self.query(*arguments) for _ in range(self.count))


GEO_V4, GEO_V6 = partial(geo_query, "www.geo.test", False), partial(geo_query, "www.geo.test", True)
NESTED_V4 = partial(geo_query, "nested.geo.test", False)
STREAM = ("meridian", "gdnsd", "nsd", "knot")

WORKLOADS = [
    Workload("static", "1,000 names, a port for each query", "small", static_query),
    Workload("shared", "1,000 names, 8 ports", "small", static_query, load="shared"),
    Workload("nx", "half of the names do not exist", "small", nx_query, 300_000),
    Workload("nodata", "no data", "small", nodata_query),
    Workload("wildcard", "wildcard", "small", wildcard_query, 300_000),
    # gdnsd answers with the first CNAME and leaves the rest to the resolver.
    Workload("cname", "two CNAMEs and an address", "small", cname_query, servers=("meridian", "nsd", "knot", "pdns")),
    Workload("referral", "referral with glue", "small", referral_query),
    Workload("latency", "at 50,000 queries/s", "small", static_query, load="paced"),
    Workload("reload", "the same, reloaded twice a second", "small", static_query,
             servers=OURS, load="paced", disturbance="reload"),
    Workload("scrape", "the same, /metrics ten times a second", "small", static_query,
             servers=OURS, load="paced", disturbance="scrape"),
    Workload("tcp", "TCP, one connection", "small", static_query, servers=STREAM, load="tcp"),
    Workload("tcp-each", "TCP, a connection for each query", "small", static_query, servers=STREAM, load="tcp-each"),
    Workload("geo", "by country, random /24", "geo", GEO_V4, 300_000, WITH_GEO, needs_database=True),
    Workload("geo-ipv6", "by country, random /56", "geo", GEO_V6, 300_000, WITH_GEO, needs_database=True),
    Workload("geo-nested", "country, failover, weights", "geo", NESTED_V4, 300_000, OURS, needs_database=True),
    Workload("big", "1,000,000 names", "big", big_query, BIG),
    Workload("big-toml", "1,000,000 names from TOML", "big-toml", big_query, BIG, OURS),
    Workload("start", "the zones of this repository", "shipped", None, servers=OURS, load="none"),
]
BY_NAME = {workload.name: workload for workload in WORKLOADS}


def write_zone(path, zone):
    with open(path, "w") as file:
        file.write(f"$ORIGIN {zone}.\n$TTL 60\n" + APEX)
        file.writelines(ZONES[zone]())


def write_queries(path, queries):
    """The file that `dnsblast -f` and `dnsperf -B` read."""
    with open(path, "wb") as file:
        for query in queries:
            message = query.to_wire()
            file.write(struct.pack(">H", len(message)) + message)
