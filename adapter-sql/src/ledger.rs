//! The ledger: holds, charges and balances, a whole group of calls in one transaction.

pub mod group;
mod refusal;
pub mod watch;
mod wire;

use crate::{Row, SqlExecutor, audit, catalogue::ledger as sql, value::args};
use async_trait::async_trait;
use gateway_domain::{CallRecord, Credits, RequestId, Timestamp};
use gateway_ports::{
    AuditEntry, BalanceChange, BalanceChanged, Checkpoint, Grant, Hold, Ledger, Refusal, Reserved,
    Settled, StoreError,
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// The ledger on an SQL store.
#[derive(Debug)]
pub struct SqlLedger<E: ?Sized>(Arc<E>);

impl<E: ?Sized> Clone for SqlLedger<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// What one transaction said about one hold.
#[derive(Clone, Copy)]
enum Outcome {
    Final(Reserved),
    /// Refused only because of its neighbours.
    Crowded,
}

impl<E: SqlExecutor + ?Sized> SqlLedger<E> {
    /// The ledger of a store.
    pub fn new(executor: Arc<E>) -> Self {
        Self(executor)
    }

    /// Settles these calls, then reserves these holds, in one transaction; the answers are in the
    /// same orders. Holds that were refused only because of refused neighbours are tried again
    /// without those.
    pub async fn apply(
        &self,
        holds: &[Hold],
        calls: &[CallRecord],
    ) -> Result<(Vec<Reserved>, Vec<Settled>), StoreError> {
        let mut seen = HashSet::new();
        let mut waiting: Vec<&Hold> = holds.iter().filter(|h| seen.insert(&h.request_id)).collect();
        let mut seen = HashSet::new();
        let mut settling: Vec<&CallRecord> =
            calls.iter().filter(|c| seen.insert(&c.request_id)).collect();

        let mut reserved: HashMap<&RequestId, Reserved> = HashMap::new();
        let mut charged: HashMap<&RequestId, Credits> = HashMap::new();
        while !(waiting.is_empty() && settling.is_empty()) {
            let answers = self.transact(&waiting, &settling).await?;
            let ids = settling.drain(..).map(|call| &call.request_id);
            charged.extend(ids.zip(answers.charges));
            let before = waiting.len();
            let mut outcomes = answers.holds.into_iter();
            waiting.retain(|hold| match outcomes.next() {
                Some(Outcome::Final(outcome)) => {
                    reserved.insert(&hold.request_id, outcome);
                    false
                }
                Some(Outcome::Crowded) | None => true,
            });
            // Nobody was decided, so nobody will be: another writer is at it. `held` is the truth.
            if waiting.len() == before {
                break;
            }
        }

        let holds = holds.iter().map(|hold| {
            reserved.get(&hold.request_id).copied().unwrap_or(Reserved::Refused(Refusal::Held))
        });
        let calls = calls.iter().map(|call| Settled {
            charged: charged.get(&call.request_id).copied().unwrap_or_default(),
        });
        Ok((holds.collect(), calls.collect()))
    }

    async fn transact(
        &self,
        holds: &[&Hold],
        calls: &[&CallRecord],
    ) -> Result<Answers, StoreError> {
        let batch = match (holds.is_empty(), calls.is_empty()) {
            (false, false) => &sql::SETTLE_AND_RESERVE,
            (true, _) => &sql::ONLY_SETTLE,
            (false, true) => &sql::ONLY_RESERVE,
        };
        let results = self.0.batch(batch, wire::arguments(holds, calls)?).await?;
        let rows_of = |statement: &'static str| {
            let mut all = batch.statements.iter().zip(&results);
            let rows = all.find(|(known, _)| **known == statement);
            rows.map_or(&[][..], |(_, rows)| rows)
        };
        Ok(Answers {
            holds: reserved(holds, rows_of(sql::RESERVE_COUNT), rows_of(sql::RESERVE_OTHERS))?,
            charges: charged(calls, rows_of(sql::SETTLE_COUNT), rows_of(sql::SETTLE_OTHERS))?,
        })
    }
}

/// What one transaction said of its members, in their orders.
struct Answers {
    holds: Vec<Outcome>,
    charges: Vec<Credits>,
}

/// What became of each hold: some got less or nothing, and all others are counted.
fn reserved(holds: &[&Hold], count: &[Row], others: &[Row]) -> Result<Vec<Outcome>, StoreError> {
    let mut exceptions = by_request(others)?;
    expect_all(holds.len(), count, exceptions.len())?;
    let outcome = |hold: &&Hold| match exceptions.remove(&hold.request_id.0) {
        None => Ok(Outcome::Final(Reserved::Granted(hold.amount))),
        Some(row) => Ok(match refusal::explain(row, hold)? {
            Some(reserved) => Outcome::Final(reserved),
            None => Outcome::Crowded,
        }),
    };
    holds.iter().map(outcome).collect()
}

/// What each call was charged: some something else than they cost, and all others are counted.
fn charged(
    calls: &[&CallRecord],
    count: &[Row],
    others: &[Row],
) -> Result<Vec<Credits>, StoreError> {
    let mut exceptions = by_request(others)?;
    expect_all(calls.len(), count, exceptions.len())?;
    let charge = |call: &&CallRecord| match exceptions.remove(&call.request_id.0) {
        None => Ok(call.quota),
        Some(row) => row.of("calls", "").credits("quota"),
    };
    calls.iter().map(charge).collect()
}

fn by_request(rows: &[Row]) -> Result<HashMap<String, &Row>, StoreError> {
    let keyed = rows.iter().map(|row| Ok((row.string("request_id")?, row)));
    keyed.collect()
}

/// An answer that leaves somebody out must not be read as consent.
fn expect_all(members: usize, count: &[Row], exceptions: usize) -> Result<(), StoreError> {
    let counted = match count.first() {
        Some(row) => row.of("calls", "").number("calls")?,
        None => 0usize,
    };
    if counted.checked_add(exceptions) == Some(members) {
        Ok(())
    } else {
        let what = format!("calls: {counted} and {exceptions} of {members} were answered");
        Err(StoreError::Corrupt(what))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<E: SqlExecutor + ?Sized> Ledger for SqlLedger<E> {
    async fn reserve(&self, hold: &Hold) -> Result<Reserved, StoreError> {
        let (reserved, _) = self.apply(std::slice::from_ref(hold), &[]).await?;
        Ok(reserved.first().copied().unwrap_or(Reserved::Refused(Refusal::Held)))
    }

    async fn settle(&self, call: &CallRecord) -> Result<Settled, StoreError> {
        let (_, settled) = self.apply(&[], std::slice::from_ref(call)).await?;
        Ok(settled.first().copied().unwrap_or(Settled { charged: Credits::ZERO }))
    }

    async fn checkpoint(&self, calls: &[Checkpoint]) -> Result<Vec<RequestId>, StoreError> {
        let results = self.0.batch(&sql::CHECK, wire::checkpoints(calls)?).await?;
        let lost = results.last().into_iter().flatten();
        lost.map(|row| Ok(RequestId(row.string("request_id")?))).collect()
    }

    async fn sweep(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut swept = 0u64;
        loop {
            let results = self.0.batch(&sql::SWEEP, args![now.as_millis()]).await?;
            let closed = match results.first().and_then(|rows| rows.first()) {
                Some(row) => row.of("calls", "").number("swept")?,
                None => 0u64,
            };
            swept = swept.saturating_add(closed);
            if closed == 0 {
                return Ok(swept);
            }
        }
    }

    async fn grant(&self, grant: &Grant, entry: &AuditEntry) -> Result<BalanceChanged, StoreError> {
        let (kind, asked) = match grant.change {
            BalanceChange::Grant(amount) => ("grant", amount),
            BalanceChange::Set(amount) => ("set", amount),
        };
        let arguments = args![
            grant.id.as_str(),
            grant.user_id.0,
            kind,
            asked,
            entry.actor.map(|id| id.0),
            entry.at.as_millis(),
            audit::parameter(entry)?,
        ];
        let results = self.0.batch(&sql::CHANGE_BALANCE, arguments).await?;
        let Some(row) = results.last().and_then(|rows| rows.first()) else {
            return Err(StoreError::Corrupt("grants: no answer".to_owned()));
        };
        let said = row.of("grants", "");
        Ok(if said.bool("made")? {
            BalanceChanged::Changed
        } else if said.bool("taken")? {
            BalanceChanged::IdTaken
        } else if said.bool("known")? {
            BalanceChanged::OutOfRange
        } else {
            BalanceChanged::NotFound
        })
    }
}
