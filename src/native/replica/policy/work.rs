//! What takes long, on threads beside the one that applies.

use super::super::stream::Event;
use crate::columnar::parquet::Options as ParquetOptions;
use crate::native::outcome::{Failure, Result};
use crate::native::store::{Conversion, Converted};
use crate::policy::Task;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Sender;

/// What came of a task.
#[derive(Debug)]
pub(in crate::native::replica) struct Worked {
    pub(super) task: Task,
    /// Or why not, for a person.
    pub(super) made: std::result::Result<Made, String>,
}

/// What was made.
#[derive(Debug)]
pub(super) enum Made {
    /// A Parquet file beside the table.
    File(Box<Converted>),
}

/// Threads for tasks; made when they are first needed.
pub(super) struct Hands {
    threads: usize,
    pool: Option<rayon::ThreadPool>,
    sender: Sender<Event>,
}

impl Hands {
    pub(super) fn new(workers: u32, sender: Sender<Event>) -> Self {
        Self { threads: workers.max(1) as usize, pool: None, sender }
    }

    /// How partitions are written as Parquet files.
    pub(super) fn options(&self) -> ParquetOptions {
        ParquetOptions::default()
    }

    /// Writes a partition as a Parquet file.
    pub(super) fn convert(&mut self, task: Task, conversion: Conversion) -> Result<()> {
        self.spawn(task, move || {
            let converted = conversion.run(&|_| ()).map_err(|error| error.to_string())?;
            Ok(Made::File(Box::new(converted)))
        })
    }

    fn spawn(
        &mut self,
        task: Task,
        work: impl FnOnce() -> std::result::Result<Made, String> + Send + 'static,
    ) -> Result<()> {
        let sender = self.sender.clone();
        self.pool()?.spawn(move || {
            // What decodes foreign bytes may give up in its own way; the others go on.
            let made = catch_unwind(AssertUnwindSafe(work));
            let made = made.unwrap_or_else(|_| Err("the task ended in a panic; please report it".to_owned()));
            // A replica that is gone wants to know nothing.
            let _ = sender.send(Event::Worked(Worked { task, made }));
        });
        Ok(())
    }

    fn pool(&mut self) -> Result<&rayon::ThreadPool> {
        let pool = match self.pool.take() {
            Some(pool) => pool,
            None => rayon::ThreadPoolBuilder::new()
                .num_threads(self.threads)
                .thread_name(|index| format!("policy-{index}"))
                .build()
                .map_err(|error| Failure::failed(format!("no threads for storage policies: {error}")))?,
        };
        Ok(self.pool.insert(pool))
    }
}
