"""Runs the servers side by side and measures them in rounds that take turns, so that what else happens on the machine hits
all alike: integration/bench/run, which tells the options.

The server has one processor and the generator another. What counts is the processor time that the server's threads have used
per answered query, by the scheduler's own account: it hardly moves when the machine is shared, unlike queries per second.
"""

import argparse
import itertools
import json
import math
import os
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import report
from configure import VARIABLES, program, title
from database import CountryDatabase
from server import Server
from workloads import BY_NAME, PEERS, SITES, WORKLOADS, Expected, Query, write_queries, write_zone

SERVER_CORE, GENERATOR_CORE = 0, 1
CHECKED_QUERIES = 50
WARM_UP_S = 0.5
STARTS = 5
# Share of the machine that others may use during a measurement; it is repeated once if they use more.
NOISE_LIMIT, ATTEMPTS = 0.12, 2
QUIET_WAIT_S = 1.5
LOST_LIMIT = 0.001
DISTURBANCE_S = {"reload": 0.5, "scrape": 0.1}

# How queries are sent: options of dnsblast, and over TCP of dnsperf and of dnsconnect.
LOADS = {
    # 128 are under way in both, which the receive buffers that servers have by default can hold.
    "own": ["-c", "128", "-w", "128"],
    "shared": ["-c", "8", "-w", "128", "-g", "16"],
    "paced": ["-c", "256", "-r", "50000", "-b", "8"],
    "tcp": ["-c", "1", "-q", "128"],
    # With more than ten connections at once Knot 3.2 answers some tens of queries a second.
    "tcp-each": ["-w", "8"],
}


def parse_arguments():
    parser = argparse.ArgumentParser(prog="integration/bench/run", description="Measures meridian beside other name servers.")
    names = ",".join(workload.name for workload in WORKLOADS)
    parser.add_argument("--workloads", default=names, help=f"of {names}")
    parser.add_argument("--peers", default=",".join(PEERS), help="of %(default)s; none with ''")
    parser.add_argument("--rounds", type=int, default=5, help="default %(default)s")
    parser.add_argument("--seconds", type=float, default=1, help="of each measurement; default %(default)s")
    parser.add_argument("--write", action="store_true", help="replace the table in README.md")
    parser.add_argument("--from", dest="sources", nargs="+", metavar="FILE", help="measure nothing, tell of earlier results")
    parser.add_argument("--commit", help="what was built, if it is not what is checked out")
    arguments = parser.parse_args()
    arguments.workloads = [name for name in arguments.workloads.split(",") if name]
    arguments.peers = [name for name in arguments.peers.split(",") if name]
    for unknown in (set(arguments.workloads) - set(BY_NAME)) | (set(arguments.peers) - set(PEERS)):
        parser.error(f"there is no `{unknown}`")
    return arguments


def busy_ticks():
    with open("/proc/stat") as file:
        ticks = list(map(int, file.readline().split()[1:9]))
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def wait_for_quiet():
    end = time.monotonic() + QUIET_WAIT_S
    while time.monotonic() < end:
        before = busy_ticks()
        time.sleep(0.25)
        after = busy_ticks()
        if after[0] - before[0] <= NOISE_LIMIT * (after[1] - before[1]):
            return


def generate(load, port, queries, seconds, offset, directory):
    """Runs the generator; what it says, in dnsblast's words."""
    pinned = ["taskset", "-c", str(GENERATOR_CORE)]
    if load != "tcp":
        generator = "dnsconnect" if load == "tcp-each" else "dnsblast"
        command = [f"{directory}/{generator}", "-p", str(port), "-f", queries, "-l", str(seconds), "-o", str(offset), *LOADS[load]]
        return json.loads(subprocess.run(pinned + command, stdout=subprocess.PIPE, check=True).stdout)
    where = ["-m", "tcp", "-s", "127.0.0.1", "-p", str(port), "-T", "1"]
    command = ["dnsperf", *where, "-B", "-d", queries, "-l", str(math.ceil(seconds)), *LOADS[load]]
    run = subprocess.run(pinned + command, capture_output=True, text=True, check=True)
    find = lambda pattern: float(re.search(pattern, run.stdout).group(1))
    sent, received = find(r"Queries sent:\s+(\d+)"), find(r"Queries completed:\s+(\d+)")
    return {"qps": find(r"Queries per second:\s+([\d.]+)"), "sent": sent, "received": received, "lost": sent - received,
            "seconds": find(r"Run time \(s\):\s+([\d.]+)")}


def disturb(server, disturbance, stopped):
    while not stopped.wait(DISTURBANCE_S[disturbance]):
        if disturbance == "reload":
            os.kill(server.process.pid, signal.SIGHUP)
        else:
            urllib.request.urlopen(server.admin_address() + "/metrics", timeout=5).read()


def measure_once(server, workload, queries, seconds, offset, directory):
    stopped = threading.Event()
    if workload.disturbance:
        threading.Thread(target=disturb, args=(server, workload.disturbance, stopped), daemon=True).start()
    busy, own, children = busy_ticks(), server.processor_time(), resource.getrusage(resource.RUSAGE_CHILDREN)
    sample = generate(workload.load, server.port, queries, seconds, offset, directory)
    busy_after, own_after, children_after = busy_ticks(), server.processor_time(), resource.getrusage(resource.RUSAGE_CHILDREN)
    stopped.set()
    used_s = (own_after[0] - own[0]) / 1e9
    generator_s = sum(getattr(children_after, key) - getattr(children, key) for key in ("ru_utime", "ru_stime"))
    hertz = os.sysconf("SC_CLK_TCK")
    others_s = (busy_after[0] - busy[0]) / hertz - used_s - generator_s
    user, kernel = own_after[1] - own[1], own_after[2] - own[2]
    return sample | {
        "cpu_us": used_s * 1e6 / max(1, sample["received"]), "user_ticks": user, "ticks": user + kernel,
        "utilization": used_s / sample["seconds"], "noise": max(0, others_s * hertz / (busy_after[1] - busy[1])),
    }


def measure(*arguments):
    """The quietest of a few attempts."""
    best = None
    for _ in range(ATTEMPTS):
        wait_for_quiet()
        sample = measure_once(*arguments)
        if not best or sample["noise"] < best["noise"]:
            best = sample
        if best["noise"] <= NOISE_LIMIT:
            break
    return best


def summarize(samples):
    median = lambda key: statistics.median(sample[key] for sample in samples)
    total = lambda key: sum(sample[key] for sample in samples)
    summary = {key: median(key) for key in ("cpu_us", "qps", "utilization", "noise")}
    summary["user_us"] = summary["cpu_us"] * total("user_ticks") / max(1, total("ticks"))
    summary["lost"] = total("lost") / max(1, total("sent"))
    if "p50_us" in samples[0]:
        summary |= {key: median(key) for key in ("p50_us", "p99_us", "p999_us")}
    return summary | {"samples": samples}


def say(line):
    print(f"   {line}", flush=True)


class Bench:
    def __init__(self, arguments, directory):
        self.arguments, self.directory, self.data = arguments, directory, f"{directory}/data"
        self.workloads = [BY_NAME[name] for name in arguments.workloads]
        self.results = {"workloads": {}, "starts": {}}

    def prepare(self):
        os.makedirs(self.data)
        for generator in "dnsblast", "dnsconnect":
            source = f"{os.path.dirname(__file__)}/{generator}.c"
            subprocess.run(["cc", "-O2", "-Wall", "-o", f"{self.directory}/{generator}", source], check=True)
        for zone in {zone for workload in self.workloads for zone in SITES[workload.site]}:
            write_zone(f"{self.data}/{zone}.zone", zone)
        self.database = CountryDatabase("geodb/iptoasn-country.mmdb")
        if any(workload.site == "geo" for workload in self.workloads):
            self.database.write_as_geolite2(f"{self.data}/geolite2.mmdb")
        for workload in self.workloads:
            if workload.query:
                write_queries(f"{self.data}/{workload.name}.queries", workload.make_queries(self.database))

    def run(self):
        for site in SITES:
            workloads = [workload for workload in self.workloads if workload.site == site]
            if site == "shipped" and workloads:
                self.measure_shipped_start()
            elif workloads:
                self.measure_site(site, workloads)

    def measure_site(self, site, workloads):
        print(f"{site}:", flush=True)
        able = {name for workload in workloads for name in workload.servers}
        names = [name for name in ("meridian", *self.arguments.peers) if name in able]
        servers = [Server(name, site, f"{self.directory}/{site}-{name}", self.data, SERVER_CORE) for name in names]
        servers = [server for server in servers if server.command]
        first = Query(f"ns.{SITES[site][0]}", Expected(addresses=("127.0.0.1",)))
        try:
            servers = [server for server in servers if server.start(first)]
            for server in servers:
                start = {"first_answer_s": server.first_answer_s, "pss_mib": server.pss_mib()}
                self.results["starts"].setdefault(site, {})[server.name] = start
                say(f"{server.name}: first answer after {start['first_answer_s']:.2f} s, {start['pss_mib']:.1f} MiB")
            for workload in workloads:
                self.measure_workload(workload, [server for server in servers if server.name in workload.servers])
        finally:
            for server in servers:
                server.stop()

    def measure_workload(self, workload, servers):
        queries = f"{self.data}/{workload.name}.queries"
        right = [server for server in servers if self.is_right(workload, server)]
        for server in right:
            generate(workload.load, server.port, queries, WARM_UP_S, 0, self.directory)
        samples = {server.name: [] for server in right}
        for number in range(self.arguments.rounds):
            for server in right:
                sample = measure(server, workload, queries, self.arguments.seconds, number * 77_777, self.directory)
                samples[server.name].append(sample)
        measured = {name: summarize(list_) for name, list_ in samples.items()}
        self.results["workloads"][workload.name] = measured
        for name, summary in measured.items():
            note = f", {summary['lost']:.2%} LOST" if summary["lost"] > LOST_LIMIT else ""
            note += f", others used {summary['noise']:.0%} of the machine" if summary["noise"] > NOISE_LIMIT else ""
            say(f"{workload.name}: {name} {summary['cpu_us']:.2f} µs ({summary['user_us']:.2f} in user space), "
                f"{summary['qps']:.0f}/s at {summary['utilization']:.0%}{note}")

    def is_right(self, workload, server):
        wrong = server.wrong_answer(itertools.islice(workload.make_queries(self.database), CHECKED_QUERIES))
        if wrong:
            say(f"{workload.name}: {server.name} is left out: {wrong}")
        return not wrong

    def measure_shipped_start(self):
        """From nothing to the first answer with the zones of the repository, several times."""
        times = []
        for number in range(STARTS):
            server = Server("meridian", "shipped", f"{self.directory}/shipped-{number}", self.data, SERVER_CORE)
            try:
                if server.start(Query("ns1.fingerprint.example.com", Expected(addresses=("192.0.2.53",)))):
                    times.append(server.first_answer_s)
            finally:
                server.stop()
        if times:
            self.results["starts"]["shipped"] = {"meridian": {"first_answer_s": statistics.median(times)}}


def machine():
    with open("/proc/cpuinfo") as file:
        model = re.search(r"^model name\s*:\s*(.*)$", file.read(), re.M)
    return f"{model.group(1) if model else os.uname().machine}, {os.cpu_count()} processors, Linux {os.uname().release}"


def checked_out():
    run = subprocess.run(["git", "describe", "--always", "--dirty=, with changes"], capture_output=True, text=True)
    return run.stdout.strip() or "unknown"


def measure_all(arguments):
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("two processors are needed: one for the server, one for the generator")
    if not program("meridian"):
        sys.exit("there is no target/release/meridian: run `cargo build --release --locked`, or set MERIDIAN=PATH")
    for peer in [peer for peer in arguments.peers if not program(peer)]:
        print(f"{peer} is left out: it is not installed, and {VARIABLES[peer]} does not say where it is")
        arguments.peers.remove(peer)
    directory = tempfile.mkdtemp(prefix="meridian-bench-")
    bench = Bench(arguments, directory)
    bench.results |= {
        "commit": arguments.commit or checked_out(), "machine": machine(),
        "rounds": arguments.rounds, "seconds": arguments.seconds,
        "titles": {name: title(name) for name in ["meridian", *arguments.peers]},
    }
    try:
        bench.prepare()
        bench.run()
    finally:
        shutil.rmtree(bench.data)
        with open(f"{directory}/results.json", "w") as file:
            json.dump(bench.results, file, indent=1)
        print(f"results: {directory}/results.json")
    return bench.results


def merge(paths):
    """Of what several files have, the last one's counts."""
    merged = {}
    for path in paths:
        with open(path) as file:
            results = json.load(file)
        for part in "workloads", "starts", "titles":
            results[part] = merged.get(part, {}) | results[part]
        merged |= results
    return merged


def main():
    arguments = parse_arguments()
    results = merge(arguments.sources) if arguments.sources else measure_all(arguments)
    print("\n" + report.table(results) + "\n\n" + report.targets(results))
    if arguments.write:
        report.write("README.md", report.table(results))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("interrupted; what was measured until then is in the results")
