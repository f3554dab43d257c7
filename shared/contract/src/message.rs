//! The events and answers of the functions, which pass between schedule, functions and state machine.

mod catalog;
mod curate;
mod extract;
mod outcome;
mod skip;
#[cfg(test)]
mod tests;
mod validate;

pub use catalog::{
    CatalogRequest, CatalogResponse, ExpireRequest, ExpireResponse, ExpiredRun, PublishAction, PublishRequest,
    PublishedTable, RawHistory, Target,
};
pub use curate::{
    BuiltTable, CurateRequest, CurateResponse, ProcessResponse, ProcessedFile, QuarantinedFile, RebuildRequest,
    VerifyRequest, VerifyResponse,
};
pub use extract::{ExtractRequest, ExtractResponse, ExtractedFile};
pub use outcome::{FailedTable, ObjectName, Outcome};
pub use validate::{Turn, TurnRequest, TurnResponse, ValidateRequest, ValidateResponse, ValidatedFile, Verdict};
