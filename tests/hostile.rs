//! Files that were made to do harm, or that look like it. Each ends with a verdict and a report. Memory stays low,
//! however large the content would be.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tests::{gzip, repository};

/// The bound of `landfall validate`.
const PEAK_BYTES: u64 = 64 << 20;

/// A metadata folder with one table of an integer and a text.
struct Metadata(tempfile::TempDir);

impl Metadata {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str, content: Value| tests::write(folder.path(), file, &content.to_string());
        let columns = json!([{"name": "a", "type": "int", "nullable": false}, {"name": "b", "type": "character"}]);
        let table = json!({"name": "t", "data_format": "json", "location": "t", "columns": columns});
        write("raw/t.json", table);
        write(
            "curated/database.json",
            json!({"name": "d", "bucket": "b", "base_folder": "f", "description": "hostile files"}),
        );
        Self(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Runs a command and prints its peak resident memory in bytes. The command starts from a small Python process, because
/// the peak includes the copy of the parent's memory that a process has before it executes the command.
const MEASURED: &str = "
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:])
_, status, usage = os.wait4(process.pid, 0)
print(usage.ru_maxrss * (1 if sys.platform == 'darwin' else 1024), file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
";

/// Runs `landfall validate` on a file and returns its exit code, its report and its peak resident memory in bytes.
fn check(metadata: &Metadata, file: &Path) -> (Option<i32>, Value, u64) {
    let root = repository();
    let ended = Command::new(root.join(".venv/bin/python"))
        .args(["-c", MEASURED])
        .arg(root.join(".local/landfall"))
        .arg("validate")
        .arg(file)
        .args(["--table", "t", "--json", "--meta-data"])
        .arg(metadata.0.path())
        .output()
        .expect("run the tests with `make test`");
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    let peak = told.lines().last().and_then(|line| line.parse().ok()).unwrap_or_else(|| panic!("{told}"));
    (ended.status.code(), serde_json::from_slice(&ended.stdout).unwrap_or(Value::Null), peak)
}

/// Repeats a gzip member, which makes a file of any size quickly.
fn members(byte: u8, bytes: usize, times: usize) -> impl Fn(&mut dyn Write) {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![byte; bytes]).unwrap();
    let member = encoder.finish().unwrap();
    move |file| (0..times).for_each(|_| file.write_all(&member).unwrap())
}

fn bytes(content: impl Into<Vec<u8>>) -> impl Fn(&mut dyn Write) {
    let content = content.into();
    move |file| file.write_all(&content).unwrap()
}

#[test]
fn each_ends_with_a_verdict_in_little_memory() {
    const GOOD: &str = "{\"a\":1,\"b\":\"x\"}\n";
    let metadata = Metadata::new();
    let whole = gzip(&GOOD.repeat(100_000));
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    let many_columns: String = (0..100_000).map(|n| format!(",\"k{n}\":{n}")).collect();
    let many_names: String = (0..100_000).map(|n| format!(",k{n}")).collect();
    let mut long_line = GzEncoder::new(Vec::new(), Compression::fast());
    long_line.write_all(b"{\"a\":1,\"b\":\"").unwrap();
    long_line.write_all(&vec![b'x'; contract::MAXIMUM_ROW_BYTES - 20]).unwrap();
    long_line.write_all(b"\"}\n").unwrap();
    let long_line = long_line.finish().unwrap();

    type Content = Box<dyn Fn(&mut dyn Write)>;
    let files: Vec<(&str, Content, &[&str])> = vec![
        ("members.jsonl.gz", Box::new(bytes([whole.clone(), whole.clone()].concat())), &[]),
        ("longest.jsonl.gz", Box::new(bytes(long_line.repeat(8))), &[]),
        ("zeros.jsonl.gz", Box::new(members(0, 64 << 20, 160)), &["line_length"]),
        ("newlines.jsonl.gz", Box::new(members(b'\n', 64 << 20, 160)), &["gzip"]),
        ("line.jsonl.gz", Box::new(members(b'{', 64 << 20, 32)), &["line_length"]),
        ("cut.jsonl.gz", Box::new(bytes(whole[..whole.len() - 9].to_vec())), &["gzip"]),
        ("damaged.jsonl.gz", Box::new(bytes(damaged)), &["gzip"]),
        ("followed.jsonl.gz", Box::new(bytes([&whole[..], b"and more"].concat())), &["gzip"]),
        ("text.jsonl.gz", Box::new(bytes(GOOD)), &["gzip"]),
        ("packed.jsonl", Box::new(bytes(whole.clone())), &["format"]),
        ("empty.jsonl", Box::new(bytes("")), &["size"]),
        ("empty.jsonl.gz", Box::new(bytes(gzip(""))), &["minimum_rows"]),
        ("newline.jsonl", Box::new(bytes("\n")), &["minimum_rows"]),
        ("deep.jsonl", Box::new(bytes(format!("{{\"a\":{}", "[".repeat(100_000)))), &["json"]),
        (
            "nested.jsonl",
            Box::new(bytes(format!("{{\"b\":\"\",\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000)))),
            &["type"],
        ),
        ("latin.jsonl", Box::new(bytes(b"{\"a\":1,\"b\":\"\xe9\"}\n")), &["utf8"]),
        ("nul.jsonl", Box::new(bytes("{\"a\":1,\"b\":\"\0\"}\n\0\0\0\n")), &["json", "json_object"]),
        (
            "columns.jsonl",
            Box::new(bytes(format!("{{\"a\":1,\"b\":\"\"{many_columns}}}\n").repeat(3))),
            &["unexpected_column"],
        ),
        (
            "columns.csv",
            Box::new(bytes(format!("a,b{many_names}\n1,{}\n", ",".repeat(100_000)))),
            &["unexpected_column"],
        ),
        ("quote.csv.gz", Box::new(members(b'"', (64 << 20) + 1, 32)), &["line_length"]),
        ("zeros.csv.gz", Box::new(members(0, 64 << 20, 160)), &["line_length"]),
        ("commas.csv.gz", Box::new(members(b',', 64 << 20, 160)), &["line_length"]),
        ("text.parquet", Box::new(bytes(GOOD)), &["parquet"]),
        ("magic.parquet", Box::new(bytes("PAR1PAR1")), &["parquet"]),
        ("footer.parquet", Box::new(bytes(*b"PAR1\xff\xff\xff\x7fPAR1")), &["parquet"]),
        (
            "garbage.parquet",
            Box::new(bytes([b"PAR1", &[0x15; 4_000][..], &4_000_u32.to_le_bytes(), b"PAR1"].concat())),
            &["parquet"],
        ),
    ];
    for (name, content, expected) in files {
        let file = metadata.file(name);
        let mut writer = BufWriter::new(File::create(&file).unwrap());
        content(&mut writer);
        writer.into_inner().unwrap();
        let (code, report, peak) = check(&metadata, &file);
        let failures = report["failures"].as_array().cloned().unwrap_or_default();
        let rules: Vec<&str> = failures.iter().filter_map(|failure| failure["rule"].as_str()).collect();
        for rule in expected {
            assert!(rules.contains(rule), "{name}: expected `{rule}`: {report:#}");
        }
        assert_eq!(code, Some(i32::from(!expected.is_empty())), "{name}: {report:#}");
        let verdict = if expected.is_empty() { "passed" } else { "failed" };
        assert_eq!(report["verdict"], verdict, "{name}");
        assert!(peak < PEAK_BYTES, "{name}: {} MiB of memory", peak >> 20);
        std::fs::remove_file(file).unwrap();
    }
}
