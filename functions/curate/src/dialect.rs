//! Rewrites SQL that the parser accepts but that DataFusion does not plan, or plans with another meaning. TIMESTAMP
//! gets microseconds, BINARY becomes BYTEA, and LATERAL VIEW and `explode` become UNNEST.

use std::mem::take;

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Join, JoinConstraint,
    JoinOperator, LateralView, ObjectName, Select, TableAlias, TableAliasColumnDef, TableFactor, TimezoneInfo, Value,
};

/// Rewrites an expression for DataFusion.
pub(crate) fn expression(expression: &mut Expr) {
    match expression {
        Expr::TypedString(text) => {
            let finer = matches!(&text.value.value, Value::SingleQuotedString(text) if has_nanoseconds(text));
            spark_type(&mut text.data_type, finer);
        }
        Expr::Cast { kind: CastKind::Cast | CastKind::TryCast | CastKind::DoubleColon, data_type, expr, .. } => {
            let finer = matches!(expr.as_ref(), Expr::Value(value)
                if matches!(&value.value, Value::SingleQuotedString(text) if has_nanoseconds(text)));
            spark_type(data_type, finer);
        }
        Expr::Function(function) if is_named(&function.name, "explode") => {
            function.name = ObjectName::from(vec![Ident::new("unnest")]);
        }
        Expr::Function(function) if is_named(&function.name, "explode_outer") => {
            function.name = ObjectName::from(vec![Ident::new("unnest_outer")]);
        }
        _ => {}
    }
}

/// Gives TIMESTAMP without a precision, and BINARY, the meaning that they have in Spark.
fn spark_type(data_type: &mut DataType, finer: bool) {
    match data_type {
        DataType::Timestamp(precision @ None, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            *precision = Some(if finer { 9 } else { 6 });
        }
        DataType::Binary(None) => *data_type = DataType::Bytea,
        _ => {}
    }
}

/// Whether the text of a timestamp has a digit other than 0 after the sixth decimal place.
fn has_nanoseconds(text: &str) -> bool {
    let decimals = text.rsplit_once('.').map_or("", |(_, decimals)| decimals);
    decimals.bytes().take_while(u8::is_ascii_digit).skip(6).any(|digit| digit != b'0')
}

fn is_named(name: &ObjectName, wanted: &str) -> bool {
    matches!(name.0.as_slice(), [part] if part.as_ident().is_some_and(|name| name.value.eq_ignore_ascii_case(wanted)))
}

/// Rewrites the FROM of a select for DataFusion. The error names a LATERAL VIEW that cannot be rewritten.
pub(crate) fn select(select: &mut Select) -> Result<(), String> {
    let views = take(&mut select.lateral_views);
    if let Some(from) = select.from.last_mut() {
        for view in views {
            from.joins.push(unnested(view)?);
        }
    }
    Ok(())
}

/// Rewrites `LATERAL VIEW explode(tags) u AS v` to a join.
fn unnested(view: LateralView) -> Result<Join, String> {
    let LateralView { lateral_view, lateral_view_name, lateral_col_alias, outer } = view;
    let (array, inner) = match lateral_view {
        Expr::Function(Function { name, args: FunctionArguments::List(list), .. })
            if list.args.len() == 1 && (is_named(&name, "explode") || is_named(&name, "explode_outer")) =>
        {
            let outer = is_named(&name, "explode_outer");
            match list.args.into_iter().next() {
                Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(array))) => (array, !outer),
                _ => return Err("LATERAL VIEW explode(…) takes an array".into()),
            }
        }
        other => return Err(format!("LATERAL VIEW {other}: of LATERAL VIEW there is explode(…) of an array only")),
    };
    let name = lateral_view_name.0.last().and_then(|part| part.as_ident()).cloned();
    let alias = name.map(|name| TableAlias {
        explicit: true,
        name,
        columns: lateral_col_alias.into_iter().map(|name| TableAliasColumnDef { name, data_type: None }).collect(),
        at: None,
    });
    let relation = unnest(vec![array], alias);
    let join_operator = if outer || !inner {
        JoinOperator::LeftOuter(JoinConstraint::On(Expr::value(Value::Boolean(true))))
    } else {
        JoinOperator::CrossJoin(JoinConstraint::None)
    };
    Ok(Join { relation, global: false, join_operator })
}

/// Rewrites `LATERAL explode(tags) AS u (v)` to UNNEST.
pub(crate) fn factor(factor: &mut TableFactor) {
    if let TableFactor::Function { lateral: true, name, args, with_ordinality: false, alias } = factor
        && is_named(name, "explode")
    {
        let arrays = take(args).into_iter().filter_map(|array| match array {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(array)) => Some(array),
            _ => None,
        });
        *factor = unnest(arrays.collect(), alias.take());
    }
}

fn unnest(array_exprs: Vec<Expr>, alias: Option<TableAlias>) -> TableFactor {
    TableFactor::UNNEST { alias, array_exprs, with_offset: false, with_offset_alias: None, with_ordinality: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_of_nanoseconds() {
        for (text, finer) in [
            ("2024-01-01", false),
            ("2024-01-01 00:00:00.123456", false),
            ("2024-01-01 00:00:00.123456000Z", false),
            ("2024-01-01 00:00:00.1234567", true),
        ] {
            assert_eq!(has_nanoseconds(text), finer, "{text}");
        }
    }
}
