//! What an answer brings along that was not asked for: glue, and the addresses of the hosts that its records name.
//!
//! | for | what | if it does not fit |
//! |---|---|---|
//! | a referral | every address of the servers at or below the cut, wherever it stands (RFC 9471) | TC |
//! | a referral | addresses of other servers, as far as we have them | left out |
//! | NS, MX, AFSDB, KX, SRV | addresses of the hosts (RFC 1035 §3.3, RFC 2782) | left out |
//! | SVCB, HTTPS | addresses of the target; in alias mode its SVCB or HTTPS too (RFC 9460 §4.1) | left out |
//!
//! Addresses that are chosen per client are never brought along: the answer would depend on the client for data it did not
//! ask for. The client asks for them itself.

use super::answer::Answering;
use super::story::Story;
use crate::limits::{ADDITIONAL_NAMES, NAME_OCTETS};
use crate::wire::{Full, Owner, RecordType, Records, Section, ends_in, host_of};
use crate::zone::{Found, Node};

/// The name of the root, which in SVCB stands for the owner itself (RFC 9460 §2.5.2).
const ROOT: &[u8] = &[0];

impl<'e, S: Story> Answering<'e, '_, S> {
    /// Glue of a referral. What the client can't do without comes first, and an error says that it did not fit; there is no
    /// other limit on it, since the zone's author chose it.
    pub(super) fn add_glue(&mut self, cut: Node<'e>, servers: &Records<'e>) -> Result<(), Full> {
        let is_needed = |host: &&[u8]| ends_in(host, cut.name());
        for host in servers.rdata().filter(is_needed) {
            self.push_glue(host)?;
        }
        for host in servers.rdata().filter(|host| !is_needed(host)).take(ADDITIONAL_NAMES) {
            // A kindness: without it the client asks for the address itself.
            let _ = self.push_host(host, true);
        }
        Ok(())
    }

    /// The addresses of a name server, wherever they stand.
    fn push_glue(&mut self, host: &'e [u8]) -> Result<(), Full> {
        let mut folded = [0; NAME_OCTETS];
        let catalog = &self.frame.engine.snapshot.catalog;
        match catalog.node(fold(host, &mut folded)) {
            Some(node) => self.push_addresses(node, Owner::Name(host)),
            None => Ok(()),
        }
    }

    /// Brings along what the hosts of an answer need, as far as it fits: leaving it out is no truncation (RFC 2181 §9).
    #[inline(never)]
    pub(super) fn add_hosts(&mut self, node: Node<'e>, owner: Owner<'_>, records: &Records<'e>) {
        let mut seen = [None; ADDITIONAL_NAMES];
        let mut hosts = 0usize;
        for rdata in records.rdata() {
            let Some(host) = host_of(records.rtype, rdata) else { return };
            let is_same =
                |seen: &Option<&[u8]>| seen.is_some_and(|seen| seen.eq_ignore_ascii_case(host));
            if seen.iter().any(is_same) {
                continue;
            }
            let Some(slot) = seen.get_mut(hosts) else { return };
            *slot = Some(host);
            hosts = hosts.saturating_add(1);
            // What has no room is left out; what another host needs may still have some.
            let _ = match records.rtype {
                RecordType::SVCB | RecordType::HTTPS => {
                    self.push_service(node, owner, records.rtype, rdata, host)
                }
                rtype => self.push_host(host, rtype == RecordType::NS),
            };
        }
    }

    /// The addresses of a host. Those of a name server may also be glue.
    fn push_host(&mut self, host: &'e [u8], is_server: bool) -> Result<(), Full> {
        match self.find_host(host) {
            Some(node) => self.push_addresses(node, Owner::Name(host)),
            None if is_server => self.push_glue(host),
            None => Ok(()),
        }
    }

    /// What the target of one SVCB or HTTPS record needs.
    fn push_service(
        &mut self,
        node: Node<'e>,
        owner: Owner<'_>,
        rtype: RecordType,
        rdata: &[u8],
        target: &'e [u8],
    ) -> Result<(), Full> {
        let is_alias = rdata.starts_with(&[0, 0]);
        if target == ROOT {
            // In alias mode it means that the service is not there (§2.5.1).
            return if is_alias { Ok(()) } else { self.push_addresses(node, owner) };
        }
        let asked = node.identity();
        let Some(node) = self.find_host(target) else { return Ok(()) };
        // An alias of itself is in the answer already.
        let is_wanted = is_alias && node.identity() != asked;
        if let Some(service) = node.rrset(rtype).filter(|_| is_wanted) {
            self.composer.push_records(Section::Additional, Owner::Name(target), &service, 0)?;
        }
        self.push_addresses(node, Owner::Name(target))
    }

    /// The node that answers for a host by authority: the name itself or a wildcard, not below a cut.
    fn find_host(&self, host: &[u8]) -> Option<Node<'e>> {
        let mut folded = [0; NAME_OCTETS];
        let catalog = &self.frame.engine.snapshot.catalog;
        match catalog.find(fold(host, &mut folded), RecordType::A) {
            Found::Exact(node) | Found::Wildcard(node) => Some(node),
            _ => None,
        }
    }

    fn push_addresses(&mut self, node: Node<'e>, owner: Owner<'_>) -> Result<(), Full> {
        for rtype in [RecordType::A, RecordType::AAAA] {
            if let Some(records) = node.rrset(rtype) {
                self.composer.push_records(Section::Additional, owner, &records, 0)?;
            }
        }
        Ok(())
    }
}

/// The name in lower case, in the room given.
fn fold<'r>(name: &[u8], room: &'r mut [u8; NAME_OCTETS]) -> &'r [u8] {
    let Some(folded) = room.get_mut(..name.len()) else { return &[] };
    folded.copy_from_slice(name);
    folded.make_ascii_lowercase();
    folded
}
