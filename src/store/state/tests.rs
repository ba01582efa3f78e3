//! A process that is killed while it writes, a disk that fails, a thread that is slow.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::*;
use crate::health::{Action, Happening, Override, Status};
use crate::store::tests::Directory;

/// Set for the process that is to be killed: its state directory.
const CHILD: &str = "MERIDIAN_TEST_STATE_CHILD";
const ROUNDS: usize = 20;

fn event(number: u64) -> Event {
    Event { number, at_ms: number, what: Happening::Sighted }
}

fn list(id: u64) -> OverrideList {
    let one = Override {
        id,
        zone: "*".to_owned(),
        pattern: "us".to_owned(),
        action: Action::Down,
        reason: "x".repeat(400),
        author: "ops".to_owned(),
        set_ms: 1,
        ends_ms: None,
    };
    OverrideList { next: id + 1, overrides: vec![one] }
}

fn memory(key: &str, status: Status, seen: u64) -> Memory {
    Memory {
        key: key.to_owned(),
        status,
        relapses: 0,
        changed_ago_ms: 0,
        recovered_ago_ms: None,
        seen_ago_ms: Some(seen),
        latency_us: 0,
    }
}

/// Not a test: what the next one starts and kills. Prints each override that the disk has.
#[tokio::test]
async fn write_until_killed() {
    let Some(directory) = std::env::var_os(CHILD) else { return };
    let (state, recalled) = State::open(Path::new(&directory));
    let mut number = recalled.events.last().map_or(0, |event| event.number);
    let mut id = recalled.overrides.next;
    loop {
        for _ in 0..50 {
            number += 1;
            state.keep_event(event(number));
        }
        state.keep_memories(vec![memory("a", Status::Up, number)]);
        id += 1;
        state.keep_overrides(list(id)).await.unwrap();
        println!("durable {id} {number}");
    }
}

#[test]
fn a_process_that_is_killed_leaves_what_it_had_written() {
    let directory = Directory::create("killed");
    let (mut seed, mut last) = (0x5eed_0002_u64, (0, 0));
    println!("seed {seed:#x}");
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::state::tests::write_until_killed", "--nocapture"])
            .env(CHILD, directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (enough, pause) = (1 + (seed >> 60), Duration::from_micros(seed >> 50));
        let mut seen = 0;
        for line in lines.map_while(Result::ok) {
            let Some(numbers) = line.split_once("durable ").map(|(_, numbers)| numbers) else {
                continue;
            };
            let (id, number) = numbers.split_once(' ').unwrap();
            last = (id.parse::<u64>().unwrap(), number.parse::<u64>().unwrap());
            seen += 1;
            if seen == enough {
                thread::sleep(pause);
                let _ = child.kill();
            }
        }
        child.wait().unwrap();
        let recalled = Ledger::open(&directory.path().join(FILE_NAME)).unwrap().recall().unwrap();
        let id = recalled.overrides.overrides[0].id;
        assert!(id >= last.0, "round {round}: override {id} of {}", last.0);
        assert_eq!(recalled.overrides.next, id + 1);
        let numbers: Vec<u64> = recalled.events.iter().map(|event| event.number).collect();
        assert!(*numbers.last().unwrap() >= last.1, "round {round}: {last:?}");
        assert!(numbers.windows(2).all(|two| two[0] + 1 == two[1]), "round {round}: a gap");
        assert_eq!(recalled.memories.targets.len(), 1);
    }
    println!("{ROUNDS} kills, {last:?} written");
}

#[tokio::test]
async fn a_directory_that_can_not_be_written_is_tried_until_it_can() {
    let directory = Directory::create("failing");
    let file = directory.path().join(FILE_NAME);
    std::fs::create_dir(&file).unwrap();
    let (state, recalled) = State::open(directory.path());
    assert_eq!(recalled, Recalled::default());
    let why = state.keep_overrides(list(1)).await.unwrap_err();
    assert_eq!(state.unpersisted().unwrap().why, why);
    let since = state.unpersisted().unwrap().since_ms;
    state.keep_event(event(1));
    state.keep_memories(vec![memory("a", Status::Up, 1)]);
    assert!(state.keep_overrides(list(2)).await.is_err());
    assert_eq!(state.unpersisted().unwrap().since_ms, since, "since the first");
    std::fs::remove_dir(&file).unwrap();
    assert_eq!(state.keep_overrides(list(3)).await, Ok(()));
    assert!(state.unpersisted().is_none());
    state.close(Some(vec![memory("a", Status::Down, 1)]));
    let recalled = Ledger::open(&file).unwrap().recall().unwrap();
    assert_eq!((recalled.overrides, recalled.events), (list(3), vec![event(1)]));
    assert_eq!(recalled.memories.targets, [memory("a", Status::Down, 1)]);
}

#[tokio::test]
async fn what_is_handed_over_before_the_end_is_written() {
    let directory = Directory::create("closed");
    let (state, _) = State::open(directory.path());
    (1..=100).for_each(|number| state.keep_event(event(number)));
    state.close(Some(Vec::new()));
    state.keep_event(event(101));
    assert_eq!(state.lost_events(), 1, "there is nobody to write it");
    assert!(state.keep_overrides(list(1)).await.is_err());
    let (_state, recalled) = State::open(directory.path());
    assert_eq!(recalled.events.len(), 100);
}

#[test]
fn memories_are_written_when_they_say_something_new() {
    let directory = Directory::create("news");
    let mut writer = Writer::new(directory.path().join(FILE_NAME), Arc::default());
    writer.recall();
    let mut has_news = |status, seen| {
        let memories = Memories { at_ms: seen, targets: vec![memory("a", status, seen)] };
        writer.take(Job::Memories(memories));
        let has_news = writer.unwritten.memories.is_some();
        writer.commit().unwrap();
        has_news
    };
    assert!(has_news(Status::Up, 1));
    assert!(!has_news(Status::Up, 2), "nothing but time has passed");
    assert!(has_news(Status::Down, 3));
}

#[test]
fn what_can_only_be_read_is_read() {
    let directory = Directory::create("read-only");
    let file = directory.path().join(FILE_NAME);
    let (state, _) = State::open(directory.path());
    state.keep_event(event(7));
    state.close(Some(vec![memory("a", Status::Up, 1)]));
    let recalled = Ledger::read_copy(&file).unwrap();
    assert_eq!((recalled.events, recalled.memories.targets.len()), (vec![event(7)], 1));
}

/// Overrides that nobody could read at start do not hold, and are not lost either.
#[tokio::test]
async fn a_file_that_could_not_be_read_at_start_is_kept_aside() {
    let directory = Directory::create("unread");
    let file = directory.path().join(FILE_NAME);
    let (state, _) = State::open(directory.path());
    assert_eq!(state.keep_overrides(list(5)).await, Ok(()));
    state.close(None);
    let elsewhere = directory.path().join("elsewhere");
    std::fs::rename(&file, &elsewhere).unwrap();
    std::fs::create_dir(&file).unwrap();
    let (state, recalled) = State::open(directory.path());
    assert_eq!(recalled, Recalled::default());
    assert!(state.keep_overrides(list(1)).await.is_err());
    std::fs::remove_dir(&file).unwrap();
    std::fs::rename(&elsewhere, &file).unwrap();
    assert_eq!(state.keep_overrides(list(2)).await, Ok(()));
    state.close(None);
    assert_eq!(Ledger::open(&file).unwrap().recall().unwrap().overrides, list(2));
    let entries = std::fs::read_dir(directory.path()).unwrap().flatten();
    let aside = entries
        .map(|entry| entry.path())
        .find(|path| path.to_string_lossy().contains(&format!("{FILE_NAME}.damaged-")));
    let aside = Ledger::read_copy(&aside.expect("the old file")).unwrap();
    assert_eq!(aside.overrides, list(5));
}
