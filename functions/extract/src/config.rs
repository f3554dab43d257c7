//! The plan of an extract: what to fetch, and under which key it lands. It combines the function's settings, the
//! table's metadata and the request, and is checked before the first request is sent.

use std::path::PathBuf;
use std::time::Duration;

use boot::{Env, env};
use chrono::{DateTime, Utc};
use contract::key::MAX_TIMESTAMP;
use contract::message::ExtractRequest;
use contract::{Failure, MetaData, Source, Table, quoted};
use url::{Host, Url};

/// The locations of the tables and of their sources.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The prefix of all tables.
    pub base_folder: String,
    /// The bucket in which files land.
    pub land_bucket: String,
    /// The bucket to which validate promotes them.
    pub raw_hist_bucket: String,
    /// The bucket of the records of extracts.
    pub reports_bucket: String,
    /// Replaces the scheme, host and port of the sources' URLs.
    pub source_origin: Option<String>,
}

impl Settings {
    /// Reads the settings. [`Env::check`] reports the missing ones.
    pub fn read(env: &mut Env) -> Self {
        Self {
            base_folder: env.text(env::BASE_FOLDER),
            land_bucket: env.text(env::LAND_BUCKET),
            raw_hist_bucket: env.text(env::RAW_HIST_BUCKET),
            reports_bucket: env.text(env::REPORTS_BUCKET),
            source_origin: env.optional(env::SOURCE_ORIGIN),
        }
    }
}

/// An extract that is ready to run.
#[derive(Clone, Debug)]
pub struct FetchPlan {
    /// The raw table.
    pub table: String,
    /// The metadata file of the table, for messages.
    pub file: PathBuf,
    /// The scheduled time in Unix seconds. It names the partition and is part of the file names.
    pub file_land_timestamp: u64,
    /// The URL of every request.
    pub url: Url,
    /// The number of requests.
    pub requests: u64,
    /// How to call the source and how to turn its answers into rows. `url` and `requests` above take the place of its
    /// own.
    pub source: Source,
    /// Whether the table has sensitive columns, whose values no message may show.
    pub sensitive: bool,
}

impl FetchPlan {
    /// Plans the extract that a request asks for.
    ///
    /// # Errors
    /// Fails if the table has no source, or if request, metadata and settings contradict each other.
    pub fn new(
        settings: &Settings,
        metadata: &MetaData,
        request: ExtractRequest,
        now: DateTime<Utc>,
    ) -> Result<Self, Failure> {
        let (table, source) = choose(metadata, request.table.as_deref())?;
        let file_land_timestamp = timestamp(request.scheduled_time.as_deref(), now)?;
        let requests = request.requests.unwrap_or(source.requests);
        if requests == 0 {
            return Err(Failure::bad_input("`requests` is 0, expected at least 1"));
        }
        Ok(Self {
            table: table.name.clone(),
            file: table.file.clone(),
            file_land_timestamp,
            url: source_url(table, source, settings.source_origin.as_deref())?,
            requests,
            source: source.clone(),
            sensitive: table.columns.iter().any(|column| column.sensitive),
        })
    }

    /// Refuses a plan that the pacing alone makes impossible, instead of fetching in vain until the deadline.
    ///
    /// # Errors
    /// Fails if the plan's requests cannot all be started within `working_time`.
    pub fn check_time(&self, working_time: Duration) -> Result<(), Failure> {
        let pace = u64::from(self.source.requests_per_second);
        let least = (self.requests - 1) / pace;
        if least <= working_time.as_secs() {
            return Ok(());
        }
        Err(Failure::bad_input(format!(
            "{} requests at {pace} a second take {least} s at least, and the function's timeout leaves {} s; ask for \
             fewer requests, or raise `requests_per_second` in {} or the timeout",
            self.requests,
            working_time.as_secs(),
            self.file.display()
        )))
    }
}

/// Returns the requested table, or the only one that has a source.
fn choose<'a>(metadata: &'a MetaData, name: Option<&str>) -> Result<(&'a Table, &'a Source), Failure> {
    let with_source: Vec<_> = metadata.raw.values().filter_map(|table| Some((table, table.source.as_ref()?))).collect();
    let choices = || {
        if with_source[..].is_empty() {
            "no raw table of the metadata has a `source`".to_owned()
        } else {
            format!("the tables with a `source` are {}", quoted(with_source.iter().map(|(table, _)| &table.name)))
        }
    };
    match (name, &with_source[..]) {
        (None, [only]) => Ok(*only),
        (None, _) => Err(Failure::bad_input(format!("which `table`? {}", choices()))),
        (Some(name), _) => {
            let table = metadata.raw_table(name).map_err(Failure::bad_input)?;
            if let Some(source) = &table.source {
                Ok((table, source))
            } else {
                let file = table.file.display();
                Err(Failure::bad_input(format!("{file}: table `{name}` has no `source`; {}", choices())))
            }
        }
    }
}

fn timestamp(scheduled_time: Option<&str>, now: DateTime<Utc>) -> Result<u64, Failure> {
    let Some(text) = scheduled_time else { return Ok(now.timestamp().max(0) as u64) };
    let refuse = |reason: String| Failure::bad_input(format!("`scheduled_time` is `{text}`, {reason}"));
    let time = DateTime::parse_from_rfc3339(text)
        .map_err(|_| refuse("expected RFC 3339 with a time zone, such as 2026-11-23T06:00:00Z".into()))?;
    u64::try_from(time.timestamp())
        .ok()
        .filter(|seconds| *seconds <= MAX_TIMESTAMP)
        .ok_or_else(|| refuse(format!("expected 0 to {MAX_TIMESTAMP} in Unix seconds")))
}

/// Returns the URL to request: the metadata's, with the origin replaced if the settings name one.
fn source_url(table: &Table, source: &Source, origin: Option<&str>) -> Result<Url, Failure> {
    let file = table.file.display();
    let described = read_url(&source.url)
        .map_err(|reason| Failure::bad_metadata(format!("{file}: source.url: `{}`: {reason}", source.url)))?;
    let Some(text) = origin else { return Ok(described) };
    let mut url = read_origin(text)
        .map_err(|reason| Failure::bad_input(format!("{} is `{text}`: {reason}", env::SOURCE_ORIGIN)))?;
    url.set_path(described.path());
    url.set_query(described.query());
    Ok(url)
}

fn read_origin(text: &str) -> Result<Url, String> {
    let url = read_url(text)?;
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("expected scheme://host[:port] alone".into());
    }
    Ok(url)
}

/// Data is fetched over TLS or from this machine. User names and passwords are refused: metadata is no place for
/// secrets, and messages show the URL.
fn read_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("{error}; expected https://host/path"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a user name or password".into());
    }
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => Ok(url),
        ("http", Some(host)) if is_loopback(&host) => Ok(url),
        ("http", Some(_)) => Err("http is for loopback addresses only; use https".into()),
        (scheme, _) => Err(format!("`{scheme}` cannot be fetched; use https")),
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests;
