//! Rewrites `LIKE '…' ESCAPE '!'` with the backslash, the escape character that the engine knows.

use datafusion::sql::sqlparser::ast::{Expr, Value};

/// Rewrites the pattern of a LIKE. The error says which ESCAPE cannot be rewritten.
pub(super) fn mend(expression: &mut Expr) -> Result<(), String> {
    let (Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. }) = expression else {
        return Ok(());
    };
    let Some(escape) = escape_char.as_ref() else { return Ok(()) };
    let escape = match &escape.value {
        Value::SingleQuotedString(escape) => escape.as_str(),
        _ => "",
    };
    let mut characters = escape.chars();
    let (Some(escape), None) = (characters.next(), characters.next()) else {
        return Err("ESCAPE has one character: LIKE '10!%' ESCAPE '!'".into());
    };
    if escape != '\\' {
        let Expr::Value(value) = pattern.as_mut() else {
            return Err(format!(
                "ESCAPE '{escape}' has a pattern that is a literal here; leave it out, and escape with \\"
            ));
        };
        let Value::SingleQuotedString(text) = &mut value.value else {
            return Err(format!(
                "ESCAPE '{escape}' has a pattern that is a literal here; leave it out, and escape with \\"
            ));
        };
        *text = with_backslashes(text, escape)?;
    }
    *escape_char = None;
    Ok(())
}

fn with_backslashes(pattern: &str, escape: char) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len() + 4);
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            character if character == escape => {
                let Some(escaped) = characters.next().filter(|next| *next == escape || "%_".contains(*next)) else {
                    return Err(format!(
                        "in LIKE '{pattern}' ESCAPE '{escape}', `{escape}` stands before %, _ or itself"
                    ));
                };
                if "%_\\".contains(escaped) {
                    out.push('\\');
                }
                out.push(escaped);
            }
            '\\' => out.push_str("\\\\"),
            character => out.push(character),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::with_backslashes;

    #[test]
    fn patterns_mean_the_same_with_backslashes() {
        for (pattern, means) in
            [("a!_b!%c", "a\\_b\\%c"), ("!!%", "!%"), ("a\\b%", "a\\\\b%"), ("", ""), ("%!_%", "%\\_%")]
        {
            assert_eq!(with_backslashes(pattern, '!').as_deref(), Ok(means), "{pattern}");
        }
        for pattern in ["a!", "a!b"] {
            assert!(with_backslashes(pattern, '!').is_err(), "{pattern}");
        }
    }
}
