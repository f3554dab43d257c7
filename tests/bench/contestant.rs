//! Who takes part: a program, and how it is started for one job.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Fault;
use crate::process::{Run, run};

/// A program that does jobs of one kind.
pub struct Contestant<J> {
    /// What the tables call it.
    pub name: &'static str,
    /// So slow that it takes part in the first round only when the job is large.
    pub slow: bool,
    command: Box<dyn Fn(&J) -> Command>,
    output: PathBuf,
}

impl<J> Contestant<J> {
    /// What it prints goes to a file in a scratch folder.
    pub fn new(name: &'static str, scratch: &Path, command: impl Fn(&J) -> Command + 'static) -> Self {
        Self { name, slow: false, command: Box::new(command), output: scratch.join(format!("{name}.out")) }
    }

    /// Takes part in the first round only when the job is large.
    #[must_use]
    pub fn slow(self) -> Self {
        Self { slow: true, ..self }
    }

    /// One run, however it ends.
    pub fn run(&self, job: &J) -> Result<Run, Fault> {
        let mut command = (self.command)(job);
        run(&mut command, &self.output).map_err(|error| format!("{}: {error}", command.get_program().display()).into())
    }

    /// One run that must end well.
    pub fn pass(&self, job: &J) -> Result<Run, Fault> {
        let run = self.run(job)?;
        if run.exit == Some(0) {
            return Ok(run);
        }
        let command = (self.command)(job);
        Err(format!("{} ended with {:?}:\n{command:?}\n{}", self.name, run.exit, self.printed()).into())
    }

    /// What the latest run printed.
    pub fn printed(&self) -> String {
        fs::read_to_string(&self.output).unwrap_or_default()
    }
}

/// A Python script of `tests/compare`; its arguments are to be added.
pub fn script(name: &str, python: &Path) -> Command {
    let mut command = Command::new(python);
    command.arg(Path::new(crate::CHECKOUT).join("tests/compare").join(name));
    command
}

/// What an earlier build of ours called what `landfall` calls otherwise.
pub fn verb(program: &Path, now: &'static str, before: &'static str) -> &'static str {
    if program.file_name().is_some_and(|name| name.to_string_lossy().starts_with("landfall")) { now } else { before }
}
