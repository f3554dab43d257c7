use std::time::{Duration, SystemTime};

use contract::{Failure, FailureKind};
use extract::api::Api;
use extract::config::FetchPlan;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::server::{Asked, Reply, Server};

fn record(n: usize) -> Reply {
    Reply::new(200, json!({"status": 200, "result": {"n": n}}).to_string())
}

fn plan(origin: &str, source: Value) -> FetchPlan {
    let mut whole = json!({
        "url": format!("{origin}/random?q=1"), "requests": 1, "records": "/result", "index_column": "index",
        "attempts": 3, "requests_per_second": 1000, "timeout_seconds": 5,
    });
    for (key, value) in source.as_object().expect("an object") {
        whole[key] = value.clone();
    }
    let source: contract::Source = serde_json::from_value(whole).expect("a source");
    FetchPlan {
        table: "t".into(),
        file: "meta_data/raw/t.json".into(),
        file_land_timestamp: 0,
        url: source.url.parse().expect("a URL"),
        requests: source.requests,
        source,
        sensitive: false,
    }
}

async fn fetch(plan: &FetchPlan) -> Result<String, Failure> {
    fetch_until(plan, Instant::now() + Duration::from_mins(1)).await
}

async fn fetch_until(plan: &FetchPlan, deadline: Instant) -> Result<String, Failure> {
    let mut fetch = Api::new()?.fetch(plan, deadline);
    let mut lines = String::new();
    while let Some(answer) = fetch.next().await {
        let mut answer = answer?;
        while let Some(row) = answer.next_row() {
            lines += &row?.line(lines.lines().count() as u64);
        }
    }
    Ok(lines)
}

/// Starts a source that answers by the number of the request, and returns a plan for it.
async fn serve(source: Value, answer: impl Fn(usize) -> Reply + Send + Sync + 'static) -> (Server, FetchPlan) {
    let server = Server::start(move |asked: &Asked| answer(asked.number)).await;
    let plan = plan(&server.origin, source);
    (server, plan)
}

fn assert_fails(found: Result<String, Failure>, kind: FailureKind, words: &[&str]) {
    let failure = found.expect_err("a failure");
    assert_eq!(failure.kind, kind, "{failure}");
    for word in words {
        assert!(failure.message.contains(word), "`{word}` is not in: {failure}");
    }
}

#[tokio::test]
async fn rows_are_in_the_order_of_the_requests() {
    // the first request is answered last
    let source = json!({"requests": 8, "concurrency": 8, "requests_per_second": 20});
    let (server, plan) = serve(source, |n| record(n).after((8 - n as u64) * 80)).await;
    let expected: String = (0..8).map(|n| format!("{{\"n\":{n},\"index\":{n}}}\n")).collect();
    assert_eq!(fetch(&plan).await.unwrap(), expected);
    assert!(server.most_at_once() > 2);
    let asked = server.asked();
    assert!(asked.iter().all(|asked| asked.method == "GET" && asked.path == "/random?q=1"));
    let version = env!("CARGO_PKG_VERSION");
    assert!(asked[0].headers.contains(&format!("user-agent: landfall/{version}")), "{:?}", asked[0].headers);
}

#[tokio::test]
async fn requests_keep_to_their_pace_and_their_number_at_once() {
    let source = json!({"requests": 60, "concurrency": 6, "requests_per_second": 200});
    let (server, plan) = serve(source, |n| record(n).after(n as u64 * 37 % 60)).await;
    let started = Instant::now();
    assert_eq!(fetch(&plan).await.unwrap().lines().count(), 60);
    assert!(started.elapsed() >= Duration::from_millis(59 * 5));
    assert!((2..=6).contains(&server.most_at_once()), "{} at once", server.most_at_once());
}

#[tokio::test]
async fn a_retry_after_is_waited_for_by_all_requests() {
    let source = json!({"requests": 4, "concurrency": 2, "requests_per_second": 100});
    let (server, plan) = serve(source, |n| match n {
        0 => Reply::new(429, "slow down").header("retry-after", "1"),
        n => record(n),
    })
    .await;
    assert_eq!(fetch(&plan).await.unwrap().lines().count(), 4);
    let asked = server.asked();
    assert_eq!(asked.len(), 5);
    let held = asked.iter().filter(|other| other.at - asked[0].at >= Duration::from_secs(1)).count();
    // the second request was already under way when the first was told to wait
    assert!(held >= 3, "{held} of 4 waited");
}

#[tokio::test]
async fn a_retry_after_may_be_a_date_and_may_be_beyond_the_deadline() {
    let date = httpdate_in(2);
    let (server, plan) = serve(json!({}), move |n| match n {
        0 => Reply::new(503, "").header("retry-after", &date),
        n => record(n),
    })
    .await;
    fetch(&plan).await.unwrap();
    let asked = server.asked();
    assert!(asked[1].at - asked[0].at >= Duration::from_millis(900), "{:?}", asked[1].at - asked[0].at);

    let (server, plan) = serve(json!({}), |_| Reply::new(429, "").header("retry-after", "3600")).await;
    let started = Instant::now();
    let found = fetch_until(&plan, started + Duration::from_secs(30)).await;
    assert_fails(found, FailureKind::Throttled, &["status 429", "no time is left to wait 60 s"]);
    assert!(started.elapsed() < Duration::from_secs(5) && server.asked().len() == 1);
}

fn httpdate_in(seconds: u64) -> String {
    let time = SystemTime::now() + Duration::from_secs(seconds);
    chrono::DateTime::<chrono::Utc>::from(time).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[tokio::test]
async fn faults_of_the_server_are_asked_again_a_bounded_number_of_times() {
    let (server, plan) = serve(json!({"requests": 2, "concurrency": 1}), |n| match n {
        0 => Reply::new(500, "oops"),
        1 => Reply::new(502, ""),
        n => record(n),
    })
    .await;
    assert_eq!(fetch(&plan).await.unwrap(), "{\"n\":2,\"index\":0}\n{\"n\":3,\"index\":1}\n");
    assert_eq!(server.asked().len(), 4);

    let (server, plan) = serve(json!({}), |_| Reply::new(500, "{\"status\":500,\"error\":\"no database\"}")).await;
    let words =
        ["request 1 of 1", "GET http://127.0.0.1", "/random?q=1", "status 500", "no database", "after 3 attempts"];
    assert_fails(fetch(&plan).await, FailureKind::Unavailable, &words);
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn what_the_source_refuses_is_not_asked_again() {
    for (status, kind) in
        [(400, FailureKind::BadMetadata), (401, FailureKind::BadMetadata), (404, FailureKind::NotFound)]
    {
        let (server, plan) = serve(json!({}), move |_| Reply::new(status, "{\"error\":\"Invalid\"}")).await;
        assert_fails(fetch(&plan).await, kind, &[&format!("status {status}"), "{\"error\":\"Invalid\"}"]);
        assert_eq!(server.asked().len(), 1);
    }
}

#[tokio::test]
async fn an_answer_without_a_record_may_be_followed_by_one() {
    let none = || Reply::new(200, "{\"status\":200,\"result\":null}");
    let (_, plan) = serve(json!({}), move |n| if n < 2 { none() } else { record(n) }).await;
    assert_eq!(fetch(&plan).await.unwrap(), "{\"n\":2,\"index\":0}\n");

    let (server, plan) =
        serve(json!({"requests": 3, "concurrency": 1}), move |n| if n < 1 { record(n) } else { none() }).await;
    let words =
        ["request 2 of 3", "status 200", "/result is null", "{\"status\":200,\"result\":null}", "after 3 attempts"];
    assert_fails(fetch(&plan).await, FailureKind::BadData, &words);
    assert_eq!(server.asked().len(), 4);

    let (_, plan) = serve(json!({"attempts": 1}), |_| Reply::new(200, "{\"status\":404,\"error\":\"none\"}")).await;
    assert_fails(fetch(&plan).await, FailureKind::BadData, &["there is `status`, `error`"]);
}

#[tokio::test]
async fn a_body_that_is_cut_short_or_no_json_may_pass() {
    let html = "<!doctype html><title>Back soon</title>";
    let (_, plan) = serve(json!({}), move |n| match n {
        0 => record(0).missing(5),
        1 => Reply::new(200, html),
        n => record(n),
    })
    .await;
    assert_eq!(fetch(&plan).await.unwrap(), "{\"n\":2,\"index\":0}\n");

    let (_, plan) = serve(json!({"attempts": 2}), |n| record(n).missing(1)).await;
    assert_fails(fetch(&plan).await, FailureKind::Unavailable, &["no answer", "after 2 attempts"]);
    let (_, plan) = serve(json!({"attempts": 2}), move |_| Reply::new(200, html)).await;
    assert_fails(fetch(&plan).await, FailureKind::Unavailable, &["not JSON", "Back soon", "after 2 attempts"]);
    let (_, plan) = serve(json!({"attempts": 1}), |_| Reply::new(200, "{\"result\":{\"n\":1")).await;
    assert_fails(fetch(&plan).await, FailureKind::Unavailable, &["not JSON: EOF", "`{\"result\":{\"n\":1`"]);
}

#[tokio::test]
async fn what_cannot_be_a_row_fails_at_once() {
    let (server, plan) = serve(json!({}), |_| Reply::new(200, "{\"result\":{\"a\":{\"b\":1},\"a_b\":2}}")).await;
    assert_fails(fetch(&plan).await, FailureKind::BadData, &["`/a/b` and `/a_b` both become column `a_b`"]);
    assert_eq!(server.asked().len(), 1);
    let (server, plan) = serve(json!({}), |_| Reply::new(200, vec![b' '; (6 << 20) + 1])).await;
    assert_fails(fetch(&plan).await, FailureKind::BadData, &["larger than 6291456 bytes"]);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_slow_answer_is_a_timeout() {
    let source = json!({"attempts": 2, "timeout_seconds": 1});
    let (server, plan) = serve(source.clone(), |n| record(n).after(5_000)).await;
    assert_fails(fetch(&plan).await, FailureKind::Timeout, &["no answer within 1 s", "after 2 attempts"]);
    assert_eq!(server.asked().len(), 2);
    let (_, plan) = serve(source, |n| record(n).after(if n == 0 { 5_000 } else { 0 })).await;
    assert_eq!(fetch(&plan).await.unwrap(), "{\"n\":1,\"index\":0}\n");
}

#[tokio::test]
async fn a_source_that_is_not_there_is_unavailable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plan = plan(&format!("http://{}", listener.local_addr().unwrap()), json!({"attempts": 2}));
    drop(listener);
    assert_fails(fetch(&plan).await, FailureKind::Unavailable, &["Connection refused", "after 2 attempts"]);
}

#[tokio::test]
async fn redirects_stay_on_the_host() {
    let other = Server::start(|asked| record(asked.number)).await;
    let to = format!("{}/elsewhere", other.origin);
    let (server, plan) = serve(json!({}), move |_| Reply::new(302, "").header("location", &to)).await;
    let words = ["status 302", &format!("{}/elsewhere", other.origin), "meta_data/raw/t.json"];
    assert_fails(fetch(&plan).await, FailureKind::BadMetadata, &words);
    assert_eq!((server.asked().len(), other.asked().len()), (1, 0));

    let (server, plan) = serve(json!({}), |n| match n {
        0 => Reply::new(301, "").header("location", "/moved"),
        n => record(n),
    })
    .await;
    assert_eq!(fetch(&plan).await.unwrap(), "{\"n\":1,\"index\":0}\n");
    assert_eq!(server.asked()[1].path, "/moved");

    let (server, plan) = serve(json!({}), |_| Reply::new(301, "").header("location", "/round")).await;
    assert_fails(fetch(&plan).await, FailureKind::BadMetadata, &["one too many"]);
    assert_eq!(server.asked().len(), 6);
}

#[tokio::test]
async fn a_body_with_sensitive_values_is_not_shown() {
    let (_, mut plan) = serve(json!({"attempts": 1}), |_| Reply::new(200, "{\"name\":\"Ada\"}")).await;
    plan.sensitive = true;
    let failure = fetch(&plan).await.unwrap_err();
    assert!(!failure.message.contains("Ada") && failure.message.contains("body of 14 bytes is not shown"), "{failure}");
}
