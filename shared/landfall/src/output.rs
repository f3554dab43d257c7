//! What is said, and how the command ends.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

/// How the command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All is well.
    Well,
    /// A file does not pass, a table is not built, the metadata is wrong.
    NotWell,
    /// The command is wrong, or could not be carried out.
    Cannot,
}

impl End {
    /// Well, or not.
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

/// Prints an answer. Whoever has closed the pipe has seen enough of it.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

/// Prints what is known of a file or a table, its first line green or red.
pub(crate) fn print_verdict(text: &str, well: bool) -> io::Result<()> {
    let style = if well { GREEN } else { RED };
    let (first, rest) =
        text.split_once('\n').map_or((text, String::new()), |(first, rest)| (first, format!("\n{rest}")));
    print(&format!("{style}{first}{style:#}{rest}"))
}

/// Says what is wrong.
pub(crate) fn complain(what: impl Display) {
    anstream::eprintln!("{RED}error{RED:#}: {what}");
}

/// Says what may be wrong.
pub(crate) fn warn(what: impl Display) {
    anstream::eprintln!("{YELLOW}warning{YELLOW:#}: {what}");
}
