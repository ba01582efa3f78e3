//! The seven continents that a geolocation policy can name.
//!
//! They exist apart from countries because their codes collide with country codes (`NA` is Namibia and North
//! America, `AF` Afghanistan and Africa): a type keeps the two apart where text cannot. Which country is on which
//! continent is in `country_table.rs`, not here.

use std::fmt;

/// A continent as Amazon Route 53 counts them (rule 31).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Continent {
    /// `AF`
    Africa,
    /// `AN`
    Antarctica,
    /// `AS`
    Asia,
    /// `EU`
    Europe,
    /// `NA`
    NorthAmerica,
    /// `OC`
    Oceania,
    /// `SA`
    SouthAmerica,
}

impl Continent {
    /// All seven, in the order of their codes.
    pub const ALL: [Self; 7] = [
        Self::Africa,
        Self::Antarctica,
        Self::Asia,
        Self::Europe,
        Self::NorthAmerica,
        Self::Oceania,
        Self::SouthAmerica,
    ];

    /// Reads a two-letter code in upper case, as zone files write it. Anything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|continent| continent.code() == text)
    }

    /// The two-letter code: `AF`, `AN`, `AS`, `EU`, `NA`, `OC` or `SA`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Africa => "AF",
            Self::Antarctica => "AN",
            Self::Asia => "AS",
            Self::Europe => "EU",
            Self::NorthAmerica => "NA",
            Self::Oceania => "OC",
            Self::SouthAmerica => "SA",
        }
    }

    /// The English name, for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Africa => "Africa",
            Self::Antarctica => "Antarctica",
            Self::Asia => "Asia",
            Self::Europe => "Europe",
            Self::NorthAmerica => "North America",
            Self::Oceania => "Oceania",
            Self::SouthAmerica => "South America",
        }
    }
}

impl fmt::Display for Continent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::Continent;

    #[test]
    fn codes_are_read_back_and_nothing_else_is() {
        for continent in Continent::ALL {
            assert_eq!(Continent::parse(continent.code()), Some(continent));
        }
        for text in ["", "eu", "EUR", "XX", "E", "Europe"] {
            assert_eq!(Continent::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn all_is_in_the_order_of_codes() {
        assert!(Continent::ALL.is_sorted_by_key(|continent| continent.code()));
    }
}
