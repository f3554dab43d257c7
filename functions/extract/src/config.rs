//! What to fetch, and under which name it lands: the function's settings, the table's metadata and the request, checked
//! and put together before anything is asked of anybody.

use std::path::PathBuf;
use std::time::Duration;

use boot::{Env, env};
use chrono::{DateTime, Utc};
use contract::key::MAX_TIMESTAMP;
use contract::message::ExtractRequest;
use contract::{Failure, MetaData, Source, Table};
use url::{Host, Url};

/// Where tables lie, and where their sources are.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder of all tables.
    pub base_folder: String,
    /// Where files land.
    pub land_bucket: String,
    /// Where validate promotes them.
    pub raw_hist_bucket: String,
    /// Where the records of extracts are.
    pub reports_bucket: String,
    /// Replaces scheme, host and port of the sources' URLs.
    pub source_origin: Option<String>,
}

impl Settings {
    /// Reads the settings; what is missing is reported by [`Env::check`].
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

/// One extract, ready to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The raw table.
    pub table: String,
    /// The metadata file that describes it, for messages.
    pub file: PathBuf,
    /// The scheduled time in Unix seconds: the partition, and a part of the files' names.
    pub file_land_timestamp: u64,
    /// What every request GETs.
    pub url: Url,
    /// How many requests.
    pub requests: u64,
    /// How to ask, and how to make rows of the answers. Its `url` and `requests` are superseded by the two above.
    pub source: Source,
    /// Whether the table has columns that no message may show.
    pub sensitive: bool,
}

impl Plan {
    /// What a request asks for, by the metadata.
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

    /// Refuses at once what the pacing alone makes impossible, instead of fetching for nothing until the deadline.
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

/// The table asked for, or the only one that there is to extract.
fn choose<'a>(metadata: &'a MetaData, name: Option<&str>) -> Result<(&'a Table, &'a Source), Failure> {
    let with_source: Vec<_> = metadata.raw.values().filter_map(|table| Some((table, table.source.as_ref()?))).collect();
    let choices = || match with_source[..] {
        [] => "no raw table of the metadata has a `source`".to_owned(),
        _ => {
            let names: Vec<_> = with_source.iter().map(|(table, _)| format!("`{}`", table.name)).collect();
            format!("the tables with a `source` are {}", names.join(", "))
        }
    };
    match (name, &with_source[..]) {
        (None, [only]) => Ok(*only),
        (None, _) => Err(Failure::bad_input(format!("which `table`? {}", choices()))),
        (Some(name), _) => {
            let table = metadata.raw_table(name).map_err(Failure::bad_input)?;
            match &table.source {
                Some(source) => Ok((table, source)),
                None => {
                    let file = table.file.display();
                    Err(Failure::bad_input(format!("{file}: table `{name}` has no `source`; {}", choices())))
                }
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

/// The URL to ask: the metadata's, at the origin of the settings if they give one.
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

/// Data is fetched over TLS, or from this machine. No user names and passwords: metadata is no place for secrets, and
/// messages show the URL.
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
mod tests {
    use std::collections::BTreeMap;

    use contract::{Database, FailureKind, Problems};
    use proptest::prelude::*;

    use super::*;

    fn metadata(tables: &[(&str, Option<&str>)]) -> MetaData {
        let table = |name: &str, url: Option<&str>| Table {
            file: format!("meta_data/raw/{name}.json").into(),
            dialect: contract::Dialect::EtlManager,
            name: name.into(),
            description: String::new(),
            location: name.into(),
            data_format: contract::DataFormat::Json,
            columns: Vec::new(),
            partitions: Vec::new(),
            primary_key: Vec::new(),
            glue_specific: serde_json::Value::Null,
            checks: contract::Checks::default(),
            source: url.map(|url| serde_json::from_value(serde_json::json!({"url": url, "requests": 10})).unwrap()),
            copy_to_raw: false,
            delete_raw: false,
            read_from: Default::default(),
            lines: false,
            file_dialect: Default::default(),
            compression: Default::default(),
            mode: contract::Mode::Rebuild,
            self_contained: false,
            partition_projection: false,
            sql: None,
        };
        let raw: BTreeMap<_, _> = tables.iter().map(|(name, url)| ((*name).into(), table(name, *url))).collect();
        let database =
            Database { name: "d".into(), bucket: "b".into(), base_folder: "f".into(), description: String::new() };
        let (processed, curated) = (BTreeMap::new(), BTreeMap::new());
        let (sha256, warnings) = (String::new(), Problems::default());
        MetaData { database, raw_database: None, raw, processed, curated, sha256, warnings }
    }

    fn plan(tables: &[(&str, Option<&str>)], origin: Option<&str>, request: ExtractRequest) -> Result<Plan, Failure> {
        let settings = Settings {
            base_folder: "base".into(),
            land_bucket: "land".into(),
            raw_hist_bucket: "raw-hist".into(),
            reports_bucket: "reports".into(),
            source_origin: origin.map(str::to_owned),
        };
        Plan::new(&settings, &metadata(tables), request, DateTime::from_timestamp(1_665_425_864, 0).unwrap())
    }

    fn refused(result: Result<Plan, Failure>, kind: FailureKind, words: &str) {
        let failure = result.unwrap_err();
        assert_eq!(failure.kind, kind, "{failure}");
        assert!(failure.message.contains(words), "{failure}");
    }

    const URL: Option<&str> = Some("https://api.postcodes.io/random/postcodes?outcode=AB1");

    #[test]
    fn the_only_table_with_a_source_need_not_be_named() {
        let found = plan(&[("a", None), ("b", URL)], None, ExtractRequest::default()).unwrap();
        assert_eq!((found.table.as_str(), found.requests), ("b", 10));
        assert_eq!(found.file_land_timestamp, 1_665_425_864);
    }

    #[test]
    fn a_table_that_cannot_be_chosen_is_answered_with_the_choices() {
        let tables = [("a", None), ("b", URL), ("c", URL)];
        let named = |name: &str| ExtractRequest { table: Some(name.into()), ..Default::default() };
        refused(plan(&tables, None, ExtractRequest::default()), FailureKind::BadInput, "are `b`, `c`");
        refused(plan(&tables, None, named("a")), FailureKind::BadInput, "are `b`, `c`");
        refused(plan(&tables, None, named("x")), FailureKind::BadInput, "no raw table `x`");
        refused(plan(&[("a", None)], None, ExtractRequest::default()), FailureKind::BadInput, "no raw table of the");
        assert_eq!(plan(&tables, None, named("c")).unwrap().table, "c");
    }

    #[test]
    fn the_scheduled_time_names_the_partition() {
        let at = |time: &str| {
            let request = ExtractRequest { scheduled_time: Some(time.into()), ..Default::default() };
            plan(&[("b", URL)], None, request)
        };
        assert_eq!(at("2022-10-10T18:17:44Z").unwrap().file_land_timestamp, 1_665_425_864);
        assert_eq!(at("2022-10-10T19:17:44.999+01:00").unwrap().file_land_timestamp, 1_665_425_864);
        for time in ["<aws.scheduler.scheduled-time>", "1665425864", "2022-10-10", "2022-10-10T18:17:44"] {
            refused(at(time), FailureKind::BadInput, "RFC 3339");
        }
        refused(at("1969-12-31T23:59:59Z"), FailureKind::BadInput, "Unix seconds");
        refused(at("9999-01-01T00:00:00Z"), FailureKind::BadInput, "Unix seconds");
    }

    #[test]
    fn requests_of_the_event_come_before_the_metadata() {
        let asked = |requests| plan(&[("b", URL)], None, ExtractRequest { requests, ..Default::default() });
        assert_eq!(asked(Some(1000)).unwrap().requests, 1000);
        refused(asked(Some(0)), FailureKind::BadInput, "at least 1");
    }

    #[test]
    fn what_the_pace_makes_impossible_is_refused_at_once() {
        let request = ExtractRequest { requests: Some(1001), ..Default::default() };
        let plan = plan(&[("b", URL)], None, request).unwrap();
        assert_eq!(plan.check_time(Duration::from_secs(50)), Ok(()));
        let failure = plan.check_time(Duration::from_secs(49)).unwrap_err();
        assert_eq!(failure.kind, FailureKind::BadInput);
        assert!(failure.message.contains("1001 requests at 20 a second take 50 s"), "{failure}");
    }

    #[test]
    fn the_origin_replaces_all_but_path_and_query() {
        let url = |origin| plan(&[("b", URL)], origin, ExtractRequest::default()).map(|plan| plan.url.to_string());
        assert_eq!(url(None).unwrap(), "https://api.postcodes.io/random/postcodes?outcode=AB1");
        assert_eq!(url(Some("http://127.0.0.1:81")).unwrap(), "http://127.0.0.1:81/random/postcodes?outcode=AB1");
        for origin in ["http://127.0.0.1:81/x", "https://host?x", "host:81", "http://10.0.0.1", "127.0.0.1"] {
            let failure = url(Some(origin)).unwrap_err();
            assert!(failure.kind == FailureKind::BadInput && failure.message.contains("SOURCE_ORIGIN"), "{failure}");
        }
    }

    #[test]
    fn only_tls_or_this_machine() {
        for good in ["https://h/p?q=1", "http://127.8.9.1/", "http://[::1]:8000/x", "http://localhost:1/"] {
            assert!(read_url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://example.com/",
            "http://127.0.0.1.example.com/",
            "http://localhost.example.com/",
            "http://0.0.0.0/",
            "http://[::]/",
            "ftp://127.0.0.1/",
            "file:///etc/passwd",
            "https://user:secret@h/",
            "https://user@h/",
            "/random/postcodes",
            "",
        ] {
            assert!(read_url(bad).is_err(), "{bad}");
        }
        refused(
            plan(&[("b", Some("http://api.postcodes.io/"))], None, ExtractRequest::default()),
            FailureKind::BadMetadata,
            "meta_data/raw/b.json: source.url",
        );
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_tls_or_loopback(text in "(https?|ftp)://[a-z0-9.@:\\[\\]]{1,20}(/[a-z]{0,3})?") {
            if let Ok(url) = read_url(&text) {
                let loopback = url.host().is_some_and(|host| is_loopback(&host));
                prop_assert!(url.scheme() == "https" || (url.scheme() == "http" && loopback));
            }
        }
    }
}
