//! The DNS message: names, numbers, parsing of queries, writing of responses.
//!
//! Bytes from the network are untrusted only here: what leaves this module as a type has been checked. Nothing here
//! knows of zones or sockets.

#![deny(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

mod composer;
mod name;
mod options;
mod reader;
mod records;
mod request;
mod subnet;
mod types;

pub use composer::{Composer, Full, Labels, Mark, OptOptions, OptRecord, Owner, Section};
pub use name::{Name, NameError, ends_in};
pub use reader::{Malformed, Reader};
pub use records::{Records, Template, brings_hosts, host_of};
pub use request::{Edns, Rejection, Request};
pub use subnet::ClientSubnet;
pub use types::{Class, ExtendedError, Opcode, Rcode, RecordType, Serial, Ttl, UnknownRecordType};
