//! validate against an S3 and a Step Functions in memory, which stop answering wherever a test wants: as if the process
//! had died there.

mod aws;
mod landing;
