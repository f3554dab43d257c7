//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

/// Runs the functions of Landfall on local files
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, infer_subcommands = true, max_term_width = 100)]
#[command(
    after_help = "Ends with 0 if all is well, 1 if it is not, 2 if the command is wrong or cannot be carried out."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check a file exactly as the function checks a file that lands
    Validate(Validate),
    /// Write the metadata of a new table, from a sample or from another program's description
    NewTable(NewTable),
    /// Check all metadata, rules and SQL, without any data
    Check(Check),
    /// Build the curated tables from local files
    Tables(Tables),
    /// Make processed files from raw ones, for tables that have processed metadata
    Process(Process),
    /// Build a run of `tables` again and compare the bytes
    Verify(Verify),
    /// Print a table's Glue definition, as input for `aws glue create-table --cli-input-json`
    Define(Define),
    /// Print the completion script of a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// The location of the metadata.
#[derive(Args, Debug)]
pub(crate) struct MetaData {
    /// The folder of the metadata and the SQL
    #[arg(long, value_name = "FOLDER", default_value = "meta_data")]
    pub meta_data: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct Validate {
    /// A file in any format of docs/files.md
    pub file: PathBuf,
    /// The raw table; may be left out if the file name begins with the name of one
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
    /// The key under which the file is going to land; its file name is checked too
    #[arg(long)]
    pub key: Option<String>,
    /// Print the report as the function writes it
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub meta_data: MetaData,
}

#[derive(Args, Debug)]
pub(crate) struct NewTable {
    /// A sample file; or a Frictionless Table Schema or Data Package, an ODCS data contract in JSON, or the output of
    /// `aws glue get-table`
    pub file: PathBuf,
    /// The table's name; derived from the file name if left out
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
    /// Show the result and write nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub meta_data: MetaData,
}

#[derive(Args, Debug)]
pub(crate) struct Check {
    /// Check only the SQL of this curated table; may be given more than once
    #[arg(long, value_name = "NAME")]
    pub table: Vec<String>,
    #[command(flatten)]
    pub meta_data: MetaData,
}

/// The settings of a build.
#[derive(Args, Debug)]
pub(crate) struct Settings {
    /// The value of the version column
    #[arg(long, value_name = "VERSION", default_value = "local")]
    pub dea_version: String,
    /// The memory limit in MB, like the function's memory setting
    #[arg(long, value_name = "MB", default_value_t = 2048, value_parser = clap::value_parser!(u32).range(1..))]
    pub memory: u32,
    /// The number of threads; one per core if left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub threads: Option<u32>,
    #[command(flatten)]
    pub meta_data: MetaData,
}

/// The folders that stand for the buckets.
#[derive(Args, Debug)]
pub(crate) struct Folders {
    /// Holds `<table>/file_land_timestamp=<unix seconds>/<file>`
    #[arg(long, value_name = "FOLDER")]
    pub raw_hist: PathBuf,
    /// Holds the tables, each run in folders of its own
    #[arg(long, value_name = "FOLDER")]
    pub curated: PathBuf,
    /// Like --raw-hist, for tables that are read from the raw area
    #[arg(long, value_name = "FOLDER")]
    pub raw: Option<PathBuf>,
    /// Like --raw-hist, for tables that are read from the processed area
    #[arg(long, value_name = "FOLDER")]
    pub processed: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Tables {
    #[command(flatten)]
    pub folders: Folders,
    /// Build only this curated table; may be given more than once
    #[arg(long, value_name = "NAME")]
    pub table: Vec<String>,
    /// YYYY-MM-DD; today (UTC) if left out
    #[arg(long, value_name = "DATE")]
    pub snapshot_date: Option<String>,
    /// Read only files that were in raw-hist by this time, in Unix seconds
    #[arg(long, value_name = "SECONDS")]
    pub as_of: Option<u64>,
    /// Read all files for tables of mode append too, and replace the tables named by --table as a whole
    #[arg(long)]
    pub from_scratch: bool,
    #[command(flatten)]
    pub settings: Settings,
}

#[derive(Args, Debug)]
pub(crate) struct Process {
    /// Holds `<table>/file_land_timestamp=<unix seconds>/<file>`
    #[arg(long, value_name = "FOLDER")]
    pub raw: PathBuf,
    /// Receives the processed files
    #[arg(long, value_name = "FOLDER")]
    pub processed: PathBuf,
    #[command(flatten)]
    pub settings: Settings,
}

#[derive(Args, Debug)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub folders: Folders,
    /// The run's id
    #[arg(long, default_value = "latest")]
    pub run: String,
    #[command(flatten)]
    pub settings: Settings,
}

#[derive(Args, Debug)]
pub(crate) struct Define {
    /// The table; without it, a list with the definitions of all tables
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
    /// Use the raw database (raw/database.json) instead of the curated one
    #[arg(long)]
    pub raw: bool,
    #[command(flatten)]
    pub meta_data: MetaData,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }
}
