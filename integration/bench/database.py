"""The country database of this repository, as its readers want it.

The file is flat (`country_code`), which Knot takes as it is. gdnsd and PowerDNS are written for GeoLite2's records
(`country.iso_code`, with the continent): they get the same search tree with such records.
"""

import ipaddress
import struct

COUNTRIES = "US DE GB FR NL JP KR CN IN AU BR CA ZA RU SE SG".split()
CONTINENTS = dict(zip(COUNTRIES, "NA EU EU EU EU AS AS AS AS OC SA NA AF EU EU AS".split()))
METADATA = b"\xab\xcd\xefMaxMind.com"
SEPARATOR = 16


def text(value):
    return bytes([0x40 | len(value)]) + value.encode()


def number(type_, size, value):
    head = bytes([type_ << 5 | size]) if type_ < 8 else bytes([size, type_ - 7])
    return head + value.to_bytes(size, "big")


class CountryDatabase:
    """A search tree of 24-bit records (https://maxmind.github.io/MaxMind-DB/)."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.octets = file.read()
        self.metadata = self.octets.rindex(METADATA)
        self.nodes = self._metadata_number("node_count")
        size, version = self._metadata_number("record_size"), self._metadata_number("ip_version")
        if (size, version) != (24, 6):
            raise SystemExit(f"{path}: records of 24 bits and IPv6 are needed, not {size} bits and version {version}")
        self.data = self.nodes * 6 + SEPARATOR
        self.countries = {}

    def _metadata_number(self, key):
        at = self.octets.index(key.encode(), self.metadata) + len(key)
        return int.from_bytes(self.octets[at + 1 : at + 1 + (self.octets[at] & 31)], "big")

    def _child(self, node, bit):
        at = node * 6 + bit * 3
        return int.from_bytes(self.octets[at : at + 3], "big")

    def country_of(self, record):
        """The country of what a search ended with; None if it found nothing."""
        if record <= self.nodes:
            return None
        if record not in self.countries:
            at = self.data + record - self.nodes - SEPARATOR
            key, at = self._string(at + 1)
            if self.octets[self.data + record - self.nodes - SEPARATOR] != 0xE1 or key != "country_code":
                raise SystemExit("a database of flat records is needed, {\"country_code\": …}")
            self.countries[record] = self._string(at)[0]
        return self.countries[record]

    def _string(self, at):
        """The string at an offset, or that it points to, and where the next value begins."""
        control = self.octets[at]
        if control >> 5 == 2:
            end = at + 1 + (control & 31)
            return self.octets[at + 1 : end].decode(), end
        size = control >> 3 & 3
        more = int.from_bytes(self.octets[at + 1 : at + 2 + size], "big")
        pointer = ((control & 7) << 8 * (size + 1)) + more + (0, 2048, 526336)[size]
        return self._string(self.data + pointer)[0], at + 2 + size

    def find(self, address):
        """The country of an address, and how many bits of it decide."""
        width = address.max_prefixlen
        bits, node = int(address), 0
        for at in range(128):
            left = 127 - at
            node = self._child(node, bits >> left & 1)
            if node >= self.nodes:
                return self.country_of(node), at + 1 - (128 - width)
        raise SystemExit("the search tree has no end")

    def draw_ipv6(self, random):
        """An address of a network that is in the database, each branch of the tree being as likely as the other."""
        node, bits = 0, 0
        for at in range(128):
            # 2000::/3 is what is given out.
            bit = (0, 0, 1)[at] if at < 3 else random.getrandbits(1)
            if at >= 3 and self._child(node, bit) == self.nodes:
                bit ^= 1
            bits, node = bits << 1 | bit, self._child(node, bit)
            if node >= self.nodes:
                return bits << (127 - at) | random.getrandbits(127 - at)
        return bits

    def write_as_geolite2(self, path):
        records, offsets = bytearray(), {}
        tree = bytearray(self.octets[: self.nodes * 6])
        for at in range(0, len(tree), 3):
            country = self.country_of(int.from_bytes(tree[at : at + 3], "big"))
            if country is None:
                continue
            if country not in offsets:
                offsets[country] = len(records)
                continent = text("continent") + b"\xe1" + text("code") + text(CONTINENTS.get(country, "--"))
                records += b"\xe2" + continent + text("country") + b"\xe1" + text("iso_code") + text(country)
            tree[at : at + 3] = (self.nodes + SEPARATOR + offsets[country]).to_bytes(3, "big")
        metadata = {
            "binary_format_major_version": number(5, 2, 2), "binary_format_minor_version": number(5, 2, 0),
            "build_epoch": number(9, 8, 1_750_000_000), "database_type": text("GeoLite2-Country"),
            "description": b"\xe1" + text("en") + text("benchmark"), "ip_version": number(5, 2, 6),
            "languages": b"\x01\x04" + text("en"), "node_count": number(6, 4, self.nodes), "record_size": number(5, 2, 24),
        }
        with open(path, "wb") as file:
            file.write(bytes(tree) + bytes(SEPARATOR) + records + METADATA + bytes([0xE0 | len(metadata)]))
            file.writelines(text(key) + value for key, value in metadata.items())
