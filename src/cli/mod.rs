//! The command line: what can be typed, and which part of the program it runs.

mod args;
mod assume;
mod check;
mod crowd;
mod diff;
mod explain;
mod healthcheck;
mod import;
mod operate;
mod reload;
mod simulate;
mod table;
mod test;
mod time;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::app::{Settings, begin_log, complain, end_log, serve};
use crate::sys::forget_empty_variables;
use args::{Arguments, Command, ServeArguments};

/// How long tasks may take to end with the server.
const FAREWELL: Duration = Duration::from_millis(200);

/// Exit code for an error.
const FAILURE: u8 = 1;

/// Exit code for "changes pending"; clap's usage errors have it too.
const CHANGES: u8 = 2;

/// Runs what the command line asks for.
pub fn main() -> ExitCode {
    forget_empty_variables("MERIDIAN_");
    let Arguments { command, serve } = Arguments::parse();
    let result = match command {
        None => run_server(serve),
        Some(Command::Serve(serve)) => run_server(serve),
        Some(Command::Check(arguments)) => check::run(&arguments),
        Some(Command::Explain(arguments)) => explain::run(&arguments),
        Some(Command::Simulate(arguments)) => simulate::run(&arguments),
        Some(Command::Diff(arguments)) => diff::run(&arguments),
        Some(Command::Reload(arguments)) => reload::run(&arguments),
        Some(Command::Depool(arguments)) => operate::depool(arguments),
        Some(Command::Repool(arguments)) => operate::repool(&arguments),
        Some(Command::Overrides(arguments)) => operate::overrides(&arguments),
        Some(Command::Report(arguments)) => operate::report(arguments),
        Some(Command::Confirm(arguments)) => operate::confirm(arguments),
        Some(Command::Health(arguments)) => operate::health(&arguments),
        Some(Command::Events(arguments)) => operate::events(&arguments),
        Some(Command::Test(arguments)) => test::run(&arguments),
        Some(Command::Import(arguments)) => import::run(&arguments.command),
        Some(Command::Healthcheck(arguments)) => healthcheck::run(&arguments),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            complain(&format!("error: {error}\n"));
            ExitCode::from(FAILURE)
        }
    }
}

/// An error that is shown to the user and ends the program.
type CommandError = Box<dyn std::error::Error>;
type CommandResult = Result<ExitCode, CommandError>;

fn run_server(arguments: ServeArguments) -> CommandResult {
    let settings = Settings::resolve(arguments.typed())?;
    let (log_loss, log) = begin_log();
    let runtime = runtime()?;
    let result = runtime.block_on(serve(settings, log_loss));
    // A reload or a name look-up that is still under way is not waited for.
    runtime.shutdown_timeout(FAREWELL);
    end_log(log);
    result?;
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("meridian").build()
}
