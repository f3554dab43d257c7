//! The reference of all keys, docs/metadata.md. Its tables are generated from the JSON Schemas in docs/schema, which
//! describe each key. A test keeps the reader's own lists in line with them. `make reference` writes the page.

use crate::words::quoted;
use serde_json::Value;

/// A column type with all of its names. `p`, `s` and `n` stand for numbers, `name` for a name and `type` for a type.
pub struct TypeNames {
    /// The values that it holds.
    pub meaning: &'static str,
    /// The names in etl_manager.
    pub etl_manager: &'static [&'static str],
    /// The names in mojap-metadata.
    pub mojap: &'static [&'static str],
    /// The name in Glue and Athena.
    pub glue: &'static str,
}

const fn names(
    meaning: &'static str,
    etl_manager: &'static [&'static str],
    mojap: &'static [&'static str],
    glue: &'static str,
) -> TypeNames {
    TypeNames { meaning, etl_manager, mojap, glue }
}

/// All types, in the order of the page.
pub const TYPES: &[TypeNames] = &[
    names("text", &["character"], &["string", "utf8", "large_string", "large_utf8"], "string"),
    names("whole number of 8 bits", &[], &["int8"], "tinyint"),
    names("whole number of 16 bits", &[], &["int16", "uint8"], "smallint"),
    names("whole number of 32 bits", &["int"], &["int32", "uint16"], "int"),
    names("whole number of 64 bits", &["long"], &["int64", "uint32"], "bigint"),
    names("floating point of 32 bits", &["float"], &["float32", "float16"], "float"),
    names("floating point of 64 bits", &["double"], &["float64"], "double"),
    names(
        "number of `p` digits (at most 38), `s` of them after the point",
        &["decimal(p,s)"],
        &["decimal128(p,s)", "decimal(p,s)"],
        "decimal(p,s)",
    ),
    names("day", &["date"], &["date32", "date64"], "date"),
    names("time to the millisecond, without a zone", &["datetime"], &["timestamp(ms)", "timestamp(s)"], "timestamp"),
    names("time to the microsecond", &["timestamp(us)"], &["timestamp(us)"], "timestamp"),
    names("time to the nanosecond, 1677 to 2262", &["timestamp(ns)"], &["timestamp(ns)"], "timestamp"),
    names("true or false", &["boolean"], &["bool", "bool_"], "boolean"),
    names("bytes", &["binary"], &["binary", "binary(n)", "large_binary"], "binary"),
    names("named values", &["struct<name:type,…>"], &["struct<name:type,…>"], "struct<name:type,…>"),
    names("list", &["array<type>"], &["list<type>", "list_<type>", "large_list<type>"], "array<type>"),
];

/// Returns the page with its tables generated again. Each table is between `<!-- table: … -->` and `<!-- end -->`.
///
/// # Errors
/// Fails if a mark has no end, or names a table that does not exist.
pub fn page(page: &str, database: &Value, table: &Value) -> Result<String, String> {
    let mut made = String::with_capacity(page.len());
    let mut rest = page;
    while let Some((before, after)) = rest.split_once("<!-- table: ") {
        let (name, after) = after.split_once(" -->\n").ok_or("a mark without an end")?;
        let (_, after) = after.split_once("<!-- end -->").ok_or_else(|| format!("the table `{name}` has no end"))?;
        let rows = match name {
            "database" => keys(database),
            "table" => keys(table),
            "types" => types(),
            name => keys(table["$defs"].get(name).ok_or_else(|| format!("there is no table `{name}`"))?),
        };
        made.push_str(&format!("{before}<!-- table: {name} -->\n{rows}<!-- end -->"));
        rest = after;
    }
    made.push_str(rest);
    Ok(made)
}

/// Iterates over the keys of an object's schema.
pub fn properties(schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    schema["properties"].as_object().into_iter().flatten().map(|(name, key)| (name.as_str(), key))
}

fn keys(schema: &Value) -> String {
    let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
    let mut rows = String::from("| key | of | holds | left out | used by | says |\n|---|---|---|---|---|---|\n");
    for (name, key) in properties(schema) {
        let text = |part: &str| key[part].as_str().unwrap_or_default();
        let left_out = match (key.get("default"), text("x-default")) {
            (Some(default), _) => format!("`{default}`"),
            (None, "") if required.contains(&Value::from(name)) => "required".into(),
            (None, said) => said.to_owned(),
        };
        let (holds, of, used_by, says) = (text("x-holds"), text("x-of"), text("x-used-by"), text("description"));
        rows.push_str(&format!("| `{name}` | {of} | {holds} | {left_out} | {used_by} | {says} |\n"));
    }
    rows
}

fn types() -> String {
    let mut rows = String::from("| holds | etl_manager | mojap-metadata | Glue |\n|---|---|---|---|\n");
    for one in TYPES {
        let (etl_manager, mojap) = (quoted(one.etl_manager), quoted(one.mojap));
        rows.push_str(&format!("| {} | {etl_manager} | {mojap} | `{}` |\n", one.meaning, one.glue));
    }
    rows
}

#[cfg(test)]
mod tests;
