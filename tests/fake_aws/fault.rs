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
    /// Requests until then.
    left: usize,
    /// The step that failed.
    hit: Option<String>,
}

impl Account {
    /// Lets a request fail: the next one for 0. Replaces an earlier fault.
    pub fn fail_request(&mut self, n: usize, fault: Fault) {
        self.planned = Some(Planned { fault, left: n, hit: None });
    }

    /// The step that failed as [`Account::fail_request`] had it.
    pub fn failed_step(&self) -> Option<&str> {
        self.planned.as_ref()?.hit.as_deref()
    }

    /// From now on nothing fails.
    pub fn heal(&mut self) {
        self.planned = None;
        self.fail = None;
    }

    /// What goes wrong with the request that is to be answered now.
    pub(crate) fn fault(&mut self, step: &str) -> Option<Way> {
        if let Some((start, status)) = &self.fail
            && step.starts_with(start)
        {
            return Some(Way::Refused(*status));
        }
        let planned = self.planned.as_mut()?;
        match &planned.hit {
            Some(hit) => (planned.fault.lasting && hit == step).then_some(planned.fault.way),
            None if planned.left == 0 => {
                planned.hit = Some(step.to_owned());
                Some(planned.fault.way)
            }
            None => {
                planned.left -= 1;
                None
            }
        }
    }
}
