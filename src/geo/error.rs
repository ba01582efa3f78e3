//! Why a database cannot be used, and what the operator does next.
//!
//! Every message ends in the next move, because the reader has just copied a file into place and is waiting. Neighbours:
//! `file.rs` and those that use it make these; the caller adds the file's name.

use std::fmt;

use maxminddb::MaxMindDbError;

/// Why [`Database::read`](super::Database::read) refused a file.
#[derive(Debug)]
pub enum DatabaseError {
    /// Not a MaxMind DB file, or a damaged one: fetch it again.
    Unreadable(MaxMindDbError),
    /// The search tree leads outside itself or round in circles: fetch the file again.
    BrokenTree,
    /// Over a bound of ours: use a smaller database.
    TooLarge {
        /// What there is too much of, in the plural.
        what: &'static str,
        /// How many we take.
        limit: usize,
    },
    /// A sound file in which no record names a place: use another kind of database.
    NoCountries {
        /// What the file says it is, for example `GeoLite2-ASN`.
        kind: String,
    },
    /// A sound file in which no record names an autonomous system: use another kind of database.
    NoAsns {
        /// What the file says it is, for example `GeoLite2-City`.
        kind: String,
    },
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(reason) => write!(
                formatter,
                "not a usable MaxMind DB file ({reason}): unpack it if it is a .tar.gz or .gz, or download it again"
            ),
            Self::BrokenTree => {
                write!(formatter, "the search tree is damaged: download the database again")
            }
            Self::TooLarge { what, limit } => write!(
                formatter,
                "more than {limit} {what}: use a smaller database (of places, a Country database is the smallest kind)"
            ),
            Self::NoCountries { kind } => write!(
                formatter,
                "no record of this database ({kind:?}) names a country (as country.iso_code, \
                 registered_country.iso_code or country_code) or has coordinates: use a Country or City database"
            ),
            Self::NoAsns { kind } => write!(
                formatter,
                "no record of this database ({kind:?}) names an autonomous system, as \
                 autonomous_system_number or asn: use an ASN database"
            ),
        }
    }
}

impl std::error::Error for DatabaseError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable(reason) => Some(reason),
            Self::BrokenTree
            | Self::TooLarge { .. }
            | Self::NoCountries { .. }
            | Self::NoAsns { .. } => None,
        }
    }
}

impl From<MaxMindDbError> for DatabaseError {
    fn from(reason: MaxMindDbError) -> Self {
        Self::Unreadable(reason)
    }
}
