//! Routes and aliases at a name: `policy`, `pool` and `alias`, for the whole name or for one type.

use super::{Owner, parse_owner};
use crate::config::diagnostic::Findings;
use crate::config::policy::Reference;
use crate::config::pool;
use crate::config::reader::{Item, Spanned, Table};
use crate::wire::{Name, RecordType, Ttl};

/// Which of the two keys a route was typed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum RouteKind {
    Policy,
    Pool,
}

/// `policy = "…"` or `pool = "…"` at a name.
pub(in crate::config) struct TypedRoute<'t> {
    pub(in crate::config) kind: RouteKind,
    pub(in crate::config) target: Reference<'t>,
    /// The type that it is for; nothing if it is for the whole name.
    pub(in crate::config) rtype: Option<Spanned<RecordType>>,
    /// Its own, before the name's.
    pub(in crate::config) ttl: Option<Ttl>,
    /// Where it says that one selection serves all types (B8).
    pub(in crate::config) together: Option<Spanned<()>>,
}

/// `alias = "…"` at a name: it answers as that name does (rule 48).
pub(in crate::config) struct TypedAlias {
    pub(in crate::config) target: Spanned<Name>,
    /// The type that it is for; nothing if it is for the whole name.
    pub(in crate::config) rtype: Option<Spanned<RecordType>>,
}

const CHOICES: [&str; 3] = ["policy", "pool", "alias"];

/// Whether the value of a type is a route or an alias, not records.
pub(super) fn is_chosen(item: &Item<'_>) -> bool {
    let is_choice = |table: Table<'_>| CHOICES.iter().any(|key| table.has(key));
    item.value.as_table("").is_some_and(is_choice)
}

/// One of `policy`, `pool` and `alias`.
enum Choice<'t> {
    Route(RouteKind, Reference<'t>),
    Alias(Spanned<Name>),
}

fn take_choice<'t>(
    table: &mut Table<'t>,
    apex: &Name,
    findings: &mut Findings<'_>,
) -> Option<Choice<'t>> {
    let mut typed = CHOICES.into_iter().filter_map(|key| table.take(key));
    let first = typed.next()?;
    if let Some(second) = typed.next() {
        let [one, other] = [&first, &second].map(|item| noun(item.key.value));
        findings
            .error(second.key.span, format!("a name has either {one} or {other}"))
            .related(first.key.span.clone(), "the other one");
    }
    let (kind, expected) = match first.key.value {
        "policy" => (RouteKind::Policy, "the name of a policy"),
        "pool" => (RouteKind::Pool, "the name of a pool"),
        _ => {
            let text = first.value.string("a name of this zone such as \"api\"", findings)?;
            return read_alias(&text, apex, findings).map(Choice::Alias);
        }
    };
    Some(Choice::Route(kind, first.value.string(expected, findings)?))
}

fn noun(key: &str) -> &'static str {
    match key {
        "policy" => "a policy",
        "pool" => "a pool",
        _ => "an alias",
    }
}

/// The name that an alias stands for, which is in this zone.
fn read_alias(
    text: &Spanned<&str>,
    apex: &Name,
    findings: &mut Findings<'_>,
) -> Option<Spanned<Name>> {
    let outside = Name::parse(text.value, apex).ok().filter(|name| !name.is_at_or_below(apex));
    if let Some(name) = outside {
        findings
            .error(text.span.clone(), format!("{name} is not in this zone, and an alias is"))
            .label(format!("the zone is {apex}"))
            .help(format!("a name elsewhere is handed out by a pool: cname = \"{name}\""));
        return None;
    }
    parse_owner(text, apex, findings)
}

/// Reads what the whole name is given by.
pub(super) fn read_whole<'t>(
    owner: &mut Owner<'t>,
    table: &mut Table<'t>,
    apex: &Name,
    findings: &mut Findings<'_>,
) {
    let choice = take_choice(table, apex, findings);
    let together = table.take("together");
    let asked = together.as_ref().and_then(|item| item.value.boolean(findings));
    let span = together.map(|item| item.key.span).filter(|_| asked == Some(true));
    match choice {
        Some(Choice::Route(kind, target)) => {
            let together = span.map(|span| Spanned { value: (), span });
            owner.routes.push(TypedRoute { kind, target, rtype: None, ttl: None, together });
        }
        Some(Choice::Alias(target)) => {
            if let Some(span) = span {
                findings
                    .error(span, "`together` has no meaning with `alias`")
                    .help("the name that the alias stands for says it");
            }
            owner.aliases.push(TypedAlias { target, rtype: None });
        }
        None => {
            if let Some(span) = span {
                findings
                    .error(span, "`together` needs a `policy`")
                    .label("one selection for all types")
                    .help("a route of one type stands for itself");
            }
        }
    }
}

/// Reads `A = { policy = "…" }` and `A = { alias = "…" }`.
pub(super) fn read_typed<'t>(
    owner: &mut Owner<'t>,
    rtype: RecordType,
    item: &Item<'t>,
    apex: &Name,
    findings: &mut Findings<'_>,
) {
    let Some(mut table) = item.value.as_table(format!("the choice of {rtype}")) else { return };
    let choice = take_choice(&mut table, apex, findings);
    let ttl = table.take("ttl");
    let time = ttl.as_ref().and_then(|item| item.value.ttl(findings));
    table.finish(
        &[
            ("together", "`together` is for the route of a whole name"),
            ("data", "records are either written or chosen"),
        ],
        findings,
    );
    if let Some(label) = pool::obstacle(rtype) {
        findings
            .error(item.key.span.clone(), format!("{rtype} records cannot be chosen per client"))
            .label(label);
        return;
    }
    let rtype = Some(Spanned { value: rtype, span: item.key.span.clone() });
    match choice {
        Some(Choice::Route(kind, target)) => {
            owner.routes.push(TypedRoute { kind, target, rtype, ttl: time, together: None });
        }
        Some(Choice::Alias(target)) => {
            if let Some(ttl) = ttl {
                refuse_alias_ttl(&ttl.key, findings);
            }
            owner.aliases.push(TypedAlias { target, rtype });
        }
        None => {}
    }
}

/// A TTL at a name that has nothing of its own.
pub(super) fn refuse_ttl(owner: &Owner<'_>, ttl: &Spanned<&str>, findings: &mut Findings<'_>) {
    if !owner.aliases.is_empty() {
        refuse_alias_ttl(ttl, findings);
    }
}

fn refuse_alias_ttl(ttl: &Spanned<&str>, findings: &mut Findings<'_>) {
    findings
        .error(ttl.span.clone(), "an alias has no TTL of its own")
        .help("the answer has the TTL of the name that it stands for");
}
