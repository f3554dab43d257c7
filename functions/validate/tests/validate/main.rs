//! Tests of validate against an AWS account in memory. The account stops answering wherever a test wants, as if the
//! process had died there.

mod extracts;
mod landing;
mod repeated;
mod turn;
mod unseen;
