//! Extracts of several files: an extract is in history completely or not at all.
//!
//! extract lands the first file of an extract last. An event for any other file waits: the file stays in land until the
//! first is there. A single invocation then handles all of them. They all go to history or, if one does not pass, all
//! to quarantine. The first one leaves land last: until then, every event and every sweep does the same again.

use contract::message::Verdict;
use contract::{Extract, Failure, LandKey};

use crate::app::App;
use crate::event::{Notice, Record};
use crate::filing::{Checked, Inspection, Outcome, unread};
use crate::report::Violation;

/// How a landed file is handled.
pub(crate) enum Part {
    /// By itself.
    None,
    /// With the first file of its extract, which has not landed or has not been handled yet.
    Waits,
    /// Together with the other files of this extract, whose first file it is.
    First(Extract),
    /// Copied to history again, where the other files already are: a late invocation of extract has landed it again.
    Late(Extract),
    /// To quarantine, as its extract is there.
    Rejected,
}

const WAITS: &str = "a file of an extract that has more: it stays in land until the first of them is dealt with";

impl App {
    /// Determines whether a file is one of several of an extract.
    pub(crate) async fn part(&self, record: &Record) -> Result<Part, Failure> {
        let Record::Created(notice) = record else { return Ok(Part::None) };
        let Some(extract) = self.extract_of(&notice.key).await? else { return Ok(Part::None) };
        let Some(first) = extract.files.first() else { return Ok(Part::None) };
        if first.key == notice.key {
            return Ok(Part::First(extract));
        }
        let store = &self.areas.store;
        if store.head(&self.land, &notice.key, notice.version_id.as_deref()).await?.is_none() {
            return Ok(Part::None); // `look` then reports that the version is gone
        }
        if store.head(&self.land, &first.key, None).await?.is_some() {
            return Ok(Part::Waits);
        }
        Ok(match store.head(&self.areas.raw_hist, &first.key, None).await? {
            Some(_) => Part::Late(extract),
            None if extract.landed => Part::Rejected,
            None => Part::Waits,
        })
    }

    /// Returns the extract of a file, from the file's name and the extract's record.
    async fn extract_of(&self, key: &str) -> Result<Option<Extract>, Failure> {
        let Ok(name) = LandKey::parse(&self.base_folder, key) else { return Ok(None) };
        let is_extracted = self.metadata.raw.get(&name.table).is_some_and(|table| table.source.is_some());
        let (Some(_), Some(time), true) = (name.chunk(), name.file_land_timestamp, is_extracted) else {
            return Ok(None);
        };
        let record = Extract::record_key(&self.base_folder, &name.table, time);
        let Some(json) = self.areas.store.read_whole(&self.areas.reports, &record).await? else { return Ok(None) };
        let place = || store::url(&self.areas.reports, &record);
        let extract: Extract = serde_json::from_slice(&json)
            .map_err(|error| Failure::internal(format!("{} is not a record of an extract: {error}", place())))?;
        Ok(extract.files.iter().any(|file| file.key == key).then_some(extract))
    }

    /// Returns the result for a file that waits.
    pub(crate) fn wait(record: Record) -> Inspection {
        let (Record::Created(Notice { key, .. }) | Record::Unusable { key, .. }) = record;
        tracing::info!(key, "file of an extract waits for the first one");
        unread(key, Verdict::Waiting, 0, WAITS)
    }

    /// Checks all files of an extract. If one does not pass, none does. The first file comes last in the result. If its
    /// version has left land, the result is about that file alone.
    pub(crate) async fn look_at_extract(&self, extract: &Extract, first: Record) -> Result<Vec<Inspection>, Failure> {
        let first = match self.look(first).await? {
            Inspection::Checked(first) => first,
            done => return Ok(vec![done]),
        };
        let first = Checked { is_last: true, ..*first };
        let (mut checked, mut bad) = (Vec::with_capacity(extract.files.len()), None);
        for file in extract.files.iter().skip(1) {
            let notice = Notice { key: file.key.clone(), version_id: None, etag: None };
            match self.look(Record::Created(notice)).await? {
                Inspection::Checked(other) => checked.push(*other),
                // it left land before the first one, either to history or to quarantine
                Inspection::Done(_) => {
                    if self.areas.store.head(&self.areas.raw_hist, &file.key, None).await?.is_none() {
                        bad = Some(file.key.clone());
                    }
                }
            }
        }
        checked.push(first);
        for file in &mut checked {
            suffices(file, extract);
            self.find_conflict(file).await?;
        }
        for file in checked.iter().filter(|file| !file.findings.failures.is_empty()) {
            bad.get_or_insert_with(|| file.object.key.clone());
        }
        if let Some(bad) = bad {
            let passing = checked.iter_mut().filter(|file| file.findings.failures.is_empty());
            passing.for_each(|file| file.findings.failures.push(torn(&bad)));
        }
        Ok(checked.into_iter().map(|file| Inspection::Checked(Box::new(file))).collect())
    }

    /// Copies all files of an extract to their destination. If one cannot be copied, all stay in land for the next
    /// attempt.
    pub(crate) async fn settle_extract(&self, extract: &Extract, first: Record) -> Vec<Result<Outcome, Failure>> {
        let looked = match self.look_at_extract(extract, first).await {
            Ok(looked) => looked,
            Err(failure) => return vec![Err(failure)],
        };
        let mut outcomes = Vec::with_capacity(looked.len());
        for one in looked {
            match self.settle_looked(one).await {
                Ok(outcome) => outcomes.push(Ok(outcome)),
                Err(failure) => return vec![Err(failure)],
            }
        }
        outcomes
    }

    /// Checks a file whose extract is in history.
    pub(crate) async fn look_at_late(&self, record: Record, extract: &Extract) -> Result<Inspection, Failure> {
        let mut looked = self.look(record).await?;
        if let Inspection::Checked(file) = &mut looked {
            suffices(file, extract);
        }
        Ok(looked)
    }

    /// Checks a file whose extract is in quarantine: it does not pass either.
    pub(crate) async fn look_at_rejected(&self, record: Record) -> Result<Inspection, Failure> {
        let mut looked = self.look(record).await?;
        if let Inspection::Checked(file) = &mut looked {
            file.findings.failures.push(Violation::whole("extract", "its extract did not pass as a whole"));
        }
        Ok(looked)
    }
}

/// Applies minimum rows and bytes to the extract as a whole, as its last file may be small.
fn suffices(file: &mut Checked, extract: &Extract) {
    let Some(checks) = file.belongs.as_ref().map(|(_, dataset)| &dataset.table.checks) else { return };
    file.findings.failures.retain(|broken| match broken.rule {
        "minimum_rows" => extract.rows() < checks.minimum_rows,
        "minimum_bytes" => extract.bytes() < checks.minimum_bytes,
        _ => true,
    });
}

fn torn(bad: &str) -> Violation {
    let name = bad.rsplit('/').next().unwrap_or(bad);
    let what =
        format!("`{name}` of the same extract does not pass, and an extract goes to history whole or not at all");
    Violation::whole("extract", what)
}
