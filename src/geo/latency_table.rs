//! Measured latency from networks to regions, as a file says: `prefix,region,milliseconds` lines.
//!
//! A client has the row of the longest prefix that holds it and has one. Where a row lacks a region, the next shorter prefix may
//! have it: rows are completed that way when the table is read, so that one row is all there is to know of a client.
//!
//! ```text
//! # what a client in the network sees
//! prefix,region,ms
//! 192.0.2.0/24,eu-central-1,12.5
//! 2001:db8::/32,us-east-1,97
//! ```
//!
//! Neighbour: `atlas.rs` lays tables over the database. Invariants: rows and regions are in order, none twice; what a row says is
//! in order of region; a prefix has no host bits, and one inside ::ffff:0:0/96 is written as IPv4.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use ipnet::IpNet;

use crate::limits::{
    ENTRY_NAME_OCTETS, LATENCY_MILLISECONDS, LATENCY_REGIONS, LATENCY_ROWS, LATENCY_TABLE_OCTETS,
    LATENCY_VALUES,
};

use super::nesting;
use super::prefix::canonical;

/// The number of a region in one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RegionId(pub u16);

/// A table in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatencyTable {
    /// The file, for people.
    pub name: Box<str>,
    /// In order of name.
    pub regions: Vec<Box<str>>,
    /// In order of address, shorter prefixes before longer ones inside them, IPv4 before IPv6.
    pub rows: Vec<LatencyRow>,
}

/// What is known of the clients of one prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatencyRow {
    pub network: IpNet,
    /// Microseconds to each region that was measured, in order of region.
    pub latencies: Box<[(RegionId, u32)]>,
}

/// What is wrong with a table, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableError {
    /// The first line is 1.
    pub line: usize,
    /// One sentence with the next move in it.
    pub message: String,
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for TableError {}

impl LatencyTable {
    /// Reads a table; `name` is what people know the file by. Stops at the first error.
    pub fn parse(name: &str, text: &str) -> Result<Self, TableError> {
        if text.len() > LATENCY_TABLE_OCTETS {
            let message = format!("the file has more than {LATENCY_TABLE_OCTETS} octets");
            return Err(TableError { line: 1, message });
        }
        let entries = read_entries(text)?;
        let regions: BTreeSet<&str> =
            entries.values().flat_map(|row| row.keys().copied()).collect();
        let numbers: HashMap<&str, RegionId> =
            regions.iter().copied().zip((0..).map(RegionId)).collect();
        Ok(Self {
            name: name.into(),
            regions: regions.into_iter().map(Box::from).collect(),
            rows: complete(&entries, &numbers)?,
        })
    }

    /// The number of a region, if the table has it.
    pub fn region(&self, name: &str) -> Option<RegionId> {
        let at = self.regions.binary_search_by(|region| region.as_ref().cmp(name)).ok()?;
        u16::try_from(at).ok().map(RegionId)
    }

    /// The name of a region.
    pub fn region_name(&self, id: RegionId) -> &str {
        self.regions.get(usize::from(id.0)).map_or("", |name| name)
    }
}

/// What lines say, by prefix and region.
type Entries<'text> = BTreeMap<IpNet, BTreeMap<&'text str, Entry>>;

/// What one line says.
struct Entry {
    microseconds: u32,
    line: usize,
}

/// All lines but blank ones, comments, and a header.
fn read_entries(text: &str) -> Result<Entries<'_>, TableError> {
    let mut entries = Entries::new();
    let mut regions = BTreeSet::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.split('#').next().unwrap_or_default().trim();
        let is_header = entries.is_empty() && is_header(content);
        if content.is_empty() || is_header {
            continue;
        }
        let fail = |message: String| TableError { line, message };
        let (network, region, microseconds) = read_line(content).map_err(fail)?;
        regions.insert(region);
        let row: &mut BTreeMap<_, _> = entries.entry(network).or_default();
        if let Some(Entry { line, .. }) = row.insert(region, Entry { microseconds, line }) {
            return Err(fail(format!(
                "{network} has a latency to `{region}` already, on line {line}: remove one"
            )));
        }
        if regions.len() > LATENCY_REGIONS {
            return Err(fail(format!("more than {LATENCY_REGIONS} regions in one table")));
        }
        if entries.len() > LATENCY_ROWS {
            return Err(fail(format!("more than {LATENCY_ROWS} prefixes in one table")));
        }
    }
    Ok(entries)
}

/// Is this the line of column names, which may come first?
fn is_header(content: &str) -> bool {
    let mut columns = content.split(',').map(str::trim);
    columns.next().is_some_and(|column| column.eq_ignore_ascii_case("prefix"))
}

/// `192.0.2.0/24,eu-central-1,12.5`
fn read_line(content: &str) -> Result<(IpNet, &str, u32), String> {
    let mut fields = content.split(',').map(str::trim);
    let (Some(prefix), Some(region), Some(latency), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err("write three fields: prefix,region,milliseconds".to_owned());
    };
    Ok((read_prefix(prefix)?, read_region(region)?, read_latency(latency)?))
}

fn read_prefix(text: &str) -> Result<IpNet, String> {
    let Ok(network) = text.parse::<IpNet>() else {
        let hint = match text.parse::<std::net::IpAddr>() {
            Ok(address) => format!(": write {}", IpNet::from(address)),
            Err(_) => " such as 192.0.2.0/24 or 2001:db8::/32".to_owned(),
        };
        return Err(format!("`{text}` is not a prefix{hint}"));
    };
    if network != network.trunc() {
        let meant = network.trunc();
        return Err(format!("`{text}` has bits set beyond its length: write {meant}"));
    }
    Ok(canonical(network))
}

fn read_region(text: &str) -> Result<&str, String> {
    if text.is_empty() || text.len() > ENTRY_NAME_OCTETS {
        return Err(format!("the region's name must have 1 to {ENTRY_NAME_OCTETS} octets"));
    }
    Ok(text)
}

/// Milliseconds, with or without decimals, as microseconds.
fn read_latency(text: &str) -> Result<u32, String> {
    let is_plain = text.bytes().all(|octet| octet.is_ascii_digit() || octet == b'.');
    let number = text.parse::<f64>().ok().filter(|_| is_plain);
    match number {
        // In range by the guard: 60,000,000 at most.
        Some(number) if number <= f64::from(LATENCY_MILLISECONDS) => {
            Ok((number * 1000.0).round() as u32)
        }
        Some(_) => Err(format!(
            "`{text}` milliseconds are more than {LATENCY_MILLISECONDS}: leave the line out if the region cannot be reached"
        )),
        None => Err(format!("`{text}` is not a number of milliseconds such as 12 or 12.5")),
    }
}

/// Rows in order, with what they lack taken from the next shorter prefix.
fn complete(
    entries: &Entries<'_>,
    numbers: &HashMap<&str, RegionId>,
) -> Result<Vec<LatencyRow>, TableError> {
    let networks: Vec<IpNet> = entries.keys().copied().collect();
    let mut rows: Vec<LatencyRow> = Vec::with_capacity(networks.len());
    let mut values = 0_usize;
    for ((network, own), parent) in entries.iter().zip(nesting::parents(&networks)) {
        let outer = parent.and_then(|parent| rows.get(parent as usize));
        let outer = outer.map(|row| &row.latencies[..]).unwrap_or_default();
        let mut latencies: BTreeMap<RegionId, u32> = outer.iter().copied().collect();
        latencies.extend(own.iter().filter_map(|(region, entry)| {
            numbers.get(region).map(|number| (*number, entry.microseconds))
        }));
        values = values.saturating_add(latencies.len());
        if values > LATENCY_VALUES {
            let line = own.values().map(|entry| entry.line).min().unwrap_or(1);
            let message = format!(
                "more than {LATENCY_VALUES} latencies, with those that rows take from shorter prefixes: use fewer regions or rows"
            );
            return Err(TableError { line, message });
        }
        rows.push(LatencyRow { network: *network, latencies: latencies.into_iter().collect() });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> LatencyTable {
        LatencyTable::parse("t.csv", text).unwrap()
    }

    /// A row as people would write it.
    fn row(table: &LatencyTable, network: &str) -> String {
        let network: IpNet = network.parse().unwrap();
        let row = table.rows.iter().find(|row| row.network == network).unwrap();
        let show = |(id, value): &(RegionId, u32)| format!("{} {value}", table.region_name(*id));
        row.latencies.iter().map(show).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn lines_become_rows_in_order() {
        let table = parse(
            "\u{feff}# measured\r\n\nprefix, region, ms\n 2001:db8::/32 , us , 97 # far\n\
             192.0.2.0/24,eu,12.5\n192.0.2.0/24,us,.25\n10.0.0.0/8,eu,0\n",
        );
        assert_eq!((&*table.name, table.regions.len()), ("t.csv", 2));
        assert_eq!((table.region("eu"), table.region("xx")), (Some(RegionId(0)), None));
        let networks: Vec<String> = table.rows.iter().map(|row| row.network.to_string()).collect();
        assert_eq!(networks, ["10.0.0.0/8", "192.0.2.0/24", "2001:db8::/32"]);
        assert_eq!(row(&table, "192.0.2.0/24"), "eu 12500, us 250");
        assert_eq!(row(&table, "10.0.0.0/8"), "eu 0");
    }

    #[test]
    fn rows_are_completed_from_shorter_prefixes() {
        let table = parse(
            "10.0.0.0/8,a,1\n10.0.0.0/8,b,2\n10.0.0.0/16,b,3\n10.0.0.0/24,c,4\n10.1.0.0/16,a,5\n11.0.0.0/8,c,6\n\
             0.0.0.0/0,d,7\n::/0,a,8\n::ffff:10.2.0.0/112,a,9",
        );
        assert_eq!(row(&table, "10.0.0.0/24"), "a 1000, b 3000, c 4000, d 7000");
        assert_eq!(row(&table, "10.1.0.0/16"), "a 5000, b 2000, d 7000");
        assert_eq!(row(&table, "11.0.0.0/8"), "c 6000, d 7000");
        assert_eq!(row(&table, "10.2.0.0/16"), "a 9000, b 2000, d 7000");
        assert_eq!(row(&table, "::/0"), "a 8000");
    }

    #[test]
    fn errors_name_the_line_and_the_next_move() {
        for (text, line, part) in [
            ("10.0.0.0/8,a", 1, "three fields"),
            ("10.0.0.0/8,a,1,2", 1, "three fields"),
            ("\n10.0.0.1/8,a,1", 2, "write 10.0.0.0/8"),
            ("10.0.0.1,a,1", 1, "write 10.0.0.1/32"),
            ("2001:db8::,a,1", 1, "write 2001:db8::/128"),
            ("ten,a,1", 1, "`ten` is not a prefix such as"),
            ("10.0.0.0/8,,1", 1, "1 to 128 octets"),
            ("10.0.0.0/8,a,fast", 1, "`fast` is not a number"),
            ("10.0.0.0/8,a,-1", 1, "`-1` is not a number"),
            ("10.0.0.0/8,a,1e3", 1, "`1e3` is not a number"),
            ("10.0.0.0/8,a,", 1, "`` is not a number"),
            ("10.0.0.0/8,a,60000.5", 1, "more than 60000"),
            ("# x\n10.0.0.0/8,a,1\n10.0.0.0/8,b,1\n10.0.0.0/8,a,1", 4, "on line 2"),
            ("10.0.0.0/8,a,1\n::ffff:10.0.0.0/104,a,1", 2, "on line 1"),
            ("10.0.0.0/8,a,1\nprefix,region,ms", 2, "`prefix` is not a prefix"),
        ] {
            let error = LatencyTable::parse("t", text).unwrap_err();
            assert_eq!(error.line, line, "{text:?} {error}");
            assert!(error.message.contains(part), "{text:?} {error}");
        }
    }

    #[test]
    fn regions_are_bounded() {
        let text: String = (0..=LATENCY_REGIONS).map(|n| format!("10.0.0.0/8,r{n},1\n")).collect();
        let error = LatencyTable::parse("t", &text).unwrap_err();
        assert_eq!(error.line, LATENCY_REGIONS + 1);
        assert!(error.to_string().contains("regions"), "{error}");
    }

    #[test]
    fn completed_rows_are_bounded() {
        // Each of these prefixes would have all regions of ::/0.
        let regions: String = (0..LATENCY_REGIONS).map(|n| format!("::/0,r{n},1\n")).collect();
        let rows = LATENCY_VALUES / LATENCY_REGIONS;
        let rows: String = (0..rows).map(|n| format!("2001:{n:x}::/32,r0,1\n")).collect();
        let error = LatencyTable::parse("t", &(regions + &rows)).unwrap_err();
        assert!(error.message.contains("latencies"), "{error}");
    }
}
