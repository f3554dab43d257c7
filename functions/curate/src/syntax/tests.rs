use datafusion::sql::parser::DFParser;

use super::*;

/// Returns the expression with parentheses around each operator and its sides.
fn bound(expression: &str) -> Result<String, String> {
    let mut statement = DFParser::parse_sql(&format!("SELECT {expression}")).unwrap().pop_front().unwrap();
    mend(&mut statement)?;
    struct Parenthesise;
    impl VisitorMut for Parenthesise {
        type Break = ();
        fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
            if matches!(expression, Expr::BinaryOp { .. }) || Family::of(expression).is_some() {
                *expression = Expr::Nested(replace(expression, Expr::value(Value::Null)).into());
            }
            ControlFlow::Continue(())
        }
    }
    let Statement::Statement(statement) = &mut statement else { panic!() };
    let _ = VisitMut::visit(statement.as_mut(), &mut Parenthesise);
    Ok(statement.to_string().trim_start_matches("SELECT ").to_owned())
}

#[test]
fn operators_bind_as_in_spark() {
    for (text, means) in [
        ("a IS DISTINCT FROM b AND c", "((a IS DISTINCT FROM b) AND c)"),
        ("a IS DISTINCT FROM b OR c", "((a IS DISTINCT FROM b) OR c)"),
        ("a IS NOT DISTINCT FROM b AND c OR d", "(((a IS NOT DISTINCT FROM b) AND c) OR d)"),
        ("a IS DISTINCT FROM b OR c AND d", "((a IS DISTINCT FROM b) OR (c AND d))"),
        ("x AND a IS DISTINCT FROM b OR c", "((x AND (a IS DISTINCT FROM b)) OR c)"),
        ("x OR a IS DISTINCT FROM b AND c", "(x OR ((a IS DISTINCT FROM b) AND c))"),
        ("NOT a IS DISTINCT FROM b AND c", "((NOT (a IS DISTINCT FROM b)) AND c)"),
        (
            "a IS DISTINCT FROM b OR c IS DISTINCT FROM d AND e IS NOT DISTINCT FROM f",
            "((a IS DISTINCT FROM b) OR ((c IS DISTINCT FROM d) AND (e IS NOT DISTINCT FROM f)))",
        ),
        ("a IS DISTINCT FROM b = c AND d", "((a IS DISTINCT FROM (b = c)) AND d)"),
        ("a IS DISTINCT FROM b + 1 AND c", "((a IS DISTINCT FROM (b + 1)) AND c)"),
        ("a IS DISTINCT FROM (b AND c)", "(a IS DISTINCT FROM ((b AND c)))"),
        ("a IS DISTINCT FROM b AND c IS NULL", "((a IS DISTINCT FROM b) AND c IS NULL)"),
        ("CASE WHEN a IS DISTINCT FROM b AND c THEN 1 END", "CASE WHEN ((a IS DISTINCT FROM b) AND c) THEN 1 END"),
        ("f(a IS DISTINCT FROM b OR c, d)", "f(((a IS DISTINCT FROM b) OR c), d)"),
        ("a = b AND c OR d AND NOT e", "(((a = b) AND c) OR (d AND (NOT e)))"),
        ("1 + 2 || 'x'", "((1 + 2) || 'x')"),
        ("s || i * 2", "(s || (i * 2))"),
        ("s || i + 2", "((s || i) + 2)"),
        ("a - b - c", "((a - b) - c)"),
        ("a * b / c % d", "(((a * b) / c) % d)"),
        ("i & 1 << 2", "(i & (1 << 2))"),
        ("i | 1 ^ 2 & 3", "(i | (1 ^ (2 & 3)))"),
        ("1 ^ 2 << 1 + 1", "(1 ^ (2 << (1 + 1)))"),
        ("-a * b + c", "((-a * b) + c)"),
        ("a + b = c || d AND e < f + g * h", "(((a + b) = (c || d)) AND (e < (f + (g * h))))"),
    ] {
        assert_eq!(bound(text).unwrap(), means, "{text}");
    }
}

#[test]
fn what_may_mean_two_things_is_refused() {
    for text in ["a IS DISTINCT FROM b IS NULL", "a IS DISTINCT FROM b IS NOT DISTINCT FROM c OR d"] {
        assert!(bound(text).unwrap_err().contains("parentheses"), "{text}");
    }
    let refused = |sql: &str| {
        let mut statement = DFParser::parse_sql(sql).unwrap().pop_front().unwrap();
        mend(&mut statement).is_err()
    };
    for sql in [
        "SELECT * FROM t JOIN u USING (id) UNION ALL SELECT * FROM v",
        "SELECT a FROM v EXCEPT (SELECT * FROM t NATURAL JOIN u)",
        "WITH z (a, b, c) AS (SELECT * FROM t JOIN u USING (id)) SELECT a FROM z",
        "SELECT a FROM (SELECT * FROM t LEFT JOIN u USING (id)) AS z (a, b, c)",
    ] {
        assert!(refused(sql), "{sql}");
    }
    for sql in [
        "SELECT k AS id, CAST(id AS INT) AS n FROM t GROUP BY 1, 2 ORDER BY id",
        "SELECT k AS id, CAST(t.id AS INT) AS n FROM t GROUP BY k, CAST(t.id AS INT) ORDER BY 1 DESC",
        "SELECT k AS id, max(s) AS n FROM t GROUP BY k, CAST(CAST(id AS INT) AS DOUBLE) ORDER BY n, ID",
        "SELECT t.k, CAST(u.k AS INT) AS n FROM t JOIN u USING (id) GROUP BY 1, 2 ORDER BY k",
    ] {
        assert!(refused(sql), "{sql}");
    }
    for sql in [
        "SELECT CAST(id AS INT) AS id FROM t GROUP BY CAST(id AS INT) ORDER BY id",
        "SELECT CAST(id AS INT) AS n FROM t GROUP BY 1 ORDER BY n",
        "SELECT k AS id, CAST(id AS INT) AS n FROM t ORDER BY id",
        "SELECT k AS id, CAST(id AS INT) AS n FROM t GROUP BY 1, 2 ORDER BY n",
        "SELECT k, count(*) AS n FROM t GROUP BY k ORDER BY n DESC, k",
        "SELECT * FROM t JOIN u USING (id)",
        "SELECT * FROM t JOIN u ON t.id = u.id UNION ALL SELECT * FROM v",
        "SELECT a FROM (SELECT * FROM t LEFT JOIN u USING (id)) AS z",
    ] {
        assert!(!refused(sql), "{sql}");
    }
}
