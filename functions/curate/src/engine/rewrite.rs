//! How our rules change a plan before it is optimised.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan};

/// A plan and its subqueries with other expressions and steps, the innermost first: of each step its expressions, which go
/// on being called as they were, then the step itself. Both are given the columns of the step's inputs.
pub fn rewrite(
    plan: LogicalPlan,
    expression: impl Fn(Expr, &DFSchema) -> Result<Transformed<Expr>>,
    step: impl Fn(LogicalPlan, &DFSchema) -> Result<LogicalPlan>,
) -> Result<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|plan| {
        let schema = merge_schema(&plan.inputs());
        let names = NamePreserver::new(&plan);
        plan.map_expressions(|of_step| {
            let name = names.save(&of_step);
            let changed = of_step.transform_up(|part| expression(part, &schema))?;
            Ok(changed.update_data(|changed| name.restore(changed)))
        })?
        .map_data(LogicalPlan::recompute_schema)?
        .map_data(|plan| step(plan, &schema))
    });
    rewritten.map(|rewritten| rewritten.data)
}

/// Leaves a step as it is.
pub fn same_step(plan: LogicalPlan, _: &DFSchema) -> Result<LogicalPlan> {
    Ok(plan)
}
