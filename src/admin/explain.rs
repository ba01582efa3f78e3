//! An inquiry as people write it: a name, a type, a client.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use serde::Deserialize;

use crate::query::Inquiry;
use crate::wire::{ClientSubnet, Name, RecordType};

/// A question as it stands in the query string of `/explain`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    name: String,
    #[serde(rename = "type")]
    qtype: Option<String>,
    client: Option<String>,
    resolver: Option<IpAddr>,
}

/// What can't be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InquiryError(String);

impl fmt::Display for InquiryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InquiryError {}

impl Asked {
    pub(super) fn inquiry(&self, seed: u64) -> Result<Inquiry, InquiryError> {
        let fail = |what: &str, error: &dyn fmt::Display| InquiryError(format!("{what}: {error}"));
        let name = Name::parse(&self.name, &Name::root()).map_err(|e| fail("name", &e))?;
        let qtype = self.qtype.as_deref().unwrap_or("A");
        let qtype: RecordType = qtype.parse().map_err(|e| fail("type", &e))?;
        let subnet = self.client.as_deref().map(parse_client).transpose()?;
        let resolver = self.resolver.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Ok(Inquiry { name, qtype, subnet, resolver, seed })
    }
}

/// Reads `ADDRESS` or `ADDRESS/LENGTH`. Without a length it is 24 bits of IPv4, 64 of IPv6.
pub fn parse_client(text: &str) -> Result<(IpAddr, u8), InquiryError> {
    ClientSubnet::parse_prefix(text).ok_or_else(|| {
        InquiryError(format!(
            "`{text}` is no client: write an address or a prefix, 192.0.2.0/24 or 2001:db8::/56"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_76_default_prefixes_are_24_and_64() {
        assert_eq!(parse_client("192.0.2.1"), Ok(("192.0.2.1".parse().unwrap(), 24)));
        assert_eq!(parse_client("2001:db8::1"), Ok(("2001:db8::1".parse().unwrap(), 64)));
        assert_eq!(parse_client("192.0.2.1/32"), Ok(("192.0.2.1".parse().unwrap(), 32)));
        for bad in
            ["", "x", "192.0.2.1/33", "192.0.2.1/", "2001:db8::/129", "1.2.3.4/-1", "1.2.3.4/24/2"]
        {
            assert!(parse_client(bad).is_err(), "{bad}");
        }
    }
}
