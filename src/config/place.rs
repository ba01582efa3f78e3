//! Places in policies and residencies: networks, autonomous systems, subdivisions, countries, groups and continents, and what
//! people write in their stead.

use std::collections::HashMap;

use super::diagnostic::{Findings, Span};
use super::group::Groups;
use super::network::{self, Lengths};
use super::reader::Spanned;
use super::value::{closest, list};
use crate::geo::{Asn, Continent, CountryCode, Subdivision, built_in_group};
use crate::policy::{GroupId, Place};

/// The kinds of places, the smallest first (rule 25).
pub(super) const KINDS: [&str; 6] = ["cidr", "asn", "subdivision", "country", "group", "continent"];

/// A place as it was typed: of groups only the name is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PlaceName<'t> {
    Known(Place),
    Group(&'t str),
}

/// A place, and where it was typed.
pub(super) type TypedPlace<'t> = Spanned<PlaceName<'t>>;

/// Reads the name of a place of one of the [`KINDS`].
pub(super) fn read<'t>(
    kind: &str,
    key: &Spanned<&'t str>,
    findings: &mut Findings<'_>,
) -> Option<TypedPlace<'t>> {
    let known = match kind {
        "cidr" => network::read(key, Lengths::PLACE, findings).map(Place::Network),
        "asn" => read_asn(key, findings).map(Place::Asn),
        "subdivision" => read_subdivision(key, findings).map(Place::Subdivision),
        "country" => read_country(key, findings),
        "continent" => read_continent(key, findings),
        _ => {
            let span = key.span.clone();
            return Some(Spanned { value: PlaceName::Group(key.value), span });
        }
    };
    known.map(|place| Spanned { value: PlaceName::Known(place), span: key.span.clone() })
}

/// Reads a place with its kind, `country.GB`.
pub(super) fn read_whole<'t>(
    text: &Spanned<&'t str>,
    findings: &mut Findings<'_>,
) -> Option<TypedPlace<'t>> {
    let (kind, name) = text.value.split_once('.').unwrap_or_default();
    if KINDS.contains(&kind) {
        return read(kind, &Spanned { value: name, span: text.span.clone() }, findings);
    }
    let typed = text.value;
    // The search through all names in the world is for errors that are shown.
    let meant = if findings.is_full() { None } else { guess_whole(typed) };
    let guess = meant.or_else(|| closest(kind, KINDS).map(|kind| format!("{kind}.{name}")));
    findings
        .error(text.span.clone(), format!("`{typed}` is no place"))
        .label(guess.map_or(String::new(), |guess| format!("did you mean `{guess}`?")))
        .help(format!(
            "write a kind and a name, such as country.GB, or \"unlocated\" for those nobody can place; the kinds are {}",
            list(KINDS)
        ));
    None
}

fn guess_whole(text: &str) -> Option<String> {
    if built_in_group(text).is_some() {
        return Some(format!("group.{text}"));
    }
    if text.parse::<ipnet::IpNet>().is_ok() {
        return Some(format!("cidr.{text}"));
    }
    let country = CountryCode::parse(text).map(|country| format!("country.{country}"));
    country.or_else(|| Continent::parse(text).map(|_| format!("continent.{text}")))
}

/// What a place is once the groups are numbered. Two that are the same, or two groups of the same countries, are an error.
pub(super) fn resolve<'p>(
    places: impl IntoIterator<Item = &'p TypedPlace<'p>>,
    groups: &Groups<'_>,
    findings: &mut Findings<'_>,
) -> Vec<Option<Place>> {
    let mut seen: HashMap<Place, Span> = HashMap::new();
    let mut seen_groups: Vec<(GroupId, Span)> = Vec::new();
    let resolved = places.into_iter().map(|typed| {
        let place = match typed.value {
            PlaceName::Known(place) => place,
            PlaceName::Group(name) => {
                let reference = Spanned { value: name, span: typed.span.clone() };
                Place::Group(groups.find(&reference, findings)?)
            }
        };
        if let Some(first) = seen.get(&place) {
            let message = format!("the same {} stands here twice", noun_of(place));
            findings.error(typed.span.clone(), message).related(first.clone(), "first here");
            return None;
        }
        if let Place::Group(id) = place {
            let countries = groups.countries(id);
            let same = seen_groups.iter().find(|(known, _)| groups.countries(*known) == countries);
            if let Some((_, first)) = same.filter(|_| !countries.is_empty()) {
                findings
                    .error(typed.span.clone(), "two groups of the same countries")
                    .related(first.clone(), "first here");
                return None;
            }
            seen_groups.push((id, typed.span.clone()));
        }
        seen.insert(place, typed.span.clone());
        Some(place)
    });
    resolved.collect()
}

fn noun_of(place: Place) -> &'static str {
    match place {
        Place::Network(_) => "network",
        Place::Asn(_) => "autonomous system",
        Place::Subdivision(_) => "subdivision",
        Place::Country(_) => "country",
        Place::Group(_) => "group",
        Place::Continent(_) => "continent",
        Place::Default => "default",
    }
}

/// Reads the key of `asn.64500`.
fn read_asn(key: &Spanned<&str>, findings: &mut Findings<'_>) -> Option<Asn> {
    let typed = key.value;
    let is_plain = typed.bytes().all(|octet| octet.is_ascii_digit()) && !typed.starts_with('0');
    if let Some(number) = typed.parse().ok().filter(|_| is_plain) {
        return Some(Asn(number));
    }
    let digits = typed.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let help = match digits.parse::<u32>() {
        Ok(number) if number > 0 => format!("write asn.{number}"),
        _ => "an autonomous system is a number from 1 to 4294967295".to_owned(),
    };
    let message = format!("`{typed}` is no number of an autonomous system");
    findings.error(key.span.clone(), message).help(help);
    None
}

/// Reads the key of `subdivision.US-CA`.
pub(super) fn read_subdivision(
    key: &Spanned<&str>,
    findings: &mut Findings<'_>,
) -> Option<Subdivision> {
    let typed = key.value;
    if let Some(subdivision) = Subdivision::parse(typed) {
        return Some(subdivision);
    }
    let country = typed.split_once('-').and_then(|(country, _)| CountryCode::parse(country));
    let guess = if findings.is_full() { None } else { guess_subdivision(typed) };
    let error = findings.error(key.span.clone(), format!("`{typed}` is no subdivision"));
    if let Some((subdivision, name)) = guess {
        error.label(format!("did you mean `{subdivision}` ({name})?"));
    }
    if let Some(country) = CountryCode::parse(typed) {
        error.help(format!("{country} is a country, {}: write country.{country}", country.name()));
    } else if let Some(country) = country {
        error.help(format!(
            "{country} is {}; its subdivisions are ISO 3166-2 codes, such as US-CA or DE-HE",
            country.name()
        ));
    } else {
        error.help("subdivisions are ISO 3166-2 codes, such as US-CA or DE-HE");
    }
    None
}

fn guess_subdivision(text: &str) -> Option<(Subdivision, &'static str)> {
    let known = || Subdivision::all().map(|one| (one, one.name()));
    let by_code = Subdivision::parse(&text.to_uppercase());
    let by_code = by_code.and_then(|code| known().find(|(known, _)| *known == code));
    // A short word is like the name of some place in the world, whatever it is.
    let spelled = closest(text, known().map(|(_, name)| name)).filter(|_| text.len() > 4);
    let by_name = spelled.and_then(|name| known().find(|(_, known)| *known == name));
    let country = text.split_once('-').map(|(country, _)| country);
    let tail = text.split_once('-').map_or("", |(_, tail)| tail);
    let inside = known().filter(|(code, _)| Some(code.country().as_str()) == country);
    let by_tail = closest(tail, inside.clone().map(|(_, name)| name));
    let by_tail = by_tail.and_then(|name| inside.clone().find(|(_, known)| *known == name));
    by_code.or(by_name).or(by_tail)
}

/// The code of the country or subdivision that a text is most like.
pub(super) fn guess_place(text: &str) -> Option<String> {
    let country = guess_country(text).map(|country| country.to_string());
    country.or_else(|| guess_subdivision(text).map(|(subdivision, _)| subdivision.to_string()))
}

/// Codes that are common and not ISO 3166-1 alpha-2.
const COMMON_MISTAKES: &[(&str, &str)] =
    &[("UK", "GB"), ("EN", "GB"), ("GBR", "GB"), ("USA", "US"), ("EL", "GR"), ("SU", "RU")];

/// Reads the key of `continent.XX`.
fn read_continent(key: &Spanned<&str>, findings: &mut Findings<'_>) -> Option<Place> {
    let code = key.value;
    if let Some(continent) = Continent::parse(code) {
        return Some(Place::Continent(continent));
    }
    let guess = guess_continent(code);
    let country = CountryCode::parse(&code.to_uppercase()).filter(|_| guess.is_none());
    let codes: Vec<String> =
        Continent::ALL.iter().map(|known| format!("{} {}", known.code(), known.name())).collect();
    let error = findings.error(key.span.clone(), format!("`{code}` is no continent"));
    if let Some(guess) = guess {
        error.label(format!("did you mean `{}` ({})?", guess.code(), guess.name()));
    }
    if let Some(country) = country {
        error.help(format!("{country} is a country, {}: write country.{country}", country.name()));
    } else {
        error.help(format!("the continents are {}", codes.join(", ")));
    }
    None
}

/// Reads the key of `country.XX`; the four that Route 53 refuses are refused (rule 31).
fn read_country(key: &Spanned<&str>, findings: &mut Findings<'_>) -> Option<Place> {
    let country = read_country_code(key, findings)?;
    if country.continent().is_some() {
        return Some(Place::Country(country));
    }
    let message = format!("Route 53 does not locate clients in `{country}` ({})", country.name());
    findings
        .error(key.span.clone(), message)
        .help("BV, CX, EH and HM are refused as there; leave it to the continent or the default");
    None
}

/// Reads a code of ISO 3166-1.
pub(super) fn read_country_code(
    key: &Spanned<&str>,
    findings: &mut Findings<'_>,
) -> Option<CountryCode> {
    let code = key.value;
    if let Some(country) = CountryCode::parse(code) {
        return Some(country);
    }
    let guess = if findings.is_full() { None } else { guess_country(code) };
    let continent = Continent::parse(&code.to_uppercase()).filter(|_| guess.is_none());
    let error = findings.error(key.span.clone(), format!("`{code}` is no country"));
    if let Some(guess) = guess {
        error.label(format!("did you mean `{guess}` ({})?", guess.name()));
    }
    if let Some(continent) = continent {
        let (code, name) = (continent.code(), continent.name());
        error.help(format!("{code} is a continent, {name}: write continent.{code}"));
    } else {
        error.help("countries are ISO 3166-1 codes of two capital letters, such as US or DE");
    }
    None
}

fn guess_continent(text: &str) -> Option<Continent> {
    let upper = text.to_uppercase();
    let by_code = Continent::parse(&upper);
    let by_name = closest(text, Continent::ALL.iter().map(|continent| continent.name()));
    let by_name = by_name.and_then(|name| Continent::ALL.into_iter().find(|c| c.name() == name));
    let by_start = upper.get(..2).filter(|_| upper.len() == 3).and_then(Continent::parse);
    by_code.or(by_name).or(by_start)
}

fn guess_country(text: &str) -> Option<CountryCode> {
    let upper = text.to_uppercase();
    let common = COMMON_MISTAKES.iter().find(|(typed, _)| *typed == upper).map(|(_, code)| *code);
    if let Some(code) = common {
        return CountryCode::parse(code);
    }
    if upper.len() <= 3 {
        return CountryCode::parse(&upper);
    }
    let name = closest(text, CountryCode::all().map(CountryCode::name))?;
    CountryCode::all().find(|country| country.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Diagnostic, Source};

    type Read = fn(&Spanned<&str>, &mut Findings<'_>) -> Option<Place>;

    fn read(read: Read, code: &str) -> Result<Place, Box<Diagnostic>> {
        let source = Source::new("a.toml", code, 0);
        let mut findings = Findings::new(&source);
        let place = read(&Spanned { value: code, span: 0..code.len() }, &mut findings);
        place.ok_or_else(|| Box::new(findings.finish().remove(0)))
    }

    #[test]
    fn codes_are_places() {
        assert_eq!(read(read_continent, "EU"), Ok(Place::Continent(Continent::Europe)));
        assert_eq!(read(read_country, "NA"), Ok(Place::Country(CountryCode::parse("NA").unwrap())));
    }

    #[test]
    fn rule_31_countries_without_a_continent_are_refused() {
        for code in ["BV", "CX", "EH", "HM"] {
            let error = read(read_country, code).unwrap_err();
            assert!(error.message.starts_with("Route 53 does not locate"), "{}", error.message);
        }
    }

    #[test]
    fn likely_codes_are_suggested() {
        for (reader, code, guess) in [
            (read_country as Read, "UK", "`GB` (United Kingdom"),
            (read_country, "USA", "`US` (United States"),
            (read_country, "de", "`DE` (Germany)"),
            (read_country, "Germany", "`DE` (Germany)"),
            (read_continent, "NAM", "`NA` (North America)"),
            (read_continent, "eu", "`EU` (Europe)"),
            (read_continent, "Europa", "`EU` (Europe)"),
        ] {
            let label = read(reader, code).unwrap_err().label;
            assert!(label.contains(guess), "{code}: {label}");
        }
    }

    #[test]
    fn continents_and_countries_are_told_apart() {
        let error = read(read_country, "EU").unwrap_err();
        assert_eq!(error.help, ["EU is a continent, Europe: write continent.EU"]);
        let error = read(read_continent, "US").unwrap_err();
        assert!(error.help[0].contains("write country.US"), "{:?}", error.help);
    }
}
