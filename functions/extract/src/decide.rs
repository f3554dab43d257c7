//! The decision which attempt becomes the extract, and the landing of its files.
//!
//! The first attempt that writes the record ([`Extract`]) decides. Any other attempt, whether concurrent or after a
//! crash, follows that record. From there on all of them do the same: they copy the files of the winning attempt into
//! land, mark the record as landed, and delete the staged files. Whoever makes the copies, their bytes are equal, and
//! they may be made again. So a process may die after any request, and any number of processes may work on it at once.

use contract::{Extract, ExtractFile, Failure, FailureKind, LandKey, key};
use futures::stream::{StreamExt, TryStreamExt, iter};
use store::{Copied, Object, Store, Write};

use crate::land::Destination;

/// Files that are copied at once. Their bytes do not pass through the function.
const COPIES_AT_ONCE: usize = 4;

/// The attempt that became the extract.
#[derive(Debug)]
pub enum Decision {
    /// The caller's attempt.
    Ours(Extract),
    /// Another attempt, whose record was written first.
    Theirs(Extract),
}

impl Destination {
    /// Returns the extract of this time, if it has been decided.
    ///
    /// # Errors
    /// Fails if S3 refuses the request or does not answer. The failure names the object.
    pub async fn decided(&self, store: &Store) -> Result<Option<Extract>, Failure> {
        let key = self.record();
        let Some(record) = store.read_whole(&self.reports, &key).await? else { return Ok(None) };
        let read = serde_json::from_slice(&record);
        let place = store::url(&self.reports, &key);
        read.map(Some).map_err(|error| Failure::internal(format!("{place} is not a record of an extract: {error}")))
    }

    /// Returns a file in history which proves that this time was extracted, although the record is gone. A part of an
    /// extract is a conflict, because rows of another attempt must not be added to it.
    ///
    /// # Errors
    /// Fails if S3 refuses the request or does not answer. The failure names the object.
    pub async fn in_history(&self, store: &Store) -> Result<Option<Object>, Failure> {
        let found = self.history(store).await?;
        let whole = [self.key(None), self.key(Some(0))];
        let is_chunk = |object: &&Object| {
            let key = LandKey::parse(&self.base_folder, &object.key);
            key.is_ok_and(|key| key.chunk().is_some_and(|chunk| object.key == self.key(Some(chunk))))
        };
        match (found.iter().find(|object| whole.contains(&object.key)), found.iter().find(is_chunk)) {
            (Some(whole), _) => Ok(Some(whole.clone())),
            (None, Some(part)) => Err(Failure::conflict(format!(
                "{} is there, and the file with the first rows is not: history has a part of this time already; \
                 extract under another time",
                part.url()
            ))),
            (None, None) => Ok(None),
        }
    }

    /// Makes an attempt the extract, unless another one already is. If it is unknown whether the record was written,
    /// the attempt stays staged.
    ///
    /// # Errors
    /// Fails if S3 refuses the request or does not answer. The failure names the object.
    pub async fn decide(&self, store: &Store, attempt: Extract) -> Result<Decision, Failure> {
        let json = json(&attempt)?;
        match store.put(&self.reports, &self.record(), json, "application/json", Write::IfAbsent).await {
            Ok(()) => return Ok(Decision::Ours(attempt)),
            Err(failure) if failure.kind != FailureKind::Conflict => return Err(failure),
            Err(_) => {}
        }
        match self.decided(store).await? {
            Some(theirs) if theirs.attempt == attempt.attempt => Ok(Decision::Ours(theirs)),
            Some(theirs) => {
                discard(store, &self.land, &attempt.files).await;
                Ok(Decision::Theirs(theirs))
            }
            None => {
                let place = store::url(&self.reports, &self.record());
                Err(Failure::unavailable(format!("{place} existed and has disappeared")))
            }
        }
    }

    /// Copies the extract's files into land, the first one last. Returns how many were not there yet. `is_fresh` means
    /// that no other invocation can have begun this.
    ///
    /// # Errors
    /// Fails if S3 refuses the request or does not answer. The failure names the object.
    pub async fn land(&self, store: &Store, extract: &Extract, is_fresh: bool) -> Result<usize, Failure> {
        if extract.landed {
            return Ok(0);
        }
        let history = if is_fresh { Vec::new() } else { self.history(store).await? };
        let is_handled =
            |file: &ExtractFile| history.iter().any(|object| (&object.key, object.bytes) == (&file.key, file.bytes));
        let mut copied = 0;
        if let Some((first, others)) = extract.files.split_first().filter(|(first, _)| !is_handled(first)) {
            let others = others.iter().filter(|file| !is_handled(file)).map(|file| self.copy(store, file));
            let others: Vec<bool> = iter(others).buffer_unordered(COPIES_AT_ONCE).try_collect().await?;
            copied = others.into_iter().filter(|copied| *copied).count();
            copied += usize::from(self.copy(store, first).await?);
        }
        let json = json(&Extract { landed: true, ..extract.clone() })?;
        store.put(&self.reports, &self.record(), json, "application/json", Write::Replace).await?;
        discard(store, &self.land, &extract.files).await;
        Ok(copied)
    }

    /// Copies a file into land. Returns false if it is or was there already.
    async fn copy(&self, store: &Store, file: &ExtractFile) -> Result<bool, Failure> {
        let place = store::url(&self.land, &file.key);
        let Some(staged) = store.head(&self.land, &file.staged, None).await? else {
            let gone = store::url(&self.land, &file.staged);
            let what = format!("{place} has not landed, and {gone} is gone: extract under another time");
            return self.unless_landed(store, Failure::not_found(what)).await;
        };
        match store.copy_if_absent(&staged, &self.land, &file.key).await {
            Ok(Copied::Now) => Ok(true),
            Ok(Copied::TargetExists) => match store.is_same_write(&staged, &self.land, &file.key).await? {
                Some(true) | None => Ok(false),
                Some(false) => {
                    let what = format!(
                        "{place} is there, with other rows: those of the extract stay staged until it has gone"
                    );
                    self.unless_landed(store, Failure::conflict(what)).await
                }
            },
            Err(failure) if failure.kind == FailureKind::NotFound => self.unless_landed(store, failure).await,
            Err(failure) => Err(failure),
        }
    }

    /// Returns the failure, unless another invocation has meanwhile finished and deleted the staged files.
    async fn unless_landed(&self, store: &Store, failure: Failure) -> Result<bool, Failure> {
        match self.decided(store).await? {
            Some(extract) if extract.landed => Ok(false),
            _ => Err(failure),
        }
    }

    async fn history(&self, store: &Store) -> Result<Vec<Object>, Failure> {
        let prefix = key::partition_prefix(&self.base_folder, &self.table, self.file_land_timestamp);
        store.list(&self.raw_hist, &prefix).await
    }

    fn record(&self) -> String {
        Extract::record_key(&self.base_folder, &self.table, self.file_land_timestamp)
    }
}

/// Deletes the staged files, which are no longer needed. The lifecycle rule removes what cannot be deleted here.
async fn discard(store: &Store, bucket: &str, files: &[ExtractFile]) {
    for file in files {
        let deleted = match store.head(bucket, &file.staged, None).await {
            Ok(Some(object)) => store.delete(&object).await,
            Ok(None) => Ok(()),
            Err(failure) => Err(failure),
        };
        if let Err(failure) = deleted {
            tracing::warn!(key = file.staged, error = %failure, "staged file not deleted, left to the lifecycle rule");
        }
    }
}

fn json(extract: &Extract) -> Result<Vec<u8>, Failure> {
    let mut json = serde_json::to_vec_pretty(extract).map_err(Failure::internal)?;
    json.push(b'\n');
    Ok(json)
}
