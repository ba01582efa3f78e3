//! What the fields of each type are, in the order in which both its presentation format and its wire format have them.
//!
//! One table drives three things: [`compose`](super::compose) makes octets of fields, [`print`](super::print) fields of
//! octets, and a mistake is named after its field. A new type is a line here, and a new [`Field`] only where none fits.

use super::RdataError;
use super::token::Token;
use crate::wire::RecordType;

/// What may stand in one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Ipv4,
    Ipv6,
    Name,
    U8,
    U16,
    U32,
    /// Seconds below 2^31, units allowed.
    Seconds,
    /// A character-string of at most 255 octets.
    Text,
    /// A character-string of digits, the number at which a machine of an X.25 network is reached.
    Digits,
    /// A character-string with a number whose absolute value is at most this one.
    Decimal(u32),
    /// The tag of a CAA property: a character-string of ASCII letters and digits.
    Tag,
    /// One token whose octets go to the end of the data.
    Octets,
    /// The same, but not empty.
    SomeOctets,
    /// A DNSSEC algorithm by number or mnemonic.
    Algorithm,
    /// A digest of a DS record by number or mnemonic.
    Digest,
    /// A kind of certificate by number or mnemonic.
    Certificate,
    /// A scheme of DSYNC by number or mnemonic.
    Scheme,
    /// A type of record.
    Type,
    /// A point in time in seconds since 1970, or as YYYYMMDDHHMMSS.
    Time,
    /// Hexadecimal digits in one token, `-` for none; a length octet before them.
    Salt,
    /// Base 32 with extended hexadecimal digits in one token; a length octet before it.
    Hash,
    /// So many octets in hexadecimal, with a hyphen between any two.
    Hyphened(usize),
    /// 64 bits as four groups of hexadecimal digits with colons.
    Locator,
    /// `0x` and hexadecimal digits, dots allowed, to the end of the data.
    Nsap,
    /// The highest bit of the octet that [`Field::Relay`] completes.
    Discovery,
    /// The kind of a gateway that follows, in the lower seven bits.
    RelayKind,
    /// A gateway whose kind is in the octet before the last (IPSECKEY).
    Gateway,
    /// A gateway whose kind is in the last octet (AMTRELAY).
    Relay,
    /// An internet protocol by number or mnemonic.
    Protocol,
    /// None or one character-string.
    MaybeText,
    /// None or more character-strings to the end.
    Texts,
    /// Hexadecimal digits in one or more tokens to the end.
    Hex,
    /// Base 64 in one or more tokens to the end.
    Base64,
    /// The same in none or more tokens.
    MaybeBase64,
    /// Base 64, or `-` for none.
    DashOrBase64,
    /// None or more types of record to the end.
    Bitmap,
    /// A host identity (HIP): algorithm, tag, key and servers.
    Identity,
    /// The parameters of a service (SVCB).
    Parameters,
    /// None or more address prefixes (APL).
    Prefixes,
    /// Latitude, longitude, altitude and sizes (LOC).
    Location,
    /// None or more ports, a bit for each (WKS).
    Services,
}

impl Field {
    /// Whether it takes all tokens that are left.
    pub(super) fn is_open(self) -> bool {
        use Field::*;
        matches!(
            self,
            Texts
                | Hex
                | Base64
                | MaybeBase64
                | DashOrBase64
                | Bitmap
                | Identity
                | Parameters
                | Prefixes
                | Location
                | Services
        )
    }

    /// How many tokens it needs.
    fn least(self) -> usize {
        use Field::*;
        match self {
            MaybeText | Texts | MaybeBase64 | Bitmap | Parameters | Prefixes | Services => 0,
            Identity => 3,
            Location => 5,
            _ => 1,
        }
    }
}

/// The fields of a type's presentation format.
pub(super) struct Layout {
    pub(super) rtype: RecordType,
    pub(super) fields: &'static [(&'static str, Field)],
    pub(super) example: &'static str,
}

impl Layout {
    /// The layout of a type, if it has one.
    pub(super) fn of(rtype: RecordType) -> Option<&'static Self> {
        super::types::LAYOUTS.iter().find(|layout| layout.rtype == rtype)
    }

    /// Whether there are enough tokens, and not more than the fields can take.
    pub(super) fn check_count(&self, tokens: &[Token<'_>]) -> Result<(), RdataError> {
        let least =
            self.fields.iter().fold(0usize, |sum, (_, field)| sum.saturating_add(field.least()));
        match self.first_excess(tokens) {
            Some(extra) => Err(self.excess(extra)),
            _ if tokens.is_empty() && least > 0 => Err(RdataError::whole("there is no data")),
            _ if tokens.len() < least => {
                let found = tokens.len();
                Err(RdataError::whole(format!("only {found} of {least} fields are there")))
            }
            _ => Ok(()),
        }
    }

    /// The first token that no field takes.
    pub(super) fn first_excess<'t, 's>(&self, tokens: &'s [Token<'t>]) -> Option<&'s Token<'t>> {
        let is_open = self.fields.iter().any(|(_, field)| field.is_open());
        tokens.get(self.fields.len()).filter(|_| !is_open)
    }

    pub(super) fn excess(&self, extra: &Token<'_>) -> RdataError {
        let hint = match self.rtype {
            RecordType::CAA | RecordType::URI => "; put a value with spaces in quotes",
            _ => "",
        };
        RdataError::at(extra, format!("`{}` is one field too many{hint}", extra.text))
    }
}
