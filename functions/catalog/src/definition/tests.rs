use serde_json::json;

use super::*;
use crate::example;

fn definition(glue_specific: Value) -> Result<TableDefinition, Failure> {
    let manifest = example::manifest();
    let mut table = example::table("calculated");
    table.glue_specific = glue_specific;
    TableDefinition::new(&table, &manifest.tables[1], &manifest)
}

fn reason(glue_specific: Value) -> String {
    let failure = definition(glue_specific).unwrap_err();
    assert_eq!(failure.kind, contract::FailureKind::BadMetadata);
    let (file, reason) = failure.message.split_once(": ").unwrap();
    assert!(file.ends_with("curated/calculated.json"), "{file}");
    reason.to_owned()
}

#[test]
fn the_whole_definition() {
    let expected = json!({
        "Name": "calculated",
        "Description": "Number of postcodes by European electoral region, a snapshot a day",
        "Owner": "owner",
        "Retention": 0,
        "StorageDescriptor": {
            "Columns": [
                {
                    "Name": "european_electoral_region",
                    "Type": "string",
                    "Comment": "European electoral region, lower case"
                },
                {"Name": "n", "Type": "bigint", "Comment": "Number of postcodes"},
                {"Name": "dea_version", "Type": "string", "Comment": "Version of the pipeline that built the row"}
            ],
            "Location": "s3://curated/database/calculated/20261123T034500123Z-aaaa/",
            "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
            "Compressed": false,
            "NumberOfBuckets": -1,
            "SerdeInfo": {
                "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
                "Parameters": {"serialization.format": "1"}
            },
            "BucketColumns": [],
            "SortColumns": [],
            "Parameters": {"classification": "parquet", "compressionType": "none"},
            "StoredAsSubDirectories": false
        },
        "PartitionKeys": [
            {"Name": "dea_snapshot_date", "Type": "date", "Comment": "Date of the run that counted"}
        ],
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {
            "EXTERNAL": "TRUE",
            "classification": "parquet",
            "landfall_run": "20261123T034500123Z-aaaa",
            "landfall_version": "v0.1.0"
        }
    });
    assert_eq!(serde_json::to_value(definition(json!({})).unwrap()).unwrap(), expected);
}

#[test]
fn the_input_for_glue_says_the_same() {
    let definition = definition(json!({})).unwrap();
    let found = example::glue_table(&definition.input().unwrap(), "7");
    assert!(definition.describes(&TableDefinition::of(&found)));
}

#[test]
fn what_others_add_to_the_parameters_is_no_difference() {
    let definition = definition(json!({})).unwrap();
    let mut found = definition.clone();
    found.parameters.insert("transient_lastDdlTime".into(), "1".into());
    assert!(definition.describes(&found));
    found.parameters.remove("classification");
    assert!(!definition.describes(&found));
}

#[test]
fn sensitivity_is_said_of_columns_and_its_loss_is_a_difference() {
    let manifest = example::manifest();
    let mut table = example::table("calculated");
    table.columns[0].sensitive = true;
    table.columns[0].sensitivity = Some(contract::Sensitivity::PersonalData);
    table.columns[1].sensitive = true;
    table.columns[1].redacted = true;
    table.columns[2].sensitive = true;
    let definition = TableDefinition::new(&table, &manifest.tables[1], &manifest).unwrap();
    let said: Vec<_> = definition.storage_descriptor.columns.iter().map(|column| &column.parameters).collect();
    let (kind, redacted) = (parameters([("sensitivity", "personal_data")]), parameters([("redacted", "true")]));
    assert_eq!(said, [&kind, &redacted, &parameters([("sensitive", "true")])]);

    let glue = example::glue_table(&definition.input().unwrap(), "7");
    let mut found = TableDefinition::of(&glue);
    assert!(definition.describes(&found));
    // a parameter that others added is not a difference, one that we no longer set is
    found.storage_descriptor.columns[0].parameters.insert("crawled".into(), "x".into());
    assert!(definition.describes(&found));
    found.storage_descriptor.columns[1].parameters.insert("sensitive".into(), "true".into());
    assert!(!definition.describes(&found));
    found.storage_descriptor.columns[1].parameters.clear();
    assert!(!definition.describes(&found));
    assert!(
        definition
            .storage_descriptor
            .describes_partition(glue.storage_descriptor().unwrap(), &manifest.tables[1].location)
    );
}

#[test]
fn glue_specific_is_merged_over_the_definition() {
    let merged = definition(json!({
        "Owner": "analytics",
        "StorageDescriptor": {
            "SerdeInfo": {"Parameters": {"parquet.column.index.access": "false"}},
            "SortColumns": [{"Column": "n", "SortOrder": 1}]
        },
        "Parameters": {"projection.enabled": "true"},
        // our own value is accepted
        "TableType": "EXTERNAL_TABLE"
    }))
    .unwrap();
    assert_eq!(merged.owner, "analytics");
    let serde = &merged.storage_descriptor.serde_info;
    assert_eq!(serde.parameters.len(), 2);
    assert!(serde.serialization_library.ends_with("ParquetHiveSerDe"));
    assert_eq!(merged.parameters["projection.enabled"], "true");
    assert_eq!(merged.parameters["classification"], "parquet");
    let input = merged.input().unwrap();
    assert_eq!(input.storage_descriptor().unwrap().sort_columns()[0].column(), "n");
}

#[test]
fn glue_specific_cannot_say_what_glue_does_not_know() {
    let found = reason(json!({"Ownr": "x"}));
    assert!(found.starts_with("glue_specific.Ownr: unknown field `Ownr`, expected one of `Name`"), "{found}");
    let found = reason(json!({"StorageDescriptor": {"SerdeInfo": {"Class": "x"}}}));
    assert!(found.starts_with("glue_specific.StorageDescriptor.SerdeInfo.Class: unknown field `Class`"), "{found}");
    let found = reason(json!({"Parameters": {"skip.header.line.count": 1}}));
    assert!(found.contains("skip.header.line.count: invalid type: integer `1`, expected a string"), "{found}");
}

#[test]
fn glue_specific_cannot_touch_what_publishing_relies_on() {
    for (specific, path) in [
        (json!({"Name": "other"}), "Name"),
        (json!({"TableType": "VIRTUAL_VIEW"}), "TableType"),
        (json!({"StorageDescriptor": {"Location": "s3://elsewhere/"}}), "StorageDescriptor.Location"),
        (json!({"StorageDescriptor": {"Columns": []}}), "StorageDescriptor.Columns"),
        (json!({"PartitionKeys": []}), "PartitionKeys"),
        (json!({"Parameters": {"landfall_run": "x"}}), "Parameters"),
        (json!({"Parameters": {"landfall_previous_location": "x"}}), "Parameters"),
    ] {
        let found = reason(specific);
        assert!(found.starts_with(&format!("glue_specific.{path}: cannot be set here")), "{found}");
    }
}

#[test]
fn texts_are_cut_to_what_glue_takes() {
    let mut column = example::table("calculated").columns[0].clone();
    column.description = format!("one\ntwo\t{}", "ò".repeat(300));
    let comment = ColumnDefinition::new(&column).comment;
    assert_eq!(comment.chars().count(), 255);
    assert!(comment.starts_with("one two òò"));

    assert_eq!(description(&"x".repeat(3000)).len(), 2048);
    assert_eq!(description("a\nb\0c"), "a\nb c");
    // a character outside the basic plane counts as two, and is not split
    assert_eq!(cut("🏴🏴", 3), "🏴");
    assert_eq!(cut("abc", 3), "abc");
}
