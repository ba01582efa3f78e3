//! An inquiry as people write it: a name, a type, a client.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::query::{Engine, Explanation, Inquiry, assume_down, assume_recovered, explain};
use crate::snapshot::Live;
use crate::sys::monotonic_ms;
use crate::wire::{ClientSubnet, Name, RecordType};

/// A question as it stands in the query string of `/explain`, and what to assume.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    name: String,
    qtype: Option<String>,
    client: Option<String>,
    resolver: Option<String>,
    down: Vec<String>,
    up: Vec<String>,
    at_ms: Option<u64>,
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
    /// Takes the pairs of a query string; `down` and `up` may be repeated.
    pub(super) fn read(pairs: Vec<(String, String)>) -> Result<Self, InquiryError> {
        let mut asked = Self::default();
        for (key, value) in pairs {
            match key.as_str() {
                "name" => asked.name = value,
                "type" => asked.qtype = Some(value),
                "client" => asked.client = Some(value),
                "resolver" => asked.resolver = Some(value),
                "down" => asked.down.push(value),
                "up" => asked.up.push(value),
                "at_ms" => {
                    let error = |e| InquiryError(format!("at_ms: {e}"));
                    asked.at_ms = Some(value.parse().map_err(error)?);
                }
                _ => {
                    let known = "name, type, client, resolver, down, up and at_ms";
                    return Err(InquiryError(format!("`{key}` is not known: there are {known}")));
                }
            }
        }
        if asked.name.is_empty() {
            return Err(InquiryError("name: it is missing".to_owned()));
        }
        Ok(asked)
    }

    /// Explains the answer that would be given now, but for what is assumed.
    pub(super) fn explain(&self, live: &Live, seed: u64) -> Result<Explanation, InquiryError> {
        let fail = |what: &str, error: &dyn fmt::Display| InquiryError(format!("{what}: {error}"));
        let inquiry = self.inquiry(seed)?;
        let now_ms = monotonic_ms();
        let view = live.view.copy();
        assume_down(&live.snapshot, &view, &self.down).map_err(|error| fail("down", &error))?;
        assume_recovered(&live.snapshot, &view, &self.up, now_ms)
            .map_err(|error| fail("up", &error))?;
        let assumed = Live {
            snapshot: Arc::clone(&live.snapshot),
            view: Arc::new(view),
            is_stale: live.is_stale,
        };
        let moment = now_ms.saturating_add(self.at_ms.unwrap_or(0));
        explain(&Engine::from(&assumed).at(moment), &inquiry)
            .map_err(|error| InquiryError(error.to_string()))
    }

    fn inquiry(&self, seed: u64) -> Result<Inquiry, InquiryError> {
        let fail = |what: &str, error: &dyn fmt::Display| InquiryError(format!("{what}: {error}"));
        let name = Name::parse(&self.name, &Name::root()).map_err(|e| fail("name", &e))?;
        let qtype = self.qtype.as_deref().unwrap_or("A");
        let qtype: RecordType = qtype.parse().map_err(|e| fail("type", &e))?;
        let subnet = self.client.as_deref().map(parse_client).transpose()?;
        let resolver = match &self.resolver {
            Some(resolver) => resolver.parse().map_err(|e| fail("resolver", &e))?,
            None => IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
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
