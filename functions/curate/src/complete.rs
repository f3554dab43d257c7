//! Completes the runs of `self_contained` tables, which write only some of the partitions. The others are copied within
//! S3 to the run's folder. A reader that only knows the table's location then reads the whole table and nothing else.

use std::collections::{BTreeMap, HashSet};

use contract::{
    Completed, CopiedPartition, Failure, Manifest, MetaData, OutputFile, PartitionOutput, Replaces, RunId, Table,
    TableOutput,
};
use futures::{FutureExt, StreamExt, TryStreamExt};

use crate::area::Area;
use crate::published::{self, PublishedPartition, PublishedTable};
use crate::write;

/// The number of files to copy, or of manifests to read, at once.
const AT_ONCE: usize = 8;
/// The most files of a table that a run copies: at 8 at once, and some 100 ms each, two minutes.
const MAXIMUM_FILES: usize = 10_000;
/// The most bytes of these files. S3 copies each file at some 100 MB a second.
const MAXIMUM_BYTES: u64 = 100 << 30;

/// A file to copy.
pub(crate) struct Copy {
    /// The file as it exists.
    pub file: OutputFile,
    /// The key of the copy.
    pub key: String,
}

/// Copies files and returns the copies in the same order. If a `self_contained` table has too many, nothing is copied.
pub(crate) async fn copy(area: &Area, table: &Table, copies: Vec<Copy>) -> Result<Vec<OutputFile>, Failure> {
    let (files, bytes) = (copies.len(), copies.iter().map(|copy| copy.file.bytes).sum::<u64>());
    if table.self_contained && (files > MAXIMUM_FILES || bytes > MAXIMUM_BYTES) {
        return Err(too_large(table, files, bytes));
    }
    // boxed, because the compiler cannot see otherwise that the futures are `Send`
    let copies: Vec<_> = copies.into_iter().map(|copy| copy.make(area).boxed()).collect();
    futures::stream::iter(copies).buffered(AT_ONCE).try_collect().await
}

impl Copy {
    async fn make(self, area: &Area) -> Result<OutputFile, Failure> {
        let Self { file, key } = self;
        area.copy(&file.key, file.bytes, &key).await?;
        Ok(OutputFile { key, copied_from: Some(file.key), ..file })
    }
}

fn too_large(table: &Table, files: usize, bytes: u64) -> Failure {
    Failure::too_large(format!(
        "table `{}` is `self_contained`: {files} files of {} MiB in partitions that stay would be copied by each run, \
         and at most {MAXIMUM_FILES} files of {} MiB are. Take `self_contained` out of {}: then partitions stay where \
         they are, and the table is read through the catalog (docs/reading.md); or make fewer and larger partitions",
        table.name,
        bytes >> 20,
        MAXIMUM_BYTES >> 20,
        table.file.display()
    ))
}

/// Copies every partition of the published table that the run did not write.
pub(crate) async fn complete(
    area: &Area,
    metadata: &MetaData,
    table: &Table,
    folder: &str,
    published: Option<PublishedTable>,
    output: TableOutput,
) -> Result<TableOutput, Failure> {
    let hides = output.hides_partitions;
    let completed = copied(area, metadata, table, folder, published, output).await;
    completed.map_err(|failure| if hides { write::without_partition(table, &failure) } else { failure })
}

async fn copied(
    area: &Area,
    metadata: &MetaData,
    table: &Table,
    folder: &str,
    published: Option<PublishedTable>,
    mut output: TableOutput,
) -> Result<TableOutput, Failure> {
    // a table that no run made is replaced as a whole
    let published = published.filter(|published| published.run().is_some());
    let base = published.as_ref().and_then(PublishedTable::run);
    let written: HashSet<&Vec<String>> = output.partitions.iter().map(|partition| &partition.values).collect();
    let mut kept = published.map(|published| published.partitions).unwrap_or_default();
    kept.retain(|partition| !written.contains(&partition.values));
    let files = files(area, metadata, table, &kept).await?;
    let mut copies = Vec::new();
    let mut completed = Completed { base, copied: Vec::new() };
    for (partition, files) in kept.into_iter().zip(files) {
        let (Some((_, place)), Some(written_by)) = (partition.place(), partition.written_by()) else { continue };
        output.partitions.push(PartitionOutput {
            values: partition.values.clone(),
            location: area.url(&format!("{folder}{place}")),
            rows: files.iter().map(|file| file.rows).sum(),
        });
        copies.extend(files.into_iter().map(|file| {
            let name = file.key.rsplit('/').next().unwrap_or_default();
            Copy { key: format!("{folder}{place}{name}"), file }
        }));
        completed.copied.push(CopiedPartition { values: partition.values, from: partition.location, written_by });
    }
    let copies = copy(area, table, copies).await?;
    output.rows += copies.iter().map(|file| file.rows).sum::<u64>();
    output.bytes += copies.iter().map(|file| file.bytes).sum::<u64>();
    output.files.extend(copies);
    output.partitions.sort_by(|one, other| one.location.cmp(&other.location));
    output.replaces = Replaces::Table;
    output.completed = Some(completed);
    Ok(output)
}

/// Returns the files of each partition, from the manifests of the runs whose folders they are in.
async fn files(
    area: &Area,
    metadata: &MetaData,
    table: &Table,
    partitions: &[PublishedPartition],
) -> Result<Vec<Vec<OutputFile>>, Failure> {
    let places = partitions.iter().map(|partition| partition.place().ok_or_else(|| lost(table, partition)));
    let places: Vec<(RunId, String)> = places.collect::<Result<_, _>>()?;
    let runs: HashSet<&RunId> = places.iter().map(|(run, _)| run).collect();
    let manifests: Vec<_> =
        runs.into_iter().map(|run| files_of_run(area, metadata, table, run.clone()).boxed()).collect();
    let mut of_runs: BTreeMap<RunId, ByFolder> =
        futures::stream::iter(manifests).buffer_unordered(AT_ONCE).try_collect().await?;
    let files = partitions.iter().zip(&places).map(|(partition, (run, _))| {
        let of_run = of_runs.get_mut(run);
        let files = of_run.and_then(|files| files.remove(partition.location.trim_end_matches('/')));
        files.ok_or_else(|| lost(table, partition))
    });
    files.collect()
}

/// Files by the location of their folder, without a slash at its end.
type ByFolder = BTreeMap<String, Vec<OutputFile>>;

/// Returns the files of a table in a run's manifest, by folder.
async fn files_of_run(
    area: &Area,
    metadata: &MetaData,
    table: &Table,
    run: RunId,
) -> Result<(RunId, ByFolder), Failure> {
    let key = metadata.database.manifest(&run);
    let manifest: Option<Manifest> = published::read(area, &key).await?;
    let mut outputs = manifest.into_iter().flat_map(|manifest| manifest.tables);
    let mut files = ByFolder::new();
    for file in outputs.find(|output| output.table == table.name).into_iter().flat_map(|output| output.files) {
        let folder = file.key.rsplit_once('/').map_or("", |(folder, _)| folder);
        files.entry(area.url(folder)).or_default().push(file);
    }
    Ok((run, files))
}

fn lost(table: &Table, partition: &PublishedPartition) -> Failure {
    Failure::not_found(format!(
        "table `{}` is `self_contained`, and partition {:?} cannot be copied: no manifest has the files of {}. Without \
         `self_contained` it stays where it is; {{\"from_scratch\": true}} builds the table without it",
        table.name, partition.values, partition.location
    ))
}

#[cfg(test)]
mod tests {
    use contract::FailureKind;

    use super::*;

    #[tokio::test]
    async fn too_much_is_refused_before_anything_is_copied() {
        let folder = tempfile::tempdir().unwrap();
        let area = Area::Folder(folder.path().to_owned());
        let metadata =
            MetaData::read(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../meta_data")).unwrap();
        let table = Table { self_contained: true, ..metadata.curated["calculated"].clone() };
        let copies = |files: usize, bytes: u64| {
            let copy = |n: usize| {
                let file =
                    OutputFile { key: format!("a/{n}"), rows: 1, bytes, sha256: String::new(), copied_from: None };
                Copy { key: format!("b/{n}"), file }
            };
            (0..files).map(copy).collect::<Vec<_>>()
        };
        std::fs::create_dir(folder.path().join("a")).unwrap();
        std::fs::write(folder.path().join("a/0"), "x").unwrap();
        let copied = copy(&area, &table, copies(1, 1)).await.unwrap();
        assert_eq!((copied[0].key.as_str(), copied[0].copied_from.as_deref()), ("b/0", Some("a/0")));
        for (files, bytes, told) in
            [(MAXIMUM_FILES + 1, 1, "10001 files of 0 MiB"), (2, MAXIMUM_BYTES, "2 files of 204800 MiB")]
        {
            let failure = copy(&area, &table, copies(files, bytes)).await.unwrap_err();
            assert_eq!(failure.kind, FailureKind::TooLarge);
            assert!(failure.message.contains(told) && failure.message.contains("calculated.json"), "{failure}");
        }
        // other tables have no limit
        let failure = copy(&area, &metadata.curated["calculated"], copies(2, MAXIMUM_BYTES)).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::NotFound);
    }
}
