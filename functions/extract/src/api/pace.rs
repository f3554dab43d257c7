//! Pace: limits how many requests start per second. Turns are evenly spaced, so there are no bursts. If a source asks
//! for a pause, all requests observe it, not only the one that received the answer.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Hands out turns: the times at which requests may start.
#[derive(Debug)]
pub(super) struct Pacer {
    turns: Mutex<Turns>,
}

#[derive(Debug)]
struct Turns {
    interval: Duration,
    next: Instant,
    paused_until: Instant,
}

impl Pacer {
    /// Creates a pacer of at most `per_second` turns a second.
    pub(super) fn new(per_second: u32, now: Instant) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        Self { turns: Mutex::new(Turns { interval, next: now, paused_until: now }) }
    }

    /// Returns the next free turn.
    pub(super) fn reserve(&self) -> Instant {
        self.turns().reserve(Instant::now())
    }

    /// Waits until the turn. If a pause has overtaken it, reserves another turn and waits for that one.
    pub(super) async fn wait_for(&self, mut turn: Instant) {
        loop {
            sleep_until(turn).await;
            if self.turns().holds(turn) {
                return;
            }
            turn = self.reserve();
        }
    }

    /// Hands out no turn before `time`.
    pub(super) fn pause_until(&self, time: Instant) {
        let mut turns = self.turns();
        turns.paused_until = turns.paused_until.max(time);
    }

    fn turns(&self) -> std::sync::MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turns {
    fn reserve(&mut self, now: Instant) -> Instant {
        let turn = now.max(self.next).max(self.paused_until);
        self.next = turn + self.interval;
        turn
    }

    fn holds(&self, turn: Instant) -> bool {
        turn >= self.paused_until
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whenever turns are requested, and whatever pauses there are, no second has more than its number of turns. No
        /// turn is later than necessary.
        #[test]
        fn no_second_has_too_many_turns(
            per_second in 1u32..200,
            events in proptest::collection::vec((0u64..400, proptest::option::weighted(0.1, 0u64..3000)), 1..150),
        ) {
            let mut now = Instant::now();
            let pacer = Pacer::new(per_second, now);
            let mut turns = pacer.turns();
            let mut given: Vec<Instant> = Vec::new();
            for (gap, pause) in events {
                now += Duration::from_millis(gap);
                if let Some(pause) = pause {
                    turns.paused_until = turns.paused_until.max(now + Duration::from_millis(pause));
                }
                let turn = turns.reserve(now);
                prop_assert!(turn >= now && turns.holds(turn));
                let earliest = given.last().map_or(now, |last| *last + turns.interval);
                prop_assert_eq!(turn, now.max(earliest).max(turns.paused_until));
                given.push(turn);
            }
            // the interval is rounded down to a nanosecond
            let slack = Duration::from_nanos(u64::from(per_second));
            for window in given.windows(per_second as usize + 1) {
                prop_assert!(window[per_second as usize] - window[0] + slack >= Duration::from_secs(1));
            }
        }
    }

    #[tokio::test]
    async fn a_pause_overtakes_turns_that_were_given() {
        let start = Instant::now();
        let pacer = Pacer::new(100, start);
        let _first = pacer.reserve();
        let turn = pacer.reserve();
        let pause = Duration::from_millis(200);
        let (waited, ()) = tokio::join!(
            async {
                pacer.wait_for(turn).await;
                start.elapsed()
            },
            async { pacer.pause_until(start + pause) }
        );
        assert!(waited >= pause, "{waited:?}");
    }
}
