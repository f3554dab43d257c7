//! Planned faults: the request that fails, and the way in which it does.

use crate::Account;

/// The way in which a request fails.
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
    /// The request is answered with an error of this status and has no effect.
    pub const fn refused(status: u16) -> Self {
        Self { way: Way::Refused(status), lasting: false }
    }

    /// The connection closes before the answer, and the request has no effect.
    pub const fn closed() -> Self {
        Self { way: Way::Closed, lasting: false }
    }

    /// The connection closes before the answer, although the request took effect.
    pub const fn lost() -> Self {
        Self { way: Way::Lost, lasting: false }
    }

    /// The connection closes in the middle of the answer's body. An answer without a body arrives unharmed.
    pub const fn cut() -> Self {
        Self { way: Way::Cut, lasting: false }
    }

    /// The same step keeps failing, however often it is tried.
    pub const fn for_good(self) -> Self {
        Self { lasting: true, ..self }
    }
}

/// A fault and the request that it is for.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    fault: Fault,
    at: At,
    /// The step that has failed.
    hit: Option<String>,
}

#[derive(Clone, Debug)]
enum At {
    /// The request after this many others.
    Request(usize),
    /// The next step that begins with this text.
    Step(String),
}

impl Account {
    /// Makes a request fail: the next one if `n` is 0. Replaces an earlier fault.
    pub fn fail_request(&mut self, n: usize, fault: Fault) {
        self.planned = Some(Planned { fault, at: At::Request(n), hit: None });
    }

    /// Makes the next step that begins with `start` fail. Replaces an earlier fault.
    pub fn fail_step(&mut self, start: &str, fault: Fault) {
        self.planned = Some(Planned { fault, at: At::Step(start.to_owned()), hit: None });
    }

    /// Returns the step that failed as planned.
    pub fn failed_step(&self) -> Option<&str> {
        self.planned.as_ref()?.hit.as_deref()
    }

    /// Removes the planned fault.
    pub fn heal(&mut self) {
        self.planned = None;
    }

    /// Returns the fault of the request that is about to be answered.
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
