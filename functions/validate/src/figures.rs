//! Figures: numbers formatted for reports and messages.

/// Returns the percentage, rounded to four decimal places.
pub(crate) fn percent(count: u64, of: u64) -> f64 {
    let percent = 100.0 * count as f64 / of.max(count).max(1) as f64;
    (percent * 10_000.0).round() / 10_000.0
}

/// `1 rule is broken`, `2 rules are broken`
pub(crate) fn broken(rules: usize) -> String {
    if rules == 1 { "1 rule is broken".into() } else { format!("{rules} rules are broken") }
}

/// `1 row`, `1,000 rows`
pub(crate) fn counted(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// `1,000`
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(counted(1, "row"), "1 row");
        assert_eq!(counted(0, "row"), "0 rows");
        assert_eq!(counted(123_456, "byte"), "123,456 bytes");
        assert_eq!(counted(1_000, "row"), "1,000 rows");
    }
}
