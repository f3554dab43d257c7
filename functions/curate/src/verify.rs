//! Builds a run again under a scratch prefix, from the same files and with the same version, and compares the digests.
//! This proves that analysts query exactly what raw-hist and the SQL give.

use std::collections::BTreeMap;

use contract::message::{RebuildRequest, VerifyResponse};
use contract::{Failure, Manifest, MetaData, OutputFile, TableOutput};

use crate::area::Area;
use crate::areas::Areas;
use crate::run::Run;
use crate::settings::Settings;

/// The prefix that runs are built again under. The bucket's lifecycle rule empties it.
pub const SCRATCH: &str = "_verify/";
/// The most differences reported.
const TOLD: usize = 10;

/// Builds a run (or, for `latest`, the last one) again and compares the files.
///
/// # Errors
/// Fails if the run cannot be built again.
pub async fn verify(
    metadata: &MetaData,
    settings: &Settings,
    areas: &Areas,
    run: &str,
) -> Result<VerifyResponse, Failure> {
    let manifest = find(metadata, &areas.curated, run).await?;
    for (what, then, now) in [
        ("version", &manifest.dea_version, &settings.dea_version),
        ("metadata and SQL (SHA-256)", &manifest.metadata_sha256, &metadata.sha256),
    ] {
        if then != now {
            return Err(Failure::bad_input(format!(
                "run {} was built with {what} {then}, this is {now}: verify it with the version that built it",
                manifest.run
            )));
        }
    }
    // files that a run copied from an earlier one, or left in place, belong to that one
    let has_new_rows = |table: &&TableOutput| table.appended.as_ref().is_none_or(|appended| !appended.added.is_empty());
    let own = manifest.tables.iter().filter(has_new_rows);
    let request = RebuildRequest {
        tables: own.clone().map(|table| table.table.clone()).collect(),
        snapshot_date: Some(manifest.snapshot_date.clone()),
        ..RebuildRequest::default()
    };
    // a new folder each time: another attempt may have left files, and nothing is ever overwritten
    let scratch = format!("{SCRATCH}{}/{}/", manifest.run, chrono::Utc::now().format("%Y%m%dT%H%M%S%3fZ"));
    let (tables, hidden) = if request.tables.is_empty() {
        Default::default()
    } else {
        Run::again(metadata, settings, &request, &manifest)?.build_again(areas, &scratch).await?
    };
    let expected = digests(
        &manifest.run.to_string(),
        own.clone().flat_map(|table| table.files.iter().filter(|file| file.copied_from.is_none())),
    );
    let found = digests(&scratch, tables.iter().flat_map(|table| &table.files));
    let of_hidden = own.clone().chain(&tables).filter(|table| hidden.contains(&table.table));
    let of_hidden: BTreeMap<&str, &str> =
        of_hidden.flat_map(|table| table.files.iter().map(|file| (file.key.as_str(), table.table.as_str()))).collect();
    let name = |file: &OutputFile| match of_hidden.get(file.key.as_str()) {
        Some(table) => {
            format!("a file of table `{table}`, in a partition that is hidden (a column of it is sensitive)")
        }
        None => areas.curated.url(&file.key),
    };
    let mut differences = Vec::new();
    for (place, file) in &expected {
        match found.get(place) {
            None => differences.push(format!("{}: not built again", name(file))),
            Some(other) if (&other.sha256, other.rows) != (&file.sha256, file.rows) => differences.push(format!(
                "{}: {} rows, SHA-256 {}; built again as {}: {} rows, {}",
                name(file),
                file.rows,
                file.sha256,
                name(other),
                other.rows,
                other.sha256
            )),
            Some(_) => {}
        }
    }
    for (_, file) in found.iter().filter(|(place, _)| !expected.contains_key(*place)) {
        differences.push(format!("{}: not in the run", name(file)));
    }
    let same = differences.is_empty();
    tracing::info!(run = %manifest.run, files = expected.len(), same, "run built again");
    differences.truncate(TOLD);
    Ok(VerifyResponse {
        run: manifest.run,
        same,
        files: expected.len() as u64,
        rows: expected.values().map(|file| file.rows).sum(),
        differences,
        built_at: areas.curated.url(&scratch),
    })
}

/// Returns the files by their key without the run or the scratch prefix, which is all that may differ.
fn digests<'a>(run: &str, files: impl Iterator<Item = &'a OutputFile>) -> BTreeMap<String, &'a OutputFile> {
    let marker = run.trim_end_matches('/');
    files
        .map(|file| {
            let name = match file.key.strip_prefix(run) {
                Some(scratch) => scratch.to_owned(),
                None => file.key.replacen(&format!("{marker}/"), "", 1),
            };
            (name, file)
        })
        .collect()
}

async fn find(metadata: &MetaData, curated: &Area, run: &str) -> Result<Manifest, Failure> {
    let folder = metadata.database.manifests();
    let key = match run {
        "latest" => {
            let listed = curated.list(&folder).await?;
            let last = listed.into_iter().map(|object| object.key).filter(|key| key.ends_with(".json")).max();
            last.ok_or_else(|| Failure::not_found(format!("no run under {}", curated.url(&folder))))?
        }
        run => format!("{folder}{run}.json"),
    };
    let url = curated.url(&key);
    let text = curated.read_whole(&key).await?.ok_or_else(|| {
        Failure::not_found(format!("there is no manifest {url}: the run was not finished, or was deleted"))
    })?;
    serde_json::from_slice(&text).map_err(|error| Failure::bad_data(format!("{url} cannot be read: {error}")))
}
