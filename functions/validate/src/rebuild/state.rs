//! The state of rebuilds: which execution has its turn and which one waits. It is one small object, and each write is
//! conditional on the version that was read.

use contract::Failure;
use serde::{Deserialize, Serialize};
use store::Store;

/// The recorded state. Fields that an earlier version did not write are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// ARN of the execution that last had its turn; it may have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn_of: Option<String>,
    /// The execution that waits for its turn, requested for promoted files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
}

/// An execution that lists the files when its turn comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Next {
    pub name: String,
    /// The earliest end of its wait, in RFC 3339.
    pub window_ends_at: String,
}

/// The state with its entity tag; `None` if the object does not exist yet.
pub(crate) struct Known {
    pub state: State,
    pub etag: Option<String>,
}

/// The object that holds the state.
#[derive(Clone, Debug)]
pub(crate) struct StateObject {
    pub store: Store,
    /// The reports bucket.
    pub bucket: String,
    pub key: String,
}

impl StateObject {
    /// Reads the state.
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

    /// Fails with [`contract::FailureKind::Conflict`] if the state has changed since it was read.
    pub(crate) async fn write(&self, state: &State, etag: Option<&str>) -> Result<(), Failure> {
        let Self { store, bucket, key } = self;
        let body = serde_json::to_vec(state).map_err(Failure::internal)?;
        store.put_over(bucket, key, body, "application/json", etag).await.map(drop)
    }
}
