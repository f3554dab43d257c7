//! Whatever the SQL, the rows come in one order: every build of the same files produces the same bytes.

use contract::Manifest;
use contract::message::RebuildRequest;
use serde_json::json;

use crate::place::Place;

/// Queries of all shapes over the raw tables `a` and `b`. Each returns the columns `id` and `v`.
const SHAPES: &[(&str, &str)] = &[
    ("union_all", "SELECT id, s AS v FROM a UNION ALL SELECT id, s FROM b"),
    ("union_of_three", "SELECT id, s AS v FROM a UNION ALL SELECT id, s FROM b UNION ALL SELECT id + 1, s FROM a"),
    ("union_distinct", "SELECT id % 50 AS id, s AS v FROM a UNION SELECT id % 70, s FROM b"),
    ("limit", "SELECT id, s AS v FROM (SELECT id, s FROM a UNION ALL SELECT id, s FROM b) AS z LIMIT 1500"),
    ("offset", "SELECT id, s AS v FROM (SELECT id, s FROM b UNION ALL SELECT id, s FROM a) AS z LIMIT 900 OFFSET 3900"),
    ("limits", "(SELECT id, s AS v FROM a LIMIT 700) UNION ALL (SELECT id, s FROM b LIMIT 10 OFFSET 5)"),
    (
        "string_agg",
        "SELECT id, string_agg(s, ',') AS v FROM (SELECT id % 9 AS id, s FROM a UNION ALL SELECT id % 7, s FROM b) \
         AS z GROUP BY id",
    ),
    (
        "string_agg_distinct",
        "SELECT 1 AS id, string_agg(DISTINCT s, ',') AS v FROM (SELECT s FROM a UNION ALL SELECT s FROM b) AS z",
    ),
    (
        "array_agg",
        "SELECT id, array_to_string(array_agg(s), ',') AS v FROM (SELECT id % 9 AS id, s FROM b UNION ALL \
         SELECT id % 7, s FROM a) AS z GROUP BY id",
    ),
    (
        "array_agg_distinct",
        "SELECT id % 3 AS id, array_to_string(array_agg(DISTINCT s), ',') AS v FROM a GROUP BY id % 3",
    ),
    (
        "first_value",
        "SELECT 1 AS id, first_value(s) || last_value(s) AS v FROM (SELECT s FROM a UNION ALL SELECT s FROM b) AS z",
    ),
    (
        "first_of_group",
        "SELECT id, first_value(s) || '-' || last_value(s) AS v FROM (SELECT id % 9 AS id, s FROM a UNION ALL \
         SELECT id % 7, s FROM b) AS z GROUP BY id",
    ),
    (
        "sum_of_doubles",
        "SELECT id, CAST(sum(x) AS STRING) AS v FROM (SELECT id % 9 AS id, x FROM a UNION ALL SELECT id % 7, x FROM b) \
         AS z GROUP BY id",
    ),
    ("sum_distinct", "SELECT 1 AS id, CAST(sum(DISTINCT x) AS STRING) AS v FROM a"),
    ("avg_distinct", "SELECT id % 5 AS id, CAST(avg(DISTINCT x) AS STRING) AS v FROM a GROUP BY id % 5"),
    (
        "several_distinct",
        "SELECT id % 5 AS id, CAST(sum(DISTINCT x) AS STRING) || CAST(count(DISTINCT s) AS STRING) AS v FROM a \
         GROUP BY id % 5",
    ),
    (
        "moments",
        "SELECT id, CAST(stddev(x) + corr(x, y) + var_pop(y) AS STRING) AS v FROM (SELECT id % 9 AS id, x, y FROM a \
         UNION ALL SELECT id % 7, y, x FROM b) AS z GROUP BY id",
    ),
    (
        "medians",
        "SELECT id, CAST(median(x) AS STRING) || CAST(percentile_cont(0.3) WITHIN GROUP (ORDER BY y) AS STRING) AS v \
         FROM (SELECT id % 9 AS id, x, y FROM a UNION ALL SELECT id % 7, y, x FROM b) AS z GROUP BY id",
    ),
    (
        "approximations",
        "SELECT id % 3 AS id, CAST(approx_distinct(s) AS STRING) || CAST(approx_median(x) AS STRING) || \
         CAST(approx_percentile_cont(0.9) WITHIN GROUP (ORDER BY y) AS STRING) AS v FROM (SELECT id, s, x, y FROM a \
         UNION ALL SELECT id, s, x, y FROM b) AS z GROUP BY id % 3",
    ),
    (
        "rollup",
        "SELECT id, CAST(sum(x) AS STRING) || coalesce(s, '-') AS v FROM (SELECT id % 9 AS id, s, x FROM a UNION ALL \
         SELECT id % 7, s, x FROM b) AS z GROUP BY ROLLUP (id, s)",
    ),
    (
        "grouping_sets",
        "SELECT id, string_agg(v, '') AS v FROM (SELECT id % 9 AS id, s AS v FROM b UNION ALL SELECT id % 7, s FROM a) \
         AS z GROUP BY GROUPING SETS ((id), (id, v), ())",
    ),
    (
        "row_number",
        "SELECT row_number() OVER (ORDER BY s) AS id, s || CAST(id AS STRING) AS v FROM (SELECT id, s FROM a UNION ALL \
         SELECT id, s FROM b) AS z",
    ),
    (
        "windows",
        "SELECT id, CAST(sum(x) OVER (PARTITION BY s ORDER BY id % 4) AS STRING) || coalesce(lag(s) OVER (ORDER BY \
         y), '') AS v FROM (SELECT id, s, x, y FROM a UNION ALL SELECT id, s, x, y FROM b) AS z",
    ),
    (
        "qualify",
        "SELECT id, s AS v FROM (SELECT id, s FROM a UNION ALL SELECT id, s FROM b) AS z \
         QUALIFY row_number() OVER (PARTITION BY s ORDER BY id % 3) <= 2",
    ),
    ("join", "SELECT a.id, b.s AS v FROM a JOIN b ON a.id % 300 = b.id % 310 WHERE a.id < 1000"),
    ("left_join", "SELECT a.id, b.s AS v FROM a LEFT JOIN b ON a.id = b.id % 1500"),
    ("full_join", "SELECT coalesce(a.id, b.id) AS id, a.s || b.s AS v FROM a FULL JOIN b ON a.id = b.id - 1000"),
    (
        "join_of_unions",
        "SELECT z.id, y.s AS v FROM (SELECT id, s FROM a UNION ALL SELECT id, s FROM b) AS z JOIN (SELECT id, s FROM b \
         UNION ALL SELECT id, s FROM a) AS y ON z.id = y.id",
    ),
    ("nested_loop", "SELECT a.id, b.s AS v FROM a JOIN b ON a.id < b.id - 5800 OR a.id + b.id = 3000"),
    (
        "cross_join",
        "SELECT z.id, s AS v FROM (SELECT id FROM a WHERE id < 30 UNION ALL SELECT id FROM b LIMIT 40) AS z, b",
    ),
    ("semi", "SELECT id, s AS v FROM a WHERE id IN (SELECT id + 1 FROM b UNION ALL SELECT id FROM b WHERE id < 10)"),
    (
        "anti",
        "SELECT id, s AS v FROM (SELECT id, s FROM a UNION ALL SELECT id, s FROM b) AS z WHERE NOT EXISTS \
      (SELECT 1 FROM b WHERE b.id = z.id AND b.id % 3 = 0)",
    ),
    ("except", "SELECT id, substr(s, 2) AS v FROM a EXCEPT SELECT id, substr(s, 2) FROM b WHERE id % 2 = 0"),
    ("intersect", "SELECT id % 90 AS id, substr(s, 2) AS v FROM a INTERSECT SELECT id % 80, substr(s, 2) FROM b"),
    (
        "except_all",
        "SELECT id % 90 AS id, substr(s, 2) AS v, row_number() OVER (PARTITION BY id % 90, substr(s, 2)) AS n FROM a \
         EXCEPT SELECT id % 80, substr(s, 2), row_number() OVER (PARTITION BY id % 80, substr(s, 2)) FROM b",
    ),
    ("distinct_on", "SELECT DISTINCT ON (s) id, s AS v FROM (SELECT id, s FROM a UNION ALL SELECT id, s FROM b) AS z"),
    (
        "scalar",
        "SELECT id, (SELECT string_agg(s, '') FROM ((SELECT s FROM a LIMIT 9) UNION ALL (SELECT s FROM b LIMIT 7)) \
         AS y) AS v FROM b LIMIT 12",
    ),
    ("order_ties", "SELECT id, s AS v FROM (SELECT id, s FROM a UNION ALL SELECT id, s FROM b) AS z ORDER BY s"),
    ("top", "SELECT id, s AS v FROM (SELECT id, s FROM a UNION ALL SELECT id, s FROM b) AS z ORDER BY s DESC LIMIT 77"),
    (
        "sorted_branches",
        "SELECT id, v FROM ((SELECT id, s AS v FROM a ORDER BY s) UNION ALL (SELECT id, s FROM b ORDER BY s)) AS z \
         ORDER BY v",
    ),
    (
        "recursive",
        "WITH RECURSIVE r AS (SELECT id, s AS v FROM a WHERE id < 40 UNION ALL SELECT r.id + 1000, r.v || b.s FROM r \
         JOIN b ON r.id = b.id WHERE r.id < 3000) SELECT id, v FROM r",
    ),
    ("values", "SELECT id, v FROM (VALUES (1, 'x'), (2, 'y')) AS w (id, v) UNION ALL SELECT id, s FROM b"),
    (
        "unnested",
        "SELECT id, unnest([s, 'n', CAST(id AS STRING)]) AS v FROM (SELECT id, s FROM a UNION ALL SELECT id, s FROM \
         b) AS z",
    ),
];

/// Creates two raw tables of several files each, of very different sizes.
fn place() -> Place {
    let place = Place::new();
    let columns = ["id long", "s character", "x double", "y double"];
    for (table, files) in [("a", [2_000_u64, 3, 1_990, 7]), ("b", [5, 2_000, 2_000, 4])] {
        place.table("raw", table, &columns, json!({}));
        let mut id = 0;
        for (file, rows) in files.into_iter().enumerate() {
            let mut text = String::new();
            for _ in 0..rows {
                id += 1;
                let (x, y) = ((id * 7919 % 1000) as f64 * 0.1, (id * 104_729 % 977) as f64 / 7.0);
                text += &json!({"id": id, "s": format!("{table}{}", id * 31 % 23), "x": x, "y": y}).to_string();
                text.push('\n');
            }
            place.raw(table, 1_700_000_000 + file as u64, "jsonl", &text);
        }
    }
    place
}

fn digests(manifest: &Manifest) -> Vec<(String, u64, String)> {
    let files = manifest.tables.iter().flat_map(|table| &table.files);
    files.map(|file| (file.key.replace(manifest.run.as_str(), "run"), file.rows, file.sha256.clone())).collect()
}

#[test]
fn every_build_gives_the_same_bytes_whatever_the_sql() {
    let place = place();
    for (name, sql) in SHAPES {
        place.table("curated", name, &["id long", "v character"], json!({}));
        place.sql("curated", name, sql);
    }
    let first = place.build_with(&RebuildRequest::default(), 8).unwrap();
    for table in &first.tables {
        assert_ne!(table.rows, 0, "{}", table.table);
    }
    for threads in [1, 2, 8] {
        let again = place.build_with(&RebuildRequest::default(), threads).unwrap();
        for (first, again) in digests(&first).into_iter().zip(digests(&again)) {
            assert_eq!(first, again, "{threads} threads");
        }
    }
    let verified = place.verify("latest").unwrap();
    assert!(verified.same, "{:?}", verified.differences);
}

#[test]
fn the_branches_of_a_union_come_one_after_another() {
    let place = place();
    place.table("curated", "all_rows", &["n long", "t character"], json!({}));
    place.sql("curated", "all_rows", "SELECT id AS n, 'b' AS t FROM b UNION ALL SELECT id, 'a' FROM a");
    place.table("curated", "some_rows", &["n long", "t character"], json!({}));
    let sql = "SELECT n, t FROM (SELECT id AS n, 'b' AS t FROM b UNION ALL SELECT id, 'a' FROM a) AS z LIMIT 4010";
    place.sql("curated", "some_rows", sql);
    let manifest = place.build_with(&RebuildRequest::default(), 8).unwrap();
    let expected: Vec<_> =
        (1..=4_009).map(|id| format!("{id} b")).chain((1..=4_000).map(|id| format!("{id} a"))).collect();
    for (table, expected) in [("all_rows", &expected[..]), ("some_rows", &expected[..4_010])] {
        let rows = place.rows(&manifest, table);
        let first = rows.iter().zip(expected).position(|(row, expected)| row != expected);
        assert_eq!((first, rows.len()), (None, expected.len()), "{table}");
    }
}
