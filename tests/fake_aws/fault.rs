//! Requests that fail: which one, and how.

use crate::Account;

/// How a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub(crate) way: Way,
    pub(crate) lasting: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Refused(u16),
    Closed,
    Lost,
    Cut,
}

impl Fault {
    /// Answered with an error of this status, without effect.
    pub const fn refused(status: u16) -> Self {
        Self { way: Way::Refused(status), lasting: false }
    }

    /// The connection is closed before an answer, and nothing has happened.
    pub const fn closed() -> Self {
        Self { way: Way::Closed, lasting: false }
    }

    /// The connection is closed before an answer, and what was asked for has happened.
    pub const fn lost() -> Self {
        Self { way: Way::Lost, lasting: false }
    }

    /// The connection is closed in the middle of the answer's body; of an answer without one, all is well.
    pub const fn cut() -> Self {
        Self { way: Way::Cut, lasting: false }
    }

    /// The same step goes on failing so, however often it is tried.
    pub const fn for_good(self) -> Self {
        Self { lasting: true, ..self }
    }
}

/// A fault, and the request that it is for.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    fault: Fault,
    at: At,
    /// The step that failed.
    hit: Option<String>,
}

#[derive(Clone, Debug)]
enum At {
    /// After so many requests.
    Request(usize),
    /// The next step that begins so.
    Step(String),
}

impl Account {
    /// Lets a request fail: the next one for 0. Replaces an earlier fault.
    pub fn fail_request(&mut self, n: usize, fault: Fault) {
        self.planned = Some(Planned { fault, at: At::Request(n), hit: None });
    }

    /// Lets the next step that begins so fail. Replaces an earlier fault.
    pub fn fail_step(&mut self, start: &str, fault: Fault) {
        self.planned = Some(Planned { fault, at: At::Step(start.to_owned()), hit: None });
    }

    /// The step that failed as it was to.
    pub fn failed_step(&self) -> Option<&str> {
        self.planned.as_ref()?.hit.as_deref()
    }

    /// From now on nothing fails.
    pub fn heal(&mut self) {
        self.planned = None;
    }

    /// What goes wrong with the request that is to be answered now.
    pub(crate) fn fault(&mut self, step: &str) -> Option<Way> {
        let planned = self.planned.as_mut()?;
        if let Some(hit) = &planned.hit {
            return (planned.fault.lasting && hit == step).then_some(planned.fault.way);
        }
        match &mut planned.at {
            At::Request(left) if *left > 0 => {
                *left -= 1;
                return None;
            }
            At::Step(start) if !step.starts_with(start.as_str()) => return None,
            _ => planned.hit = Some(step.to_owned()),
        }
        Some(planned.fault.way)
    }
}
