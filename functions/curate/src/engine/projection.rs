//! Keeps the computation of values above the filters that keep rows from them. DataFusion also moves it below a filter
//! if that leaves fewer columns to filter.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::{ProjectionExec, remove_unnecessary_projections, try_embed_projection};

/// Replaces DataFusion's rule `ProjectionPushdown`. Columns are dropped as early as by that rule.
#[derive(Debug)]
pub(super) struct ColumnsPushdown;

impl PhysicalOptimizerRule for ColumnsPushdown {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let pushed = plan.transform_down(|plan| {
            let Some(projection) = plan.downcast_ref::<ProjectionExec>() else { return Ok(Transformed::no(plan)) };
            let makes = projection.expr().iter().any(|made| made.expr.downcast_ref::<Column>().is_none());
            match projection.input().downcast_ref::<FilterExec>() {
                Some(filter) if makes => Ok(match try_embed_projection(projection, filter)? {
                    Some(embedded) => Transformed::yes(embedded),
                    None => Transformed::no(plan),
                }),
                _ => remove_unnecessary_projections(plan),
            }
        });
        pushed.data()
    }

    fn name(&self) -> &'static str {
        "ProjectionPushdown"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
