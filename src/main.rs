//! The `understudy` command.

fn main() -> std::process::ExitCode {
    understudy::native::cli::main()
}
