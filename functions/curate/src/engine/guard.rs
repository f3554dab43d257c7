//! A condition in front of a value that keeps rows away from it (`j <> 0 AND i / j > 1`, a CASE, a WHERE) guards it:
//! the value is computed only for the rows that are left. DataFusion evaluates both sides of AND and OR, turns a CASE
//! of booleans into AND and OR, and merges the conditions of several queries in an order of its own. A division by zero
//! in a row that nobody wants would then stop the run.
//!
//! Each value that can fail gets its own guards: `j <> 0 AND CASE WHEN j <> 0 THEN i / j END > 1`. The position of the
//! condition then does not matter. Where nothing can fail, nothing changes.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{AggregateFunction, Cast, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::{conjunction, merge_schema, split_conjunction, split_conjunction_owned};
use datafusion::logical_expr::{BinaryExpr, Case, Expr, ExprSchemable, LogicalPlan, Operator, ScalarUDF};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{AnalyzerRule, OptimizerConfig, OptimizerRule};

use crate::engine::can_fail::can_fail;
use crate::engine::settled::Settled;

/// The most fallible conditions that guard the ones after them. Each of them contains those before it.
const MOST_FALLIBLE: usize = 4;
/// The most pairs of a fallible condition and a guard. Beyond it, conditions that cannot fail no longer guard the
/// others, so that the expression stays small.
const MOST_MEETINGS: usize = 20_000;

/// Guards values as the SQL is written. Runs after type coercion.
#[derive(Debug)]
pub(super) struct Guard;

impl AnalyzerRule for Guard {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(guarded).data()
    }

    fn name(&self) -> &'static str {
        "guard"
    }
}

/// Guards conditions that were merged from several queries. Runs each time conditions have been moved.
#[derive(Debug)]
pub(super) struct GuardTogether;

impl OptimizerRule for GuardTogether {
    fn name(&self) -> &'static str {
        "guard_together"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        match plan {
            LogicalPlan::Filter(_) => guarded(plan),
            plan => Ok(Transformed::no(plan)),
        }
    }
}

fn guarded(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let schema = merge_schema(&plan.inputs());
    let names = NamePreserver::new(&plan);
    let guards = match &plan {
        LogicalPlan::Join(join) => {
            Guards { schema: &schema, sides: Some([Arc::clone(join.left.schema()), Arc::clone(join.right.schema())]) }
        }
        _ => Guards { schema: &schema, sides: None },
    };
    let changed = plan.map_expressions(|expression| {
        if !guards.needed(&expression)? {
            return Ok(Transformed::no(expression));
        }
        let name = names.save(&expression);
        let before = expression.clone();
        let after = guards.within(expression, &[])?;
        Ok(if after == before { Transformed::no(before) } else { Transformed::yes(name.restore(after)) })
    })?;
    if changed.transformed { changed.map_data(LogicalPlan::recompute_schema) } else { Ok(changed) }
}

struct Guards<'a> {
    schema: &'a DFSchema,
    /// The schemas of both inputs, if the plan is a join.
    sides: Option<[Arc<DFSchema>; 2]>,
}

impl Guards<'_> {
    /// Whether the expression has both a part that can fail and a part that may keep rows from it.
    fn needed(&self, expression: &Expr) -> Result<bool> {
        let guards = expression.exists(|part| {
            Ok(match part {
                Expr::BinaryExpr(BinaryExpr { op, .. }) => matches!(op, Operator::And | Operator::Or),
                Expr::AggregateFunction(call) => call.params.filter.is_some(),
                part => matches!(part, Expr::Case(_)),
            })
        })?;
        Ok(guards && can_fail(expression, self.schema))
    }

    /// Returns the expression with each fallible value computed only for rows for which all of `given` holds.
    fn within(&self, expression: Expr, given: &[Expr]) -> Result<Expr> {
        if !can_fail(&expression, self.schema) {
            return Ok(expression);
        }
        match expression {
            Expr::BinaryExpr(BinaryExpr { op: Operator::And, .. }) => {
                let parts = split_conjunction_owned(expression);
                self.beside(parts, given, Operator::And, |part| Expr::IsNotFalse(Box::new(part)))
            }
            Expr::BinaryExpr(BinaryExpr { op: Operator::Or, .. }) => {
                let parts = disjuncts(expression);
                self.beside(parts, given, Operator::Or, |part| Expr::IsNotTrue(Box::new(part)))
            }
            Expr::Case(case) if is_guard(&case) && !self.is_boolean(&case)? => self.more(case, given),
            Expr::Case(case) => self.case(case, given),
            Expr::AggregateFunction(call) => self.aggregate(call),
            expression => self.other(expression, given),
        }
    }

    /// Guards conditions joined by one operator. Each is guarded by all others that cannot fail, and by some earlier
    /// ones that can.
    fn beside(
        &self,
        parts: Vec<Expr>,
        given: &[Expr],
        operator: Operator,
        open: impl Fn(Expr) -> Expr,
    ) -> Result<Expr> {
        let fails: Vec<bool> = parts.iter().map(|part| can_fail(part, self.schema)).collect();
        let mut all = given.to_vec();
        let sure = parts.iter().zip(&fails).filter(|(part, fails)| !**fails && may_be_repeated(part));
        all.extend(sure.map(|(part, _)| open(part.clone())));
        let fallible = fails.iter().filter(|fails| **fails).count();
        if fallible.saturating_mul(all.len()) > MOST_MEETINGS {
            all.truncate(given.len());
        }
        let mut whole: Option<Expr> = None;
        let mut before = 0;
        for (part, fails) in parts.into_iter().zip(fails) {
            let part = match (fails, &self.sides) {
                (false, _) => part,
                (true, Some(sides)) if is_equality(&part) => self.of_one_side(part, &all, sides)?,
                (true, _) => self.within(part, &all)?,
            };
            if fails && before < MOST_FALLIBLE && may_be_repeated(&part) {
                before += 1;
                all.push(open(part.clone()));
            }
            whole = Some(match whole {
                None => part,
                Some(whole) => Expr::BinaryExpr(BinaryExpr::new(Box::new(whole), operator, Box::new(part))),
            });
        }
        Ok(whole.unwrap_or_else(|| Expr::Literal(ScalarValue::Boolean(None), None)))
    }

    /// Guards an equality that tables are joined by, and keeps it an equality. Conditions on one table guard only that
    /// table's side.
    fn of_one_side(&self, equality: Expr, given: &[Expr], sides: &[Arc<DFSchema>; 2]) -> Result<Expr> {
        let Expr::BinaryExpr(BinaryExpr { left, op, right }) = equality else { return Ok(equality) };
        let guarded = |part: Expr| {
            let is_of = |part: &Expr, side: &DFSchema| part.column_refs().iter().all(|column| side.has_column(column));
            let side = sides.iter().find(|side| is_of(&part, side));
            let given: Vec<Expr> = match side {
                Some(side) => given.iter().filter(|given| is_of(given, side)).cloned().collect(),
                None => given.to_vec(),
            };
            self.within(part, &given)
        };
        let (left, right) = (guarded(*left)?, guarded(*right)?);
        Ok(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right))))
    }

    /// Guards the parts of a CASE. A CASE guards its own results, except booleans, which DataFusion turns into AND and
    /// OR.
    fn case(&self, case: Case, given: &[Expr]) -> Result<Expr> {
        let is_boolean = self.is_boolean(&case)?;
        let Case { expr, when_then_expr, else_expr } = case;
        let by_itself = expr.is_some() || !is_boolean;
        let mut all = given.to_vec();
        let inner = |expression: Expr, guards: &[Expr]| {
            let guards = if by_itself { given } else { guards };
            self.within(expression, guards).and_then(|guarded| hide_literals(guarded, self.schema)).map(Box::new)
        };
        let mut branches = Vec::with_capacity(when_then_expr.len());
        for (when, then) in when_then_expr {
            let condition = *when;
            let may_guard = may_be_repeated(&condition) && !can_fail(&condition, self.schema);
            let when = inner(condition.clone(), &all)?;
            let mut here = all.clone();
            if may_guard {
                here.push(Expr::IsTrue(Box::new(condition.clone())));
                all.push(Expr::IsNotTrue(Box::new(condition)));
            }
            branches.push((when, inner(*then, &here)?));
        }
        let otherwise = else_expr.map(|otherwise| inner(*otherwise, &all)).transpose()?;
        let base = expr.map(|base| self.within(*base, given).map(Box::new)).transpose()?;
        Ok(Expr::Case(Case { expr: base, when_then_expr: branches, else_expr: otherwise }))
    }

    /// Guards the arguments of an aggregate by its FILTER.
    fn aggregate(&self, mut call: AggregateFunction) -> Result<Expr> {
        let filter = call.params.filter.take();
        let filter = filter.map(|filter| self.within(*filter, &[])).transpose()?;
        let given = filter.iter().filter(|filter| may_be_repeated(filter));
        let given: Vec<Expr> = given.map(|filter| Expr::IsTrue(Box::new(filter.clone()))).collect();
        let arguments = call.params.args.into_iter().map(|argument| self.within(argument, &given));
        call.params.args = arguments.collect::<Result<_>>()?;
        call.params.filter = filter.map(Box::new);
        Ok(Expr::AggregateFunction(call))
    }

    /// Guards a value as a whole, but a condition in its parts.
    fn other(&self, expression: Expr, given: &[Expr]) -> Result<Expr> {
        let is_boolean = expression.get_type(self.schema)? == DataType::Boolean;
        let mut deeper = false;
        expression.apply_children(|child| {
            deeper |= can_fail(child, self.schema);
            Ok(TreeNodeRecursion::Continue)
        })?;
        if given.is_empty() || is_boolean && deeper {
            let inside = expression.map_children(|child| self.within(child, given).map(Transformed::yes));
            return inside.data();
        }
        if !may_be_repeated(&expression) {
            return Ok(expression);
        }
        let inside = expression.map_children(|child| self.within(child, &[]).map(Transformed::yes)).data()?;
        let inside = hide_literals(inside, self.schema)?;
        Ok(if is_boolean {
            let number = Expr::Cast(Cast::new(Box::new(inside), DataType::Int8));
            Expr::Cast(Cast::new(Box::new(guard(given.to_vec(), number)), DataType::Boolean))
        } else {
            guard(given.to_vec(), inside)
        })
    }

    /// Adds guards to a value that already has some.
    fn more(&self, case: Case, given: &[Expr]) -> Result<Expr> {
        let Some((when, then)) = case.when_then_expr.into_iter().next() else {
            return Ok(Expr::Literal(ScalarValue::Null, None));
        };
        let mut all: Vec<Expr> = split_conjunction(&when).into_iter().cloned().collect();
        for more in given.iter().flat_map(split_conjunction) {
            if !all.contains(more) {
                all.push(more.clone());
            }
        }
        Ok(guard(all, self.within(*then, &[])?))
    }

    fn is_boolean(&self, case: &Case) -> Result<bool> {
        match case.when_then_expr.first() {
            Some((_, then)) => Ok(then.get_type(self.schema)? == DataType::Boolean),
            None => Ok(false),
        }
    }
}

/// Returns `CASE WHEN … THEN value END`.
fn guard(given: Vec<Expr>, value: Expr) -> Expr {
    match conjunction(given) {
        None => value,
        Some(all) => {
            let branch = (Box::new(all), Box::new(value));
            Expr::Case(Case { expr: None, when_then_expr: vec![branch], else_expr: None })
        }
    }
}

fn is_guard(case: &Case) -> bool {
    let whens: Vec<_> = case.when_then_expr.iter().flat_map(|(when, _)| split_conjunction(when)).collect();
    let ours = |part: &&Expr| matches!(part, Expr::IsNotFalse(_) | Expr::IsNotTrue(_) | Expr::IsTrue(_));
    case.expr.is_none() && case.else_expr.is_none() && case.when_then_expr.len() == 1 && whens.iter().all(ours)
}

/// Whether the expression may be copied elsewhere. Subqueries, aggregates, window functions and UNNEST must stay where
/// they are.
fn may_be_repeated(expression: &Expr) -> bool {
    let not = expression.exists(|part| {
        Ok(matches!(
            part,
            Expr::ScalarSubquery(_)
                | Expr::InSubquery(_)
                | Expr::Exists(_)
                | Expr::SetComparison(_)
                | Expr::OuterReferenceColumn(..)
                | Expr::AggregateFunction(_)
                | Expr::WindowFunction(_)
                | Expr::Unnest(_)
        ))
    });
    !not.unwrap_or(true)
}

fn is_equality(expression: &Expr) -> bool {
    matches!(expression, Expr::BinaryExpr(BinaryExpr { op: Operator::Eq | Operator::IsNotDistinctFrom, .. }))
}

fn disjuncts(expression: Expr) -> Vec<Expr> {
    let (mut parts, mut open) = (Vec::new(), vec![expression]);
    while let Some(next) = open.pop() {
        match next {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
                open.push(*right);
                open.push(*left);
            }
            part => parts.push(part),
        }
    }
    parts
}

/// Hides literals whose CAST fails. DataFusion would cast them while planning and fail, though the query may never
/// evaluate them.
fn hide_literals(expression: Expr, schema: &DFSchema) -> Result<Expr> {
    if !can_fail(&expression, schema) {
        return Ok(expression);
    }
    let hidden = expression.transform_down(|part| match part {
        Expr::Cast(Cast { expr, field }) => match *expr {
            Expr::Literal(value, metadata) if value.cast_to(field.data_type()).is_err() => {
                let settled = Arc::new(ScalarUDF::from(Settled::default()));
                let literal = vec![Expr::Literal(value, metadata)];
                let expr = Box::new(Expr::ScalarFunction(ScalarFunction::new_udf(settled, literal)));
                Ok(Transformed::yes(Expr::Cast(Cast { expr, field })))
            }
            expr => Ok(Transformed::no(Expr::Cast(Cast { expr: Box::new(expr), field }))),
        },
        part => Ok(Transformed::no(part)),
    });
    hidden.data()
}
