//! `[[webhook]]`: who is told what happens to health.

use std::path::PathBuf;
use std::time::Duration;

use super::read_path;
use super::url::WebhookUrl;
use crate::config::diagnostic::Findings;
use crate::config::reader::{Item, Table, Value};
use crate::config::value::{closest, format_duration, is_entry_name, list};
use crate::health::Topic;
use crate::limits::{WEBHOOK_REPEAT_SECONDS, WEBHOOKS};

/// One receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookSettings {
    /// What logs and metrics call it, each once.
    pub name: Box<str>,
    pub url: WebhookUrl,
    pub kind: WebhookKind,
    /// What it is told of, at least one.
    pub topics: Vec<Topic>,
    /// A file with what `Authorization: Bearer` says.
    pub token_file: Option<PathBuf>,
    /// A PEM file with the authorities that are trusted, in the system's stead.
    pub authorities: Option<PathBuf>,
    /// The same is told once within this time; Alertmanager does that itself.
    pub repeat_after: Duration,
    /// How often Alertmanager is sent what still holds.
    pub resend_after: Duration,
}

/// What a receiver understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookKind {
    /// Our own documents.
    Json,
    /// The API of Alertmanager, version 2.
    Alertmanager,
    /// One text: Slack, and what takes the same.
    Slack,
}

impl WebhookKind {
    /// As settings write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Alertmanager => "alertmanager",
            Self::Slack => "slack",
        }
    }
}

const KINDS: [WebhookKind; 3] = [WebhookKind::Json, WebhookKind::Alertmanager, WebhookKind::Slack];

const REPEAT_AFTER: Duration = Duration::from_secs(300);
const RESEND_AFTER: Duration = Duration::from_secs(60);

const NOTES: &[(&str, &str)] = &[
    ("token", "a secret is in a file of its own: `token_file`"),
    ("password", "a secret is in a file of its own: `token_file`"),
    ("headers", "of headers there is only Authorization, by `token_file`"),
    ("type", "that is `kind`"),
    ("insecure", "certificates are always verified; `ca` names a file of authorities to trust"),
];

/// Reads all webhooks.
pub(super) fn read_webhooks(
    table: &mut Table<'_>,
    findings: &mut Findings<'_>,
) -> Vec<WebhookSettings> {
    let Some(item) = table.take("webhook") else { return Vec::new() };
    let Some(values) = item.value.as_array() else {
        item.value.expected("tables, each headed by [[webhook]]", findings);
        return Vec::new();
    };
    if values.len() > WEBHOOKS {
        let message = format!("there are {} webhooks, {WEBHOOKS} is the most", values.len());
        findings.error(item.key.span, message);
        return Vec::new();
    }
    let mut webhooks: Vec<WebhookSettings> = Vec::with_capacity(values.len());
    for value in &values {
        let Some(webhook) = read_webhook(value, findings) else { continue };
        if webhooks.iter().any(|known| known.name == webhook.name) {
            findings
                .error(value.span(), format!("two webhooks are called `{}`", webhook.name))
                .help("give one a `name`: metrics and logs tell them apart by it");
        }
        webhooks.push(webhook);
    }
    webhooks
}

fn read_webhook(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<WebhookSettings> {
    let example = "[[webhook]] with `url` and `kind`";
    let mut table = value.table("the webhook", example, findings)?;
    let url = expect(&mut table, "url", value, findings);
    let url = url.and_then(|item| read_url(&item.value, findings));
    let kind = expect(&mut table, "kind", value, findings);
    let kind = kind.and_then(|item| read_kind(&item.value, findings));
    let name = table.take("name").map(|item| read_name(&item.value, findings));
    let topics = table.take("events").map(|item| read_topics(&item.value, findings));
    let token_file = read_path(&mut table, "token_file", findings);
    let authorities = read_path(&mut table, "ca", findings);
    let repeat_after = read_time(&mut table, "repeat_after", REPEAT_AFTER, findings);
    let resend_after = read_time(&mut table, "resend_after", RESEND_AFTER, findings);
    table.finish(NOTES, findings);
    let (url, kind) = (url?, kind?);
    Some(WebhookSettings {
        name: name.unwrap_or_else(|| Some(kind.as_str().into()))?,
        url,
        kind,
        topics: topics.unwrap_or_else(|| Topic::ALL.to_vec()),
        token_file,
        authorities,
        repeat_after,
        resend_after,
    })
}

fn expect<'t>(
    table: &mut Table<'t>,
    key: &'static str,
    webhook: &Value<'_>,
    findings: &mut Findings<'_>,
) -> Option<Item<'t>> {
    let item = table.take(key);
    if item.is_none() {
        findings.error(webhook.span(), format!("the webhook has no `{key}`"));
    }
    item
}

fn read_url(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<WebhookUrl> {
    let text = value.string("a URL such as \"https://hooks.example.net/x\"", findings)?;
    match WebhookUrl::parse(text.value) {
        Ok(url) => Some(url),
        Err(problem) => {
            let error = findings.error(text.span, "`url` is no URL of a webhook").label(problem);
            if text.value.contains('@') {
                error.help("a token is in a file of its own: `token_file`");
            }
            None
        }
    }
}

fn read_kind(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<WebhookKind> {
    let kind = value.as_str().and_then(|text| KINDS.into_iter().find(|kind| kind.as_str() == text));
    if kind.is_none() {
        let guess = value.as_str().and_then(|text| closest(text, KINDS.map(WebhookKind::as_str)));
        let help = guess.map(|guess| format!("did you mean \"{guess}\"?"));
        value.expected("\"json\", \"alertmanager\" or \"slack\"", findings).help_if(help);
    }
    kind
}

fn read_name(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<Box<str>> {
    let expected = "a name of letters, digits, `-`, `_` and `.`";
    let text = value.string(expected, findings)?;
    if !is_entry_name(text.value) {
        value.expected(expected, findings);
        return None;
    }
    Some(text.value.into())
}

fn read_topics(value: &Value<'_>, findings: &mut Findings<'_>) -> Vec<Topic> {
    let words = || Topic::ALL.map(Topic::as_str).into_iter().chain(["all"]);
    let mut topics = Vec::new();
    for text in value.strings("kinds of events such as [\"endpoint\", \"guard\"]", findings) {
        let known = Topic::ALL.into_iter().find(|topic| topic.as_str() == text.value);
        match known {
            _ if text.value == "all" => topics.extend(Topic::ALL),
            Some(topic) => topics.push(topic),
            None => {
                let guess = closest(text.value, words());
                let label = guess.map(|guess| format!("did you mean \"{guess}\"?"));
                findings
                    .error(text.span, format!("`{}` is no kind of event", text.value))
                    .label(label.unwrap_or_default())
                    .help(format!("there are {}", list(words())));
            }
        }
    }
    topics.sort_unstable();
    topics.dedup();
    topics
}

fn read_time(
    table: &mut Table<'_>,
    key: &'static str,
    default: Duration,
    findings: &mut Findings<'_>,
) -> Duration {
    let Some(time) = table.take(key).and_then(|item| item.value.duration(findings)) else {
        return default;
    };
    let (shortest, longest) = WEBHOOK_REPEAT_SECONDS;
    let (shortest, longest) = (Duration::from_secs(shortest), Duration::from_secs(longest));
    if !(shortest..=longest).contains(&time.value) {
        let range = format!("from {} to {}", format_duration(shortest), format_duration(longest));
        let label = format!("this is {}", format_duration(time.value));
        findings.error(time.span, format!("`{key}` must be {range}")).label(label);
    }
    time.value
}

#[cfg(test)]
mod tests {
    use super::super::read_settings;
    use super::*;
    use crate::config::{Diagnostic, Source};

    fn read(text: &str) -> Result<Vec<WebhookSettings>, Vec<Diagnostic>> {
        read_settings(&Source::new("meridian.toml", text, 0)).map(|settings| settings.webhooks)
    }

    #[test]
    fn webhooks_are_read() {
        let webhooks = read(
            "[[webhook]]\nurl = \"https://hooks.example.net/x\"\nkind = \"slack\"\n\
             events = [\"guard\", \"endpoint\", \"guard\"]\ntoken_file = \"t\"\nca = \"ca.pem\"\n\
             repeat_after = \"1m\"\nname = \"oncall\"\n\
             [[webhook]]\nurl = \"http://127.0.0.1:9093\"\nkind = \"alertmanager\"\nresend_after = \"10s\"\n\
             [[webhook]]\nurl = \"http://127.0.0.1:80\"\nkind = \"json\"\nevents = \"all\"\n",
        )
        .unwrap();
        let [slack, alertmanager, json] = webhooks.as_slice() else { panic!("{webhooks:?}") };
        assert_eq!((&*slack.name, slack.repeat_after.as_secs()), ("oncall", 60));
        assert_eq!(slack.topics, [Topic::Endpoint, Topic::Guard]);
        assert_eq!(slack.token_file, Some("t".into()));
        assert_eq!(slack.authorities, Some("ca.pem".into()));
        assert_eq!((&*alertmanager.name, alertmanager.topics.len()), ("alertmanager", 6));
        assert_eq!(
            (alertmanager.repeat_after.as_secs(), alertmanager.resend_after.as_secs()),
            (300, 10)
        );
        assert_eq!((json.kind, json.topics.len()), (WebhookKind::Json, 6));
    }

    #[test]
    fn mistakes_are_explained_and_secrets_not_repeated() {
        let hook = |rest: &str| {
            format!("[[webhook]]\nurl = \"https://a.example/secret\"\nkind = \"json\"\n{rest}\n")
        };
        for (text, message, label) in [
            (
                "webhook = 1\n",
                "`webhook` must be tables, each headed by [[webhook]]",
                "this is the integer 1",
            ),
            ("[[webhook]]\nkind = \"json\"\n", "the webhook has no `url`", ""),
            ("[[webhook]]\nurl = \"https://a.example\"\n", "the webhook has no `kind`", ""),
            (
                "[[webhook]]\nurl = \"https://me:secret@a.example/\"\nkind = \"json\"\n",
                "`url` is no URL of a webhook",
                "it has a user or a password in it",
            ),
            (
                "[[webhook]]\nurl = \"https://a.example/\"\nkind = \"slak\"\n",
                "`kind` must be \"json\", \"alertmanager\" or \"slack\"",
                "this is the string \"slak\"",
            ),
            (
                &hook("events = [\"endpoints\"]"),
                "`endpoints` is no kind of event",
                "did you mean \"endpoint\"?",
            ),
            (
                &hook("events = []"),
                "`events` is empty",
                "expected kinds of events such as [\"endpoint\", \"guard\"]",
            ),
            (&hook("repeat_after = \"2h\""), "`repeat_after` must be from 1s to 1h", "this is 2h"),
            (
                &hook("name = \"a b\""),
                "`name` must be a name of letters, digits, `-`, `_` and `.`",
                "this is the string \"a b\"",
            ),
            (&hook("token = \"x\""), "unknown key `token` in the webhook", ""),
            (&hook(&hook("")), "two webhooks are called `json`", ""),
            (&hook("").repeat(17), "there are 17 webhooks, 16 is the most", ""),
        ] {
            let found = read(text).unwrap_err();
            assert_eq!((found[0].message.as_str(), &*found[0].label), (message, label), "{text}");
            let told = format!("{:?}{:?}{:?}", found[0].message, found[0].label, found[0].help);
            assert!(!told.contains("secret@") && !told.contains("/secret"), "{told}");
        }
    }
}
