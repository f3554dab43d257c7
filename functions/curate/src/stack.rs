//! The stack of the threads that queries are planned and run on. An expression of thousands of terms is a tree of as
//! many levels, and whoever walks it, plans it, runs it or drops it goes down all of them: on a thread's usual 2 MiB
//! that ends the process, without a word. Memory is taken only as far down as a thread has gone.

use std::panic::resume_unwind;
use std::thread;

use contract::Failure;
use tokio::runtime::{Builder, Runtime};

/// Unoptimised, what [`crate::depth`] lets through takes no more than 400 MB of stack and all else.
const STACK_BYTES: usize = 512 << 20;

/// Does the work on a thread with such a stack.
///
/// # Errors
/// Where there is no room for the stack.
pub fn with_room<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Failure> {
    thread::scope(|scope| {
        let begun = thread::Builder::new().name("main".into()).stack_size(STACK_BYTES).spawn_scoped(scope, work);
        match begun.map_err(Failure::internal)?.join() {
            Ok(done) => Ok(done),
            Err(panic) => resume_unwind(panic),
        }
    })
}

/// A runtime of such threads: so many, or as many as there are cores.
///
/// # Errors
/// Where there is no room for the stacks.
pub fn runtime(threads: Option<usize>) -> Result<Runtime, Failure> {
    let mut builder = Builder::new_multi_thread();
    if let Some(threads) = threads {
        builder.worker_threads(threads);
    }
    builder.thread_stack_size(STACK_BYTES).enable_all().build().map_err(Failure::internal)
}
