//! One world: what is served, what is probed, and what happens to it, in order of an invented clock.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use meridian::config::{Source, compile_zone};
use meridian::geo::Database;
use meridian::health::{Action, Override, apply_overrides};
use meridian::health::{
    Breaker, CheckSpec, Damping, FailureReason, Fleet, FleetSettings, GuardSettings, Happening,
    MemberId, Moment, NewMember, NothingReason, Observation, Plan, ProbeAddress, ProbeTarget,
    Recovery, Status, Threshold, View,
};
use meridian::snapshot::{Generation, GeoSources, Identity, Ingredients, Snapshot};
use mmdb_writer::{Ipv4Aliasing, Value, Writer};

use crate::endpoint::{Condition, Endpoint, Fate};
use crate::random::Random;

/// How long things go wrong, in milliseconds; and in a world whose guard holds for longer than ten minutes.
const TROUBLE_MS: u64 = 600_000;
const LONG_TROUBLE_MS: u64 = 1_500_000;

/// Such a guard's patience, in seconds.
const LONG_HOLD_S: u64 = 720;

/// How often the guard may hold for one thing that happened: once for it, and once for probes that were under way.
const HOLDS_IN_A_ROW: u32 = 2;

/// How often the fleet ticks.
const TICK_MS: u64 = 250;

/// How often everything is asked though nothing changed.
const QUESTIONS_MS: u64 = 10_000;

/// The clock begins somewhere.
pub const BEGINNING: u64 = 5_000_000;

/// What happens next.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A member's wait is over, if this is still the wait it is in.
    Probe {
        place: usize,
        wait: u64,
    },
    /// A probe ends.
    Result {
        place: usize,
        started: u64,
        fate: Seen,
    },
    Fault {
        endpoint: usize,
    },
    /// A sentinel changes, which is somebody else's business.
    SentinelFault {
        sentinel: usize,
    },
    Outage,
    OutageEnds,
    Operator,
    /// The process ends, and another begins with what the first remembered.
    Restart,
    Tick,
    Questions,
    Heal,
    End,
}

/// What a probe sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    Success { latency_ms: u64 },
    Refused,
    Timeout,
    NoRoute,
}

/// How our own network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    Fine,
    /// Packets leave and nothing comes back.
    Silent,
    /// Our kernel knows no way.
    NoRoute,
}

/// What happened in a run, or in all of them.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub probes: u64,
    pub changes: u64,
    pub answers: u64,
    pub holds: u64,
    pub outages: u64,
    pub overrides: u64,
    pub restarts: u64,
    /// Outages of ten minutes or more, and in worlds with sentinels.
    pub long_outages: u64,
    pub watched_outages: u64,
}

impl Summary {
    pub fn add(&mut self, other: &Self) {
        self.probes += other.probes;
        self.changes += other.changes;
        self.answers += other.answers;
        self.holds += other.holds;
        self.outages += other.outages;
        self.overrides += other.overrides;
        self.restarts += other.restarts;
        self.long_outages += other.long_outages;
        self.watched_outages += other.watched_outages;
    }
}

pub struct World {
    pub seed: u64,
    is_verbose: bool,
    pub random: Random,
    pub now: u64,
    pub snapshot: Snapshot,
    pub view: Arc<View>,
    pub fleet: Fleet,
    plan: Plan,
    pub check: CheckSpec,
    pub guard: Option<GuardSettings>,
    /// In order of target.
    pub endpoints: Vec<Endpoint>,
    /// The pool of each.
    pub pool_of: Vec<usize>,
    /// Pools that clients in Europe may be sent to.
    pub compliant: Vec<bool>,
    pub fails_closed: bool,
    pub network: Network,
    /// When our own network was last anything but fine, and what was believed when it broke.
    pub outage: Option<u64>,
    pub outage_ended: u64,
    /// When the guard last turned.
    pub released_at: u64,
    /// How often it has held since the last thing happened that it could hold for.
    holds_in_a_row: u32,
    /// What is only asked to learn about our own network; none in most worlds.
    pub sentinels: Vec<Endpoint>,
    sentinel_targets: Vec<ProbeTarget>,
    /// Draws of theirs: the worlds without are what they were before there were any.
    sentinel_random: Random,
    /// Endpoints that were alive and up when the outage began, if the guard must hold them.
    pub protected: Vec<usize>,
    pub is_healing: bool,
    pub setting: Option<Setting>,
    queue: BinaryHeap<Reverse<(u64, u64, Event)>>,
    queued: u64,
    members: Vec<Option<Watching>>,
    places: HashMap<MemberId, usize>,
    pub summary: Summary,
    pub history: Vec<String>,
}

/// What a member watches.
#[derive(Clone, Copy, Debug)]
enum Watched {
    Endpoint(usize),
    Sentinel(usize),
}

/// The task of one member.
struct Watching {
    id: MemberId,
    watched: Watched,
    /// The wait that counts; nothing while a probe is under way.
    wait: Option<u64>,
    waits: u64,
    is_wanted: bool,
    is_first: bool,
}

impl World {
    pub fn new(seed: u64, is_verbose: bool) -> Self {
        let mut random = Random::new(seed);
        let (text, pool_of, compliant, fails_closed) = write_zone(&mut random);
        let snapshot = compile(&text);
        let check = draw_check(&mut random);
        let guard = random.percent(85).then(|| {
            let short = random.between(60, 300);
            let hold = if random.percent(10) { LONG_HOLD_S } else { short };
            GuardSettings { hold: Duration::from_secs(hold), ..GuardSettings::default() }
        });
        let targets = snapshot.targets.iter().map(|target| {
            let mut target = target.clone();
            target.check =
                Arc::new(CheckSpec { protocol: target.check.protocol.clone(), ..check.clone() });
            target
        });
        let targets: Vec<_> = targets.collect();
        let pools = pool_of.iter().map(|pool| [Arc::from(format!("example.com/p{pool}"))].into());
        let plan = Plan { pools: pools.collect(), targets: targets.into() };
        let view = Arc::new(snapshot.new_view());
        let mut sentinel_random = Random::new(!seed);
        let sentinel_targets = draw_sentinels(&mut sentinel_random, guard, &check);
        let sentinels = sentinel_targets.clone();
        let mut fleet = Fleet::new(FleetSettings { guard, sentinels });
        let adopted = fleet.adopt(&plan, Arc::clone(&view), &[], Moment(BEGINNING));
        let endpoints = plan.targets.iter().map(|_| Endpoint::new(&mut random)).collect();
        let sentinels = sentinel_targets.iter().map(|_| Endpoint::new(&mut sentinel_random));
        let mut world = Self {
            seed,
            sentinels: sentinels.collect(),
            sentinel_targets,
            sentinel_random: sentinel_random.clone(),
            is_verbose,
            random,
            now: BEGINNING,
            snapshot,
            view,
            fleet,
            plan,
            check,
            guard,
            endpoints,
            pool_of,
            compliant,
            fails_closed,
            network: Network::Fine,
            outage: None,
            outage_ended: 0,
            released_at: 0,
            holds_in_a_row: 0,
            protected: Vec::new(),
            is_healing: false,
            setting: None,
            queue: BinaryHeap::new(),
            queued: 0,
            members: Vec::new(),
            places: HashMap::new(),
            summary: Summary::default(),
            history: Vec::new(),
        };
        world.watch(adopted.started);
        world.populate();
        world
    }

    /// Probes new members, those of which something is remembered at their place in the interval.
    fn watch(&mut self, started: Vec<NewMember>) {
        for member in started {
            let is_it = |target: &ProbeTarget| *target == member.target;
            let endpoint = self.plan.targets.iter().position(is_it).map(Watched::Endpoint);
            let sentinel = || self.sentinel_targets.iter().position(is_it).map(Watched::Sentinel);
            let place = self.members.len();
            let every = millis(self.check.every);
            let first = if member.is_resumed { self.random.below(every) } else { 0 };
            self.places.insert(member.id, place);
            self.members.push(Some(Watching {
                id: member.id,
                watched: endpoint.or_else(sentinel).expect("a target that was given"),
                wait: Some(0),
                waits: 0,
                is_wanted: false,
                is_first: !member.is_resumed,
            }));
            self.at(self.now + first, Event::Probe { place, wait: 0 });
        }
    }

    /// How long things go wrong.
    fn trouble_ms(&self) -> u64 {
        let is_long = self.guard.is_some_and(|guard| guard.hold.as_secs() == LONG_HOLD_S);
        if is_long { LONG_TROUBLE_MS } else { TROUBLE_MS }
    }

    fn populate(&mut self) {
        for endpoint in 0..self.endpoints.len() {
            let first = self.random.between(1_000, 120_000);
            self.at(self.now + first, Event::Fault { endpoint });
        }
        for sentinel in 0..self.sentinels.len() {
            let first = self.sentinel_random.between(30_000, TROUBLE_MS);
            self.at(self.now + first, Event::SentinelFault { sentinel });
        }
        let outage = self.now + self.random.between(30_000, TROUBLE_MS);
        let operator = self.now + self.random.between(10_000, TROUBLE_MS);
        let restart = self.now + self.random.between(10_000, 2 * TROUBLE_MS);
        for (time, event) in [
            (self.now + TICK_MS, Event::Tick),
            (self.now + QUESTIONS_MS, Event::Questions),
            (outage, Event::Outage),
            (operator, Event::Operator),
            (restart, Event::Restart),
            (self.now + self.trouble_ms(), Event::Heal),
        ] {
            self.at(time, event);
        }
    }

    fn at(&mut self, time: u64, event: Event) {
        self.queued += 1;
        self.queue.push(Reverse((time, self.queued, event)));
    }

    /// Runs the world to its end.
    pub fn run(mut self) -> Summary {
        while let Some(Reverse((time, _, event))) = self.queue.pop() {
            self.now = time;
            if event == Event::End {
                self.judge_recovery();
                break;
            }
            self.happen(event);
        }
        self.summary
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Probe { place, wait } => self.start_probe(place, wait),
            Event::Result { place, started, fate } => self.end_probe(place, started, fate),
            Event::Fault { endpoint } => self.change_endpoint(endpoint),
            Event::SentinelFault { sentinel } => self.change_sentinel(sentinel),
            Event::Outage => self.begin_outage(),
            Event::OutageEnds => self.end_outage(),
            Event::Operator => self.operate(),
            Event::Restart => self.restart(),
            Event::Tick => {
                self.fleet.tick(Moment(self.now));
                self.hear();
                self.at(self.now + TICK_MS, Event::Tick);
            }
            Event::Questions => {
                self.judge();
                self.at(self.now + QUESTIONS_MS, Event::Questions);
            }
            Event::Heal => self.heal(),
            Event::End => {}
        }
    }

    fn start_probe(&mut self, place: usize, wait: u64) {
        let Some(watching) = self.members[place].as_mut().filter(|one| one.wait == Some(wait))
        else {
            return;
        };
        (watching.wait, watching.is_wanted) = (None, false);
        let timeout = millis(self.check.timeout);
        let (endpoint, random) = match watching.watched {
            Watched::Endpoint(number) => (&self.endpoints[number], &mut self.random),
            Watched::Sentinel(number) => (&self.sentinels[number], &mut self.sentinel_random),
        };
        let (after, fate) = match self.network {
            Network::Silent => (timeout, Seen::Timeout),
            Network::NoRoute => (0, Seen::NoRoute),
            Network::Fine => match endpoint.fate(random, self.now) {
                Fate::Answer { after_ms } if after_ms <= timeout => {
                    (after_ms, Seen::Success { latency_ms: after_ms })
                }
                Fate::Refusal { after_ms } => (after_ms, Seen::Refused),
                Fate::Answer { .. } | Fate::Silence => (timeout, Seen::Timeout),
            },
        };
        self.summary.probes += 1;
        let started = self.now;
        self.at(self.now + after, Event::Result { place, started, fate });
    }

    fn end_probe(&mut self, place: usize, started: u64, fate: Seen) {
        let observation = match fate {
            Seen::Success { latency_ms } => {
                Observation::Success { latency: Duration::from_millis(latency_ms) }
            }
            Seen::Refused => Observation::Failure(FailureReason::Refused),
            Seen::Timeout => Observation::Failure(FailureReason::Timeout),
            Seen::NoRoute => Observation::Nothing(NothingReason::NoRoute),
        };
        let Some(watching) = self.members[place].as_ref() else { return };
        let (id, now) = (watching.id, Moment(self.now));
        let wait = self.fleet.observe(id, &observation, Moment(started), now);
        let mut wait = millis(wait.expect("a member that lives"));
        let every = millis(self.check.every);
        let random = match watching.watched {
            Watched::Endpoint(_) => &mut self.random,
            Watched::Sentinel(_) => &mut self.sentinel_random,
        };
        let offset = random.below(every);
        let watching = self.members[place].as_mut().expect("a member that lives");
        if std::mem::take(&mut watching.is_first) && wait <= every {
            wait = offset;
        }
        if watching.is_wanted {
            wait = 0;
        }
        watching.waits += 1;
        watching.wait = Some(watching.waits);
        let event = Event::Probe { place, wait: watching.waits };
        self.at(self.now + wait, event);
        self.summon();
        self.hear();
    }

    /// Wakes those whose word is wanted.
    fn summon(&mut self) {
        for id in self.fleet.take_summoned() {
            let place = self.places[&id];
            let Some(watching) = self.members[place].as_mut() else { continue };
            match watching.wait {
                None => watching.is_wanted = true,
                Some(_) => {
                    watching.waits += 1;
                    watching.wait = Some(watching.waits);
                    let event = Event::Probe { place, wait: watching.waits };
                    self.at(self.now, event);
                }
            }
        }
    }

    /// Takes the fleet's news, and judges if any of them can have changed an answer.
    fn hear(&mut self) {
        let news = self.fleet.take_news();
        let is_changed = !news.is_empty();
        for happening in news {
            if let Happening::GuardHeld { .. } = happening {
                self.count_hold();
            }
            if matches!(happening, Happening::GuardHeld { .. } | Happening::GuardReleased { .. }) {
                self.released_at = self.now;
            }
            self.summary.changes += u64::from(matches!(happening, Happening::Endpoint { .. }));
            self.note(|| format!("{happening:?}"));
        }
        if is_changed {
            self.judge();
        }
    }

    /// Each excuses what is believed for some time: it must not hold for the same reason again and again.
    fn count_hold(&mut self) {
        self.summary.holds += 1;
        self.holds_in_a_row += 1;
        let is_steady = |one: &Endpoint| {
            matches!(one.condition, Condition::Alive | Condition::Dead | Condition::Hanging)
        };
        let all = self.endpoints.iter().chain(&self.sentinels);
        if self.holds_in_a_row > HOLDS_IN_A_ROW && all.clone().all(is_steady) {
            self.fail("the guard holds again and again though nothing happens");
        }
    }

    fn change_endpoint(&mut self, endpoint: usize) {
        if self.is_healing {
            return;
        }
        let now = self.now;
        self.endpoints[endpoint].change(&mut self.random, now);
        self.holds_in_a_row = 0;
        let condition = self.endpoints[endpoint].condition;
        self.note(|| format!("endpoint {endpoint} is {condition:?}"));
        if condition != Condition::Alive {
            self.protected.retain(|one| *one != endpoint);
        }
        let next = self.random.between(5_000, 240_000);
        self.at(now + next, Event::Fault { endpoint });
    }

    /// Mostly they answer; seldom all of them fail at once.
    fn change_sentinel(&mut self, sentinel: usize) {
        if self.is_healing {
            return;
        }
        let now = self.now;
        self.sentinels[sentinel].change(&mut self.sentinel_random, now);
        self.holds_in_a_row = 0;
        let condition = self.sentinels[sentinel].condition;
        self.note(|| format!("sentinel {sentinel} is {condition:?}"));
        let next = self.sentinel_random.between(5_000, 240_000);
        self.at(now + next, Event::SentinelFault { sentinel });
    }

    fn begin_outage(&mut self) {
        if self.is_healing {
            return;
        }
        self.network = if self.random.percent(70) { Network::Silent } else { Network::NoRoute };
        self.summary.outages += 1;
        self.holds_in_a_row = 0;
        self.summary.watched_outages += u64::from(!self.sentinels.is_empty());
        self.outage = Some(self.now);
        self.protected = self.find_protected();
        let (network, protected) = (self.network, self.protected.clone());
        self.note(|| format!("our network is {network:?}, protected are {protected:?}"));
        let longest = self.guard.map_or(60_000, |guard| millis(guard.hold) * 9 / 10);
        let shortest = if longest > TROUBLE_MS { TROUBLE_MS } else { 1_000 };
        let length = self.random.between(shortest, longest);
        self.summary.long_outages += u64::from(length >= TROUBLE_MS);
        self.at(self.now + length, Event::OutageEnds);
    }

    fn end_outage(&mut self) {
        self.network = Network::Fine;
        self.outage = None;
        self.outage_ended = self.now;
        self.holds_in_a_row = 0;
        self.note(|| "our network is fine again".to_owned());
        let next = self.random.between(60_000, 400_000);
        self.at(self.now + next, Event::Outage);
    }

    /// As the server does it with a state directory: what is seen next has to begin anew, what is believed has not.
    fn restart(&mut self) {
        if self.is_healing {
            return;
        }
        let now = Moment(self.now);
        let memories = self.fleet.memories(now);
        let sentinels = self.sentinel_targets.clone();
        self.fleet = Fleet::new(FleetSettings { guard: self.guard, sentinels });
        self.view = Arc::new(self.snapshot.new_view());
        let adopted = self.fleet.adopt(&self.plan, Arc::clone(&self.view), &memories, now);
        self.set_switches();
        self.members.iter_mut().for_each(|member| *member = None);
        self.places.clear();
        self.watch(adopted.started);
        self.released_at = self.now;
        self.holds_in_a_row = 0;
        self.summary.restarts += 1;
        self.note(|| "another process has begun".to_owned());
        self.judge();
        let next = self.random.between(60_000, 600_000);
        self.at(self.now + next, Event::Restart);
    }

    /// All is well from now on; what is believed must follow.
    fn heal(&mut self) {
        self.is_healing = true;
        let now = self.now;
        self.endpoints.iter_mut().for_each(|endpoint| endpoint.heal(now));
        self.sentinels.iter_mut().for_each(|sentinel| sentinel.heal(now));
        if self.network != Network::Fine {
            self.network = Network::Fine;
            self.outage = None;
            self.outage_ended = now;
        }
        self.stop_operating();
        self.note(|| "all is well from now on".to_owned());
        let time = now + 2 * self.recovery_ms();
        self.at(time, Event::End);
    }

    pub fn note(&mut self, text: impl FnOnce() -> String) {
        if self.is_verbose || self.history.len() < 4_000 {
            let line = format!("{:>9} ms: {}", self.now - BEGINNING, text());
            if self.is_verbose {
                println!("{line}");
            }
            self.history.push(line);
        }
    }

    pub fn status(&self, endpoint: usize) -> Status {
        self.view.status(meridian::health::TargetId(endpoint as u32))
    }
}

pub fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).expect("no time of these tests is that long")
}

/// A zone of some pools with names of each kind, the pool of every endpoint, and what Europeans may get.
fn write_zone(random: &mut Random) -> (String, Vec<usize>, Vec<bool>, bool) {
    // One world in fifty is a large one.
    let (pools, most) = if random.percent(2) { (40, 50) } else { (random.between(1, 5), 4) };
    let pools = pools as usize;
    let mut text = "zone = \"example.com\"\nttl = \"60s\"\n[check.web]\ntcp = 443\n".to_owned();
    let mut pool_of = Vec::new();
    for pool in 0..pools {
        let endpoints = random.between(1, most);
        let addresses: Vec<String> =
            (0..endpoints).map(|number| format!("198.18.{pool}.{number}")).collect();
        text += &format!("[pool.p{pool}]\naddresses = {addresses:?}\ncheck = \"web\"\n");
        pool_of.extend((0..endpoints).map(|_| pool));
    }
    let names: Vec<String> = (0..pools).map(|pool| format!("p{pool}")).collect();
    let weights: Vec<String> =
        names.iter().map(|name| format!("{name} = {}", random.below(4))).collect();
    let (abroad, at_home) = (random.below(pools as u64), random.below(pools as u64));
    text += &format!(
        "[policy.failover]\ntype = \"failover\"\ntargets = {names:?}\n\
         [policy.weighted]\ntype = \"weighted\"\nweights = {{ {} }}\n\
         [policy.geo]\ntype = \"geolocation\"\ncontinent.EU = [\"p{abroad}\", \"failover\"]\n\
         default = [\"p{at_home}\", \"weighted\", \"failover\"]\n",
        weights.join(", ")
    );
    let mut compliant: Vec<bool> = (0..pools).map(|_| random.percent(50)).collect();
    compliant[random.below(pools as u64) as usize] = true;
    let fails_closed = random.percent(50);
    let allowed: Vec<&String> = names
        .iter()
        .zip(&compliant)
        .filter(|(_, is_compliant)| **is_compliant)
        .map(|(name, _)| name)
        .collect();
    let fail = if fails_closed { "closed" } else { "open" };
    text += &format!(
        "[residency.eu]\nclients = [\"group.EU\"]\npools = {allowed:?}\nfail = \"{fail}\"\n\
         [names]\n\"@\" = {{ SOA = \"ns1 hostmaster\", NS = \"ns1\" }}\nns1 = {{ A = \"192.0.2.53\" }}\n\
         failover = {{ policy = \"failover\" }}\nweighted = {{ policy = \"weighted\" }}\ngeo = {{ policy = \"geo\" }}\n"
    );
    (text, pool_of, compliant, fails_closed)
}

fn compile(text: &str) -> Snapshot {
    let source = Source::new("example.com.toml", text, 1_700_000_000);
    let (zone, _) = compile_zone(&source)
        .unwrap_or_else(|rejected| panic!("{text}\n{:#?}", rejected.diagnostics));
    let mut writer = Writer::builder("Test").ipv4_aliasing(Ipv4Aliasing::Disabled).build();
    for (network, country) in [("20.0.0.0/16", "DE"), ("20.1.0.0/16", "US")] {
        let record = Value::map([("country_code", Value::from(country))]);
        writer.insert_value(network.parse::<ipnet::IpNet>().unwrap(), record).unwrap();
    }
    let database = Database::read(&writer.to_bytes().unwrap()).unwrap();
    let snapshot = Snapshot::compile(Ingredients {
        zones: vec![zone],
        refused: &[],
        geo: &GeoSources::of(Arc::new(database)),
        seed: 1,
        generation: Generation(1),
        identity: Identity::default(),
        previous: None,
    });
    snapshot.unwrap()
}

fn draw_check(random: &mut Random) -> CheckSpec {
    let seconds = Duration::from_secs;
    let every = seconds(random.between(1, 15));
    let retry =
        if random.percent(50) { every } else { seconds(random.between(1, every.as_secs())) };
    // Those who are asked whether it is us must have had the time to be silent.
    let timeout = Duration::from_millis(random.between(200, 2 * millis(retry) - 100)).min(every);
    let down_after = random.between(1, 5);
    let patience = Duration::from_secs(4);
    let timeout = if down_after < 3 { timeout.min(patience) } else { timeout };
    let threshold = |count: u64| Threshold::try_from(count as u8).unwrap();
    let recovery = match random.below(10) {
        0..=1 => Recovery::Damped(Damping::NONE),
        2..=5 => {
            let hold = seconds(random.between(1, 30));
            Recovery::Damped(Damping { hold, longest: hold * 4 })
        }
        6..=8 => {
            let reset = seconds(random.between(1, 30));
            Recovery::Breaker(Breaker { reset, longest: reset * 4 })
        }
        _ => Recovery::Manual,
    };
    CheckSpec {
        every,
        retry,
        timeout,
        down_after: threshold(down_after),
        up_after: threshold(random.between(1, 4)),
        recovery,
        ..CheckSpec::new(meridian::health::Protocol::Tcp(Default::default()), 443)
    }
}

/// Sentinels, in one of four worlds whose prober may doubt: probed as the endpoints are.
fn draw_sentinels(
    random: &mut Random,
    guard: Option<GuardSettings>,
    check: &CheckSpec,
) -> Vec<ProbeTarget> {
    let count = if guard.is_some() && random.percent(25) { random.between(2, 4) as u8 } else { 0 };
    let check = Arc::new(check.clone());
    let address = |number| ProbeAddress::Ip([203, 0, 113, number].into());
    (0..count)
        .map(|number| ProbeTarget { address: address(number), check: Arc::clone(&check) })
        .collect()
}

/// What the operator has set: for a pool, or for one endpoint.
#[derive(Clone, Debug)]
pub struct Setting {
    pub pool: usize,
    pub endpoint: Option<usize>,
    pub action: Action,
}

impl World {
    /// The operator sets something else, or takes back what was set.
    fn operate(&mut self) {
        if self.is_healing {
            return;
        }
        let setting = self.setting.is_none() || self.random.percent(40);
        self.setting = setting.then(|| {
            let endpoint = self.random.below(self.endpoints.len() as u64) as usize;
            let action = match self.random.below(3) {
                0 => Action::Up,
                1 => Action::Down,
                _ => Action::Drain { per_minute: self.random.between(50, 5_000) as u16 },
            };
            let is_for_one = self.random.percent(50);
            Setting {
                pool: self.pool_of[endpoint],
                endpoint: is_for_one.then_some(endpoint),
                action,
            }
        });
        self.summary.overrides += u64::from(self.setting.is_some());
        let setting = self.setting.clone();
        self.note(|| format!("the operator sets {setting:?}"));
        self.set_switches();
        self.judge();
        let next = self.random.between(5_000, 120_000);
        self.at(self.now + next, Event::Operator);
    }

    fn stop_operating(&mut self) {
        self.setting = None;
        self.set_switches();
    }

    /// As the server does it.
    fn set_switches(&self) {
        let overrides = self.setting.iter().map(|setting| {
            let part = setting
                .endpoint
                .map(|endpoint| format!("/{}", self.snapshot.targets[endpoint].address));
            Override {
                id: 1,
                zone: "*".to_owned(),
                pattern: format!("p{}{}", setting.pool, part.unwrap_or_default()),
                action: setting.action,
                reason: "drill".to_owned(),
                author: "sim".to_owned(),
                set_ms: self.now,
                ends_ms: None,
            }
        });
        let overrides: Vec<Override> = overrides.collect();
        let names = self.snapshot.switch_names();
        let touched = apply_overrides(&overrides, names, &self.view, self.now, self.now);
        assert!(touched.iter().all(|count| *count == 1), "{overrides:?} {touched:?}");
    }
}
