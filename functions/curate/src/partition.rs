//! The partitions of a table: which rows belong to each, and how Glue and the keys spell their values.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use contract::{Failure, NULL_PARTITION};

/// Splits a batch into the rows of each partition, without the partition columns. These come last, after `data` other
/// columns. The rows of a partition keep their order.
pub(crate) fn split(table: &str, batch: &RecordBatch, data: usize) -> Result<Vec<(Vec<String>, RecordBatch)>, Failure> {
    let rows = batch.project(&(0..data).collect::<Vec<_>>()).map_err(Failure::internal)?;
    let columns = &batch.columns()[data..];
    let schema = batch.schema();
    let names = schema.fields().iter().skip(data).map(|field| field.name());
    for (column, name) in columns.iter().zip(names) {
        if !rows::is_in_range(column) {
            return Err(Failure::bad_data(format!(
                "table `{table}`, partition column `{name}`: a value outside of the years 1 to 9999, for which no \
                 partition can be made"
            )));
        }
    }
    let texts: Vec<Vec<String>> = columns.iter().map(texts).collect::<Result<_, _>>()?;
    let mut groups: BTreeMap<Vec<&str>, Vec<u64>> = BTreeMap::new();
    for row in 0..batch.num_rows() {
        let values = texts.iter().map(|column| column[row].as_str()).collect();
        groups.entry(values).or_default().push(row as u64);
    }
    let all = groups.len() == 1;
    let parts = groups.into_iter().map(|(values, numbers)| {
        let rows = if all { Ok(rows.clone()) } else { take_record_batch(&rows, &UInt64Array::from(numbers)) };
        Ok((values.into_iter().map(str::to_owned).collect(), rows.map_err(Failure::internal)?))
    });
    parts.collect()
}

/// Returns the values of a partition column as Glue holds them.
fn texts(column: &ArrayRef) -> Result<Vec<String>, Failure> {
    let options = FormatOptions::default().with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"));
    let formatter = ArrayFormatter::try_new(column, &options).map_err(Failure::internal)?;
    // Hive has no folder for an empty text and takes it for null
    let is_time = matches!(column.data_type(), DataType::Timestamp(..));
    let text = |row| {
        let text = match column.data_type() {
            _ if column.is_null(row) => String::new(),
            // with every digit of its scale
            DataType::Decimal128(..) => rows::shown_value(column, row),
            _ => formatter.value(row).to_string(),
        };
        match text.as_str() {
            "" => NULL_PARTITION.to_owned(),
            // as Java writes it, without zeros at the end of a fraction
            time if is_time && time.contains('.') => time.trim_end_matches('0').trim_end_matches('.').to_owned(),
            _ => text,
        }
    };
    Ok((0..column.len()).map(text).collect())
}

/// Returns a partition's folder, `a=1/b=2/`, with its values escaped as Hive escapes them.
pub(crate) fn folder(names: &[String], values: &[String]) -> String {
    names.iter().zip(values).map(|(name, value)| format!("{name}={}/", escape(value))).collect()
}

/// Returns the values of a partition from its folder, `a=1/b=2/`.
pub(crate) fn values(folder: &str) -> Vec<String> {
    let parts = folder.trim_end_matches('/').split('/');
    parts.map(|part| unescape(part.split_once('=').map_or(part, |(_, value)| value))).collect()
}

/// Reverses [`escape`].
fn unescape(text: &str) -> String {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            // only ASCII characters are escaped
            Some(escaped) => out.extend([char::from(escaped).to_string().as_str(), &part[2..]]),
            None => out.extend(["%", part]),
        }
    }
    out
}

/// Escapes a partition value for a path as Hive does: the characters of `FileUtils.charToEscape` become `%XX`.
/// <https://github.com/apache/hive/blob/master/common/src/java/org/apache/hadoop/hive/common/FileUtils.java>
fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '"'
            | '#'
            | '%'
            | '\''
            | '*'
            | '/'
            | ':'
            | '='
            | '?'
            | '\\'
            | '\x7f'
            | '{'
            | '['
            | ']'
            | '^'
            | '\x00'..='\x1f' => {
                out.push_str(&format!("%{:02X}", c as u32));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int32Array, StringArray};

    use super::*;

    #[test]
    fn folders_are_escaped_as_hive_does_it() {
        let names = ["a".to_owned(), "b".to_owned()];
        let values = ["2018-01-01 00:00:00".to_owned(), "x/y=é 100%".to_owned()];
        assert_eq!(folder(&names, &values), "a=2018-01-01 00%3A00%3A00/b=x%2Fy%3Dé 100%25/");
        assert_eq!(super::values(&folder(&names, &values)), values);
        // charToEscape begins at 0
        let control: String = (0..=0x20).chain([0x7e, 0x7f]).filter_map(char::from_u32).collect();
        let escaped: String = (0..0x20).map(|byte| format!("%{byte:02X}")).collect();
        assert_eq!(folder(&names[..1], &[control]), format!("a={escaped} ~%7F/"));
    }

    #[test]
    fn rows_are_split_by_all_partition_columns_and_keep_their_order() {
        let n: ArrayRef = Arc::new(Int32Array::from(vec![0, 1, 2, 3, 4]));
        let text: ArrayRef = Arc::new(StringArray::from(vec![Some("b"), None, Some("b"), Some(""), Some("a")]));
        let day: ArrayRef = Arc::new(Int32Array::from(vec![1, 1, 1, 1, 2]));
        let batch = RecordBatch::try_from_iter([("n", n), ("text", text), ("day", day)]).unwrap();
        let parts: Vec<_> = split("t", &batch, 1)
            .unwrap()
            .into_iter()
            .map(|(values, rows)| {
                (values.join(" "), format!("{:?}", rows.column(0).to_data().buffers()[0].typed_data::<i32>()))
            })
            .collect();
        let expected = [(format!("{NULL_PARTITION} 1"), "[1, 3]"), ("a 2".into(), "[4]"), ("b 1".into(), "[0, 2]")];
        assert_eq!(parts, expected.map(|(values, rows)| (values, rows.to_owned())));
    }
}
