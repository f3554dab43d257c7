//! The tables of a folder of this machine, built through the whole function but for S3.

mod place;

mod append;
mod misfits;
mod process;
mod reproducible;
mod tables;
mod verify;
