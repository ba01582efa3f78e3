//! What the tests of a zone mean: questions, and statements about their answers that can be true.
//!
//! A test that no answer can pass is a mistake of its author, and is told as one when the zone is checked: pools that do not
//! exist or that a name never leads to, shares that are not a whole, statements of which one rules the other out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use super::CompiledName;
use super::case::Case;
use super::diagnostic::{Findings, Span};
use super::document::Document;
use super::policy::Reference;
use super::reader::Spanned;
use super::routing::dangling;
use super::value::list;
use crate::limits::TEST_QUESTIONS;
use crate::policy::{Pool, PoolId, Route, Routing};
use crate::wire::{Name, Rcode, RecordType, Ttl};

/// A test of a zone: it passes if every statement holds for every client at every name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestCase {
    /// Its header in the file.
    pub span: Span,
    /// Names to ask for; never empty.
    pub names: Vec<Name>,
    pub qtype: RecordType,
    /// Client subnets to ask with, each an address and a length; empty: ask once, without a client subnet.
    pub clients: Vec<(IpAddr, u8)>,
    /// The address that the queries come from.
    pub resolver: IpAddr,
    /// Pools and endpoints that count as down. All others are up.
    pub down: Vec<Box<str>>,
    /// Never empty.
    pub statements: Vec<Statement>,
}

/// One thing that a test says of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its value in the file.
    pub span: Span,
    pub expectation: Expectation,
}

/// What must be so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// The first choice that the answer takes comes to one of these pools, whatever is drawn.
    Pools(Vec<PoolId>),
    /// Over many draws the pools get these shares, and no other pool gets any.
    Shares(Vec<(PoolId, Share)>),
    /// The scope of the answer's client subnet.
    Scope(u8),
    /// The records of the answer section, in any order.
    Answer(Vec<AnswerRecord>),
    Rcode(Rcode),
    /// The lowest TTL of the records of the answer section.
    Ttl(Ttl),
}

impl Expectation {
    /// The key that it is typed with.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Pools(_) => "expect",
            Self::Shares(_) => "share",
            Self::Scope(_) => "scope",
            Self::Answer(_) => "answer",
            Self::Rcode(_) => "rcode",
            Self::Ttl(_) => "ttl",
        }
    }
}

/// A share of the answers in hundredths of a percent, 0 to [`Share::WHOLE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(pub u16);

impl Share {
    pub const WHOLE: Self = Self(10_000);
    /// The least share that is not none: with fewer hits the test of shares would be a guess.
    pub const LEAST: Self = Self(20);
    /// How far from a whole all shares together may be: thirds are written "33.33%" or "33.3%".
    const SLACK: u32 = 10;
}

/// A record of an answer, its owner and TTL aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerRecord {
    pub rtype: RecordType,
    /// In wire format, names uncompressed.
    pub rdata: Box<[u8]>,
}

/// Compiles the tests of a document whose names and routing are known.
pub(super) fn compile(
    document: &Document<'_>,
    names: &BTreeMap<Name, CompiledName>,
    routing: &Routing,
    findings: &mut Findings<'_>,
) -> Vec<TestCase> {
    let ids = document.pools.iter().map(|pool| pool.name.value).zip((0..=u16::MAX).map(PoolId));
    let zone = Tested { document, names, routing, pools: ids.collect() };
    document.cases.iter().map(|case| zone.compile_case(case, findings)).collect()
}

/// A zone, as its tests see it.
struct Tested<'d, 't> {
    document: &'d Document<'t>,
    names: &'d BTreeMap<Name, CompiledName>,
    routing: &'d Routing,
    pools: HashMap<&'d str, PoolId>,
}

impl Tested<'_, '_> {
    fn compile_case(&self, case: &Case<'_>, findings: &mut Findings<'_>) -> TestCase {
        case.down.iter().for_each(|down| self.check_down(down, findings));
        let mut statements = self.selection_statements(case, findings);
        statements.extend(answer_statements(case));
        statements.sort_by_key(|statement| statement.span.start);
        check_count(case, findings);
        check_scope(case, findings);
        check_denial(case, findings);
        check_shares(case, findings);
        if !case.is_telling {
            findings.error(case.span.clone(), "the test says nothing of the answer").help(
                "add expect = \"…\" with a pool, or `share`, `scope`, `answer`, `rcode` or `ttl`",
            );
        }
        TestCase {
            span: case.span.clone(),
            names: case.names.iter().map(|name| name.value.clone()).collect(),
            qtype: case.qtype,
            clients: case.clients.iter().map(|client| client.value).collect(),
            resolver: case.resolver,
            down: case.down.iter().map(|down| down.value.into()).collect(),
            statements,
        }
    }

    /// What a test says of the pools that are chosen.
    fn selection_statements(&self, case: &Case<'_>, findings: &mut Findings<'_>) -> Vec<Statement> {
        let mut statements = Vec::new();
        if let Some(pools) = &case.pools {
            let ids = pools.value.iter().filter_map(|pool| self.pool(case, pool, findings));
            let expectation = Expectation::Pools(ids.collect());
            statements.push(Statement { span: pools.span.clone(), expectation });
        }
        if let Some(shares) = &case.shares {
            let ids = shares.value.iter().filter_map(|(pool, share)| {
                // That a pool gets nothing may be said of any.
                let id = match share.0 {
                    0 => self.find(pool, findings),
                    _ => self.pool(case, pool, findings),
                };
                Some((id?, *share))
            });
            let expectation = Expectation::Shares(ids.collect());
            statements.push(Statement { span: shares.span.clone(), expectation });
        }
        statements
    }

    /// A pool of this name.
    fn find(&self, reference: &Reference<'_>, findings: &mut Findings<'_>) -> Option<PoolId> {
        let id = self.pools.get(reference.value).copied();
        if id.is_none() {
            let known = self.document.pools.iter().map(|pool| pool.name.value);
            dangling("pool", reference, known, findings);
        }
        id
    }

    /// A pool that the test expects, which every name of the test must be able to lead to.
    fn pool(
        &self,
        case: &Case<'_>,
        reference: &Reference<'_>,
        findings: &mut Findings<'_>,
    ) -> Option<PoolId> {
        let id = self.find(reference, findings)?;
        let impossible =
            case.names.iter().find_map(|name| Some((name, self.obstacle(case, name, id)?)));
        if let Some((name, obstacle)) = impossible {
            let message = format!("{} never leads to the pool `{}`", name.value, reference.value);
            findings
                .error(reference.span.clone(), message)
                .related(name.span.clone(), "asked for here")
                .help(obstacle);
        }
        self.check_choice(case, id, reference, findings);
        Some(id)
    }

    /// A pool of addresses answers, so that no error can. One that is an alias may lead to nothing.
    fn check_choice(
        &self,
        case: &Case<'_>,
        id: PoolId,
        reference: &Reference<'_>,
        findings: &mut Findings<'_>,
    ) {
        let is_alias = |pool: &Pool| pool.endpoints.iter().any(|e| e.rtype == RecordType::CNAME);
        let Some(denial) = denial_of(case) else { return };
        if self.routing.pool(id).is_some_and(|pool| !is_alias(pool)) {
            findings
                .error(reference.span.clone(), "a pool of addresses never gives this code")
                .related(denial.span.clone(), "the code");
        }
    }

    /// Why a name can't lead to a pool, if it can't. What a CNAME, a wildcard or a denial makes of a name is not looked at.
    fn obstacle(&self, case: &Case<'_>, name: &Spanned<Name>, pool: PoolId) -> Option<String> {
        let owned = self.names.get(&name.value)?;
        let answers = |route: &&Route| {
            route.types.contains(&case.qtype) || *route.types == [RecordType::CNAME]
        };
        let mut routes = owned.routes.iter().filter(answers).peekable();
        if routes.peek().is_none() {
            let is_alias = owned.rrsets.iter().any(|set| set.rtype == RecordType::CNAME);
            let obstacle = match owned.routes.is_empty() {
                true => "the name has records of its own and no route".to_owned(),
                false => format!("the name has no route for {}", case.qtype),
            };
            return (!is_alias).then_some(obstacle);
        }
        let below: BTreeSet<PoolId> =
            routes.flat_map(|route| self.routing.pools_below(route.target)).collect();
        if below.contains(&pool) {
            return None;
        }
        let known = below.into_iter().filter_map(|id| self.routing.pool(id));
        Some(format!("it leads to {}", list(known.map(|pool| &*pool.name))))
    }

    /// What counts as down must exist, and have a check: without one it always counts as up.
    fn check_down(&self, down: &Reference<'_>, findings: &mut Findings<'_>) {
        let matching = |pool: &&Pool| {
            *pool.name == *down.value || pool.endpoints.iter().any(|end| *end.label == *down.value)
        };
        let mut found = self.routing.pools.iter().filter(matching).peekable();
        if found.peek().is_none() {
            let known = self.document.pools.iter().map(|pool| pool.name.value);
            dangling("pool or endpoint", down, known, findings);
        } else if found.all(|pool| pool.check.is_none()) {
            findings
                .error(down.span.clone(), format!("`{}` cannot be down", down.value))
                .label("it has no check, so that it always counts as up");
        }
    }
}

/// What a test says of the answer's octets.
fn answer_statements(case: &Case<'_>) -> Vec<Statement> {
    fn state<T: Clone>(
        typed: Option<&Spanned<T>>,
        expectation: impl Fn(T) -> Expectation,
    ) -> Option<Statement> {
        let Spanned { value, span } = typed?;
        Some(Statement { span: span.clone(), expectation: expectation(value.clone()) })
    }
    let statements = [
        state(case.scope.as_ref(), Expectation::Scope),
        state(case.answer.as_ref(), Expectation::Answer),
        state(case.rcode.as_ref(), Expectation::Rcode),
        state(case.ttl.as_ref(), Expectation::Ttl),
    ];
    statements.into_iter().flatten().collect()
}

fn check_count(case: &Case<'_>, findings: &mut Findings<'_>) {
    let questions = case.names.len().saturating_mul(case.clients.len().max(1));
    if questions > TEST_QUESTIONS {
        let message = format!("the test asks {questions} questions, {TEST_QUESTIONS} is the most");
        findings.error(case.span.clone(), message).help("make several tests of it");
    }
}

/// Only an answer to a client subnet has a scope, and none is longer than the client's address.
fn check_scope(case: &Case<'_>, findings: &mut Findings<'_>) {
    let Some(scope) = &case.scope else { return };
    if case.clients.is_empty() {
        findings
            .error(scope.span.clone(), "`scope` needs a `client`")
            .label("only an answer to a client subnet has a scope (RFC 7871)")
            .help("add client = \"192.0.2.0/24\"");
    }
    if let Some(client) = case.clients.iter().find(|client| client.value.0.is_ipv4())
        && scope.value > 32
    {
        findings
            .error(scope.span.clone(), "no scope of an IPv4 client is above 32")
            .related(client.span.clone(), "the client");
    }
}

/// The code that the test asks for, if it is an error.
fn denial_of<'c>(case: &'c Case<'_>) -> Option<&'c Spanned<Rcode>> {
    case.rcode.as_ref().filter(|rcode| rcode.value != Rcode::NOERROR)
}

/// A denial has no records, and no records have no TTL.
fn check_denial(case: &Case<'_>, findings: &mut Findings<'_>) {
    let is_alias =
        |record: &AnswerRecord| matches!(record.rtype, RecordType::CNAME | RecordType::DNAME);
    let Some(answer) = &case.answer else { return };
    if let Some(denial) =
        denial_of(case).filter(|_| answer.value.iter().any(|record| !is_alias(record)))
    {
        findings
            .error(denial.span.clone(), "an answer with this code has no such records")
            .related(answer.span.clone(), "the records");
    }
    if let Some(ttl) = case.ttl.as_ref().filter(|_| answer.value.is_empty()) {
        findings
            .error(ttl.span.clone(), "an answer without records has no TTL")
            .related(answer.span.clone(), "no records");
    }
}

/// Shares are a whole, none is too small to be measured, and `expect` must agree with them.
fn check_shares(case: &Case<'_>, findings: &mut Findings<'_>) {
    let Some(shares) = &case.shares else { return };
    let sum: u32 = shares.value.iter().map(|(_, share)| u32::from(share.0)).sum();
    let whole = u32::from(Share::WHOLE.0);
    if sum.abs_diff(whole) > Share::SLACK {
        let message = format!("the shares make {} together, not 100%", show_percent(sum));
        findings.error(shares.span.clone(), message);
    }
    for (pool, share) in shares.value.iter().filter(|(_, share)| share.0 > 0) {
        if *share < Share::LEAST {
            let least = show_percent(u32::from(Share::LEAST.0));
            findings
                .error(pool.span.clone(), format!("the share of `{}` is too small", pool.value))
                .label(format!("{least} is the least that can be measured"));
        }
        let expected = case.pools.as_ref();
        if let Some(expected) = expected.filter(|pools| !has(&pools.value, pool.value)) {
            findings
                .error(
                    pool.span.clone(),
                    format!("`{}` has a share and is not expected", pool.value),
                )
                .related(expected.span.clone(), "every choice must come to one of these")
                .help("`share` alone says which pools may be chosen");
        }
    }
}

fn has(pools: &[Reference<'_>], name: &str) -> bool {
    pools.iter().any(|pool| pool.value == name)
}

/// Hundredths of a percent for people.
pub(super) fn show_percent(hundredths: u32) -> String {
    let text = format!("{:.2}", f64::from(hundredths) / 100.0);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}
