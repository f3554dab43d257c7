//! UNNEST of an array of the same row. DataFusion reads `t CROSS JOIN UNNEST(t.tags)` as a join with a correlated
//! subquery, which it cannot run. Here it becomes the rows of `t` with their array unnested.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, NullHandling, Result, ScalarValue, TableReference};
use datafusion::logical_expr::{
    Expr, Filter, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Projection, Subquery, SubqueryAlias, Unnest,
};

/// Rewrites joins with UNNEST to plans that DataFusion can run.
pub(super) fn mend(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mended = plan.transform_up_with_subqueries(|plan| {
        match plan {
            LogicalPlan::Join(join) => match Lateral::of(&join) {
                Some(lateral) => lateral.plan(&join).map(Transformed::yes),
                None => Ok(Transformed::no(LogicalPlan::Join(join))),
            },
            plan => Ok(Transformed::no(plan)),
        }?
        .map_data(LogicalPlan::recompute_schema)
    });
    mended.map(|mended| mended.data)
}

/// The right side of a join with UNNEST.
struct Lateral<'a> {
    alias: Option<&'a TableReference>,
    /// The projections over the elements, last first.
    after: Vec<&'a Projection>,
    unnest: &'a Unnest,
    /// The arrays to unnest.
    arrays: &'a Projection,
}

impl<'a> Lateral<'a> {
    fn of(join: &'a Join) -> Option<Self> {
        if !join.on.is_empty() || !matches!(join.join_type, JoinType::Inner | JoinType::Left) {
            return None;
        }
        let (alias, mut plan) = match join.right.as_ref() {
            LogicalPlan::SubqueryAlias(SubqueryAlias { input, alias, .. }) => (Some(alias), input),
            _ => (None, &join.right),
        };
        let LogicalPlan::Subquery(Subquery { subquery, .. }) = plan.as_ref() else { return None };
        plan = subquery;
        let mut after = Vec::new();
        while let LogicalPlan::Projection(projection) = plan.as_ref() {
            after.push(projection);
            plan = &projection.input;
        }
        let LogicalPlan::Unnest(unnest) = plan.as_ref() else { return None };
        let LogicalPlan::Projection(arrays) = unnest.input.as_ref() else { return None };
        let outer = join.join_type == JoinType::Left;
        let always = matches!(&join.filter, None | Some(Expr::Literal(ScalarValue::Boolean(Some(true)), _)));
        let known = matches!(arrays.input.as_ref(), LogicalPlan::EmptyRelation(_)) && !after.is_empty();
        (known && (!outer || always)).then_some(Self { alias, after, unnest, arrays })
    }

    fn plan(self, join: &Join) -> Result<LogicalPlan> {
        let rows = join.left.schema().columns().into_iter().map(Expr::Column);
        let arrays = self.arrays.expr.iter().cloned().map(of_the_rows).collect::<Result<Vec<_>>>()?;
        let input = Projection::try_new(rows.clone().chain(arrays).collect(), Arc::clone(&join.left))?;
        let options = self.unnest.options.clone().with_null_handling(match join.join_type {
            JoinType::Left => NullHandling::PreserveAndExpandEmpty,
            _ => NullHandling::Drop,
        });
        let mut plan = LogicalPlanBuilder::from(LogicalPlan::Projection(input))
            .unnest_columns_with_options(self.unnest.exec_columns.clone(), options)?
            .build()?;
        for (step, projection) in self.after.iter().rev().enumerate() {
            let fields = projection.schema.fields();
            let elements = projection.expr.iter().zip(fields).map(|(element, field)| {
                let element = match step {
                    0 => of_the_rows(element.clone())?,
                    _ => self.of_the_step_before(of_the_rows(element.clone())?)?,
                };
                let (Expr::Column(_), None) = (&element, self.alias) else {
                    return Ok(element.unalias().alias_qualified(self.alias.cloned(), field.name()));
                };
                Ok(element)
            });
            let elements = elements.collect::<Result<Vec<_>>>()?;
            let columns = rows.clone().chain(elements).collect();
            plan = LogicalPlan::Projection(Projection::try_new(columns, Arc::new(plan))?);
        }
        match (&join.filter, join.join_type) {
            (Some(filter), JoinType::Inner) => {
                Ok(LogicalPlan::Filter(Filter::try_new(filter.clone(), Arc::new(plan))?))
            }
            _ => Ok(plan),
        }
    }

    /// Qualifies columns by the alias that the step before gave them.
    fn of_the_step_before(&self, element: Expr) -> Result<Expr> {
        let qualified = element.transform_up(|expression| match (expression, self.alias) {
            (Expr::Column(column), Some(alias)) if column.relation.is_none() => {
                Ok(Transformed::yes(Expr::Column(Column::new(Some(alias.clone()), column.name))))
            }
            (expression, _) => Ok(Transformed::no(expression)),
        });
        qualified.map(|qualified| qualified.data)
    }
}

/// Turns the subquery's references to the outer row into plain columns.
fn of_the_rows(expression: Expr) -> Result<Expr> {
    let of_rows = expression.transform_up(|expression| match expression {
        Expr::OuterReferenceColumn(_, column) => Ok(Transformed::yes(Expr::Column(column))),
        expression => Ok(Transformed::no(expression)),
    });
    of_rows.map(|of_rows| of_rows.data)
}
