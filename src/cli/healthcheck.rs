//! `meridian healthcheck`: for container engines, so that an image needs neither a shell nor curl.

use std::process::ExitCode;

use super::args::HealthcheckArguments;
use super::{CommandResult, runtime};
use crate::admin::fetch;
use crate::app::Settings;

pub(super) fn run(arguments: &HealthcheckArguments) -> CommandResult {
    let admin = Settings::resolve(arguments.typed())?.admin;
    // A server that listens everywhere is asked on loopback.
    let address = match admin.ip() {
        ip if ip.is_unspecified() && ip.is_ipv4() => ([127, 0, 0, 1], admin.port()).into(),
        ip if ip.is_unspecified() => (std::net::Ipv6Addr::LOCALHOST, admin.port()).into(),
        _ => admin,
    };
    let (status, body) = runtime()?.block_on(fetch(address, "/health"))?;
    match status {
        200 => Ok(ExitCode::SUCCESS),
        _ => Err(format!("http://{address}/health answered {status}: {}", body.trim()).into()),
    }
}
