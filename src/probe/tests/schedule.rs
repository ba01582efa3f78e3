//! The prober as a whole: transitions, the first round, reloads, crashes, the end.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::responder::{Responder, close_after, deserted, read_request, status_reply};
use super::*;
use crate::health::{Happening, Memory, Plan, Status, TargetId, TcpCheck, View};
use crate::limits::FIRST_ROUND_SECONDS;
use crate::probe::{Prober, ProberOptions, Sink};

const FIRST: TargetId = TargetId(0);
const SECOND: TargetId = TargetId(1);

fn ignore() -> Sink {
    Arc::new(|_| {})
}

/// A sink that keeps what it is told.
fn collect() -> (Sink, Arc<Mutex<Vec<Happening>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    (Arc::new(move |happening| telling.lock().unwrap().push(happening)), told)
}

fn http_target(endpoint: &Responder) -> ProbeTarget {
    target(Protocol::Http(http()), endpoint.address)
}

fn start(targets: &[ProbeTarget], sink: Sink) -> (Prober, Arc<View>) {
    start_with(targets, ProberOptions { sink, ..ProberOptions::default() })
}

fn start_with(targets: &[ProbeTarget], options: ProberOptions) -> (Prober, Arc<View>) {
    let view = Arc::new(View::new(targets.len()));
    (Prober::start(&Plan::of(targets), Arc::clone(&view), options).unwrap(), view)
}

fn replace(prober: &Prober, targets: &[ProbeTarget]) -> Arc<View> {
    let view = Arc::new(View::new(targets.len()));
    prober.replace(&Plan::of(targets), Arc::clone(&view));
    view
}

async fn first_round(prober: &Prober) {
    timeout(PATIENCE, prober.first_round()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_59_an_endpoint_goes_down_and_comes_back_after_its_thresholds() {
    let status = Arc::new(AtomicUsize::new(200));
    let endpoint = Responder::switched(Arc::clone(&status)).await;
    let (sink, told) = collect();
    let (prober, view) = start(&[http_target(&endpoint)], sink);
    first_round(&prober).await;
    assert_eq!(view.status(FIRST), Status::Up);

    status.store(500, Ordering::SeqCst);
    eventually("down", || view.status(FIRST) == Status::Down).await;
    status.store(204, Ordering::SeqCst);
    eventually("up again", || view.status(FIRST) == Status::Up).await;
    eventually("all told", || told.lock().unwrap().len() == 3).await;

    let told = told.lock().unwrap();
    let target = http_target(&endpoint).to_string();
    let expected = [("up", "down", "status 500"), ("down", "up", "answered in ")];
    for (happening, (from, to, reason)) in told.iter().skip(1).zip(expected) {
        let Happening::Endpoint { from: was, to: is, reason: why, streak, .. } = happening else {
            panic!("{happening:?}");
        };
        assert_eq!((was.as_str(), is.as_str(), *streak), (from, to, 2));
        assert!(why.starts_with(reason), "{why}");
        assert!(matches!(happening, Happening::Endpoint { target: told, .. } if *told == target));
    }
}

/// The answer after a decision is the changed one: no poll, no task, no time lies between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_1_a_decision_is_in_the_view_before_it_is_told() {
    let status = Arc::new(AtomicUsize::new(500));
    let endpoint = Responder::switched(Arc::clone(&status)).await;
    let target = http_target(&endpoint);
    let view = Arc::new(View::new(1));
    let (told, wrong) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (telling, mistaking, watched) = (Arc::clone(&told), Arc::clone(&wrong), Arc::clone(&view));
    let sink: Sink = Arc::new(move |happening| {
        let Happening::Endpoint { to, .. } = happening else { return };
        let is_wrong = watched.status(FIRST).to_string() != to;
        mistaking.fetch_add(is_wrong.into(), Ordering::SeqCst);
        telling.fetch_add(1, Ordering::SeqCst);
    });
    let options = ProberOptions { sink, ..ProberOptions::default() };
    let _prober = Prober::start(&Plan::of(&[target]), Arc::clone(&view), options).unwrap();
    for round in 1..=6 {
        eventually("told", || told.load(Ordering::SeqCst) >= round).await;
        status.store(if round % 2 == 0 { 500 } else { 200 }, Ordering::SeqCst);
    }
    assert_eq!(wrong.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_round_decides_every_target() {
    let (good, bad) = (Responder::status(200).await, Responder::status(500).await);
    let targets = [
        http_target(&good),
        http_target(&bad),
        target(Protocol::Tcp(TcpCheck::default()), deserted().await),
        target(Protocol::Tcp(TcpCheck::default()), good.address),
    ];
    let (prober, view) = start(&targets, ignore());
    first_round(&prober).await;
    let statuses: Vec<_> = view.iter().map(|(_, status)| status).collect();
    assert_eq!(statuses, [Status::Up, Status::Down, Status::Down, Status::Up]);
    assert_eq!(view.down_count(), 2);
}

/// `app` waits for the first round in one task and reloads from another.
#[test]
fn a_prober_is_shared_between_threads() {
    fn assert_shared<T: Send + Sync + 'static>() {}
    assert_shared::<Prober>();
    assert_shared::<View>();
}

#[tokio::test]
async fn the_first_round_of_nothing_is_over() {
    let (prober, _) = start(&[], ignore());
    first_round(&prober).await;
}

/// The caller bounds the wait. Whoever has not answered by then is Unknown, which counts as up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_69_the_first_round_can_be_cut_short() {
    let (good, silent) = (Responder::status(200).await, Responder::silent().await);
    let slow = impatient(Protocol::Http(http()), silent.address, 60_000);
    let (prober, view) = start(&[http_target(&good), slow], ignore());
    eventually("the fast one is known", || view.status(FIRST) == Status::Up).await;
    let bound = Duration::from_secs(FIRST_ROUND_SECONDS);
    assert!(timeout(bound, prober.first_round()).await.is_err());
    assert_eq!(view.status(SECOND), Status::Unknown);
    assert!(view.is_up(Some(SECOND)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_round_ends_with_an_error_of_our_own_side_too() {
    let target = target(Protocol::Tcp(TcpCheck::default()), "[fe80::1]:9".parse().unwrap());
    let (prober, view) = start(&[target], ignore());
    first_round(&prober).await;
    assert_eq!(view.status(FIRST), Status::Unknown);
    let tally = &prober.known()[0].tally;
    assert!(tally.nothings > 0 && tally.successes + tally.failures == 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_targets_are_known_after_one_round() {
    let endpoint = Responder::status(200).await;
    let targets: Vec<_> = (0..200)
        .map(|index| {
            let path = format!("/{index}").into();
            target(Protocol::Http(HttpCheck { path, ..http() }), endpoint.address)
        })
        .collect();
    let (prober, view) = start(&targets, ignore());
    first_round(&prober).await;
    assert!(view.iter().all(|(_, status)| status == Status::Up), "{view:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statistics_count_results_and_keep_the_last() {
    let endpoint = Responder::status(503).await;
    let (prober, view) = start(&[http_target(&endpoint)], ignore());
    eventually("three probes", || prober.known()[0].tally.failures >= 3).await;
    let one = prober.known().remove(0);
    assert_eq!((one.id, one.status, one.tally.successes), (FIRST, Status::Down, 0));
    assert_eq!(one.tally.last_failure, Some(FailureReason::Status(503)));
    assert!(one.streak >= 3 && one.tally.last_probe.is_some_and(|last| last > one.since));
    assert_eq!(view.status(FIRST), Status::Down);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_keeps_what_is_known_of_equal_targets() {
    let (good, bad) = (Responder::status(200).await, Responder::status(500).await);
    let (good, bad) = ((http_target(&good), good), (http_target(&bad), bad));
    let (prober, _) = start(&[good.0.clone(), bad.0.clone()], ignore());
    first_round(&prober).await;
    let before = prober.known();

    let new = target(Protocol::Tcp(TcpCheck::default()), good.1.address);
    let view = replace(&prober, &[bad.0.clone(), new.clone(), good.0.clone()]);
    assert_eq!(view.status(TargetId(0)), Status::Down);
    assert_eq!(view.status(TargetId(2)), Status::Up);
    let after = prober.known();
    assert_eq!(after.iter().map(|one| &one.target).collect::<Vec<_>>(), [&bad.0, &new, &good.0]);
    for (old, kept) in [(&before[0], &after[2]), (&before[1], &after[0])] {
        assert_eq!(old.since, kept.since);
        assert!(kept.tally.total() >= old.tally.total());
    }
    first_round(&prober).await;
    assert_eq!(view.status(TargetId(1)), Status::Up);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_under_way_lands_in_the_new_view_under_its_new_number() {
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    let held = Responder::start(move |mut stream| {
        let gate = Arc::clone(&waiting);
        async move {
            read_request(&mut stream).await;
            gate.acquire().await.unwrap().forget();
            close_after(stream, &status_reply(500)).await;
        }
    })
    .await;
    let patient = impatient(Protocol::Http(http()), held.address, 60_000);
    let (prober, old) = start(std::slice::from_ref(&patient), ignore());
    eventually("the probe is under way", || held.accepted() == 1).await;

    let other = target(Protocol::Tcp(TcpCheck::default()), deserted().await);
    let new = replace(&prober, &[other, patient]);
    assert_eq!(new.status(SECOND), Status::Unknown);
    gate.add_permits(1);
    eventually("decided", || new.status(SECOND) == Status::Down).await;
    assert_eq!(old.status(FIRST), Status::Unknown);
    assert_eq!(prober.known()[1].tally.failures, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_target_is_left_alone_and_comes_back_unknown() {
    let endpoint = Responder::status(500).await;
    let target = http_target(&endpoint);
    let (prober, _) = start(std::slice::from_ref(&target), ignore());
    first_round(&prober).await;
    replace(&prober, &[]);
    assert!(prober.known().is_empty());
    sleep(Duration::from_millis(300)).await;
    let accepted = endpoint.accepted();
    sleep(Duration::from_millis(500)).await;
    assert_eq!(endpoint.accepted(), accepted);

    let silent = Responder::silent().await;
    let gone = impatient(Protocol::Http(http()), silent.address, 60_000);
    replace(&prober, std::slice::from_ref(&gone));
    eventually("a probe is under way", || silent.accepted() == 1).await;
    replace(&prober, &[]);
    let view = replace(&prober, &[gone]);
    assert_eq!(view.status(FIRST), Status::Unknown);
    assert_eq!(prober.known()[0].tally.total(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_named_twice_runs_once_and_writes_both_numbers() {
    let endpoint = Responder::status(500).await;
    let slow = CheckSpec {
        every: Duration::from_secs(3600),
        ..check(Protocol::Http(http()), endpoint.address.port())
    };
    let twice = target_of(slow, endpoint.address);
    let (prober, view) = start(&[twice.clone(), twice.clone()], ignore());
    first_round(&prober).await;
    assert_eq!(view.down_count(), 2);
    let view = replace(&prober, &[twice.clone(), twice.clone(), twice]);
    assert_eq!(view.down_count(), 3);
    assert_eq!(prober.known().len(), 3);
    assert_eq!(endpoint.accepted(), 1);
}

/// Reloads as fast as they can be, while results pour in: no result may reach a view under another target's number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloads_and_results_do_not_mix() {
    let good = Responder::status(200).await;
    let swift = |address: SocketAddr| {
        let every = Duration::from_millis(1);
        target_of(
            CheckSpec { every, ..check(Protocol::Tcp(TcpCheck::default()), address.port()) },
            address,
        )
    };
    let (up, down) = (swift(good.address), swift(deserted().await));
    let (prober, _) = start(&[up.clone(), down.clone()], ignore());
    first_round(&prober).await;
    let mut views = Vec::new();
    for round in 0..400 {
        let is_swapped = round % 2 == 1;
        let targets = if is_swapped { [&down, &up] } else { [&up, &down] }.map(Clone::clone);
        views.push((is_swapped, replace(&prober, &targets)));
        if round % 10 == 0 {
            sleep(Duration::from_millis(3)).await;
        }
    }
    for (is_swapped, view) in views {
        let (up, down) = if is_swapped { (SECOND, FIRST) } else { (FIRST, SECOND) };
        assert_eq!((view.status(up), view.status(down)), (Status::Up, Status::Down));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_is_noticed_and_the_target_is_probed_on() {
    let status = Arc::new(AtomicUsize::new(500));
    let endpoint = Responder::switched(Arc::clone(&status)).await;
    let (prober, view) = start(&[http_target(&endpoint)], ignore());
    first_round(&prober).await;
    assert_eq!(view.status(FIRST), Status::Down);
    prober.supervisor.board().crash_next();
    let tally = || prober.known().remove(0).tally;
    eventually("crashed", || tally().last_nothing == Some(NothingReason::Crashed)).await;
    status.store(200, Ordering::SeqCst);
    eventually("up", || view.status(FIRST) == Status::Up).await;
    assert_eq!(tally().nothings, 1);
}

/// One that hears of the news crashed, and nobody heard of any after.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_of_who_is_told_is_no_end_of_the_news() {
    let status = Arc::new(AtomicUsize::new(500));
    let endpoint = Responder::switched(Arc::clone(&status)).await;
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    let sink: Sink = Arc::new(move |_| {
        assert_ne!(count.fetch_add(1, Ordering::SeqCst), 0, "a crash made by a test");
    });
    let (prober, _view) = start(&[http_target(&endpoint)], sink);
    first_round(&prober).await;
    status.store(200, Ordering::SeqCst);
    eventually("told again", || told.load(Ordering::SeqCst) == 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_prober_stops() {
    let endpoint = Responder::status(200).await;
    let (prober, view) = start(&[http_target(&endpoint)], ignore());
    first_round(&prober).await;
    drop(prober);
    sleep(Duration::from_millis(300)).await;
    let accepted = endpoint.accepted();
    sleep(Duration::from_millis(500)).await;
    assert_eq!(endpoint.accepted(), accepted);
    assert_eq!(view.status(FIRST), Status::Up);
}

/// As at shutdown: the runtime goes first, then the prober. Neither hangs.
#[test]
fn a_prober_outlives_its_runtime() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let prober = runtime.block_on(async {
        let endpoint = Responder::silent().await;
        let (prober, _) = start(&[http_target(&endpoint)], ignore());
        eventually("a probe is under way", || endpoint.accepted() == 1).await;
        prober
    });
    runtime.shutdown_timeout(Duration::from_secs(2));
    replace(&prober, &[target(Protocol::Tcp(TcpCheck::default()), "127.0.0.1:9".parse().unwrap())]);
    drop(prober);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probes_of_one_target_do_not_overlap_and_keep_their_distance() {
    let endpoint = Responder::status(200).await;
    let every = Duration::from_millis(500);
    let spaced =
        CheckSpec { every, ..check(Protocol::Tcp(TcpCheck::default()), endpoint.address.port()) };
    let (_prober, _) = start(&[target_of(spaced, endpoint.address)], ignore());
    sleep(Duration::from_millis(2200)).await;
    // One at once, one at its place in the interval, then one per interval: at most 1 + 1 + 4.
    let accepted = endpoint.accepted();
    assert!((1..=6).contains(&accepted), "{accepted}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_endpoint_is_found_out_in_interval_times_threshold() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let probes = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&probes);
    let silent = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            counting.fetch_add(1, Ordering::SeqCst);
            held.push(stream);
        }
    });
    let every = Duration::from_millis(500);
    let check =
        CheckSpec { every, timeout: every, ..check(Protocol::Http(http()), address.port()) };
    let (_prober, _view) = start(&[target_of(check, address)], ignore());
    sleep(Duration::from_secs(10)).await;
    silent.abort();
    // 20 intervals; counted from the end of each probe there would be 10. A busy machine makes it fewer.
    let seen = probes.load(Ordering::SeqCst);
    assert!((13..=22).contains(&seen), "{seen} probes in 10 s");
}

/// Somebody who tunes a check must not bring an endpoint that is down back into the answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_pace_keeps_the_status() {
    let address = deserted().await;
    let old = target(Protocol::Tcp(TcpCheck::default()), address);
    let (prober, view) = start(std::slice::from_ref(&old), ignore());
    first_round(&prober).await;
    assert_eq!(view.status(FIRST), Status::Down);
    let slower = CheckSpec { every: Duration::from_secs(3600), ..CheckSpec::clone(&old.check) };
    let view = replace(&prober, &[target_of(slower, address)]);
    assert_eq!(view.status(FIRST), Status::Down);
}

/// R18: whatever hangs in the prober, it begins anew beside it, and no answer changes meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prober_that_stands_still_is_started_anew_and_states_are_held() {
    let status = Arc::new(AtomicUsize::new(500));
    let endpoint = Responder::switched(Arc::clone(&status)).await;
    let good = Responder::status(200).await;
    let (sink, told) = collect();
    let (prober, view) = start(&[http_target(&endpoint), http_target(&good)], sink);
    first_round(&prober).await;
    let stuck = prober.supervisor.board();
    let start = std::time::Instant::now();
    let freezing = std::thread::spawn(move || stuck.freeze(Duration::from_secs(6)));
    let is_restart = |one: &Happening| matches!(one, Happening::ProberRestarted { .. });
    eventually("restarted", || told.lock().unwrap().iter().any(is_restart)).await;
    // A second is promised, of a machine that is not starved.
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert_eq!((view.status(FIRST), view.status(SECOND)), (Status::Down, Status::Up));
    assert!(!freezing.is_finished(), "what hangs still hangs");
    status.store(200, Ordering::SeqCst);
    eventually("probed on", || view.status(FIRST) == Status::Up).await;
    assert!(prober.age() < Duration::from_secs(5));
    freezing.join().unwrap();
}

/// A reload that met a prober that hung began with a view in which everything was up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_holds_all_states_whoever_hangs() {
    let (bad, good) = (deserted().await, Responder::status(200).await);
    let targets = [target(Protocol::Tcp(TcpCheck::default()), bad), http_target(&good)];
    let (prober, view) = start(&targets, ignore());
    first_round(&prober).await;
    assert_eq!((view.status(FIRST), view.status(SECOND)), (Status::Down, Status::Up));
    let stuck = prober.supervisor.board();
    let freezing = std::thread::spawn(move || stuck.freeze(Duration::from_secs(6)));
    tokio::time::sleep(Duration::from_millis(50)).await;
    let view = tokio::task::block_in_place(|| replace(&prober, &targets));
    assert_eq!((view.status(FIRST), view.status(SECOND)), (Status::Down, Status::Up));
    assert!(!freezing.is_finished(), "what hangs still hangs");
    freezing.join().unwrap();
}

/// A log that nobody reads held up one result after the other, and with them the prober.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_tells_may_take_his_time_and_all_is_told_in_order() {
    let status = Arc::new(AtomicUsize::new(500));
    let endpoint = Responder::switched(Arc::clone(&status)).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let (is_read, shared) = (Arc::new(AtomicBool::new(false)), Arc::clone(&told));
    let waiting = Arc::clone(&is_read);
    let sink: Sink = Arc::new(move |what| {
        while !waiting.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        shared.lock().unwrap().push(what);
    });
    let (prober, view) = start(&[http_target(&endpoint)], sink);
    first_round(&prober).await;
    assert_eq!(view.status(FIRST), Status::Down);
    status.store(200, Ordering::SeqCst);
    eventually("up, though nobody has heard", || view.status(FIRST) == Status::Up).await;
    assert!(told.lock().unwrap().is_empty() && prober.age() < Duration::from_secs(1));
    is_read.store(true, Ordering::SeqCst);
    eventually("both told", || told.lock().unwrap().len() == 2).await;
    let to = |what: &Happening| match what {
        Happening::Endpoint { to, .. } => to.clone(),
        other => format!("{other:?}"),
    };
    assert_eq!(told.lock().unwrap().iter().map(to).collect::<Vec<_>>(), ["down", "up"]);
}

/// What is remembered decides until something else is seen, and start-up waits for nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_remembered_is_believed_at_start() {
    let silent = Responder::silent().await;
    let target = impatient(Protocol::Http(http()), silent.address, 60_000);
    let memory = Memory {
        key: target.key(),
        status: Status::Down,
        relapses: 2,
        changed_ago_ms: 5_000,
        recovered_ago_ms: None,
        seen_ago_ms: Some(1_000),
        latency_us: 700,
    };
    let memories = vec![memory.clone()];
    let options = ProberOptions { memories, ..ProberOptions::default() };
    let (prober, view) = start_with(std::slice::from_ref(&target), options);
    first_round(&prober).await;
    assert_eq!((view.status(FIRST), view.latency_us(FIRST)), (Status::Down, Some(700)));
    let kept = prober.memories().unwrap().remove(0);
    assert_eq!((kept.key, kept.status, kept.relapses), (memory.key, Status::Down, 2));
    assert!(kept.changed_ago_ms >= 5_000);
}
