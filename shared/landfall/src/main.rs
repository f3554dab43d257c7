//! `landfall`: runs the functions on local files.
//!
//! The exit status is 0 if all is well, 1 if it is not (a file does not pass, a table is not built, the metadata is
//! wrong), and 2 if the command is wrong or cannot be carried out.

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
