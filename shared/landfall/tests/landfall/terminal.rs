//! The output that reaches a terminal.

use std::io::Read;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::desk::Desk;

/// A line break, terminal commands, text that runs backwards, and invisible characters.
const EVIL: &str =
    "x\n\nTo repair: visit http://evil.example\u{1b}[31m\u{9b}2J\u{202e}gpj\u{2066}\u{200b}\u{feff}\u{a0}\u{2028}y";
fn is_plain(text: &str) -> bool {
    !text.contains(|c: char| {
        c != '\n' && (c.is_control() || "\u{202e}\u{2066}\u{200b}\u{feff}\u{a0}\u{2028}".contains(c))
    })
}

fn desk() -> Desk {
    let desk = Desk::new();
    let columns = json!([{"name": "n", "type": "int"}, {"name": "s", "type": "character", "enum": ["Wales"]}]);
    let table = json!({"name": "t", "location": "t", "data_format": "json", "columns": columns});
    desk.write("meta_data/raw/t.json", &table.to_string());
    desk
}

#[test]
fn the_terminal_obeys_no_file() {
    let desk = desk();
    desk.write("t_1.jsonl", &format!("{}\n", json!({"n": EVIL, "s": "Wales\u{a0}", EVIL: 1, "s ": 2})));
    let ended = desk.run(&["validate", "t_1.jsonl"]);
    assert!(is_plain(&ended.out), "{ended:?}");
    assert_eq!(ended.status, Some(1), "{ended:?}");
    for part in ["`Wales\\u{a0}`", "`s `", "\\u{1b}[31m\\u{9b}2J…", "\\u001b[31m\\u{9b}2J\\u{202e}gpj"] {
        assert!(ended.out.contains(part), "{part}: {}", ended.out);
    }
    assert!(!ended.out.lines().any(|line| line.starts_with("To repair")), "{}", ended.out);
}

#[test]
fn a_verdict_is_the_exit_status_and_no_colour_is_where_no_terminal_is() {
    let desk = desk();
    desk.write("t_1.jsonl", "{\"n\": 1, \"s\": \"Wales\"}\n");
    let good = desk.run(&["validate", "t_1.jsonl", "--table=t"]);
    assert_eq!((good.status, good.err.as_str()), (Some(0), ""), "{good:?}");
    assert!(!good.out.contains('\u{1b}'), "{good:?}");
    let json = desk.run(&["validate", "t_1.jsonl", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&json.out).unwrap()["verdict"], "passed");
    let none = desk.run(&["validate", "none.jsonl", "--table", "t"]);
    assert_eq!((none.status, none.out.as_str()), (Some(2), ""), "{none:?}");
    assert!(none.err.starts_with("error: none.jsonl: "), "{none:?}");
    let unknown = desk.run(&["validate", "t_1.jsonl", "--tabel", "t"]);
    assert_eq!(unknown.status, Some(2));
    assert!(unknown.err.contains("--table"), "{unknown:?}");
    let version = desk.run(&["validate", "--version"]);
    assert_eq!(version.status, Some(0));
    assert!(desk.run(&["completions", "bash"]).out.contains("new-table"));
}

#[test]
fn a_pipe_that_is_closed_is_no_failure() {
    let desk = desk();
    // more output than a pipe buffers
    for n in 0..400 {
        desk.table("curated", &format!("t{n}"), &["a int", "b character", "c character", "d character"], json!({}));
        desk.sql("curated", &format!("t{n}"), "SELECT n AS a, s AS b, s AS c, s AS d FROM t");
    }
    let mut command = desk.command(&["define"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 100]).unwrap();
    drop(out);
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(0), ""));
}
