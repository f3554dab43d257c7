//! Alerts: one message about all files of an invocation that did not pass, sent to the stack's alerts topic.
//!
//! The report is the record, and the message a courtesy: a message that cannot be sent does not stop a file. It is sent
//! before the files leave land, so that a process that dies in between sends it again rather than never. A reader may
//! therefore see a file twice, with the same report.

use contract::plural;
use std::time::Duration;

use aws_sdk_sns::Client;
use boot::metrics::{self, Unit};
use contract::alert::{Rejected, describe};
use contract::message::{ValidatedFile, Verdict};

/// The sending of a message is given up after this time.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The alerts topic.
#[derive(Clone, Debug)]
pub(crate) struct Notify {
    client: Client,
    topic: String,
}

impl Notify {
    /// Sends messages to the topic with this ARN.
    pub(crate) fn new(client: Client, topic: String) -> Self {
        Self { client, topic }
    }

    /// Sends a message if any of the files did not pass.
    pub(crate) async fn publish(&self, files: &[ValidatedFile]) {
        let Some((subject, message)) = message(files) else { return };
        let publish = self.client.publish().topic_arn(&self.topic).subject(subject).message(message).send();
        let reason = match tokio::time::timeout(TIMEOUT, publish).await {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => boot::aws::failure(&error).message,
            Err(_) => "the service did not answer in time".to_owned(),
        };
        tracing::error!(topic = self.topic, reason, "message about rejected files not sent, their reports are written");
        metrics::emit(None, &[("MessagesNotSent", Unit::Count, 1.0)]);
    }
}

/// Returns subject and text; `None` if every file passed.
fn message(files: &[ValidatedFile]) -> Option<(String, String)> {
    let rejected: Vec<&ValidatedFile> =
        files.iter().filter(|file| matches!(file.verdict, Verdict::Quarantined | Verdict::Failed)).collect();
    let quarantined = rejected.iter().filter(|file| file.verdict == Verdict::Quarantined).count();
    let files = |number: usize| plural(number, "file");
    // SNS accepts up to 100 ASCII characters
    let subject = match (quarantined, rejected.len() - quarantined) {
        (0, 0) => return None,
        (0, failed) => format!("Landfall: {} in land did not pass, all of the request stay there", files(failed)),
        (quarantined, _) => format!("Landfall: {} quarantined", files(quarantined)),
    };
    let described = rejected.iter().map(|file| Rejected {
        key: &file.key,
        summary: &file.summary,
        report: file.report.as_deref().unwrap_or_default(),
    });
    let mut text = describe(described);
    text.push_str(
        "To repair: change the file, or the table's metadata if the source has changed, and land it again.\n",
    );
    Some((subject, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(n: usize, verdict: Verdict) -> ValidatedFile {
        ValidatedFile {
            key: format!("base/é/t_{n}.jsonl"),
            verdict,
            rows: 1,
            bytes: 1,
            summary: "é".repeat(10_000),
            filed_at: None,
            report: Some(format!("s3://reports/{n}.json")),
        }
    }

    #[test]
    fn one_message_is_within_what_sns_takes() {
        use Verdict::{AlreadyHandled, Failed, Held, Ignored, Passed, Quarantined};
        assert_eq!(message(&[Passed, AlreadyHandled, Ignored, Held].map(|verdict| file(0, verdict))), None);
        for (verdict, most) in [(Quarantined, 10_000), (Failed, 10_000), (Quarantined, 1)] {
            let files: Vec<_> = (0..most).map(|n| file(n, verdict)).collect();
            let (subject, text) = message(&files).unwrap();
            assert!(subject.is_ascii() && subject.len() <= 100, "{subject}");
            assert!(text.len() < 256 << 10 && text.contains("s3://reports/0.json"));
            assert_eq!(text.contains("And 9990 files more:"), most > 1);
        }
        let (subject, text) = message(&[file(0, Passed), file(1, Quarantined)]).unwrap();
        assert_eq!(subject, "Landfall: 1 file quarantined");
        assert!(!text.contains("t_0") && text.contains("…"));
    }
}
