//! What is wrong with us, or with most of the world at once, and what must not come of it (RELIABILITY §5, R11, R13, R16, R25, R26).
//!
//! | what happens | what is shown |
//! |---|---|
//! | the prober is cut off, by a missing route or without a word | no answer changes, and an alarm is raised |
//! | most endpoints die together | they are held, and then believed, in one change |
//! | endpoints flap, or lose three connections in ten | they change twice at most |
//! | the server is stopped and goes on, or is starved | nothing is down for it |
//!
//! `MERIDIAN_CUT_SECONDS=600 MERIDIAN_FREEZE_SECONDS=30 MERIDIAN_LOSS_SECONDS=300 cargo test --test isolation` takes as long as the
//! promises are for.

mod harness;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use harness::breakable::Breakable;
use harness::certificates::Authority;
use harness::network::{self, FAR_PORT, Far};
use harness::process::{self, Endpoint};
use harness::random::Random;
use harness::relay::{Loss, Relay};
use harness::responder::Responder;
use harness::server::{Directory, Server};
use harness::starve::Starved;
use harness::wire::{A, Ask};
use harness::{PATIENCE, wait_until};

/// Looks at answers and metrics are so far apart.
const PAUSE: Duration = Duration::from_millis(25);

/// What a busy machine may add to a time that is promised.
const ALLOWANCE: Duration = Duration::from_secs(3);

/// The process that [`Endpoint`] starts.
#[test]
fn endpoint_process() {
    process::serve_if_told();
}

/// Seconds from the environment.
fn seconds(variable: &str, usual: u64) -> Duration {
    let seconds = std::env::var(variable).map_or(usual, |text| text.parse().unwrap());
    Duration::from_secs(seconds)
}

/// A zone with a pool for each list of addresses, a name for each pool, and one, `all`, for the endpoints of all of them. `check` has
/// all keys of the check but its port.
fn zone(check: &str, port: u16, pools: &[Vec<IpAddr>]) -> String {
    let mut zone = format!(
        "zone = \"isolation.example\"\nttl = \"5s\"\n[check.web]\nport = {port}\n{check}\n"
    );
    let (mut names, mut targets) = (String::new(), Vec::new());
    for (number, addresses) in pools.iter().enumerate() {
        let list: Vec<String> = addresses.iter().map(|one| format!("\"{one}\"")).collect();
        let list = list.join(", ");
        zone += &format!("[pool.p{number}]\naddresses = [{list}]\ncheck = \"web\"\n");
        names += &format!("p{number} = {{ pool = \"p{number}\" }}\n");
        targets.push(format!("\"p{number}\""));
    }
    let targets = targets.join(", ");
    zone + &format!("[policy.all]\ntype = \"multivalue\"\ntargets = [{targets}]\n")
        + "[names]\n\"@\" = { SOA = \"ns1 hostmaster\", NS = \"ns1\" }\nns1 = { A = \"192.0.2.53\" }\n\
           all = { policy = \"all\" }\n"
        + &names
}

/// A server of one zone with these settings, which are in a file that must stay.
fn serve(zone: &str, settings: &str) -> (Server, Directory) {
    let directory = Directory::create();
    let path = directory.path().join("meridian.toml");
    std::fs::write(&path, settings).unwrap();
    let path = path.display().to_string();
    (Server::start(&[("isolation.example.toml", zone)], &["--config", &path]), directory)
}

/// The answer for a name, sorted.
fn answer(server: &Server, name: &str) -> Vec<Ipv4Addr> {
    let mut answer = server.ask(&Ask::new(&format!("{name}.isolation.example"), A)).ipv4();
    answer.sort_unstable();
    answer
}

/// How many endpoints count as up.
fn healthy(server: &Server) -> f64 {
    server.metrics().sum("meridian_endpoint_healthy", &[])
}

fn results(server: &Server, result: &str) -> f64 {
    server.metrics().sum("meridian_probe_results_total", &[("result", result)])
}

/// As the README has it: seldom, and closer once something fails.
const CLOSER: &str = "http = \"/\"\nevery = \"3s\"\nretry = \"1s\"\ntimeout = \"1s\"";

/// Two of its intervals.
const ALARM: Duration = Duration::from_secs(6);

/// R11: the cable is pulled, so that there is no route and nothing is learnt of anybody; or packets vanish, so that everybody seems
/// dead, and the guard must see that it is us. Both at once, of two servers.
#[test]
fn a_prober_that_is_cut_off_changes_no_answer() {
    network::alone("a_prober_that_is_cut_off_changes_no_answer", || {
        let blind = Alarm {
            metric: "meridian_probe_blind",
            reason: "probes learn nothing: we have no route",
            events: ["blind", "sighted"],
        };
        let guard = Alarm {
            metric: "meridian_probe_guard_held",
            reason: "the last health is held: too much fails at once",
            events: ["guard-held", "guard-released"],
        };
        thread::scope(|scope| {
            scope.spawn(|| cut_off(1, "no route", Far::pull, Far::plug, &blind));
            scope.spawn(|| cut_off(2, "a black hole", Far::swallow, Far::deliver, &guard));
        });
    });
}

/// How we are told that the prober is cut off, and that it is not any more.
struct Alarm {
    metric: &'static str,
    reason: &'static str,
    events: [&'static str; 2],
}

impl Alarm {
    fn is_raised(&self, server: &Server) -> bool {
        server.metrics().value(self.metric, &[]) == 1.0
    }

    /// How often it was raised, and how often it ended.
    fn count(&self, server: &Server) -> [usize; 2] {
        let events = server.events();
        self.events.map(|kind| events.iter().filter(|event| event["event"] == kind).count())
    }
}

/// Ten endpoints in five pools, one of which is dead, are cut off from us for a while.
fn cut_off(number: u8, what: &str, cut: fn(&Far), join: fn(&Far), alarm: &Alarm) {
    let addresses: Vec<Ipv4Addr> =
        (11..21).map(|last| Ipv4Addr::new(10, 77, number, last)).collect();
    let (_dead, alive) = addresses.split_last().unwrap();
    let far = Far::join(number, alive);
    let pools: Vec<Vec<IpAddr>> =
        addresses.chunks(2).map(|two| two.iter().map(|one| (*one).into()).collect()).collect();
    let (server, _settings) = serve(&zone(CLOSER, FAR_PORT, &pools), "");
    wait_until("all are seen", PATIENCE, || healthy(&server) == alive.len() as f64);
    let names: Vec<String> = (0..pools.len()).map(|number| format!("p{number}")).collect();
    let all = || -> Vec<_> { names.iter().map(|name| answer(&server, name)).collect() };
    let before = all();
    let (start, length) = (Instant::now(), seconds("MERIDIAN_CUT_SECONDS", 30));
    cut(&far);
    let mut raised = None;
    while start.elapsed() < length {
        assert_eq!(all(), before, "{what}, after {:?}", start.elapsed());
        if raised.is_none() && alarm.is_raised(&server) {
            raised = Some(start.elapsed());
            assert!(
                server.get("/health").body.contains(alarm.reason),
                "{}",
                server.get("/health").body
            );
        }
        thread::sleep(PAUSE);
    }
    join(&far);
    let start = Instant::now();
    let ended = wait_until("the alarm ends", PATIENCE, || !alarm.is_raised(&server));
    // Three failures, had they been counted, and some more.
    while start.elapsed() < Duration::from_secs(6) {
        assert_eq!(all(), before, "{what}, {:?} after it ended", start.elapsed());
        thread::sleep(PAUSE);
    }
    println!(
        "{what} for {length:?}: no answer changed; alarm after {raised:?}, over {ended:?} after it"
    );
    assert_eq!(server.changes(), Vec::<String>::new());
    assert_eq!(alarm.count(&server), [1, 1], "once: {:#?}", server.events());
    let raised = raised.expect("nobody was told");
    assert!(raised <= ALARM + ALLOWANCE, "promised are two intervals: {raised:?}");
    assert!(!server.get("/health").body.contains(alarm.reason));
}

/// R13: five of eight endpoints, in three of four pools, stop at one instant.
#[test]
fn what_dies_together_is_held_and_then_believed_in_one_change() {
    let port = process::free_port();
    let addresses: Vec<IpAddr> = (1..9).map(|last| [127, 15, 1, last].into()).collect();
    let pools: Vec<Vec<IpAddr>> = addresses.chunks(2).map(<[IpAddr]>::to_vec).collect();
    let sockets: Vec<SocketAddr> = addresses.iter().map(|one| (*one, port).into()).collect();
    let (dying, alive) = sockets.split_at(5);
    let (dying, _alive) = (Endpoint::start(dying), Endpoint::start(alive));
    let check = "http = \"/\"\nevery = \"1s\"\ntimeout = \"1s\"\nup_after = 1\ndamping = false";
    let hold = Duration::from_secs(8);
    let settings = "[health]\nguard = { hold = \"8s\" }\n";
    let (server, _settings) = serve(&zone(check, port, &pools), settings);
    wait_until("all are up", PATIENCE, || {
        answer(&server, "all").len() == 8 && healthy(&server) == 8.0
    });
    let start = Instant::now();
    dying.stop();
    let changed = watch(&server, 3);
    let held = server.events().into_iter().find(|event| event["event"] == "guard-held");
    let held = held.unwrap_or_else(|| panic!("it was not held: {:#?}", server.events()));
    println!(
        "five of eight died: changed after {:?} (held for {hold:?}), within {:?}, in {} steps; {} of {} failed",
        changed.first.duration_since(start),
        changed.last.duration_since(changed.first),
        changed.steps,
        held["failing"],
        held["observed"],
    );
    assert!(changed.first.duration_since(start) >= hold, "it was not held for that long");
    assert!(changed.first.duration_since(start) <= hold + Duration::from_secs(5) + ALLOWANCE);
    assert!(changed.last.duration_since(changed.first) <= Duration::from_millis(500), "one change");
    let all: Vec<Ipv4Addr> = (6..9).map(|last| Ipv4Addr::new(127, 15, 1, last)).collect();
    // What it goes on to be for as long as it is so.
    for _ in 0..80 {
        assert_eq!(answer(&server, "all"), all);
        thread::sleep(PAUSE);
    }
    let is_down = |change: &&String| change.starts_with("up-down ");
    assert_eq!(server.changes().iter().filter(is_down).count(), 5, "{:#?}", server.changes());
    dying.resume();
    wait_until("all are back", PATIENCE, || answer(&server, "all").len() == 8);
    assert_eq!(server.changes().len(), 10, "each of five, once and back: {:#?}", server.changes());
}

/// When answers changed.
struct Changed {
    first: Instant,
    last: Instant,
    steps: usize,
}

/// Waits until so many are left in the answers for all.
fn watch(server: &Server, left: usize) -> Changed {
    let start = Instant::now();
    let mut before = answer(server, "all");
    let mut times = Vec::new();
    while before.len() > left {
        let now = answer(server, "all");
        if now != before {
            times.push(Instant::now());
            before = now;
        }
        assert!(start.elapsed() < PATIENCE, "{} are left after {PATIENCE:?}", before.len());
        thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(before.len(), left);
    Changed { first: times[0], last: times[times.len() - 1], steps: times.len() }
}

/// Where connections are lost, and the seed of which.
const LOSSY: Ipv4Addr = Ipv4Addr::new(127, 15, 2, 2);
const FLAPPING: Ipv4Addr = Ipv4Addr::new(127, 15, 2, 3);
const SEED: u64 = 0x2026_1121;

/// R16: what loses 30 % of all connections, and what is there for a second and gone for the next, even where one failure is enough, and
/// nobody doubts it. The same without damping shows that it would be seen.
#[test]
fn an_endpoint_that_flaps_changes_twice_at_most() {
    let steady = Responder::start(Ipv4Addr::new(127, 15, 2, 1), 0).unwrap();
    let random = Random::from_seed("30 % loss", SEED);
    let lossy = Relay::start(LOSSY, steady.address(), Loss::Percent(30, random));
    let flapping = Relay::start(FLAPPING, steady.address(), Loss::Turns(Duration::from_secs(1)));
    let length = seconds("MERIDIAN_LOSS_SECONDS", 30);
    let check = "http = \"/\"\nevery = \"1s\"\ntimeout = \"1s\"\ndown_after = 1";
    let server = |damping: &str| {
        let pools = [vec![LOSSY.into()], vec![FLAPPING.into()], vec![steady.address().ip()]];
        let zone = zone(&format!("{check}\n{damping}"), steady.address().port(), &pools);
        serve(&zone, "[health]\nguard = false\n")
    };
    let ((damped, _settings), (plain, _others)) = (server(""), server("damping = false"));
    thread::sleep(length);
    let of = |server: &Server, address: Ipv4Addr| {
        let is_its = |change: &&String| change.contains(&format!("//{address}:"));
        server.changes().iter().filter(is_its).count()
    };
    for (what, relay, address) in
        [("30 % loss", &lossy, LOSSY), ("1 s on, 1 s off", &flapping, FLAPPING)]
    {
        let (passed, lost) = relay.counts();
        let (damped, plain) = (of(&damped, address), of(&plain, address));
        println!(
            "{what}: {passed} passed, {lost} lost in {length:?}; {damped} changes, {plain} without damping"
        );
        assert!(damped <= 2, "{what}: {damped} changes");
        assert!(plain > 4, "{what}: nothing flapped, {plain} changes without damping");
    }
    assert_eq!((of(&damped, Ipv4Addr::new(127, 15, 2, 1)), results(&damped, "nothing")), (0, 0.0));
}

/// R25: the server stands still for some seconds, and for about as long as a timeout, in the middle of handshakes. One failure would be
/// enough to be down, and nobody doubts it.
#[test]
fn a_server_that_was_stopped_holds_nothing_against_anybody() {
    let (authority, port) = (Authority::create(), process::free_port());
    let addresses: Vec<Ipv4Addr> = (1..21).map(|last| Ipv4Addr::new(127, 15, 3, last)).collect();
    let start = |address: &Ipv4Addr| {
        let endpoint = Breakable::start_tls(*address, port, &authority, "isolation.example");
        // At any moment some of them owe an answer.
        endpoint.set_delay(Duration::from_millis(400));
        endpoint
    };
    let endpoints: Vec<Breakable> = addresses.iter().map(start).collect();
    let check = "https = \"/\"\nevery = \"2s\"\ntimeout = \"2s\"\ndown_after = 1\ndamping = false";
    let addresses = addresses.into_iter().map(IpAddr::from).collect();
    let zone = zone(check, port, &[addresses]);
    let (server, _settings) = serve(&zone, "[health]\nguard = false\n");
    let longest = seconds("MERIDIAN_FREEZE_SECONDS", 5);
    for length in [longest, Duration::from_millis(2500), Duration::from_millis(1800)] {
        // One round and a half: the first is not spread over the interval yet.
        let before = results(&server, "success");
        wait_until("probes are spread", PATIENCE, || results(&server, "success") >= before + 30.0);
        let owing = || endpoints.iter().map(Breakable::open).sum::<usize>();
        wait_until("some probes are under way", PATIENCE, || owing() >= 3);
        let owing = owing();
        let latency = stop_for(&server, length);
        println!(
            "stopped for {length:?} with {owing} probes under way: answered {latency:?} after it; {} probes learnt nothing so far",
            results(&server, "nothing")
        );
        assert!(latency < Duration::from_secs(1), "answered {latency:?} after it went on");
    }
    let before = results(&server, "success");
    wait_until("all are seen again", PATIENCE, || results(&server, "success") >= before + 40.0);
    assert_eq!(server.changes(), Vec::<String>::new());
    assert_eq!((results(&server, "failure"), healthy(&server)), (0.0, 20.0));
}

/// Stops the server, lets it go on, and gives the time from there to the first answer.
fn stop_for(server: &Server, length: Duration) -> Duration {
    server.signal("STOP");
    thread::sleep(length);
    server.signal("CONT");
    let resumed = Instant::now();
    assert_eq!(answer(server, "p0").len(), 8);
    resumed.elapsed()
}

/// R26: the server gets a tenth of a processor, while more is asked of it than that is enough for.
#[test]
fn a_starved_server_holds_nothing_against_anybody() {
    let addresses: [IpAddr; 100] = std::array::from_fn(|n| [127, 15, 4, n as u8 + 1].into());
    let responders = Responder::start_all(addresses);
    responders.iter().for_each(|one| one.set_delay(Duration::from_millis(20)));
    let check = "http = \"/\"\nevery = \"1s\"\ntimeout = \"400ms\"\ndown_after = 2";
    let zone = zone(check, responders[0].address().port(), &[addresses.to_vec()]);
    let (server, _settings) = serve(&zone, "[health]\nguard = false\n");
    wait_until("all are seen", PATIENCE, || results(&server, "success") >= 100.0);
    let Some(starved) = Starved::to_a_tenth(server.process_id()) else {
        println!("left out: nobody can be starved here");
        return;
    };
    let before = ["success", "nothing", "failure"].map(|result| results(&server, result));
    let mut latencies: Vec<Duration> = thread::scope(|scope| {
        let askers = [(); 4].map(|()| scope.spawn(|| ask_for(&server, Duration::from_secs(12))));
        askers.into_iter().flat_map(|one| one.join().expect("an answer is missing")).collect()
    });
    latencies.sort();
    let after = ["success", "nothing", "failure"].map(|result| results(&server, result));
    println!(
        "starved by {}: probes {:?} (good, learnt nothing, failed); {} queries, median {:?}, slowest {:?}",
        starved.describe(),
        [0, 1, 2].map(|at| after[at] - before[at]),
        latencies.len(),
        latencies[latencies.len() / 2],
        latencies[latencies.len() - 1],
    );
    drop(starved);
    assert_eq!((server.changes(), healthy(&server)), (Vec::new(), 100.0));
    let [good, _, failed] = [0, 1, 2].map(|at| after[at] - before[at]);
    assert!(failed <= good / 100.0, "{failed} failures of endpoints that were well");
}

/// Asks one query after the other, and gives the time that each took.
fn ask_for(server: &Server, length: Duration) -> Vec<Duration> {
    let (start, mut latencies) = (Instant::now(), Vec::new());
    while start.elapsed() < length {
        let asked = Instant::now();
        assert_eq!(answer(server, "p0").len(), 8);
        latencies.push(asked.elapsed());
    }
    latencies
}
