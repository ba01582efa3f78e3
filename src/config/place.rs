//! Codes of continents and countries in geolocation policies, and what people write in their stead.

use super::diagnostic::Findings;
use super::reader::Spanned;
use super::value::closest;
use crate::geo::{Continent, CountryCode};
use crate::policy::Place;

/// Codes that are common and not ISO 3166-1 alpha-2.
const COMMON_MISTAKES: &[(&str, &str)] =
    &[("UK", "GB"), ("EN", "GB"), ("GBR", "GB"), ("USA", "US"), ("EL", "GR"), ("SU", "RU")];

/// Reads the key of `continent.XX`.
pub(super) fn read_continent(key: &Spanned<&str>, findings: &mut Findings<'_>) -> Option<Place> {
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
pub(super) fn read_country(key: &Spanned<&str>, findings: &mut Findings<'_>) -> Option<Place> {
    let code = key.value;
    if let Some(country) = CountryCode::parse(code) {
        if country.continent().is_some() {
            return Some(Place::Country(country));
        }
        let message = format!("Route 53 does not locate clients in `{code}` ({})", country.name());
        findings.error(key.span.clone(), message).help(
            "BV, CX, EH and HM are refused as there; leave it to the continent or the default",
        );
        return None;
    }
    let guess = guess_country(code);
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
