//! The commands: the functions' own code, applied to local files.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::CommandFactory;
use contract::{Failure, visible_lines};
use curate::command::{Folders, Work};

use crate::arguments::{
    self, Arguments, Check, Command, Define, NewTable, Process, Settings, Tables, Validate, Verify,
};
use crate::output::{End, complain, print, print_verdict, warn};
use crate::progress::Progress;

/// Runs the command, reports the result and returns the exit status.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let end = match arguments.command {
        Command::Validate(asked) => validate(asked),
        Command::NewTable(asked) => new_table(asked),
        Command::Check(asked) => check(asked),
        Command::Tables(asked) => tables(asked),
        Command::Process(asked) => process(asked),
        Command::Verify(asked) => verify(asked),
        Command::Define(asked) => define(asked),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "landfall", &mut text);
            printed(print(&String::from_utf8_lossy(&text)), End::Well)
        }
    };
    end.into()
}

fn printed(done: io::Result<()>, end: End) -> End {
    match done {
        Ok(()) => end,
        Err(error) => {
            complain(format!("the answer cannot be printed: {error}"));
            End::Cannot
        }
    }
}

fn cannot(message: &str) -> End {
    complain(visible_lines(message));
    End::Cannot
}

fn warnings(warnings: &[String]) {
    warnings.iter().for_each(|warning| warn(visible_lines(warning)));
}

fn validate(asked: Validate) -> End {
    let (as_json, file) = (asked.json, asked.file.display().to_string());
    let request = validate::command::Request {
        file: asked.file,
        table: asked.table,
        meta_data: asked.meta_data.meta_data,
        key: asked.key,
    };
    let (read, bytes) = (Arc::<AtomicU64>::default(), std::fs::metadata(&request.file).map_or(0, |about| about.len()));
    let checked = {
        let seen = Arc::clone(&read);
        let _progress = Progress::new(format!("checking {file}"), move || Some((seen.load(Ordering::Relaxed), bytes)));
        validate::command::check(&request, &read)
    };
    match checked {
        Ok(checked) => {
            warnings(&checked.warnings);
            let text = if as_json { print(&checked.json) } else { print_verdict(&checked.text, checked.passed) };
            printed(text, End::of(checked.passed))
        }
        Err(message) => cannot(&message),
    }
}

fn new_table(asked: NewTable) -> End {
    let (file, meta_data) = (asked.file, asked.meta_data.meta_data);
    let doing = format!("looking at {}", file.display());
    let request = validate::describe::Request { file, table: asked.table, meta_data, dry_run: asked.dry_run };
    let described = {
        let _progress = Progress::new(doing, || None);
        validate::describe::run(&request)
    };
    match described {
        Ok((text, passes)) => printed(print(&visible_lines(&text)), End::of(passes)),
        Err(message) => cannot(&message),
    }
}

fn check(asked: Check) -> End {
    let folder = asked.meta_data.meta_data;
    let by_itself = match validate::command::check_metadata(&folder) {
        Ok((text, found)) => {
            warnings(&found);
            text
        }
        Err(problems) => {
            complain(visible_lines(&problems));
            return End::NotWell;
        }
    };
    let checking = {
        let _progress = Progress::new("planning all SQL".into(), || None);
        curate::command::check(&folder, &asked.table)
    };
    match checking {
        Ok(checked) => {
            checked.problems().iter().for_each(|problem| complain(visible_lines(problem)));
            printed(print(&format!("{by_itself}\n{}\n", checked.said())), End::of(checked.failed.is_empty()))
        }
        Err(failure) => failed(&failure),
    }
}

fn failed(failure: &Failure) -> End {
    complain(visible_lines(&format!("{}: {failure}", failure.kind.name())));
    End::NotWell
}

fn work(settings: Settings, folders: Folders) -> Work {
    Work {
        folders,
        meta_data: settings.meta_data.meta_data,
        dea_version: settings.dea_version,
        memory_megabytes: settings.memory as usize,
        threads: settings.threads.map(|threads| threads as usize),
    }
}

fn folders(asked: arguments::Folders) -> Folders {
    Folders { raw_hist: Some(asked.raw_hist), raw: asked.raw, processed: asked.processed, curated: Some(asked.curated) }
}

fn answer(done: Result<curate::command::Answer, Failure>) -> End {
    match done {
        Ok(answer) => {
            warnings(&answer.warnings);
            answer.told.iter().for_each(|told| complain(visible_lines(told)));
            printed(print(&format!("{:#}\n", answer.json)), End::of(answer.well))
        }
        Err(failure) => failed(&failure),
    }
}

fn tables(asked: Tables) -> End {
    let request = contract::message::RebuildRequest {
        tables: asked.table,
        snapshot_date: asked.snapshot_date,
        as_of: asked.as_of,
        from_scratch: asked.from_scratch,
        ..Default::default()
    };
    let work = work(asked.settings, folders(asked.folders));
    let _progress = Progress::new("building".into(), || None);
    answer(curate::command::build(&work, &request))
}

fn process(asked: Process) -> End {
    let folders = Folders { raw: Some(asked.raw), processed: Some(asked.processed), ..Folders::default() };
    let work = work(asked.settings, folders);
    let _progress = Progress::new("processing".into(), || None);
    answer(curate::command::process(&work))
}

fn verify(asked: Verify) -> End {
    let work = work(asked.settings, folders(asked.folders));
    let _progress = Progress::new(format!("building run {} again", asked.run), || None);
    answer(curate::command::verify(&work, &asked.run))
}

fn define(asked: Define) -> End {
    let request =
        catalog::command::Request { table: asked.table, raw: asked.raw, meta_data: asked.meta_data.meta_data };
    match catalog::command::define(&request) {
        Ok((text, found)) => {
            warnings(&found);
            printed(print(&text), End::Well)
        }
        Err(message) => cannot(&message),
    }
}
