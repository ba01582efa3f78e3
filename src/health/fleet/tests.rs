//! The fleet by itself: guard, reports, what is calculated, and changes of generation.

use super::*;
use crate::health::{
    CalculatedCheck, CheckSpec, Child, Damping, ExternalCheck, NothingReason, Plan, ProbeAddress,
    Quorum, Recovery, TcpCheck, Threshold,
};

const SECOND: Duration = Duration::from_secs(1);

/// A fleet with its view, and what was adopted, by place in the plan.
struct World {
    fleet: Fleet,
    view: Arc<View>,
    plan: Plan,
    ids: HashMap<ProbeTarget, MemberId>,
    now: Moment,
}

fn spec() -> CheckSpec {
    let three = Threshold::try_from(3).unwrap();
    CheckSpec {
        every: SECOND,
        retry: SECOND,
        down_after: three,
        up_after: three,
        recovery: Recovery::Damped(Damping::NONE),
        ..CheckSpec::new(Protocol::Tcp(TcpCheck::default()), 80)
    }
}

fn target(check: &CheckSpec, number: u8) -> ProbeTarget {
    let address = ProbeAddress::Ip([192, 0, 2, number].into());
    ProbeTarget { check: Arc::new(check.clone()), address }
}

/// Targets in pools of two.
fn plan(targets: &[ProbeTarget]) -> Plan {
    let pool = |place: usize| -> Box<[Arc<str>]> { [format!("a/{}", place / 2).into()].into() };
    Plan { targets: targets.into(), pools: (0..targets.len()).map(pool).collect() }
}

impl World {
    fn new(targets: &[ProbeTarget], guard: Option<GuardSettings>) -> Self {
        let fleet = Fleet::new(FleetSettings { guard, sentinels: Vec::new() });
        let mut world = Self {
            fleet,
            view: Arc::new(View::new(0)),
            plan: Plan::default(),
            ids: HashMap::new(),
            now: Moment(1_000_000),
        };
        world.adopt(plan(targets), &[]);
        world
    }

    fn adopt(&mut self, plan: Plan, memories: &[Memory]) {
        self.view = Arc::new(View::new(plan.targets.len()));
        let adopted = self.fleet.adopt(&plan, Arc::clone(&self.view), memories, self.now);
        for member in adopted.started {
            self.ids.insert(member.target, member.id);
        }
        self.plan = plan;
    }

    fn observe(&mut self, place: usize, is_good: bool) {
        let observation = if is_good {
            Observation::Success { latency: Duration::from_millis(5) }
        } else {
            Observation::Failure(FailureReason::Refused)
        };
        self.see(place, &observation);
    }

    fn see(&mut self, place: usize, observation: &Observation) {
        let id = self.ids[&self.plan.targets[place]];
        self.fleet.observe(id, observation, self.now, self.now).unwrap();
    }

    /// One round: all that are probed answer or do not, a second later.
    fn round(&mut self, is_good: impl Fn(usize) -> bool) {
        for place in 0..self.plan.targets.len() {
            if self.plan.targets[place].check.is_probed() {
                self.observe(place, is_good(place));
            }
        }
        self.now = self.now.after(SECOND);
        self.fleet.tick(self.now);
    }

    fn statuses(&self) -> String {
        let letter = |status| match status {
            Status::Unknown => '_',
            Status::Up => 'U',
            Status::Down => 'D',
        };
        self.view.iter().map(|(_, status)| letter(status)).collect()
    }

    /// The kinds of what happened since the last time.
    fn news(&mut self) -> Vec<String> {
        let news = self.fleet.take_news().into_iter();
        news.map(|happening| match happening {
            Happening::Endpoint { from, to, .. } => format!("{from}-{to}"),
            Happening::GuardHeld { failing, observed, .. } => format!("held {failing}/{observed}"),
            Happening::GuardReleased { reason } => format!("released: {reason}"),
            Happening::Blind { .. } => "blind".to_owned(),
            Happening::Sighted => "sighted".to_owned(),
            other => format!("{other:?}"),
        })
        .filter(|one| one != "unknown-up")
        .collect()
    }
}

fn ten() -> Vec<ProbeTarget> {
    (0..10).map(|number| target(&spec(), number)).collect()
}

#[test]
fn what_dies_alone_goes_down() {
    let mut world = World::new(&ten(), Some(GuardSettings::default()));
    world.round(|_| true);
    for _ in 0..3 {
        assert_eq!(world.statuses(), "UUUUUUUUUU");
        world.round(|place| place > 3);
    }
    assert_eq!(world.statuses(), "DDDDUUUUUU");
    assert_eq!(world.news(), ["up-down"; 4]);
}

/// R11: a prober that is cut off changes nothing for as long as the guard holds, and everything is as it was when it is back.
#[test]
fn a_prober_that_is_cut_off_changes_nothing() {
    let mut world = World::new(&ten(), Some(GuardSettings::default()));
    for _ in 0..4 {
        world.round(|place| place != 9);
    }
    assert_eq!(world.statuses(), "UUUUUUUUUD");
    world.news();
    for _ in 0..590 {
        world.round(|_| false);
        assert_eq!(world.statuses(), "UUUUUUUUUD");
    }
    assert_eq!(world.news(), ["held 9/9"], "an alarm, once");
    world.round(|place| place != 9);
    assert_eq!(world.news(), ["released: enough answers again"]);
    world.round(|place| place != 9);
    assert_eq!(world.statuses(), "UUUUUUUUUD");
}

/// R13: most really dies. It is held, then believed, in one change; what is alive goes on to be used.
#[test]
fn what_fails_for_longer_than_the_guard_holds_is_believed() {
    let settings = GuardSettings { hold: Duration::from_secs(60), ..GuardSettings::default() };
    let mut world = World::new(&ten(), Some(settings));
    world.round(|_| true);
    let mut changes = Vec::new();
    for second in 0..100 {
        let before = world.statuses();
        world.round(|place| place >= 6);
        if world.statuses() != before {
            changes.push((second, world.statuses()));
        }
    }
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert!((60..=64).contains(&changes[0].0) && changes[0].1 == "DDDDDDUUUU", "{changes:?}");
    for _ in 0..4 {
        world.round(|_| true);
    }
    assert_eq!(world.statuses(), "UUUUUUUUUU");
    assert_eq!(world.fleet.guard(), Guard::Trusting);
}

#[test]
fn an_operator_overrules_the_guard() {
    let mut world = World::new(&ten(), Some(GuardSettings::default()));
    world.round(|_| true);
    for _ in 0..5 {
        world.round(|place| place > 7);
    }
    assert_eq!(world.statuses(), "UUUUUUUUUU");
    assert!(world.fleet.known(world.now).iter().filter(|known| known.is_held).count() == 8);
    assert!(world.fleet.release_guard(world.now));
    assert_eq!(world.statuses(), "DDDDDDDDUU");
    assert!(!world.fleet.release_guard(world.now));
}

#[test]
fn sentinels_that_fail_too_mean_that_it_is_us() {
    let mut world = World::new(&ten(), Some(GuardSettings::default()));
    let sentinels = vec![target(&spec(), 200), target(&spec(), 201)];
    world.fleet = Fleet::new(FleetSettings {
        guard: Some(GuardSettings::default()),
        sentinels: sentinels.clone(),
    });
    world.adopt(plan(&ten()), &[]);
    let mut step = |is_good: &dyn Fn(usize) -> bool, answers: bool| {
        for sentinel in &sentinels {
            let observation = if answers {
                Observation::Success { latency: SECOND }
            } else {
                Observation::Failure(FailureReason::Timeout)
            };
            let id = world.ids[sentinel];
            world.fleet.observe(id, &observation, world.now, world.now);
        }
        world.round(is_good);
        world.statuses()
    };
    step(&|_| true, true);
    for _ in 0..3 {
        step(&|place| place > 8, true);
    }
    assert_eq!(step(&|place| place > 8, true), "DDDDDDDDDU", "nine of ten, but we are fine");
    for _ in 0..3 {
        step(&|_| true, true);
    }
    for _ in 0..4 {
        assert_eq!(
            step(&|place| place > 0, false),
            "UUUUUUUUUU",
            "one, but the sentinels fail too"
        );
    }
}

/// Nobody has been seen yet: those of other pools are asked, and heard, before the first one to fail goes down.
#[test]
fn after_a_restart_the_first_to_fail_waits_for_the_others() {
    let mut before = World::new(&ten(), Some(GuardSettings::default()));
    before.round(|_| true);
    let memories = before.fleet.memories(before.now);
    let mut world = World::new(&[], Some(GuardSettings::default()));
    world.adopt(plan(&ten()), &memories);
    assert_eq!(world.statuses(), "UUUUUUUUUU");
    for _ in 0..4 {
        world.observe(0, false);
        world.now = world.now.after(SECOND);
    }
    assert!(!world.fleet.take_summoned().is_empty());
    assert_eq!(world.statuses(), "UUUUUUUUUU");
    for _ in 0..5 {
        world.round(|_| false);
    }
    assert_eq!(world.statuses(), "UUUUUUUUUU", "it is us");
    assert_eq!(world.news(), ["held 10/10"]);
}

/// What failed during an outage of ours, or together with others that came back, has failed before it is judged again.
#[test]
fn what_died_while_the_guard_held_goes_down_soon_after() {
    let mut world = World::new(&ten(), Some(GuardSettings::default()));
    world.round(|_| true);
    for _ in 0..30 {
        world.round(|_| false);
    }
    assert_eq!(world.statuses(), "UUUUUUUUUU");
    for _ in 0..8 {
        world.round(|place| place > 0);
    }
    assert_eq!(world.statuses(), "DUUUUUUUUU");
    assert_eq!(world.news(), ["held 10/10", "released: enough answers again", "up-down"]);
}

#[test]
fn of_many_that_die_at_once_those_that_stay_dead_go_down() {
    let mut world = World::new(&ten(), Some(GuardSettings::default()));
    world.round(|_| true);
    for _ in 0..60 {
        world.round(|place| place > 5);
    }
    assert_eq!(world.statuses(), "UUUUUUUUUU", "six of ten");
    for _ in 0..8 {
        world.round(|place| place > 2);
    }
    assert_eq!(world.statuses(), "DDDUUUUUUU");
}

#[test]
fn one_lost_probe_of_the_last_witness_saves_nobody() {
    let three: Vec<ProbeTarget> = (0..3).map(|number| target(&spec(), number)).collect();
    let mut world = World::new(&[], Some(GuardSettings::default()));
    let pool = |place: usize| -> Box<[Arc<str>]> { [format!("a/{place}").into()].into() };
    world.adopt(Plan { targets: three.into(), pools: (0..3).map(pool).collect() }, &[]);
    world.round(|_| true);
    world.round(|place| place == 2);
    world.round(|_| false);
    for _ in 0..5 {
        world.round(|place| place == 2);
    }
    assert_eq!(world.statuses(), "DDU");
}

/// Somebody edits a check during an outage of ours: what nothing is known of yet is not taken down either.
#[test]
fn while_the_guard_holds_nothing_new_goes_down() {
    let mut world = World::new(&ten(), Some(GuardSettings::default()));
    world.round(|_| true);
    for _ in 0..4 {
        world.round(|_| false);
    }
    let other = CheckSpec { port: 81, ..spec() };
    let new: Vec<ProbeTarget> = (0..10).map(|number| target(&other, number)).collect();
    let both: Vec<ProbeTarget> = ten().into_iter().take(8).chain(new.into_iter().take(2)).collect();
    world.adopt(plan(&both), &[]);
    for _ in 0..4 {
        world.round(|_| false);
    }
    assert_eq!(world.statuses(), "UUUUUUUU__");
    for _ in 0..5 {
        world.round(|place| place < 9);
    }
    assert_eq!(world.statuses(), "UUUUUUUUUD");
}

#[test]
fn sentinels_that_are_silent_are_told_of_and_after_long_not_heeded() {
    let mut world = World::new(&ten(), Some(GuardSettings::default()));
    let sentinels = vec![target(&spec(), 200), target(&spec(), 201)];
    let guard = Some(GuardSettings::default());
    world.fleet = Fleet::new(FleetSettings { guard, sentinels: sentinels.clone() });
    world.adopt(plan(&ten()), &[]);
    let step = |world: &mut World, is_good: &dyn Fn(usize) -> bool| {
        for sentinel in &sentinels {
            let failure = Observation::Failure(FailureReason::Timeout);
            world.fleet.observe(world.ids[sentinel], &failure, world.now, world.now);
        }
        world.round(is_good);
    };
    for _ in 0..1_900 {
        step(&mut world, &|_| true);
    }
    assert_eq!(world.news(), ["SentinelsSilent { sentinels: 2 }"]);
    for _ in 0..4 {
        step(&mut world, &|place| place > 0);
    }
    assert_eq!(world.statuses(), "DUUUUUUUUU", "they are out of order themselves");
    world.fleet.observe(
        world.ids[&sentinels[0]],
        &Observation::Success { latency: SECOND },
        world.now,
        world.now,
    );
    world.fleet.tick(world.now);
    assert_eq!(world.news(), ["up-down", "SentinelsHeard"]);
}

/// What is told of an endpoint that is down ends when nobody asks it any more, or in another way.
#[test]
fn what_is_down_and_no_longer_probed_is_told_of() {
    let mut world = World::new(&ten()[..2], None);
    for _ in 0..3 {
        world.round(|place| place == 1);
    }
    assert_eq!(world.news(), ["unknown-down"]);
    let paced = CheckSpec { every: 2 * SECOND, ..spec() };
    world.adopt(plan(&[target(&paced, 0), target(&spec(), 1)]), &[]);
    assert_eq!(world.statuses(), "DU");
    assert!(world.news().is_empty(), "another pace is the same endpoint");
    let disabled = CheckSpec { is_disabled: true, ..spec() };
    world.adopt(plan(&[target(&disabled, 0), target(&spec(), 1)]), &[]);
    assert_eq!(world.statuses(), "UU");
    assert_eq!(world.news(), ["down-unknown"]);
}

/// R11 with a missing route: nothing is observed at all, and somebody is told.
#[test]
fn errors_of_our_own_side_are_told_and_change_nothing() {
    let mut world = World::new(&ten(), None);
    world.round(|_| true);
    for _ in 0..10 {
        for place in 0..10 {
            world.see(place, &Observation::Nothing(NothingReason::NoRoute));
        }
        world.now = world.now.after(SECOND);
        world.fleet.tick(world.now);
    }
    assert_eq!((world.statuses().as_str(), world.news()), ("UUUUUUUUUU", vec!["blind".to_owned()]));
    assert!(world.fleet.is_blind());
    world.round(|_| true);
    assert_eq!(world.news(), ["sighted"]);
}

#[test]
fn rule_69_and_70_what_is_inverted_or_disabled() {
    let inverted = CheckSpec { is_inverted: true, ..spec() };
    let disabled = CheckSpec { is_disabled: true, ..spec() };
    let both = CheckSpec { is_inverted: true, is_disabled: true, ..spec() };
    let targets =
        [target(&spec(), 1), target(&inverted, 1), target(&disabled, 1), target(&both, 1)];
    let mut world = World::new(&targets, None);
    assert_eq!(
        world.statuses(),
        "_DUD",
        "rule 69: a new inverted check is down until there are data"
    );
    assert_eq!(world.fleet.pending(), 2);
    world.round(|_| true);
    assert_eq!((world.statuses().as_str(), world.fleet.pending()), ("UDUD", 0));
    for _ in 0..3 {
        world.round(|_| false);
    }
    assert_eq!(world.statuses(), "DUUD");
}

fn calculated(children: &[&CheckSpec], quorum: Quorum, is_inverted: bool) -> CheckSpec {
    let child = |check: &&CheckSpec| Child { check: Arc::new((*check).clone()), address: None };
    let children = children.iter().map(child).collect();
    let protocol = Protocol::Calculated(CalculatedCheck { children, quorum });
    CheckSpec { is_inverted, ..CheckSpec::new(protocol, 0) }
}

#[test]
fn rule_71_and_73_what_is_calculated_follows_its_children_at_once() {
    let (one, two) = (spec(), CheckSpec { port: 81, ..spec() });
    let disabled = CheckSpec { port: 82, is_disabled: true, ..spec() };
    let children = [&one, &two, &disabled];
    let targets = [
        target(&one, 1),
        target(&two, 1),
        target(&disabled, 1),
        target(&calculated(&children, Quorum::AtLeast(2), false), 1),
        target(&calculated(&children, Quorum::AtLeast(3), false), 1),
        target(&calculated(&children, Quorum::AtLeast(3), true), 1),
    ];
    let mut world = World::new(&targets, None);
    assert_eq!(world.statuses(), "__UUUD", "rule 73: the disabled child counts as up");
    world.round(|place| place == 0);
    assert_eq!(world.statuses(), "UDUUDU");
    assert!(world.view.look(TargetId(3)).1 <= world.view.look(TargetId(0)).1);
    world.round(|_| true);
    world.round(|_| true);
    world.round(|_| true);
    assert_eq!(world.statuses(), "UUUUUD");
}

#[test]
fn rule_74_a_report_counts_until_it_is_too_old() {
    let external = |missing| {
        let name = "example.com/deploy".into();
        let stale_after = Duration::from_secs(90);
        let protocol = Protocol::External(ExternalCheck { name, stale_after, missing });
        CheckSpec::new(protocol, 0)
    };
    let kinds = [Missing::Up, Missing::Down, Missing::Last].map(external);
    let targets = [target(&kinds[0], 1), target(&kinds[1], 1), target(&kinds[2], 1)];
    let mut world = World::new(&targets, None);
    assert_eq!(world.statuses(), "_D_", "without data: up, down, and what was last, which is up");
    assert_eq!(world.fleet.pending(), 0, "nobody waits for reports");
    let now = world.now;
    assert_eq!(world.fleet.report("example.com/deploy", None, false, "drill", now), 3);
    assert_eq!(world.statuses(), "DDD");
    assert_eq!(world.fleet.report("Example.com/Deploy", Some("192.0.2.1"), true, "", now), 3);
    assert_eq!(world.fleet.report("example.com/deploy", Some("192.0.2.2"), false, "", now), 0);
    assert_eq!(world.fleet.report("example.com/other", None, false, "", now), 0);
    assert_eq!(world.statuses(), "UUU");
    for _ in 0..90 {
        world.round(|_| true);
    }
    assert_eq!(world.statuses(), "UUU");
    world.round(|_| true);
    assert_eq!(world.statuses(), "UDU");
    world.fleet.report("example.com/deploy", None, false, "", world.now);
    for _ in 0..95 {
        world.round(|_| true);
    }
    assert_eq!(world.statuses(), "UDD", "the last known one stays");
    // R25: the process was frozen; reports may wait to be read.
    world.fleet.report("example.com/deploy", None, true, "", world.now);
    world.now = world.now.after(Duration::from_secs(1_000));
    world.fleet.tick(world.now);
    assert_eq!(world.statuses(), "UUU");
}

#[test]
fn a_generation_goes_on_from_the_one_before() {
    let targets = ten();
    let mut world = World::new(&targets, None);
    world.round(|place| place != 3);
    assert_eq!(world.statuses(), "UUUDUUUUUU");
    let tuned = target(&CheckSpec { every: 5 * SECOND, ..spec() }, 3);
    let old_view = Arc::clone(&world.view);
    let old_id = world.ids[&targets[3]];
    world.adopt(plan(&[tuned.clone(), targets[0].clone(), target(&spec(), 77)]), &[]);
    assert_eq!(world.statuses(), "DU_", "only the pace of the first one was edited");
    let failure = Observation::Failure(FailureReason::Refused);
    assert_eq!(world.fleet.observe(old_id, &failure, world.now, world.now), None);
    world.observe(1, false);
    world.observe(1, false);
    world.observe(1, false);
    assert_eq!(world.statuses(), "DD_");
    assert_eq!(old_view.status(TargetId(0)), Status::Up, "the old view is not written any more");
    let memories = world.fleet.memories(world.now);
    let mut other = World::new(&[], None);
    let aged: Vec<Memory> = memories.into_iter().map(|memory| memory.aged(60_000)).collect();
    other.adopt(plan(&[targets[0].clone(), tuned]), &aged);
    assert_eq!((other.statuses().as_str(), other.fleet.pending()), ("DD", 0));
}

/// A place that one target left is another's soon: what the first one still learns must not count for the second.
#[test]
fn a_result_of_a_former_life_changes_nothing() {
    let targets = ten();
    let mut world = World::new(&targets[..1], None);
    let former = world.ids[&targets[0]];
    world.adopt(plan(&targets[1..2]), &[]);
    world.adopt(plan(&targets[..1]), &[]);
    assert_ne!(world.ids[&targets[0]], former);
    let failure = Observation::Failure(FailureReason::Refused);
    assert_eq!(world.fleet.observe(former, &failure, world.now, world.now), None);
    assert_eq!(world.statuses(), "_");
}

#[test]
fn a_certificate_that_ends_soon_is_told_once_a_day() {
    let http = crate::health::HttpCheck {
        tls: Some(crate::health::TlsCheck {
            warns_before: Duration::from_secs(14 * 86_400),
            ..Default::default()
        }),
        ..crate::health::HttpCheck::new("/")
    };
    let check = CheckSpec { protocol: Protocol::Http(http), ..spec() };
    let mut world = World::new(&[target(&check, 1)], None);
    let id = world.ids[&world.plan.targets[0]];
    let (day, now) = (86_400_000, 1_800_000_000_000);
    world.fleet.note_certificate(id, now + 20 * day, now, world.now);
    assert!(world.news().is_empty());
    for hour in 0..30 {
        let wall = now + hour * day / 24;
        world.fleet.note_certificate(id, now + 13 * day, wall, world.now);
        world.now = world.now.after(Duration::from_secs(3_600));
    }
    assert_eq!(world.news().len(), 2);
    let known = world.fleet.known(world.now).remove(0);
    assert_eq!(known.certificate_ends_ms, Some(now + 13 * day));
}
