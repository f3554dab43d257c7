//! Progress of a command that takes a while: a bar with a clock on a terminal, otherwise a line every ten seconds.
//! Nothing is printed in the first two seconds.

use std::io::IsTerminal;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const SILENT: Duration = Duration::from_secs(2);
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Reports progress until it is dropped.
pub(crate) struct Progress {
    end: Option<Sender<()>>,
    telling: Option<JoinHandle<()>>,
}

impl Progress {
    /// Reports the activity `doing`. `far` returns the bytes done and the total, if they are known.
    pub(crate) fn new(doing: String, far: impl Fn() -> Option<(u64, u64)> + Send + 'static) -> Self {
        let (end, ended) = channel();
        let telling = thread::spawn(move || {
            let started = Instant::now();
            let still = |pause| matches!(ended.recv_timeout(pause), Err(RecvTimeoutError::Timeout));
            if !still(SILENT) {
                return;
            }
            if std::io::stderr().is_terminal() {
                let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
                bar.set_message(doing);
                while still(Duration::from_millis(100)) {
                    match far() {
                        Some((done, all)) if all > 0 => {
                            bar.set_length(all);
                            bar.set_style(style("{msg} {wide_bar} {bytes}/{total_bytes} {elapsed}"));
                            bar.set_position(done);
                        }
                        _ => {
                            bar.set_style(style("{msg} {spinner} {elapsed}"));
                            bar.tick();
                        }
                    }
                }
                bar.finish_and_clear();
            } else {
                while still(BETWEEN_LINES) {
                    let seconds = started.elapsed().as_secs();
                    let part = far().filter(|(_, all)| *all > 0).map(|(done, all)| format!(", {} %", 100 * done / all));
                    anstream::eprintln!("{doing}: {seconds} s{}", part.unwrap_or_default());
                }
            }
        });
        Self { end: Some(end), telling: Some(telling) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(telling) = self.telling.take() {
            // a panic of the reporting thread does not matter
            let _ = telling.join();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
