//! A contestant: a program, and the command that runs it on one job.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Fault;
use crate::process::{Run, run};

/// A program that does jobs of one kind.
pub struct Contestant<J> {
    /// The contestant's name in the tables of figures.
    pub name: &'static str,
    /// Whether it takes part in the first round only if the job is large.
    pub slow: bool,
    command: Box<dyn Fn(&J) -> Command>,
    output: PathBuf,
}

impl<J> Contestant<J> {
    /// Creates a contestant whose output goes to a file in the scratch folder.
    pub fn new(name: &'static str, scratch: &Path, command: impl Fn(&J) -> Command + 'static) -> Self {
        Self { name, slow: false, command: Box::new(command), output: scratch.join(format!("{name}.out")) }
    }

    /// Limits a slow contestant to the first round of large jobs.
    #[must_use]
    pub fn slow(self) -> Self {
        Self { slow: true, ..self }
    }

    /// Runs the job once, whatever the exit code.
    pub fn run(&self, job: &J) -> Result<Run, Fault> {
        let mut command = (self.command)(job);
        run(&mut command, &self.output).map_err(|error| format!("{}: {error}", command.get_program().display()).into())
    }

    /// Runs the job once and fails unless the exit code is 0.
    pub fn pass(&self, job: &J) -> Result<Run, Fault> {
        let run = self.run(job)?;
        if run.exit == Some(0) {
            return Ok(run);
        }
        let command = (self.command)(job);
        Err(format!("{} ended with {:?}:\n{command:?}\n{}", self.name, run.exit, self.printed()).into())
    }

    /// Returns the output of the latest run.
    pub fn printed(&self) -> String {
        fs::read_to_string(&self.output).unwrap_or_default()
    }
}

/// Returns the command of a Python script in `tests/compare`, without arguments.
pub fn script(name: &str, python: &Path) -> Command {
    let mut command = Command::new(python);
    command.arg(Path::new(crate::CHECKOUT).join("tests/compare").join(name));
    command
}

/// Returns the subcommand's present name for `landfall`, or its former name for an earlier binary.
pub fn verb(program: &Path, now: &'static str, before: &'static str) -> &'static str {
    if program.file_name().is_some_and(|name| name.to_string_lossy().starts_with("landfall")) { now } else { before }
}
