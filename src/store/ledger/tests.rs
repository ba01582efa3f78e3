//! What the file survives: damage of every kind, and other versions.

use std::panic::catch_unwind;

use super::*;
use crate::health::{Action, Happening, Status};
use crate::store::tests::Directory;

fn changes(events: std::ops::RangeInclusive<u64>) -> Changes {
    let memory = Memory {
        key: "tcp://192.0.2.1:1 #1".to_owned(),
        status: Status::Down,
        relapses: 2,
        changed_ago_ms: 5,
        recovered_ago_ms: None,
        seen_ago_ms: Some(1),
        latency_us: 900,
    };
    let one = Override {
        id: 3,
        zone: "*".to_owned(),
        pattern: "us".to_owned(),
        action: Action::Drain { per_minute: 100 },
        reason: "maintenance".to_owned(),
        author: "ops".to_owned(),
        set_ms: 1,
        ends_ms: Some(9),
    };
    let event = |number| Event { number, at_ms: number * 2, what: Happening::Sighted };
    Changes {
        memories: Some(Memories { at_ms: 7, targets: vec![memory] }),
        overrides: Some(OverrideList { next: 4, overrides: vec![one] }),
        events: events.map(event).collect(),
    }
}

#[test]
fn what_is_written_is_recalled() {
    let directory = Directory::create("ledger");
    let path = directory.path().join(FILE_NAME);
    let written = changes(1..=3);
    Ledger::open(&path).unwrap().write(&written).unwrap();
    let ledger = Ledger::open(&path).unwrap();
    let recalled = ledger.recall().unwrap();
    assert_eq!(Some(recalled.memories), written.memories);
    assert_eq!(Some(recalled.overrides), written.overrides);
    assert_eq!(recalled.events, Vec::from(written.events));
    let none = OverrideList { next: 5, overrides: Vec::new() };
    let kept = u64::try_from(EVENTS_KEPT).unwrap();
    let last = kept + 2;
    let changes = Changes { overrides: Some(none.clone()), memories: None, ..changes(4..=last) };
    ledger.write(&changes).unwrap();
    let recalled = ledger.recall().unwrap();
    assert_eq!((recalled.overrides, recalled.memories.at_ms), (none, 7));
    assert_eq!((recalled.events.len(), recalled.events[0].number), (EVENTS_KEPT, 3));
}

#[test]
fn a_file_that_is_none_of_ours_is_moved_aside_and_begun_anew() {
    let directory = Directory::create("ledger-strange");
    let path = directory.path().join(FILE_NAME);
    for text in ["", "short", &"x".repeat(1 << 20)] {
        std::fs::write(&path, text).unwrap();
        let (ledger, recalled) = Ledger::open_or_replace(&path, 77).unwrap();
        assert_eq!(recalled, Recalled::default());
        ledger.write(&changes(1..=1)).unwrap();
    }
    let aside = |name: &str| std::fs::read(directory.path().join(name)).map(|octets| octets.len());
    // An empty file is one that was just made.
    assert_eq!(aside("health.redb.damaged-77").unwrap(), 5);
    assert_eq!(aside("health.redb.damaged-77-1").unwrap(), 1 << 20);
}

#[test]
fn damaged_files_do_not_pile_up() {
    let directory = Directory::create("ledger-pile");
    let path = directory.path().join(FILE_NAME);
    std::fs::write(directory.path().join("health.rules"), "somebody's own").unwrap();
    for second in 8..=12 {
        std::fs::write(&path, "strange").unwrap();
        drop(Ledger::open_or_replace(&path, second).unwrap());
    }
    let names = std::fs::read_dir(directory.path()).unwrap();
    let mut names: Vec<_> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let damaged = ["health.redb.damaged-10", "health.redb.damaged-11", "health.redb.damaged-12"];
    assert_eq!(names, [&["health.redb"], &damaged[..], &["health.rules"]].concat());
}

#[test]
fn values_of_another_version_are_left_out() {
    let directory = Directory::create("ledger-version");
    let path = directory.path().join(FILE_NAME);
    let ledger = Ledger::open(&path).unwrap();
    ledger.write(&changes(1..=2)).unwrap();
    let writing = ledger.database.begin_write().unwrap();
    let mut events = writing.open_table(EVENTS).unwrap();
    events.insert(2, &b"{\"number\":2,\"at_ms\":4,\"event\":\"of-tomorrow\"}"[..]).unwrap();
    drop(events);
    writing.commit().unwrap();
    assert_eq!(ledger.recall().unwrap().events.len(), 1);
}

/// A damaged file must neither be believed nor keep the server from starting. A panic of redb, which ends the server, is allowed
/// to come twice.
#[test]
fn flipped_bits_are_noticed() {
    let directory = Directory::create("ledger-flipped");
    let path = directory.path().join(FILE_NAME);
    Ledger::open(&path).unwrap().write(&changes(1..=400)).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let sound = Ledger::open(&path).unwrap().recall().unwrap();
    let used: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
    let mut seed = 0x5eed_0001_u64;
    println!("seed {seed:#x}, {} octets in use of {}", used.len(), whole.len());
    let (mut noticed, mut fatal) = (0, 0);
    for _ in 0..200 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = used[usize::try_from(seed >> 33).unwrap() % used.len()];
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (seed & 7);
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, damaged).unwrap();
        let read = || catch_unwind(|| Ledger::open_or_replace(&path, 7).map(|(_, known)| known));
        let starts: Vec<_> = std::iter::repeat_with(read).take(3).collect();
        fatal += starts.iter().filter(|start| start.is_err()).count();
        let known = match starts.into_iter().flatten().next() {
            Some(Ok(known)) => known,
            Some(Err(error)) => panic!("octet {at}: {}", error.why()),
            None => panic!("octet {at}: three servers ended"),
        };
        noticed += usize::from(known == Recalled::default());
        assert!(known == sound || known == Recalled::default(), "octet {at} is believed");
    }
    println!("{noticed} of 200 noticed, {fatal} panics");
    assert!(noticed > 0);
    assert!(!directory.path().join(MARK_NAME).exists());
}

#[test]
fn a_file_that_ended_two_processes_is_not_read_again() {
    let directory = Directory::create("ledger-fatal");
    let path = directory.path().join(FILE_NAME);
    let mark = directory.path().join(MARK_NAME);
    Ledger::open(&path).unwrap().write(&changes(1..=3)).unwrap();
    for (fatal, events) in [("", 3), ("x", 3), ("xx", 0)] {
        std::fs::write(&mark, fatal).unwrap();
        let (_, recalled) = Ledger::open_or_replace(&path, 7).unwrap();
        assert_eq!((recalled.events.len(), mark.exists()), (events, false), "{fatal}");
    }
}
