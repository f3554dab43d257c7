//! Records of cells: CSV and similar text, and the sheets of a workbook.

pub(crate) mod csv;
pub(crate) mod workbook;
