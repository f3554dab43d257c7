//! The schedule explorer: every pair of invocations that can overlap, one whole at every call of the other; and each of
//! them dead, unanswered or refused at every call. Then retries run, and what must be true is checked ([`invariants`]).
//!
//! `EXPLORE=300 EXPLORE_SEED=7 cargo test --workspace --test end_to_end -- --ignored --nocapture explore_at_large` takes so
//! many; `EXPLORE=all` all of them, which takes a day; `EXPLORE_ONLY='Previous at catalog PutObject'` those whose line
//! begins so.

mod invariants;
mod schedule;
mod world;

use std::time::Instant;

use schedule::{Error, Invocation, Place, Schedule, Trouble};
use world::World;

/// What can happen at a call.
fn troubles() -> Vec<Trouble> {
    let mut troubles: Vec<Trouble> = Invocation::ALL.into_iter().map(Trouble::Meanwhile).collect();
    for when in ["before", "after"] {
        let others = [Invocation::Publish("newer"), Invocation::Previous, Invocation::Expire, Invocation::Recreate];
        let then = others.map(|then| Trouble::Dies { when, then: Some(then) });
        troubles.extend(then.into_iter().chain([Trouble::Dies { when, then: None }]));
    }
    troubles.push(Trouble::Lost);
    for error in [Error::Throttled, Error::Internal, Error::Denied] {
        troubles.push(Trouble::Refused { error, times: 1 });
        troubles.push(Trouble::Refused { error, times: 100 });
    }
    troubles
}

fn schedules(outer: Invocation, places: &[Place]) -> Vec<Schedule> {
    let of_place = |place: &Place| {
        let place = place.clone();
        troubles().into_iter().map(move |trouble| Schedule { outer, place: place.clone(), trouble })
    };
    places.iter().flat_map(of_place).collect()
}

#[expect(clippy::disallowed_methods, reason = "what is asked of this test alone")]
fn setting(variable: &str) -> Option<String> {
    std::env::var(variable).ok()
}

fn number(variable: &str) -> Option<u64> {
    setting(variable)?.parse().ok()
}

/// Runs schedules and gives the lines of those that ended wrong.
async fn explore(world: &World, schedules: &[Schedule]) -> Vec<String> {
    let mut problems = Vec::new();
    for (n, schedule) in schedules.iter().enumerate() {
        let started = Instant::now();
        let happened = world.try_out(schedule).await;
        let checked = world.check(schedule, &happened).await;
        let reached = if happened.reached { "" } else { ", not reached" };
        let seconds = started.elapsed().as_secs_f64();
        println!("{}/{} {schedule}: {seconds:.1} s{reached}", n + 1, schedules.len());
        if let Err(problem) = checked {
            let answers: Vec<String> =
                happened.answers.iter().map(|(who, answer)| format!("{who:?}: {answer:.400?}")).collect();
            println!("  WRONG: {problem}\n  {}", answers.join("\n  "));
            problems.push(format!("{schedule}\n  {problem}"));
        }
    }
    problems
}

/// Some invocations, and some of what can happen to each: which, the seed says.
async fn sample(name: &str, invocations: usize, of_each: usize) {
    let seed = number("EXPLORE_SEED").unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        now.as_secs() / (24 * 60 * 60)
    });
    println!("EXPLORE_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let world = World::new(name).await;
    let only = setting("EXPLORE_ONLY");
    let mut outers = Invocation::ALL.to_vec();
    random.shuffle(&mut outers);
    if let Some(only) = &only {
        outers
            .retain(|outer| only.starts_with(&format!("{outer:?}")) || format!("{outer:?}").starts_with(only.as_str()));
    }
    let mut chosen = Vec::new();
    for outer in outers.into_iter().take(invocations) {
        let places = world.places(outer).await;
        let mut all = schedules(outer, &places);
        random.shuffle(&mut all);
        if let Some(only) = &only {
            all.retain(|schedule| schedule.to_string().starts_with(only.as_str()));
        }
        all.truncate(of_each);
        chosen.extend(all);
    }
    random.shuffle(&mut chosen);
    let problems = explore(&world, &chosen).await;
    assert!(
        problems.is_empty(),
        "EXPLORE_SEED={seed}: {} of {}\n{}",
        problems.len(),
        chosen.len(),
        problems.join("\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_at_a_call_the_end_is_one_decision() {
    sample("explored", 2, 6).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes as long as it is asked to"]
async fn explore_at_large() {
    let asked = setting("EXPLORE").unwrap_or_default();
    let of_each =
        if asked == "all" { usize::MAX } else { asked.parse::<usize>().unwrap_or(100).div_ceil(Invocation::ALL.len()) };
    sample("explored-at-large", Invocation::ALL.len(), of_each).await;
}
