//! RFC 1034 §4.3.2, as ordered steps over the node that a question led to.

use std::cell::Cell;
use std::net::IpAddr;

use super::chain::Chain;
use super::engine::{Frame, Outcome, Reason};
use super::story::{PlacedBy, Stage, Story};
use crate::health::Horizon;
use crate::limits::{CNAME_CHAIN, HEADER_OCTETS};
use crate::policy::{
    AreaId, Choice, Chosen, Lot, Random, Selection, StickyKey, Target, soonest_turn,
};
use crate::snapshot::{BoundRoute, ClientPlace, Handout};
use crate::wire::{
    Composer, ExtendedError, Full, Owner, Rcode, RecordType, Records, Section, Ttl, brings_hosts,
    ends_in,
};
use crate::zone::{Found, Node, ZoneId, ZoneState};

/// The AA bit (RFC 1035 §4.1.1).
pub(super) const FLAG_AUTHORITATIVE: u16 = 0x0400;

/// RDATA of the HINFO that answers ANY: CPU "RFC8482", no OS (RFC 8482 §4.2).
const ANY_HINFO: &[u8] = b"\x07RFC8482\x00";

/// Why a policy answers with SERVFAIL (B2).
const ALL_DOWN: Reason =
    (ExtendedError::OTHER, "no endpoint is up, and the zone says to fail then");

/// An answer in the making.
pub(super) struct Answering<'e, 'm, S> {
    pub(super) frame: Frame<'e, 'm>,
    pub(super) random: &'m mut Random,
    pub(super) chain: &'m mut Chain,
    pub(super) composer: Composer<'m>,
    pub(super) story: &'m mut S,
    pub(super) rcode: Rcode,
    pub(super) is_authoritative: bool,
    pub(super) is_truncated: bool,
    pub(super) scope: u8,
    /// Why there is no answer, if that came up on the way.
    pub(super) error: Option<Reason>,
    pub(super) pool: Option<(ZoneId, Target, bool)>,
}

/// Where to go after a node was answered from.
enum Next {
    Done,
    /// A CNAME leads to another name, whose records have this owner.
    Follow(Owner<'static>),
}

impl<'e, S: Story> Answering<'e, '_, S> {
    /// Answers from where the question led, and closes the message.
    pub(super) fn run(mut self, found: Found<'e>, zone: ZoneId) -> Outcome {
        if self.walk(found).is_err() {
            // What did not fit was left out whole (RFC 2181 §9).
            self.is_truncated = true;
            self.composer.set_truncated();
        }
        // An answer to a prefix of length 0 holds for everybody (RFC 7871 §7.2.1).
        let subnet = self.frame.request.subnet();
        let is_placed = subnet.is_some_and(|subnet| subnet.address().is_some());
        let scope = if is_placed { self.scope } else { 0 };
        let flags = if self.is_authoritative { FLAG_AUTHORITATIVE } else { 0 };
        Outcome {
            octets: self.frame.close(&mut self.composer, flags, self.rcode, scope, self.error),
            rcode: self.rcode,
            qtype: Some(self.frame.request.qtype),
            zone: Some(zone),
            pool: self.pool,
            is_truncated: self.is_truncated,
            has_subnet: subnet.is_some(),
        }
    }

    /// Goes from name to name along CNAMEs and DNAMEs.
    fn walk(&mut self, found: Found<'e>) -> Result<(), Full> {
        let mut found = found;
        let mut owner = Owner::Question;
        self.chain.begin();
        for hop in 0..CNAME_CHAIN {
            let next = match found {
                // Its DNAME is in the answer already: an RRset stands in a message once (RFC 2181 §5).
                Found::Exact(node) if self.is_told(node) => return Ok(()),
                Found::Exact(node) => self.answer_from(node, false, owner)?,
                Found::Wildcard(node) => self.answer_from(node, true, owner)?,
                Found::Redirect(node) => self.redirect(node, owner)?,
                Found::Delegation(cut) => return self.refer(cut, owner, hop),
                Found::NoSuchName(zone) => return self.deny_name(zone),
                Found::NotOurs => return Ok(()),
            };
            let Next::Follow(target) = next else { return Ok(()) };
            // A chain that comes back to a name it left from is a loop; its records are all there.
            if self.has_passed() {
                return Ok(());
            }
            self.story.stage(Stage::Follow(self.chain.written()));
            owner = target;
            found = self.find();
        }
        Ok(())
    }

    /// Whether a DNAME is asked for that led to its own owner.
    fn is_told(&self, node: Node<'e>) -> bool {
        self.frame.request.qtype == RecordType::DNAME
            && self.chain.has_told_redirect(node.identity())
    }

    /// Whether the chain was at this name before.
    fn has_passed(&mut self) -> bool {
        let catalog = &self.frame.engine.snapshot.catalog;
        if self.chain.is_at_question() {
            self.chain.pass(catalog.fingerprint(self.frame.request.folded_name()));
        }
        self.chain.pass(catalog.fingerprint(self.chain.folded()))
    }

    fn find(&mut self) -> Found<'e> {
        let catalog = &self.frame.engine.snapshot.catalog;
        let found = catalog.find(self.chain.folded(), self.frame.request.qtype);
        // What a refused zone holds is not known: the chain ends before it, and the resolver asks there itself.
        let zone = found.zone().and_then(|zone| catalog.zone(zone));
        if zone.is_some_and(|zone| zone.state == ZoneState::Refused) {
            Found::NotOurs
        } else {
            found
        }
    }

    /// Step 3a: the node matches the whole name.
    fn answer_from(
        &mut self,
        node: Node<'e>,
        is_wildcard: bool,
        owner: Owner<'static>,
    ) -> Result<Next, Full> {
        self.story.stage(Stage::Found { node: node.name(), is_wildcard });
        let qtype = self.frame.request.qtype;
        let snapshot = self.frame.engine.snapshot;
        if qtype == RecordType::ANY
            && gets_hinfo(node, node.route().and_then(|id| snapshot.route(id)))
        {
            let ttl = self.negative_ttl(node.zone());
            self.composer.push_record(Section::Answer, owner, RecordType::HINFO, ttl, ANY_HINFO)?;
            return Ok(Next::Done);
        }
        if let Some(route) = node.route().and_then(|id| snapshot.route_for(id, qtype)) {
            let rtype = if route.handout == Handout::Alias { RecordType::CNAME } else { qtype };
            return self.answer_by_route(route, rtype, node, owner);
        }
        if let Some(records) = node.rrset(qtype) {
            self.push_in_turn(owner, &records)?;
            if brings_hosts(qtype) {
                self.add_hosts(node, owner, &records);
            }
            return Ok(Next::Done);
        }
        if let Some(records) = node.rrset(RecordType::CNAME) {
            self.composer.push_records(Section::Answer, owner, &records, 0)?;
            return Ok(self.follow(records.rdata().next()));
        }
        self.deny_type(node.zone())
    }

    /// The name is below a DNAME: the DNAME, and the CNAME that it makes for the name (RFC 6672 §3.2).
    fn redirect(&mut self, node: Node<'e>, owner: Owner<'static>) -> Result<Next, Full> {
        self.story.stage(Stage::Redirect { node: node.name() });
        let Some(records) = node.rrset(RecordType::DNAME) else { return Ok(Next::Done) };
        // A chain may come through one DNAME twice.
        if !self.chain.tell_redirect(node.identity()) {
            let above = self.owner_above(owner, node.name());
            self.composer.push_records(Section::Answer, above, &records, 0)?;
        }
        let whole = if matches!(owner, Owner::Question) {
            self.chain.set(self.composer.question_name())
        } else {
            Ok(())
        };
        let kept = self.chain.written().len().saturating_sub(node.name().len());
        let target = records.rdata().next().unwrap_or_default();
        if whole.and_then(|()| self.chain.substitute(kept, target)).is_err() {
            self.rcode = Rcode::YXDOMAIN;
            return Ok(Next::Done);
        }
        let ttl = Ttl::from_seconds(records.ttl()).unwrap_or(Ttl::MAX);
        let alias = self.chain.written();
        self.composer.push_record(Section::Answer, owner, RecordType::CNAME, ttl, alias)?;
        Ok(self.next())
    }

    /// Goes on to the target of a CNAME, unless CNAMEs were asked for.
    fn follow(&mut self, target: Option<&[u8]>) -> Next {
        match target.map(|target| self.chain.set(target)) {
            Some(Ok(())) => self.next(),
            _ => Next::Done,
        }
    }

    /// Whether to go on from the CNAME just written; the name is that of its target.
    fn next(&self) -> Next {
        let target = self.composer.latest_target().filter(|_| !self.asks_for_cname());
        target.map_or(Next::Done, Next::Follow)
    }

    /// Writes an RRset; equal records take random turns at the front (rule 9).
    fn push_in_turn(&mut self, owner: Owner<'_>, records: &Records<'_>) -> Result<(), Full> {
        let turn = if records.count > 1 { self.random.below(u32::from(records.count)) } else { 0 };
        self.composer.push_records(
            Section::Answer,
            owner,
            records,
            usize::try_from(turn).unwrap_or(0),
        )
    }

    /// The records of the node are chosen for this client.
    fn answer_by_route(
        &mut self,
        route: &'e BoundRoute,
        rtype: RecordType,
        node: Node<'e>,
        owner: Owner<'static>,
    ) -> Result<Next, Full> {
        let snapshot = self.frame.engine.snapshot;
        let Some(routing) = snapshot.routing(route.zone) else {
            return self.deny_type(node.zone());
        };
        let depends_on_place = route.depends_on_place();
        self.story.stage(Stage::Route { zone: route.zone, target: route.target, depends_on_place });
        let view = self.frame.engine.view;
        let is_overridden =
            self.frame.engine.has_overrides && view.has_overrides_among(routing.bound.switches());
        let (area, sticky) = self.place(route, is_overridden);
        let now_ms = self.frame.engine.now_ms;
        let turn = if is_overridden { soonest_turn(view, now_ms) } else { Horizon::NEVER };
        let mut selection = Selection {
            routing: &routing.bound,
            view,
            rtype,
            area,
            sticky,
            together: route.together,
            now_ms,
            lot: is_overridden.then(|| Lot::draw(sticky, self.random)),
            random: self.random,
            trace: self.story,
            horizon: Cell::new(turn),
        };
        let chosen = selection.choose(route.target);
        let handed = chosen.and_then(Chosen::target);
        let pool = handed.and_then(|target| routing.bound.handout(target));
        let mark = self.composer.mark();
        let (mut result, mut target, composer) = (Ok(0u32), None, &mut self.composer);
        if let Some(pool) = pool {
            selection.endpoints(pool, rtype, |rdata, horizon| {
                target = Some(rdata);
                let ttl = route.ttl_within(horizon);
                let pushed = composer.push_record(Section::Answer, owner, rtype, ttl, rdata);
                result = result.and_then(|count: u32| pushed.map(|()| count.saturating_add(1)));
                result.is_ok()
            });
        }
        let horizon = selection.horizon.get();
        let (floor, ttl) = (route.ttl_floor, route.ttl);
        self.story.stage(Stage::Selected { chosen, horizon, floor, ttl });
        let is_last_resort = chosen.is_some_and(|chosen| chosen.is_last_resort);
        self.pool = handed.map(|target| (route.zone, target, is_last_resort));
        match result {
            Ok(_) if chosen.is_some_and(|chosen| chosen.choice == Choice::ServFail) => {
                self.rcode = Rcode::SERVFAIL;
                self.error = Some(ALL_DOWN);
                Ok(Next::Done)
            }
            Err(Full) => {
                self.composer.rewind(mark);
                Err(Full)
            }
            // What no state of health could change is never capped.
            Ok(0) => {
                self.deny_within(node.zone(), route, chosen.map_or(Horizon::NEVER, |_| horizon))
            }
            Ok(_) if rtype == RecordType::CNAME => Ok(self.follow(target)),
            Ok(_) => Ok(Next::Done),
        }
    }

    /// Whether a CNAME is an answer in itself, not to be followed.
    fn asks_for_cname(&self) -> bool {
        matches!(self.frame.request.qtype, RecordType::CNAME | RecordType::ANY)
    }

    /// Where the client is for a route, and what sticky draws depend on: by its subnet, or by the resolver's address if there is
    /// none, or none with a known location. The scope is that of the subnet in either case. What operators have set may tell clients
    /// apart whom no state of health does: then an answer is for the subnet alone.
    fn place(&mut self, route: &BoundRoute, is_overridden: bool) -> (AreaId, Option<StickyKey>) {
        let subnet = self.frame.request.subnet();
        let subnet = subnet.and_then(|subnet| Some((subnet.address()?, subnet.source())));
        if let Some((address, _)) = subnet {
            self.scope = self.scope.max(self.onward_scope(route, address));
        }
        if !route.depends_on_client() && !is_overridden {
            return (AreaId::UNKNOWN, None);
        }
        let snapshot = self.frame.engine.snapshot;
        let area_in = |place: ClientPlace, address, source| {
            if is_overridden { snapshot.own_area(route, address, source) } else { place.area }
        };
        let resolver = self.frame.client.address;
        let sticky = route.sticky_key(subnet.map_or(resolver, |(address, _)| address));
        let mut by = PlacedBy::Resolver;
        if let Some((address, source)) = subnet {
            let mut place = route.place(address, source);
            if is_overridden && snapshot.tells_clients_apart(route) {
                place.scope = place.scope.max(source);
            }
            // One answer may have passed several routes: it holds for the smallest of their prefixes.
            self.scope = self.scope.max(place.scope);
            if !place.is_unlocated {
                let (by, scope) = (PlacedBy::Subnet, place.scope);
                self.story.stage(Stage::Placed { by, address, source, scope });
                return (area_in(place, address, source), sticky);
            }
            by = PlacedBy::ResolverInstead;
        }
        let place = route.place(resolver, u8::MAX);
        let scope = if subnet.is_some() { self.scope } else { place.scope };
        self.story.stage(Stage::Placed { by, address: resolver, source: u8::MAX, scope });
        (area_in(place, resolver, u8::MAX), sticky)
    }

    /// The deepest scope of the routes that an alias may lead to, whichever it leads to this time.
    fn onward_scope(&self, route: &BoundRoute, address: IpAddr) -> u8 {
        let qtype = self.frame.request.qtype;
        let onward = route.onward().iter().filter_map(|id| self.frame.engine.snapshot.route(*id));
        let counted = onward.filter(|onward| onward.answers(qtype));
        counted.map(|onward| onward.place(address, u8::MAX).scope).max().unwrap_or(0)
    }

    /// Step 3b: the name was delegated away. The glue that the client can't do without is all there or the answer says that
    /// it is truncated (RFC 9471 §3.1).
    #[inline(never)]
    fn refer(&mut self, cut: Node<'e>, owner: Owner<'_>, hop: usize) -> Result<(), Full> {
        self.story.stage(Stage::Delegation { cut: cut.name() });
        self.is_authoritative = hop != 0;
        let Some(records) = cut.rrset(RecordType::NS) else {
            return Ok(());
        };
        let cut_owner = self.owner_above(owner, cut.name());
        self.composer.push_records(Section::Authority, cut_owner, &records, 0)?;
        self.add_glue(cut, &records)
    }

    /// The owner of a record whose name is an ancestor of the name asked for.
    fn owner_above<'n>(&self, owner: Owner<'_>, ancestor: &'n [u8]) -> Owner<'n> {
        let question = self.frame.request.folded_name().len();
        match owner {
            Owner::Question => question
                .checked_sub(ancestor.len())
                .and_then(|start| start.checked_add(HEADER_OCTETS))
                .and_then(|offset| u16::try_from(offset).ok())
                .map_or(Owner::Name(ancestor), Owner::At),
            _ => Owner::Name(ancestor),
        }
    }

    /// Step 3c: the name does not exist (RFC 2308 §2.1).
    fn deny_name(&mut self, zone: ZoneId) -> Result<(), Full> {
        self.story.stage(Stage::NoSuchName);
        self.rcode = Rcode::NXDOMAIN;
        self.push_soa(zone)
    }

    /// The name exists, with other types or none (RFC 2308 §2.2).
    fn deny_type(&mut self, zone: ZoneId) -> Result<Next, Full> {
        self.push_soa(zone)?;
        Ok(Next::Done)
    }

    /// A denial that holds for no longer than the health that led to it.
    fn deny_within(
        &mut self,
        zone: ZoneId,
        route: &BoundRoute,
        horizon: Horizon,
    ) -> Result<Next, Full> {
        let ttl = self.negative_ttl(zone);
        let capped = route.cap(ttl, horizon);
        self.push_soa_for(zone, Some(capped).filter(|capped| *capped != ttl))?;
        Ok(Next::Done)
    }

    fn push_soa(&mut self, zone: ZoneId) -> Result<(), Full> {
        self.push_soa_for(zone, None)
    }

    /// The SOA that says how long there is nothing (RFC 2308 §3), with another TTL if one is given.
    fn push_soa_for(&mut self, zone: ZoneId, ttl: Option<Ttl>) -> Result<(), Full> {
        let Some(zone) = self.frame.engine.snapshot.catalog.zone(zone) else {
            return Ok(());
        };
        let Some(records) = zone.negative_soa() else {
            return Ok(());
        };
        let apex = zone.apex.as_wire();
        let is_above_question = ends_in(self.frame.request.folded_name(), apex);
        if is_above_question
            && ttl.is_none()
            && let Some(template) = zone.negative_template()
            && let Owner::At(owner) = self.owner_above(Owner::Question, apex)
            && self.composer.push_template(Section::Authority, template, owner).is_ok()
        {
            return Ok(());
        }
        // What did not fit may do so with all names compressed.
        let owner = if is_above_question {
            self.owner_above(Owner::Question, apex)
        } else {
            Owner::Name(apex)
        };
        match (ttl, records.rdata().next()) {
            (Some(ttl), Some(soa)) => {
                self.composer.push_record(Section::Authority, owner, RecordType::SOA, ttl, soa)
            }
            _ => self.composer.push_records(Section::Authority, owner, &records, 0),
        }
    }

    fn negative_ttl(&self, zone: ZoneId) -> Ttl {
        let soa =
            self.frame.engine.snapshot.catalog.zone(zone).and_then(|zone| zone.negative_soa());
        soa.and_then(|soa| Ttl::from_seconds(soa.ttl())).unwrap_or(Ttl::MAX)
    }
}

/// Whether ANY at this node is answered by the synthesised HINFO: it stands for anything but a CNAME (RFC 8482 §4.2), and not
/// for the nothing of an empty non-terminal.
fn gets_hinfo(node: Node<'_>, route: Option<&BoundRoute>) -> bool {
    let is_alias = node.rrset(RecordType::CNAME).is_some()
        || route.is_some_and(|route| route.handout == Handout::Alias);
    !is_alias && (route.is_some() || node.rrsets().next().is_some())
}
