//! A schedule: an invocation, one of its calls, and the trouble at that call. A failed invocation is retried as the
//! platform does.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value, json};

use crate::explorer::world::{Beginning, Seen, World};

/// An answer, or an error's type and message.
pub(super) type Answer = Result<Value, (String, String)>;

/// An invocation that can overlap with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Invocation {
    /// An execution of the state machine publishes a run that was built before.
    Publish(&'static str),
    /// Somebody rolls back to the previous decision.
    Previous,
    /// Somebody rolls back to the first run.
    First,
    /// Somebody publishes the latest run.
    Latest,
    /// Somebody drops a table that the metadata no longer describes.
    Drop,
    /// Somebody recreates the database.
    Recreate,
    /// Runs that nothing needs any more expire.
    Expire,
    /// An execution of the state machine.
    Rebuild,
    /// An execution that builds everything from all files.
    FromScratch,
    /// An execution for some of the tables.
    Some,
}

impl Invocation {
    /// Publishes a run whose manifest has wrong row counts.
    pub(super) const WRONG: Self = Self::Publish("wrong");

    /// All invocations.
    pub(super) const ALL: [Self; 15] = [
        Self::Publish("older"),
        Self::WRONG,
        Self::Publish("newer"),
        Self::Publish("some"),
        Self::Publish("scratch"),
        Self::Publish("as_of"),
        Self::Previous,
        Self::First,
        Self::Latest,
        Self::Drop,
        Self::Recreate,
        Self::Expire,
        Self::Rebuild,
        Self::FromScratch,
        Self::Some,
    ];

    /// Whether a reader may see older rows after newer ones.
    pub(super) fn goes_back(self) -> bool {
        // an as-of run is the newest run but has the fewest files, and it replaces every table completely
        matches!(self, Self::Previous | Self::First | Self::Latest | Self::Drop | Self::Publish("as_of" | "wrong"))
    }

    /// Whether the caller repeats the invocation after a crash or a transient refusal. Repeating a rollback would go
    /// one step further back.
    fn is_repeated(self) -> bool {
        self != Self::Previous
    }

    /// Returns the functions that it invokes.
    pub(super) fn functions(self) -> &'static [&'static str] {
        match self {
            Self::Rebuild | Self::FromScratch | Self::Some => &["curate", "catalog"],
            _ => &["catalog"],
        }
    }
}

/// A call: the function, the operation, and the count of that operation within the invocation, from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub function: &'static str,
    pub operation: String,
    pub at_call: u64,
}

/// A fault, or another invocation, at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Another invocation runs to its end before the call takes effect.
    Meanwhile(Invocation),
    /// The process dies before or after the call takes effect. `then` runs before the retry.
    Dies { when: &'static str, then: Option<Invocation> },
    /// The call takes effect, but its answer is lost.
    Lost,
    /// The call is refused `times` times: once, so that the client's retry succeeds, or every time.
    Refused { error: Error, times: u64 },
}

/// A kind of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Error {
    Throttled,
    Internal,
    Denied,
}

impl Error {
    /// Returns the error's name and HTTP status in the operation's service.
    pub(super) fn of(self, operation: &str) -> (&'static str, u16) {
        let is_s3 = operation.contains("Object")
            || operation.contains("Upload")
            || operation.contains("Part") && !operation.contains("Partition");
        match (self, is_s3, operation.contains("Quer")) {
            (Self::Throttled, true, _) => ("SlowDown", 503),
            (Self::Internal, true, _) => ("InternalError", 500),
            (Self::Denied, true, _) => ("AccessDenied", 403),
            (Self::Throttled, _, true) => ("TooManyRequestsException", 400),
            (Self::Internal, _, true) => ("InternalServerException", 500),
            (Self::Throttled, ..) => ("ThrottlingException", 400),
            (Self::Internal, ..) => ("InternalServiceException", 500),
            (Self::Denied, ..) => ("AccessDeniedException", 400),
        }
    }
}

/// An invocation, one of its calls, and the trouble at that call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    pub beginning: Beginning,
    pub outer: Invocation,
    pub place: Place,
    pub trouble: Trouble,
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { function, operation, at_call } = &self.place;
        let beginning = if self.beginning == Beginning::Empty { ", first of all" } else { "" };
        write!(f, "{:?} at {function} {operation} {at_call}: {:?}{beginning}", self.outer, self.trouble)
    }
}

/// The observations of one run of a schedule.
#[derive(Default)]
pub(super) struct Happened {
    /// Whether the call was made.
    pub reached: bool,
    /// The results of readers' queries, in order.
    pub seen: Vec<Result<Seen, String>>,
    /// The answers, in the order in which invocations ended.
    pub answers: Vec<(Invocation, Answer)>,
}

/// Selects the calls of an operation that differ from each other. The number of polls of a query's state varies, and of
/// many files that expire each is deleted like the one before.
pub(super) fn apart(operation: &str, calls: u64) -> BTreeSet<u64> {
    match operation {
        "GetQueryExecution" => [1].into(),
        "DeleteObject" if calls > 4 => [1, 2, calls / 2, calls].into(),
        _ => (1..=calls).collect(),
    }
}

impl World {
    /// Lists the calls of an undisturbed invocation.
    pub(super) async fn places(&self, beginning: Beginning, invocation: Invocation) -> Vec<Place> {
        self.begin(beginning).await;
        for function in invocation.functions() {
            self.stack.forget_calls(function).await;
        }
        let answer = self.run(invocation).await;
        let may_fail = beginning == Beginning::Empty || invocation == Invocation::WRONG;
        assert!(answer.is_ok() || may_fail, "{invocation:?}: {answer:?}");
        let mut places = Vec::new();
        for function in invocation.functions() {
            for (operation, calls) in self.stack.calls(function).await {
                let place = |at_call| Place { function, operation: operation.clone(), at_call };
                places.extend(apart(&operation, calls).into_iter().map(place));
            }
        }
        places
    }

    /// Runs a schedule from its beginning.
    pub(super) async fn try_out(&self, schedule: &Schedule) -> Happened {
        self.begin(schedule.beginning).await;
        let happened = RefCell::new(Happened::default());
        let Place { function, operation, at_call } = &schedule.place;
        let look = async || {
            let seen = self.look().await;
            happened.borrow_mut().seen.push(seen);
        };
        let run = async |invocation| {
            let answer = self.run(invocation).await;
            happened.borrow_mut().answers.push((invocation, answer));
        };
        match schedule.trouble {
            Trouble::Meanwhile(inner) => {
                let hold = json!({"operation": operation, "at_call": at_call, "when": "hold"});
                self.stack.crash(function, hold).await;
                let ended = Cell::new(false);
                let outer = async {
                    run(schedule.outer).await;
                    ended.set(true);
                };
                let meanwhile = async {
                    while !ended.get() && self.stack.struck(function).await.is_none() {
                        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    }
                    if !ended.get() {
                        look().await;
                        run(inner).await;
                        look().await;
                    }
                    happened.borrow_mut().reached = self.stack.struck(function).await.is_some();
                    self.stack.go_on(function).await;
                };
                tokio::join!(outer, meanwhile);
            }
            Trouble::Dies { when, then } => {
                self.stack.crash(function, json!({"operation": operation, "at_call": at_call, "when": when})).await;
                let answer = self.run_before_it_is_repeated(schedule.outer, async || {
                    look().await;
                    if let Some(then) = then {
                        run(then).await;
                        look().await;
                    }
                });
                let answer = answer.await;
                happened.borrow_mut().answers.push((schedule.outer, answer));
                happened.borrow_mut().reached = self.stack.struck(function).await.is_some();
                self.stack.go_on(function).await;
            }
            Trouble::Lost | Trouble::Refused { .. } => {
                let mut fault = json!({"operation": operation, "after": at_call - 1});
                if let Trouble::Refused { error, times } = schedule.trouble {
                    let (error, status) = error.of(operation);
                    fault["error"] = error.into();
                    fault["status"] = status.into();
                    fault["times"] = times.into();
                } else {
                    fault["lost"] = true.into();
                }
                let times = fault["times"].as_u64().unwrap_or(1);
                self.stack.fault(function, fault).await;
                let answer = self.run_before_it_is_repeated(schedule.outer, async || {
                    happened.borrow_mut().reached = self.stack.faults_left(function).await < times;
                    self.stack.forget_faults(function).await;
                    look().await;
                });
                let answer = answer.await;
                happened.borrow_mut().answers.push((schedule.outer, answer));
                happened.borrow_mut().reached |= self.stack.faults_left(function).await < times;
                self.stack.forget_faults(function).await;
            }
        }
        look().await;
        happened.into_inner()
    }

    /// Runs an invocation as the platform does.
    pub(super) async fn run(&self, invocation: Invocation) -> Answer {
        self.run_before_it_is_repeated(invocation, async || {}).await
    }

    /// Runs an invocation as the platform does, and `before` each time before a function is invoked again.
    async fn run_before_it_is_repeated(&self, invocation: Invocation, before: impl AsyncFn()) -> Answer {
        let by_hand = match invocation {
            Invocation::Publish(run) => {
                return self.execution(json!({}), Some(self.built[run].clone()), before).await;
            }
            Invocation::Rebuild => return self.execution(json!({}), None, before).await,
            Invocation::FromScratch => return self.execution(json!({"from_scratch": true}), None, before).await,
            Invocation::Some => {
                return self.execution(json!({"tables": ["parts", "log", "log_parts"]}), None, before).await;
            }
            Invocation::Previous => json!({"publish": "previous"}),
            Invocation::First => json!({"publish": self.first}),
            Invocation::Latest => json!({"publish": "latest"}),
            Invocation::Drop => json!({"publish": "latest", "drop": true}),
            Invocation::Recreate => json!({"recreate": true}),
            Invocation::Expire => json!({"expire": true}),
        };
        let times = if invocation.is_repeated() { 4 } else { 0 };
        self.task("catalog", by_hand, times, &before).await
    }

    /// Runs the state machine from curate on, or from catalog on if curate's answer is given, with the retries of
    /// infra/pipeline.asl.json.
    async fn execution(&self, request: Value, mut built: Option<Value>, before: impl AsyncFn()) -> Answer {
        let request = self.request(request);
        let mut again = 0;
        loop {
            let event = match built.take() {
                Some(event) => event,
                None => self.task("curate", request.clone(), 4, &before).await?,
            };
            let failure = event["failure"].clone();
            match self.task("catalog", event, 4, &before).await {
                Err((kind, _)) if kind == "Stale" && again < 5 => again += 1,
                Ok(_) if !failure.is_null() => return Err(("TablesFailed".into(), failure.to_string())),
                answer => return answer,
            }
        }
    }

    async fn task(&self, function: &str, event: Value, times: u32, before: &impl AsyncFn()) -> Answer {
        let retried: BTreeSet<&str> = ["Throttled", "Unavailable", "Timeout", "Runtime.ExitError"].into();
        let mut left = times;
        loop {
            match self.stack.invoke(function, event.clone()).await {
                Err((kind, _)) if left > 0 && retried.contains(kind.as_str()) => {
                    before().await;
                    left -= 1;
                }
                answer => return answer,
            }
        }
    }
}
