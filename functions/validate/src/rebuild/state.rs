//! Whose turn it is, and who waits: one small object, which changes only by a write over exactly what was read.

use contract::Failure;
use serde::{Deserialize, Serialize};
use store::Store;

/// What is written down. What an earlier version has not written is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// ARN of the execution that had its turn last; it may have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn_of: Option<String>,
    /// The execution that waits for its turn, asked for by files that were promoted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
}

/// An execution that lists the files when its turn comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Next {
    /// Its name.
    pub name: String,
    /// RFC 3339: it waits until then at least.
    pub window_ends_at: String,
}

/// The state with its entity tag; none where there is no object yet.
pub(crate) struct Known {
    pub state: State,
    pub etag: Option<String>,
}

/// The object in which it is written down.
#[derive(Clone, Debug)]
pub(crate) struct StateObject {
    /// S3.
    pub store: Store,
    /// Of the reports.
    pub bucket: String,
    /// Its key.
    pub key: String,
}

impl StateObject {
    /// As it is now.
    pub(crate) async fn read(&self) -> Result<Known, Failure> {
        let Self { store, bucket, key } = self;
        let Some((body, etag)) = store.read_tagged(bucket, key).await? else {
            return Ok(Known { state: State::default(), etag: None });
        };
        let state = serde_json::from_slice(&body).map_err(|error| {
            let what = format!("s3://{bucket}/{key} does not say whose turn it is: {error}");
            Failure::internal(format!("{what}; delete it, no rebuild depends on what it says"))
        })?;
        Ok(Known { state, etag: Some(etag) })
    }

    /// Fails with [`contract::FailureKind::Conflict`] where it is no longer as it was read.
    pub(crate) async fn write(&self, state: &State, etag: Option<&str>) -> Result<(), Failure> {
        let Self { store, bucket, key } = self;
        let body = serde_json::to_vec(state).map_err(Failure::internal)?;
        store.put_over(bucket, key, body, "application/json", etag).await.map(drop)
    }
}
