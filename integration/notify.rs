//! Webhooks: receivers that fail, hang and come back, one behind TLS, and a real Alertmanager.
//!
//! The events are made here and told through the library, as the server's journal of events does.

mod harness;

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use harness::http;
use harness::receiver::{Act, Receiver, read_request};
use harness::server::{Directory, Server};
use harness::{PATIENCE, example, wait_until};
use meridian::config::{Source, read_settings};
use meridian::health::{Event, Happening};
use meridian::notify::{Notifier, Webhook, WebhookStatistics};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What tells webhooks, with the runtime that it runs on.
struct Teller {
    notifier: Notifier,
    _runtime: Runtime,
}

impl Teller {
    /// Webhooks as a settings file has them.
    fn start(settings: &str) -> Self {
        let source = Source::new("meridian.toml", settings, 0);
        let settings = read_settings(&source).expect("these settings are good");
        let open = |settings| Webhook::open(settings).expect("its files are good");
        let webhooks = settings.webhooks.into_iter().map(open).collect();
        let runtime = Runtime::new().expect("threads can be started");
        let notifier = {
            let _inside = runtime.enter();
            Notifier::start(webhooks, "ns1", 5)
        };
        Self { notifier, _runtime: runtime }
    }

    fn tell(&self, number: u64, target: &str, to: &str) {
        self.notifier.tell(&endpoint(number, target, to));
    }

    fn statistics(&self) -> WebhookStatistics {
        self.notifier.statistics().remove(0)
    }
}

fn endpoint(number: u64, target: &str, to: &str) -> Event {
    let at = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Event {
        number,
        at_ms: at.as_millis() as u64,
        what: Happening::Endpoint {
            target: target.to_owned(),
            pools: vec!["example.com/us".to_owned()],
            from: if to == "up" { "down" } else { "up" }.to_owned(),
            to: to.to_owned(),
            reason: "connection refused".to_owned(),
            streak: 3,
        },
    }
}

fn webhook(address: SocketAddr, kind: &str, more: &str) -> String {
    format!("[[webhook]]\nurl = \"http://{address}/hook?key=s3cret\"\nkind = \"{kind}\"\n{more}\n")
}

/// First number, last number, and how many, of all events that a receiver took.
fn told(receiver: &Receiver) -> Vec<(u64, u64, u64)> {
    let number = |event: &Value, key: &str| event[key].as_u64().unwrap();
    let events = |body: Value| body["events"].as_array().unwrap().clone();
    let events = receiver.taken().into_iter().flat_map(events);
    events
        .map(|event| {
            (number(&event, "first_number"), number(&event, "number"), number(&event, "count"))
        })
        .collect()
}

#[test]
fn what_happens_is_told_in_order_and_together() {
    let receiver = Receiver::start(&[]);
    let teller = Teller::start(&webhook(receiver.address, "json", ""));
    teller.tell(1, "tcp://192.0.2.1:80", "down");
    teller.tell(2, "tcp://192.0.2.2:80", "down");
    teller.tell(3, "tcp://192.0.2.1:80", "up");
    let received = receiver.wait_for(1);
    assert_eq!(told(&receiver), [(1, 3, 2), (2, 2, 1)]);
    let head = received[0].head.to_ascii_lowercase();
    assert!(head.starts_with("post /hook?key=s3cret http/1.1"), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    assert!(head.contains(&format!("host: {}", receiver.address)), "{head}");
    assert!(!head.contains("authorization"), "{head}");
    assert_eq!(received[0].body["server"], "ns1");
    teller.tell(4, "tcp://192.0.2.2:80", "up");
    receiver.wait_for(2);
    assert_eq!(told(&receiver)[2..], [(4, 4, 1)]);
    wait_until("all are counted", PATIENCE, || teller.statistics().sent == 4);
    assert_eq!((teller.statistics().queued, teller.statistics().failed), (0, 0));
}

#[test]
fn a_receiver_that_fails_hears_everything_later_in_order() {
    // Nothing listens there at first.
    let vacant = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let teller = Teller::start(&webhook(vacant, "json", ""));
    teller.tell(1, "a", "down");
    wait_until("a try failed", PATIENCE, || teller.statistics().failed_attempts > 0);
    let acts = [Act::Answer(500, ""), Act::Close, Act::Answer(429, "Retry-After: 5\r\n")];
    let receiver = Receiver::start_at(vacant, &acts);
    receiver.wait_for(1);
    teller.tell(2, "b", "down");
    teller.tell(3, "a", "up");
    let received = receiver.wait_for(4);
    assert_eq!(told(&receiver), [(1, 3, 2), (2, 2, 1)]);
    let waited = received[3].at - received[2].at;
    assert!(waited >= Duration::from_secs(5), "it asked for 5 s and got {waited:?}");
    let statistics = teller.statistics();
    assert!(statistics.failed_attempts >= 4, "{statistics:?}");
    assert_eq!((statistics.failed, statistics.dropped), (0, 0));
}

#[test]
fn redirects_are_not_followed_and_refusals_not_repeated() {
    let elsewhere = Receiver::start(&[]);
    let location: &'static str =
        Box::leak(format!("Location: http://{}/\r\n", elsewhere.address).into_boxed_str());
    let acts = [Act::Answer(301, location), Act::Answer(404, ""), Act::Talk(1 << 20)];
    let receiver = Receiver::start(&acts);
    let teller = Teller::start(&webhook(receiver.address, "json", ""));
    for (number, target) in [(1, "a"), (2, "b"), (3, "c")] {
        teller.tell(number, target, "down");
        receiver.wait_for(number as usize);
        let done = |now: WebhookStatistics| now.sent + now.failed == number;
        wait_until("it is settled", PATIENCE, || done(teller.statistics()));
    }
    assert_eq!((told(&receiver), elsewhere.received().len()), (vec![(3, 3, 1)], 0));
    let statistics = teller.statistics();
    assert_eq!((statistics.sent, statistics.failed, statistics.failed_attempts), (1, 2, 2));
}

#[test]
fn a_receiver_that_hangs_delays_nobody_else_and_never_the_teller() {
    let hanging = Receiver::start(&[Act::Hang]);
    let other = Receiver::start(&[]);
    let named = webhook(other.address, "json", "name = \"other\"");
    let teller = Teller::start(&(webhook(hanging.address, "json", "") + &named));
    teller.tell(1, "a", "down");
    hanging.wait_for(1);
    let start = Instant::now();
    // More than the queue holds: the rest is dropped, and the calm ones first.
    for number in 2..20_000 {
        teller.tell(number, &format!("e{number}"), if number % 10 == 0 { "down" } else { "up" });
    }
    assert!(start.elapsed() < PATIENCE, "telling took {:?}", start.elapsed());
    let statistics = teller.statistics();
    other.wait_for(2);
    assert_eq!((statistics.queued, statistics.dropped), (10_000, 19_998 - 10_000));
    hanging.wait_for(2);
    wait_until("all is told", 3 * PATIENCE, || teller.statistics().queued == 0);
    assert_eq!(told(&hanging)[0], (1, 1, 1), "the oldest alarm is there");
    let alarms = told(&hanging).iter().filter(|(number, _, _)| number % 10 == 0).count();
    assert_eq!(alarms, 1_999, "no alarm was dropped");
    let dropped: u64 = hanging.taken().iter().map(|body| body["dropped"].as_u64().unwrap()).sum();
    assert_eq!(dropped, teller.statistics().dropped);
}

#[test]
fn a_webhook_hears_of_what_it_wants_and_the_same_once_for_some_time() {
    let receiver = Receiver::start(&[]);
    let more = "events = [\"endpoint\"]\nrepeat_after = \"4s\"";
    let teller = Teller::start(&webhook(receiver.address, "slack", more));
    let held = Happening::GuardHeld { reason: "x".to_owned(), failing: 5, observed: 8 };
    teller.notifier.tell(&Event { number: 1, at_ms: 0, what: held });
    let mut news = endpoint(2, "a", "up");
    if let Happening::Endpoint { from, .. } = &mut news.what {
        "unknown".clone_into(from);
    }
    teller.notifier.tell(&news);
    teller.tell(3, "a", "down");
    receiver.wait_for(1);
    wait_until("it is settled", PATIENCE, || teller.statistics().sent == 1);
    let begin = Instant::now();
    for number in 0..5 {
        teller.tell(4 + number, "b", "down");
        teller.tell(10 + number, "a", "down");
    }
    let received = receiver.wait_for(3);
    let texts: Vec<&str> = received.iter().map(|one| one.body["text"].as_str().unwrap()).collect();
    let sentence = "is down: connection refused, 3 times in a row";
    assert_eq!(texts[0], format!("ns1: a of example.com/us {sentence}"));
    assert!(
        texts[1].starts_with(&format!("ns1: b of example.com/us {sentence} (5 times")),
        "{texts:?}"
    );
    assert!(
        texts[2].starts_with(&format!("ns1: a of example.com/us {sentence} (5 times")),
        "{texts:?}"
    );
    let waited = received[2].at - begin;
    assert!(waited >= Duration::from_secs(3), "the same was told again after {waited:?}");
}

fn write_file(path: &Path, text: &str, mode: u32) {
    let mut file = std::fs::File::create(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.set_permissions(std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Why a webhook with this token file is refused.
fn refusal(path: &Path) -> String {
    let address = "127.0.0.1:1".parse().unwrap();
    let text = webhook(address, "json", &format!("token_file = \"{}\"", path.display()));
    let settings = read_settings(&Source::new("meridian.toml", &text, 0)).unwrap();
    Webhook::open(settings.webhooks[0].clone()).expect_err("it must be refused").to_string()
}

#[test]
fn a_token_is_sent_never_shown_and_kept_from_others() {
    let directory = Directory::create();
    let path = directory.path().join("token");
    write_file(&path, "t0ken\n", 0o600);
    let receiver = Receiver::start(&[]);
    let more = format!("token_file = \"{}\"", path.display());
    let text = webhook(receiver.address, "json", &more);
    let settings = read_settings(&Source::new("meridian.toml", &text, 0)).unwrap();
    let shown = format!("{:?}", Webhook::open(settings.webhooks[0].clone()).unwrap());
    assert!(!shown.contains("t0ken") && !shown.contains("s3cret"), "{shown}");
    let teller = Teller::start(&text);
    teller.tell(1, "a", "down");
    let head = receiver.wait_for(1)[0].head.to_ascii_lowercase();
    assert!(head.contains("authorization: bearer t0ken"), "{head}");
    for mode in [0o640, 0o604, 0o700] {
        write_file(&path, "t0ken\n", mode);
        let expected = format!("{} holds a secret and has mode {mode:04o}", path.display());
        assert!(refusal(&path).contains(&expected), "{}", refusal(&path));
    }
    for text in ["", "\n", "two words\n", "two\nlines\n"] {
        write_file(&path, text, 0o600);
        let message = refusal(&path);
        assert!(message.contains("must hold one line") && !message.contains("two"), "{message}");
    }
    write_file(&path, &"x".repeat(9_000), 0o600);
    assert!(refusal(&path).contains("more than 8192 octets"));
    assert!(refusal(&directory.path().join("none")).contains("can't read"));
}

/// A receiver behind TLS; gives its port, its certificate in PEM, and what it receives.
fn start_behind_tls() -> (u16, String, std::sync::mpsc::Receiver<String>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, received) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            let Some((head, _)) = read_request(&mut stream) else { continue };
            let _ = write!(stream, "HTTP/1.1 204 Fine\r\nConnection: close\r\n\r\n");
            let _ = stream.flush();
            if sender.send(head).is_err() {
                return;
            }
        }
    });
    (port, made.cert.pem(), received)
}

#[test]
fn certificates_are_verified() {
    let directory = Directory::create();
    let (port, certificate, received) = start_behind_tls();
    let path = directory.path().join("ca.pem");
    write_file(&path, &certificate, 0o644);
    let hook = |host: &str, name: &str, ca: &Path| {
        let ca = ca.display();
        format!(
            "[[webhook]]\nurl = \"https://{host}:{port}/\"\nkind = \"json\"\nname = \"{name}\"\nca = \"{ca}\"\n"
        )
    };
    let other = directory.path().join("other.pem");
    let stranger = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    write_file(&other, &stranger.cert.pem(), 0o644);
    let teller = Teller::start(
        &[
            hook("localhost", "trusted", &path),
            hook("localhost", "stranger", &other),
            hook("127.0.0.1", "another-name", &path),
        ]
        .concat(),
    );
    teller.tell(1, "a", "down");
    assert!(received.recv_timeout(PATIENCE).unwrap().starts_with("POST / HTTP/1.1"));
    let settled = || {
        let all = teller.notifier.statistics();
        all[0].sent == 1 && all[1].failed_attempts > 0 && all[2].failed_attempts > 0
    };
    wait_until("one is told and two are not", PATIENCE, settled);
    assert!(received.try_recv().is_err(), "nothing is sent to a receiver that is not trusted");
    write_file(&path, "no certificate", 0o644);
    let text = hook("localhost", "trusted", &path);
    let settings = read_settings(&Source::new("meridian.toml", &text, 0)).unwrap();
    let error = Webhook::open(settings.webhooks[0].clone()).unwrap_err().to_string();
    assert!(error.contains("holds no certificate in PEM"), "{error}");
}

/// A real Alertmanager, stopped when it is dropped.
struct Alertmanager {
    child: Child,
    address: SocketAddr,
    _directory: Directory,
}

impl Alertmanager {
    fn start() -> Self {
        let directory = Directory::create();
        let config = directory.path().join("alertmanager.yml");
        write_file(&config, "route:\n  receiver: nobody\nreceivers:\n- name: nobody\n", 0o600);
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = Command::new("prometheus-alertmanager")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", directory.path().display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus-alertmanager runs (Debian package prometheus-alertmanager)");
        let started = Self { child, address, _directory: directory };
        wait_until("Alertmanager is ready", 2 * PATIENCE, || {
            http::try_get(address, "/-/ready").is_ok_and(|answer| answer.status == 200)
        });
        started
    }

    /// Name, target and pool of every alert that holds.
    fn alerts(&self) -> Vec<String> {
        let answer = http::get(self.address, "/api/v2/alerts");
        // The body may come in chunks; the array is between the first [ and the last ].
        let (start, end) = (answer.body.find('[').unwrap(), answer.body.rfind(']').unwrap());
        let alerts: Value = serde_json::from_str(&answer.body[start..=end])
            .unwrap_or_else(|error| panic!("{error}: {}", answer.body));
        let text = |labels: &Value, key: &str| labels[key].as_str().unwrap_or("-").to_owned();
        let mut shown: Vec<String> = alerts
            .as_array()
            .unwrap()
            .iter()
            .map(|alert| {
                let labels = &alert["labels"];
                ["alertname", "server", "target", "zone", "pool"]
                    .map(|key| text(labels, key))
                    .join(" ")
            })
            .collect();
        shown.sort();
        shown
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_real_alertmanager_has_the_alerts_that_hold_and_no_others() {
    let alertmanager = Alertmanager::start();
    let hook = format!(
        "[[webhook]]\nurl = \"http://{}\"\nkind = \"alertmanager\"\nresend_after = \"1s\"\n",
        alertmanager.address
    );
    let teller = Teller::start(&hook);
    teller.tell(1, "tcp://192.0.2.1:80", "down");
    teller.tell(2, "tcp://192.0.2.2:80", "down");
    let held = Happening::GuardHeld { reason: "all at once".to_owned(), failing: 9, observed: 10 };
    let mut guard = endpoint(3, "", "down");
    guard.what = held;
    teller.notifier.tell(&guard);
    let down =
        |last: u8| format!("MeridianEndpointDown ns1 tcp://192.0.2.{last}:80 example.com us");
    let all = [down(1), down(2), "MeridianGuardHeld ns1 - - -".to_owned()];
    wait_until("all alerts are there", PATIENCE, || alertmanager.alerts() == all);
    // Its alerts would end after four resends if they were not sent again.
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(alertmanager.alerts(), all);
    teller.tell(4, "tcp://192.0.2.1:80", "up");
    wait_until("one is gone", PATIENCE, || alertmanager.alerts() == all[1..]);
    teller.notifier.retain(|target, _| target != "tcp://192.0.2.2:80");
    wait_until("what is not probed is gone", PATIENCE, || alertmanager.alerts() == all[2..]);
    let counts = |now: WebhookStatistics| (now.sent, now.failed, now.queued);
    wait_until("all is counted", PATIENCE, || counts(teller.statistics()) == (5, 0, 1));
    drop(teller);
    wait_until("a server that is gone has no alerts", PATIENCE, || {
        alertmanager.alerts().is_empty()
    });
}

#[test]
fn the_server_reads_its_webhooks_and_shows_them_in_its_metrics() {
    let directory = Directory::create();
    let path = directory.path().join("meridian.toml");
    write_file(
        &path,
        &webhook("127.0.0.1:1".parse().unwrap(), "slack", "name = \"oncall\""),
        0o600,
    );
    let path = path.display().to_string();
    let server = example::serve(&["--config", &path]);
    let labels = [("webhook", "oncall"), ("kind", "slack")];
    let metrics = server.metrics();
    assert_eq!(metrics.value("meridian_webhook_queued", &labels), 0.0);
    assert_eq!(metrics.sum("meridian_webhook_events_total", &labels), 0.0);
    let token = directory.path().join("token");
    write_file(&token, "x", 0o644);
    let more = format!("token_file = \"{}\"", token.display());
    write_file(Path::new(&path), &webhook("127.0.0.1:1".parse().unwrap(), "json", &more), 0o600);
    let refused = Server::try_start(&[("a.toml", ZONE)], &["--config", &path]);
    let said = refused.err().expect("a token that others may read is refused");
    assert!(format!("{said:?}").contains("the webhook `json` can't be used: "), "{said:?}");
}

const ZONE: &str = "zone = \"example.net\"\nttl = \"1h\"\n[names]\n\
    \"@\" = { SOA = \"ns hostmaster\", NS = \"ns\" }\nns = { A = \"192.0.2.53\" }\n";
