//! Everything for asking meridian and its elders the same questions, and for judging where they differ.
//!
//! | part | does |
//! |---|---|
//! | [`zone_generator`] | makes sets of zones from a seed, as [`zone_set`] has them, of [`domain_name`] and [`rdata`] |
//! | [`query_generator`] | makes questions about a set |
//! | [`peers`] | runs BIND, Knot DNS and NSD on a set |
//! | [`exchange`] | asks many questions at once |
//! | [`decoding`] | reads the answers, those of meridian with two decoders |
//! | [`comparison`] | finds where two answers differ, and what is wrong with ours by itself |
//! | [`oracle`] | knows what an answer must say by the test's own reckoning |
//! | [`explanations`] | tells which differences are none of ours, by RFC and section |
//! | [`report`] | counts them, and prints what can't be explained |

pub mod comparison;
pub mod decoding;
pub mod domain_name;
pub mod exchange;
pub mod explanations;
pub mod oracle;
pub mod peers;
pub mod query_generator;
pub mod rdata;
pub mod report;
pub mod zone_generator;
pub mod zone_set;
