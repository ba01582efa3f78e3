//! Groups of countries that zone files may name without listing them.
//!
//! | name | who |
//! |---|---|
//! | `EU` | the 27 member states |
//! | `EEA` | those, and Iceland, Liechtenstein and Norway |
//! | `GDPR` | the EEA; the parts of its states with codes of their own in which Union law holds (AX, GF, GP, MF, MQ, RE, YT: |
//! | | TFEU Art. 355); GI and GB, whose law is the same in substance; not CH, whose law is its own |
//! | `M49-155` or `western-europe` | regions, sub-regions and intermediate regions of the United Nations' standard M49 |
//!
//! All are lists of codes of ISO 3166-1: territories with codes of their own (AX, GF, GI, GP, MF, MQ, RE, YT, …) are in
//! a group only if it lists them, and EU and EEA do not. M49 has no entry for TW and XK: they are counted to the
//! sub-regions around them, Eastern Asia and Southern Europe. It gives AQ no region, and neither do we.
//!
//! Neighbours: `country.rs` has the codes; groups of one's own are `config`'s. Invariant: each country but AQ is in
//! exactly one row of the table (tested).

use super::country::CountryCode;

/// The European Union since 2020.
const EU: &str = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK";

/// What is beside the EU in the European Economic Area.
const EEA_ALONE: &str = "IS LI NO";

/// Where the GDPR is law besides.
const GDPR_ALONE: &str = "AX GB GF GI GP MF MQ RE YT";

/// A region of M49: its code, the code of the region that it is in, its English name as a slug, and the countries that
/// are in none of its own regions.
type Row = (&'static str, &'static str, &'static str, &'static str);

#[rustfmt::skip] // one region a line
const REGIONS: [Row; 30] = [
    ("M49-002", "",        "africa",                          ""),
    ("M49-015", "M49-002", "northern-africa",                 "DZ EG EH LY MA SD TN"),
    ("M49-202", "M49-002", "sub-saharan-africa",              ""),
    ("M49-014", "M49-202", "eastern-africa",                  "BI DJ ER ET IO KE KM MG MU MW MZ RE RW SC SO SS TF TZ UG YT ZM ZW"),
    ("M49-017", "M49-202", "middle-africa",                   "AO CD CF CG CM GA GQ ST TD"),
    ("M49-018", "M49-202", "southern-africa",                 "BW LS NA SZ ZA"),
    ("M49-011", "M49-202", "western-africa",                  "BF BJ CI CV GH GM GN GW LR ML MR NE NG SH SL SN TG"),
    ("M49-019", "",        "americas",                        ""),
    ("M49-021", "M49-019", "northern-america",                "BM CA GL PM US"),
    ("M49-419", "M49-019", "latin-america-and-the-caribbean", ""),
    ("M49-029", "M49-419", "caribbean",                       "AG AI AW BB BL BQ BS CU CW DM DO GD GP HT JM KN KY LC MF MQ MS PR SX TC TT VC VG VI"),
    ("M49-013", "M49-419", "central-america",                 "BZ CR GT HN MX NI PA SV"),
    ("M49-005", "M49-419", "south-america",                   "AR BO BR BV CL CO EC FK GF GS GY PE PY SR UY VE"),
    ("M49-142", "",        "asia",                            ""),
    ("M49-143", "M49-142", "central-asia",                    "KG KZ TJ TM UZ"),
    ("M49-030", "M49-142", "eastern-asia",                    "CN HK JP KP KR MN MO TW"),
    ("M49-035", "M49-142", "south-eastern-asia",              "BN ID KH LA MM MY PH SG TH TL VN"),
    ("M49-034", "M49-142", "southern-asia",                   "AF BD BT IN IR LK MV NP PK"),
    ("M49-145", "M49-142", "western-asia",                    "AE AM AZ BH CY GE IL IQ JO KW LB OM PS QA SA SY TR YE"),
    ("M49-150", "",        "europe",                          ""),
    ("M49-151", "M49-150", "eastern-europe",                  "BG BY CZ HU MD PL RO RU SK UA"),
    ("M49-154", "M49-150", "northern-europe",                 "AX DK EE FI FO GB IE IM IS LT LV NO SE SJ"),
    ("M49-830", "M49-154", "channel-islands",                 "GG JE"),
    ("M49-039", "M49-150", "southern-europe",                 "AD AL BA ES GI GR HR IT ME MK MT PT RS SI SM VA XK"),
    ("M49-155", "M49-150", "western-europe",                  "AT BE CH DE FR LI LU MC NL"),
    ("M49-009", "",        "oceania",                         ""),
    ("M49-053", "M49-009", "australia-and-new-zealand",       "AU CC CX HM NF NZ"),
    ("M49-054", "M49-009", "melanesia",                       "FJ NC PG SB VU"),
    ("M49-057", "M49-009", "micronesia",                      "FM GU KI MH MP NR PW UM"),
    ("M49-061", "M49-009", "polynesia",                       "AS CK NU PF PN TK TO TV WF WS"),
];

/// The countries of a built-in group, in the order of their codes; nothing if there is no such group. Names are exact:
/// `EU`, `EEA` and `GDPR` in capitals, M49's by number (`M49-155`) or by slug (`western-europe`).
pub fn built_in_group(name: &str) -> Option<Vec<CountryCode>> {
    let mut members = match name {
        "EU" => countries(&[EU]),
        "EEA" => countries(&[EU, EEA_ALONE]),
        "GDPR" => countries(&[EU, EEA_ALONE, GDPR_ALONE]),
        _ => countries(&lists_of_region(name)?),
    };
    members.sort_unstable();
    Some(members)
}

/// Every name that [`built_in_group`] knows, for suggestions.
pub fn built_in_group_names() -> impl Iterator<Item = &'static str> {
    let m49 = REGIONS.iter().flat_map(|(code, _, slug, _)| [*code, *slug]);
    ["EU", "EEA", "GDPR"].into_iter().chain(m49)
}

/// The lists of a region and of all regions in it. A row stands below the one that it is in, so one pass finds them.
fn lists_of_region(name: &str) -> Option<Vec<&'static str>> {
    let (top, _, _, _) =
        REGIONS.iter().find(|(code, _, slug, _)| [*code, *slug].contains(&name))?;
    let (mut codes, mut lists) = (Vec::new(), Vec::new());
    for (code, parent, _, list) in &REGIONS {
        if code == top || codes.contains(parent) {
            codes.push(*code);
            lists.push(*list);
        }
    }
    Some(lists)
}

/// The codes in lists that are separated by spaces.
fn countries(lists: &[&str]) -> Vec<CountryCode> {
    lists.iter().flat_map(|list| list.split_whitespace()).filter_map(CountryCode::parse).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn members(name: &str) -> String {
        let codes = built_in_group(name).unwrap();
        codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    fn has(name: &str, code: &str) -> bool {
        members(name).split(' ').any(|member| member == code)
    }

    fn count(name: &str) -> usize {
        built_in_group(name).unwrap().len()
    }

    #[test]
    fn europes_unions_have_their_members() {
        assert_eq!((count("EU"), count("EEA"), count("GDPR")), (27, 30, 39));
        for code in ["GB", "CH", "NO", "IS", "LI", "TR", "UA"] {
            assert!(!has("EU", code), "{code}");
        }
        for code in ["NO", "IS", "LI", "HR", "CY", "MT"] {
            assert!(has("EEA", code), "{code}");
        }
        assert!(has("GDPR", "GB") && has("GDPR", "NO"));
        assert!(!has("EEA", "GB") && !has("GDPR", "CH"));
    }

    #[test]
    fn m49_regions_are_found_by_number_and_by_name() {
        assert_eq!(members("M49-155"), "AT BE CH DE FR LI LU MC NL");
        assert_eq!(members("western-europe"), members("M49-155"));
        assert_eq!(members("central-asia"), "KG KZ TJ TM UZ");
        assert_eq!(members("channel-islands"), "GG JE");
        assert!(has("northern-europe", "GG"), "an intermediate region is in its sub-region");
        assert!(has("europe", "GG") && has("europe", "RU") && !has("europe", "CY"));
        assert!(has("americas", "BB") && has("latin-america-and-the-caribbean", "BB"));
        assert!(has("eastern-asia", "TW") && has("southern-europe", "XK"));
        for name in ["", "eu", "Europe", "M49-001", "M49-1555", "155", "western europe", "atlantis"]
        {
            assert_eq!(built_in_group(name), None, "{name:?}");
        }
    }

    #[test]
    fn m49_regions_have_as_many_countries_as_the_united_nations_count() {
        // TW and XK are ours.
        for (name, expected) in [
            ("africa", 60),
            ("sub-saharan-africa", 53),
            ("americas", 57),
            ("latin-america-and-the-caribbean", 52),
            ("asia", 50 + 1),
            ("europe", 51 + 1),
            ("oceania", 29),
            ("caribbean", 28),
            ("western-asia", 18),
        ] {
            assert_eq!(count(name), expected, "{name}");
        }
    }

    #[test]
    fn every_country_but_antarctica_is_in_one_region() {
        let lists: Vec<_> = REGIONS.iter().flat_map(|row| row.3.split_whitespace()).collect();
        assert!(lists.iter().all(|code| CountryCode::parse(code).is_some()), "a code that is none");
        for country in CountryCode::all() {
            let times = lists.iter().filter(|code| **code == country.as_str()).count();
            assert_eq!(times, usize::from(country.as_str() != "AQ"), "{country}");
        }
        let continents = ["africa", "americas", "asia", "europe", "oceania"];
        assert_eq!(continents.map(count).iter().sum::<usize>(), 249);
    }

    #[test]
    fn every_name_is_a_group_in_order_without_repetition() {
        let names: Vec<_> = built_in_group_names().collect();
        assert_eq!(names.len(), 63);
        for name in names {
            let found = built_in_group(name).unwrap();
            assert!(!found.is_empty() && found.is_sorted_by(|left, right| left < right), "{name}");
        }
    }

    #[test]
    fn rows_stand_below_their_parents() {
        for (at, (code, parent, _, _)) in REGIONS.iter().enumerate() {
            let mut above = REGIONS.iter().take(at);
            assert!(parent.is_empty() || above.any(|row| row.0 == *parent), "{code}");
        }
    }
}
