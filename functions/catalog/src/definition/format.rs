//! A format: the classes and properties with which Glue reads the files of a table. For a table in etl_manager's
//! vocabulary, they are what etl_manager 9.0.2 derives from its `data_format`. For a table in mojap-metadata's
//! vocabulary, they are what the GlueConverter of mojap-metadata 1.16.0 derives from its `file_format` with default
//! options.

use std::collections::BTreeMap;

use contract::{DataFormat, Dialect, ParquetCompression, Table};
use serde::{Deserialize, Serialize};

/// Lines of text. The suffix `.gz` marks a file that is compressed as a whole.
const TEXT_INPUT: &str = "org.apache.hadoop.mapred.TextInputFormat";
const TEXT_OUTPUT: &str = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat";

/// Glue's SerDeInfo.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(crate) struct Serde {
    /// Any name; Glue ignores it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Java class.
    pub serialization_library: String,
    /// SerDe properties.
    pub parameters: BTreeMap<String, String>,
}

/// The classes and properties with which Glue reads the files of a table.
#[derive(Debug)]
pub(super) struct Format {
    /// Java class.
    pub input_format: String,
    /// Java class.
    pub output_format: String,
    /// Whether mojap-metadata calls the files compressed. Athena ignores it.
    pub compressed: bool,
    /// The SerDe that reads rows.
    pub serde: Serde,
    /// Storage properties.
    pub storage_parameters: BTreeMap<String, String>,
    /// Table properties.
    pub table_parameters: BTreeMap<String, String>,
}

impl Format {
    /// Returns the format of a table whose files have these columns.
    pub(super) fn new(table: &Table, data_format: DataFormat, columns: &[&str]) -> Self {
        match (table.dialect, data_format) {
            (Dialect::Mojap, DataFormat::Csv) => {
                let serde = [("escape.delim", "\\"), ("field.delim", ",")];
                Self::text("org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe", parameters(serde))
                    .classified("csv", false)
            }
            (Dialect::EtlManager, DataFormat::Csv) => {
                let csv = parameters([("classification", "csv"), ("delimiter", ",")]);
                let serde = parameters([("field.delim", ",")]);
                let text = Self::text("org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe", serde);
                Self { storage_parameters: csv.clone(), table_parameters: csv, ..text }
            }
            (dialect, DataFormat::CsvQuotedNodate) => {
                let serde = [("escapeChar", "\\"), ("quoteChar", "\""), ("separatorChar", ","), SERIALIZATION];
                let text = Self::text("org.apache.hadoop.hive.serde2.OpenCSVSerde", parameters(serde));
                if dialect == Dialect::Mojap { text.classified("csv", false) } else { text }
            }
            (dialect, DataFormat::Json) => {
                let library = match dialect {
                    Dialect::EtlManager => "org.openx.data.jsonserde.JsonSerDe",
                    Dialect::Mojap => "org.apache.hive.hcatalog.data.JsonSerDe",
                };
                let serde = parameters([("paths", columns.join(",").as_str())]);
                Self::text(library, serde).classified("json", dialect == Dialect::EtlManager)
            }
            (dialect, DataFormat::Parquet) => {
                let parquet = Self::hive(
                    "parquet.MapredParquetInputFormat",
                    "parquet.MapredParquetOutputFormat",
                    "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
                    parameters([SERIALIZATION]),
                );
                match (dialect, table.compression) {
                    // the compression is inside the files, which are not compressed as a whole
                    (Dialect::EtlManager, _) => parquet.classified("parquet", true).compression("none"),
                    (Dialect::Mojap, ParquetCompression::Snappy) => {
                        Self { compressed: true, ..parquet.classified("parquet", true).compression("SNAPPY") }
                    }
                    (Dialect::Mojap, ParquetCompression::Zstd) => {
                        Self { compressed: true, ..parquet.classified("parquet", true).compression("ZSTD") }
                    }
                }
            }
            (_, DataFormat::Orc) => Self::hive(
                "orc.OrcInputFormat",
                "orc.OrcOutputFormat",
                "org.apache.hadoop.hive.ql.io.orc.OrcSerde",
                parameters([]),
            )
            .classified("orc", true)
            .compression("none"),
            (_, DataFormat::Avro) => {
                // each file has its schema; `glue_specific` may give another one to read it with
                let schema = parameters([("avro.schema.literal", "")]);
                let classified = parameters([("avro.schema.literal", ""), ("classification", "avro")]);
                let avro = Self::hive(
                    "avro.AvroContainerInputFormat",
                    "avro.AvroContainerOutputFormat",
                    "org.apache.hadoop.hive.serde2.avro.AvroSerDe",
                    schema,
                );
                Self { storage_parameters: classified.clone(), table_parameters: classified, ..avro }
            }
            (_, DataFormat::Regex) => {
                // a placeholder; `glue_specific` gives the real expression, with a group for each column
                let serde = parameters([("input.regex", "(.*)"), SERIALIZATION]);
                Self::text("org.apache.hadoop.hive.serde2.RegexSerDe", serde).classified("csv", false)
            }
        }
    }

    fn text(serialization_library: &str, serde: BTreeMap<String, String>) -> Self {
        Self {
            input_format: TEXT_INPUT.into(),
            output_format: TEXT_OUTPUT.into(),
            compressed: false,
            serde: Serde {
                name: String::new(),
                serialization_library: serialization_library.into(),
                parameters: serde,
            },
            storage_parameters: BTreeMap::new(),
            table_parameters: BTreeMap::new(),
        }
    }

    /// Returns one of Hive's own formats.
    fn hive(input: &str, output: &str, serialization_library: &str, serde: BTreeMap<String, String>) -> Self {
        Self {
            input_format: format!("org.apache.hadoop.hive.ql.io.{input}"),
            output_format: format!("org.apache.hadoop.hive.ql.io.{output}"),
            ..Self::text(serialization_library, serde)
        }
    }

    /// Sets the classification that Glue's own tools read, on the table and, if `of_storage`, on its storage.
    fn classified(mut self, classification: &str, of_storage: bool) -> Self {
        let classified = parameters([("classification", classification)]);
        if of_storage {
            self.storage_parameters.clone_from(&classified);
        }
        self.table_parameters = classified;
        self
    }

    fn compression(mut self, compression: &str) -> Self {
        self.storage_parameters.insert("compressionType".into(), compression.into());
        self
    }
}

const SERIALIZATION: (&str, &str) = ("serialization.format", "1");

pub(super) fn parameters<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
