//! The message about a value that does not fit names the table, column, file, line and value.

use contract::FailureKind;
use serde_json::json;

use crate::place::Place;

const COLUMNS: &[&str] = &["id long", "text character", "secret character sensitive"];

fn place(sql: &str, curated: &[&str]) -> Place {
    let place = Place::new();
    place.table("raw", "t", COLUMNS, json!({}));
    for (seconds, rows) in [(100, 3_000), (200, 2_000)] {
        let line = |row: i32| {
            let text = if seconds == 200 && row == 1_233 { json!("x7") } else { json!(row.to_string()) };
            json!({"id": row, "text": text, "secret": "s3cret"}).to_string()
        };
        place.raw("t", seconds, "jsonl", &(0..rows).map(line).collect::<Vec<_>>().join("\n"));
    }
    place.table("curated", "c", curated, json!({}));
    place.sql("curated", "c", sql);
    place
}

/// Returns the message of a build that must fail and leave nothing of the table.
fn fails(place: &Place) -> String {
    let failure = place.build().unwrap_err();
    assert_eq!(failure.kind, FailureKind::BadData, "{failure}");
    let manifests = place.curated().into_iter().filter(|key| key.contains("_manifests"));
    let built = manifests.flat_map(|key| place.manifest(&key).tables).map(|output| output.table);
    let built: Vec<_> = built.collect();
    let table = failure.message.split('`').nth(1).unwrap_or_default();
    assert!(!built.iter().any(|built| built == table), "{built:?}, and {failure}");
    assert!(!failure.message.contains("s3cret"), "{failure}");
    failure.message.replace(&format!("{}/", place.path("raw-hist").display()), "")
}

const FILE: &str = "t/file_land_timestamp=200/t_200.jsonl.gz, line 1234";

#[test]
fn a_value_that_is_not_of_the_columns_type() {
    let place = place("SELECT id, text FROM t", &["id int", "text int"]);
    assert_eq!(
        fails(&place),
        format!("table `c`, column `text`, {FILE}: `x7` cannot become int (made of `text` = `x7`)")
    );
}

#[test]
fn a_cast_in_the_sql_behind_a_filter() {
    let sql = "SELECT id, CAST(text AS BIGINT) + 1 AS text FROM t WHERE id > 10";
    let message = fails(&place(sql, &["id int", "text int"]));
    assert!(message.starts_with(&format!("table `c`, column `text`, {FILE}: ")), "{message}");
    assert!(message.contains("'x7'") && message.ends_with("(made of `id` = `1233`, `text` = `x7`)"), "{message}");
}

#[test]
fn a_cast_in_the_filter() {
    let message =
        fails(&place("SELECT id, text FROM t WHERE CAST(text AS BIGINT) >= 0", &["id int", "text character"]));
    assert!(message.starts_with("table `c`") && message.contains(FILE), "{message}");
}

#[test]
fn a_null_in_a_column_that_may_not_be_null() {
    let sql = "SELECT id, CASE WHEN text = 'x7' THEN NULL ELSE text END AS text FROM t";
    let message = fails(&place(sql, &["id int", "text character not null"]));
    let expected =
        format!("table `c`, column `text`, {FILE}: null in a column that is not nullable (made of `text` = `x7`)");
    assert_eq!(message, expected);
}

#[test]
fn by_way_of_another_table() {
    let place = place("SELECT id, text, 's' AS secret FROM t", &["id int", "text character"]);
    place.table("curated", "d", &["doubled int"], json!({}));
    place.sql("curated", "d", "SELECT 2 * CAST(text AS INT) AS doubled FROM c");
    let message = fails(&place);
    assert!(message.starts_with(&format!("table `d`, column `doubled`, {FILE}: ")), "{message}");
}

#[test]
fn values_that_may_not_be_seen_are_not_shown() {
    for (sql, column) in [
        ("SELECT id, CASE WHEN text = 'x7' THEN secret ELSE text END AS text FROM t", "text int"),
        ("SELECT id, CAST(CASE WHEN text = 'x7' THEN secret ELSE text END AS INT) AS text FROM t", "text int"),
        ("SELECT id, secret AS text FROM t WHERE text = 'x7'", "text int sensitive"),
    ] {
        let message = fails(&place(sql, &["id int", column]));
        assert!(message.starts_with(&format!("table `c`, column `text`, {FILE}: ")), "{message}");
        assert!(message.contains("hidden"), "{message}");
    }
}

#[test]
fn where_rows_are_grouped_there_is_no_one_line() {
    let place = place("SELECT max(id) AS id, text FROM t GROUP BY text ORDER BY text", &["id int", "text int"]);
    let message = fails(&place);
    assert_eq!(message, "table `c`, column `text`, row 3000 of the query: `x7` cannot become int");
    place.sql(
        "curated",
        "c",
        "SELECT count(*) AS id, min(CAST(CASE WHEN text = 'x7' THEN secret ELSE text END AS INT)) AS text FROM t",
    );
    let message = fails(&place);
    assert!(message.starts_with("table `c`: ") && message.contains("hidden"), "{message}");
}

#[test]
fn a_file_that_does_not_fit_its_description() {
    let place = place("SELECT id, text FROM t", &["id int", "text character"]);
    place.raw(
        "t",
        150,
        "jsonl",
        "{\"id\": 1, \"text\": \"a\", \"secret\": null}\n{\"id\": \"one\", \"text\": \"a\", \"secret\": null}\n",
    );
    let message = fails(&place);
    assert!(
        message.starts_with("table `t`, t/file_land_timestamp=150/t_150.jsonl.gz: line 2, column `id`: "),
        "{message}"
    );
}

#[test]
fn a_missing_column_is_told_before_anything_is_read() {
    let place = place("SELECT id FROM t", &["id int", "text character"]);
    place.raw("t", 150, "jsonl", "not JSON");
    let failure = place.build().unwrap_err();
    assert_eq!(failure.kind, FailureKind::BadMetadata);
    assert_eq!(failure.message, "table `c`: the query has no column `text`; the query's columns are `id`");
    assert_eq!(place.curated(), Vec::<String>::new());
}

#[test]
fn whole_numbers_do_not_wrap_around() {
    for (sql, operator) in [
        ("SELECT id, 9223372036854775807 + id AS text FROM t WHERE id > 0", "+"),
        ("SELECT id, -9223372036854775807 - id AS text FROM t WHERE id > 1", "-"),
        ("SELECT id, 9007199254740993 * id AS text FROM t WHERE id > 1100", "*"),
    ] {
        let message = fails(&place(sql, &["id int", "text long"]));
        assert!(message.contains("line ") && message.contains("verflow") && message.contains(operator), "{message}");
    }
    // columns keep their names, in groups too
    let place = place("SELECT id + 1, max(2 * id) AS text FROM t GROUP BY id + 1 ORDER BY id + 1", &["text long"]);
    assert_eq!(place.rows(&place.build().unwrap(), "c")[2_999], "5998");
    place.sql(
        "curated",
        "c",
        "SELECT id - 1 AS text, (id + 1) * 2 FROM t WHERE id + 1 < 3 AND id IN (SELECT id * 2 FROM t)",
    );
    assert_eq!(place.rows(&place.build().unwrap(), "c"), ["-1", "-1"]);
}

#[test]
fn sums_of_whole_numbers_do_not_wrap_around() {
    let place = |sql: &str, columns: &[&str]| {
        let place = Place::new();
        place.table("raw", "t", &["id long"], json!({}));
        place.raw(
            "t",
            100,
            "jsonl",
            &(0..3_000).map(|id| json!({"id": id}).to_string()).collect::<Vec<_>>().join("\n"),
        );
        place.table("curated", "c", columns, json!({}));
        place.sql("curated", "c", sql);
        place
    };
    const HALF: &str = "4611686018427387904";
    for (sql, sum) in [
        (format!("SELECT 0 AS id, sum({HALF}) AS n FROM t WHERE id < 2"), "9223372036854775808"),
        (format!("SELECT id % 1 AS id, sum({HALF}) AS n FROM t WHERE id < 2 GROUP BY id % 1"), "9223372036854775808"),
        (format!("SELECT 0 AS id, sum(-{HALF} - 1) AS n FROM t WHERE id < 2"), "-9223372036854775810"),
        (format!("SELECT 0 AS id, sum(DISTINCT {HALF} + id) AS n FROM t WHERE id < 2"), "9223372036854775809"),
        (format!("SELECT id, sum({HALF}) OVER (ORDER BY id) AS n FROM t WHERE id < 2"), "9223372036854775808"),
        (
            format!("SELECT id, sum({HALF}) OVER (ORDER BY id ROWS 1 PRECEDING) AS n FROM t WHERE id < 3"),
            "9223372036854775808",
        ),
    ] {
        let message = fails(&place(&sql, &["id int", "n long"]));
        let expected = format!("table `c`: the sum is {sum}, which does not fit Int64: ");
        assert!(message.contains(&expected), "{sql}: {message}");
    }
    // only the result counts, and other types are summed as usual
    for (sql, sum) in [
        (format!("SELECT sum(CASE id WHEN 2 THEN -1 ELSE {HALF} END) AS n FROM t WHERE id < 3"), "9223372036854775807"),
        ("SELECT sum(id) AS n FROM t GROUP BY id % 2 HAVING min(id) = 1".into(), "2250000"),
        ("SELECT sum(DISTINCT id % 10) AS n FROM t".into(), "45"),
        ("SELECT coalesce(sum(id), 7) AS n FROM t WHERE id < 0".into(), "7"),
        ("SELECT CAST(sum(CAST(id AS DOUBLE) + 0.5) AS BIGINT) AS n FROM t WHERE id < 2".into(), "2"),
        ("SELECT CAST(sum(CAST(id AS DECIMAL(20,0))) AS BIGINT) AS n FROM t WHERE id < 3".into(), "3"),
    ] {
        let place = place(&sql, &["n long"]);
        assert_eq!(place.rows(&place.build().unwrap(), "c"), [sum], "{sql}");
    }
}

#[test]
fn a_failure_is_told_when_there_is_no_time_to_find_its_line() {
    let mut place = place("SELECT id, text FROM t", &["id int", "text int"]);
    place.settings.until = Some(std::time::Instant::now());
    assert_eq!(fails(&place), "table `c`, column `text`, row 4233 of the query: `x7` cannot become int");
}

#[test]
fn a_line_of_one_small_file_among_many() {
    let place = place("SELECT id, text FROM t", &["id int", "text int"]);
    for n in 0..99_u64 {
        let text = if n == 70 { "seventy".to_owned() } else { n.to_string() };
        let line = |id: u64, text: &str| json!({"id": id, "text": text, "secret": null}).to_string();
        place.raw("t", 1_000 + n, "jsonl", &[line(0, "0"), line(1, &text)].join("\n"));
    }
    let line = "t/file_land_timestamp=1070/t_1070.jsonl.gz, line 2";
    let expected =
        format!("table `c`, column `text`, {line}: `seventy` cannot become int (made of `text` = `seventy`)");
    assert_eq!(fails(&place), expected);
    place.raw("t", 1_060, "jsonl", "not JSON");
    let message = fails(&place);
    assert!(message.starts_with("table `t`, t/file_land_timestamp=1060/t_1060.jsonl.gz: line 1: "), "{message}");
}
