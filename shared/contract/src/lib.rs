//! The contract between the stages: the description of a table, the grammar of object keys, and the messages and
//! manifests that one stage leaves for the next. Pure and synchronous: nothing here calls AWS.

pub mod alert;
mod column_type;
mod extract;
mod failure;
mod files;
pub mod key;
mod manifest;
pub mod message;
mod metadata;
mod problem;
pub mod reference;
mod table;
mod visible;
mod words;

pub use column_type::{ColumnType, Dialect, TimestampUnit};
pub use extract::{Extract, ExtractFile, STAGED};
pub use failure::{Failure, FailureKind};
pub use files::{FileDialect, Nan, Sheet, Written};
pub use key::{Compression, DataKey, FileFormat, KeyError, LandKey};
pub use manifest::{
    Appended, Completed, CopiedPartition, InputFile, Manifest, OutputFile, PartitionOutput, RUN_PARAMETER, Replaces,
    RunId, TableOutput, is_of_several_runs, of_several_runs,
};
pub use metadata::{Database, MetaData};
pub use problem::{Problem, Problems, nearest};
pub use table::{
    Anchor, Checks, Column, DataFormat, EarlierType, FieldNames, Mode, NULL_PARTITION, ParquetCompression, ReadFrom,
    RepeatedFiles, Sensitivity, Source, Table,
};
pub use visible::{visible, visible_json, visible_lines};
pub use words::{hexadecimal, plural, quoted};

/// The longest row of a text file, in bytes, without its newline. Extract does not write longer rows, and validate and
/// curate do not read them. Each of them holds at most a few such rows in memory.
pub const MAXIMUM_ROW_BYTES: usize = 8 << 20;
