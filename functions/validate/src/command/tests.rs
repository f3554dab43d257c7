use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::*;

#[test]
fn the_base_folder_is_what_comes_before_the_table() {
    for (key, base) in [
        ("a/b/t/file_land_timestamp=7/t_7.jsonl", "a/b/"),
        ("t/file_land_timestamp=7/t_7.jsonl", ""),
        ("a/t/t_7.jsonl", "a/"),
        ("t/t_7.jsonl", ""),
        ("t_7.jsonl", ""),
    ] {
        assert_eq!(base_folder(key), base, "{key}");
    }
}

#[test]
fn a_file_is_checked_as_the_function_checks_it() {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| {
        let file = folder.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        file
    };
    let columns = json!([
        {"name": "n", "type": "int", "maximum": 100},
        {"name": "who", "type": "character", "enum": ["a|b"], "sensitivity": "personal_data"},
    ]);
    for name in ["t", "t_long"] {
        let table = json!({"name": name, "data_format": "json", "location": "t", "columns": columns});
        write(&format!("m/raw/{name}.json"), &table.to_string());
    }
    let database = json!({"name": "d", "bucket": "b", "base_folder": "f", "description": "d"});
    write("m/curated/database.json", &database.to_string());
    let good = write("t_long-1.jsonl", "{\"n\":1,\"who\":\"a|b\"}\n");
    let bad = write("t_7.jsonl", "{\"n\":101,\"who\":\"\\u001b[2J\",\"new\":[1]}\n{\"n\":102,\"who\":null}\n");
    let other = write("other.jsonl", "{\"n\":1,\"who\":null}\n");
    let meta_data = folder.path().join("m");
    let ask = |file: &Path, table: Option<&str>, key: Option<&str>| {
        let (table, key) = (table.map(str::to_owned), key.map(str::to_owned));
        let request = Request { file: file.to_owned(), table, meta_data: meta_data.clone(), key };
        MetaData::read(&meta_data)
            .map_err(|problems| problems.to_string())
            .and_then(|metadata| report_on(&request, &metadata, &Arc::default()))
    };

    let report = ask(&good, None, None).unwrap();
    assert_eq!((report.verdict, report.table.as_deref()), (Verdict::Passed, Some("t_long")));
    let report = ask(&bad, None, None).unwrap();
    let written: Value = serde_json::from_slice(&report.json().unwrap()).unwrap();
    assert_eq!((&written["verdict"], &written["filed_at"]), (&json!("failed"), &Value::Null));
    let text = report.to_string().replace(&bad.display().to_string(), "t_7.jsonl");
    let expected = "\
t_7.jsonl does not pass as `t`: 3 rules are broken
2 rows, 2 lines, 59 bytes of text, 59 bytes in the file

RULE               COLUMN  ROWS  SHARE  EXPECTED                                       FIRST ROWS
-----------------  ------  ----  -----  ---------------------------------------------  ----------------------------
unexpected_column  new        1    50%  no column that the metadata does not describe  line 1
maximum            n          2   100%  at most 100                                    line 1: `101`; line 2: `102`
enum               who        1    50%  one of `a|b`                                   line 1

New columns, to paste among the table's columns in the metadata:
  {\"name\":\"new\",\"type\":\"array<int>\",\"description\":\"\",\"nullable\":true}
";
    assert_eq!(text, expected);

    assert!(ask(&other, None, None).unwrap_err().contains("name one by --table (TABLE= of make): `t`, `t_long`"));
    assert_eq!(ask(&other, Some("t"), None).unwrap().verdict, Verdict::Passed);
    let hyphen = write("T-Long 2.jsonl", &fs::read_to_string(&good).unwrap());
    assert_eq!(ask(&hyphen, None, None).unwrap().table.as_deref(), Some("t_long"));
    let key = "base/t/file_land_timestamp=7/t_8.jsonl";
    assert_eq!(ask(&other, None, Some(key)).unwrap().failures[0].rule, "file_name");
    assert_eq!(ask(&other, Some("t"), Some("base/t/..//t_8.jsonl")).unwrap().failures[0].rule, "key");
    assert!(ask(&other, Some("u"), None).unwrap_err().contains("no raw table `u`"));
    assert!(ask(&folder.path().join("t_none.jsonl"), None, None).unwrap_err().contains("t_none.jsonl"));
    assert!(ask(&write("t.xls", ""), None, None).unwrap_err().contains("extensions"));
}
