//! The local cloud for tests. All tests of a process share two clouds, and each test deploys its own stack. So tests
//! run side by side, and none sees another's files.

#![expect(clippy::missing_errors_doc, reason = "what an answer says is what tests look at")]

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_config::{Region, SdkConfig};
use aws_sdk_athena::types::QueryExecutionState;
use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};

/// The longest wait for anything, on any machine. A condition that does not hold by then is a failure.
const PATIENCE: Duration = Duration::from_mins(2);

/// Returns the root folder of the checkout as an absolute path.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the checkout's folder")
}

struct Cloud {
    endpoint: String,
    state: tempfile::TempDir,
    /// Ends when its standard input closes, which happens when this process ends for any reason.
    _process: Child,
}

/// Each cloud is a Python process that uses one core.
const CLOUDS: usize = 2;

/// Returns one of the clouds, in rotation, and starts it on first use.
fn cloud() -> &'static Cloud {
    static ALL: [OnceLock<Cloud>; CLOUDS] = [const { OnceLock::new() }; CLOUDS];
    static TURN: AtomicUsize = AtomicUsize::new(0);
    ALL[TURN.fetch_add(1, Ordering::Relaxed) % CLOUDS].get_or_init(|| {
        let root = repository();
        let functions = root.join(".local/functions");
        let python = root.join(".venv/bin/python");
        for needed in [&python, &functions.join("curate/bootstrap")] {
            assert!(needed.exists(), "{} is missing: run the tests with `make test`", needed.display());
        }
        let state = tempfile::tempdir().expect("a temporary folder");
        let ready = state.path().join("ready.json");
        // the shell waits until its standard input closes, then ends the cloud
        let script = r#""$@" </dev/null & cloud=$!; cat >/dev/null; kill -TERM $cloud; wait $cloud"#;
        let log = std::fs::File::create(state.path().join("cloud.log")).expect("a log file");
        let process = Command::new("bash")
            .args(["-c", script, "cloud"])
            .arg(&python)
            .args(["-m", "landfall_local", "serve", "--port", "0", "--functions"])
            .arg(&functions)
            .arg("--state")
            .arg(state.path())
            .arg("--ready-file")
            .arg(&ready)
            .env("PYTHONPATH", root.join("infra/local"))
            .current_dir(&root)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("the log file again"))
            .stderr(log)
            .spawn()
            .expect("the local cloud starts");
        let deadline = Instant::now() + PATIENCE;
        let endpoint = loop {
            let told = std::fs::read(&ready).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
            if let Some(endpoint) = told.as_ref().and_then(|told| told["endpoint"].as_str()) {
                break endpoint.to_owned();
            }
            let log = || std::fs::read_to_string(state.path().join("cloud.log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "the local cloud is not ready: {}", log());
            std::thread::sleep(Duration::from_millis(50));
        };
        Cloud { endpoint, state, _process: process }
    })
}

impl Cloud {
    async fn control(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let url = format!("{}{path}", self.endpoint);
        let client = http_client();
        let request = client.request(method.parse().expect("a method"), url);
        let request = match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_string()),
            None => request,
        };
        let answer = request.send().await.expect("the local cloud answers");
        let status = answer.status();
        let text = answer.text().await.expect("a text");
        assert!(status.is_success(), "{method} {path}: {status}: {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }
}

/// A deployed pipeline, with clients to inspect it from outside.
pub struct Stack {
    cloud: &'static Cloud,
    /// The stack's name, which is the prefix of all its resources' names.
    pub name: String,
    /// The template's outputs.
    pub outputs: Value,
    /// S3, with path-style addresses.
    pub s3: aws_sdk_s3::Client,
    /// Glue, with the test's credentials.
    pub glue: aws_sdk_glue::Client,
    /// Athena, with the test's credentials.
    pub athena: aws_sdk_athena::Client,
    /// Step Functions, with the test's credentials.
    pub sfn: aws_sdk_sfn::Client,
    /// Lambda, with the test's credentials.
    pub lambda: aws_sdk_lambda::Client,
    /// S3 with the credentials of validate's role, the only one that may write to raw-hist.
    as_validate: aws_sdk_s3::Client,
    http: reqwest::Client,
    database: String,
    raw_database: String,
}

/// The differences between a test's stack and the deployed one.
#[derive(Default)]
pub struct Options {
    /// Template parameters in addition to the test's defaults.
    pub parameters: Vec<(&'static str, String)>,
    /// A metadata folder that replaces the project's.
    pub metadata: Option<PathBuf>,
}

impl Stack {
    /// Deploys the template under the given name. Glue databases belong to an account, not to a stack, so each stack
    /// also gets databases of its own.
    pub async fn deploy(name: &str, options: Options) -> Self {
        let cloud = cloud();
        let (metadata, database, raw_database) = databases_of(cloud, name, options.metadata.as_deref());
        let functions = package(cloud, name, &metadata);
        let base_folder = "open_data/postcodes_example";
        let mut parameters = json!({"RebuildWindowSeconds": "1", "BaseFolder": base_folder, "Database": database,
                                    "RawDatabase": raw_database});
        for (key, value) in options.parameters {
            parameters[key] = value.into();
        }
        let body = json!({"stack": name, "functions": functions, "parameters": parameters});
        let deployed = cloud.control("POST", "/_local/stacks", Some(body)).await;
        let config = sdk_config(cloud, Credentials::new("local", "local", None, None, "tests")).await;
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true);
        let role = cloud.control("POST", &format!("/_local/functions/{name}-validate/credentials"), None).await;
        let [id, secret, token] = ["access_key_id", "secret_access_key", "session_token"]
            .map(|part| role[part].as_str().expect("validate's credentials").to_owned());
        let as_validate = s3.clone().credentials_provider(Credentials::new(id, secret, Some(token), None, "tests"));
        Self {
            cloud,
            name: name.into(),
            outputs: deployed["outputs"].clone(),
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            as_validate: aws_sdk_s3::Client::from_conf(as_validate.build()),
            glue: aws_sdk_glue::Client::new(&config),
            athena: aws_sdk_athena::Client::new(&config),
            sfn: aws_sdk_sfn::Client::new(&config),
            lambda: aws_sdk_lambda::Client::new(&config),
            http: http_client(),
            database,
            raw_database,
        }
    }

    /// Returns the URL of the local cloud.
    pub fn endpoint(&self) -> &'static str {
        &self.cloud.endpoint
    }

    /// Returns the name of the Glue database of curated tables.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Returns the name of the Glue database over raw-hist, or `none` if the metadata has no such database.
    pub fn raw_database(&self) -> &str {
        &self.raw_database
    }

    /// Returns the name of an area's bucket.
    pub fn bucket(&self, area: &str) -> String {
        format!("{}-{area}-123456789012-eu-west-2", self.name)
    }

    /// Returns a function's full name.
    pub fn function(&self, name: &str) -> String {
        format!("{}-{name}", self.name)
    }

    /// Replaces a metadata file and deploys all functions again. Function processes that already run keep the old file.
    pub async fn describe(&self, file: &str, text: &str) {
        write(&self.metadata(), file, text);
        for function in ["extract", "validate", "curate", "catalog"] {
            let name = self.function(function);
            let settings = self.lambda.get_function_configuration().function_name(&name).send().await;
            let settings = settings.expect("the function's settings");
            let mut variables = settings.environment().and_then(|found| found.variables()).cloned().unwrap_or_default();
            let changes = variables.get("DESCRIBED").and_then(|n| n.parse().ok()).unwrap_or(0) + 1;
            variables.insert("DESCRIBED".into(), changes.to_string());
            let environment = aws_sdk_lambda::types::Environment::builder().set_variables(Some(variables)).build();
            let update = self.lambda.update_function_configuration().function_name(&name).environment(environment);
            update.send().await.expect("the function is deployed anew");
        }
    }

    /// Returns the folder from which the stack's functions read metadata when they start.
    pub fn metadata(&self) -> PathBuf {
        self.cloud.state.path().join("meta_data").join(&self.name)
    }

    /// Takes a snapshot of all areas and of the databases, and returns its id.
    pub async fn snapshot(&self) -> String {
        let areas = ["land", "raw-hist", "raw", "processed", "curated", "quarantine", "reports"];
        let buckets = areas.map(|area| self.bucket(area));
        let databases = [self.database(), self.raw_database()];
        let taken =
            self.cloud.control("POST", "/_local/snapshots", Some(json!({"buckets": buckets, "databases": databases})));
        taken.await["id"].as_str().expect("its id").to_owned()
    }

    /// Restores all areas and databases to the snapshot.
    pub async fn restore(&self, snapshot: &str) {
        self.cloud.control("POST", &format!("/_local/snapshots/{snapshot}/restore"), None).await;
    }

    /// Lists every key in an area.
    pub async fn keys(&self, area: &str) -> Vec<String> {
        let mut pages = self.s3.list_objects_v2().bucket(self.bucket(area)).into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.expect("a listing");
            keys.extend(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
        }
        keys
    }

    /// Reads an object's bytes.
    pub async fn read(&self, area: &str, key: &str) -> Vec<u8> {
        let found = self.s3.get_object().bucket(self.bucket(area)).key(key).send().await;
        let found = found.unwrap_or_else(|error| panic!("{area}/{key}: {error:?}"));
        found.body.collect().await.expect("the object's bytes").to_vec()
    }

    /// Reads a JSON object.
    pub async fn read_json(&self, area: &str, key: &str) -> Value {
        serde_json::from_slice(&self.read(area, key).await).expect("JSON")
    }

    /// Reads a gzipped object's text.
    pub async fn read_gzip(&self, area: &str, key: &str) -> String {
        let mut text = String::new();
        let bytes = self.read(area, key).await;
        flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).expect("gzip");
        text
    }

    /// Puts a file into land, as a supplier does. The object has a tag, as if a scanner had tagged it, and copies keep
    /// it.
    pub async fn land(&self, key: &str, bytes: Vec<u8>) {
        let put = self.s3.put_object().bucket(self.bucket("land")).key(key).body(ByteStream::from(bytes));
        let put = put.tagging("scanned=clean");
        put.send().await.expect("the file lands");
    }

    /// Puts a file into raw-hist with validate's credentials, as nobody else may write there.
    pub async fn put_history(&self, key: &str, bytes: Vec<u8>) {
        let put = self.as_validate.put_object().bucket(self.bucket("raw-hist")).key(key);
        put.body(ByteStream::from(bytes)).send().await.expect("the file is in raw-hist");
    }

    /// Invokes a function and returns its answer, or its error type and message.
    pub async fn invoke(&self, function: &str, event: Value) -> Result<Value, (String, String)> {
        let payload = aws_sdk_lambda::primitives::Blob::new(event.to_string());
        let answer = self.lambda.invoke().function_name(self.function(function)).payload(payload).send().await;
        let answer = answer.expect("an invocation");
        let bytes = answer.payload().map(|blob| blob.as_ref().to_vec()).unwrap_or_default();
        let value: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        match answer.function_error() {
            None => Ok(value),
            Some(_) => Err((
                value["errorType"].as_str().unwrap_or_default().to_owned(),
                value["errorMessage"].as_str().unwrap_or_default().to_owned(),
            )),
        }
    }

    /// Fires the extract schedule, as EventBridge Scheduler does at the scheduled time.
    pub async fn fire(&self, scheduled_time: &str) {
        self.fire_schedule("extract", json!({"scheduled_time": scheduled_time})).await;
    }

    /// Fires any schedule of the stack, with options of the local cloud.
    pub async fn fire_schedule(&self, name: &str, options: Value) {
        self.cloud.control("POST", &format!("/_local/schedules/{}-{name}/fire", self.name), Some(options)).await;
    }

    async fn calls_of(&self, function: &str, method: &str, what: &str, body: Option<Value>) -> Value {
        self.cloud.control(method, &format!("/_local/functions/{}/{what}", self.function(function)), body).await
    }

    /// Counts a function's calls by AWS operation, since the function's first call or since the last
    /// [`Self::forget_calls`].
    pub async fn calls(&self, function: &str) -> BTreeMap<String, u64> {
        serde_json::from_value(self.calls_of(function, "GET", "calls", None).await).expect("numbers by operation")
    }

    /// Resets a function's call counts to 0.
    pub async fn forget_calls(&self, function: &str) {
        self.calls_of(function, "DELETE", "calls", None).await;
    }

    /// Kills the first process of a function that reaches call `at_call` within one invocation. Calls count from 1, and
    /// only those of `operation` if it is set. `when` states whether the process dies before or after the call takes
    /// effect.
    pub async fn crash(&self, function: &str, crash: Value) {
        self.calls_of(function, "POST", "crash", Some(crash)).await;
    }

    /// Returns the call at which the last requested crash struck, as `operation`, `call` and `request_id`. Returns
    /// `None` if it has not struck.
    pub async fn struck(&self, function: &str) -> Option<Value> {
        let crash = self.calls_of(function, "GET", "crash", None).await;
        Some(crash["struck"].clone()).filter(|struck| !struck.is_null())
    }

    /// Invokes a function, holds the invocation before the given call of an operation, and releases it when `meanwhile`
    /// has completed. Returns the results of both.
    pub async fn held<T>(
        &self,
        function: &str,
        event: Value,
        (operation, at_call): (&str, u64),
        meanwhile: impl Future<Output = T>,
    ) -> (Result<Value, (String, String)>, T) {
        let hold = json!({"operation": operation, "at_call": at_call, "when": "hold"});
        self.crash(function, hold).await;
        let other = async {
            self.eventually("the held call", async || self.struck(function).await).await;
            let done = meanwhile.await;
            self.go_on(function).await;
            done
        };
        tokio::join!(self.invoke(function, event), other)
    }

    /// Releases a held call, which then takes effect.
    pub async fn go_on(&self, function: &str) {
        self.calls_of(function, "DELETE", "crash", None).await;
    }

    /// Makes a function's calls of an `operation` fail. `calls.Fault` of the local cloud defines the keys.
    pub async fn fault(&self, function: &str, fault: Value) {
        self.calls_of(function, "POST", "faults", Some(fault)).await;
    }

    /// Removes all faults of a function.
    pub async fn forget_faults(&self, function: &str) {
        self.calls_of(function, "DELETE", "faults", None).await;
    }

    /// Counts the calls of a function that are still going to fail.
    pub async fn faults_left(&self, function: &str) -> u64 {
        let faults = self.calls_of(function, "GET", "faults", None).await;
        faults.as_array().expect("the faults").iter().filter_map(|fault| fault["times"].as_u64()).sum()
    }

    /// Keeps catalog's queries queued until they are released or stopped.
    pub async fn hold_queries(&self) {
        self.cloud.control("POST", &format!("/_local/athena/{}-review/hold", self.name), None).await;
    }

    /// Releases catalog's queries.
    pub async fn release_queries(&self) {
        self.cloud.control("POST", &format!("/_local/athena/{}-review/release", self.name), None).await;
    }

    /// Lists this stack's finished invocations of a function, in order.
    pub async fn invocations(&self, function: &str) -> Vec<Value> {
        let name = self.function(function);
        let all = self.cloud.control("GET", "/_local/invocations", None).await;
        let all = all["finished"].as_array().or(all["invocations"].as_array()).cloned().unwrap_or_default();
        all.into_iter().filter(|invocation| invocation["function"] == name).collect()
    }

    /// Reports whether a process of a function is handling an event.
    pub async fn is_busy(&self, function: &str) -> bool {
        let processes = self.calls_of(function, "GET", "processes", None).await;
        processes.as_array().expect("the processes").iter().any(|process| process["busy"] == true)
    }

    /// Lists all executions of the state machine, newest first, as name and status.
    pub async fn executions(&self) -> Vec<(String, String)> {
        let arn = self.outputs["StateMachineArn"].as_str().expect("the output StateMachineArn").to_owned();
        let mut pages = self.sfn.list_executions().state_machine_arn(arn).into_paginator().send();
        let mut executions = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.expect("executions");
            executions.extend(page.executions().iter().map(|e| (e.name().to_owned(), e.status().as_str().to_owned())));
        }
        executions
    }

    /// Starts the state machine, as the console does, and returns the execution's ARN.
    pub async fn start_execution(&self, input: &str) -> String {
        let arn = self.outputs["StateMachineArn"].as_str().expect("the output StateMachineArn");
        let started = self.sfn.start_execution().state_machine_arn(arn).input(input).send().await;
        started.expect("an execution").execution_arn
    }

    /// Waits until no execution runs and at least `least` executions have succeeded. Panics if one has failed.
    pub async fn settled(&self, least: usize) -> Vec<(String, String)> {
        self.eventually(&format!("{least} executions have succeeded"), async || {
            let executions = self.executions().await;
            let running = executions.iter().any(|(_, status)| status == "RUNNING");
            assert!(
                executions.iter().all(|(_, status)| ["RUNNING", "SUCCEEDED"].contains(&status.as_str())),
                "{executions:?}\n{}",
                self.logs()
            );
            (!running && executions.len() >= least).then_some(executions)
        })
        .await
    }

    /// Waits until raw-hist has this many files and land has none. A file leaves land after the rebuild that will
    /// include its rows has been requested.
    pub async fn landed(&self, files: usize) {
        self.eventually(&format!("{files} files are in raw-hist alone"), async || {
            let history = self.keys("raw-hist").await.len();
            let land = self.keys("land").await;
            // the lifecycle rule deletes the files that a dead attempt of extract had staged
            (history == files && land.iter().all(|key| key.starts_with(contract::STAGED))).then_some(())
        })
        .await;
    }

    /// Waits until the condition returns a value. Panics after two minutes.
    pub async fn eventually<T>(&self, what: &str, condition: impl AsyncFn() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = condition().await {
                return found;
            }
            assert!(Instant::now() < deadline, "never seen: {what}\n{}", self.logs());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Returns the rows of an Athena query as text, without the header. Panics if the query fails.
    pub async fn query(&self, sql: &str) -> Vec<Vec<String>> {
        self.ask(sql).await.unwrap_or_else(|reason| panic!("{sql}: {reason}"))
    }

    /// Returns the rows of an Athena query as text, without the header, or the reason why the query failed.
    pub async fn ask(&self, sql: &str) -> Result<Vec<Vec<String>>, String> {
        let workgroup = &self.name;
        let started = self.athena.start_query_execution().work_group(workgroup).query_string(sql).send().await;
        let id = started.expect("a query").query_execution_id.expect("its id");
        let ended = self.eventually(sql, async || {
            let execution = self.athena.get_query_execution().query_execution_id(&id).send().await;
            let execution = execution.expect("the query").query_execution.expect("the query");
            let status = execution.status.expect("its status");
            match status.state.expect("its state") {
                QueryExecutionState::Succeeded => Some(Ok(())),
                QueryExecutionState::Failed | QueryExecutionState::Cancelled => {
                    Some(Err(status.state_change_reason.unwrap_or_default()))
                }
                _ => None,
            }
        });
        ended.await?;
        let results = self.athena.get_query_results().query_execution_id(&id).send().await.expect("results");
        let rows = results.result_set.and_then(|set| set.rows).unwrap_or_default();
        let text = |row: aws_sdk_athena::types::Row| {
            let data = row.data.unwrap_or_default().into_iter();
            data.map(|value| value.var_char_value.unwrap_or_else(|| "NULL".into())).collect()
        };
        Ok(rows.into_iter().skip(1).map(text).collect())
    }

    /// Counts the rows of a table in this stack's database.
    pub async fn count(&self, table: &str) -> u64 {
        let rows = self.query(&format!("SELECT COUNT(*) FROM {}.{table}", self.database)).await;
        rows[0][0].parse().expect("a number")
    }

    /// Returns the last lines of the functions' logs, for a failed assertion's message.
    pub fn logs(&self) -> String {
        let mut text = String::new();
        for function in ["extract", "validate", "curate", "catalog"] {
            let file = self.cloud.state.path().join(format!("logs/{}.log", self.function(function)));
            let log = std::fs::read_to_string(file).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(15).collect();
            text.push_str(&format!("--- {function}\n"));
            tail.iter().rev().for_each(|line| text.push_str(&format!("{line}\n")));
        }
        text
    }

    /// Returns the highest memory use of a function's invocations in MB, without the memory of its binary. Returns
    /// `None` if the operating system does not report it.
    pub fn peak_memory(&self, function: &str) -> Option<u64> {
        let file = self.cloud.state.path().join(format!("logs/{}.log", self.function(function)));
        let log = std::fs::read_to_string(file).unwrap_or_default();
        let reports = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        reports.filter_map(|report| report["record"]["metrics"]["maxMemoryUsedMB"].as_u64()).max()
    }

    /// Sends a GET request to any server on this machine and returns the body.
    pub async fn get(&self, url: &str) -> String {
        self.http.get(url).send().await.expect("an answer").text().await.expect("a text")
    }
}

/// The stand-in for the postcodes API, in a process of its own.
pub struct Api {
    process: Child,
    /// `http://127.0.0.1:<port>`.
    pub origin: String,
}

impl Api {
    /// Starts it with additional command-line options.
    pub fn start(options: &[&str]) -> Self {
        let root = repository();
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
        let process = Command::new(root.join(".venv/bin/python"))
            .args(["-m", "landfall_local.postcodes", "--port", &port.port().to_string()])
            .args(options)
            .env("PYTHONPATH", root.join("infra/local"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("the stand-in starts");
        let deadline = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(port).is_err() {
            assert!(Instant::now() < deadline, "the stand-in does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { process, origin: format!("http://{port}") }
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Writes a file into a metadata folder.
pub fn write(folder: &Path, file: &str, text: &str) {
    let file = folder.join(file);
    std::fs::create_dir_all(file.parent().unwrap_or(folder)).expect("a folder");
    std::fs::write(file, text).expect("a file");
}

/// Copies only the metadata of the postcodes dataset into a folder, not the datasets that a user may have added.
pub fn postcodes(folder: &Path) {
    for file in [
        "raw/database.json",
        "raw/random_postcodes.json",
        "curated/database.json",
        "curated/random_postcodes.json",
        "curated/random_postcodes.sql",
        "curated/calculated.json",
        "curated/calculated.sql",
    ] {
        write(folder, file, &std::fs::read_to_string(repository().join("meta_data").join(file)).expect("the metadata"));
    }
}

/// Copies a metadata folder, or that of the postcodes, and gives its curated and raw databases names of the stack's
/// own. Returns the folder and both names.
fn databases_of(cloud: &Cloud, stack: &str, metadata: Option<&Path>) -> (PathBuf, String, String) {
    let to = cloud.state.path().join("meta_data").join(stack);
    match metadata {
        None => postcodes(&to),
        Some(from) => {
            for folder in ["raw", "processed", "curated"].into_iter().filter(|folder| from.join(folder).exists()) {
                std::fs::create_dir_all(to.join(folder)).expect("a folder");
                for entry in std::fs::read_dir(from.join(folder)).expect("the metadata") {
                    let entry = entry.expect("a file");
                    std::fs::copy(entry.path(), to.join(folder).join(entry.file_name())).expect("a copy");
                }
            }
        }
    }
    let own = |file: &Path| {
        let mut database: Value = serde_json::from_slice(&std::fs::read(file).expect("database.json")).expect("JSON");
        let name = format!("{}_{}", database["name"].as_str().expect("a name"), stack.replace('-', "_"));
        database["name"] = name.as_str().into();
        std::fs::write(file, database.to_string()).expect("database.json is written");
        name
    };
    let database = own(&to.join("curated/database.json"));
    let raw = to.join("raw/database.json");
    let raw_database = if raw.exists() { own(&raw) } else { "none".into() };
    (to, database, raw_database)
}

/// Makes code packages like those of `make functions`, with the stack's own metadata in them.
fn package(cloud: &Cloud, stack: &str, metadata: &Path) -> PathBuf {
    let folder = cloud.state.path().join("functions").join(stack);
    for function in ["extract", "validate", "curate", "catalog"] {
        let package = folder.join(function);
        std::fs::create_dir_all(&package).expect("a folder");
        let bootstrap = repository().join(".local/functions").join(function).join("bootstrap");
        let bootstrap = bootstrap.canonicalize().expect("the built function");
        std::os::unix::fs::symlink(bootstrap, package.join("bootstrap")).expect("a link");
        std::os::unix::fs::symlink(metadata, package.join("meta_data")).expect("a link");
    }
    folder
}

/// reqwest needs a TLS provider even for plain HTTP.
fn http_client() -> reqwest::Client {
    // fails from the second test on, because a provider is installed already
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

async fn sdk_config(cloud: &Cloud, credentials: Credentials) -> SdkConfig {
    let loader = boot::aws::loader().endpoint_url(&cloud.endpoint).region(Region::new("eu-west-2"));
    loader.credentials_provider(credentials).load().await
}

/// Gzips a text, as a supplier does.
pub fn gzip(text: &str) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).expect("gzip");
    encoder.finish().expect("gzip")
}
