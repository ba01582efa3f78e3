//! `external`: somebody else says whether it is up, and what holds while nobody does (Route 53 rule 74).

use super::Asked;
use crate::config::diagnostic::Findings;
use crate::config::reader::{Spanned, Value};
use crate::health::{ExternalCheck, Missing, Protocol};
use crate::limits::STALE_SECONDS;
use crate::wire::Name;

const EXAMPLE: &str = "{ stale_after = \"90s\" }";

/// Rule 74's three.
pub(super) const MISSING: &[(&str, Missing)] =
    &[("up", Missing::Up), ("down", Missing::Down), ("last", Missing::Last)];

pub(super) fn read(
    value: &Value<'_>,
    name: &Spanned<&str>,
    apex: &Name,
    findings: &mut Findings<'_>,
) -> Option<Asked> {
    let mut table = value.table("external", EXAMPLE, findings)?;
    let Some(stale_after) = table.take("stale_after") else {
        findings
            .error(value.span(), "`external` needs `stale_after`")
            .label("for how long does a report hold?")
            .help(format!(
                "write external = {EXAMPLE}: two or three times the pace of the reports"
            ));
        return None;
    };
    let stale_after = stale_after.value.duration_within(STALE_SECONDS, findings);
    let missing = table.take("missing").and_then(|item| item.value.word(MISSING, findings));
    table.finish(&[("name", "reports name the zone and the check: example.com/deploy")], findings);
    let check = ExternalCheck {
        name: report_name(apex, name.value),
        stale_after: stale_after?,
        missing: missing.unwrap_or_default(),
    };
    Some(Asked { protocol: Protocol::External(check), port: 0, address: None })
}

/// What reports are addressed to: `example.com/deploy`.
fn report_name(apex: &Name, check: &str) -> Box<str> {
    let apex = apex.to_folded().to_string();
    let apex = apex.strip_suffix('.').filter(|apex| !apex.is_empty()).unwrap_or(&apex);
    format!("{apex}/{check}").into()
}
