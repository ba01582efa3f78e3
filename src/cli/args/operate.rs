//! What can be typed to operate a running server by its control socket.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::duration;
use crate::app::Typed;

/// Which server, and how to print.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct ControlArguments {
    /// Settings file of the server, whose keys are the defaults here
    #[arg(long, value_name = "FILE", env = "MERIDIAN_CONFIG")]
    config: Option<PathBuf>,
    /// The server's state directory
    #[arg(long, value_name = "DIR", env = "MERIDIAN_STATE")]
    state: Option<PathBuf>,
    /// Print what the server says as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

impl ControlArguments {
    pub(in crate::cli) fn typed(&self) -> Typed {
        Typed { config: self.config.clone(), state: self.state.clone(), ..Typed::default() }
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DepoolArguments {
    /// A pool, POOL/ENDPOINT or POLICY/TARGET; `*` and `?` stand for any text and any character
    #[arg(value_name = "PATTERN")]
    pub(in crate::cli) pattern: String,
    /// Only in these zones; may have `*` and `?` [default: all]
    #[arg(long, value_name = "ZONE")]
    pub(in crate::cli) zone: Option<String>,
    /// Why, for those who wonder later
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) reason: String,
    /// Who says so [default: the user's name]
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) author: Option<String>,
    /// End by itself after this time, such as 30m or 12h [default: only `meridian repool` ends it]
    #[arg(long = "for", value_name = "TIME", value_parser = length)]
    pub(in crate::cli) lasts: Option<String>,
    /// Take away this share of the draws per minute until it is down, such as 10%
    #[arg(long, value_name = "SHARE", value_parser = percent, conflicts_with = "up")]
    pub(in crate::cli) drain: Option<f64>,
    /// Count it as up instead, whatever its checks say
    #[arg(long)]
    pub(in crate::cli) up: bool,
    #[command(flatten)]
    pub(in crate::cli) control: ControlArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RepoolArguments {
    /// The number of an override, or its pattern as it was typed
    #[arg(value_name = "ID|PATTERN")]
    pub(in crate::cli) what: String,
    #[command(flatten)]
    pub(in crate::cli) control: ControlArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct OverridesArguments {
    #[command(flatten)]
    pub(in crate::cli) control: ControlArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct HealthArguments {
    #[command(flatten)]
    pub(in crate::cli) control: ControlArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ReportArguments {
    /// The external check
    #[arg(value_name = "ZONE/CHECK")]
    pub(in crate::cli) check: String,
    /// How it is
    #[arg(value_name = "STATE", value_enum)]
    pub(in crate::cli) how: StateArgument,
    /// Of this endpoint only
    #[arg(long, value_name = "ADDR")]
    pub(in crate::cli) address: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(in crate::cli) reason: String,
    #[command(flatten)]
    pub(in crate::cli) control: ControlArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum StateArgument {
    Up,
    Down,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ConfirmArguments {
    /// What waits: a target as `meridian health` prints it, or its pool as ZONE/POOL; `*` and `?` stand for any text and any character
    #[arg(value_name = "PATTERN")]
    pub(in crate::cli) pattern: String,
    #[command(flatten)]
    pub(in crate::cli) control: ControlArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct EventsArguments {
    /// Those after this number, the first ones of them [default: the last ones of all]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) since: Option<u64>,
    /// How many at most [default: 100]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) limit: Option<usize>,
    #[command(flatten)]
    pub(in crate::cli) control: ControlArguments,
}

/// A time, kept as it was typed: the server reads it again.
fn length(text: &str) -> Result<String, String> {
    match duration(text)? {
        Duration::ZERO => Err("write a time such as 90s, 2m or 1h".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    number
        .filter(|percent| (0.1..=1000.0).contains(percent))
        .ok_or_else(|| format!("`{text}` is no share: write 0.1% to 1000%"))
}
