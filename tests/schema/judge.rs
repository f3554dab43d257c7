//! The verdicts of the schema and of the reader on a file, with the places of the problems.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use contract::{MetaData, Problem};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::unsaid;

/// Returns the path of a file in the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

pub fn json_file(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn validator(name: &str) -> Validator {
    jsonschema::draft202012::new(&json_file(&repository("docs/schema").join(name))).unwrap()
}

static TABLE: LazyLock<Validator> = LazyLock::new(|| validator("table.json"));
static DATABASE: LazyLock<Validator> = LazyLock::new(|| validator("database.json"));

/// The kind of a metadata file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Raw,
    Curated,
    Database,
}

/// A valid database file.
pub fn database() -> Value {
    json!({"name": "d", "bucket": "b", "base_folder": "f", "description": "d"})
}

/// Returns the invalid places by the schema, in the reader's notation: `columns[0].type`.
pub fn schema(kind: Kind, file: &Value) -> Vec<String> {
    let validator = if kind == Kind::Database { &DATABASE } else { &TABLE };
    let place = |pointer: &str| {
        let mut place = String::new();
        for part in pointer.split('/').skip(1) {
            match part.parse::<usize>() {
                Ok(n) => place.push_str(&format!("[{n}]")),
                Err(_) if place.is_empty() => place.push_str(part),
                Err(_) => place.push_str(&format!(".{part}")),
            }
        }
        place
    };
    validator.iter_errors(file).map(|error| place(error.instance_path().as_str())).collect()
}

/// Returns the problems that the reader finds in the file. It is written as `t.json`.
pub fn reader(kind: Kind, file: &Value) -> Vec<Problem> {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| fs::write(folder.path().join(path), text).unwrap();
    for area in ["raw", "curated"] {
        fs::create_dir(folder.path().join(area)).unwrap();
    }
    write("curated/database.json", &database().to_string());
    match kind {
        Kind::Raw => write("raw/t.json", &file.to_string()),
        Kind::Curated => {
            write("curated/t.json", &file.to_string());
            write("curated/t.sql", "SELECT 1");
        }
        Kind::Database => write("curated/database.json", &file.to_string()),
    }
    MetaData::read(folder.path()).err().map(|problems| problems.0).unwrap_or_default()
}

/// The common verdict of schema and reader.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Taken,
    Refused,
    /// Refused by the reader only, for these rules that the schema cannot express.
    Unsaid(Vec<&'static str>),
}

/// Judges a file with the schema and the reader. Returns their common verdict, or a description of their disagreement.
pub fn judge(kind: Kind, file: &Value) -> Result<Verdict, String> {
    let (places, problems) = (schema(kind, file), reader(kind, file));
    let differ = |how: &str| {
        let said: Vec<_> = problems.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect();
        Err(format!("{how}\n{kind:?} {file}\nthe schema: {places:?}\nthe reader: {said:#?}"))
    };
    if places.is_empty() {
        let broken: Option<Vec<_>> = problems.iter().map(|problem| unsaid::rule(problem, file)).collect();
        return match broken {
            Some(broken) if broken.is_empty() => Ok(Verdict::Taken),
            Some(broken) => Ok(Verdict::Unsaid(broken)),
            None => differ("the schema takes what the reader refuses"),
        };
    }
    let is_same = |one: &str, other: &str| one.starts_with(other) || other.starts_with(one);
    if problems.iter().any(|problem| places.iter().any(|place| is_same(place, &problem.path))) {
        return Ok(Verdict::Refused);
    }
    differ(if problems.is_empty() {
        "the reader takes what the schema refuses"
    } else {
        "they refuse different places"
    })
}
