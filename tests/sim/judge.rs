//! What must hold at every step.

use std::net::IpAddr;
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use meridian::health::{Action, Guard, Moment, Recovery, State, Status};
use meridian::query::{Client, Engine, Scratch, Transport};

use crate::endpoint::{Condition, Endpoint};
use crate::world::{Network, World, millis};

/// In Europe, and bound to stay there; in America; and where nobody knows.
const CLIENTS: [[u8; 4]; 3] = [[20, 0, 7, 1], [20, 1, 7, 1], [30, 0, 0, 1]];

const NAMES: [&str; 3] = ["failover", "weighted", "geo"];

impl World {
    /// Asks every name as every client, and fails if an answer breaks an invariant.
    pub fn judge(&mut self) {
        self.judge_beliefs();
        for name in NAMES {
            for client in CLIENTS {
                let (rcode, endpoints) = self.ask(name, client);
                self.summary.answers += 1;
                self.judge_answer(name, client, rcode, &endpoints);
            }
        }
    }

    fn judge_answer(
        &mut self,
        name: &str,
        client: [u8; 4],
        rcode: ResponseCode,
        endpoints: &[usize],
    ) {
        let is_bound = client == CLIENTS[0];
        let is_allowed =
            |world: &Self, endpoint: usize| !is_bound || world.compliant[world.pool_of[endpoint]];
        let all = 0..self.endpoints.len();
        let allowed: Vec<usize> = all.filter(|one| is_allowed(self, *one)).collect();
        let is_any_up = allowed.iter().any(|one| self.is_up(*one) == Some(true));
        let is_none_up = allowed.iter().all(|one| self.is_up(*one) == Some(false));
        if endpoints.iter().any(|one| !is_allowed(self, *one)) {
            self.fail(&format!("{name} for {client:?} leaves its residency: {endpoints:?}"));
        }
        let may_be_empty = is_bound && self.fails_closed && !is_any_up;
        let is_empty = endpoints.is_empty();
        let must_be_empty = is_bound && self.fails_closed && is_none_up;
        if rcode != ResponseCode::NoError || is_empty && !may_be_empty || !is_empty && must_be_empty
        {
            self.fail(&format!("{name} for {client:?}: {rcode}, {endpoints:?}"));
        }
        if is_any_up && endpoints.iter().any(|one| self.is_up(*one) == Some(false)) {
            self.fail(&format!(
                "{name} for {client:?}: {endpoints:?}, of which one is down though another is up"
            ));
        }
        let first = allowed.iter().find(|one| self.is_up(**one) != Some(false));
        if name == "failover"
            && let Some(first) = first
            && self.is_up(*first) == Some(true)
            && endpoints.iter().any(|one| self.pool_of[*one] != self.pool_of[*first])
        {
            self.fail(&format!("{name} for {client:?}: {endpoints:?}, though {first} comes first"));
        }
    }

    /// Whether an endpoint counts as up: as an operator set it, else by its health; nothing while it is drained.
    fn is_up(&self, endpoint: usize) -> Option<bool> {
        let setting = self.setting.as_ref().filter(|setting| {
            setting.pool == self.pool_of[endpoint]
                && setting.endpoint.is_none_or(|one| one == endpoint)
        });
        let is_healthy = self.status(endpoint) != Status::Down;
        match setting.map(|setting| setting.action) {
            None => Some(is_healthy),
            Some(Action::Up) => Some(true),
            Some(Action::Down) => Some(false),
            Some(Action::Drain { .. }) => None,
        }
    }

    /// What is believed against what is true.
    fn judge_beliefs(&mut self) {
        for endpoint in self.protected.clone() {
            if self.status(endpoint) == Status::Down {
                self.fail(&format!("{endpoint} went down while our own network was to blame"));
            }
        }
        if self.network != Network::Fine
            || self.guard.is_some() && self.fleet.guard() != Guard::Trusting
        {
            return;
        }
        for endpoint in 0..self.endpoints.len() {
            let truth = &self.endpoints[endpoint];
            let settled = truth.since.max(self.outage_ended).max(self.trusted_since());
            let age = self.now - settled.min(self.now);
            let is_gone = matches!(truth.condition, Condition::Dead | Condition::Hanging);
            if is_gone && age > self.detection_ms() && self.status(endpoint) == Status::Up {
                self.fail(&format!("{endpoint} is {truth:?} and still up"));
            }
            let is_alive = truth.condition == Condition::Alive;
            if is_alive
                && age > self.recovery_ms()
                && self.status(endpoint) == Status::Down
                && !self.waits(endpoint)
            {
                self.fail(&format!("{endpoint} is {truth:?} and still down"));
            }
        }
    }

    /// Whether an endpoint waits for an operator.
    fn waits(&self, _endpoint: usize) -> bool {
        self.check.recovery == Recovery::Manual
    }

    /// When the guard last let go: before that, decisions may have been void.
    fn trusted_since(&self) -> u64 {
        self.released_at
    }

    /// At the end everything was well for long: all must be up, and the first choice the answer.
    pub fn judge_recovery(&mut self) {
        for known in self.fleet.known(Moment(self.now)) {
            if known.state == State::Ready {
                self.fleet.confirm("sim", |_, _| true, Moment(self.now));
            }
        }
        for endpoint in 0..self.endpoints.len() {
            if self.status(endpoint) != Status::Up {
                self.fail(&format!("{endpoint} never came back"));
            }
        }
        self.judge();
    }

    /// The endpoints that the guard must keep up through an outage that begins now: those that are alive and up, if there are some
    /// in two pools.
    pub fn find_protected(&self) -> Vec<usize> {
        // What goes down at its first or second failure may be gone before the others have told.
        if self.check.down_after.as_u8() < 3 && self.network == Network::Silent {
            return Vec::new();
        }
        let Some(_) = self.guard.filter(|_| self.fleet.guard() == Guard::Trusting) else {
            // Without a guard an error of our own side still changes nothing.
            return if self.network == Network::NoRoute { self.alive() } else { Vec::new() };
        };
        let alive = self.alive();
        let pools = alive.iter().map(|one| self.pool_of[*one]);
        let is_spread = pools.clone().min() != pools.max();
        if !self.sentinels.is_empty() {
            // All of them answer; none will while our network does not.
            let answers = |one: &Endpoint| one.condition == Condition::Alive && self.is_calm(one);
            let is_seen = self.sentinels.iter().all(answers);
            return if is_seen { alive } else { Vec::new() };
        }
        if is_spread || self.network == Network::NoRoute { alive } else { Vec::new() }
    }

    /// Alive for so long that no run of failures is under way, and up.
    fn alive(&self) -> Vec<usize> {
        let is_calm = |one: &usize| {
            let truth = &self.endpoints[*one];
            truth.condition == Condition::Alive
                && self.is_calm(truth)
                && self.status(*one) == Status::Up
        };
        (0..self.endpoints.len()).filter(is_calm).collect()
    }

    /// Whether nothing has changed for some probes' time.
    fn is_calm(&self, truth: &Endpoint) -> bool {
        let calm = 3 * (millis(self.check.every) + millis(self.check.timeout));
        let changed = truth.since.max(self.outage_ended);
        self.now - changed.min(self.now) > calm
    }

    /// The longest that it may take to find out that an endpoint is gone.
    fn detection_ms(&self) -> u64 {
        let check = &self.check;
        let step = millis(check.retry).max(millis(check.timeout));
        let run = step * u64::from(check.down_after.as_u8());
        // The last term is what the word of others is waited for.
        millis(check.every) + millis(check.timeout) + run + step + 7_000
    }

    /// The longest that it may take to find out that an endpoint is back.
    pub fn recovery_ms(&self) -> u64 {
        let check = &self.check;
        let longest = match check.recovery {
            Recovery::Damped(damping) => damping.longest.max(damping.hold),
            Recovery::Breaker(breaker) => breaker.longest.max(breaker.reset),
            Recovery::Manual => Duration::ZERO,
        };
        let run =
            (millis(check.every) + millis(check.timeout)) * u64::from(check.up_after.as_u8() + 2);
        millis(longest) + run + 2_000
    }

    /// The answer to a name, as the endpoints in it.
    fn ask(&mut self, name: &str, client: [u8; 4]) -> (ResponseCode, Vec<usize>) {
        let mut message = Message::new(7, MessageType::Query, OpCode::Query);
        let qname = Name::from_ascii(format!("{name}.example.com.")).unwrap();
        message.add_query(Query::query(qname, RecordType::A));
        let query = message.to_vec().unwrap();
        let engine = Engine::new(&self.snapshot, &self.view).at(self.now);
        let client = Client { address: IpAddr::from(client), transport: Transport::Udp };
        let mut out = [0u8; 1232];
        let mut scratch = Scratch::new(self.random.next());
        let outcome = engine.answer(&mut scratch, &query, client, &mut out);
        let reply = Message::from_vec(&out[..outcome.octets]).expect("an answer that can be read");
        let endpoint_of = |address: [u8; 4]| {
            let targets = self.snapshot.targets.iter();
            let wanted = meridian::health::ProbeAddress::Ip(IpAddr::from(address));
            targets.map(|target| &target.address).position(|known| *known == wanted)
        };
        let addresses = reply.answers.iter().filter_map(|record| match &record.data {
            RData::A(address) => endpoint_of(address.0.octets()),
            _ => None,
        });
        (reply.metadata.response_code, addresses.collect())
    }

    pub fn fail(&self, what: &str) -> ! {
        let last = self.history.len().saturating_sub(60);
        for line in &self.history[last..] {
            println!("{line}");
        }
        panic!(
            "seed {} at {} ms: {what}\ncheck {:?}\nreplay with MERIDIAN_SEED={}",
            self.seed,
            self.now - crate::world::BEGINNING,
            self.check,
            self.seed
        );
    }
}
