//! Repeated files: files that land again without a folder of their own. Each landing has another time, and so another
//! key in history. Table, name and bytes identify the file.
//!
//! A marker in history, with a key derived from these three, names the file's key there. It is written before the file
//! is copied, only if there is none, and never changed. All invocations with the same file therefore use the same key,
//! even at the same time. After a crash between the two writes, the next invocation completes the copy.

use contract::key::{partition_prefix, table_prefix};
use contract::message::ObjectName;
use contract::{DataKey, Failure, FailureKind, LandKey, hexadecimal};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::{Object, Write};

use crate::promote::{Areas, Filed};

/// The prefix of markers in the raw-hist bucket, beside the base folder.
const MARKERS: &str = "_landed/";
/// The most markers of one file. Another one is needed if other bytes have taken the key that a marker names. That
/// takes two files of one name within a second.
const ATTEMPTS: u32 = 5;

/// The key of a file in history, whether it has been copied yet or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Marker {
    key: String,
    file_name: String,
    sha256: String,
}

impl Areas {
    /// Copies a file without a folder to history, and to raw if asked. It is copied once, under the time of its first
    /// landing.
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

    /// Returns the file's key in the folder that its name implies, if it is there. It has then landed with that folder.
    async fn under_its_name(&self, object: &Object, base: &str, name: &LandKey) -> Result<Option<String>, Failure> {
        let Some((_, time)) = name.named() else { return Ok(None) };
        let key = partition_prefix(base, &name.table, time) + &name.file_name;
        let Some(there) = self.store.head(&self.raw_hist, &key, None).await? else { return Ok(None) };
        Ok((self.same(object, &there).await? == Some(true)).then_some(key))
    }

    /// Returns the key that the file's marker names. If the marker is new, this is the current landing's own key.
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
            return Err(Failure::unavailable(format!("{url} existed and has disappeared")));
        };
        let found: Marker = serde_json::from_slice(&json)
            .map_err(|error| Failure::internal(format!("{url} is no marker of a file: {error}")))?;
        Ok(found.key)
    }
}

/// Whether a file was already in history, under the time of an earlier landing.
pub(crate) fn repeats(object: &Object, base_folder: &str, name: &LandKey, filed_at: &ObjectName) -> bool {
    name.filed(object.last_modified).format(base_folder) != filed_at.key
}

/// Returns the key of a marker. Its last segment has a fixed length, however long the file's name is.
fn marker(base_folder: &str, landed: &DataKey, sha256: [u8; 32], attempt: u32) -> String {
    let mut digest = Sha256::new();
    digest.update(&landed.file_name);
    digest.update([0]);
    digest.update(sha256);
    digest.update(attempt.to_le_bytes());
    format!("{MARKERS}{}{}.json", table_prefix(base_folder, &landed.table), hexadecimal(&digest.finalize()))
}
