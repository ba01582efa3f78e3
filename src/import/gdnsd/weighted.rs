//! The plugin weighted: one address by chance, or a group of them.
//!
//! gdnsd draws for each address whether it is in the answer (`multi`, and inside of a group). That has no equivalent unless
//! all weights are the same: then all are, as a pool does it.

use std::rc::Rc;

use super::Importer;
use super::resources::{SETTINGS, Settings};
use super::vscf::Value;
use crate::import::Severity;
use crate::import::text::slug;
use crate::import::tree::{Check, Kind, Member, Pool, Role, Tree};

/// An address or a group with its weight.
struct Item<'c> {
    label: &'c str,
    texts: Vec<&'c str>,
    weight: u64,
    /// Whether the addresses of a group have several weights.
    is_uneven: bool,
}

impl Importer<'_> {
    /// The trees of a resource: one, or one for each family where they differ.
    pub(super) fn weighted_families(&mut self, name: &str) -> Vec<Rc<Tree>> {
        let Some(around) = self.plugin("weighted").cloned() else { return Vec::new() };
        let Some(own) = around.at(name) else { return Vec::new() };
        self.families(name, Settings { own, around: [Some(&around), None] })
    }

    /// The same where one tree is needed.
    pub(super) fn one_weighted(&mut self, name: &str, settings: Settings<'_>) -> Option<Rc<Tree>> {
        let trees = self.families(name, settings);
        if trees.len() > 1 {
            let reason = "its families differ, and below another resource the first counts only";
            self.draft.note_thing(Severity::Error, name, reason);
        }
        trees.into_iter().next()
    }

    fn families(&mut self, name: &str, settings: Settings<'_>) -> Vec<Rc<Tree>> {
        let inner: Vec<&Value> =
            ["addrs_v4", "addrs_v6"].iter().filter_map(|key| settings.own.at(key)).collect();
        if inner.is_empty() {
            return self.weighted(name, settings).map(Rc::new).into_iter().collect();
        }
        let around = [Some(settings.own), settings.around.first().copied().flatten()];
        let mut trees: Vec<Rc<Tree>> = Vec::new();
        for own in inner {
            let tree = self.weighted(name, Settings { own, around }).map(Rc::new);
            trees.extend(tree);
        }
        if let [one, other] = trees.as_slice()
            && let Some(merged) = Tree::merge(one, other)
        {
            return vec![merged];
        }
        trees
    }

    fn weighted(&mut self, name: &str, settings: Settings<'_>) -> Option<Tree> {
        let entries = settings.own.entries().iter();
        let entries = entries.filter(|(key, _)| !SETTINGS.contains(&key.as_str()));
        let items: Vec<Item<'_>> =
            entries.filter_map(|(label, value)| item(label, value)).collect();
        let is_multi = settings.at("multi").and_then(Value::as_str).is_some_and(|text| {
            ["true", "yes", "on", "1"].iter().any(|word| text.eq_ignore_ascii_case(word))
        });
        let check = self.check_of(settings.at("service_types"));
        let first = items.first()?.weight;
        let is_grouped = items.iter().any(|item| item.texts.len() > 1);
        if is_multi && !is_grouped && items.iter().all(|item| item.weight == first) {
            let texts: Vec<&str> = items.iter().flat_map(|item| item.texts.clone()).collect();
            return Some(self.weighted_pool(name, &texts, check));
        }
        self.note_losses(name, is_multi, &items, check.is_some());
        let scaled = self.scale(name, &items);
        let mut members = Vec::new();
        for (item, weight) in items.iter().zip(scaled) {
            let entry = format!("{name}-{}", item.label);
            let pool = self.weighted_pool(&entry, &item.texts, check.clone());
            let (label, targets) = (item.label.to_owned(), vec![Rc::new(pool)]);
            members.push(Member { label, role: Role::Weight(weight), targets });
        }
        Some(Tree::policy(slug(name), Kind::Weighted, members))
    }

    fn weighted_pool(&mut self, name: &str, texts: &[&str], check: Option<Rc<Check>>) -> Tree {
        let mut pool = Pool { check, ..Pool::default() };
        for text in texts {
            self.add_target(name, text, &mut pool);
        }
        Tree::pool(slug(name), pool)
    }

    fn note_losses(&mut self, name: &str, is_multi: bool, items: &[Item<'_>], is_checked: bool) {
        let mut note = |reason: &str| self.draft.note_thing(Severity::Warning, name, reason);
        if is_multi {
            note("`multi` has no equivalent: one address or group is given, not several by chance");
        } else if items.iter().any(|item| item.is_uneven) {
            note("a group is given whole, not each of its addresses by its weight");
        }
        if is_checked {
            note("`up_thresh` has no equivalent: it counts as up while anything of it is up");
        }
    }

    /// Weights that a policy takes, from 1 to 255 in the same proportion.
    fn scale(&mut self, name: &str, items: &[Item<'_>]) -> Vec<u8> {
        let weights = items.iter().map(|item| item.weight);
        let divisor = weights.clone().fold(0, greatest_divisor).max(1);
        let most = weights.clone().max().unwrap_or(1).checked_div(divisor).unwrap_or(1);
        let is_exact = most <= 255;
        if !is_exact {
            let reason = "its weights are brought to at most 255, and their proportions rounded";
            self.draft.note_thing(Severity::Warning, name, reason);
        }
        let scaled = weights.map(|weight| {
            let weight = weight.checked_div(divisor).unwrap_or(1);
            let rounded =
                weight.saturating_mul(255).saturating_add(most.checked_div(2).unwrap_or(0));
            let scaled = if is_exact { weight } else { rounded.checked_div(most).unwrap_or(1) };
            u8::try_from(scaled.max(1)).unwrap_or(u8::MAX)
        });
        scaled.collect()
    }
}

/// `[ address, weight ]`, or a group of such.
fn item<'c>(label: &'c str, value: &'c Value) -> Option<Item<'c>> {
    let weight_of =
        |value: &Value| value.texts().get(1).and_then(|weight| weight.parse::<u64>().ok());
    if let Value::List(_) = value {
        let texts = value.texts().into_iter().take(1).collect();
        return Some(Item { label, texts, weight: weight_of(value)?, is_uneven: false });
    }
    let group = value.entries().iter().map(|(_, value)| value);
    let weights: Vec<u64> = group.clone().filter_map(weight_of).collect();
    let texts: Vec<&str> = group.filter_map(|value| value.texts().first().copied()).collect();
    let is_uneven = weights.iter().any(|weight| Some(weight) != weights.first());
    let weight = weights.iter().fold(0u64, |sum, weight| sum.saturating_add(*weight));
    (!texts.is_empty()).then_some(Item { label, texts, weight, is_uneven })
}

fn greatest_divisor(one: u64, other: u64) -> u64 {
    let (mut one, mut other) = (one, other);
    while other > 0 {
        (one, other) = (other, one.checked_rem(other).unwrap_or(0));
    }
    one
}
