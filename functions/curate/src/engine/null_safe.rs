//! Keeps joins by `IS NOT DISTINCT FROM`, for which null equals null, apart from joins by `=`, for which it does not.
//! In DataFusion this is a property of a whole join, and its rules merge the keys of both kinds: those of
//! `… ON a.k = b.k JOIN c ON a.id IS NOT DISTINCT FROM c.id`, and those of
//! `… ON a.id IS NOT DISTINCT FROM b.id WHERE a.k = b.k`.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{NullEquality, Result};
use datafusion::logical_expr::{Join, LogicalPlan};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// The plans that a rule must not change.
#[derive(Clone, Copy, Debug)]
enum From {
    /// Plans with such a join anywhere, because the rule merges joins.
    AllWithOne,
    /// Such a join itself, because the rule adds keys to it.
    Itself,
}

/// A rule that skips joins for which null equals null.
#[derive(Debug)]
struct Kept {
    rule: Arc<dyn OptimizerRule + Send + Sync>,
    from: From,
}

/// Makes the rule skip such joins, if it would merge their keys with others.
pub(super) fn keep(rule: Arc<dyn OptimizerRule + Send + Sync>) -> Arc<dyn OptimizerRule + Send + Sync> {
    let from = match rule.name() {
        "eliminate_cross_join" => From::AllWithOne,
        "extract_equijoin_predicate" => From::Itself,
        _ => return rule,
    };
    Arc::new(Kept { rule, from })
}

impl OptimizerRule for Kept {
    fn name(&self) -> &str {
        self.rule.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.rule.apply_order()
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let keep = match self.from {
            From::Itself => is_null_safe(&plan),
            From::AllWithOne => {
                let mut found = false;
                plan.apply_with_subqueries(|plan| {
                    found |= is_null_safe(plan);
                    Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
                })?;
                found
            }
        };
        if keep { Ok(Transformed::no(plan)) } else { self.rule.rewrite(plan, config) }
    }
}

fn is_null_safe(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Join(Join { on, null_equality: NullEquality::NullEqualsNull, .. }) if !on.is_empty())
}
