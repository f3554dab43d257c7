//! DataFusion as curate runs it. The session's rules and functions return the right value, or fail, where DataFusion's
//! own would silently return a wrong one.

mod aggregate;
mod apart;
mod arithmetic;
mod average;
mod beside;
mod bin;
mod can_fail;
mod canonical;
mod cast;
mod constant;
pub(crate) mod decimal;
mod distinct;
mod extreme;
mod frame;
mod guard;
mod hash;
mod in_order;
mod json;
mod lateral;
mod micros;
mod moment;
mod nan;
mod null_safe;
mod padding;
mod percentile;
mod projection;
mod replacement;
mod rewrite;
mod rounding;
mod scalar;
mod settled;
mod subquery;
mod sum;
mod truncation;
mod unclaimed;
mod using;
mod words;
mod zero;
mod zone;

use std::sync::Arc;

use contract::Failure;
use datafusion::common::Result as PlanResult;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::{AggregateUDF, LogicalPlan};
use datafusion::optimizer::{Optimizer, OptimizerRule};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::engine::arithmetic::CheckArithmetic;
use crate::engine::average::Average;
use crate::engine::constant::PushDownConditions;
use crate::engine::guard::{Guard, GuardTogether};
use crate::engine::in_order::{InOnePiece, OneAfterAnother};
use crate::engine::projection::ColumnsPushdown;
use crate::engine::sum::CheckedSum;
use crate::query::Said;

/// Creates a session for one query. The query may use `memory_bytes` of memory, and spills to disk beyond that.
pub(crate) fn session(memory_bytes: usize) -> Result<SessionContext, Failure> {
    // a pool of its own, so that what a query spills does not depend on the queries that run beside it
    let runtime = RuntimeEnvBuilder::new().with_memory_limit(memory_bytes, 1.0);
    let runtime = runtime.build_arc().map_err(Failure::internal)?;
    // One partition keeps rows in the order of the files, so that the same inputs produce the same bytes. Decoding, the
    // queries and encoding still run in parallel.
    let mut config = SessionConfig::new().with_target_partitions(1);
    // a LIMIT would cut off groups and rows that a window below it needs
    config.options_mut().optimizer.enable_topk_aggregation = false;
    config.options_mut().optimizer.enable_window_limits = false;
    // its two planners disagree on nullability, though no value is null:
    // <https://github.com/apache/datafusion/issues/24096>
    config.options_mut().execution.skip_physical_aggregate_schema_check = true;
    let state = SessionStateBuilder::new().with_config(config).with_runtime_env(runtime).with_default_features();
    let state = state.with_optimizer_rules(rules()).with_physical_optimizer_rules(physical_rules());
    let context = SessionContext::new_with_state(state.build());
    context.add_analyzer_rule(Arc::new(CheckArithmetic));
    context.add_analyzer_rule(Arc::new(Guard));
    context.register_udaf(AggregateUDF::from(CheckedSum::default()));
    context.register_udaf(AggregateUDF::from(Average::default()));
    context.register_udaf(percentile::function());
    aggregate::functions().for_each(|function| context.register_udaf(function));
    moment::functions().for_each(|function| context.register_udf(function));
    rounding::functions().into_iter().for_each(|function| context.register_udf(function));
    context.register_udf(replacement::function());
    hash::functions().into_iter().chain(zone::functions()).for_each(|function| context.register_udf(function));
    padding::functions().into_iter().for_each(|function| context.register_udf(function));
    context.register_udf(json::function());
    context.register_udf(truncation::function());
    context.register_udf(words::nvl2());
    context.register_udf(bin::function());
    Ok(context)
}

/// Returns DataFusion's rules for logical plans, together with ours.
fn rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let ours: Arc<dyn OptimizerRule + Send + Sync> = Arc::new(PushDownConditions::default());
    let together: Arc<dyn OptimizerRule + Send + Sync> = Arc::new(GuardTogether);
    let rules = Optimizer::new().rules.into_iter().flat_map(|rule| {
        if rule.name() == ours.name() {
            vec![Arc::clone(&ours), Arc::clone(&together)]
        } else {
            vec![null_safe::keep(rule)]
        }
    });
    rules.collect()
}

/// Returns DataFusion's rules for physical plans, together with ours.
fn physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = PhysicalOptimizer::new().rules;
    // Conditions are already in place by then. This rule takes columns of the same name on both sides of a join for
    // one, and no table here benefits from it.
    rules.retain(|rule| !rule.name().starts_with("FilterPushdown"));
    for rule in rules.iter_mut().filter(|rule| rule.name() == "ProjectionPushdown") {
        *rule = Arc::new(ColumnsPushdown);
    }
    rules.insert(0, Arc::new(OneAfterAnother));
    rules.push(Arc::new(InOnePiece));
    rules
}

/// Corrects a query's plan where DataFusion reads the SQL differently from what it means, or refuses the plan.
pub(crate) fn mend(plan: LogicalPlan, said: &Said) -> PlanResult<LogicalPlan> {
    subquery::check(&plan)?;
    micros::mend(cast::mend(beside::mend(words::mend(using::mend(lateral::mend(plan)?, said)?)?)?)?)
}
