//! The program `trefoil-monitor`: the allocator, and the command line. What each subcommand does is in `cli`.

mod cli;

// A tenth of what an entry costs is memory taken and given back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::main()
}
