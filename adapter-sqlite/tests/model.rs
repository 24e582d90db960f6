//! Lives of the ledger, on the fakes and on `SQLite`, beside the reference: 300 of 400 steps each,
//! and a third as many without groups.
//!
//! The lives are the same in every run. `MODEL_SEED=n` tries others, `MODEL_LIVES=n` more of them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what broke by panicking")]

use adapter_sql::SqlLedger;
use adapter_sqlite::{Grouping, SqliteExecutor, SqliteOptions, Synchronous};
use gateway_ports::{
    Store,
    contract::model::{self, Step, life},
    memory,
};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use std::{sync::Arc, thread};

const LIVES: u32 = 300;
const STEPS: usize = 400;
/// What one run is shared by.
const THREADS: u32 = 2;

fn number(name: &str, default: u32) -> u32 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Lives all lives, each with what `live` says of it.
fn all(part: u32, live: fn(&[Step]) -> Result<(), String>) {
    let lives = number("MODEL_LIVES", LIVES).div_ceil(part);
    let run = move |thread: u32| {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&number("MODEL_SEED", 0).to_le_bytes());
        seed[4..8].copy_from_slice(&thread.to_le_bytes());
        let config = Config {
            cases: lives.div_ceil(THREADS),
            failure_persistence: None,
            max_shrink_time: 1_000,
            ..Config::default()
        };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let mut runner = TestRunner::new_with_rng(config, rng);
        runner.run(&life(STEPS), |steps| live(&steps).map_err(TestCaseError::fail))
    };
    let threads: Vec<_> = (0..THREADS).map(|n| thread::spawn(move || run(n))).collect();
    for thread in threads {
        match thread.join().unwrap() {
            Ok(()) => {}
            Err(TestError::Fail(why, steps)) => panic!("{why}\nin the life {steps:#?}"),
            Err(error) => panic!("{error}"),
        }
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

async fn passing() -> Arc<SqliteExecutor> {
    let options =
        SqliteOptions { synchronous: Synchronous::Normal, ..SqliteOptions::new("sqlite::memory:") };
    SqliteExecutor::open(&options).await.unwrap()
}

#[test]
fn lives_on_the_fakes() {
    all(1, |steps| block_on(model::run(&memory::store(), steps)));
}

#[test]
fn lives_on_sqlite() {
    all(3, |steps| {
        block_on(async {
            let executor = passing().await;
            let ledger = Arc::new(SqlLedger::new(Arc::clone(&executor)));
            let store: Store = adapter_sql::store(&executor, ledger);
            let lived = model::run(&store, steps).await;
            drop(store);
            executor.close().await;
            lived
        })
    });
}

#[test]
fn lives_on_sqlite_whose_calls_share_transactions() {
    all(1, |steps| {
        block_on(async {
            let executor = passing().await;
            let (store, writer) = adapter_sqlite::store(&executor, Grouping::default());
            let lived = tokio::select! {
                lived = model::run(&store, steps) => lived,
                () = writer => Err("the ledger's loop ended".to_owned()),
            };
            drop(store);
            executor.close().await;
            lived
        })
    });
}
