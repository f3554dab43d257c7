use crate::syntax::mend;

use super::*;

fn mended(sql: &str) -> Result<String, String> {
    let mut statement = DFParser::parse_sql(sql).map_err(|error| format!("unparsed: {error}"))?.pop_front().unwrap();
    mend(&mut statement)?;
    Ok(statement.to_string())
}

#[test]
fn what_would_be_left_out_is_refused() {
    for sql in [
        "SELECT id FROM t TABLESAMPLE (10 PERCENT)",
        "SELECT id FROM (SELECT id FROM t) TABLESAMPLE (10 PERCENT)",
        "SELECT id FROM t PREWHERE id > 2",
        "SELECT TOP 3 id FROM t",
        "SELECT id INTO z FROM t",
        "SELECT id FROM t START WITH id = 1 CONNECT BY PRIOR id = up",
        "SELECT id FROM t SORT BY id",
        "SELECT id FROM t CLUSTER BY id",
        "SELECT id FROM t DISTRIBUTE BY id",
        "SELECT k, count(*) FROM t GROUP BY k WITH TOTALS",
        "SELECT id FROM t PARTITION (p1)",
        "SELECT id FROM t LIMIT 1 BY k",
        "SELECT id FROM t ORDER BY id FETCH FIRST 3 ROWS ONLY",
        "SELECT id FROM t FOR UPDATE",
        "SELECT row_number() OVER (w) FROM t WINDOW w AS (PARTITION BY k ORDER BY id)",
        "SELECT row_number() OVER (w ORDER BY id) FROM t WINDOW w AS (PARTITION BY k)",
        "SELECT row_number() OVER v FROM t WINDOW w AS (PARTITION BY k), v AS (w ORDER BY id)",
        "SELECT length(k) FILTER (WHERE id > 2) FROM t",
        "SELECT upper(DISTINCT k) FROM t",
        "SELECT upper(k) OVER () FROM t",
        "SELECT abs(id) IGNORE NULLS FROM t",
        "SELECT count(DISTINCT *) FROM t",
        "SELECT count(DISTINCT t.*) FROM t",
        "SELECT count(a.*) FROM t LEFT JOIN t AS a ON t.id = a.up",
        "SELECT count(*, id) FROM t",
        "SELECT max(*) FROM t",
        "SELECT regr_count(DISTINCT id, up) FROM t",
        "SELECT covar_pop(DISTINCT id, up) FROM t",
        "SELECT corr(DISTINCT id, up) FROM t",
        "SELECT nth_value(DISTINCT id, 2 ORDER BY id) FROM t",
        "SELECT lag(DISTINCT id) OVER (ORDER BY id) FROM t",
        "SELECT k, count(id ORDER BY id) FROM t GROUP BY k",
        "SELECT k, avg(DISTINCT id ORDER BY id) FROM t GROUP BY k",
        "SELECT k, stddev(id ORDER BY id) FROM t GROUP BY k",
        "SELECT k, bit_or(id ORDER BY id) FROM t GROUP BY k",
        "SELECT id FROM t WHERE k SIMILAR TO 'A%'",
        "SELECT CAST(ts AS TIMESTAMP(0)) FROM t",
        "SELECT id FROM t WHERE id IN (SELECT id FROM t TABLESAMPLE (10 PERCENT))",
    ] {
        let message = mended(sql).expect_err(sql);
        assert!(
            message.contains("is not carried out here")
                || message.contains("belongs to")
                || message.contains("unparsed"),
            "{sql}: {message}"
        );
    }
}

#[test]
fn what_is_carried_out_is_not() {
    for (sql, means) in [
        ("SELECT k FROM t GROUP BY k, id WITH ROLLUP", "SELECT k FROM t GROUP BY ROLLUP (k, id)"),
        ("SELECT k FROM t GROUP BY k WITH CUBE", "SELECT k FROM t GROUP BY CUBE (k)"),
        ("SELECT row_number() OVER w FROM t WINDOW w AS (ORDER BY id)", ""),
        ("SELECT count(DISTINCT k) FILTER (WHERE id > 2) FROM t", ""),
        ("SELECT count(*), count(ALL k), sum(DISTINCT id) FROM t", ""),
        ("SELECT array_agg(DISTINCT id ORDER BY id), string_agg(k, ',' ORDER BY id) FROM t", ""),
        ("SELECT last_value(k) IGNORE NULLS OVER (ORDER BY id) FROM t", ""),
        ("SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY id) FROM t", ""),
        ("SELECT CAST(ts AS TIMESTAMP(6)) FROM t", ""),
        ("SELECT id FROM t ORDER BY id LIMIT 3 OFFSET 2", ""),
    ] {
        let found = mended(sql).unwrap();
        assert_eq!(found, if means.is_empty() { sql } else { means });
    }
    let wrapped = mended("SELECT id FROM t WHERE id >= ALL (SELECT id FROM t)").unwrap();
    assert!(wrapped.ends_with("ALL(SELECT * FROM (SELECT id FROM t) AS _of_all)"), "{wrapped}");
}
