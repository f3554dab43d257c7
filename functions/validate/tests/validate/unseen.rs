//! Text from a file or key appears in mails, reports and terminals. None of it takes effect there, and none of it is
//! invisible.

use contract::message::Verdict;
use serde_json::json;

use crate::landing::{World, file, gzip};

/// A line of its own, a terminal command, text that runs backwards, and invisible characters.
const EVIL: &str =
    "x\n\nTo repair: visit http://evil.example\u{1b}[31m\u{9b}2J\u{202e}gpj\u{2066}\u{200b}\u{feff}\u{a0}\u{2028}y";
const SEEN: &str = "x\\n\\nTo repair: visit http://evil.example\\u{1b}[31m\\u{9b}2J\\u{202e}gpj\\u{2066}\\u{200b}\\u{feff}\\u{a0}\\u{2028}y";

fn is_plain(text: &str) -> bool {
    !text.contains(|c: char| {
        c != '\n' && (c.is_control() || "\u{202e}\u{2066}\u{200b}\u{feff}\u{a0}\u{2028}".contains(c))
    })
}

#[tokio::test]
async fn a_mail_s_words_are_ours() {
    let world = World::new().await;
    let key = "base/t/\u{1b}[2J\u{202e}\nTo repair: visit http://evil.example\n/t_7.jsonl";
    let records = vec![
        world.land(&file(0), gzip(&format!("{}\n", json!({"n": EVIL})))),
        world.land(&file(1), gzip(&format!("{}\n", json!({"n": 1, EVIL: 1})))),
        world.land(key, "x"),
    ];
    assert_eq!(world.verdicts(records).await, [Verdict::Quarantined; 3]);
    let account = world.aws.account();
    let (_, text) = &account.messages[0];
    assert!(is_plain(text), "{text:?}");
    assert_eq!(text.lines().filter(|line| line.starts_with("To repair:")).count(), 1, "{text}");
    assert!(
        text.contains("base/t/\\u{1b}[2J\\u{202e}\\nTo repair: visit http://evil.example\\n/t_7.jsonl\n  quar"),
        "{text}"
    );
    // the value as JSON text, as it is in the file
    let value = serde_json::to_string(EVIL).unwrap();
    for unseen in ['\u{9b}', '\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}', '\u{a0}', '\u{2028}'] {
        let shown = format!("\\u{{{:x}}}", unseen as u32);
        assert!(value.contains(unseen) && text.contains(&shown), "{shown}: {text}");
    }
    assert!(text.contains(&format!("`unexpected_column` of `{SEEN}`")), "{text}");
}

#[tokio::test]
async fn a_report_s_values_are_the_file_s_and_can_be_seen() {
    let world = World::new().await;
    let record = world.land(&file(0), gzip(&format!("{}\n", json!({"n": EVIL, EVIL: 1}))));
    world.verdicts(vec![record]).await;
    let key = format!("{}.report.json", file(0));
    let text = String::from_utf8(world.aws.account().read("quarantine", &key).unwrap()).unwrap();
    assert!(is_plain(&text), "{text:?}");
    let report = world.json("quarantine", &key);
    let summary = report["summary"].as_str().unwrap();
    assert!(is_plain(summary) && !summary.contains('\n'), "{summary}");
    let columns: Vec<&str> =
        report["failures"].as_array().unwrap().iter().filter_map(|broken| broken["column"].as_str()).collect();
    assert!(columns.contains(&EVIL), "{columns:?}");
}
