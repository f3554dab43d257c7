//! The size limit of answers. Step Functions holds 256 KiB of an execution's data and ends the execution without an
//! alert if there is more. An answer is for people and for the next state. Whatever it leaves out is in the manifest,
//! the reports and the log.
//! <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>

use serde_json::{Map, Value};

/// The most bytes of an answer. An execution holds three answers and its own input at the same time.
pub(crate) const MOST_BYTES: usize = 70_000;
/// The most bytes of a failure's text. Step Functions keeps 32,768 characters of the cause of a failed execution.
pub(crate) const MOST_TEXT_BYTES: usize = 14_000;

/// How much of each list and text an answer shows.
#[derive(Clone, Copy)]
struct Limits {
    /// Items of a list of strings.
    names: usize,
    /// Items of any other list.
    items: usize,
    /// Bytes of a string.
    text: usize,
}

/// Returns a small answer unchanged. In a larger one, cuts each list and each string. The number of items that list `x`
/// lacks is added beside it as `more_x`.
pub(crate) fn bounded(answer: Value) -> Value {
    if answer.to_string().len() <= MOST_BYTES {
        return answer;
    }
    let mut limits = Limits { names: 20, items: 100, text: MOST_TEXT_BYTES };
    let mut shown = shortened(answer, limits);
    while shown.to_string().len() > MOST_BYTES && limits.text > 1 {
        limits = Limits { names: limits.names / 2, items: limits.items / 2, text: limits.text / 2 };
        shown = shortened(shown, limits);
    }
    shown
}

fn shortened(value: Value, limits: Limits) -> Value {
    match value {
        Value::Object(fields) => {
            let left_out: Vec<_> = fields
                .iter()
                .filter_map(|(name, value)| {
                    let items = value.as_array()?;
                    let left_out = items.len().saturating_sub(most(items, limits));
                    (left_out > 0).then(|| (format!("more_{name}"), left_out as u64))
                })
                .collect();
            let mut shown: Map<_, _> =
                fields.into_iter().map(|(name, value)| (name, shortened(value, limits))).collect();
            for (more, left_out) in left_out {
                let before = shown.get(&more).and_then(Value::as_u64).unwrap_or(0);
                shown.insert(more, (before + left_out).into());
            }
            Value::Object(shown)
        }
        Value::Array(mut items) => {
            items.truncate(most(&items, limits));
            Value::Array(items.into_iter().map(|item| shortened(item, limits)).collect())
        }
        Value::String(text) => Value::String(cut(text, limits.text)),
        other => other,
    }
}

fn most(items: &[Value], limits: Limits) -> usize {
    if items.first().is_some_and(Value::is_string) { limits.names } else { limits.items }
}

/// Cuts a text to at most `bytes` bytes, and marks the cut with `…`.
pub(crate) fn cut(mut text: String, bytes: usize) -> String {
    if text.len() > bytes {
        text.truncate(text.floor_char_boundary(bytes.saturating_sub('…'.len_utf8())));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_small_stays_as_it_is() {
        let answer =
            json!({"run": "r", "tables": [{"table": "t", "partitions": ["a=1", "a=2"]}], "rows": 3, "none": null});
        assert_eq!(bounded(answer.clone()), answer);
    }

    #[test]
    fn many_names_are_counted() {
        let names = |many: usize| (0..many).map(|n| format!("date=2026-11-23/shop={n:060}")).collect::<Vec<_>>();
        let small = json!({"tables": [{"partitions": names(50)}]});
        assert_eq!(bounded(small.clone()), small);
        let answer = bounded(json!({"tables": [{"partitions": names(5_000)}]}));
        assert_eq!(answer["tables"][0]["partitions"].as_array().unwrap().len(), 20);
        assert_eq!(answer["tables"][0]["more_partitions"], 4_980);
    }

    #[test]
    fn nothing_is_too_large_however_it_is_made() {
        let names: Vec<String> = (0..10_000).map(|n| format!("date=2026-11-23/shop={n:060}")).collect();
        let table =
            |n: usize| json!({"table": format!("t{n}"), "partitions": names, "message": "\n\u{1}é".repeat(50_000)});
        let tables: Vec<_> = (0..300).map(table).collect();
        let answer = json!({"run": "r", "tables": tables, "failure": {"Cause": "x".repeat(1 << 20)}, "names": names});
        let shown = bounded(answer);
        assert!(shown.to_string().len() <= MOST_BYTES, "{}", shown.to_string().len());
        assert_eq!(shown["run"], "r");
        let told = shown["tables"].as_array().unwrap().len() as u64;
        assert_eq!(shown["more_tables"].as_u64().unwrap() + told, 300);
        let told = shown["names"].as_array().unwrap().len() as u64;
        assert_eq!(shown["more_names"].as_u64().unwrap() + told, 10_000);
    }
}
