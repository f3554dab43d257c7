//! The schedule explorer: every pair of invocations that can overlap, one whole at every call of the other; and each of
//! them dead, unanswered or refused at every call. Then retries run, and what must be true is checked ([`invariants`]).
//!
//! `make test` takes a few, others each day; `make explore` takes as many as are asked for (docs/explorer.md).

mod invariants;
mod landing;
mod schedule;
mod world;

use std::time::Instant;

use landing::{Event, Landing};
use schedule::{Error, Invocation, Place, Schedule, Trouble};
use world::{Beginning, World};

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

fn schedules(beginning: Beginning, outer: Invocation, places: &[Place]) -> Vec<Schedule> {
    let of_place = |place: &Place| {
        let place = place.clone();
        troubles().into_iter().map(move |trouble| Schedule { beginning, outer, place: place.clone(), trouble })
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

/// The seed: the same one each time, unless another is asked for.
fn seed() -> u64 {
    number("EXPLORE_SEED").unwrap_or(1)
}

/// How many schedules of each of so many are taken where that is asked for.
fn of_each(many: usize) -> usize {
    let asked = setting("EXPLORE").unwrap_or_default();
    if asked == "all" { usize::MAX } else { asked.parse::<usize>().unwrap_or(100).div_ceil(many) }
}

/// Some of what can happen to each of some: which, the seed says.
struct Sample {
    seed: u64,
    random: fastrand::Rng,
    only: Vec<String>,
}

impl Sample {
    fn new() -> Self {
        let seed = seed();
        let only = setting("EXPLORE_ONLY").unwrap_or_default();
        let only = only.split('|').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        println!("EXPLORE_SEED={seed}");
        Self { seed, random: fastrand::Rng::with_seed(seed), only }
    }

    fn outers<T: Copy>(&mut self, all: &[T], many: usize, name: impl Fn(&T) -> String) -> Vec<T> {
        let mut outers = all.to_vec();
        self.random.shuffle(&mut outers);
        let is_named = |outer: &T| self.only.iter().any(|only| only.starts_with(&format!("{} ", name(outer))));
        if all.iter().any(is_named) {
            outers.retain(is_named);
        }
        outers.truncate(many);
        outers
    }

    fn of<T: std::fmt::Display>(&mut self, mut schedules: Vec<T>, many: usize) -> Vec<T> {
        if let Some(first) = schedules.first() {
            println!("{} schedules like {first}", schedules.len());
        }
        self.random.shuffle(&mut schedules);
        if !self.only.is_empty() {
            schedules.retain(|schedule| self.only.iter().any(|only| schedule.to_string().contains(only.as_str())));
        }
        schedules.truncate(many);
        schedules
    }

    fn all_went_well(&self, problems: &[String]) {
        assert!(
            problems.is_empty(),
            "EXPLORE_SEED={}: {} went wrong\n{}",
            self.seed,
            problems.len(),
            problems.join("\n")
        );
    }
}

/// Where what can begin. The first run has a table that is described no longer: it can only come back.
fn beginnings() -> Vec<(Beginning, Invocation)> {
    let published = Invocation::ALL.into_iter().map(|outer| (Beginning::Published, outer));
    let first = Invocation::ALL.into_iter().filter(|outer| *outer != Invocation::First);
    published.chain(first.map(|outer| (Beginning::Empty, outer))).collect()
}

async fn publications(name: &str, invocations: usize, of_each: usize) {
    let mut sample = Sample::new();
    let world = World::new(name).await;
    let mut chosen = Vec::new();
    for (beginning, outer) in sample.outers(&beginnings(), invocations, |(_, outer)| format!("{outer:?}")) {
        let places = world.places(beginning, outer).await;
        chosen.extend(sample.of(schedules(beginning, outer, &places), of_each));
    }
    sample.random.shuffle(&mut chosen);
    sample.all_went_well(&explore(&world, &chosen).await);
}

async fn landings(name: &str, events: usize, of_each: usize) {
    let mut sample = Sample::new();
    let landing = Landing::new(name).await;
    let mut chosen = Vec::new();
    for outer in sample.outers(&Event::OUTER, events, |event| format!("{event:?}")) {
        chosen.extend(sample.of(landing.schedules(outer).await, of_each));
    }
    sample.random.shuffle(&mut chosen);
    let mut problems = Vec::new();
    for (n, schedule) in chosen.iter().enumerate() {
        let started = Instant::now();
        let ended = landing.try_out(schedule).await;
        println!("{}/{} {schedule}: {:.1} s", n + 1, chosen.len(), started.elapsed().as_secs_f64());
        if let Err(problem) = ended {
            println!("  WRONG: {problem}");
            problems.push(format!("{schedule}\n  {problem}"));
        }
    }
    sample.all_went_well(&problems);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_at_a_call_the_end_is_one_decision() {
    publications("explored", 2, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_while_files_land_every_row_is_there_once() {
    landings("landed", 1, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes as long as it is asked to"]
async fn explore_publications() {
    publications("explored-widely", usize::MAX, of_each(beginnings().len())).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes as long as it is asked to"]
async fn explore_landings() {
    landings("landed-widely", usize::MAX, of_each(Event::OUTER.len())).await;
}
