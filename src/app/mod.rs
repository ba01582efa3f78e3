//! The server as a whole: settings, start, reload, stop.
//!
//! Start: read settings, zones and database; refuse what is wrong by name; bind every socket; begin with the last view of health
//! if `recall` has one that is fresh, else probe each endpoint once; then answer. Reload: make the next snapshot off to the side and swap it in, or keep what is served and say why. Stop: let the
//! workers finish the datagrams that they took. What must not go back from one generation to the next, the serials of zones that
//! give none, is remembered in `serials`, and in the `--state` directory if there is one. What would move too many clients at
//! once is stopped by `guard`, at a reload and, with what `served` keeps in that directory, at the next start. What operators set
//! against health is kept by `desk`, which `operator` runs.

mod announce;
mod crash;
mod desk;
mod guard;
mod load;
mod log;
mod operator;
mod output;
mod recall;
mod reload;
mod run;
mod serials;
mod served;
mod settings;
mod signals;
mod switches;
mod watch;

pub use load::{LoadError, Loaded, read_sources};
pub use log::{begin_log, end_log};
pub(crate) use output::{complain, is_styled, say};
pub use run::{ServeError, serve};
pub use settings::{Settings, SettingsError, Typed};
