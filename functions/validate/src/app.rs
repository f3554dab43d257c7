//! The function's set-up: settings, metadata, rules and clients, shared by all invocations.

use std::collections::BTreeMap;
use std::sync::Arc;

use boot::{Boot, env};
use contract::{Failure, MetaData};
use store::Store;

use crate::check::{self, Dataset};
use crate::notify::Notify;
use crate::promote::Areas;
use crate::rebuild::{Rebuild, StateObject};

/// Settings, metadata, rules and clients, which every invocation uses.
#[derive(Debug)]
pub struct App {
    pub(crate) areas: Areas,
    pub(crate) rebuild: Rebuild,
    pub(crate) notify: Notify,
    pub(crate) land: String,
    pub(crate) base_folder: String,
    pub(crate) metadata: MetaData,
    pub(crate) datasets: BTreeMap<String, Arc<Dataset>>,
}

/// Returns the key, in the reports bucket, of the object that records which rebuild has its turn.
fn turn_key(base_folder: &str) -> String {
    match base_folder.trim_matches('/') {
        "" => "rebuilds/turn.json".into(),
        base => format!("rebuilds/{base}/turn.json"),
    }
}

impl App {
    /// Sets the function up from its environment and metadata.
    ///
    /// # Errors
    /// All errors in settings and metadata.
    pub fn new(boot: &mut Boot) -> Result<Self, Failure> {
        let land = boot.env.text(env::LAND_BUCKET);
        let base_folder = boot.env.text(env::BASE_FOLDER);
        let state_machine = boot.env.text(env::STATE_MACHINE_ARN);
        let window_seconds = boot.env.number(env::REBUILD_WINDOW_SECONDS);
        let topic = boot.env.text(env::ALERTS_TOPIC_ARN);
        let areas = Areas {
            store: Store::new(&boot.aws),
            raw_hist: boot.env.text(env::RAW_HIST_BUCKET),
            raw: boot.env.text(env::RAW_BUCKET),
            quarantine: boot.env.text(env::QUARANTINE_BUCKET),
            reports: boot.env.text(env::REPORTS_BUCKET),
        };
        let metadata = boot.metadata()?;
        if window_seconds == 0 {
            let what = format!("the function's environment: {} is 0, expected at least 1", env::REBUILD_WINDOW_SECONDS);
            return Err(Failure::bad_input(what));
        }
        let datasets = check::datasets(&metadata)?;
        let rebuild = Rebuild {
            client: aws_sdk_sfn::Client::new(&boot.aws),
            state_machine,
            database: metadata.database.name.clone(),
            window_seconds,
            state: StateObject {
                store: areas.store.clone(),
                bucket: areas.reports.clone(),
                key: turn_key(&base_folder),
            },
            started: Arc::default(),
        };
        let notify = Notify::new(aws_sdk_sns::Client::new(&boot.aws), topic);
        Ok(Self { areas, rebuild, notify, land, base_folder, metadata, datasets })
    }
}
