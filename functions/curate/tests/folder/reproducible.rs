//! The same inputs and the same version produce the same bytes.

use contract::Manifest;
use contract::message::RebuildRequest;
use serde_json::json;

use crate::place::Place;

/// Returns the digest of every file, by its key within the run.
fn digests(manifest: &Manifest) -> Vec<(String, String)> {
    let files = manifest.tables.iter().flat_map(|table| &table.files);
    files.map(|file| (file.key.replace(manifest.run.as_str(), "run"), file.sha256.clone())).collect()
}

/// Creates files of very different sizes. On several threads, a later file is decoded long before an earlier one.
fn orders() -> Place {
    let place = Place::new();
    place.table("raw", "orders", &["id long", "city character", "price double"], json!({}));
    place.table("raw", "cities", &["city character", "country character"], json!({}));
    for n in 0..20_u64 {
        let rows = if n % 5 == 0 { 6_000 } else { 40 };
        let line = |row| json!({"id": n * 10_000 + row, "city": format!("c{}", (n * 7 + row) % 97), "price": row as f64 * 0.1});
        let text: Vec<String> = (0..rows).map(|row| line(row).to_string()).collect();
        place.raw("orders", 1_700_000_000 + n, "jsonl", &text.join("\n"));
    }
    let cities: Vec<String> =
        (0..97).map(|n| json!({"city": format!("c{n}"), "country": format!("k{}", n % 7)}).to_string()).collect();
    place.raw("cities", 1_700_000_000, "jsonl", &cities.join("\n"));
    place.table(
        "curated",
        "orders",
        &["id long", "city character", "price double", "dea_version character"],
        json!({}),
    );
    let columns = ["n long", "total double", "city character"];
    place.table("curated", "by_city", &columns, json!({"partitions": ["city"]}));
    place.sql("curated", "by_city", "SELECT city, count(*) AS n, sum(price) AS total FROM orders GROUP BY city");
    place.table(
        "curated",
        "by_country",
        &["country character", "n long", "least double"],
        json!({"compression": "zstd"}),
    );
    place.sql(
        "curated",
        "by_country",
        "SELECT c.country, count(*) AS n, min(o.price) AS least FROM orders o JOIN cities c ON o.city = c.city \
         GROUP BY c.country ORDER BY c.country",
    );
    place
}

#[test]
fn the_bytes_do_not_depend_on_the_number_of_threads() {
    let place = orders();
    let first = place.build_with(&RebuildRequest::default(), 1).unwrap();
    assert_eq!(first.tables.iter().map(|table| table.rows).collect::<Vec<_>>(), [24_640, 97, 7]);
    assert_eq!(first.inputs.len(), 21);
    for threads in [2, 8, 8, 1] {
        let again = place.build_with(&RebuildRequest::default(), threads).unwrap();
        assert_eq!(digests(&again), digests(&first), "{threads} threads");
        assert_eq!(again.inputs, first.inputs, "{threads} threads");
    }
}

#[test]
fn nor_on_what_is_built_with_it() {
    let place = orders();
    let all = digests(&place.build().unwrap());
    for table in ["orders", "by_city", "by_country"] {
        let request = RebuildRequest { tables: vec![table.into()], ..Default::default() };
        for (key, digest) in digests(&place.build_with(&request, 2).unwrap()) {
            assert!(all.contains(&(key.clone(), digest)), "{key}");
        }
    }
}

#[test]
fn another_version_gives_other_bytes() {
    let mut place = orders();
    let first = place.build().unwrap();
    place.settings.dea_version = "v2".into();
    assert_ne!(digests(&place.build().unwrap()), digests(&first));
}

#[test]
fn sql_that_gives_something_else_every_time_is_refused() {
    let place = orders();
    for sql in
        ["SELECT now() AS n, 0.0 AS total, city FROM orders", "SELECT random() AS total, 1 AS n, city FROM orders"]
    {
        place.sql("curated", "by_city", sql);
        let failure = place.build().unwrap_err();
        assert!(failure.message.contains("by_city.sql: ") && failure.message.contains("${run_timestamp}"), "{failure}");
        assert_eq!(failure.kind, contract::FailureKind::BadMetadata);
    }
}
