//! The HTTP side: metrics, health, readiness and explanations, for the people and machines that run the server.
//!
//! It listens on loopback by default and changes nothing: every path only reads. It never touches the query path; it reads
//! the same published snapshot as queries do, and sums what the workers counted. What changes the server has a socket of its own,
//! in `control`.

mod api;
mod client;
mod condition;
mod control;
mod endpoints;
mod explain;
mod health;
mod http;
mod listen;
mod metrics;

pub use api::{EventReport, OverrideReport};
pub use client::{FetchError, fetch};
pub use condition::{Condition, Refusals, Reload, Standing};
pub use control::{
    ActionWord, AskError, ConfirmRequest, ConfirmTaken, Control, Draft, GuardReleased,
    HeldOverride, OverrideChange, OverrideOrder, OverrideRequest, Problem, ReloadOrder,
    ReloadReport, ReloadRequest, ReloadedZone, ReportRequest, ReportTaken, ReportedState, ask,
    ask_reload, bind_control, serve_control,
};
pub use explain::{InquiryError, parse_client};
pub use health::{EndpointHealth, HealthReport};
pub use http::{Admin, router};
pub use listen::serve_admin;
