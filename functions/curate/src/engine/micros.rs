//! Keeps timestamps in microseconds where SQL makes them or compares them with others, as in Spark. DataFusion uses
//! nanoseconds, which end in 2262.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::expr::{Between, Case, InList, ScalarFunction};
use datafusion::logical_expr::{
    BinaryExpr, Cast, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, Projection, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, TryCast, Union, Volatility, cast,
};

use crate::engine::rewrite::rewrite;

/// The type of the timestamps that SQL makes.
pub(super) const MICROS: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// Rewrites the plan. Runs before type coercion.
pub(super) fn mend(plan: LogicalPlan) -> Result<LogicalPlan> {
    rewrite(plan, |expression, schema| Ok(Transformed::yes(mended(expression, schema)?)), of_one_unit_each)
}

fn of_one_unit_each(plan: LogicalPlan, schema: &DFSchema) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::Union(union) => LogicalPlan::Union(of_one_unit(union)?).recompute_schema(),
        LogicalPlan::Join(mut join) => {
            for (left, right) in &mut join.on {
                same(vec![left, right], Texts::Literal, schema);
            }
            Ok(LogicalPlan::Join(join))
        }
        plan => Ok(plan),
    }
}

/// Functions whose arguments have one type.
const OF_ONE_TYPE: &[&str] = &["coalesce", "greatest", "least", "nullif", "nvl", "ifnull", "make_array"];

fn mended(mut expression: Expr, schema: &DFSchema) -> Result<Expr> {
    match &mut expression {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if compares(*op) => {
            same(vec![left, right], Texts::All, schema);
            keep_digits(left, &[right], schema);
            keep_digits(right, &[left], schema);
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Minus, right }) => {
            let timestamp = |of: &Expr| matches!(of.get_type(schema), Ok(DataType::Timestamp(..)));
            if timestamp(left) || timestamp(right) {
                same(vec![left, right], Texts::None, schema);
            }
        }
        Expr::Between(Between { expr, low, high, .. }) => {
            same(vec![expr, low, high], Texts::All, schema);
            keep_digits(expr, &[low, high], schema);
            keep_digits(low, &[expr], schema);
            keep_digits(high, &[expr], schema);
        }
        Expr::InList(InList { expr, list, .. }) => {
            same(std::iter::once(expr.as_mut()).chain(&mut *list).collect(), Texts::All, schema);
            keep_digits(expr, &list.iter().collect::<Vec<_>>(), schema);
        }
        Expr::Case(Case { expr, when_then_expr, else_expr }) => {
            if let Some(of) = expr {
                let whens = when_then_expr.iter_mut().map(|(when, _)| when.as_mut());
                same(std::iter::once(of.as_mut()).chain(whens).collect(), Texts::All, schema);
                keep_digits(of, &when_then_expr.iter().map(|(when, _)| when.as_ref()).collect::<Vec<_>>(), schema);
            }
            let thens = when_then_expr.iter_mut().map(|(_, then)| then.as_mut());
            same(thens.chain(else_expr.as_deref_mut()).collect(), Texts::Literal, schema);
        }
        Expr::ScalarFunction(call) => {
            let name = call.func.name();
            match call.args.as_mut_slice() {
                args if OF_ONE_TYPE.contains(&name) => same(args.iter_mut().collect(), Texts::Literal, schema),
                [_, then, otherwise] if name == "nvl2" => same(vec![then, otherwise], Texts::Literal, schema),
                [_, of] if matches!(name, "date_trunc" | "date_part") => {
                    let given = of.get_type(schema)?;
                    if is_text(&given) || is_date(&given) && name == "date_trunc" {
                        put(of, MICROS);
                    }
                }
                [of] if name == "to_timestamp" => {
                    let given = of.get_type(schema)?;
                    if is_text(&given) || is_date(&given) {
                        return Ok(cast(of.clone(), MICROS));
                    }
                    if given.is_integer() {
                        let seconds =
                            cast(cast(of.clone(), DataType::Int64), DataType::Timestamp(TimeUnit::Second, None));
                        return Ok(cast(seconds, MICROS));
                    }
                }
                _ => {}
            }
        }
        // AT TIME ZONE is planned as a CAST to nanoseconds with a time zone
        Expr::Cast(Cast { expr, field }) => {
            if let DataType::Timestamp(TimeUnit::Nanosecond, zone @ Some(_)) = field.data_type()
                && !matches!(expr.get_type(schema)?, DataType::Timestamp(TimeUnit::Nanosecond, _))
            {
                return Ok(cast(expr.as_ref().clone(), DataType::Timestamp(TimeUnit::Microsecond, zone.clone())));
            }
        }
        _ => {}
    }
    Ok(expression)
}

fn compares(operator: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(operator, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// Which texts beside a timestamp are read as timestamps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Texts {
    None,
    Literal,
    All,
}

fn is_text(of: &DataType) -> bool {
    matches!(of, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn is_date(of: &DataType) -> bool {
    matches!(of, DataType::Date32 | DataType::Date64)
}

/// Casts dates and texts beside timestamps to timestamps, all of the finest unit among them.
fn same(values: Vec<&mut Expr>, texts: Texts, schema: &DFSchema) {
    let types: Vec<_> = values.iter().map(|value| value.get_type(schema).ok()).collect();
    let mut finest = None;
    for (value, of) in values.iter().zip(&types) {
        let unit = match of {
            Some(DataType::Timestamp(unit, None)) => Some(*unit),
            Some(DataType::Null | DataType::Date32 | DataType::Date64) => None,
            Some(of) if is_text(of) && texts == Texts::All => Some(TimeUnit::Microsecond),
            Some(of) if is_text(of) && texts == Texts::Literal && matches!(value, Expr::Literal(..)) => {
                Some(TimeUnit::Microsecond)
            }
            _ => return,
        };
        finest = finest.max(unit);
    }
    let Some(unit) = finest else { return };
    if !types.iter().any(|of| matches!(of, Some(DataType::Timestamp(..)))) {
        return;
    }
    for (value, of) in values.into_iter().zip(types) {
        let differs = of.is_some_and(|of| is_date(&of) || is_text(&of));
        if differs {
            put(value, DataType::Timestamp(unit, None));
        }
    }
}

fn put(value: &mut Expr, to: DataType) {
    *value = cast(std::mem::take(value), to);
}

/// Casts a timestamp to the unit of finer constants beside it, if they have digits that its own unit would lose.
/// DataFusion would cut these digits off the constants.
fn keep_digits(value: &mut Expr, constants: &[&Expr], schema: &DFSchema) {
    let Ok(of @ DataType::Timestamp(..)) = value.get_type(schema) else { return };
    let finer = constants.iter().filter(|constant| constant.column_refs().is_empty() && !fits(constant, &of));
    let finer = finer.filter_map(|constant| constant.get_type(schema).ok());
    let finest = finer.max_by_key(unit_of).filter(|finest| unit_of(finest) > unit_of(&of));
    if let Some(to) = finest {
        let function = Finer { to, signature: Signature::any(1, Volatility::Immutable) };
        let call = ScalarFunction::new_udf(Arc::new(ScalarUDF::from(function)), vec![std::mem::take(value)]);
        *value = Expr::ScalarFunction(call);
    }
}

fn unit_of(timestamp: &DataType) -> Option<TimeUnit> {
    match timestamp {
        DataType::Timestamp(unit, _) => Some(*unit),
        _ => None,
    }
}

/// Whether the constant, as written, loses nothing in the unit.
fn fits(constant: &Expr, unit: &DataType) -> bool {
    let (Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field })) = constant else { return false };
    let Expr::Literal(text, _) = expr.as_ref() else { return false };
    let exact = |text: &ScalarValue| -> Result<bool> {
        let exact = text.cast_to(field.data_type())?;
        Ok(exact.cast_to(unit)?.cast_to(field.data_type())? == exact)
    };
    exact(text).unwrap_or(true)
}

/// A CAST of a timestamp to a finer unit, which the optimizer does not move.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Finer {
    to: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for Finer {
    fn name(&self) -> &'static str {
        "finer"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [of] = arguments.args.as_slice() else {
            return Err(DataFusionError::Internal("a CAST has one value".into()));
        };
        of.cast_to(&self.to, None)
    }
}

/// Casts the columns of a union that are dates in one branch and timestamps in another to timestamps.
fn of_one_unit(union: Union) -> Result<Union> {
    let width = union.schema.fields().len();
    let mut targets = vec![None; width];
    for (place, target) in targets.iter_mut().enumerate() {
        let types: Vec<_> = union.inputs.iter().filter_map(|input| of_column(input, place)).collect();
        let units = types.iter().map(|of| match of {
            DataType::Timestamp(unit, None) => Some(Some(*unit)),
            DataType::Date32 | DataType::Date64 | DataType::Null => Some(None),
            _ => None,
        });
        if let Some(units) = units.collect::<Option<Vec<_>>>()
            && types.iter().any(is_date)
        {
            *target = units.into_iter().max().flatten();
        }
    }
    if targets.iter().all(Option::is_none) {
        return Ok(union);
    }
    let inputs = union.inputs.iter().map(|input| {
        let columns = input.schema().columns().into_iter().zip(&targets).enumerate();
        let columns = columns.map(|(place, (column, target))| {
            let name = column.name.clone();
            match target {
                Some(unit) if of_column(input, place).is_some_and(|of| is_date(&of)) => {
                    cast(Expr::Column(column), DataType::Timestamp(*unit, None)).alias(name)
                }
                _ => Expr::Column(column),
            }
        });
        Ok(Arc::new(LogicalPlan::Projection(Projection::try_new(columns.collect(), Arc::clone(input))?)))
    });
    Union::try_new_with_loose_types(inputs.collect::<Result<_>>()?)
}

fn of_column(plan: &LogicalPlan, place: usize) -> Option<DataType> {
    plan.schema().fields().get(place).map(|field| field.data_type().clone())
}
