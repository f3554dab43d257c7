//! The traversal by which our rules change a plan before it is optimised.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, ExprSchema, Result};
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan, Subquery, Union};

/// Rewrites the expressions and steps of a plan and its subqueries, innermost first. A step's expressions come before
/// the step itself, and keep their names. Both functions receive the columns of the step's inputs.
pub(super) fn rewrite(
    plan: LogicalPlan,
    expression: impl Fn(Expr, &DFSchema) -> Result<Transformed<Expr>>,
    step: impl Fn(LogicalPlan, &DFSchema) -> Result<LogicalPlan>,
) -> Result<LogicalPlan> {
    rewritten(plan, &expression, &step)
}

fn rewritten(
    plan: LogicalPlan,
    expression: &dyn Fn(Expr, &DFSchema) -> Result<Transformed<Expr>>,
    step: &dyn Fn(LogicalPlan, &DFSchema) -> Result<LogicalPlan>,
) -> Result<LogicalPlan> {
    let plan = plan.map_children(|input| rewritten(input, expression, step).map(Transformed::yes))?.data;
    let schema = merge_schema(&plan.inputs());
    let names = NamePreserver::new(&plan);
    let plan = plan.map_expressions(|of_step| {
        let name = names.save(&of_step);
        let changed = of_step.transform_up(|part| {
            let part = in_subquery(part, |subquery| rewritten(of_outer(subquery, &schema)?, expression, step))?;
            expression(part, &schema)
        })?;
        Ok(changed.update_data(|changed| name.restore(changed)))
    })?;
    step(with_types_of_inputs(plan.data)?, &schema)
}

/// Leaves a step as it is.
pub(super) fn same_step(plan: LogicalPlan, _: &DFSchema) -> Result<LogicalPlan> {
    Ok(plan)
}

/// Recomputes a step's schema after the schema of an input has changed.
fn with_types_of_inputs(plan: LogicalPlan) -> Result<LogicalPlan> {
    match plan {
        // `recompute_schema` would keep the old one
        LogicalPlan::Union(Union { inputs, .. }) => Ok(LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?)),
        plan => plan.recompute_schema(),
    }
}

/// Changes the plan of an expression that is a subquery. Other expressions stay as they are.
fn in_subquery(expression: Expr, change: impl FnOnce(LogicalPlan) -> Result<LogicalPlan>) -> Result<Expr> {
    let changed = |subquery: Subquery| {
        let plan = change(Arc::unwrap_or_clone(subquery.subquery))?;
        let outer_ref_columns = plan.all_out_ref_exprs();
        Ok::<_, datafusion::error::DataFusionError>(Subquery {
            subquery: Arc::new(plan),
            outer_ref_columns,
            ..subquery
        })
    };
    Ok(match expression {
        Expr::ScalarSubquery(subquery) => Expr::ScalarSubquery(changed(subquery)?),
        Expr::Exists(exists) => Expr::Exists(Exists { subquery: changed(exists.subquery)?, ..exists }),
        Expr::InSubquery(of) => Expr::InSubquery(InSubquery { subquery: changed(of.subquery)?, ..of }),
        Expr::SetComparison(of) => Expr::SetComparison(SetComparison { subquery: changed(of.subquery)?, ..of }),
        expression => expression,
    })
}

/// Updates the types of the outer query's columns in a subquery.
fn of_outer(subquery: LogicalPlan, outer: &DFSchema) -> Result<LogicalPlan> {
    let typed = |expression: Expr| match expression {
        Expr::OuterReferenceColumn(_, column) if outer.has_column(&column) => {
            let field = Arc::clone(outer.field_from_column(&column)?);
            Ok(Transformed::yes(Expr::OuterReferenceColumn(field, column)))
        }
        expression => Ok(Transformed::no(expression)),
    };
    let changed = subquery.transform_up_with_subqueries(|plan| {
        let changed = plan.map_expressions(|expression| expression.transform_up(typed))?;
        changed.map_data(with_types_of_inputs)
    });
    changed.map(|changed| changed.data)
}
