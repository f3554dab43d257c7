//! Keeps conditions without a column above totals. A total of no rows is still a row. DataFusion moves a condition
//! `k = 2` on `SELECT 1 AS k, count(*) FROM t` below the count, where it removes all rows of `t`. What remains is a row
//! with a count of 0.

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Aggregate, Expr, Filter, LogicalPlan};
use datafusion::optimizer::push_down_filter::PushDownFilter;
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// DataFusion's `push_down_filter`, except that conditions without a column stay above a total.
#[derive(Debug, Default)]
pub(super) struct PushDownConditions(PushDownFilter);

impl OptimizerRule for PushDownConditions {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Filter(filter) = &plan else { return self.0.rewrite(plan, config) };
        let (mut conditions, mut input) = (split_conjunction_owned(filter.predicate.clone()), &filter.input);
        // consecutive filters are merged
        while let LogicalPlan::Filter(inner) = input.as_ref() {
            conditions.extend(split_conjunction_owned(inner.predicate.clone()));
            input = &inner.input;
        }
        let (constant, others): (Vec<Expr>, Vec<Expr>) =
            conditions.into_iter().partition(|condition| condition.column_refs().is_empty());
        match input.as_ref() {
            LogicalPlan::Aggregate(aggregate) if has_total(aggregate) && !constant.is_empty() => {
                let below = match conjunction(others) {
                    None => Transformed::no(input.as_ref().clone()),
                    Some(others) => {
                        let filter = LogicalPlan::Filter(Filter::try_new(others, input.clone())?);
                        self.0.rewrite(filter, config)?
                    }
                };
                below.map_data(|below| match conjunction(constant) {
                    Some(constant) => Ok(LogicalPlan::Filter(Filter::try_new(constant, below.into())?)),
                    None => Ok(below),
                })
            }
            _ => self.0.rewrite(plan, config),
        }
    }
}

/// Whether the aggregate returns a row even for no input rows.
fn has_total(aggregate: &Aggregate) -> bool {
    aggregate.group_expr.is_empty() || aggregate.group_expr.iter().any(|group| matches!(group, Expr::GroupingSet(_)))
}
