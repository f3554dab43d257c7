use std::collections::BTreeMap;

use contract::{Database, FailureKind, Problems};
use proptest::prelude::*;

use super::*;

fn metadata(tables: &[(&str, Option<&str>)]) -> MetaData {
    let table = |name: &str, url: Option<&str>| Table {
        file: format!("meta_data/raw/{name}.json").into(),
        dialect: contract::Dialect::EtlManager,
        name: name.into(),
        description: String::new(),
        location: name.into(),
        data_format: contract::DataFormat::Json,
        columns: Vec::new(),
        partitions: Vec::new(),
        primary_key: Vec::new(),
        glue_specific: serde_json::Value::Null,
        checks: contract::Checks::default(),
        source: url.map(|url| serde_json::from_value(serde_json::json!({"url": url, "requests": 10})).unwrap()),
        copy_to_raw: false,
        delete_raw: false,
        read_from: Default::default(),
        lines: false,
        file_dialect: Default::default(),
        compression: Default::default(),
        mode: contract::Mode::Rebuild,
        self_contained: false,
        partition_projection: false,
        sql: None,
    };
    let raw: BTreeMap<_, _> = tables.iter().map(|(name, url)| ((*name).into(), table(name, *url))).collect();
    let database =
        Database { name: "d".into(), bucket: "b".into(), base_folder: "f".into(), description: String::new() };
    let (processed, curated) = (BTreeMap::new(), BTreeMap::new());
    let (sha256, warnings) = (String::new(), Problems::default());
    MetaData { database, raw_database: None, raw, processed, curated, sha256, warnings }
}

fn plan(tables: &[(&str, Option<&str>)], origin: Option<&str>, request: ExtractRequest) -> Result<FetchPlan, Failure> {
    let settings = Settings {
        base_folder: "base".into(),
        land_bucket: "land".into(),
        raw_hist_bucket: "raw-hist".into(),
        reports_bucket: "reports".into(),
        source_origin: origin.map(str::to_owned),
    };
    FetchPlan::new(&settings, &metadata(tables), request, DateTime::from_timestamp(1_665_425_864, 0).unwrap())
}

fn refused(result: Result<FetchPlan, Failure>, kind: FailureKind, words: &str) {
    let failure = result.unwrap_err();
    assert_eq!(failure.kind, kind, "{failure}");
    assert!(failure.message.contains(words), "{failure}");
}

const URL: Option<&str> = Some("https://api.postcodes.io/random/postcodes?outcode=AB1");

#[test]
fn the_only_table_with_a_source_need_not_be_named() {
    let found = plan(&[("a", None), ("b", URL)], None, ExtractRequest::default()).unwrap();
    assert_eq!((found.table.as_str(), found.requests), ("b", 10));
    assert_eq!(found.file_land_timestamp, 1_665_425_864);
}

#[test]
fn a_table_that_cannot_be_chosen_is_answered_with_the_choices() {
    let tables = [("a", None), ("b", URL), ("c", URL)];
    let named = |name: &str| ExtractRequest { table: Some(name.into()), ..Default::default() };
    refused(plan(&tables, None, ExtractRequest::default()), FailureKind::BadInput, "are `b`, `c`");
    refused(plan(&tables, None, named("a")), FailureKind::BadInput, "are `b`, `c`");
    refused(plan(&tables, None, named("x")), FailureKind::BadInput, "no raw table `x`");
    refused(plan(&[("a", None)], None, ExtractRequest::default()), FailureKind::BadInput, "no raw table of the");
    assert_eq!(plan(&tables, None, named("c")).unwrap().table, "c");
}

#[test]
fn the_scheduled_time_names_the_partition() {
    let at = |time: &str| {
        let request = ExtractRequest { scheduled_time: Some(time.into()), ..Default::default() };
        plan(&[("b", URL)], None, request)
    };
    assert_eq!(at("2022-10-10T18:17:44Z").unwrap().file_land_timestamp, 1_665_425_864);
    assert_eq!(at("2022-10-10T19:17:44.999+01:00").unwrap().file_land_timestamp, 1_665_425_864);
    for time in ["<aws.scheduler.scheduled-time>", "1665425864", "2022-10-10", "2022-10-10T18:17:44"] {
        refused(at(time), FailureKind::BadInput, "RFC 3339");
    }
    refused(at("1969-12-31T23:59:59Z"), FailureKind::BadInput, "Unix seconds");
    refused(at("9999-01-01T00:00:00Z"), FailureKind::BadInput, "Unix seconds");
}

#[test]
fn requests_of_the_event_come_before_the_metadata() {
    let asked = |requests| plan(&[("b", URL)], None, ExtractRequest { requests, ..Default::default() });
    assert_eq!(asked(Some(1000)).unwrap().requests, 1000);
    refused(asked(Some(0)), FailureKind::BadInput, "at least 1");
}

#[test]
fn what_the_pace_makes_impossible_is_refused_at_once() {
    let request = ExtractRequest { requests: Some(1001), ..Default::default() };
    let plan = plan(&[("b", URL)], None, request).unwrap();
    assert_eq!(plan.check_time(Duration::from_secs(50)), Ok(()));
    let failure = plan.check_time(Duration::from_secs(49)).unwrap_err();
    assert_eq!(failure.kind, FailureKind::BadInput);
    assert!(failure.message.contains("1001 requests at 20 a second take 50 s"), "{failure}");
}

#[test]
fn the_origin_replaces_all_but_path_and_query() {
    let url = |origin| plan(&[("b", URL)], origin, ExtractRequest::default()).map(|plan| plan.url.to_string());
    assert_eq!(url(None).unwrap(), "https://api.postcodes.io/random/postcodes?outcode=AB1");
    assert_eq!(url(Some("http://127.0.0.1:81")).unwrap(), "http://127.0.0.1:81/random/postcodes?outcode=AB1");
    for origin in ["http://127.0.0.1:81/x", "https://host?x", "host:81", "http://10.0.0.1", "127.0.0.1"] {
        let failure = url(Some(origin)).unwrap_err();
        assert!(failure.kind == FailureKind::BadInput && failure.message.contains("SOURCE_ORIGIN"), "{failure}");
    }
}

#[test]
fn only_tls_or_this_machine() {
    for good in ["https://h/p?q=1", "http://127.8.9.1/", "http://[::1]:8000/x", "http://localhost:1/"] {
        assert!(read_url(good).is_ok(), "{good}");
    }
    for bad in [
        "http://example.com/",
        "http://127.0.0.1.example.com/",
        "http://localhost.example.com/",
        "http://0.0.0.0/",
        "http://[::]/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "https://user:secret@h/",
        "https://user@h/",
        "/random/postcodes",
        "",
    ] {
        assert!(read_url(bad).is_err(), "{bad}");
    }
    refused(
        plan(&[("b", Some("http://api.postcodes.io/"))], None, ExtractRequest::default()),
        FailureKind::BadMetadata,
        "meta_data/raw/b.json: source.url",
    );
}

proptest! {
    #[test]
    fn whatever_is_accepted_is_tls_or_loopback(text in "(https?|ftp)://[a-z0-9.@:\\[\\]]{1,20}(/[a-z]{0,3})?") {
        if let Ok(url) = read_url(&text) {
            let loopback = url.host().is_some_and(|host| is_loopback(&host));
            prop_assert!(url.scheme() == "https" || (url.scheme() == "http" && loopback));
        }
    }
}
