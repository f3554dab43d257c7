//! The output and the exit status of a command.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

/// The outcome of a command, which decides the exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All is well.
    Well,
    /// A file does not pass, a table is not built, or the metadata is wrong.
    NotWell,
    /// The command is wrong or cannot be carried out.
    Cannot,
}

impl End {
    pub fn of(well: bool) -> Self {
        if well { Self::Well } else { Self::NotWell }
    }
}

impl From<End> for ExitCode {
    fn from(end: End) -> Self {
        Self::from(match end {
            End::Well => 0,
            End::NotWell => 1,
            End::Cannot => 2,
        })
    }
}

const RED: Style = AnsiColor::Red.on_default().bold();
const GREEN: Style = AnsiColor::Green.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();

/// Prints an answer. A closed pipe is not an error: the reader has seen enough.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

/// Prints the verdict on a file or a table, with its first line in green or red.
pub(crate) fn print_verdict(text: &str, well: bool) -> io::Result<()> {
    let style = if well { GREEN } else { RED };
    let (first, rest) =
        text.split_once('\n').map_or((text, String::new()), |(first, rest)| (first, format!("\n{rest}")));
    print(&format!("{style}{first}{style:#}{rest}"))
}

/// Prints an error to standard error.
pub(crate) fn complain(what: impl Display) {
    anstream::eprintln!("{RED}error{RED:#}: {what}");
}

/// Prints a warning to standard error.
pub(crate) fn warn(what: impl Display) {
    anstream::eprintln!("{YELLOW}warning{YELLOW:#}: {what}");
}
