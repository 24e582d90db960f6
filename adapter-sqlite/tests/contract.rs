//! The contract of the store's ports, kept by the fakes in memory and by `SQLite` in each of the
//! shapes that it is used in. No shape retypes the list of cases, so none can forget one.

use adapter_sql::{Batch, Row, SqlError, SqlExecutor, SqlLedger, Value};
use adapter_sqlite::{Grouping, SqliteExecutor, SqliteOptions, Synchronous};
use async_trait::async_trait;
use gateway_ports::{Store, contract, memory};
use libtest_mimic::{Arguments, Failed, Trial};
use std::sync::Arc;

/// What the cases run against.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// The reference fakes.
    Fakes,
    /// A database in memory, each call a transaction of its own.
    Memory,
    /// A file, each call a transaction of its own.
    File,
    /// A store that delivers twice whatever says that it may be.
    Twice,
    /// A file whose calls share transactions: what the gateway uses.
    Grouped,
}

fn main() {
    let shapes = [Shape::Fakes, Shape::Memory, Shape::File, Shape::Twice, Shape::Grouped];
    let trials = shapes.into_iter().flat_map(|shape| {
        contract::CASES.iter().map(move |case| {
            let name = format!("{shape:?}::{}", case.name);
            Trial::test(name.to_lowercase(), move || run(shape, *case))
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

fn run(shape: Shape, case: contract::Case) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let folder = tempfile::tempdir()?;
        let options = SqliteOptions {
            synchronous: Synchronous::Normal,
            ..SqliteOptions::new(match shape {
                Shape::Fakes | Shape::Memory | Shape::Twice => "sqlite::memory:".to_owned(),
                Shape::File | Shape::Grouped => {
                    format!("sqlite:{}", folder.path().join("test.db").display())
                }
            })
        };
        match shape {
            Shape::Fakes => (case.run)(&memory::store()).await,
            Shape::Memory | Shape::File => {
                let executor = SqliteExecutor::open(&options).await?;
                let ledger = SqlLedger::new(Arc::clone(&executor));
                let store = adapter_sql::store(&executor, Arc::new(ledger));
                (case.run)(&store).await;
                close(store, &executor).await;
            }
            Shape::Twice => {
                let executor = SqliteExecutor::open(&options).await?;
                let twice = Arc::new(Twice(Arc::clone(&executor)));
                let ledger = SqlLedger::new(Arc::clone(&twice));
                let store = adapter_sql::store(&twice, Arc::new(ledger));
                (case.run)(&store).await;
                close(store, &executor).await;
            }
            Shape::Grouped => {
                let executor = SqliteExecutor::open(&options).await?;
                let (store, writer) = adapter_sqlite::store(&executor, Grouping::default());
                let case = async {
                    (case.run)(&store).await;
                    close(store.clone(), &executor).await;
                };
                tokio::select! {
                    () = case => {}
                    () = writer => return Err("the ledger's loop ended early".into()),
                }
            }
        }
        Ok(())
    })
}

async fn close(store: Store, executor: &SqliteExecutor) {
    drop(store);
    executor.close().await;
}

/// What a store must survive that repeats a batch because it lost the first answer.
struct Twice(Arc<SqliteExecutor>);

#[async_trait]
impl SqlExecutor for Twice {
    async fn read(&self, sql: &'static str, args: Vec<Value>) -> Result<Vec<Row>, SqlError> {
        self.0.read(sql, args).await
    }

    async fn batch(
        &self,
        batch: &'static Batch,
        args: Vec<Value>,
    ) -> Result<Vec<Vec<Row>>, SqlError> {
        if batch.replayable {
            self.0.batch(batch, args.clone()).await?;
        }
        self.0.batch(batch, args).await
    }
}
