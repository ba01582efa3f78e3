//! What a panic means: the end of the process, but for the threads that probe and the one that writes the state directory.
//!
//! A thread that answers queries and is gone would leave its socket silent; so the process ends, and whoever supervises it starts
//! it anew, with what it knew. A probe is not worth that: its task is started again, and the answers go on
//! ([`THREAD_NAME`]).

use std::panic;
use std::process::abort;
use std::thread;
use std::time::Duration;

use crate::probe::THREAD_NAME;
use crate::store::STATE_THREAD_NAME;

/// What the thread that writes the log is left before the end.
const FAREWELL: Duration = Duration::from_millis(100);

/// To be called once, before there are threads.
pub(super) fn end_at_panics() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |panicked| {
        print(panicked);
        let name = thread::current().name().map(str::to_owned);
        if !name.is_some_and(|name| name == THREAD_NAME || name == STATE_THREAD_NAME) {
            // The last lines of the log are on their way.
            thread::sleep(FAREWELL);
            abort();
        }
    }));
}
