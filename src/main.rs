//! The program. Everything is in the library; this file only chooses the allocator.

use std::process::ExitCode;

/// Control-plane work allocates a lot at each reload; queries allocate nothing.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    meridian::cli::main()
}
