//! The options of a bench: `--name value`, in any order.

use crate::Fault;

/// Passes every option to `take`, which returns whether it knows the option. Returns false after printing the help for
/// `--help`.
pub fn parse(
    arguments: impl IntoIterator<Item = String>,
    help: &str,
    mut take: impl FnMut(&str, &str) -> Result<bool, Fault>,
) -> Result<bool, Fault> {
    let mut arguments = arguments.into_iter();
    while let Some(option) = arguments.next() {
        // cargo passes this option to every bench
        if option == "--bench" {
            continue;
        }
        if option == "--help" {
            print!("{help}");
            return Ok(false);
        }
        let value = arguments.next().ok_or_else(|| format!("{option}: a value is missing\n{help}"))?;
        if !take(&option, &value).map_err(|error| format!("{option} {value}: {error}"))? {
            return Err(format!("unknown option {option}\n{help}").into());
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<(bool, usize), String> {
        let mut rounds = 0;
        let go_on = parse(arguments.iter().map(|text| (*text).to_owned()), "help\n", |option, value| {
            if option == "--rounds" {
                rounds = value.parse()?;
            }
            Ok(option == "--rounds")
        });
        go_on.map(|go_on| (go_on, rounds)).map_err(|fault| fault.to_string())
    }

    #[test]
    fn options_are_named_and_wrong_ones_told() {
        assert_eq!(parsed(&["--bench", "--rounds", "3"]), Ok((true, 3)));
        assert_eq!(parsed(&["--help", "--round"]), Ok((false, 0)));
        assert_eq!(parsed(&["--rounds"]), Err("--rounds: a value is missing\nhelp\n".into()));
        assert_eq!(parsed(&["--round", "3"]), Err("unknown option --round\nhelp\n".into()));
        assert_eq!(parsed(&["--rounds", "x"]), Err("--rounds x: invalid digit found in string".into()));
    }
}
