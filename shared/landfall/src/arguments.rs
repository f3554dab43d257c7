//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

/// What the functions of Landfall do, on files of this machine.
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
    /// Check a file exactly as the function checks one that lands
    Validate(Validate),
    /// Write the metadata of a new table, from a sample or another program's description of it
    NewTable(NewTable),
    /// Check all metadata, every rule of it and all SQL, without any file
    Check(Check),
    /// Build the curated tables from local files
    Tables(Tables),
    /// Make processed files of raw ones, where tables ask for that
    Process(Process),
    /// Build a run of `tables` again and compare the bytes
    Verify(Verify),
    /// Print what Glue is told about a table, as `aws glue create-table --cli-input-json` takes it
    Define(Define),
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Where the metadata is.
#[derive(Args, Debug)]
pub(crate) struct MetaData {
    /// The folder of the metadata and the SQL
    #[arg(long, value_name = "FOLDER", default_value = "meta_data")]
    pub meta_data: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct Validate {
    /// A file of any format in docs/files.md
    pub file: PathBuf,
    /// The raw table; may be left out when the file's name begins with one's name
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
    /// The key under which the file is to land: its name is checked too
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
    /// A sample; or a Table Schema or Data Package of Frictionless, an ODCS data contract in JSON, or what
    /// `aws glue get-table` prints
    pub file: PathBuf,
    /// The table's name; made of the file's when left out
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
    /// Show what was found, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub meta_data: MetaData,
}

#[derive(Args, Debug)]
pub(crate) struct Check {
    /// The SQL of this curated table only; may be given more than once
    #[arg(long, value_name = "NAME")]
    pub table: Vec<String>,
    #[command(flatten)]
    pub meta_data: MetaData,
}

/// How a run is built.
#[derive(Args, Debug)]
pub(crate) struct Settings {
    /// For the version column
    #[arg(long, value_name = "VERSION", default_value = "local")]
    pub dea_version: String,
    /// What may be used, as the function's memory setting, in MB
    #[arg(long, value_name = "MB", default_value_t = 2048, value_parser = clap::value_parser!(u32).range(1..))]
    pub memory: u32,
    /// As many as there are cores when left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub threads: Option<u32>,
    #[command(flatten)]
    pub meta_data: MetaData,
}

/// The folders that stand for the buckets.
#[derive(Args, Debug)]
pub(crate) struct Folders {
    /// Holds <table>/file_land_timestamp=<unix seconds>/<file>
    #[arg(long, value_name = "FOLDER")]
    pub raw_hist: PathBuf,
    /// Where the tables are, each run in folders of its own
    #[arg(long, value_name = "FOLDER")]
    pub curated: PathBuf,
    /// As --raw-hist, for tables that are read from the raw area
    #[arg(long, value_name = "FOLDER")]
    pub raw: Option<PathBuf>,
    /// As --raw-hist, for tables that are read from the processed area
    #[arg(long, value_name = "FOLDER")]
    pub processed: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Tables {
    #[command(flatten)]
    pub folders: Folders,
    /// Only this curated table; may be given more than once
    #[arg(long, value_name = "NAME")]
    pub table: Vec<String>,
    /// YYYY-MM-DD; today (UTC) when left out
    #[arg(long, value_name = "DATE")]
    pub snapshot_date: Option<String>,
    /// Only files that were there at this time, in Unix seconds
    #[arg(long, value_name = "SECONDS")]
    pub as_of: Option<u64>,
    /// Tables of mode append too, of all files
    #[arg(long)]
    pub from_scratch: bool,
    #[command(flatten)]
    pub settings: Settings,
}

#[derive(Args, Debug)]
pub(crate) struct Process {
    /// Holds <table>/file_land_timestamp=<unix seconds>/<file>
    #[arg(long, value_name = "FOLDER")]
    pub raw: PathBuf,
    /// Where the processed files go
    #[arg(long, value_name = "FOLDER")]
    pub processed: PathBuf,
    #[command(flatten)]
    pub settings: Settings,
}

#[derive(Args, Debug)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub folders: Folders,
    /// The run
    #[arg(long, default_value = "latest")]
    pub run: String,
    #[command(flatten)]
    pub settings: Settings,
}

#[derive(Args, Debug)]
pub(crate) struct Define {
    /// The table; a list of all tables when left out
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
    /// The raw database (raw/database.json) in place of the curated one
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
