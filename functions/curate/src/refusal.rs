//! Messages about SQL that cannot be run: who is at fault, where the SQL is wrong, and what to write instead.

use contract::Failure;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator};
use datafusion::sql::sqlparser::parser::ParserError;

use crate::query::Query;

/// Combines all failures into one. Returns `None` if there are none.
pub(crate) fn all(mut failures: Vec<Failure>) -> Option<Failure> {
    if failures.len() < 2 {
        return failures.pop();
    }
    let messages: Vec<_> = failures.iter().map(|failure| failure.message.as_str()).collect();
    Some(Failure::bad_metadata(format!("{} problems in the SQL\n  {}", failures.len(), messages.join("\n  "))))
}

/// Whether the SQL is at fault, rather than a value that it meets.
pub(crate) fn is_of_sql(error: &DataFusionError) -> bool {
    match error.find_root() {
        DataFusionError::Plan(_)
        | DataFusionError::SchemaError(_, _)
        | DataFusionError::SQL(_, _)
        | DataFusionError::NotImplemented(_) => true,
        root => {
            let message = root.strip_backtrace();
            OF_TYPES.iter().any(|part| message.contains(part))
        }
    }
}

/// Parts of DataFusion's messages about types that do not go together.
const OF_TYPES: &[&str] =
    &["failed to match any signature", "find the coerced type", "coercion failed with", "Uncomparable values"];

/// Prefixes of DataFusion's messages.
const KINDS: &[&str] = &[
    "Error during planning: ",
    "This feature is not implemented: ",
    "Schema error: ",
    "Internal error: ",
    "Execution error: ",
    "Arrow error: ",
    "External error: ",
];

/// Alternatives to write, by a part of DataFusion's message.
const WAYS: &[(&str, &str)] = &[
    (
        "failed to match any signature",
        "cast what the function is given to a type that it takes, such as CAST(x AS DOUBLE) or CAST(x AS STRING)",
    ),
    (
        "find the coerced type",
        "there is no type for them all; cast them to one, as in coalesce(d, DATE '9999-12-31') or \
         coalesce(ts, TIMESTAMP '9999-12-31 00:00:00')",
    ),
    ("UNNEST with ordinality", WAY_OF_POSITIONS),
    ("UNNEST table factor with offset", WAY_OF_POSITIONS),
    (
        "Uncomparable values",
        "rows cannot be grouped, or made distinct, by an array of arrays that is the same in all of them: leave it \
         out of the inner query, and add it outside",
    ),
    ("Failed to coerce types", "cast both sides to one type"),
    ("coercion failed with", "cast what the function is given to one type"),
    (
        "used as a sliding accumulator",
        "over a window that moves, write array_to_string(array_agg(x) OVER (…), ',') for string_agg(x, ','), and a \
         join of the table with itself for others",
    ),
];

const WAY_OF_POSITIONS: &str = "unnest the positions and take the elements by them: \
    SELECT id, n, tags[n] AS v FROM (SELECT id, tags, unnest(generate_series(1, CAST(cardinality(tags) AS BIGINT))) \
    AS n FROM t) AS z (docs/sql.md, Structs and arrays)";

/// Parts of DataFusion's messages about a subquery that it cannot turn into a join. The rest of such a message does not
/// help.
const OF_SUBQUERIES: &[&str] = &[
    "OuterReferenceColumn(",
    "ScalarSubquery(",
    "InSubquery(",
    "Exists(",
    "SetComparison(",
    "undecorrelated Subquery",
    "null_aware anti join",
    "Correlated column is not allowed",
    "Accessing outer reference columns is not allowed",
];
const WAY_OF_SUBQUERIES: &str = "this subquery cannot be run: it can where rows of it are looked up by `=` \
    (`EXISTS`, `NOT EXISTS`, `IN` in a WHERE, one value of an aggregate); write others as a join and GROUP BY \
    (docs/sql.md, Subqueries)";

/// Returns DataFusion's message in terms of SQL, with the alternative if one is known.
pub(crate) fn reason(error: &DataFusionError) -> String {
    let root = error.find_root();
    if let DataFusionError::SQL(error, _) = root {
        return of_parser(error);
    }
    // the outer errors only name the parts of DataFusion that the error passed through
    let mut message = root.strip_backtrace();
    if OF_SUBQUERIES.iter().any(|part| message.contains(part)) {
        return WAY_OF_SUBQUERIES.into();
    }
    for kind in KINDS {
        message = message.replace(kind, "");
    }
    // wrong SQL is not a bug that a user should report to DataFusion
    while let Some(begin) = message.find("This issue was likely caused by") {
        let end = message[begin..].find("/issues").map_or(message.len(), |length| begin + length + "/issues".len());
        message.replace_range(begin..end, "");
    }
    let message = message.trim().trim_end_matches(['.', '\n']).replace(".\n", "; ");
    match WAYS.iter().find(|(part, _)| message.contains(part)) {
        Some((_, way)) => format!("{message}; {way}"),
        None => message,
    }
}

fn of_parser(error: &ParserError) -> String {
    let message = match error {
        ParserError::ParserError(message) | ParserError::TokenizerError(message) => message,
        ParserError::RecursionLimitExceeded => {
            return "expressions or queries are nested too deep; give parts a name in a WITH".into();
        }
    };
    let place =
        message.rsplit_once(" at Line: ").and_then(|(what, place)| Some((what, place.split_once(", Column: ")?)));
    match place {
        Some((what, (line, column))) => format!("line {line}, column {column}: {}", lower(what)),
        None => lower(message),
    }
}

fn lower(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

/// Functions whose second argument is a regular expression.
const OF_REGEXES: &[&str] = &["regexp_like", "regexp_replace", "regexp_count", "regexp_instr", "regexp_match"];

/// Refuses an invalid regular expression in the SQL before anything is read.
pub(crate) fn check_regexes(query: &Query, plan: &LogicalPlan) -> Result<(), Failure> {
    let mut found = None;
    let seen = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|expression| {
                if let Some(pattern) = pattern(expression)
                    && let Err(error) = regex::Regex::new(pattern)
                {
                    found = Some((pattern.to_owned(), error));
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    seen.map_err(Failure::internal)?;
    let Some((pattern, error)) = found else { return Ok(()) };
    let error = error.to_string();
    let reason = error.lines().last().unwrap_or(&error).trim_start_matches("error: ");
    let way = if reason.contains("look-around") || reason.contains("backreferences") {
        "; match what is around as well, and take a group of it: regexp_replace(s, '^.*a([0-9]+)b.*$', '$1')"
    } else {
        ""
    };
    Err(Failure::bad_metadata(format!(
        "{}: `{pattern}` is not a valid regular expression: {reason}{way}",
        query.file.display()
    )))
}

fn pattern(expression: &Expr) -> Option<&str> {
    let pattern = match expression {
        Expr::ScalarFunction(call) if OF_REGEXES.contains(&call.func.name()) => call.args.get(1)?,
        Expr::BinaryExpr(BinaryExpr { op, right, .. }) if is_regex(*op) => right,
        _ => return None,
    };
    match pattern {
        Expr::Literal(
            ScalarValue::Utf8(Some(text)) | ScalarValue::LargeUtf8(Some(text)) | ScalarValue::Utf8View(Some(text)),
            _,
        ) => Some(text),
        _ => None,
    }
}

fn is_regex(operator: Operator) -> bool {
    use Operator::{RegexIMatch, RegexMatch, RegexNotIMatch, RegexNotMatch};
    matches!(operator, RegexMatch | RegexIMatch | RegexNotMatch | RegexNotIMatch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_of_sql_and_not_of_datafusion() {
        let signature = "Function 'sum' failed to match any signature, errors: Error during planning: \
                         Function 'sum' requires Decimal, but received String (DataType: Utf8).";
        let told = reason(&DataFusionError::Internal(signature.into()));
        assert!(told.starts_with("Function 'sum' failed to match any signature, errors: Function 'sum'"), "{told}");
        assert!(!told.contains("bug") && !told.contains("Error during planning") && told.contains("CAST("), "{told}");
        let error = ParserError::ParserError("Expected: identifier, found: 2024 at Line: 1, Column: 39".into());
        let told = reason(&DataFusionError::SQL(Box::new(error), None));
        assert_eq!(told, "line 1, column 39: expected: identifier, found: 2024");
        let plan = "Physical plan does not support logical expression OuterReferenceColumn(Field { name: \"tags\" })";
        let told = reason(&DataFusionError::NotImplemented(plan.into()));
        assert!(told.contains("docs/sql.md") && !told.contains("Field"), "{told}");
    }
}
