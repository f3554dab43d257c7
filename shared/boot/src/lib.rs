//! The startup of every function: its settings, telemetry, AWS configuration and the names of its failures in Lambda.

mod answer;
pub mod aws;
mod by_hand;
pub mod env;
pub mod metrics;
pub mod panics;
mod serve;
mod telemetry;

pub use by_hand::by_hand;
pub use env::Env;
pub use serve::{Boot, Invocation, serve};

/// The error that ends a function's process.
pub type Error = lambda_runtime::Error;
