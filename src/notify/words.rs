//! An event in words: what it is about, which state it leads to, and a sentence for people.

use std::borrow::Cow;
use std::time::Duration;

use crate::health::Happening;
use crate::query::show_date;

/// What an event is about. Of one subject everything is told in order, and only the newest state of it matters.
pub(super) fn subject_of(what: &Happening) -> String {
    match what {
        Happening::Endpoint { target, pools, .. } => {
            format!("endpoint {target} {}", pools.join(","))
        }
        Happening::GuardHeld { .. } | Happening::GuardReleased { .. } => "guard".to_owned(),
        Happening::Blind { .. } | Happening::Sighted => "blind".to_owned(),
        Happening::SentinelsSilent { .. } | Happening::SentinelsHeard => "sentinels".to_owned(),
        Happening::Certificate { target, .. } => format!("certificate {target}"),
        Happening::OverrideSet { id, .. } | Happening::OverrideEnded { id, .. } => {
            format!("override {id}")
        }
        Happening::ProberRestarted { .. } => "prober".to_owned(),
        Happening::Confirmed { target, .. } => format!("confirmed {target}"),
    }
}

/// The state that it leads to. The same state of the same subject is told once for some time.
pub(super) fn state_of(what: &Happening) -> Cow<'_, str> {
    match what {
        Happening::Endpoint { to, .. } => to.into(),
        Happening::Certificate { ends_ms, .. } => ends_ms.to_string().into(),
        Happening::GuardHeld { .. } => "held".into(),
        Happening::GuardReleased { .. } => "released".into(),
        Happening::Blind { .. } => "blind".into(),
        Happening::Sighted => "sighted".into(),
        Happening::SentinelsSilent { .. } => "silent".into(),
        Happening::SentinelsHeard => "heard".into(),
        Happening::OverrideSet { .. } => "set".into(),
        Happening::OverrideEnded { .. } => "ended".into(),
        Happening::ProberRestarted { .. } => "restarted".into(),
        Happening::Confirmed { .. } => "confirmed".into(),
    }
}

/// Whether it is no news: an endpoint that was taken for up, and is.
pub(super) fn is_expected(what: &Happening) -> bool {
    matches!(what, Happening::Endpoint { from, to, .. } if from == "unknown" && to == "up")
}

/// One sentence, without the server and the time.
pub(super) fn describe(what: &Happening) -> String {
    match what {
        Happening::Endpoint { target, pools, to, reason, streak, .. } => {
            let times =
                if *streak > 1 { format!(", {streak} times in a row") } else { String::new() };
            format!("{target}{} is {to}: {reason}{times}", of_pools(pools))
        }
        Happening::GuardHeld { reason, failing, observed } => format!(
            "{failing} of {observed} endpoints fail at once, the last view is held: {reason}"
        ),
        Happening::GuardReleased { reason } => {
            format!("the view is no longer held, what is observed counts again: {reason}")
        }
        Happening::Blind { reason, blind, observed } => {
            format!(
                "{blind} of {observed} probes learn nothing, by errors of our own side: {reason}"
            )
        }
        Happening::Sighted => "probes learn something again".to_owned(),
        Happening::SentinelsSilent { sentinels } => format!(
            "none of {sentinels} sentinels answers: what fails now is held back, or believed, without knowing better"
        ),
        Happening::SentinelsHeard => "a sentinel answers again".to_owned(),
        Happening::Certificate { target, pools, ends_ms } => {
            format!(
                "the certificate of {target}{} ends at {}",
                of_pools(pools),
                show_time(*ends_ms)
            )
        }
        Happening::OverrideSet { id, pattern, action, author, reason } => {
            format!("override {id} by {author}: {pattern} is {action}: {reason}")
        }
        Happening::OverrideEnded { id, pattern, reason } => {
            format!("override {id} of {pattern} ended: {reason}")
        }
        Happening::ProberRestarted { reason } => format!("the prober was started again: {reason}"),
        Happening::Confirmed { target, pools, author } => {
            format!("{target}{} is back, as {author} confirmed", of_pools(pools))
        }
    }
}

fn of_pools(pools: &[String]) -> String {
    if pools.is_empty() { String::new() } else { format!(" of {}", pools.join(", ")) }
}

/// A moment in milliseconds since 1970 as RFC 3339 has it, in UTC.
pub(super) fn show_time(at_ms: u64) -> String {
    let (seconds, ms) = (at_ms / 1_000, at_ms % 1_000);
    let (hours, minutes) = (seconds / 3_600 % 24, seconds / 60 % 60);
    format!("{}T{hours:02}:{minutes:02}:{:02}.{ms:03}Z", show_date(seconds), seconds % 60)
}

/// A length of time for people: `350 ms`, `12 s`, `5 min`, `3 h`.
pub(super) fn show_length(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_rfc_3339() {
        assert_eq!(show_time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(show_time(951_782_399_999), "2000-02-28T23:59:59.999Z");
        assert_eq!(show_time(1_795_281_186_007), "2026-11-21T17:13:06.007Z");
        for (ms, shown) in
            [(350, "350 ms"), (12_900, "12 s"), (300_000, "5 min"), (10_800_000, "3 h")]
        {
            assert_eq!(show_length(Duration::from_millis(ms)), shown);
        }
    }
}
