//! Panics without data: a panic message may contain values of rows, and it would go to the log.

use std::any::Any;
use std::panic::{AssertUnwindSafe, Location, set_hook};

use contract::Failure;
use futures::FutureExt;

/// Installs a panic hook that prints the location to standard error. It prints the message only if that is a literal.
pub fn tell_places() {
    set_hook(Box::new(|panic| eprintln!("{}", told(panic.location(), panic.payload()))));
}

/// Awaits the work and turns a panic into an internal failure.
pub(crate) async fn caught<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let ended = AssertUnwindSafe(work).catch_unwind().await;
    ended.unwrap_or_else(|panic| Err(Failure::internal(told(None, panic.as_ref()))))
}

fn told(place: Option<&Location>, payload: &(dyn Any + Send)) -> String {
    let place = place.map(|place| format!(" at {place}")).unwrap_or_default();
    // a formatted text may contain anything
    let says = payload.downcast_ref::<&'static str>().map(|text| format!(": {text}")).unwrap_or_default();
    format!("this program panicked{place}{says}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_value_is_told() {
        let value = "canary".to_owned();
        let failure = caught::<()>(async { panic!("cannot read `{value}`") }).await.unwrap_err();
        assert_eq!(failure.message, "this program panicked");
        let failure = caught::<()>(async { panic!("nothing is left") }).await.unwrap_err();
        assert_eq!(failure.message, "this program panicked: nothing is left");
    }
}
