//! `landfall`: what the functions do, on files of this machine.
//!
//! Ends with 0 if all is well, 1 if it is not (a file does not pass, a table is not built, metadata is wrong), and 2
//! for a wrong command or what could not be found out.

mod arguments;
mod output;
mod progress;
mod run;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;

fn main() -> ExitCode {
    boot::panics::tell_places();
    run::run(Arguments::parse())
}
