//! Substitutes values for `${name}` in SQL. Comments stay as they are, and so does `${1}`, which is a group of a
//! regular expression.

use std::collections::BTreeMap;

/// Returns the SQL with the values substituted. The error names the line.
pub(crate) fn fill(sql: &str, values: &BTreeMap<&'static str, String>) -> Result<String, String> {
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(next) = rest.chars().next() {
        let part = part(rest).unwrap_or(next.len_utf8());
        let (this, after) = rest.split_at(part);
        rest = after;
        if this.starts_with("--") || this.starts_with("/*") {
            out.push_str(this);
        } else {
            put_in(this, values, &mut out).map_err(|message| {
                let line = 1 + sql[..sql.len() - rest.len() - this.len()].matches('\n').count();
                format!("line {line}: {message}")
            })?;
        }
    }
    Ok(out)
}

/// Returns the length of the comment or quoted text at the start of the SQL, or else of the text before the next one.
fn part(sql: &str) -> Option<usize> {
    if sql.starts_with("--") {
        return Some(sql.find('\n').unwrap_or(sql.len()));
    }
    if sql.starts_with("/*") {
        return Some(comment(sql));
    }
    let quote = sql.chars().next()?;
    if "'\"`".contains(quote) {
        return Some(sql[1..].find(quote).map_or(sql.len(), |end| end + 2));
    }
    let begins =
        |(at, c): (usize, char)| "'\"`".contains(c) || sql[at..].starts_with("--") || sql[at..].starts_with("/*");
    Some(sql.char_indices().skip(1).find(|found| begins(*found)).map_or(sql.len(), |(at, _)| at))
}

/// Returns the length of the comment at the start of the SQL. It may contain other comments.
fn comment(sql: &str) -> usize {
    let (mut at, mut depth) = (2, 1);
    while depth > 0 {
        let rest = &sql[at..];
        let (step, deeper) = match (rest.find("/*"), rest.find("*/")) {
            (Some(begin), Some(end)) if begin < end => (begin, 1),
            (_, Some(end)) => (end, -1),
            (_, None) => return sql.len(),
        };
        at += step + 2;
        depth += deeper;
    }
    at
}

fn put_in(sql: &str, values: &BTreeMap<&'static str, String>, out: &mut String) -> Result<(), String> {
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let inside = after.trim_start();
        let name = &inside[..inside.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(inside.len())];
        let closed = inside[name.len()..].trim_start().strip_prefix('}');
        let group = !name.is_empty() && name.chars().all(|c| c.is_ascii_digit());
        match (values.get(name), closed) {
            (Some(value), Some(after)) if after.len() + name.len() + 1 == rest.len() - before.len() - 2 => {
                out.push_str(value);
                rest = after;
            }
            // without a name, or with a number, it is not a variable
            _ if group || name.is_empty() => {
                out.push_str("${");
                rest = after;
            }
            (_, None) => return Err(format!("`${{{name}` without `}}`")),
            _ => return Err(format!("`${{{name}}}` is unknown; there are {}", there_are(values))),
        }
    }
    out.push_str(rest);
    Ok(())
}

fn there_are(values: &BTreeMap<&'static str, String>) -> String {
    values.keys().map(|name| format!("`${{{name}}}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(sql: &str) -> Result<String, String> {
        fill(sql, &BTreeMap::from([("a", "1".to_owned()), ("run_b", "2".to_owned())]))
    }

    #[test]
    fn known_names_are_put_in_wherever_they_are_but_in_comments() {
        for (sql, expected) in [
            ("SELECT '${a}', ${run_b}, \"${a}\", x${a}${a}", "SELECT '1', 2, \"1\", x11"),
            ("SELECT 1 -- ${5} ${nobody} ${\n, ${a} /* ${nobody} /* ' */ ${b} */ - '--${a}'", ""),
            ("SELECT regexp_replace(s, '[${]', '${1}g'), '$', '${', '${}', '$a', '${-}'", "="),
            ("SELECT 'it''s -- ${a}', '/*', ${a}, '*/'", "SELECT 'it''s -- 1', '/*', 1, '*/'"),
            ("SELECT 'Môn ${a}' AS ô -- ${ô", "SELECT 'Môn 1' AS ô -- ${ô"),
            ("-- ${a}", "="),
            ("/* ${a}", "="),
            ("'${a}", "'1"),
        ] {
            let expected = match expected {
                "" => "SELECT 1 -- ${5} ${nobody} ${\n, 1 /* ${nobody} /* ' */ ${b} */ - '--1'",
                "=" => sql,
                expected => expected,
            };
            assert_eq!(filled(sql).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn other_names_are_refused() {
        for (sql, expected) in [
            ("SELECT\n '${version}'", "line 2: `${version}` is unknown; there are `${a}`, `${run_b}`"),
            ("SELECT ${ a }", "line 1: `${a}` is unknown; there are `${a}`, `${run_b}`"),
            ("SELECT\n\n'${a'", "line 3: `${a` without `}`"),
            ("SELECT ${A}", "line 1: `${A}` is unknown; there are `${a}`, `${run_b}`"),
        ] {
            assert_eq!(filled(sql), Err(expected.to_owned()));
        }
    }
}
