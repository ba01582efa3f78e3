//! Which back end a test runs on. The test crate `hickory` includes the black-box tests of answers, abuse, malformed messages and
//! clients, and the sweep, and runs them on hickory-server's sockets; everywhere else they run on our own.
//!
//! Where hickory-server decides before it asks our engine, or makes of its answer what it likes, a test may differ: such a place
//! asks [`differs`] by a name of [`DIFFERENCES`], which the documentation of `src/serve/hickory.rs` lists, too.

/// Whether this is the test crate of the other back end.
const IS_HICKORY: bool = matches!(env!("CARGO_CRATE_NAME").as_bytes(), b"hickory");

/// What `--io` is given, unless a test gives it itself.
pub const NAME: &str = if IS_HICKORY { "hickory" } else { "sockets" };

/// What may differ, and why.
pub const DIFFERENCES: &[(&str, &str)] = &[
    (
        "unread",
        "a message that hickory-proto can't read gets FORMERR without question or OPT, also one that is an answer, and is \
         not counted",
    ),
    (
        "streams of silence",
        "a TCP connection stays when a message on it deserves no answer, until it is idle too long",
    ),
    (
        "wildcard addresses",
        "an answer on a wildcard address leaves from whichever address the system takes",
    ),
    (
        "own address",
        "a query that claims to come from the server itself is answered; the answer to that answer is silence",
    ),
    (
        "many connections",
        "the number of TCP connections is not bounded by us, and a message may take as long to arrive as a connection may be idle",
    ),
    (
        "longer answers",
        "names in record data are compressed less, so that an answer is cut sooner; one that is too long for TCP is cut there, too",
    ),
    (
        "a task per datagram",
        "a burst of datagrams is held in memory, each in a task with room for its answer, until the tasks have run",
    ),
];

/// Whether this test runs where the named difference is to be expected.
pub fn differs(name: &str) -> bool {
    assert!(DIFFERENCES.iter().any(|(known, _)| *known == name), "undocumented: {name}");
    IS_HICKORY
}
