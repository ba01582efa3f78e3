//! Every bound in meridian, with its reason.
//!
//! A loop, a buffer, a queue or a recursion that an outsider can feed has its constant here, so that one page answers
//! "how much can this cost us?". Nothing else in the crate is above this module.

/// Longest name in wire format, in octets (RFC 1035 §2.3.4).
pub const NAME_OCTETS: usize = 255;

/// Longest label, in octets (RFC 1035 §2.3.4).
pub const LABEL_OCTETS: usize = 63;

/// Most labels a 255-octet name can have, the root not counted: 127 labels of one octet and its length.
pub const NAME_LABELS: usize = 127;

/// Fixed size of a DNS header (RFC 1035 §4.1.1).
pub const HEADER_OCTETS: usize = 12;

/// Largest UDP answer: no fragment on any path with an MTU of 1280 (RFC 9715 §3.2).
pub const UDP_ANSWER_OCTETS: usize = 1232;

/// Largest UDP answer to a client without EDNS (RFC 1035 §4.2.1).
pub const PLAIN_ANSWER_OCTETS: usize = 512;

/// Largest UDP query we read. A query is one name and some options; 4 KiB is what every resolver stays far below.
pub const UDP_QUERY_OCTETS: usize = 4096;

/// Largest message on a stream (RFC 1035 §4.2.2: a two-octet length).
pub const STREAM_MESSAGE_OCTETS: usize = 65_535;

/// Datagrams taken by one `recvmmsg`. Measured: 16, 64 and 256 cost the same within 1 %; 64 keeps the arena at 360 KiB.
pub const UDP_BATCH: usize = 64;

/// CNAMEs followed in one answer. NSD stops at 18 since its 2026 fix; a resolver follows the rest itself.
pub const CNAME_CHAIN: usize = 16;

/// EDNS options looked at in one query; a query with more is malformed for us (BIND CVE-2018-5744 was one repeated option).
pub const EDNS_OPTIONS: usize = 32;

/// Labels remembered for compression in one answer: keeps the search linear in the answer (RUSTSEC-2026-0119).
pub const COMPRESSION_TARGETS: usize = 32;

/// Names that may receive additional address records in one answer (BIND CVE-2024-11187).
pub const ADDITIONAL_NAMES: usize = 13;

/// Endpoints of one type handed out at once, of a pool or of a multivalue policy (Route 53 rule 41: at most 8).
pub const ANSWER_ENDPOINTS: usize = 8;

/// Endpoints in one pool, or in all pools of one multivalue policy (Route 53 rule 7: 400 values per record). Selection keeps
/// them in a set of bits.
pub const POOL_ENDPOINTS: usize = 400;

/// Targets of one policy (Route 53 rule 7: 100 records per set). Selection keeps them in a 128-bit set.
pub const POLICY_TARGETS: usize = 100;

/// How deep policies may nest. Selection recurses, so this is also its stack.
pub const POLICY_DEPTH: usize = 16;

/// Targets visited in the worst case by one selection, over the whole tree with shared branches counted each time, and
/// sixteen endpoints or weights looked at counted as one visit. Without it one query could cost milliseconds when all is down.
pub const POLICY_VISITS: usize = 4096;

/// Size of one zone file in TOML, in octets. A million names need about 60 MB.
pub const ZONE_FILE_OCTETS: usize = 256 << 20;

/// Largest file of remembered serials, in octets: an entry takes about 100, so that it holds some hundred thousand zones. A larger
/// one is not ours.
pub const SERIALS_FILE_OCTETS: usize = 64 << 20;

/// Errors printed per file: the first ones are what the author needs.
pub const ERRORS_PER_FILE: usize = 50;

/// Octets that the kernel holds of answers which a TCP client does not read; it takes twice as much memory for them. Left to
/// itself it grows the buffer to 4 MiB: 200 clients that never read took 600 MiB.
pub const TCP_SEND_BUFFER_OCTETS: usize = 64 << 10;

/// TCP connections at once. An idle one costs some hundred octets of ours; one that sends the longest message in pieces, or
/// takes long answers slowly, up to 320 KiB, and 128 KiB of the kernel's.
pub const TCP_CONNECTIONS: usize = 1024;

/// Seconds a TCP connection may stay idle (RFC 7766 §6.2.3 asks for seconds, Knot uses 10).
pub const TCP_IDLE_SECONDS: u64 = 10;

/// Seconds a client may take to send one whole message, or to take what is written to it at once.
pub const TCP_MESSAGE_SECONDS: u64 = 5;

/// Largest number of consecutive results a threshold may ask for (Route 53 rule 59: 1 to 10).
pub const CHECK_THRESHOLD: u8 = 10;

/// Longest path of an HTTP check, in octets (Route 53's `ResourcePath`): one request line stays far below one segment.
pub const CHECK_PATH_OCTETS: usize = 255;

/// Longest host of an HTTP check, in octets: a name of 255 octets on the wire has at most 253 when it is written.
pub const CHECK_HOST_OCTETS: usize = 253;

/// Octets of the text or the regular expression that a body must have in it (Route 53 rule 61).
pub const CHECK_BODY_TEXT_OCTETS: usize = 255;

/// Octets of a body, decoded, that are searched (Route 53 rule 61).
pub const BODY_OCTETS: usize = 5120;

/// Memory that one compiled regular expression may take, in octets. Ten thousand checks may each have one.
pub const REGEX_OCTETS: usize = 256 << 10;

/// Checks that one calculated check may be of (Route 53 rule 72).
pub const CALCULATED_CHILDREN: usize = 255;

/// Characters of the reason that comes with a report from outside.
pub const REPORT_REASON_CHARACTERS: usize = 200;

/// News that a fleet keeps until they are taken: a release of the guard is one of every target.
pub const FLEET_NEWS: usize = 100_000;

/// Damaged state files that are kept for whoever wants to look at them.
pub const DAMAGED_KEPT: usize = 3;

/// Pools that an event names; more may have the same endpoint.
pub const EVENT_POOLS: usize = 32;

/// Targets that are probed at once when another begins to fail, so that it is known whether the fault is ours.
pub const JURY: usize = 8;

/// Milliseconds that these are waited for, beside their own timeout, before a target goes down on its own word.
pub const JURY_MS: u64 = 1_000;

/// Milliseconds between two such calls: a fleet in which something always begins to fail is not probed more for it.
pub const SUMMONS_MS: u64 = 1_000;

/// Milliseconds after which a tick of the fleet counts as late: several are due in a second.
pub const TICK_LATE_MS: u64 = 3_000;

/// Lines of the log that wait to be written at most: some hundred octets each.
pub const LOG_LINES: usize = 20_000;

/// Milliseconds that all sentinels must be silent for before somebody is told.
pub const SENTINELS_SILENT_MS: u64 = 60_000;

/// Milliseconds between two warnings of the same certificate: a day.
pub const CERTIFICATE_TOLD_MS: u64 = 86_400_000;

/// Latencies kept of one target, for percentiles: 400 octets each, 4 MB for ten thousand.
pub const LATENCIES: usize = 100;

/// Addresses of one name that are probed at once.
pub const PROBE_ADDRESSES: usize = 16;

/// Redirects that a check may ask to follow.
pub const PROBE_REDIRECTS: u8 = 10;

/// Header fields that a check may send.
pub const CHECK_HEADERS: usize = 32;

/// Octets of the value of one header field that a check may send: a token of the usual kinds fits.
pub const CHECK_HEADER_OCTETS: usize = 4096;

/// Octets that a TCP check may send.
pub const CHECK_SEND_OCTETS: usize = 1024;

/// Octets of a PromQL query: longer ones belong in a recording rule.
pub const CHECK_QUERY_OCTETS: usize = 4096;

/// Octets of the name of a gRPC service, and of the path of a file of certificates.
pub const CHECK_NAME_OCTETS: usize = 255;

/// Addresses of which a DNS check may expect one.
pub const CHECK_EXPECTED_ADDRESSES: usize = 64;

/// Shortest and longest time that damping or a breaker keeps something down, in seconds.
pub const RECOVERY_SECONDS: (u64, u64) = (1, 86_400);

/// Shortest and longest time for which a report from outside holds, in seconds: a month is for what is reported by hand.
pub const STALE_SECONDS: (u64, u64) = (1, 31 * 86_400);

/// Shortest and longest time before its end that a certificate is warned of, in seconds: no public one is valid longer.
pub const CERTIFICATE_WARNING_SECONDS: (u64, u64) = (3_600, 398 * 86_400);

/// Octets of one probe reply that are read, headers included: enough for Route 53's 5120-octet body search, with room.
pub const PROBE_REPLY_OCTETS: usize = 64 << 10;

/// Octets that an endpoint may send ahead over HTTP/2 before they are read: more than is searched, less than a probe reads.
pub const PROBE_WINDOW_OCTETS: u32 = 16 << 10;

/// Octets of one file of trusted certificates. The system's, with some 150, has about 250 KiB.
pub const AUTHORITIES_OCTETS: usize = 4 << 20;

/// Seconds for which certificates that were read are trusted before their file is read again.
pub const AUTHORITIES_SECONDS: u64 = 60;

/// Files of certificates that are read at once. Each holds a thread until the disk has answered.
pub const AUTHORITIES_READS: usize = 4;

/// Probes under way at once.
pub const PROBES_IN_FLIGHT: usize = 4096;

/// Seconds that start-up waits for the first round of probes before it serves what it knows.
pub const FIRST_ROUND_SECONDS: u64 = 3;

/// Octets of one HTTP reply's status line and header fields (Route 53 rule 64: more than 16 KiB is a failure).
pub const PROBE_HEADER_OCTETS: usize = 16 << 10;

/// Header fields of one HTTP reply. A slot of the parser costs 32 octets; real replies have about 20 fields, 256 is 8 KiB.
pub const PROBE_HEADER_FIELDS: usize = 256;

/// Name look-ups of the prober under way at once. Each holds a thread of tokio's blocking pool (512 by default) until the
/// system's resolver gives up, which can be long after the probe's own timeout.
pub const PROBE_LOOKUPS: usize = 64;

/// Characters of a library's error text kept with an observation: one line of a log, and a bound on what a peer can cause.
pub const PROBE_DETAIL_CHARACTERS: usize = 120;

/// Seconds between two log lines about the same kind of error of our own side: with 10,000 targets a lost route would
/// otherwise write 10,000 lines per interval.
pub const OWN_ERROR_LOG_SECONDS: u64 = 10;

/// Largest database file, in octets. City databases are of the order of 100 MB; the file is held once while it is read.
pub const DATABASE_OCTETS: usize = 1 << 30;

/// Networks taken from one database, both families together. City databases have some millions; 16 million cost at most
/// 320 MB (twice that while they are read) and bound the time spent on a tree made to be walked for ever.
pub const DATABASE_NETWORKS: usize = 1 << 24;

/// Distinct records decoded from one database. City databases have some hundred thousand; `maxminddb` bounds the work
/// on each (65,536 values).
pub const DATABASE_RECORDS: usize = 1 << 21;

/// Octets of one record's data in a zone file: what a message of 65,535 octets holds beside its header, a question and a
/// record of the longest name, and OPT (RFC 1035 §4.2.2).
pub const RDATA_OCTETS: usize = 64_000;

/// Octets of all data of one RRset, twelve octets of each record's header counted: a set is answered whole or not at all.
pub const RRSET_OCTETS: usize = 64_000;

/// Longest name of a check, a pool or a policy, in octets (Route 53 rule 6: set identifiers have 1 to 128 characters).
pub const ENTRY_NAME_OCTETS: usize = 128;

/// Checks, pools or policies of one zone, each: they are numbered with 16 bits.
pub const ZONE_ENTRIES: usize = 65_535;

/// Networks of one CIDR collection (Route 53: 1000 blocks, raised on request).
pub const COLLECTION_NETWORKS: usize = 100_000;

/// Longest name of a location of a collection, in octets (Route 53 rule 43: 1 to 16).
pub const LOCATION_NAME_OCTETS: usize = 16;

/// Latency tables of one zone file.
pub const ZONE_TABLES: usize = 64;

/// Octets of one latency table: two million lines, more than the networks of a table of measurements.
pub const TABLE_OCTETS: usize = 64 << 20;

/// Names that an alias may lead through until it comes to records. Each alias is resolved at load, so that this bounds the time.
pub const ALIAS_CHAIN: usize = 16;

/// Octets of record data that the aliases of one zone may copy together: a large set behind a million aliases would fill the memory.
pub const ALIASED_OCTETS: usize = 256 << 20;

/// Shortest and longest ramp of a weight, in seconds: below a second nobody could see it, and resolvers keep what they got for an hour.
pub const RAMP_SECONDS: (u64, u64) = (1, 3_600);

/// Most hysteresis of measured latency, in hundredths: beyond it a target ten times as slow would be kept.
pub const HYSTERESIS_PERCENT: u8 = 90;

/// Tests of one zone file. A question takes some microseconds, and about 12 ms if it measures shares.
pub const ZONE_TESTS: usize = 10_000;

/// Questions that one test may ask, its names times its clients: a failure can still be read by people.
pub const TEST_QUESTIONS: usize = 256;

/// Longest unknown word for which a suggestion is looked up: the search costs the product of both lengths.
pub const SUGGESTION_OCTETS: usize = 64;

/// Known words compared with an unknown one.
pub const SUGGESTION_WORDS: usize = 6_000;

/// Shortest and longest time between two probes of one check, in seconds.
pub const CHECK_EVERY_SECONDS: (u64, u64) = (1, 3_600);

/// Shortest timeout of a probe, in milliseconds: less is below the round trip to the next room.
pub const CHECK_TIMEOUT_MS: u64 = 10;

/// UDP workers that a settings file may ask for.
pub const WORKERS: usize = 256;

/// Connections to the admin side at once: a scraper, a probe of the container engine, and some people.
pub const ADMIN_CONNECTIONS: usize = 64;

/// Seconds an admin client may take to send a request's header, or to send the next request on a connection.
pub const ADMIN_HEADER_SECONDS: u64 = 10;

/// Seconds between two looks at whether a geo database was replaced. One look costs a system call for each file, and a file must
/// look the same twice before it is read.
pub const WATCH_SECONDS: u64 = 2;

/// File descriptors kept for everything but TCP clients and probes: sockets, files, admin connections.
pub const SPARE_DESCRIPTORS: usize = 256;

/// Longest name that a server gives itself, in octets: it goes into answers beside everything else, and into one TXT string.
pub const IDENTITY_OCTETS: usize = 64;

/// How deep master files may include each other. Reading recurses, so this is also its stack; real zones use one or two.
pub const INCLUDE_DEPTH: usize = 16;

/// Files that one zone may include, each time counted: a file that includes itself twice would double them at each depth.
pub const INCLUDED_FILES: usize = 1_000;

/// Octets of all text that makes up one zone: the master file, what it includes, each time counted, and what `$GENERATE`
/// makes; or all latency tables of a zone in TOML. A million records need about 60 MB.
pub const MASTER_OCTETS: usize = 512 << 20;

/// Tokens of one entry of a master file. The longest RDATA holds 64,000 strings; more are a `)` that is missing, and
/// without a bound they would all be kept, sixteen octets or more for each.
pub const ENTRY_TOKENS: usize = 65_536;

/// Parentheses that are never closed, in one master file. Each of them is looked for up to the end of the file.
pub const UNCLOSED_ENTRIES: usize = 16;

/// Records that the `$GENERATE` lines of one zone may make together: sixteen /16 networks.
pub const GENERATED_RECORDS: usize = 1 << 20;

/// Digits to which `$GENERATE` fills up a number: more than a name can hold help nobody.
pub const GENERATED_WIDTH: usize = 255;

/// Prefixes that a settings file may say a place of: more belong into a database.
pub const GEO_OVERRIDES: usize = 1 << 16;

/// Prefixes that an atlas cuts both families into: twice as many as a database may have, for what is laid over it. A prefix of
/// a policy in an empty half of the space costs as many leaves as it is long.
pub const ATLAS_LEAVES: usize = 1 << 25;

/// Size of one latency table, in octets. A row is a line of some 30 octets for each region.
pub const LATENCY_TABLE_OCTETS: usize = 128 << 20;

/// Prefixes of one latency table: all /20s of IPv4, or every announced prefix.
pub const LATENCY_ROWS: usize = 1 << 20;

/// Regions of one latency table; all cloud providers together have some hundreds.
pub const LATENCY_REGIONS: usize = 1 << 10;

/// Latencies of one table after rows took what they lack from shorter prefixes; each costs 8 octets, 128 MiB in all.
pub const LATENCY_VALUES: usize = 1 << 24;

/// Largest latency that a table may say, in milliseconds: a minute is longer than any path.
pub const LATENCY_MILLISECONDS: u32 = 60_000;

/// How deep YAML and gdnsd's configuration may nest. Reading recurses, so this is also its stack; real files use about eight.
pub const YAML_DEPTH: usize = 32;

/// How deep aliases, or resources, of an imported zone may lead to each other. Following them recurses, so this is also its
/// stack; deeper policies could not be served, see [`POLICY_DEPTH`], but an alias may lead to a plain one.
pub const IMPORT_DEPTH: usize = 32;

/// Values of one YAML file, with those that an alias repeats counted each time: a file of 40 lines can stand for billions.
pub const YAML_NODES: usize = 4_000_000;

/// Lines of a file of client counts: a million /24s, four times.
pub const WEIGHT_ROWS: usize = 1 << 22;

/// Octets of the zone files that a server keeps in its state directory, so that it can tell at the next start what changed.
/// They are read and compiled again then; a larger set is not kept.
pub const SERVED_FILE_OCTETS: usize = 64 << 20;

/// Octets of the control socket's answer that are read: about 80 for each zone.
pub const CONTROL_ANSWER_OCTETS: usize = 64 << 20;

/// Sentinels of the settings: fewer than two can't tell their own failure from ours, and each costs a probe every two seconds.
pub const SENTINELS: (usize, usize) = (2, 16);

/// Webhooks of the settings. Each has a task, a queue and at most one connection.
pub const WEBHOOKS: usize = 16;

/// Octets of a webhook's URL; senders of long ones stay below 2 KiB, as proxies do.
pub const WEBHOOK_URL_OCTETS: usize = 2048;

/// Octets of the file with a webhook's token: signed tokens have some hundreds.
pub const WEBHOOK_TOKEN_OCTETS: usize = 8 << 10;

/// Octets of the file with the authorities that a webhook trusts: a whole system's have about 250 KB.
pub const WEBHOOK_AUTHORITIES_OCTETS: usize = 4 << 20;

/// Shortest and longest time, in seconds, within which a webhook is not told the same again; below a minute Alertmanager is not
/// sent the same again either.
pub const WEBHOOK_REPEAT_SECONDS: (u64, u64) = (1, 3_600);

/// Things that wait to be told to one webhook, each with all that happened to it: every endpoint of a large fleet. Events are
/// shared by all webhooks, so that one costs about 200 octets here.
pub const WEBHOOK_QUEUE: usize = 10_000;

/// Things of which one webhook remembers what it was told: two states of every endpoint of a large fleet. Beyond them something
/// is told twice.
pub const WEBHOOK_TOLD: usize = 1 << 15;

/// Alerts that one Alertmanager is told of again and again: an endpoint has one in each pool.
pub const WEBHOOK_ALERTS: usize = 1 << 15;

/// Things told in one message: about 400 octets each.
pub const WEBHOOK_BATCH: usize = 500;

/// Lines of one message for people; how many more there are is its last one.
pub const WEBHOOK_LINES: usize = 20;

/// Characters of a reason in such a line.
pub const WEBHOOK_REASON_CHARACTERS: usize = 300;

/// Milliseconds from the first thing to tell to the message, so that what fails together is told together.
pub const WEBHOOK_LINGER_MS: u64 = 500;

/// Seconds for connecting to a webhook, TLS included, and for the whole exchange.
pub const WEBHOOK_SECONDS: (u64, u64) = (5, 15);

/// Octets of a webhook's reply that are read. Nothing in it matters but the status; the rest goes into the log, cut short.
pub const WEBHOOK_REPLY_OCTETS: usize = 64 << 10;

/// Addresses of a webhook's host that are tried.
pub const WEBHOOK_ADDRESSES: usize = 8;

/// Milliseconds from a failure to the next try: the first time, and what it doubles up to.
pub const WEBHOOK_RETRY_MS: (u64, u64) = (1_000, 300_000);

/// Seconds after which what could not be told is given up: after an hour people look at the state, and not at its history.
pub const WEBHOOK_PATIENCE_SECONDS: u64 = 3_600;

/// Largest `ttl_floor` of a zone, in seconds: a day. Health is never foreseen to stay for longer than two hours.
pub const TTL_FLOOR_SECONDS: u32 = 86_400;

/// Overrides that stand at once. A person set each of them, and each is compared with every pool, endpoint and policy's target.
pub const OVERRIDES: usize = 256;

/// Octets of one of the two patterns of an override: the longest name of a zone as text, with escapes left out.
pub const OVERRIDE_PATTERN_OCTETS: usize = 255;

/// Events that are remembered, in memory and in the state directory: some weeks of a calm fleet, about 4 MB.
pub const EVENTS_KEPT: usize = 10_000;

/// Events that wait for one listener. One that is slower loses events, which are counted.
pub const LISTENER_EVENTS: usize = 1_024;

/// Events that are given for one request; whoever wants more asks again from the last.
pub const EVENTS_PER_ANSWER: usize = 1_000;

/// Things that wait to be written to the state directory. A disk that stands still loses events beyond them.
pub const STATE_QUEUE: usize = 4_096;

/// Milliseconds between two commits of events: each waits for the disk twice.
pub const STATE_COMMIT_MS: u64 = 200;

/// Seconds until a state directory that could not be written is tried again.
pub const STATE_RETRY_SECONDS: u64 = 5;

/// Seconds between two log lines that say so.
pub const STATE_LOG_SECONDS: u64 = 60;

/// Seconds that a stop waits for the last state to be written, and a caller for its override.
pub const STATE_PATIENCE_SECONDS: u64 = 3;

/// Octets of memory that the state file may use for its pages.
pub const STATE_CACHE_OCTETS: usize = 1 << 20;

/// Seconds between two looks at what is worth remembering of the targets.
pub const MEMORY_SECONDS: u64 = 10;

/// Seconds after which it is written although only ages have changed.
pub const MEMORY_REWRITE_SECONDS: u64 = 60;

/// Oldest view, in seconds, that a start begins with instead of waiting for a round of probes.
pub const MEMORY_AGE_SECONDS: u64 = 600;

/// Octets of a reason and of an author that an operator gives.
pub const REASON_OCTETS: usize = 512;

/// Longest override with an end, in seconds: a year. One without an end lasts until it is taken back.
pub const OVERRIDE_SECONDS: u64 = 366 * 86_400;

/// Octets of a request to the control socket.
pub const CONTROL_REQUEST_OCTETS: usize = 64 << 10;

/// Octets of `/etc/passwd` that are read to tell the name of a user.
pub const PASSWD_OCTETS: u64 = 1 << 20;
