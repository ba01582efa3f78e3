//! `type = "weighted"`: shares, and how they move (rules 10 to 17, B5, B7).

use std::time::Duration;

use super::{Reference, Rule, missing};
use crate::config::diagnostic::Findings;
use crate::config::reader::{Item, Spanned, Table};
use crate::config::value::format_duration;
use crate::limits::RAMP_SECONDS;
use crate::policy::Weight;

/// A weighted choice as typed.
pub(in crate::config) struct WeightedChoice<'t> {
    pub(in crate::config) targets: Vec<(Weight, Reference<'t>)>,
    /// The text that the seed is made of.
    pub(in crate::config) sticky: Option<&'t str>,
    pub(in crate::config) ramp: Option<Spanned<Duration>>,
}

/// Rules 10 and 17: every target has a weight from 0 to 255.
pub(super) fn read<'t>(
    name: &Spanned<&str>,
    table: &mut Table<'t>,
    findings: &mut Findings<'_>,
) -> Option<Rule<'t>> {
    let example = "weights = { us = 60, eu = 40 }";
    let sticky = read_sticky(table, findings);
    let ramp = table.take("ramp").and_then(|item| read_ramp(&item, findings));
    let Some(item) = table.take("weights") else {
        missing(name, "weights", example, findings);
        return None;
    };
    let mut weights = item.value.table("weights", "{ us = 60, eu = 40 }", findings)?;
    if weights.is_empty() {
        missing(name, "weights", example, findings);
    }
    let mut targets = Vec::new();
    for item in weights.take_all() {
        let weight = read_weight(&item, findings);
        targets.push((weight, item.key));
    }
    Some(Rule::Weighted(WeightedChoice { targets, sticky, ramp }))
}

/// B5: the seed, if choices are sticky; the empty text if none is given.
fn read_sticky<'t>(table: &mut Table<'t>, findings: &mut Findings<'_>) -> Option<&'t str> {
    let sticky = table.take("sticky").and_then(|item| item.value.boolean(findings));
    let Some(item) = table.take("seed") else {
        return sticky.filter(|is_sticky| *is_sticky).map(|_| "");
    };
    let seed = item.value.string("a text such as \"2026\"", findings);
    if sticky != Some(true) {
        findings
            .error(item.key.span, "`seed` has no meaning without `sticky`")
            .help("add sticky = true, or leave the seed out");
        return None;
    }
    seed.map(|seed| seed.value)
}

fn read_ramp(item: &Item<'_>, findings: &mut Findings<'_>) -> Option<Spanned<Duration>> {
    let ramp = item.value.duration(findings)?;
    let (shortest, longest) = RAMP_SECONDS;
    let (shortest, longest) = (Duration::from_secs(shortest), Duration::from_secs(longest));
    if (shortest..=longest).contains(&ramp.value) {
        return Some(ramp);
    }
    let range = format!("from {} to {}", format_duration(shortest), format_duration(longest));
    let error = findings.error(ramp.span, format!("`ramp` must be {range}"));
    error.label(format!("this is {}", format_duration(ramp.value)));
    if ramp.value.is_zero() {
        error.help("without `ramp` a target has all of its weight at once");
    }
    None
}

fn read_weight(item: &Item<'_>, findings: &mut Findings<'_>) -> Weight {
    let number = item.value.as_integer();
    if let Some(weight) = number.and_then(|number| u8::try_from(number).ok()) {
        return Weight(weight);
    }
    let advice = weight_advice(item);
    let message = format!("the weight of `{}` must be an integer from 0 to 255", item.key.value);
    findings
        .error(item.value.span(), message)
        .label(format!("this is {}", item.value.found()))
        .help_if(advice);
    Weight(0)
}

/// What to write for a weight that is none.
fn weight_advice(item: &Item<'_>) -> Option<String> {
    let name = item.key.value;
    if let Some(inner) = item.value.as_table("").and_then(|mut table| table.take_all().pop()) {
        let whole = format!("{name}.{}", inner.key.value);
        return Some(format!("a name with dots needs quotes: \"{whole}\" = 60"));
    }
    let text = item.value.as_str().map(|text| text.trim_end_matches('%').trim());
    if let Some(number) = text.filter(|text| text.parse::<u8>().is_ok()) {
        return Some(format!("write {name} = {number}"));
    }
    let is_large = item.value.as_integer().is_some_and(|number| number > 255);
    is_large.then(|| "weights are relative: 255 and 85 are shares of 75 % and 25 %".to_owned())
}
