//! Records of cells: CSV and its kin, and the sheets of a workbook.

pub(crate) mod csv;
pub(crate) mod workbook;
