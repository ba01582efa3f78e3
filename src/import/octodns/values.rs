//! Data of the record types as octoDNS writes them, in presentation format.

use super::yaml::Yaml;
use super::{Importer, Record};
use crate::import::Severity;
use crate::wire::{Name, RecordType};
use crate::zone::presentation;

/// The keys of values that are maps, in the order of presentation format; of those with a bar the first that is there.
#[rustfmt::skip]
const FIELDS: &[(RecordType, &[&str])] = &[
    (RecordType::MX, &["preference|priority", "exchange|value"]),
    (RecordType::SRV, &["priority", "weight", "port", "target"]),
    (RecordType::CAA, &["flags", "tag", "value"]),
    (RecordType::SSHFP, &["algorithm", "fingerprint_type", "fingerprint"]),
    (RecordType::TLSA, &["certificate_usage", "selector", "matching_type", "certificate_association_data"]),
    (RecordType::DS, &["key_tag", "algorithm", "digest_type", "digest"]),
    (RecordType::NAPTR, &["order", "preference", "flags", "service", "regexp", "replacement"]),
    (RecordType::URI, &["priority", "weight", "target"]),
];

/// Those of these fields that are texts, not numbers or names.
const QUOTED: &[&str] = &["flags", "service", "regexp", "value", "target"];

impl Importer {
    /// The data of a record, each checked.
    pub(super) fn values(&mut self, record: &Record<'_>) -> Vec<String> {
        let values = record.yaml.at("values").or_else(|| record.yaml.at("value"));
        let values: Vec<&Yaml> =
            values.map(|values| values.each().iter().collect()).unwrap_or_default();
        let mut texts = Vec::new();
        for value in values {
            match text_of(record.rtype, value) {
                Some(text) => texts.push(text),
                None => {
                    let reason = "a value is not written as octoDNS has it for this type; left out";
                    self.draft.note(Severity::Error, &record.owner, record.rtype, reason);
                }
            }
        }
        if texts.is_empty() {
            self.draft.note(Severity::Error, &record.owner, record.rtype, "it has no values");
        }
        self.draft.read_all(&record.owner, record.rtype, &texts, &Name::root())
    }
}

/// Presentation format of a value.
fn text_of(rtype: RecordType, value: &Yaml) -> Option<String> {
    if let Some(text) = value.as_str() {
        return plain_text(rtype, text);
    }
    if rtype == RecordType::SVCB || rtype == RecordType::HTTPS {
        return service_text(value);
    }
    if rtype == RecordType::LOC {
        return location_text(value);
    }
    let (_, fields) = FIELDS.iter().find(|(known, _)| *known == rtype)?;
    let texts = fields.iter().map(|keys| {
        let key = keys.split('|').find(|key| value.at(key).is_some())?;
        let text = value.text_at(key)?;
        let is_name = rtype == RecordType::SRV || rtype == RecordType::MX;
        let is_number = rtype == RecordType::CAA && key == "flags";
        let is_quoted = QUOTED.contains(&key) && !is_name && !is_number;
        Some(if is_quoted { quoted(text) } else { text.to_owned() })
    });
    Some(texts.collect::<Option<Vec<String>>>()?.join(" "))
}

/// A value that is a text. Semicolons are escaped in octoDNS; a TXT is taken literally.
fn plain_text(rtype: RecordType, text: &str) -> Option<String> {
    if !matches!(rtype, RecordType::TXT | RecordType::SPF) {
        return Some(text.to_owned());
    }
    let text = text.replace("\\;", ";");
    if text.starts_with('"') && text.ends_with('"') {
        return Some(text);
    }
    let rdata = presentation::literal_text(&text).ok()?;
    Some(presentation::print_rdata(rtype, &rdata))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn service_text(value: &Yaml) -> Option<String> {
    let mut text = format!("{} {}", value.text_at("svcpriority")?, value.text_at("targetname")?);
    for (key, value) in value.at("svcparams").and_then(Yaml::as_map).unwrap_or_default() {
        let values: Vec<&str> = value.each().iter().filter_map(Yaml::as_str).collect();
        text.push_str(&format!(" {key}"));
        if !value.is_null() {
            text.push_str(&format!("={}", values.join(",")));
        }
    }
    Some(text)
}

fn location_text(value: &Yaml) -> Option<String> {
    let mut parts = Vec::new();
    for axis in ["lat", "long"] {
        for part in ["degrees", "minutes", "seconds", "direction"] {
            parts.push(value.text_at(&format!("{axis}_{part}"))?.to_owned());
        }
    }
    for key in ["altitude", "size", "precision_horz", "precision_vert"] {
        parts.push(format!("{}m", value.text_at(key)?));
    }
    Some(parts.join(" "))
}
