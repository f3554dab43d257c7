use contract::Dialect;

use super::*;

fn described(texts: &[&str]) -> Described {
    let mut profile = Profile::new(false);
    texts.iter().for_each(|text| profile.see((!text.is_empty()).then_some(*text)));
    profile.conclude()
}

#[test]
fn texts_are_what_all_of_them_are() {
    for (texts, expected) in [
        (&["1", "2", ""][..], "int"),
        (&["1", "NA", "-"], "int null NA -"),
        (&["1", "x"], "character"),
        (&["NA", "NA"], "character"),
        (&["NA", "x"], "character"),
        (&["007", "1"], "character"),
        (&["1.5", "2"], "double"),
        (&["1.234,50", "0,5"], "double , ."),
        (&["1,5", "2,25"], "double ,"),
        // either in thousands, or with a fraction
        (&["1,234"], "character"),
        (&["1,234", "1,234,567"], "int . ,"),
        (&["1,234.5", "12"], "double . ,"),
        (&["£1.50", "-£2.00"], "double bare"),
        (&["5 %", "7 %"], "int bare"),
        (&["£5", "€6"], "character"),
        (&["50%", "0.5"], "character"),
        (&["INV1001", "ABC1001"], "character"),
        (&["EUR 5", "EUR 7"], "int bare"),
        (&["12e45", "1234567"], "character"),
        (&["1e45", "1e3"], "double"),
        (&["1e3", "1012.3"], "double"),
        (&["true", "FALSE"], "boolean"),
        (&["Y", "N", "Y"], "boolean Y N"),
        (&["Y", "Y"], "character"),
        (&["2024-02-29"], "date"),
        (&["2024-02-29 10:00:00", "2024-02-29T10:00:00.123456"], "timestamp(us)"),
        (&["2024-02-29T10:00:00Z"], "datetime iso8601"),
        (&["2024-02-29 10:00"], "datetime %Y-%m-%d %H:%M"),
        (&["29.02.2024", "01.03.2024"], "date %d.%m.%Y"),
        (&["29/02/2024 10:30"], "datetime %d/%m/%Y %H:%M"),
        (&["02/29/2024", "03/01/2024", "n/a"], "date %m/%d/%Y null n/a"),
        (&["29 Feb 2024"], "date %d %b %Y"),
        (&["", ""], "character"),
    ] {
        let found = described(texts);
        let mut shown = vec![found.column_type.name(Dialect::EtlManager)];
        shown.extend(found.datetime_format.clone());
        let written = &found.written;
        if written.decimal != '.' || written.group.is_some() {
            shown.push(written.decimal.to_string());
            shown.extend(written.group.map(String::from));
        }
        if !written.bare_number {
            shown.push("bare".into());
        }
        shown.extend(written.true_values.iter().chain(&written.false_values).cloned());
        if !written.null_values.is_empty() {
            let mut nulls = written.null_values.clone();
            nulls.sort_by_key(|null| null == "-");
            shown.extend([vec!["null".to_owned()], nulls].concat());
        }
        assert_eq!(shown.join(" "), expected, "{texts:?} {found:?}");
    }
    let mut profile = Profile::new(false);
    ["1.200", "3.500"].iter().for_each(|text| profile.see(Some(text)));
    let among = |decimal| profile.conclude_among(decimal).column_type.name(Dialect::EtlManager);
    assert_eq!([among(None), among(Some(None)), among(Some(Some(',')))], ["double", "character", "int"]);
    let found = described(&["01/02/2024", "03/04/2024"]);
    assert_eq!((found.column_type, found.ambiguous.len()), (ColumnType::String, 2), "{:?}", found.ambiguous);
    let found = described(&["a", "b", "a", ""]);
    assert_eq!((found.distinct.unwrap(), found.unique), (vec!["a".to_owned(), "b".into()], false));
    let found = described(&["AB-0001", "CD-0002"]);
    assert_eq!((found.pattern.as_deref(), found.unique), (Some("^[A-Z]{2}-[0-9]{4}$"), true));
    assert!(described(&["1", "2"]).not_negative && !described(&["1", "-2"]).not_negative);
}
