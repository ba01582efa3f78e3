//! `[group.NAME]`: countries that a zone names together, beside the groups that are built in.

use std::collections::{BTreeSet, HashMap};

use super::diagnostic::{Findings, Span};
use super::document::Entry;
use super::place;
use super::reader::Spanned;
use super::value::closest;
use crate::geo::{Continent, CountryCode, built_in_group, built_in_group_names};
use crate::policy::{Group, GroupId};

const NOTES: &[(&str, &str)] = &[
    ("country", "write the countries as an array: countries = [\"DE\", \"AT\"]"),
    ("members", "write the countries as an array: countries = [\"DE\", \"AT\"]"),
];

/// A group as it was typed.
pub(super) struct TypedGroup<'t> {
    pub(super) name: Spanned<&'t str>,
    pub(super) countries: BTreeSet<CountryCode>,
}

pub(super) fn read<'t>(entry: Entry<'t>, findings: &mut Findings<'_>) -> TypedGroup<'t> {
    let Entry { name, mut table } = entry;
    if built_in_group(name.value).is_some() {
        let message = format!("the group `{}` is built in", name.value);
        findings
            .error(name.span.clone(), message)
            .help("give your own another name, or use the built-in one as it is");
    }
    let countries = table.take("countries");
    table.finish(NOTES, findings);
    let Some(countries) = countries else {
        findings
            .error(name.span.clone(), format!("the group `{}` has no countries", name.value))
            .help("add countries = [\"DE\", \"AT\", \"CH\"]");
        return TypedGroup { name, countries: BTreeSet::new() };
    };
    let texts = countries.value.strings("an array of countries such as [\"DE\"]", findings);
    let mut seen: HashMap<CountryCode, Span> = HashMap::new();
    for text in texts {
        let Some(country) = place::read_country_code(&text, findings) else { continue };
        if let Some(first) = seen.insert(country, text.span.clone()) {
            let message = format!("the country {country} stands in this group twice");
            findings.error(text.span, message).related(first, "first here");
        }
    }
    TypedGroup { name, countries: seen.into_keys().collect() }
}

/// The groups that a zone can name, and those that it does.
#[derive(Default)]
pub(super) struct Groups<'d> {
    own: HashMap<&'d str, &'d BTreeSet<CountryCode>>,
    /// By size and name: of several groups that hold a client the smallest comes first.
    used: Vec<Group>,
}

impl<'d> Groups<'d> {
    /// Numbers every group that one of these references names; the numbers are in the order in which groups are tried.
    pub(super) fn new<'r>(
        typed: &'d [TypedGroup<'_>],
        references: impl Iterator<Item = &'r str>,
    ) -> Self {
        let own = typed.iter().map(|group| (group.name.value, &group.countries)).collect();
        let mut groups = Self { own, used: Vec::new() };
        let names: BTreeSet<&str> = references.collect();
        let used = names.into_iter().filter_map(|name| {
            Some(Group { name: name.into(), countries: groups.countries_of(name)?.into() })
        });
        let mut used: Vec<Group> = used.collect();
        used.sort_by(|one, other| {
            one.countries.len().cmp(&other.countries.len()).then_with(|| one.name.cmp(&other.name))
        });
        groups.used = used;
        groups
    }

    fn countries_of(&self, name: &str) -> Option<Vec<CountryCode>> {
        let own = self.own.get(name).map(|countries| countries.iter().copied().collect());
        own.or_else(|| built_in_group(name))
    }

    /// The group of this name; one that there is not is an error.
    pub(super) fn find(
        &self,
        reference: &Spanned<&str>,
        findings: &mut Findings<'_>,
    ) -> Option<GroupId> {
        let place = self.used.iter().position(|group| *group.name == *reference.value);
        if place.is_none() {
            self.report_unknown(reference, findings);
        }
        place.and_then(|place| u16::try_from(place).ok()).map(GroupId)
    }

    fn report_unknown(&self, reference: &Spanned<&str>, findings: &mut Findings<'_>) {
        let typed = reference.value;
        let mut known: Vec<&str> = built_in_group_names().collect();
        known.extend(self.own.keys());
        let guess = closest(typed, known);
        let error = findings.error(reference.span.clone(), format!("there is no group `{typed}`"));
        if let Some(guess) = guess {
            error.label(format!("did you mean `{guess}`?"));
        }
        if let Some(country) = CountryCode::parse(typed) {
            error.help(format!("{typed} is a country, {}: write country.{typed}", country.name()));
        } else if let Some(continent) = Continent::parse(typed) {
            let name = continent.name();
            error.help(format!("{typed} is a continent, {name}: write continent.{typed}"));
        } else {
            error.help(
                "built in are EU, EEA, GDPR and the regions of UN M49, such as M49-155 or western-europe; \
                 others are made with [group.NAME]",
            );
        }
    }

    pub(super) fn countries(&self, id: GroupId) -> &[CountryCode] {
        self.used.get(usize::from(id.0)).map_or(&[], |group| &group.countries)
    }

    pub(super) fn into_used(self) -> Vec<Group> {
        self.used
    }
}
