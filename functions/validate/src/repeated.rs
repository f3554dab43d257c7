//! Files that land again without a folder of their own. Each landing has another time, and so another key in history:
//! what tells that it is the same file is its table, its name and its bytes.
//!
//! A marker in history, under a key made of these three, says under which key the file is there. It is written before
//! the file is copied, only where there is none, and never changed: everybody who has the same file goes by the same
//! key, whether at once, or after a crash between the two writes, which the next one then finishes.

use contract::key::{partition_prefix, table_prefix};
use contract::message::ObjectName;
use contract::{DataKey, Failure, FailureKind, LandKey, hexadecimal};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::{Object, Write};

use crate::promote::{Areas, Filed};

/// Markers lie in the raw-hist bucket under this prefix, beside the base folder.
const MARKERS: &str = "_landed/";
/// Markers of one file. Another one is needed where the key that a marker names was taken by other bytes, which takes
/// two files of one name within a second.
const ATTEMPTS: u32 = 5;

/// Where a file is in history, or is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Marker {
    key: String,
    file_name: String,
    sha256: String,
}

impl Areas {
    /// Copies a file without a folder to history, and to raw if asked: once, under the time of its first landing.
    pub(crate) async fn promote_once(
        &self,
        object: &Object,
        base_folder: &str,
        name: &LandKey,
        sha256: [u8; 32],
        to_raw: bool,
    ) -> Result<Filed, Failure> {
        if let Some(key) = self.under_its_name(object, base_folder, name).await? {
            return self.promote(object, &key, to_raw).await;
        }
        let landed = name.filed(object.last_modified);
        let own = landed.format(base_folder);
        let mut attempt = 0;
        loop {
            let key = self.first_key(base_folder, &landed, &own, sha256, attempt).await?;
            match self.promote(object, &key, to_raw).await? {
                Filed::Conflict(_) if key != own && attempt + 1 < ATTEMPTS => attempt += 1,
                filed => return Ok(filed),
            }
        }
    }

    /// The file's key in the folder that its name tells, if it is there: then it has landed with that folder.
    async fn under_its_name(&self, object: &Object, base: &str, name: &LandKey) -> Result<Option<String>, Failure> {
        let Some((_, time)) = name.named() else { return Ok(None) };
        let key = partition_prefix(base, &name.table, time) + &name.file_name;
        let Some(there) = self.store.head(&self.raw_hist, &key, None).await? else { return Ok(None) };
        Ok((self.same(object, &there).await? == Some(true)).then_some(key))
    }

    /// The key that the file's marker names: this landing's own if the marker is new.
    async fn first_key(
        &self,
        base_folder: &str,
        landed: &DataKey,
        own: &str,
        sha256: [u8; 32],
        attempt: u32,
    ) -> Result<String, Failure> {
        let place = marker(base_folder, landed, sha256, attempt);
        let marker = Marker { key: own.to_owned(), file_name: landed.file_name.clone(), sha256: hexadecimal(&sha256) };
        let mut json = serde_json::to_vec_pretty(&marker).map_err(Failure::internal)?;
        json.push(b'\n');
        match self.store.put(&self.raw_hist, &place, json, "application/json", Write::IfAbsent).await {
            Ok(()) => return Ok(marker.key),
            Err(failure) if failure.kind != FailureKind::Conflict => return Err(failure),
            Err(_) => {}
        }
        let url = store::url(&self.raw_hist, &place);
        let Some(json) = self.store.read_whole(&self.raw_hist, &place).await? else {
            return Err(Failure::unavailable(format!("{url} was there, and is gone")));
        };
        let found: Marker = serde_json::from_slice(&json)
            .map_err(|error| Failure::internal(format!("{url} is no marker of a file: {error}")))?;
        Ok(found.key)
    }
}

/// Whether a file was in history before, under the time of an earlier landing.
pub(crate) fn repeats(object: &Object, base_folder: &str, name: &LandKey, filed_at: &ObjectName) -> bool {
    name.filed(object.last_modified).format(base_folder) != filed_at.key
}

/// Of fixed length, however long the file's name is.
fn marker(base_folder: &str, landed: &DataKey, sha256: [u8; 32], attempt: u32) -> String {
    let mut digest = Sha256::new();
    digest.update(&landed.file_name);
    digest.update([0]);
    digest.update(sha256);
    digest.update(attempt.to_le_bytes());
    format!("{MARKERS}{}{}.json", table_prefix(base_folder, &landed.table), hexadecimal(&digest.finalize()))
}
