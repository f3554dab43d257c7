//! Tests of extract against real local servers: a source that misbehaves in every way ([`source`]), an AWS account in
//! memory that records the order of its requests ([`landing`]), and attempts that die or meet ([`attempts`]).

mod attempts;
mod landing;
mod server;
mod source;
mod world;
