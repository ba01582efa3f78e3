"""How each server is configured for a site.

All have one worker, minimal answers, and neither logs of queries nor rate limits; all listen on 127.0.0.1 only. A server's
function writes its configuration into a directory of its own and gives its command, or None for a site that it has nothing
for. `data` is the directory of what all servers read.
"""

import glob
import os
import re
import shutil
import subprocess

from database import CONTINENTS, COUNTRIES
from workloads import DEFAULT, SITES

VARIABLES = {"meridian": "MERIDIAN", "gdnsd": "GDNSD", "nsd": "NSD", "knot": "KNOTD", "pdns": "PDNS_SERVER"}
PROGRAMS = {"meridian": "target/release/meridian", "gdnsd": "gdnsd", "nsd": "nsd", "knot": "knotd", "pdns": "pdns_server"}
VERSION_FLAGS = {"nsd": "-v"}
TITLES = {"meridian": "meridian", "gdnsd": "gdnsd", "nsd": "NSD", "knot": "Knot", "pdns": "PowerDNS"}


def program(name):
    """The path of a server's program; None if it is not there."""
    return shutil.which(os.environ.get(VARIABLES[name], PROGRAMS[name]))


def title(name):
    run = subprocess.run([program(name), VERSION_FLAGS.get(name, "--version")], capture_output=True, text=True)
    version = re.search(r"\d+\.\d+\.\d+", run.stdout + run.stderr)
    return f"{TITLES[name]} {version.group(0)}" if version and name != "meridian" else TITLES[name]


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(content)


def zone_files(site, data):
    return {zone: f"{data}/{zone}.zone" for zone in SITES[site]}


# meridian

def geo_toml():
    """www by country; nested by country, then failover, then weights, to the same pools."""
    places = {country: (country.lower(), f"192.0.2.{i + 1}") for i, country in enumerate(COUNTRIES)}
    lines = ['zone = "geo.test"', 'ttl = "60s"']
    for pool, address in [*places.values(), ("other", DEFAULT)]:
        second = "us" if pool == "other" else "other"
        lines += [f"[pool.{pool}]", f'addresses = ["{address}"]']
        lines += [f"[policy.{pool}-weights]", 'type = "weighted"', f"weights = {{ {pool} = 60, {second} = 40 }}"]
        lines += [f"[policy.{pool}-first]", 'type = "failover"', f'targets = ["{pool}-weights", "{second}"]']
    for policy, suffix in ("by-country", ""), ("nested", "-first"):
        lines += [f"[policy.{policy}]", 'type = "geolocation"', f'default = "other{suffix}"']
        lines += [f'country.{country} = "{pool}{suffix}"' for country, (pool, _) in places.items()]
    lines += ["[names]", '"@" = { SOA = "ns hostmaster", NS = "ns" }', 'ns = { A = "127.0.0.1" }']
    lines += ['www = { policy = "by-country" }', 'nested = { policy = "nested" }']
    return "\n".join(lines) + "\n"


def numbered_toml(zone, master):
    """The same records as those of a numbered zone's master file."""
    yield f'zone = "{zone}"\nttl = "60s"\n[names]\n"@" = {{ SOA = "ns hostmaster", NS = "ns" }}\nns = {{ A = "127.0.0.1" }}\n'
    with open(master) as file:
        for line in file:
            if line.startswith("n0"):
                name, _, address = line.split()
                yield f'{name} = {{ A = "{address}" }}\n'


def meridian(site, directory, port, data):
    zones = f"{directory}/zones"
    os.makedirs(zones)
    if site == "geo":
        write(f"{zones}/geo.test.toml", geo_toml())
    elif site == "shipped":
        zones = "zones"
    for zone, file in zone_files(site, data).items() if site != "geo" else ():
        if site == "big-toml":
            with open(f"{zones}/{zone}.toml", "w") as toml:
                toml.writelines(numbered_toml(zone, file))
        else:
            os.symlink(file, f"{zones}/{zone}.zone")
    listen = ["--listen", f"127.0.0.1:{port}", "--admin", "127.0.0.1:0"]
    return [program("meridian"), "--zones", zones, *listen, "--workers", "1"]


# The peers

def gdnsd(site, directory, port, data):
    os.makedirs(f"{directory}/zones")
    plugin = ""
    for zone, file in zone_files(site, data).items():
        shutil.copy(file, f"{directory}/zones/{zone}")
    if site == "geo":
        with open(f"{data}/geo.test.zone") as file:
            write(f"{directory}/zones/geo.test", file.read().replace(f"www 60 A {DEFAULT}", "www 60 DYNA geoip!www"))
        os.makedirs(f"{directory}/geoip")
        plugin = gdnsd_geoip(data)
    options = "udp_threads => 1, tcp_threads => 1, udp_rcvbuf => 1048576, udp_sndbuf => 1048576"
    place = f"listen => [ 127.0.0.1:{port} ], run_dir => {directory}, state_dir => {directory}"
    write(f"{directory}/config", f"options => {{ {place}, {options} }}\n{plugin}")
    return [program("gdnsd"), "-c", directory, "start"]


def gdnsd_geoip(data):
    continents = {}
    for country in COUNTRIES:
        continents.setdefault(CONTINENTS[country], []).append(country)
    choices = "".join(
        f"{continent} => {{ default => [other], {', '.join(f'{c} => [dc{c.lower()}]' for c in countries)} }}\n"
        for continent, countries in continents.items())
    centers = ", ".join([f"dc{country.lower()}" for country in COUNTRIES] + ["other"])
    addresses = "".join(f"dc{country.lower()} => 192.0.2.{i + 1}\n" for i, country in enumerate(COUNTRIES))
    return f"""plugins => {{ geoip => {{
        maps => {{ m => {{ geoip2_db => {data}/geolite2.mmdb, datacenters => [{centers}],
            map => {{ default => [other],\n{choices} }} }} }}
        resources => {{ www => {{ map => m, service_types => up, dcmap => {{ {addresses} other => {DEFAULT} }} }} }}
    }} }}\n"""


def nsd(site, directory, port, data):
    if site == "geo":
        return None
    zones = "".join(f"zone:\n  name: {zone}\n  zonefile: {file}\n" for zone, file in zone_files(site, data).items())
    write(f"{directory}/nsd.conf", f"""server:
  ip-address: 127.0.0.1@{port}
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "{directory}"
  database: ""
  pidfile: "{directory}/nsd.pid"
  xfrdfile: "{directory}/xfrd.state"
  xfrdir: "{directory}"
  zonelistfile: "{directory}/zone.list"
  rrl-ratelimit: 0
  minimal-responses: yes
  reuseport: yes
remote-control:
  control-enable: no
{zones}""")
    return [program("nsd"), "-d", "-c", f"{directory}/nsd.conf"]


def knot(site, directory, port, data):
    module = use = subnets = ""
    if site == "geo":
        choices = (f'  - geo: "{country}"\n    A: 192.0.2.{i + 1}\n' for i, country in enumerate(COUNTRIES))
        write(f"{directory}/geo.conf", "www.geo.test:\n" + "".join(choices))
        module = f"""mod-geoip:
  - id: countries
    config-file: {directory}/geo.conf
    ttl: 60
    mode: geodb
    geodb-file: {os.path.abspath("geodb/iptoasn-country.mmdb")}
    geodb-key: country_code
"""
        use, subnets = "    module: mod-geoip/countries\n", "    edns-client-subnet: on\n"
    zones = "".join(
        f"  - domain: {zone}\n    file: {file}\n    zonefile-sync: -1\n    journal-content: none\n{use}"
        for zone, file in zone_files(site, data).items())
    workers = "    udp-workers: 1\n    tcp-workers: 1\n    background-workers: 1\n"
    write(f"{directory}/knot.conf", f"server:\n    listen: 127.0.0.1@{port}\n{workers}    rundir: {directory}\n{subnets}"
          f"log:\n  - target: stderr\n    any: warning\ndatabase:\n    storage: {directory}\n{module}zone:\n{zones}")
    return [program("knot"), "-c", f"{directory}/knot.conf"]


def pdns_geo_yaml():
    records = "".join(f"    {country.lower()}.cc.geo.test:\n      - a: 192.0.2.{i + 1}\n" for i, country in enumerate(COUNTRIES))
    return f"""domains:
- domain: geo.test
  ttl: 60
  records:
    geo.test:
      - soa: ns.geo.test hostmaster.geo.test 1 7200 3600 86400 60
      - ns: ns.geo.test
    ns.geo.test:
      - a: 127.0.0.1
    default.cc.geo.test:
      - a: {DEFAULT}
{records}  services:
    www.geo.test: [ '%cc.cc.geo.test', 'default.cc.geo.test' ]
"""


def pdns(site, directory, port, data):
    if not glob.glob(f"/usr/lib/*/pdns/lib{'geoip' if site == 'geo' else 'bind'}backend.so"):
        print(f"   pdns: its backend for {site} is not installed")
        return None
    if site == "geo":
        write(f"{directory}/geo.yaml", pdns_geo_yaml())
        backend = f"""launch=geoip
geoip-zones-file={directory}/geo.yaml
geoip-database-files=mmdb:{data}/geolite2.mmdb
edns-subnet-processing=yes
"""
    else:
        zones = (f'zone "{zone}" {{ type master; file "{file}"; }};\n' for zone, file in zone_files(site, data).items())
        write(f"{directory}/bind.conf", f'options {{ directory "{directory}"; }};\n{"".join(zones)}')
        backend = f"launch=bind\nbind-config={directory}/bind.conf\n"
    write(f"{directory}/pdns.conf", f"""{backend}local-address=127.0.0.1
local-port={port}
socket-dir={directory}
receiver-threads=1
distributor-threads=1
reuseport=yes
daemon=no
guardian=no
loglevel=3
cache-ttl=60
negquery-cache-ttl=60
query-cache-ttl=60
max-packet-cache-entries=2000000
max-cache-entries=2000000
""")
    return [program("pdns"), f"--config-dir={directory}"]


COMMANDS = {"meridian": meridian, "gdnsd": gdnsd, "nsd": nsd, "knot": knot, "pdns": pdns}
