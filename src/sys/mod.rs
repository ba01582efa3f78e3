//! The system calls that no library wraps as they are needed here. The only module with `unsafe`.
//!
//! [`Batch`] receives and sends many datagrams with one system call each; [`socket`] makes the sockets that it works on;
//! [`random_seed`] asks the operating system for what an outsider must not guess.

mod batch;
mod log;
pub mod socket;

pub use batch::{Batch, Datagram};
pub use log::{LogLoss, open_log};

/// Raises the number of file descriptors that the process may have to what it is allowed at most, and gives that number.
/// The usual default of 1024 is a relic of `select`; probes and TCP clients together want more.
pub fn raise_descriptor_limit() -> std::io::Result<usize> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a `rlimit` that lives until the call returns.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Err(std::io::Error::last_os_error());
    }
    let before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: as above, and the call only reads.
    let raised = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } == 0;
    Ok(usize::try_from(if raised { limit.rlim_cur } else { before }).unwrap_or(usize::MAX))
}

/// Takes variables with this prefix and no value out of the environment: compose files pass on what is not set as empty.
///
/// To be called at the beginning of `main`, before there is a second thread.
pub fn forget_empty_variables(prefix: &str) {
    let is_empty =
        |name: &std::ffi::OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    let names = std::env::vars_os().map(|(name, _)| name);
    for name in names
        .filter(|name| name.as_encoded_bytes().starts_with(prefix.as_bytes()) && is_empty(name))
    {
        // SAFETY: the caller has no other thread that could read the environment meanwhile.
        unsafe { std::env::remove_var(name) };
    }
}

/// Gives memory that was freed back to the operating system. Loading zones takes many times what serving them does, and the
/// allocator would keep it for a while, in which the process looks as if it needed it.
pub fn return_freed_memory() {
    // SAFETY: the allocator may be told so at any time, from any thread.
    unsafe { libmimalloc_sys::mi_collect(true) };
}

/// Lets other threads of this machine go before this one: answers before probes. If the kernel does not want it, nothing happens.
pub fn give_way() {
    // SAFETY: the call takes numbers only; on Linux it is about the calling thread alone.
    let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, PROBE_NICENESS) };
    let _ = set_schedule(libc::SCHED_BATCH, PROBE_NICENESS, 0);
}

/// How much: a thread of this niceness gets about a third of what one without gets where both want all.
const PROBE_NICENESS: libc::c_int = 5;

/// Has this thread run soon after it was woken, for a short time: it interrupts others that are in the middle of their share (EEVDF,
/// Linux 6.12). An older kernel leaves it as it was.
pub fn run_soon() {
    // SAFETY: the call takes a number only; 0 is this thread.
    if unsafe { libc::sched_getscheduler(0) } != libc::SCHED_OTHER {
        // Whoever started the server knows better.
        return;
    }
    // SAFETY: the call takes numbers only. A niceness of -1 looks like an error, and is as good as none.
    let nice = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    let _ = set_schedule(libc::SCHED_OTHER, nice, SHORT_SLICE_NS);
}

/// The shortest share that the kernel gives.
const SHORT_SLICE_NS: u64 = 100_000;

/// As sched_setattr(2) wants it, in its first version.
#[repr(C)]
struct Schedule {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

fn set_schedule(policy: libc::c_int, nice: libc::c_int, runtime: u64) -> std::io::Result<()> {
    let schedule = Schedule {
        size: u32::try_from(size_of::<Schedule>()).unwrap_or(48),
        policy: policy.cast_unsigned(),
        flags: 0,
        nice,
        priority: 0,
        runtime,
        deadline: 0,
        period: 0,
    };
    // SAFETY: the pointer is to a structure of the size that it says, which lives until the call returns; 0 is this thread.
    let result = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const schedule, 0) };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// The kernel's clock begins at boot, and what is remembered may be older: 400 days of room.
const BEFORE_BOOT_MS: u64 = 400 * 86_400_000;

/// Milliseconds on the clock that never goes back; what it began with has no meaning. Asks no kernel (vDSO).
pub fn monotonic_ms() -> u64 {
    BEFORE_BOOT_MS + read_clock(libc::CLOCK_MONOTONIC)
}

/// Milliseconds since the machine was started, and it goes on while the machine sleeps.
pub fn boot_ms() -> u64 {
    read_clock(libc::CLOCK_BOOTTIME)
}

fn read_clock(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a `timespec` that lives until the call returns. It can't fail with these clocks.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1000 + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000_000
}

/// Milliseconds since 1970 in UTC, as the machine's clock has it; 0 before that. It may jump either way.
pub fn unix_ms() -> u64 {
    let age = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    age.map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
}

/// Sixty-four bits from the operating system's generator.
pub fn random_seed() -> std::io::Result<u64> {
    let mut octets = [0u8; 8];
    // SAFETY: the pointer and the length describe `octets`, which lives until the call returns.
    let filled = unsafe { libc::getrandom(octets.as_mut_ptr().cast(), octets.len(), 0) };
    if usize::try_from(filled) == Ok(octets.len()) {
        Ok(u64::from_ne_bytes(octets))
    } else {
        Err(std::io::Error::last_os_error())
    }
}
