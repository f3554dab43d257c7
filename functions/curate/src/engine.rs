//! DataFusion as curate runs it: a session whose rules and functions stop where DataFusion's own would give a wrong
//! value without a word.

mod arithmetic;
mod sum;

use std::sync::Arc;

use contract::Failure;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::AggregateUDF;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::engine::arithmetic::CheckArithmetic;
use crate::engine::sum::CheckedSum;

/// A session for one query, which may account for so many bytes; what it needs more goes to disk.
pub fn session(memory_bytes: usize) -> Result<SessionContext, Failure> {
    // a pool of its own: what a query must write to disk does not depend on what runs beside it
    let runtime = RuntimeEnvBuilder::new().with_memory_limit(memory_bytes, 1.0);
    let runtime = runtime.build_arc().map_err(Failure::internal)?;
    // One partition keeps rows in the order of the files, so that the same inputs give the same bytes. Decoding, the
    // queries and encoding run side by side all the same.
    let config = SessionConfig::new().with_target_partitions(1);
    let context = SessionContext::new_with_config_rt(config, runtime);
    context.add_analyzer_rule(Arc::new(CheckArithmetic));
    context.register_udaf(AggregateUDF::from(CheckedSum::default()));
    Ok(context)
}
