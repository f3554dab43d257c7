//! The events that validate handles: an S3 event that names objects, or a manual request for everything under a prefix.
//!
//! S3 delivers events at least once and in any order. It tests a new notification with an event that has no records.
//! Records are parsed one by one, so that an invalid one does not stop the others.

use aws_lambda_events::event::s3::S3Entity;
use contract::message::ValidateRequest;
use contract::{Failure, key};
use serde::Deserialize;
use serde_json::Value;

/// The request in an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// To handle these objects.
    Objects(Vec<Record>),
    /// To handle the files in land, or those under a prefix.
    Sweep(ValidateRequest),
    /// Nothing: S3 tested the notification.
    Test,
}

/// One record of an S3 event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// An object was created.
    Created(Notice),
    /// It does not name an object that can be handled.
    Unusable {
        /// The key, not decoded; empty if unknown.
        key: String,
        /// The reason.
        reason: String,
    },
}

/// An object as an event or a listing names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    /// The decoded key.
    pub key: String,
    /// Absent if the bucket has no versions, and in listings.
    pub version_id: Option<String>,
    /// Entity tag without quotes; S3 leaves it out of some events.
    pub etag: Option<String>,
}

impl Event {
    /// Parses the payload of an invocation. `land` is the only bucket whose objects are handled.
    pub(crate) fn read(payload: Value, land: &str) -> Result<Self, Failure> {
        if let Some(records) = payload.get("Records") {
            let records = records.as_array().ok_or_else(|| Failure::bad_input("the event: `Records` is not a list"))?;
            return Ok(Self::Objects(records.iter().map(|record| Record::read(record, land)).collect()));
        }
        if payload.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
            return Ok(Self::Test);
        }
        serde_json::from_value(payload).map(Self::Sweep).map_err(|error| {
            Failure::bad_input(format!("the event: {error}; expected an S3 event, {{\"prefix\": \"…\"}} or {{}}"))
        })
    }
}

impl Record {
    fn read(record: &Value, land: &str) -> Self {
        let raw_key = record.pointer("/s3/object/key").and_then(Value::as_str).unwrap_or_default().to_owned();
        let unusable = |reason: String| Self::Unusable { key: raw_key.clone(), reason };
        // only the part that names the object: records that are replayed by hand often lack the rest
        let S3Entity { bucket, object, .. } = match record.get("s3").map(S3Entity::deserialize) {
            Some(Ok(entity)) => entity,
            Some(Err(error)) => return unusable(format!("the record is not one of S3: {error}")),
            None => return unusable("the record is not one of S3: missing field `s3`".into()),
        };
        let event_name = record.get("eventName").and_then(Value::as_str).unwrap_or_default();
        if !event_name.strip_prefix("s3:").unwrap_or(event_name).starts_with("ObjectCreated:") {
            return unusable(format!("`{event_name}` is not an ObjectCreated event"));
        }
        let bucket = bucket.name.unwrap_or_default();
        if bucket != land {
            return unusable(format!("the object is in bucket `{bucket}`, not in `{land}`"));
        }
        if raw_key.is_empty() {
            return unusable("the record names no key".into());
        }
        match key::decode_event_key(&raw_key) {
            Ok(key) => Self::Created(Notice {
                key,
                version_id: object.version_id.filter(|id| !id.is_empty() && id != "null"),
                etag: object.e_tag.map(|etag| etag.trim_matches('"').to_owned()).filter(|etag| !etag.is_empty()),
            }),
            Err(error) => unusable(format!("the key cannot be decoded: {}", error.reason)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(name: &str, bucket: &str, key: &str) -> Value {
        json!({"eventName": name, "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": 1, "eTag": "e"}}})
    }

    fn unusable(record: &Value) -> String {
        match Record::read(record, "land") {
            Record::Unusable { reason, .. } => reason,
            Record::Created(notice) => panic!("{notice:?}"),
        }
    }

    #[test]
    fn records_name_one_version_of_one_key() {
        let mut s3 = record("ObjectCreated:Put", "land", "b/t/file_land_timestamp%3D1/a+b%2B_1.jsonl.gz");
        s3["s3"]["object"]["versionId"] = "v1".into();
        let event = Event::read(json!({"Records": [s3]}), "land").unwrap();
        let key = "b/t/file_land_timestamp=1/a b+_1.jsonl.gz".to_owned();
        let notice = Notice { key, version_id: Some("v1".into()), etag: Some("e".into()) };
        assert_eq!(event, Event::Objects(vec![Record::Created(notice)]));
    }

    #[test]
    fn one_unusable_record_leaves_the_others() {
        let records = [record("ObjectCreated:Put", "land", "%zz"), record("ObjectCreated:Copy", "land", "k")];
        let Event::Objects(records) = Event::read(json!({"Records": records}), "land").unwrap() else { panic!() };
        assert!(matches!(&records[0], Record::Unusable { key, .. } if key == "%zz"));
        assert!(matches!(&records[1], Record::Created(notice) if notice.key == "k"));

        assert!(unusable(&record("ObjectRemoved:Delete", "land", "k")).contains("not an ObjectCreated event"));
        assert!(unusable(&record("ObjectCreated:Put", "other", "k")).contains("bucket `other`"));
        assert!(unusable(&record("ObjectCreated:Put", "land", "%ff")).contains("UTF-8"));
        assert!(unusable(&json!({"eventName": "ObjectCreated:Put"})).contains("missing field `s3`"));
        assert!(unusable(&json!(7)).contains("not one of S3"));
        let nameless = json!({"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "land"}, "object": {}}});
        assert!(unusable(&nameless).contains("names no key"));
    }

    #[test]
    fn requests_by_hand_and_tests_of_the_notification() {
        assert_eq!(Event::read(json!({}), "land").unwrap(), Event::Sweep(ValidateRequest::default()));
        let request = ValidateRequest { prefix: Some("b/t/".into()), all_must_pass: true };
        let event = Event::read(json!({"prefix": "b/t/", "all_must_pass": true}), "land").unwrap();
        assert_eq!(event, Event::Sweep(request));
        let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "land"});
        assert_eq!(Event::read(test, "land").unwrap(), Event::Test);
        let message = Event::read(json!({"prefx": "b"}), "land").unwrap_err().message;
        assert!(message.contains("`prefx`") && message.contains("expected an S3 event"), "{message}");
        assert!(Event::read(json!({"Records": {}}), "land").is_err());
    }
}
