//! Service types as checks.
//!
//! gdnsd counts to 20 before a service is up again and to 10 before it is down, or as the file says; here 10 is the most.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::Importer;
use super::vscf::Value;
use crate::import::Severity;
use crate::import::text::{quote, seconds, slug};
use crate::import::tree::Check;
use crate::limits::CHECK_THRESHOLD;

/// gdnsd's own settings where a service type says nothing.
const INTERVAL: u32 = 10;
const UP_AFTER: u32 = 20;
const DOWN_AFTER: u32 = 10;

impl Importer<'_> {
    /// The check of what has these service types. All of them must be up in gdnsd; the first that can be said is taken.
    pub(super) fn check_of(&mut self, resource: &str, types: Option<&Value>) -> Option<Rc<Check>> {
        let names = types.map(Value::texts).unwrap_or_default();
        let mut check = None;
        for name in names.into_iter().filter(|name| !matches!(*name, "up" | "none")) {
            if check.is_some() {
                let reason = format!("the service type {name} is left out: a pool has one check");
                self.draft.note_thing(Severity::Warning, resource, reason);
                continue;
            }
            check = self.service_type(name);
        }
        check
    }

    fn service_type(&mut self, name: &str) -> Option<Rc<Check>> {
        let config = self.config.at("service_types").and_then(|types| types.at(name)).cloned();
        let subject = format!("service type {name}");
        let Some(config) = config else {
            let reason = "it is not in the configuration; what has it counts as always up";
            self.draft.note_thing(Severity::Error, subject, reason);
            return None;
        };
        let mut lines = match config.text_at("plugin").unwrap_or_default() {
            "http_status" => http_lines(&config),
            "tcp_connect" => vec![("tcp", config.text_at("port").unwrap_or("80").to_owned())],
            plugin => {
                let reason =
                    format!("`{plugin}` is not known here; what has it counts as always up");
                self.draft.note_thing(Severity::Error, subject, reason);
                return None;
            }
        };
        let number = |key, usual| config.text_at(key).and_then(|n| n.parse().ok()).unwrap_or(usual);
        let every = number("interval", INTERVAL).max(1);
        let timeout = number("timeout", every.checked_div(2).unwrap_or(1)).clamp(1, every);
        lines.push(("every", quote(&seconds(every))));
        lines.push(("timeout", quote(&seconds(timeout))));
        for (key, typed, usual) in
            [("down_after", "down_thresh", DOWN_AFTER), ("up_after", "up_thresh", UP_AFTER)]
        {
            let wanted = number(typed, usual);
            let most = u32::from(CHECK_THRESHOLD);
            if wanted > most {
                let reason = format!("its {typed} of {wanted} becomes {most}, the most");
                self.draft.note_thing(Severity::Warning, subject.clone(), reason);
            }
            lines.push((key, wanted.clamp(1, most).to_string()));
        }
        Some(Rc::new(Check { name: slug(name), origins: BTreeSet::new(), lines, address: None }))
    }
}

fn http_lines(config: &Value) -> Vec<(&'static str, String)> {
    let path = config.text_at("url_path").unwrap_or("/").trim_start_matches('/');
    let mut lines = vec![("http", quote(&format!("/{path}")))];
    lines.extend(config.text_at("vhost").map(|host| ("host", quote(host))));
    let port = config.text_at("port").filter(|port| *port != "80");
    lines.extend(port.map(|port| ("port", port.to_owned())));
    let codes = config.at("ok_codes").map(Value::texts).unwrap_or_else(|| vec!["200"]);
    lines.push(("expect", quote(&codes.join(","))));
    lines
}
