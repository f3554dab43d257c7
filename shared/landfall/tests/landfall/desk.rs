//! A temporary folder with metadata and files, in which `landfall` runs.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) struct Desk(TempDir);

/// The result of a command: its exit status (`None` if a signal ended it) and its output.
#[derive(Debug)]
pub(crate) struct Ended {
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        let database = json!({"name": "d", "bucket": "b", "base_folder": "f", "description": "d"});
        desk.write("meta_data/curated/database.json", &database.to_string());
        desk
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes the metadata of a table of `stage`. Each column is `name type`, or `name type not null`. The keys of
    /// `more` are merged in.
    pub(crate) fn table(&self, stage: &str, name: &str, columns: &[&str], more: Value) {
        let column = |text: &&str| {
            let (name, rest) = text.split_once(' ').unwrap();
            let column_type = rest.trim_end_matches(" not null");
            json!({"name": name, "type": column_type, "description": "", "nullable": !rest.ends_with(" not null")})
        };
        let columns: Vec<Value> = columns.iter().map(column).collect();
        let format = if stage == "curated" { "parquet" } else { "json" };
        let mut table =
            json!({"name": name, "description": "", "location": name, "data_format": format, "columns": columns});
        for (key, value) in more.as_object().into_iter().flatten() {
            table[key] = value.clone();
        }
        self.write(&format!("meta_data/{stage}/{name}.json"), &table.to_string());
    }

    pub(crate) fn sql(&self, stage: &str, name: &str, sql: &str) {
        self.write(&format!("meta_data/{stage}/{name}.sql"), sql);
    }

    /// Runs `landfall` in the folder and waits for its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        let ended = self.command(arguments).output().unwrap();
        Ended::of(ended)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
        command.args(arguments).current_dir(self.0.path());
        command
    }
}

impl Ended {
    fn of(ended: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { status: ended.status.code(), out: text(ended.stdout), err: text(ended.stderr) }
    }
}
