//! Parquet: checks the footer, pages and levels before the parquet crate reads them, and converts its types to the
//! described ones. docs/decisions/0001 states why.

pub(crate) mod convert;
pub(crate) mod found;
pub(crate) mod packed;
pub(crate) mod pages;
pub(crate) mod reader;
pub(crate) mod thrift;
