//! `[collection.NAME]`: named locations of networks, as Route 53's CIDR collections have them (rule 43).

use std::collections::HashMap;

use ipnet::IpNet;

use super::diagnostic::{Findings, Span};
use super::document::Entry;
use super::network::{self, Lengths};
use super::reader::{Item, Spanned};
use crate::limits::{COLLECTION_NETWORKS, LOCATION_NAME_OCTETS};

/// A location: clients of these networks.
pub(super) struct Location<'t> {
    pub(super) name: Spanned<&'t str>,
    pub(super) networks: Vec<IpNet>,
}

/// A collection as it was typed.
pub(super) struct Collection<'t> {
    pub(super) name: Spanned<&'t str>,
    pub(super) locations: Vec<Location<'t>>,
}

impl<'t> Collection<'t> {
    pub(super) fn location(&self, name: &str) -> Option<&Location<'t>> {
        self.locations.iter().find(|location| location.name.value == name)
    }
}

pub(super) fn read<'t>(entry: Entry<'t>, findings: &mut Findings<'_>) -> Collection<'t> {
    let Entry { name, mut table } = entry;
    if table.is_empty() {
        findings
            .error(name.span.clone(), format!("the collection `{}` has no locations", name.value))
            .help("add a location with its networks: office = [\"192.0.2.0/24\"]");
    }
    let mut seen: HashMap<IpNet, (Span, &str)> = HashMap::new();
    let mut locations = Vec::new();
    for item in table.take_all() {
        check_name(&item.key, findings);
        let networks = read_networks(&item, &mut seen, findings);
        locations.push(Location { name: item.key, networks });
    }
    if seen.len() > COLLECTION_NETWORKS {
        let message = format!(
            "the collection `{}` has {} networks, {COLLECTION_NETWORKS} is the most",
            name.value,
            seen.len()
        );
        findings.error(name.span.clone(), message);
    }
    Collection { name, locations }
}

/// Whether a text can be the name of a location (rule 43).
pub(super) fn is_location_name(text: &str) -> bool {
    let is_allowed = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
    (1..=LOCATION_NAME_OCTETS).contains(&text.len()) && text.bytes().all(is_allowed)
}

fn check_name(name: &Spanned<&str>, findings: &mut Findings<'_>) {
    if name.value == "*" {
        findings
            .error(name.span.clone(), "`*` stands for every client elsewhere")
            .help("a collection does not list it: write `default` in the policy");
    } else if !is_location_name(name.value) {
        let message = format!("`{}` cannot be the name of a location", name.value);
        findings.error(name.span.clone(), message).help(format!(
            "names are 1 to {LOCATION_NAME_OCTETS} letters, digits, `-` and `_`, as in Route 53"
        ));
    }
}

fn read_networks<'t>(
    item: &Item<'t>,
    seen: &mut HashMap<IpNet, (Span, &'t str)>,
    findings: &mut Findings<'_>,
) -> Vec<IpNet> {
    let texts = item.value.strings("networks such as [\"192.0.2.0/24\"]", findings);
    let mut networks = Vec::with_capacity(texts.len());
    for text in texts {
        let Some(network) = network::read(&text, Lengths::COLLECTION, findings) else { continue };
        let here = (text.span.clone(), item.key.value);
        if let Some((first, location)) = seen.insert(network, here) {
            let place = if location == item.key.value {
                "this location twice".to_owned()
            } else {
                format!("`{location}` and `{}`", item.key.value)
            };
            findings
                .error(text.span, format!("the network {network} stands in {place}"))
                .related(first, "first here")
                .help("a client is in one location: a network may only be inside a larger one");
            continue;
        }
        networks.push(network);
    }
    networks
}
