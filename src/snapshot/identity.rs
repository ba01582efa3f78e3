//! What the server says of itself to those who ask: nothing, unless its owner wants it to.

use std::net::IpAddr;

use ipnet::IpNet;

/// Names in the CHAOS class under which servers tell their version (BIND's, and the one after it).
const VERSION_NAMES: [&[u8]; 2] = [b"\x07version\x06server\x00", b"\x07version\x04bind\x00"];

/// Names in the CHAOS class under which servers tell which one they are (RFC 4892 §4, and BIND's).
const SERVER_NAMES: [&[u8]; 2] = [b"\x02id\x06server\x00", b"\x08hostname\x04bind\x00"];

/// What may be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Which server this is, for the NSID option (RFC 5001) and `id.server` (RFC 4892). At most 255 octets.
    pub server: Option<Box<str>>,
    /// For `version.server` and `version.bind`. At most 255 octets.
    pub version: Option<Box<str>>,
    /// Whose clients may ask in a query why they get its answer.
    pub explains_to: Box<[IpNet]>,
}

impl Identity {
    /// Whether a client at an address may have its answers explained.
    pub fn explains_to(&self, address: IpAddr) -> bool {
        self.explains_to.iter().any(|network| network.contains(&address))
    }

    /// The text that a name in lower case stands for in the CHAOS class.
    pub fn text_of(&self, name: &[u8]) -> Option<&str> {
        if SERVER_NAMES.contains(&name) {
            return self.server.as_deref();
        }
        self.version.as_deref().filter(|_| VERSION_NAMES.contains(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_set_is_told() {
        let identity = Identity { server: Some("ns1".into()), ..Identity::default() };
        assert_eq!(identity.text_of(b"\x02id\x06server\x00"), Some("ns1"));
        assert_eq!(identity.text_of(b"\x08hostname\x04bind\x00"), Some("ns1"));
        assert_eq!(identity.text_of(b"\x07version\x04bind\x00"), None);
        assert_eq!(identity.text_of(b"\x07authors\x04bind\x00"), None);
    }
}
