//! A client for the admin address, and a strict reader of the Prometheus text format.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::PATIENCE;

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// Gets a path, or says why there was no answer.
pub fn try_get(address: SocketAddr, path: &str) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{path} gave no HTTP answer: {text:?}"));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or_else(|| panic!("{path} gave no status: {head:?}"));
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

/// Gets a path.
pub fn get(address: SocketAddr, path: &str) -> Answer {
    try_get(address, path).unwrap_or_else(|error| panic!("GET http://{address}{path}: {error}"))
}

/// One scrape: series, as written with their labels sorted, to values.
#[derive(Debug)]
pub struct Metrics {
    series: BTreeMap<(String, BTreeMap<String, String>), f64>,
}

impl Metrics {
    pub fn scrape(address: SocketAddr) -> Self {
        let answer = get(address, "/metrics");
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(
            answer.head.to_ascii_lowercase().contains("content-type: text/plain"),
            "Prometheus wants text/plain: {}",
            answer.head
        );
        Self::parse(&answer.body)
    }

    /// Reads the text format; panics at a line that is not of it, a series that comes twice, or one without a TYPE.
    pub fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line has no end");
        let mut series = BTreeMap::new();
        let mut typed = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(comment) = line.strip_prefix("# ") {
                let mut words = comment.split(' ');
                match words.next() {
                    Some("TYPE") => typed.extend(words.next().map(str::to_owned)),
                    Some("HELP") => assert!(words.count() > 1, "no help: {line}"),
                    _ => {}
                }
                continue;
            }
            let (key, value) = parse_sample(line).unwrap_or_else(|| panic!("not a sample: {line}"));
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| key.0.strip_suffix(end))
                .unwrap_or(&key.0);
            assert!(
                typed.iter().any(|name| *name == family || *name == key.0),
                "no TYPE for {line}"
            );
            assert!(series.insert(key, value).is_none(), "twice: {line}");
        }
        Self { series }
    }

    /// The series of a name whose labels include all of `labels`.
    fn matching(&self, name: &str, labels: &[(&str, &str)]) -> Vec<f64> {
        self.series
            .iter()
            .filter(|((series, has), _)| {
                series == name
                    && labels
                        .iter()
                        .all(|(label, value)| has.get(*label).is_some_and(|has| has == value))
            })
            .map(|(_, value)| *value)
            .collect()
    }

    /// The one series that matches.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        match self.matching(name, labels).as_slice() {
            [value] => *value,
            found => panic!(
                "{} series {name} {labels:?} instead of one; there are {:#?}",
                found.len(),
                self.series.keys().collect::<Vec<_>>()
            ),
        }
    }

    /// The sum of all series that match: 0 without any.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.matching(name, labels).iter().sum()
    }
}

type Key = (String, BTreeMap<String, String>);

fn parse_sample(line: &str) -> Option<(Key, f64)> {
    let (series, value) = line.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let Some((name, labels)) = series.split_once('{') else {
        return is_metric_name(series).then(|| ((series.to_owned(), BTreeMap::new()), value));
    };
    let labels = labels.strip_suffix('}')?;
    let mut parsed = BTreeMap::new();
    for label in labels.split("\",").filter(|label| !label.is_empty()) {
        let (key, value) = label.split_once("=\"")?;
        let value = value.strip_suffix('"').unwrap_or(value);
        parsed.insert(key.to_owned(), value.to_owned());
    }
    is_metric_name(name).then(|| ((name.to_owned(), parsed), value))
}

fn is_metric_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'_' || octet == b':')
}
