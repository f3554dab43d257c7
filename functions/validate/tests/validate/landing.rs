use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::time::{Duration, SystemTime};

use boot::{Boot, Env, Invocation, env};
use contract::message::{ValidateResponse, Verdict};
use contract::{Failure, FailureKind};
use fake_aws::{Aws, Fault};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use validate::App;

const FOLDER: &str = "base/t/file_land_timestamp=7";

/// validate over its own AWS account.
pub(crate) struct World {
    pub aws: Aws,
    pub app: App,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_checks(json!({})).await
    }

    /// Starts validate with these checks on the table `t`.
    pub(crate) async fn with_checks(checks: Value) -> Self {
        let aws = Aws::start().await;
        let folder = tempfile::tempdir().expect("a folder");
        let write = |file: &str, json: Value| {
            let file = folder.path().join(file);
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            fs::write(file, json.to_string()).expect("a file");
        };
        let columns = json!([{"name": "n", "type": "int", "maximum": 100}]);
        let table = |name: &str, to_raw: bool| json!({"name": name, "data_format": "json", "location": name, "columns": columns, "copy_to_raw": to_raw});
        let mut t = table("t", false);
        t["checks"] = checks;
        write("raw/t.json", t);
        write("raw/messy.json", table("messy", true));
        let mut fetched = table("fetched", false);
        fetched["source"] = json!({"url": "https://source.example/"});
        fetched["checks"] = json!({"minimum_rows": 3, "minimum_bytes": 80});
        write("raw/fetched.json", fetched);
        write("curated/database.json", json!({"name": "d", "bucket": "b", "base_folder": "f", "description": "d"}));
        let metadata = folder.path().to_string_lossy().into_owned();
        let env = Env::new(move |name| {
            let value = match name {
                env::META_DATA => metadata.as_str(),
                env::BASE_FOLDER => "base",
                env::LAND_BUCKET => "land",
                env::RAW_HIST_BUCKET => "raw-hist",
                env::RAW_BUCKET => "raw",
                env::QUARANTINE_BUCKET => "quarantine",
                env::REPORTS_BUCKET => "reports",
                env::STATE_MACHINE_ARN => "arn:aws:states:eu-west-2:1:stateMachine:m",
                env::REBUILD_WINDOW_SECONDS => "1000000",
                env::ALERTS_TOPIC_ARN => "arn:aws:sns:eu-west-2:1:alerts",
                _ => return None,
            };
            Some(value.to_owned())
        });
        let app = App::new(&mut Boot { env, aws: aws.config().await }).expect("the function starts");
        Self { aws, app }
    }

    pub(crate) fn land(&self, key: &str, bytes: impl Into<Vec<u8>>) -> Value {
        let version = self.aws.account().put("land", key, bytes.into());
        record(key, &version)
    }

    pub(crate) async fn handle(&self, event: Value) -> Result<ValidateResponse, Failure> {
        let deadline = SystemTime::now() + Duration::from_mins(1);
        self.app.handle(event, &Invocation { request_id: "r".into(), deadline }).await
    }

    pub(crate) async fn verdicts(&self, records: Vec<Value>) -> Vec<Verdict> {
        let answer = self.handle(json!({"Records": records})).await.expect("an answer");
        answer.files.iter().map(|file| file.verdict).collect()
    }

    pub(crate) fn keys(&self, bucket: &str) -> Vec<String> {
        self.aws.account().keys(bucket)
    }

    pub(crate) fn json(&self, bucket: &str, key: &str) -> Value {
        let bytes = self.aws.account().read(bucket, key).unwrap_or_else(|| panic!("{bucket}/{key}"));
        serde_json::from_slice(&bytes).expect("JSON")
    }
}

fn record(key: &str, version: &str) -> Value {
    let object = json!({"key": key.replace('=', "%3D").replace(' ', "+"), "versionId": version, "size": 1});
    json!({"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "land"}, "object": object}})
}

pub(crate) fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

pub(crate) fn file(n: u32) -> String {
    format!("{FOLDER}/t_{n}_7.jsonl.gz")
}

#[tokio::test]
async fn a_good_file_goes_to_history_and_a_rebuild_is_asked_for_before_it_leaves_land() {
    let world = World::new().await;
    let bytes = gzip("{\"n\":1}\n{\"n\":2}\n");
    let record = world.land(&file(0), bytes.clone());
    let answer = world.handle(json!({"Records": [record.clone()]})).await.unwrap();
    let done = world.aws.account().done.clone();
    let (start, version) = (done[3].clone(), "v1");
    assert!(start.starts_with("start d-"), "{done:?}");
    let report = format!("validation/{}.{version}.json", file(0));
    assert_eq!(
        done,
        [
            format!("copy raw-hist/{}", file(0)),
            format!("put reports/{report}"),
            "put reports/rebuilds/base/turn.json".into(),
            start.clone(),
            format!("delete land/{}", file(0)),
        ]
    );
    assert!(answer.execution.unwrap().ends_with(start.strip_prefix("start ").unwrap()));
    assert_eq!(answer.files[0].summary, "passed: 2 rows, 16 bytes of text");
    assert_eq!(answer.files[0].report.as_deref(), Some(format!("s3://reports/{report}").as_str()));
    assert_eq!(world.aws.account().read("raw-hist", &file(0)), Some(bytes));
    assert_eq!(world.json("reports", &report)["filed_at"], json!({"bucket": "raw-hist", "key": file(0)}));

    // the same event again changes nothing
    assert_eq!(world.verdicts(vec![record]).await, [Verdict::AlreadyHandled]);
    assert_eq!(world.aws.account().done.len(), 5);
}

#[tokio::test]
async fn bad_files_go_to_quarantine_with_a_report_and_keep_nobody_waiting() {
    let world = World::new().await;
    let records = vec![
        world.land(&file(0), gzip("{\"n\":1}\n{\"n\":101}\n")),
        world.land(&file(1), "no gzip"),
        world.land("base/t/readme.pdf", "x"),
        world.land("base/u/file_land_timestamp=7/u_7.jsonl", "{}"),
        world.land("base/t/../t_7.jsonl", "{}"),
        world.land(&file(2), ""),
        json!({"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "land"}, "object": {"key": "%zz"}}}),
        world.land("base/t/", ""),
        world.land(&file(3), gzip("{\"n\":1}\n")),
    ];
    use Verdict::{Ignored, Passed, Quarantined};
    let expected =
        [Quarantined, Quarantined, Quarantined, Quarantined, Quarantined, Quarantined, Ignored, Ignored, Passed];
    assert_eq!(world.verdicts(records).await, expected);
    assert_eq!(world.keys("raw-hist"), [file(3)]);
    assert_eq!(world.keys("land"), ["base/t/"]);
    for (key, rule) in [
        (file(0), "maximum"),
        (file(1), "gzip"),
        ("base/t/readme.pdf".into(), "key"),
        ("base/u/file_land_timestamp=7/u_7.jsonl".into(), "table"),
        ("base/t/../t_7.jsonl".into(), "key"),
        (file(2), "size"),
    ] {
        let report = world.json("quarantine", &format!("{key}.report.json"));
        assert_eq!(report["failures"][0]["rule"], rule, "{report:#}");
        assert!(world.keys("quarantine").contains(&key));
    }
    assert_eq!(world.keys("quarantine").len(), 12);
}

#[tokio::test]
async fn history_is_compared_before_anything_counts_as_done() {
    for checksums in [true, false] {
        let world = World::new().await;
        world.aws.account().checksums = checksums;
        let (first, same, other) = (gzip("{\"n\":1}\n"), gzip("{\"n\":1}\n"), gzip("{\"n\":2}\n"));
        assert_eq!(first.len(), other.len());
        let record = world.land(&file(0), first.clone());
        assert_eq!(world.verdicts(vec![record]).await, [Verdict::Passed]);
        let record = world.land(&file(0), same);
        assert_eq!(world.verdicts(vec![record]).await, [Verdict::Passed]);
        let record = world.land(&file(0), other.clone());
        assert_eq!(world.verdicts(vec![record]).await, [Verdict::Quarantined]);
        assert_eq!(world.json("quarantine", &format!("{}.report.json", file(0)))["failures"][0]["rule"], "history");
        // once more with other bytes: the file in quarantine stays as well
        let third = gzip("{\"n\":3}\n");
        let version = world.aws.account().put("land", &file(0), third.clone());
        assert_eq!(world.verdicts(vec![record_of(&version)]).await, [Verdict::Quarantined]);
        let account = world.aws.account();
        assert_eq!(account.read("raw-hist", &file(0)), Some(first));
        assert_eq!(account.read("quarantine", &file(0)), Some(other));
        assert_eq!(account.read("quarantine", &format!("{}.{version}", file(0))), Some(third));
        assert!(account.inventory().iter().all(|(place, _)| !place.starts_with("land/")));
    }
}

#[tokio::test]
async fn people_are_told_once_of_all_files_before_they_leave_land() {
    let world = World::new().await;
    let mut records: Vec<Value> = (0..12).map(|n| world.land(&file(n), gzip("{\"n\":101}\n"))).collect();
    records.push(world.land(&file(12), gzip("{\"n\":1}\n")));
    world.verdicts(records).await;
    let account = world.aws.account();
    let [(subject, text)] = &account.messages[..] else { panic!("{:?}", account.messages) };
    assert_eq!(subject, "Landfall: 12 files quarantined");
    for part in [
        &file(0),
        "quarantined: 1 rule is broken in a file of 1 row: `maximum` of `n` in 1 row (100%): expected at most 100",
        &format!("Report: s3://reports/validation/{}.v1.json", file(0)),
        "And 2 files more",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let told = account.done.iter().position(|done| done.starts_with("publish")).unwrap();
    assert!(account.done[..told].iter().all(|done| !done.starts_with("delete")), "{:?}", account.done);
    assert_eq!(account.done[told..].iter().filter(|done| done.starts_with("delete")).count(), 13);
}

#[tokio::test]
async fn a_message_that_cannot_be_sent_keeps_nothing_from_being_done() {
    let world = World::new().await;
    world.aws.account().fail_step("publish ", Fault::refused(500).for_good());
    let record = world.land(&file(0), gzip("{\"n\":101}\n"));
    assert_eq!(world.verdicts(vec![record]).await, [Verdict::Quarantined]);
    assert_eq!((world.keys("land").len(), world.keys("quarantine").len()), (0, 2));
}

#[tokio::test]
async fn a_sweep_misses_the_tables_that_are_required() {
    let world = World::with_checks(json!({"required": true})).await;
    world.land("base/messy/file_land_timestamp=7/messy_7.jsonl", "{\"n\":1}\n");
    world.land("base/t/", "");
    let failure = world.handle(json!({})).await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (FailureKind::NotFound, "no file in land of required tables: `t`")
    );
    // the other files are handled all the same
    assert_eq!(world.keys("raw-hist").len(), 1);
    for (prefix, kind) in [
        ("base/t/", Some(FailureKind::NotFound)),
        ("base/", Some(FailureKind::NotFound)),
        ("base/messy/", None),
        ("base/t/file_land_timestamp=7/", None),
    ] {
        let answer = world.handle(json!({"prefix": prefix})).await;
        assert_eq!(answer.err().map(|failure| failure.kind), kind, "{prefix}");
    }
    // if all must pass, all required tables must have a file
    let other = "base/messy/file_land_timestamp=8/messy_8.jsonl";
    world.land(other, "{\"n\":1}\n");
    let failure = world.handle(json!({"all_must_pass": true})).await.unwrap_err();
    assert_eq!((failure.kind, world.keys("raw-hist").len()), (FailureKind::NotFound, 1));
    world.land(&file(0), gzip("{\"n\":100}\n"));
    world.handle(json!({"all_must_pass": true})).await.unwrap();
    assert_eq!((world.keys("land"), world.keys("raw-hist").len()), (vec!["base/t/".to_owned()], 3));
}

#[tokio::test]
async fn a_sweep_of_all_or_none_that_is_refused_halfway_leaves_all_to_the_next() {
    let world = World::new().await;
    world.land(&file(0), gzip("{\"n\":1}\n"));
    world.land(&file(1), gzip("{\"n\":1}\n"));
    let second = "copy raw-hist/base/t/file_land_timestamp=7/t_1_";
    world.aws.account().fail_step(second, Fault::refused(503).for_good());
    let sweep = json!({"all_must_pass": true});
    assert!(world.handle(sweep.clone()).await.unwrap_err().kind.is_retryable());
    // no rebuild sees only some of them
    assert_eq!((world.keys("land").len(), world.aws.account().executions.len()), (2, 0));
    world.aws.account().heal();
    world.handle(sweep).await.unwrap();
    assert_eq!((world.keys("land").len(), world.keys("raw-hist").len()), (0, 2));
}

#[tokio::test]
async fn all_files_of_a_sweep_pass_or_none() {
    use Verdict::{Failed, Held, Passed};
    let sweep = || json!({"prefix": "base/t/", "all_must_pass": true});
    let verdicts = |answer: &ValidateResponse| answer.files.iter().map(|file| file.verdict).collect::<Vec<_>>();
    let world = World::new().await;
    world.land(&file(0), gzip("{\"n\":1}\n"));
    world.land(&file(1), gzip("{\"n\":101}\n"));
    world.land(&file(2), gzip("{\"n\":2}\n"));
    let answer = world.handle(sweep()).await.unwrap();
    assert_eq!((verdicts(&answer), answer.execution), (vec![Held, Failed, Held], None));
    assert_eq!(world.keys("land"), [file(0), file(1), file(2)]);
    assert_eq!((world.keys("raw-hist").len(), world.keys("quarantine").len()), (0, 0));
    let report = world.json("reports", &format!("validation/{}.v2.json", file(1)));
    assert_eq!((&report["verdict"], &report["filed_at"]["bucket"]), (&json!("failed"), &json!("land")));
    assert!(report["summary"].as_str().unwrap().starts_with("failed: 1 rule is broken"), "{report:#}");
    assert_eq!(world.keys("reports").len(), 1);
    let told = world.aws.account().messages[0].0.clone();
    assert_eq!(told, "Landfall: 1 file in land did not pass, all of the request stay there");

    // repaired, but history has other bytes under the key of the last one
    world.land(&file(1), gzip("{\"n\":100}\n"));
    world.aws.account().put("raw-hist", &file(2), gzip("{\"n\":9}\n"));
    let answer = world.handle(sweep()).await.unwrap();
    assert_eq!(verdicts(&answer), [Held, Held, Failed]);
    assert_eq!(world.keys("raw-hist"), [file(2)]);

    world.land(&file(2), gzip("{\"n\":9}\n"));
    let answer = world.handle(sweep()).await.unwrap();
    assert_eq!(verdicts(&answer), [Passed; 3]);
    assert!(answer.execution.is_some());
    assert_eq!(world.keys("raw-hist"), [file(0), file(1), file(2)]);
}

/// A sweep dies at every request in turn, and is asked for again.
#[tokio::test]
async fn a_sweep_of_all_or_none_may_die_at_any_point() {
    for late in [false, true] {
        for requests in 0.. {
            let world = World::new().await;
            world.land(&file(0), gzip("{\"n\":1}\n"));
            world.land(&file(1), gzip("{\"n\":2}\n"));
            (world.aws.account().stop_after, world.aws.account().stop_late) = (Some(requests), late);
            let sweep = json!({"all_must_pass": true});
            let died = tokio::select! {
                answer = world.handle(sweep.clone()) => { answer.unwrap(); false }
                () = world.aws.stopped() => true,
            };
            world.aws.account().stop_after = None;
            world.handle(sweep).await.unwrap();
            assert_eq!(world.keys("land"), [""; 0], "after {requests} requests");
            assert_eq!(world.keys("raw-hist"), [file(0), file(1)]);
            assert_eq!(world.aws.account().executions.len(), 1);
            if !died {
                break;
            }
        }
    }
}

#[tokio::test]
async fn what_has_changed_is_in_the_report_of_a_file_that_passes() {
    let world = World::with_checks(json!({"allow_unexpected_columns": true})).await;
    let record = world.land(&file(0), gzip("{\"n\":1,\"since\":\"2024-02-29\"}\n{\"n\":null}\n"));
    let answer = world.handle(json!({"Records": [record]})).await.unwrap();
    assert_eq!(
        answer.files[0].summary,
        "passed: 2 rows, 40 bytes of text; columns differ from the metadata: new: `since`"
    );
    let report = world.json("reports", &format!("validation/{}.v1.json", file(0)));
    assert_eq!(
        report["drift"]["new"],
        json!([{"column": "since", "count": 1, "percent": 50.0,
                "snippet": {"name": "since", "type": "date", "description": "", "nullable": true}}])
    );
}

fn record_of(version: &str) -> Value {
    record(&file(0), version)
}

#[tokio::test]
async fn an_overwritten_object_is_two_files() {
    let world = World::new().await;
    let (old, new) = (gzip("{\"n\":1}\n"), gzip("{\"n\":2}\n"));
    let first = world.land(&file(0), old.clone());
    let second = world.land(&file(0), new);
    // the newer file's event arrives first, which makes the older file a conflict
    assert_eq!(world.verdicts(vec![second]).await, [Verdict::Passed]);
    assert_eq!(world.verdicts(vec![first]).await, [Verdict::Quarantined]);
    assert_eq!(world.aws.account().read("quarantine", &file(0)), Some(old));
    assert_eq!(world.keys("land"), [""; 0]);
}

#[tokio::test]
async fn by_hand_everything_under_a_prefix_is_handled() {
    let world = World::new().await;
    world.land(&file(0), gzip("{\"n\":1}\n"));
    world.land("base/t/t_9.jsonl", "{\"n\":1}\n");
    world.land("base/messy/file_land_timestamp=7/messy_7.jsonl", "{\"n\":1}\n");
    let answer = world.handle(json!({"prefix": "base/t/"})).await.unwrap();
    assert_eq!(answer.files.len(), 2);
    // a file without its own folder is filed under the time at which it landed
    let filed = "base/t/file_land_timestamp=1795413604/t_9.jsonl";
    let [marker, files @ ..] = &world.keys("raw-hist")[..] else { panic!() };
    assert!(marker.starts_with("_landed/base/t/") && files == [filed.to_owned(), file(0)], "{marker} {files:?}");
    let answer = world.handle(json!({})).await.unwrap();
    assert_eq!(answer.files.len(), 1);
    assert_eq!(world.keys("raw"), ["base/messy/file_land_timestamp=7/messy_7.jsonl"]);
    assert_eq!(world.keys("land"), [""; 0]);
    assert_eq!(world.handle(json!({})).await.unwrap(), ValidateResponse::default());
}

#[tokio::test]
async fn what_a_service_refuses_is_left_for_the_retry() {
    for (request, handled) in [
        ("head land/base/t/file_land_timestamp=7/t_0_", true),
        ("get land/base/t/file_land_timestamp=7/t_0_", true),
        ("copy raw-hist/base/t/file_land_timestamp=7/t_0_", true),
        ("put reports/validation/base/t/file_land_timestamp=7/t_0_", true),
        ("get reports/rebuilds/base/turn.json", false),
        ("put reports/rebuilds/base/turn.json", false),
        ("start ", false),
    ] {
        let world = World::new().await;
        let records = [world.land(&file(0), gzip("{\"n\":1}\n")), world.land(&file(1), gzip("{\"n\":1}\n"))];
        world.aws.account().fail_step(request, Fault::refused(500).for_good());
        let failure = world.handle(json!({"Records": records})).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unavailable, "{request}: {failure}");
        // the other file is handled, unless no rebuild could be requested
        let left = if handled { vec![file(0)] } else { vec![file(0), file(1)] };
        assert_eq!(world.keys("land"), left, "{request}");
        world.aws.account().heal();
        world.handle(json!({"Records": records})).await.unwrap();
        assert_eq!(world.keys("land"), [""; 0]);
        assert_eq!(world.keys("raw-hist"), [file(0), file(1)]);
    }
}

/// The process dies at every request in turn, before or after it took effect, and the event arrives again.
#[tokio::test]
async fn a_process_may_die_at_any_point() {
    let messy = "base/messy/file_land_timestamp=7/messy_7.jsonl";
    for late in [false, true] {
        for requests in 0.. {
            let world = World::new().await;
            world.aws.account().put("raw-hist", &file(3), gzip("{\"n\":9}\n"));
            let records = vec![
                world.land(&file(0), gzip("{\"n\":1}\n")),
                world.land(&file(1), gzip("{\"n\":101}\n")),
                world.land(messy, "{\"n\":1}\n"),
                world.land(&file(3), gzip("{\"n\":1}\n")),
                world.land("base/t/readme.pdf", "x"),
            ];
            {
                let mut account = world.aws.account();
                (account.stop_after, account.stop_late) = (Some(requests), late);
            }
            let event = json!({"Records": records});
            let died = tokio::select! {
                answer = world.handle(event.clone()) => { answer.unwrap(); false }
                () = world.aws.stopped() => true,
            };
            world.aws.account().stop_after = None;
            if died {
                world.handle(event).await.unwrap();
            }

            assert_eq!(world.keys("land"), [""; 0], "after {requests} requests");
            assert_eq!(world.keys("raw"), [messy]);
            assert_eq!(world.keys("raw-hist"), [messy.to_owned(), file(0), file(3)]);
            let rejected = [file(1), file(3), "base/t/readme.pdf".to_owned()];
            let expected: BTreeSet<String> =
                rejected.iter().flat_map(|key| [key.clone(), format!("{key}.report.json")]).collect();
            assert_eq!(world.keys("quarantine").into_iter().collect::<BTreeSet<_>>(), expected);
            assert_eq!(world.keys("reports").len(), 5 + 1);
            let account = world.aws.account();
            // only reports are written twice
            let twice = account.inventory().into_iter().filter(|(place, versions)| {
                *versions > 1 && !place.starts_with("reports/") && !place.ends_with(".report.json")
            });
            assert_eq!(twice.collect::<Vec<_>>(), []);
            // a file that passed leaves land only after an execution was requested after its copy
            for key in [file(0), messy.to_owned()] {
                let at = |step: String| account.done.iter().position(|done| *done == step).expect("it was done");
                let (copied, deleted) = (at(format!("copy raw-hist/{key}")), at(format!("delete land/{key}")));
                let asked = account.done[copied..deleted].iter().any(|done| done.starts_with("start "));
                assert!(asked, "{:?}", account.done);
            }
            if !died {
                assert!(requests > 30, "{requests}");
                break;
            }
        }
    }
}

/// Two invocations handle the same event at once, and take turns at every step.
#[tokio::test]
async fn two_invocations_may_cross() {
    let world = World::new().await;
    let records: Vec<Value> = (0..20).map(|n| world.land(&file(n), gzip("{\"n\":1}\n"))).collect();
    let bad: Vec<Value> = (20..30).map(|n| world.land(&file(n), gzip("{\"n\":101}\n"))).collect();
    let both = [records, bad].concat();
    let event = json!({"Records": both});
    let (one, other) = tokio::join!(world.handle(event.clone()), world.handle(event));
    for file in one.unwrap().files.iter().chain(&other.unwrap().files) {
        assert_ne!(file.verdict, Verdict::Ignored);
    }
    assert_eq!(world.keys("land"), [""; 0]);
    assert_eq!((world.keys("raw-hist").len(), world.keys("quarantine").len()), (20, 20));
}
