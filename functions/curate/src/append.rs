//! Builds tables of mode `append`, to which a run adds only the rows of new files. Each row is made from one raw row,
//! so the result equals that of building from scratch. The published run's files are copied within S3 to the new run's
//! prefix, so that the run is as complete and as immutable as any other. If the table has partitions, only those that
//! receive rows are copied, unless it is `self_contained`. The others stay where they are.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use contract::{
    Appended, ColumnType, Failure, Manifest, OutputFile, PartitionOutput, Replaces, RunId, Table, TableOutput,
    hexadecimal,
};
use sha2::{Digest, Sha256};

use crate::area::Area;
use crate::complete::{self, Copy};
use crate::partition;
use crate::queries::{self, Optimized, from_files, nothing_written};
use crate::query::Query;
use crate::secrecy;
use crate::secrets::Secrets;
use crate::settings::Settings;
use crate::size;
use crate::source::RawTable;
use crate::tables::{Built, Tables};
use crate::transform::BuildPlan;
use crate::write;

/// Small, because the queries are planned but not run.
const MEMORY_BYTES: usize = 1 << 20;

/// The published state of a table, to which rows are added.
#[derive(Debug)]
pub(crate) struct Base {
    run: RunId,
    holds: Vec<String>,
    raw_types: BTreeMap<String, String>,
    /// The files of the table by their folder within it: `day=2026-11-24/`, or empty.
    files: BTreeMap<String, Vec<OutputFile>>,
}

impl Base {
    /// Takes the state from the manifest of the published run. Returns `None` if the table must be built from scratch,
    /// because it is not in that run or its definition has changed.
    pub(crate) fn of(manifest: Manifest, table: &Table) -> Option<Self> {
        let output = manifest.tables.into_iter().find(|output| output.table == table.name)?;
        let appended = output.appended.filter(|appended| appended.definition_sha256 == definition(table))?;
        let mut files: BTreeMap<String, Vec<OutputFile>> = BTreeMap::new();
        for file in output.files.into_iter().chain(appended.kept) {
            files.entry(folder(table, &file.key)).or_default().push(file);
        }
        Some(Self { run: manifest.run, holds: appended.holds, raw_types: appended.raw_types, files })
    }

    /// Whether the rows were read with these raw types. With other types, the same files may give other rows.
    fn was_read_by(&self, raw_types: &BTreeMap<String, String>, table: &str) -> bool {
        let changed = self.raw_types.iter().find(|(column, from)| raw_types.get(*column).is_some_and(|to| to != *from));
        if let Some((column, from)) = changed {
            tracing::warn!(
                table,
                column,
                from,
                to = raw_types[column],
                "raw column of another type: built from scratch"
            );
        }
        changed.is_none()
    }
}

/// Returns how each column of a raw table is read: its type and format, with the earlier ones.
fn raw_types(table: &Table) -> BTreeMap<String, String> {
    let told = |column_type: &ColumnType, format: &Option<String>| match format {
        Some(format) => format!("{column_type} {format}"),
        None => column_type.to_string(),
    };
    let columns = table.columns.iter().map(|column| {
        let earlier = column.earlier_types.iter();
        let earlier =
            earlier.map(|one| format!("{} before {}, ", told(&one.column_type, &one.datetime_format), one.before));
        let now = told(&column.column_type, &column.datetime_format);
        (column.name.clone(), earlier.chain([now]).collect())
    });
    columns.collect()
}

/// A table to which rows are added.
pub(crate) struct Append<'a> {
    /// The run's queries.
    pub plan: &'a BuildPlan,
    /// The table's query.
    pub query: &'a Query,
    /// Every raw table that the queries read.
    pub raw: &'a BTreeMap<String, Arc<RawTable>>,
    /// The area that the table is written to.
    pub area: &'a Area,
    /// The key of the table's folder in this run, ending with `/`.
    pub folder: String,
    pub settings: &'a Settings,
}

impl Append<'_> {
    /// Returns the raw table that the rows are made from. SQL that makes a row from several is refused, because running
    /// it over the new files would not return the missing rows.
    pub(crate) async fn raw_table(&self) -> Result<&Arc<RawTable>, Failure> {
        let planned = queries::frames(self.plan, from_files(self.raw), nothing_written, MEMORY_BYTES).await?;
        let frame = planned.take(&self.query.table.name)?;
        let reads = frame.map(|frame| Optimized::of(self.query, &frame)?.reads()).transpose()?;
        let raw = reads.filter(|reads| reads.row_by_row).and_then(|reads| reads.only);
        raw.and_then(|name| self.raw.get(&name)).ok_or_else(|| {
            Failure::bad_metadata(format!(
                "{}: to a table of mode `append` each row must be made from one row of one raw table: use `rebuild` \
                 for SQL that joins, groups, sorts or limits",
                self.query.file.display()
            ))
        })
    }

    /// Adds the rows of the files that the table does not have yet. Returns the table, and the raw table reduced to
    /// these files.
    pub(crate) async fn build(&self, base: Option<Base>) -> Result<(TableOutput, Arc<RawTable>), Failure> {
        let table = &self.query.table;
        let all = self.raw_table().await?;
        let raw_types = raw_types(all.table());
        let base = base.filter(|base| base.was_read_by(&raw_types, &table.name));
        let held: HashSet<&str> = base.iter().flat_map(|base| &base.holds).map(String::as_str).collect();
        let new = all.only(|key| !held.contains(key));
        size::check([&new].into_iter(), self.settings)?;
        let added = new.keys();
        let mut output = if added.is_empty() && base.is_some() {
            write::no_files(self.area, &self.folder, table)
        } else {
            self.added(&new).await?
        };
        if base.is_none() {
            // built from scratch: no published partition stays
            output.replaces = Replaces::Table;
        }
        let mut appended = Appended {
            base: base.as_ref().map(|base| base.run.clone()),
            definition_sha256: definition(table),
            holds: held.iter().copied().chain(added.iter().map(String::as_str)).map(str::to_owned).collect(),
            added,
            raw_types,
            kept: Vec::new(),
        };
        appended.holds.sort();
        let secrets = if table.partitions.is_empty() {
            Secrets::default()
        } else {
            secrecy::of_table(self.plan, self.raw, table).await
        };
        let hides_partitions = secrets.any_of(table.partitions.iter());
        output.hides_partitions = hides_partitions;
        let mut copies = Vec::new();
        for (folder, files) in base.into_iter().flat_map(|base| base.files) {
            let location = self.area.url(&format!("{}{folder}", self.folder));
            let rows: u64 = files.iter().map(|file| file.rows).sum();
            match output.partitions.iter_mut().find(|found| found.location == location) {
                Some(PartitionOutput { rows: of_partition, .. }) => *of_partition += rows,
                None if output.replaces == Replaces::Partitions && !table.self_contained => {
                    appended.kept.extend(files);
                    continue;
                }
                None if table.partitions.is_empty() => {}
                None => {
                    output.partitions.push(PartitionOutput { values: partition::values(&folder), location, rows });
                }
            }
            copies.extend(
                files
                    .into_iter()
                    .map(|file| Copy { key: format!("{}{folder}{}", self.folder, name_of_copy(&file.key)), file }),
            );
        }
        let copies = complete::copy(self.area, table, copies)
            .await
            .map_err(|failure| if hides_partitions { write::without_partition(table, &failure) } else { failure })?;
        output.rows += copies.iter().map(|file| file.rows).sum::<u64>();
        output.bytes += copies.iter().map(|file| file.bytes).sum::<u64>();
        output.files.extend(copies);
        if table.self_contained {
            output.replaces = Replaces::Table;
            output.partitions.sort_by(|one, other| one.location.cmp(&other.location));
        }
        output.appended = Some(appended);
        Ok((output, new))
    }

    /// Builds only the rows of the wanted files, as an earlier run added them.
    pub(crate) async fn build_only(
        &self,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<(TableOutput, Arc<RawTable>), Failure> {
        let some = self.raw_table().await?.only(wanted);
        Ok((self.added(&some).await?, some))
    }

    /// Builds the rows of the new files.
    async fn added(&self, new: &Arc<RawTable>) -> Result<TableOutput, Failure> {
        let table = &self.query.table;
        let plan = BuildPlan { asked: [table.name.clone()].into(), ..self.plan.clone() };
        let mut raw = self.raw.clone();
        raw.insert(new.table().name.clone(), Arc::clone(new));
        let tables = Tables { plan: &plan, raw: &raw, area: self.area, settings: self.settings };
        let Built { mut outputs, failed } = tables.build(|_| self.folder.clone()).await?;
        let failure = || Failure::internal(format!("table `{}` was not built", table.name));
        outputs.pop().ok_or_else(|| failed.of(&table.name).unwrap_or_else(failure))
    }
}

/// Returns the name of a copy. It names the run that wrote the file first, so that the files of two runs never have the
/// same name.
fn name_of_copy(key: &str) -> String {
    let (rest, name) = key.rsplit_once('/').unwrap_or(("", key));
    let run = rest.split('/').rev().find_map(RunId::parse);
    match (name.strip_suffix(".parquet").filter(|stem| !is_copy(stem)), run) {
        (Some(stem), Some(run)) => format!("{stem}-{run}.parquet"),
        _ => name.to_owned(),
    }
}

/// Whether a name is that of a copy, `data-part-0-<run>`.
fn is_copy(stem: &str) -> bool {
    stem.match_indices('-').any(|(at, _)| RunId::parse(&stem[at + 1..]).is_some())
}

/// Returns a file's folder within its table: the folders after the run's.
fn folder(table: &Table, key: &str) -> String {
    let mut segments: Vec<&str> = key.split('/').collect();
    segments.pop();
    let partitions = segments.split_off(segments.len().saturating_sub(table.partitions.len()));
    partitions.iter().map(|segment| format!("{segment}/")).collect()
}

/// Returns the digest of a table's definition: columns, partitions and SQL, without the version.
fn definition(table: &Table) -> String {
    let mut digest = Sha256::new();
    let columns = table.columns.iter().map(|column| format!("{}:{}", column.name, column.column_type));
    let parts = columns.chain([String::new()]).chain(table.partitions.iter().cloned()).chain([String::new()]);
    for part in parts.chain(table.sql.clone()) {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    hexadecimal(&digest.finalize())
}
