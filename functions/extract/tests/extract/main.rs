//! extract against real servers on this machine: a source that misbehaves in every way ([`source`]), and an AWS account
//! in memory that remembers in which order it was asked ([`landing`]), and attempts that die or meet ([`attempts`]).

mod attempts;
mod landing;
mod server;
mod source;
mod world;
