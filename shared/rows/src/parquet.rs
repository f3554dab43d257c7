//! Parquet: the footer, pages and levels checked before the parquet crate reads them, and its types as the described
//! ones. docs/decisions/0001 says why.

pub(crate) mod convert;
pub(crate) mod found;
pub(crate) mod packed;
pub(crate) mod pages;
pub(crate) mod reader;
pub(crate) mod thrift;
