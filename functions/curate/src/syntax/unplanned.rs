//! Clauses that the parser accepts and DataFusion's planner silently ignores, which would change the answer. Each is
//! refused with an alternative, or rewritten for DataFusion. The types of the syntax are destructured field by field.
//! If a later parser adds a clause, this module does not compile until it handles it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::sqlparser::ast::{
    Cte, DataType, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, GroupByExpr, GroupByWithModifier, LimitClause, NamedWindowExpr, OrderBy,
    OrderByKind, Query, Select, SetExpr, Statement as SqlStatement, TableFactor, WindowType,
};

type Checked = Result<(), String>;

/// Fails if the clause is there, with what to write instead.
fn refuse(there: bool, clause: &str, instead: &str) -> Checked {
    if there { Err(format!("{clause} is not carried out here: {instead}")) } else { Ok(()) }
}

const LEAVE_OUT: &str = "leave it out";

/// Refuses clauses of a select that would be ignored.
pub(super) fn select(select: &mut Select) -> Checked {
    let Select {
        select_token: _,
        // they do not change the answer
        optimizer_hints: _,
        distinct: _,
        select_modifiers,
        top,
        top_before_distinct: _,
        projection: _,
        exclude,
        into,
        from: _,
        lateral_views: _,
        prewhere,
        selection: _,
        connect_by,
        group_by,
        cluster_by,
        distribute_by,
        sort_by,
        having: _,
        named_window,
        qualify: _,
        window_before_qualify: _,
        value_table_mode,
        flavor: _,
    } = select;
    refuse(select_modifiers.is_some(), "what stands behind SELECT", LEAVE_OUT)?;
    refuse(top.is_some(), "TOP", "write ORDER BY … LIMIT")?;
    refuse(exclude.is_some(), "EXCLUDE behind the columns", "name the columns")?;
    refuse(into.is_some(), "SELECT … INTO", "tables are written by the pipeline, not by SQL")?;
    refuse(prewhere.is_some(), "PREWHERE", "write WHERE")?;
    refuse(!connect_by.is_empty(), "CONNECT BY", "write WITH RECURSIVE")?;
    refuse(!cluster_by.is_empty(), "CLUSTER BY", "rows of a table have no order; leave it out")?;
    refuse(!distribute_by.is_empty(), "DISTRIBUTE BY", "rows of a table have no order; leave it out")?;
    refuse(!sort_by.is_empty(), "SORT BY", "write ORDER BY")?;
    refuse(value_table_mode.is_some(), "AS STRUCT or AS VALUE", "name the columns")?;
    for window in named_window {
        if let NamedWindowExpr::WindowSpec(spec) = &window.1 {
            refuse(spec.window_name.is_some(), ON_ANOTHER, WHOLE)?;
        }
    }
    grouping(group_by)
}

const ON_ANOTHER: &str = "a window that goes on from a named one, or has its name in brackets,";
const WHOLE: &str = "write OVER w, or all of the window";

/// Rewrites GROUP BY … WITH ROLLUP to GROUP BY ROLLUP (…), and so on.
fn grouping(group_by: &mut GroupByExpr) -> Checked {
    let GroupByExpr::Expressions(expressions, modifiers) = group_by else { return Ok(()) };
    let all = || expressions.iter().map(|expression| vec![expression.clone()]).collect();
    let grouped = match modifiers.as_slice() {
        [] => return Ok(()),
        [GroupByWithModifier::Rollup] => Expr::Rollup(all()),
        [GroupByWithModifier::Cube] => Expr::Cube(all()),
        [GroupByWithModifier::GroupingSets(sets)] => sets.clone(),
        _ => {
            return refuse(
                true,
                "GROUP BY … WITH TOTALS, or with several of these,",
                "write GROUP BY GROUPING SETS (…)",
            );
        }
    };
    *expressions = vec![grouped];
    modifiers.clear();
    Ok(())
}

/// Refuses clauses of a query that would be ignored.
pub(super) fn query(query: &Query) -> Checked {
    let Query {
        with,
        body: _,
        order_by,
        limit_clause,
        fetch,
        locks,
        for_clause,
        settings,
        format_clause,
        pipe_operators,
    } = query;
    for Cte { alias: _, query: _, from, materialized: _, closing_paren_token: _ } in
        with.iter().flat_map(|with| &with.cte_tables)
    {
        refuse(from.is_some(), "FROM behind a WITH table", LEAVE_OUT)?;
    }
    if let Some(OrderBy { kind, interpolate }) = order_by {
        let fills = matches!(kind, OrderByKind::Expressions(by) if by.iter().any(|by| by.with_fill.is_some()));
        refuse(fills || interpolate.is_some(), "WITH FILL", "join a table of all values")?;
    }
    if let Some(LimitClause::LimitOffset { limit_by, .. }) = limit_clause {
        refuse(!limit_by.is_empty(), "LIMIT … BY", "write QUALIFY row_number() OVER (PARTITION BY …) <= n")?;
    }
    refuse(fetch.is_some(), "FETCH FIRST", "write LIMIT")?;
    refuse(!locks.is_empty(), "FOR UPDATE", LEAVE_OUT)?;
    refuse(for_clause.is_some(), "FOR", LEAVE_OUT)?;
    refuse(settings.is_some(), "SETTINGS", LEAVE_OUT)?;
    refuse(format_clause.is_some(), "FORMAT", LEAVE_OUT)?;
    refuse(!pipe_operators.is_empty(), "|>", "write one SELECT around another")
}

/// Refuses clauses of a table that would be ignored.
pub(super) fn factor(factor: &TableFactor) -> Checked {
    const SAMPLE: &str = "a sample is another one each time; write WHERE over a hash of a key";
    match factor {
        TableFactor::Table {
            name: _,
            alias: _,
            args: _,
            with_hints,
            version,
            with_ordinality,
            partitions,
            json_path,
            sample,
            index_hints,
        } => {
            refuse(!with_hints.is_empty() || !index_hints.is_empty(), "a hint to a table", LEAVE_OUT)?;
            refuse(version.is_some(), "a version of a table", "run curate as of a moment: {\"as_of\": …}")?;
            refuse(*with_ordinality, "WITH ORDINALITY", "write row_number() OVER (ORDER BY …)")?;
            refuse(!partitions.is_empty(), "PARTITION behind a table", "write WHERE")?;
            refuse(json_path.is_some(), "a path behind a table", LEAVE_OUT)?;
            refuse(sample.is_some(), "TABLESAMPLE", SAMPLE)
        }
        TableFactor::Derived { sample, .. } => refuse(sample.is_some(), "TABLESAMPLE", SAMPLE),
        _ => Ok(()),
    }
}

/// Refuses parts of an expression that would be ignored or misunderstood. Wraps the subquery of ANY or ALL.
pub(super) fn expression(expression: &mut Expr) -> Checked {
    match expression {
        Expr::Function(function) => call(function),
        Expr::SimilarTo { .. } => {
            refuse(true, "SIMILAR TO", "write LIKE, or regexp_like(x, '^(…)$') with a regular expression")
        }
        Expr::Cast { data_type: DataType::Timestamp(Some(digits), _), .. } if ![6, 9].contains(digits) => {
            refuse(true, "TIMESTAMP(n)", "write date_trunc('second', ts), or 'millisecond'")
        }
        Expr::AnyOp { right, .. } | Expr::AllOp { right, .. } => quantified(right),
        _ => Ok(()),
    }
}

/// Refuses FILTER, DISTINCT and the like for functions that are neither aggregates nor window functions, where they
/// would be ignored.
fn call(function: &Function) -> Checked {
    let Function { name, uses_odbc_syntax: _, parameters, args, filter, null_treatment, over, within_group } = function;
    refuse(!matches!(parameters, FunctionArguments::None), "a second pair of brackets behind a function", LEAVE_OUT)?;
    if let Some(WindowType::WindowSpec(spec)) = over {
        refuse(spec.window_name.is_some(), ON_ANOTHER, WHOLE)?;
    }
    let name = name.to_string().to_ascii_lowercase();
    if OF_MANY_ROWS.contains(name.as_str()) {
        return match args {
            FunctionArguments::List(list) => of_many_rows(&name, list),
            FunctionArguments::None | FunctionArguments::Subquery(_) => Ok(()),
        };
    }
    let distinct = matches!(args, FunctionArguments::List(FunctionArgumentList { duplicate_treatment: Some(_), .. }));
    let of_many = [
        (filter.is_some(), "FILTER"),
        (distinct, "DISTINCT"),
        (null_treatment.is_some(), "IGNORE NULLS"),
        (over.is_some(), "OVER"),
        (!within_group.is_empty(), "WITHIN GROUP"),
    ];
    match of_many.iter().find(|(there, _)| *there) {
        Some((_, clause)) => Err(format!("{clause} belongs to aggregates and window functions, and `{name}` is none")),
        None => Ok(()),
    }
}

/// Refuses arguments of aggregates and window functions that DataFusion ignores, miscounts or stumbles over.
fn of_many_rows(name: &str, list: &FunctionArgumentList) -> Checked {
    let FunctionArgumentList { duplicate_treatment, args, clauses } = list;
    let columns = |arg: &FunctionArg| match arg {
        FunctionArg::Unnamed(arg) => !matches!(arg, FunctionArgExpr::Expr(_)),
        FunctionArg::Named { .. } | FunctionArg::ExprNamed { .. } => false,
    };
    let distinct = *duplicate_treatment == Some(DuplicateTreatment::Distinct);
    let whole = matches!(args.as_slice(), [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)]);
    let counts_rows = name == "count" && whole && !distinct;
    refuse(
        args.iter().any(columns) && !counts_rows,
        "`*` within an aggregate other than count(*)",
        "name a column, or count the rows of SELECT DISTINCT",
    )?;
    let ignores_distinct = ["regr_", "covar_"].iter().any(|family| name.starts_with(family))
        || ["corr", "nth_value", "first_value", "last_value", "lag", "lead"].contains(&name);
    refuse(distinct && ignores_distinct, &format!("{name}(DISTINCT …)"), "apply it to the rows of SELECT DISTINCT")?;
    let ignores_order = ["stddev", "var", "bit_"].iter().any(|family| name.starts_with(family))
        || ["count", "avg", "mean", "median"].contains(&name);
    let is_ordered = clauses.iter().any(|clause| matches!(clause, FunctionArgumentClause::OrderBy(_)));
    refuse(is_ordered && ignores_order, &format!("ORDER BY within {name}"), "leave it out, the result has no order")
}

/// The names of aggregates and window functions, DataFusion's and ours.
static OF_MANY_ROWS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let state = crate::engine::session(1 << 20).map(|context| context.state());
    let names = state.map(|state| {
        let aggregates = state.aggregate_functions().keys().cloned();
        aggregates.chain(state.window_functions().keys().cloned()).collect()
    });
    names.unwrap_or_default()
});

/// Wraps the select of `x >= ALL (SELECT …)` in a derived table with a unique name. DataFusion mixes up columns of the
/// same name inside and outside.
fn quantified(right: &mut Expr) -> Checked {
    let Expr::Subquery(query) = right else { return Ok(()) };
    let mut around = template()?;
    if let SetExpr::Select(select) = around.body.as_mut()
        && let Some(TableFactor::Derived { subquery, .. }) = select.from.first_mut().map(|from| &mut from.relation)
    {
        **subquery = query.as_ref().clone();
        **query = around;
    }
    Ok(())
}

const NAME: &str = "_of_all";

fn template() -> Result<Query, String> {
    let parsed =
        DFParser::parse_sql(&format!("SELECT * FROM (SELECT 1) AS {NAME}")).map_err(|error| error.to_string())?;
    match parsed.into_iter().next() {
        Some(Statement::Statement(statement)) => match *statement {
            SqlStatement::Query(query) => Ok(*query),
            _ => Err("not a query".into()),
        },
        _ => Err("not a query".into()),
    }
}

#[cfg(test)]
mod tests;
