//! Metrics in CloudWatch's embedded metric format. A JSON line on standard output becomes metrics without an API call.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

/// The namespace of all metrics.
pub const NAMESPACE: &str = "Landfall";

static FUNCTION: OnceLock<String> = OnceLock::new();

/// The unit of a metric, as CloudWatch names it.
#[derive(Clone, Copy, Debug)]
pub enum Unit {
    /// A plain count.
    Count,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
    /// A count per second.
    CountPerSecond,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Bytes => "Bytes",
            Self::Seconds => "Seconds",
            Self::CountPerSecond => "Count/Second",
        }
    }
}

pub(crate) fn name_function(name: String) {
    let _ = FUNCTION.set(name);
}

/// Emits metrics with the function as dimension. If there is a table, also emits them per function and table.
pub fn emit(table: Option<&str>, metrics: &[(&str, Unit, f64)]) {
    let function = FUNCTION.get().map_or("", String::as_str);
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    println!("{}", line(function, table, time.as_millis() as u64, metrics));
}

fn line(function: &str, table: Option<&str>, millis: u64, metrics: &[(&str, Unit, f64)]) -> Value {
    let mut dimensions = vec![json!(["Function"])];
    let mut fields = Map::new();
    fields.insert("Function".into(), function.into());
    if let Some(table) = table {
        dimensions.push(json!(["Function", "Table"]));
        fields.insert("Table".into(), table.into());
    }
    let mut definitions = Vec::with_capacity(metrics.len());
    for (name, unit, value) in metrics {
        definitions.push(json!({"Name": name, "Unit": unit.name()}));
        fields.insert((*name).into(), json!(value));
    }
    let directive = json!({"Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": definitions});
    fields.insert("_aws".into(), json!({"Timestamp": millis, "CloudWatchMetrics": [directive]}));
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_declares_what_it_holds() {
        let line = line("s-validate", Some("t"), 7, &[("RowsRead", Unit::Count, 10.0)]);
        assert_eq!(line["RowsRead"], 10.0);
        assert_eq!(line["_aws"]["Timestamp"], 7);
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Dimensions"], json!([["Function"], ["Function", "Table"]]));
        assert_eq!(directive["Metrics"], json!([{"Name": "RowsRead", "Unit": "Count"}]));
    }
}
