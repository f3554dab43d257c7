//! Tests of curate over an AWS account in memory ([`world`]). S3 fails at every request in turn, or objects are not
//! what they were ([`faults`]).

mod faults;
mod world;
