//! Step Functions and SNS, as far as rebuilds and notifications need them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Account;
use crate::http::{Reply, Request};

/// Returns a field of an URL-encoded form.
fn field(body: &[u8], name: &str) -> Option<String> {
    let form = std::str::from_utf8(body).ok()?;
    let found = form.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    contract::key::decode_event_key(found).ok()
}

/// Returns the step of a request to another service than S3.
pub(crate) fn step(request: &Request) -> String {
    if field(&request.body, "Action").as_deref() == Some("Publish") {
        return format!("publish {}", field(&request.body, "Subject").unwrap_or_default());
    }
    let asked: serde_json::Value = serde_json::from_slice(&request.body).expect("JSON");
    if let Some(execution) = asked["executionArn"].as_str() {
        return format!("describe {execution}");
    }
    format!("start {}", asked["name"].as_str().expect("a name"))
}

impl Account {
    pub(crate) fn serve(&mut self, request: &Request) -> Reply {
        if field(&request.body, "Action").as_deref() == Some("Publish") {
            return self.publish(&request.body);
        }
        let asked: serde_json::Value = serde_json::from_slice(&request.body).expect("JSON");
        match asked["executionArn"].as_str() {
            Some(execution) => self.describe(execution),
            None => self.start(&asked),
        }
    }

    /// Describes an execution, which runs until a test closes it.
    fn describe(&mut self, execution: &str) -> Reply {
        let name = execution.rsplit(':').next().expect("a name");
        if !self.executions.contains_key(name) {
            let body =
                r#"{"__type":"com.amazonaws.swf.service.v2.model#ExecutionDoesNotExist","message":"it does not"}"#;
            return Reply { body: body.into(), ..Reply::empty(400) };
        }
        let status = if self.closed.iter().any(|closed| closed == name) { "SUCCEEDED" } else { "RUNNING" };
        let body =
            format!(r#"{{"executionArn":"{execution}","stateMachineArn":"m","status":"{status}","startDate":0}}"#);
        Reply { body: body.into(), ..Reply::empty(200) }.header("content-type", "application/x-amz-json-1.0")
    }

    fn start(&mut self, asked: &serde_json::Value) -> Reply {
        let (name, input) = (asked["name"].as_str().expect("a name"), asked["input"].as_str().expect("an input"));
        if self.closed.iter().any(|closed| closed == name) || self.executions.get(name).is_some_and(|i| i != input) {
            let body = r#"{"__type":"com.amazonaws.swf.service.v2.model#ExecutionAlreadyExists","message":"it does"}"#;
            return Reply { body: body.into(), ..Reply::empty(400) };
        }
        self.done.push(format!("start {name}"));
        self.executions.insert(name.into(), input.into());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        let body = format!(r#"{{"executionArn":"arn:aws:states:eu-west-2:1:execution:m:{name}","startDate":{now}}}"#);
        Reply { body: body.into(), ..Reply::empty(200) }.header("content-type", "application/x-amz-json-1.0")
    }

    fn publish(&mut self, body: &[u8]) -> Reply {
        let (subject, text) = (field(body, "Subject"), field(body, "Message"));
        let (subject, text) = (subject.expect("a subject"), text.expect("a message"));
        self.done.push(format!("publish {subject}"));
        self.messages.push((subject, text));
        Reply::xml("PublishResponse", "<PublishResult><MessageId>m</MessageId></PublishResult>")
    }
}
