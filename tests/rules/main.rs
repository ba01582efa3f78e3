//! The routing rules, shown on the wire: zones from TOML, a geo database, a view of health, and real DNS messages.
//!
//! Every test is named by the rule it shows (`rule_29_…`, `rule_b9_…`) and uses the rule's own numbers where it has some.
//! Queries are written and answers are read by `hickory-proto`, a second opinion on every octet.
//!
//! | file | rules |
//! |---|---|
//! | `general.rs` | 1–9: stored health, one policy per name, limits, types |
//! | `weighted.rs` | 10–17: shares, weight 0 |
//! | `failover.rs` | 18–23, B1: order |
//! | `geolocation.rs` | 24–31: places |
//! | `alias.rs` | 48–58: policies that choose policies, wildcards |
//! | `multivalue.rs` | 41, 42: endpoints of several pools as one set |
//! | `last_resort.rs` | B2: what to do with everything down |
//! | `minimum.rs` | B3: how many endpoints a pool needs |
//! | `cap.rs` | 50, RELIABILITY §5.7: the soonest change caps the TTL |
//! | `overrides.rs` | B4 and what operators set |
//! | `turns.rs` | B6: equal turns |
//! | `subnet.rs` | 75–79: where the client is, and the client subnet option |
//! | `scope.rs` | B9 against brute force |
//! | `shares.rs` | the expected shares of any tree, against counting |
//! | `health.rs` | 2, 4, 29, 52, 54: any tree, any health, against a second evaluator |
//! | `import.rs` | 2–58: an imported hosted zone against its own JSON |
//! | `questions.rs` | every question gets an answer that can be read and fits |
//!
//! `harness.rs` builds and asks; `tree.rs` draws random trees and has the second evaluator; `network.rs` draws random
//! databases.

mod alias;
mod cap;
mod everywhere;
mod failover;
mod general;
mod geolocation;
mod harness;
mod health;
mod import;
mod ip;
mod last_resort;
mod minimum;
mod multivalue;
mod network;
mod overrides;
mod proximity;
mod questions;
mod records;
mod residency;
mod scope;
mod shares;
mod sticky;
mod subnet;
mod tree;
mod turns;
mod weighted;
