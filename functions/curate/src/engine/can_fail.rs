//! Decides which expressions can fail for some value: casts that do not accept every value, divisions by a possible
//! zero, arithmetic that can overflow, and functions that are not known to accept everything.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator};

/// Functions that return a value for every argument.
const SAFE: &[&str] = &[
    "ascii",
    "bit_length",
    "btrim",
    "character_length",
    "coalesce",
    "concat",
    "concat_ws",
    "contains",
    "date_part",
    "ends_with",
    "get_field",
    "greatest",
    "initcap",
    "isnan",
    "iszero",
    "least",
    "left",
    "levenshtein",
    "lower",
    "ltrim",
    "named_struct",
    "nanvl",
    "nullif",
    "nvl",
    "nvl2",
    "octet_length",
    "regexp_like",
    "replace",
    "reverse",
    "right",
    "rtrim",
    "starts_with",
    "strpos",
    "struct",
    "translate",
    "trim",
    "upper",
];

/// Whether the expression, or a part of it, can fail for some value.
pub(super) fn can_fail(expression: &Expr, schema: &DFSchema) -> bool {
    expression.exists(|part| Ok(fails(part, schema))).unwrap_or(true)
}

fn fails(expression: &Expr, schema: &DFSchema) -> bool {
    let type_of = |expression: &Expr| expression.get_type(schema).unwrap_or(DataType::Null);
    match expression {
        Expr::Cast(Cast { expr, field }) => !is_safe(&type_of(expr), field.data_type()),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::Divide | Operator::Modulo => !(type_of(left).is_floating() || is_not_zero(right)),
            Operator::Plus | Operator::Minus | Operator::Multiply => !type_of(left).is_floating(),
            _ => false,
        },
        Expr::Negative(of) => !type_of(of).is_floating(),
        Expr::ScalarFunction(call) => !SAFE.contains(&call.func.name()),
        _ => false,
    }
}

/// Whether every value of one type can be cast to the other.
fn is_safe(from: &DataType, to: &DataType) -> bool {
    let is_text = |of: &DataType| matches!(of, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    let digits = |of: &DataType| match of {
        DataType::Int8 => Some((true, 1)),
        DataType::Int16 => Some((true, 2)),
        DataType::Int32 => Some((true, 4)),
        DataType::Int64 => Some((true, 8)),
        DataType::UInt8 => Some((false, 1)),
        DataType::UInt16 => Some((false, 2)),
        DataType::UInt32 => Some((false, 4)),
        DataType::UInt64 => Some((false, 8)),
        _ => None,
    };
    let is_number = from.is_numeric() || *from == DataType::Boolean;
    if from == to || *from == DataType::Null {
        return true;
    }
    if is_text(to) {
        return is_text(from) || is_number;
    }
    // digits before and after the decimal point
    let places = |of: &DataType| match of {
        DataType::Int8 | DataType::UInt8 => Some((3, 0)),
        DataType::Int16 | DataType::UInt16 => Some((5, 0)),
        DataType::Int32 | DataType::UInt32 => Some((10, 0)),
        DataType::Int64 => Some((19, 0)),
        DataType::UInt64 => Some((20, 0)),
        DataType::Decimal128(precision, scale) => Some((i16::from(*precision) - i16::from(*scale), i16::from(*scale))),
        _ => None,
    };
    if let (Some((whole, fraction)), DataType::Decimal128(..), Some((room, digits))) = (places(from), to, places(to)) {
        return whole <= room && fraction <= digits;
    }
    if matches!((from, to), (DataType::Decimal128(..), DataType::Float64)) {
        return true;
    }
    match (digits(from), digits(to)) {
        (Some((from_signed, from)), Some((to_signed, to))) => {
            if from_signed {
                to_signed && from <= to
            } else {
                from < to || from == to && !to_signed
            }
        }
        (Some(_), None) => matches!(to, DataType::Float32 | DataType::Float64 | DataType::Boolean),
        _ => matches!((from, to), (DataType::Float32, DataType::Float64) | (DataType::Float64, DataType::Float32)),
    }
}

fn is_not_zero(expression: &Expr) -> bool {
    match expression {
        Expr::Literal(value, _) => {
            let number = value.cast_to(&DataType::Float64);
            matches!(number, Ok(ScalarValue::Float64(Some(number))) if number != 0.0)
        }
        _ => false,
    }
}
