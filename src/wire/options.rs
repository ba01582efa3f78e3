//! EDNS options that queries carry and answers give back (RFC 6891 §6.1.2), by their numbers in the IANA registry.

/// Which server answers (RFC 5001).
pub(super) const OPTION_NSID: u16 = 3;
/// Client subnet (RFC 7871).
pub(super) const OPTION_CLIENT_SUBNET: u16 = 8;
/// How long an idle TCP connection may stay (RFC 7828).
pub(super) const OPTION_TCP_KEEPALIVE: u16 = 11;
/// Extended error (RFC 8914).
pub(super) const OPTION_EXTENDED_ERROR: u16 = 15;
/// Asks for an explanation of the answer, which comes as the text of an extended error: of the codes for local use
/// (RFC 6891 §9).
pub(super) const OPTION_EXPLAIN: u16 = 65_001;
