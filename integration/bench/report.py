"""What was measured, as the table of the README and as targets that are met or missed."""

import sys
from dataclasses import dataclass

from workloads import EVERYBODY, WORKLOADS

BEGIN, END = "<!-- bench begin -->", "<!-- bench end -->"


def value_of(results, workload, server, key):
    """One figure, or None where it was not measured. `start:SITE` stands for a site's start."""
    part, _, site = workload.partition(":")
    group = results["starts"].get(site, {}) if site else results["workloads"].get(part, {})
    return group.get(server, {}).get(key)


@dataclass(frozen=True)
class Row:
    label: str
    workload: str
    key: str
    format: str = "{:.2f}"


def rows():
    paced = ("latency", "reload", "scrape")
    for workload in WORKLOADS:
        if workload.name in paced:
            yield Row(f"{workload.label}: p50, µs", workload.name, "p50_us", "{:.0f}")
            yield Row(f"{workload.label}: p99, µs", workload.name, "p99_us", "{:.0f}")
            yield Row(f"{workload.label}: p99.9, µs", workload.name, "p999_us", "{:.0f}")
        elif workload.query:
            yield Row(workload.label, workload.name, "cpu_us")
        if workload.load.startswith("tcp"):
            yield Row(f"{workload.label}: queries/s", workload.name, "qps", "{:,.0f}")
        if workload.site in ("big", "big-toml", "shipped"):
            yield Row(f"{workload.label}: start to first answer, s", f"start:{workload.site}", "first_answer_s")
        if workload.site in ("big", "big-toml"):
            yield Row(f"{workload.label}: memory, MiB", f"start:{workload.site}", "pss_mib", "{:.0f}")


def table(results):
    servers = [name for name in EVERYBODY if name in results["titles"]]
    caption = (
        f"Commit `{results['commit']}` on {results['machine']}: microseconds of processor time per answered query, if nothing\n"
        f"else is said; median of {results['rounds']} rounds of {results['seconds']:g} s. "
        "No figure: the server has nothing of the kind.")
    titles = " | ".join(results["titles"][name] for name in servers)
    lines = [caption, "", f"| | {titles} |", "|---|" + "---:|" * len(servers)]
    for row in rows():
        values = [value_of(results, row.workload, name, row.key) for name in servers]
        if any(value is not None for value in values):
            cells = ("" if value is None else row.format.format(value) for value in values)
            lines.append(f"| {row.label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


@dataclass(frozen=True)
class Target:
    """meridian's figure, divided by `of` if there is one (workload, servers: the best of them), is to be at most `limit`."""
    label: str
    workload: str
    key: str
    limit: float
    of: tuple = None

    def verdict(self, results):
        value = value_of(results, self.workload, "meridian", self.key)
        if value is not None and self.of:
            workload, servers = self.of
            others = [value_of(results, workload, name, self.key) for name in servers]
            others = [other for other in others if other]
            value = value / min(others) if others else None
        if value is None:
            return "not measured", ""
        return ("met" if value <= self.limit else "MISSED"), f"{value:.2f}"


def against_gdnsd(workload, limit):
    return Target(f"{workload}: processor time to gdnsd's", workload, "cpu_us", limit, (workload, ["gdnsd"]))


def against_ours(workload, limit, ours="static", key="cpu_us"):
    return Target(f"{workload}: {key} to that of {ours}", workload, key, limit, (ours, ["meridian"]))


TARGETS = [
    against_gdnsd("static", 0.97),
    against_gdnsd("shared", 0.70),
    Target("static: µs in user space", "static", "user_us", 0.10),
    against_gdnsd("geo", 0.95),
    against_gdnsd("geo-ipv6", 0.95),
    against_ours("geo-nested", 1.05, "geo"),
    against_gdnsd("nx", 0.93),
    *(against_ours(kind, 1.15) for kind in ("nodata", "wildcard", "cname", "referral")),
    against_gdnsd("big", 0.75),
    Target("big: s from start to first answer, master file", "start:big", "first_answer_s", 1.0),
    Target("big: s from start to first answer, TOML", "start:big-toml", "first_answer_s", 3.0),
    Target("big: MiB", "start:big", "pss_mib", 118),
    Target("start: s to first answer, shipped zones", "start:shipped", "first_answer_s", 0.4),
    Target("latency: p99 to gdnsd's", "latency", "p99_us", 1.0, ("latency", ["gdnsd"])),
    against_ours("reload", 1.10, "latency", "p99_us"),
    Target("reload: share of queries lost", "reload", "lost", 0.0),
    against_ours("reload", 1.2, "latency", "p999_us"),
    against_ours("scrape", 1.2, "latency", "p999_us"),
    Target("tcp: processor time to the best of Knot and NSD", "tcp", "cpu_us", 1.0, ("tcp", ["knot", "nsd"])),
    Target("tcp-each: processor time to the best of Knot and NSD", "tcp-each", "cpu_us", 1.0, ("tcp-each", ["knot", "nsd"])),
]


def targets(results):
    lines = [f"{'target':<58} {'limit':>7} {'found':>7}"]
    for target in TARGETS:
        verdict, found = target.verdict(results)
        lines.append(f"{target.label:<58} {target.limit:7.2f} {found:>7}  {verdict}")
    return "\n".join(lines)


def write(path, content):
    with open(path) as file:
        document = file.read()
    begin, end = document.find(BEGIN), document.find(END)
    if not 0 <= begin < end:
        sys.exit(f"{path}: `{BEGIN}` and `{END}` must mark where the table goes")
    with open(path, "w") as file:
        file.write(document[: begin + len(BEGIN)] + "\n" + content + "\n" + document[end:])
