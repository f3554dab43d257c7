//! A model of the protocol. It runs the real decisions over a simple S3 with conditional writes and a simple Glue.
//! Actors make their calls in every order, die after any call and start again. It does not test how calls are made.
//! Making them in this order is up to [`crate::publish`].

mod actor;
mod protocol;
mod task;
mod world;

use std::collections::BTreeSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use actor::Actor;
use task::{End, Task};
use world::{Mode, World};

/// What the explorer tries.
struct Scenario {
    mode: Mode,
    /// The actors' tasks, one each.
    tasks: Vec<Task>,
    /// How often each actor may die.
    crashes: u8,
    /// How often an actor may be preempted by another one that was not waiting for it. `u8::MAX` allows all orders.
    preemptions: u8,
}

/// Explores all states that a scenario leads to.
struct Explorer {
    scenario: Scenario,
    seen: BTreeSet<u64>,
    states: u64,
    ends: BTreeSet<Vec<End>>,
}

#[derive(Clone)]
struct State {
    world: World,
    actors: Vec<Actor>,
    /// The actor that made the last call. `preemptions` counts how often actors were preempted so far.
    last: usize,
    preemptions: u8,
}

impl Explorer {
    /// Returns the number of states, and every combination of the actors' ends.
    fn run(scenario: Scenario) -> (u64, BTreeSet<Vec<End>>) {
        let world = World::new(scenario.mode);
        let actors = scenario.tasks.iter().map(|task| Actor::new(*task, scenario.crashes)).collect();
        let mut explorer = Self { scenario, seen: BTreeSet::new(), states: 0, ends: BTreeSet::new() };
        let mut open = vec![State { world, actors, last: 0, preemptions: 0 }];
        while let Some(state) = open.pop() {
            if explorer.is_new(&state) {
                explorer.states += 1;
                explorer.check(&state);
                explorer.follow(&state, &mut open);
            }
        }
        (explorer.states, explorer.ends)
    }

    fn is_new(&mut self, state: &State) -> bool {
        let mut hasher = DefaultHasher::new();
        state.world.hash(&mut hasher);
        state.actors.hash(&mut hasher);
        (state.last, state.preemptions).hash(&mut hasher);
        self.seen.insert(hasher.finish())
    }

    fn follow(&self, state: &State, open: &mut Vec<State>) {
        for n in 0..state.actors.len() {
            if state.actors[n].end.is_some() {
                continue;
            }
            let stops = n != state.last && state.actors[state.last].end.is_none();
            let preemptions = state.preemptions + u8::from(stops && !state.actors[state.last].is_new());
            if preemptions > self.scenario.preemptions {
                continue;
            }
            let mut next = State { last: n, preemptions, ..state.clone() };
            let before = &state.world.glue.location;
            next.actors[n].step(&mut next.world);
            next.world.check_step(before, &state.actors[n].task);
            if next.actors[n].crashes > 0 && next.actors[n].end.is_none() {
                let mut dead = next.clone();
                dead.actors[n].die();
                open.push(dead);
            }
            open.push(next);
        }
    }

    fn check(&mut self, state: &State) {
        if state.actors.iter().all(|actor| actor.end.is_some()) {
            let ends: Vec<End> = state.actors.iter().filter_map(|actor| actor.end.clone()).collect();
            state.world.check_rest(&ends);
            self.ends.insert(ends.into_iter().collect());
        }
    }
}

fn explore(mode: Mode, tasks: &[Task], crashes: u8, preemptions: u8) -> BTreeSet<Vec<End>> {
    let (states, ends) = Explorer::run(Scenario { mode, tasks: tasks.to_vec(), crashes, preemptions });
    println!("{mode:?} {tasks:?}, {crashes} crashes, {preemptions} preemptions: {states} states, {} ends", ends.len());
    assert!(states > 30, "hardly anything was tried");
    ends
}

const MODES: [Mode; 5] = [Mode::Whole, Mode::Rebuild, Mode::Append, Mode::Partition, Mode::Completed];

#[test]
fn two_runs() {
    for mode in MODES {
        let ends = explore(mode, &[Task::Run, Task::Run], 0, 3);
        assert!(ends.len() > 1, "{ends:?}");
        explore(mode, &[Task::Run, Task::Run], 1, 1);
    }
}

#[test]
fn a_run_that_fails_and_another_one() {
    for mode in MODES {
        explore(mode, &[Task::RunThatFails, Task::Run], 0, 3);
        explore(mode, &[Task::RunThatFails, Task::Run], 1, 1);
    }
}

#[test]
fn a_run_and_a_rollback() {
    for mode in MODES {
        explore(mode, &[Task::Run, Task::RollBack], 0, 3);
        explore(mode, &[Task::Run, Task::RollBack], 1, 1);
    }
}

#[test]
fn a_rollback_and_expiry() {
    // if each run replaces one partition, all runs are in use
    for mode in [Mode::Whole, Mode::Rebuild, Mode::Append] {
        let ends = explore(mode, &[Task::RollBack, Task::Expire], 1, 2);
        let refused = ends.iter().filter(|ends| ends[0] == End::Refused).count();
        assert!(0 < refused && refused < ends.len(), "{ends:?}");
    }
}

#[test]
fn three_at_once() {
    for mode in MODES {
        for tasks in THREE {
            explore(mode, &tasks, 0, 1);
        }
    }
}

const THREE: [[Task; 3]; 4] = [
    [Task::Run, Task::Run, Task::RollBack],
    [Task::Run, Task::RunThatFails, Task::RollBack],
    [Task::Run, Task::RollBack, Task::Expire],
    [Task::Run, Task::Run, Task::Run],
];

/// Run by hand: `cargo test --release -p landfall-catalog --lib model -- --ignored --nocapture`.
#[test]
#[ignore = "takes many minutes"]
fn all_of_it() {
    let two = [Task::Run, Task::RunThatFails, Task::RollBack, Task::Expire];
    for mode in MODES {
        for (n, one) in two.into_iter().enumerate() {
            for other in two.into_iter().skip(n) {
                explore(mode, &[one, other], 0, u8::MAX);
                explore(mode, &[one, other], 2, 2);
            }
        }
        for tasks in THREE {
            explore(mode, &tasks, 1, 2);
        }
    }
}
