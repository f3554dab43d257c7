//! Rewrites functions and predicates to which DataFusion gives another meaning than Spark. In DataFusion, `nvl` of
//! decimals goes through a double, `nvl2` makes all three arguments one type, `nullif(x, 0)` keeps a -0.0, `s ~ '.*'`
//! is false where it should be null, and `array_remove` removes only one item.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, ScalarValue, internal_err, plan_err};
use datafusion::functions::expr_fn::coalesce;
use datafusion::functions_nested::remove::array_remove_all_udf;
use datafusion::logical_expr::expr::{Case, NullTreatment, WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::type_coercion::binary::type_union_coercion;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, Like, LogicalPlan, Operator, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility, WindowFrameBound, WindowFrameUnits, lit, when,
};

use crate::engine::rewrite::{rewrite, same_step};

/// Rewrites the plan. Runs before type coercion.
pub(super) fn mend(plan: LogicalPlan) -> Result<LogicalPlan> {
    rewrite(plan, meant, same_step)
}

fn meant(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expression {
        Expr::ScalarFunction(mut call) => match (call.func.name(), call.args.as_mut_slice()) {
            ("nvl", [_, _]) => Ok(Transformed::yes(coalesce(call.args))),
            ("nvl2", [tested, some, none]) => {
                let case = when(tested.clone().is_not_null(), some.clone()).otherwise(none.clone())?;
                Ok(Transformed::yes(case))
            }
            ("array_remove", [_, _]) => {
                call.func = array_remove_all_udf();
                Ok(Transformed::yes(Expr::ScalarFunction(call)))
            }
            ("nullif", [of, other]) => {
                let types = (of.get_type(schema)?, other.get_type(schema)?);
                // values of one type are compared as they are, except the two zeros of a double
                if types.0 == types.1 && !types.0.is_floating() {
                    return Ok(Transformed::no(Expr::ScalarFunction(call)));
                }
                let null = lit(ScalarValue::try_from(&types.0)?);
                let case = when(of.clone().eq(other.clone()), null).otherwise(of.clone())?;
                Ok(Transformed::yes(case))
            }
            ("regexp_like", [of, pattern]) if is_anything(pattern) => Ok(Transformed::yes(anything(of.clone()))),
            _ => Ok(Transformed::no(Expr::ScalarFunction(call))),
        },
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::RegexMatch | Operator::RegexIMatch, right })
            if is_anything(&right) =>
        {
            Ok(Transformed::yes(anything(*left)))
        }
        // DataFusion's own rewrite of these may be nullable in one of its plans and not in the other
        Expr::IsTrue(of) if is_boolean(&of, schema) => Ok(Transformed::yes(of.clone().is_not_null().and(*of))),
        Expr::IsFalse(of) if is_boolean(&of, schema) => {
            Ok(Transformed::yes(of.clone().is_not_null().and(Expr::Not(of))))
        }
        Expr::IsNotTrue(of) if is_boolean(&of, schema) => Ok(Transformed::yes(of.clone().is_null().or(Expr::Not(of)))),
        Expr::IsNotFalse(of) if is_boolean(&of, schema) => Ok(Transformed::yes(of.clone().is_null().or(*of))),
        Expr::Case(Case { expr: None, when_then_expr, else_expr }) => {
            for (when, _) in &when_then_expr {
                check_condition("CASE WHEN", when, schema)?;
            }
            Ok(Transformed::no(Expr::Case(Case { expr: None, when_then_expr, else_expr })))
        }
        Expr::AggregateFunction(call) => {
            call.params.filter.iter().try_for_each(|filter| check_condition("FILTER", filter, schema))?;
            Ok(Transformed::no(Expr::AggregateFunction(call)))
        }
        Expr::WindowFunction(mut call) => {
            call.params.filter.iter().try_for_each(|filter| check_condition("FILTER", filter, schema))?;
            check_neighbour(&call, schema)?;
            check_frame(&call)?;
            let by_peers = frame_of_peers(&mut call, schema)?;
            let call = Expr::WindowFunction(call);
            Ok(if by_peers { Transformed::yes(call) } else { Transformed::no(call) })
        }
        expression => Ok(Transformed::no(expression)),
    }
}

/// Fails if what a clause tests is not a condition. DataFusion would cast it.
fn check_condition(clause: &str, tested: &Expr, schema: &DFSchema) -> Result<()> {
    let of = tested.get_type(schema)?;
    if matches!(of, DataType::Boolean | DataType::Null) {
        return Ok(());
    }
    plan_err!("{clause} takes a condition, and not a value of {of}: write {tested} <> 0")
}

fn is_boolean(of: &Expr, schema: &DFSchema) -> bool {
    of.get_type(schema).is_ok_and(|of| of == DataType::Boolean)
}

fn text(of: &Expr) -> Option<&str> {
    match of {
        Expr::Literal(literal, _) => literal.try_as_str().flatten(),
        _ => None,
    }
}

fn is_anything(pattern: &Expr) -> bool {
    text(pattern) == Some(".*")
}

/// True for any text, null for null.
fn anything(of: Expr) -> Expr {
    Expr::Like(Like::new(false, of.into(), lit("%").into(), None, false))
}

/// Refuses `lag` and `lead` with an offset or a default that DataFusion would handle wrongly, and
/// `lead(x, 2) IGNORE NULLS`, which misses rows behind a null.
fn check_neighbour(call: &WindowFunction, schema: &DFSchema) -> Result<()> {
    let name = call.fun.name();
    let WindowFunctionParams { args, null_treatment, .. } = &call.params;
    if !matches!(name, "lag" | "lead") {
        return Ok(());
    }
    let offset = match args.get(1) {
        None => Some(1),
        Some(offset) => number(offset),
    };
    let Some(offset) = offset else {
        return plan_err!("{name}(x, n) here has a whole number for n, and no expression: join the table with itself");
    };
    if args.get(2).is_some_and(|default| !is_literal(default)) {
        return if name == "lag" {
            plan_err!(
                "lag(x, n, y) here has a literal for y: write CASE WHEN row_number() OVER (…) > n THEN lag(x, n) OVER \
             (…) ELSE y END"
            )
        } else {
            plan_err!(
                "lead(x, n, y) here has a literal for y: write CASE WHEN count(*) OVER (PARTITION BY …) - row_number() \
             OVER (…) >= n THEN lead(x, n) OVER (…) ELSE y END"
            )
        };
    }
    if let (Some(of), Some(default)) = (args.first(), args.get(2).and_then(value)) {
        let of = of.get_type(schema)?;
        if !is_kept(&default, &of) {
            return plan_err!(
                "{name}(x, n, y) makes y what x is, {of}, and here it would lose something: cast x to a type that has \
                 the values of both"
            );
        }
    }
    let ahead = if name == "lead" { offset } else { -offset };
    if *null_treatment == Some(NullTreatment::IgnoreNulls) && ahead > 1 {
        return plan_err!(
            "{name}(x, {offset}) IGNORE NULLS would miss rows: write nth_value(x, {ahead}) IGNORE NULLS OVER (… ROWS \
             BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)"
        );
    }
    Ok(())
}

fn number(of: &Expr) -> Option<i64> {
    match of {
        Expr::Literal(literal, _) => literal.cast_to(&DataType::Int64).ok().and_then(|number| match number {
            ScalarValue::Int64(number) => number,
            _ => None,
        }),
        Expr::Negative(of) => number(of).and_then(i64::checked_neg),
        _ => None,
    }
}

/// Returns the value of a literal, which may be negated or cast.
fn value(of: &Expr) -> Option<ScalarValue> {
    match of {
        Expr::Literal(literal, _) => Some(literal.clone()),
        Expr::Negative(of) => value(of)?.arithmetic_negate().ok(),
        Expr::Cast(cast) => value(&cast.expr)?.cast_to(cast.field.data_type()).ok(),
        _ => None,
    }
}

/// Whether the value stays the same in the type. Texts are left to their CAST.
fn is_kept(value: &ScalarValue, of: &DataType) -> bool {
    let from = value.data_type();
    if value.is_null() || from.is_string() && !of.is_string() {
        return true;
    }
    let back = value.cast_to(of).and_then(|of| of.cast_to(&from));
    back.is_ok_and(|back| back == *value)
}

fn is_literal(of: &Expr) -> bool {
    match of {
        Expr::Literal(..) => true,
        Expr::Negative(of) => is_literal(of),
        Expr::Cast(cast) => is_literal(&cast.expr),
        _ => false,
    }
}

/// Refuses a RANGE frame with a negative distance, which ends before it starts.
fn check_frame(call: &WindowFunction) -> Result<()> {
    let frame = &call.params.window_frame;
    let bounds = [&frame.start_bound, &frame.end_bound];
    let negative = bounds.into_iter().any(|bound| match bound {
        WindowFrameBound::Preceding(by) | WindowFrameBound::Following(by) => {
            by.try_as_str().flatten().is_some_and(|by| by.contains('-'))
        }
        WindowFrameBound::CurrentRow => false,
    });
    if negative && frame.units == WindowFrameUnits::Range {
        plan_err!("a RANGE frame goes by a number or an INTERVAL that is not negative: {frame}")
    } else {
        Ok(())
    }
}

/// Turns a RANGE frame over an order of bytes, structs or times into the equivalent frame of GROUPS, if it has no
/// distance. DataFusion would fail with an internal error. Returns whether it changed the frame.
fn frame_of_peers(call: &mut WindowFunction, schema: &DFSchema) -> Result<bool> {
    let WindowFunctionParams { order_by, window_frame: frame, .. } = &mut call.params;
    let Some(first) = order_by.first() else { return Ok(false) };
    let of = first.expr.get_type(schema)?;
    let known =
        of.is_numeric() || of.is_string() || of.is_null() || matches!(of, DataType::List(_) | DataType::Boolean);
    let known = known || matches!(of, DataType::Date32 | DataType::Timestamp(..));
    if frame.units != WindowFrameUnits::Range || known {
        return Ok(false);
    }
    for bound in [&frame.start_bound, &frame.end_bound] {
        match bound {
            WindowFrameBound::CurrentRow => {}
            WindowFrameBound::Preceding(by) | WindowFrameBound::Following(by) if by.is_null() => {}
            _ => {
                return plan_err!(
                    "a RANGE frame goes by a distance of numbers, dates or timestamps, not of {of}: {frame}"
                );
            }
        }
    }
    frame.units = WindowFrameUnits::Groups;
    Ok(true)
}

/// Stands for `nvl2` until it is planned as a CASE. DataFusion's own requires one type for all three arguments.
pub(super) fn nvl2() -> ScalarUDF {
    ScalarUDF::from(Nvl2 { signature: Signature::any(3, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Nvl2 {
    signature: Signature,
}

impl ScalarUDFImpl for Nvl2 {
    fn name(&self) -> &'static str {
        "nvl2"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        if let [_, some, none] = types {
            if let Some(of) = type_union_coercion(some, none) {
                Ok(of)
            } else {
                plan_err!("nvl2(x, {some}, {none}): the types have no common type: cast both to one")
            }
        } else {
            plan_err!("nvl2(x, y, z) has three values")
        }
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("nvl2 is planned as a CASE")
    }
}
