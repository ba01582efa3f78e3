//! Bodies of messages: our own documents, and text for people.

use std::time::Duration;

use serde_json::{Value, json};

use super::queue::{Batch, Story};
use super::words::{describe, show_length, show_time};
use crate::health::Happening;
use crate::limits::{WEBHOOK_LINES, WEBHOOK_REASON_CHARACTERS};

/// The document of the kind `json`; the README describes it.
pub(super) fn write_json(server: &str, batch: &Batch) -> Value {
    let events: Vec<Value> = batch.stories.iter().map(|(_, story)| write_event(story)).collect();
    json!({ "server": server, "dropped": batch.dropped, "events": events })
}

fn write_event(story: &Story) -> Value {
    // An event is a structure with text for keys, which has a document.
    let mut event = serde_json::to_value(&*story.last).unwrap_or_default();
    event["at"] = show_time(story.last.at_ms).into();
    event["alarm"] = story.last.what.is_alarm().into();
    event["count"] = story.count.into();
    event["first_number"] = story.first.number.into();
    event["first_at"] = show_time(story.first.at_ms).into();
    event["text"] = tell(story).into();
    event
}

/// The document of the kind `slack`: one text of some lines.
pub(super) fn write_slack(server: &str, batch: &Batch) -> Value {
    let told = batch.stories.iter().take(WEBHOOK_LINES);
    let mut lines: Vec<String> =
        told.map(|(_, story)| format!("{server}: {}", escape(&shorten(&tell(story))))).collect();
    let rest: Vec<&Story> =
        batch.stories.iter().skip(WEBHOOK_LINES).map(|(_, story)| story).collect();
    if !rest.is_empty() {
        let alarms = rest.iter().filter(|story| story.last.what.is_alarm()).count();
        lines.push(format!("{server}: and {} more, {alarms} of them alarms", rest.len()));
    }
    if batch.dropped > 0 {
        let dropped = batch.dropped;
        lines.push(format!("{server}: {dropped} older events were dropped, too many waited"));
    }
    json!({ "text": lines.join("\n") })
}

/// A sentence on the newest event, and how it came to it.
fn tell(story: &Story) -> String {
    let Story { first, last, count, .. } = story;
    let sentence = describe(&last.what);
    if *count < 2 {
        return sentence;
    }
    let took = Duration::from_millis(last.at_ms.saturating_sub(first.at_ms));
    let took = show_length(took);
    match (&first.what, &last.what) {
        (Happening::Endpoint { to: one, .. }, Happening::Endpoint { to: other, .. })
            if *count == 2 && one != other =>
        {
            format!("{sentence} (it was {one} for {took})")
        }
        _ => format!("{sentence} ({count} times within {took})"),
    }
}

fn shorten(text: &str) -> String {
    let is_long = text.chars().nth(WEBHOOK_REASON_CHARACTERS).is_some();
    let shown = text.chars().filter(|c| !c.is_control()).take(WEBHOOK_REASON_CHARACTERS);
    shown.chain(is_long.then_some('…')).collect()
}

/// Parts of a reason can be chosen by an endpoint: it must not call anybody, nor make links.
fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    ["@everyone", "@here", "@channel", "@all"].iter().fold(text, |text, call| {
        // A space of no width: it reads the same, and is no call any more.
        text.replace(call, &call.replace('@', "@\u{200b}"))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::health::{Event, Moment};
    use crate::limits::WEBHOOK_BATCH;
    use crate::notify::queue::Queue;

    fn endpoint(number: u64, name: &str, to: &str, reason: &str) -> Arc<Event> {
        let what = Happening::Endpoint {
            target: name.to_owned(),
            pools: vec!["example.com/us".to_owned()],
            from: if to == "up" { "down" } else { "up" }.to_owned(),
            to: to.to_owned(),
            reason: reason.to_owned(),
            streak: 3,
        };
        Arc::new(Event { number, at_ms: 1_795_281_186_000 + number * 1_000, what })
    }

    fn batch(events: &[Arc<Event>]) -> Batch {
        let mut queue = Queue::new(Duration::ZERO, WEBHOOK_BATCH);
        for event in events {
            queue.push(event);
        }
        queue.take(Moment(0)).unwrap()
    }

    #[test]
    fn a_document_has_every_field_of_its_events() {
        let batch = batch(&[
            endpoint(17, "tcp://192.0.2.1:80", "down", "refused"),
            endpoint(29, "tcp://192.0.2.1:80", "up", "answered"),
        ]);
        assert_eq!(
            write_json("ns1", &batch),
            json!({
                "server": "ns1",
                "dropped": 0,
                "events": [{
                    "number": 29,
                    "at_ms": 1_795_281_215_000u64,
                    "at": "2026-11-21T17:13:35.000Z",
                    "event": "endpoint",
                    "target": "tcp://192.0.2.1:80",
                    "pools": ["example.com/us"],
                    "from": "down",
                    "to": "up",
                    "reason": "answered",
                    "streak": 3,
                    "alarm": false,
                    "count": 2,
                    "first_number": 17,
                    "first_at": "2026-11-21T17:13:23.000Z",
                    "text": "tcp://192.0.2.1:80 of example.com/us is up: answered, 3 times in a row (it was down for 12 s)",
                }],
            })
        );
    }

    #[test]
    fn a_text_is_bounded_and_calls_nobody() {
        let many: Vec<_> = (0..100)
            .map(|number| {
                endpoint(number, &format!("e{number}"), "down", "<!channel> @everyone & \n")
            })
            .collect();
        let text = write_slack("ns1", &batch(&many))["text"].as_str().unwrap().to_owned();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 21);
        assert_eq!(
            lines[0],
            "ns1: e0 of example.com/us is down: &lt;!channel&gt; @\u{200b}everyone &amp; , 3 times in a row"
        );
        assert_eq!(lines[20], "ns1: and 80 more, 80 of them alarms");
        let long = write_slack("ns1", &batch(&[endpoint(1, "e", "down", &"x".repeat(10_000))]));
        assert_eq!(long["text"].as_str().unwrap().chars().count(), 5 + 300 + 1);
        let mut dropped = batch(&many[..1]);
        dropped.dropped = 7;
        let text = write_slack("ns1", &dropped)["text"].to_string();
        assert!(text.contains("\\nns1: 7 older events were dropped, too many waited"), "{text}");
    }
}
