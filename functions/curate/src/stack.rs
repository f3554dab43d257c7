//! The stack of the threads that plan and run queries. An expression of thousands of terms is a tree of as many levels.
//! Walking, planning, running and dropping it recurse through all of them. That overflows a thread's usual 2 MiB, which
//! aborts the process. Memory is committed only as far down as a thread has gone.

use std::panic::resume_unwind;
use std::thread;

use contract::Failure;
use tokio::runtime::{Builder, Runtime};

/// In an unoptimised build, a query that [`crate::depth`] accepts takes at most 400 MB of memory, stack included.
const STACK_BYTES: usize = 512 << 20;

/// Runs the work on a thread with a large stack.
///
/// # Errors
/// Fails if the thread cannot be started, for example for lack of memory.
pub fn with_room<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Failure> {
    thread::scope(|scope| {
        let begun = thread::Builder::new().name("main".into()).stack_size(STACK_BYTES).spawn_scoped(scope, work);
        match begun.map_err(Failure::internal)?.join() {
            Ok(done) => Ok(done),
            Err(panic) => resume_unwind(panic),
        }
    })
}

/// Builds a runtime whose threads have a large stack. `None` means one thread per core.
///
/// # Errors
/// Fails if the runtime cannot be started.
pub fn runtime(threads: Option<usize>) -> Result<Runtime, Failure> {
    let mut builder = Builder::new_multi_thread();
    if let Some(threads) = threads {
        builder.worker_threads(threads);
    }
    builder.thread_stack_size(STACK_BYTES).enable_all().build().map_err(Failure::internal)
}
