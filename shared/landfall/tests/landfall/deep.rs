//! Deeply nested SQL does not crash the process: it runs, or a message says that it is too deep.

use serde_json::json;

use crate::desk::Desk;

/// Returns the exit status (`None` if a signal ended the process) and the text on standard error.
fn build(sql: &str) -> (Option<i32>, String) {
    let desk = Desk::new();
    desk.table("raw", "t", &["id long", "s character"], json!({}));
    desk.write("raw-hist/t/file_land_timestamp=100/t_100.jsonl", "{\"id\": 1, \"s\": \"a\"}\n{\"id\": 2}\n");
    desk.table("curated", "o", &["v character"], json!({}));
    desk.sql("curated", "o", sql);
    let ended = desk.run(&["tables", "--raw-hist", "raw-hist", "--curated", "curated"]);
    (ended.status, ended.err)
}

#[test]
fn what_is_deep_runs() {
    let nested = |before: &str, after: &str| format!("SELECT {}s{} AS v FROM t", before.repeat(100), after.repeat(100));
    let terms: Vec<String> = (0..900).map(|n| format!("(id = {n} AND s = 'a')")).collect();
    let subqueries = format!("{}SELECT s FROM t{}", "SELECT s FROM (".repeat(99), ") AS z".repeat(99));
    let joins: String = (0..60).map(|n| format!(" JOIN t AS t{n} ON t{n}.id = t.id")).collect();
    for (what, sql) in [
        ("texts", format!("SELECT s{} AS v FROM t", " || coalesce(s, '')".repeat(400))),
        ("numbers", format!("SELECT CAST(id{} AS STRING) AS v FROM t", " + id".repeat(200))),
        ("conditions", format!("SELECT s AS v FROM t WHERE {}", terms.join(" OR "))),
        ("unions", vec!["SELECT s AS v FROM t"; 600].join(" UNION ALL ")),
        ("functions", nested("upper(", ")")),
        ("brackets", nested("(", ")")),
        ("joins", format!("SELECT t.s AS v FROM t{joins}")),
        ("cases", nested("CASE WHEN id = 1 THEN s ELSE ", " END")),
        ("subqueries", format!("SELECT s AS v FROM ({subqueries}) AS y")),
    ] {
        let (status, said) = build(&sql);
        assert_eq!(status, Some(0), "{what}: {said}");
    }
}

#[test]
fn what_is_deeper_is_refused() {
    let nested = |times: usize| format!("SELECT {}s{} AS v FROM t", "upper(".repeat(times), ")".repeat(times));
    for (what, sql) in [
        ("texts", format!("SELECT s{} AS v FROM t", " || s".repeat(50_000))),
        ("unions", vec!["SELECT s AS v FROM t"; 5_000].join(" UNION ALL ")),
        ("functions", nested(5_000)),
        ("conditions", format!("SELECT s AS v FROM t WHERE {}", vec!["id = 1"; 5_000].join(" OR "))),
        ("minus", format!("SELECT CAST({}id AS STRING) AS v FROM t", "- ".repeat(50_000))),
    ] {
        let (status, said) = build(&sql);
        assert_eq!(status, Some(1), "{what}: {said}");
        assert!(
            said.starts_with("error: BadMetadata: ") && said.contains("o.sql: ") && said.contains("at most"),
            "{what}: {said}"
        );
    }
}
