//! Writes a metadata folder and reads it.

use std::fs;
use std::path::Path;

use contract::{MetaData, Problem, Table};
use serde_json::{Value, json};

/// Returns a curated database in the form of etl_manager's `database.json`.
pub(crate) fn database() -> Value {
    json!({"name": "workforce", "bucket": "my-bucket", "base_folder": "database/database1", "description": "Example"})
}

/// Reads files, given with their paths in the folder. Each problem or warning is `<file>: <path>: <message>`.
pub(crate) fn read(files: &[(&str, &Value)]) -> Result<MetaData, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    for name in ["raw", "curated"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    for (path, content) in files {
        let text = content.as_str().map_or_else(|| content.to_string(), str::to_owned);
        fs::write(folder.path().join(path), text).unwrap();
    }
    let mut metadata = MetaData::read(folder.path())
        .map_err(|problems| problems.0.iter().map(|one| shown(folder.path(), one)).collect::<Vec<_>>())?;
    for warning in &mut metadata.warnings.0 {
        warning.file = warning.file.strip_prefix(folder.path()).unwrap().to_owned();
    }
    Ok(metadata)
}

fn shown(folder: &Path, problem: &Problem) -> String {
    let file = problem.file.strip_prefix(folder).unwrap_or(&problem.file);
    format!("{}: {}: {}", file.display(), problem.path, problem.message)
}

/// Reads a table in `raw` or `curated`. Returns the table and its warnings, or the problems.
pub(crate) fn read_table(area: &str, table: &Value) -> Result<(Table, Vec<String>), Vec<String>> {
    let name = table["name"].as_str().unwrap();
    let (path, sql) = (format!("{area}/{name}.json"), format!("{area}/{name}.sql"));
    let (database, select) = (database(), json!("SELECT 1"));
    let mut files = vec![("curated/database.json", &database), (path.as_str(), table)];
    if area == "curated" {
        files.push((&sql, &select));
    }
    let mut metadata = read(&files)?;
    let tables = if area == "raw" { &mut metadata.raw } else { &mut metadata.curated };
    let warnings = metadata.warnings.0.iter().map(ToString::to_string).collect();
    Ok((tables.remove(name).unwrap(), warnings))
}
