//! A life of the ledger, step by step, beside a reference that is a few maps and sums.
//!
//! A [`Step`] is what a gateway, an operator or bad luck does. [`run`] does each to a store and to
//! the reference, and after each the two must say the same. Deliveries get lost on the way there,
//! or on the way back, or arrive twice; processes die between a hold and its settlement. Who makes
//! the steps up is not known here: they are data, so that one life can be lived on every store.

#[cfg(feature = "lives")]
mod lives;
mod reference;
mod step;

#[cfg(feature = "lives")]
pub use lives::life;
pub use step::{Fault, Step};

use super::fixture::{at, credits, new_token, new_user};
use crate::{
    AuditAction, AuditEntry, BalanceChange, BalanceChanged, Checkpoint, Grant, Hold, Reserved,
    Settled, Store, StoreError, TokenChange, TokenChanged, UsageFilter, UserChange,
};
use futures_util::future::{BoxFuture, join_all};
use gateway_domain::{
    CallRecord, CallState, ChannelId, EndReason, FrozenPrice, RequestId, Timestamp, TokenCounts,
    TokenId, UserId,
};
use reference::Reference;

/// When a life begins.
const START: i64 = 1_700_000_000_000;
/// Users of a life, each with two keys.
const USERS: usize = 3;
/// How often everything is compared, in steps; the answers of every step are.
const LOOK_EVERY: usize = 8;

/// What the store has of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    user: UserId,
    token: TokenId,
}

/// Lives a life on a store.
///
/// # Errors
/// A text for people, when the store and the reference differ: at which step, and in what.
pub async fn run(store: &Store, steps: &[Step]) -> Result<(), String> {
    let mut life = Life::begin(store).await.map_err(|error| format!("the beginning: {error:?}"))?;
    for (number, step) in steps.iter().enumerate() {
        let here = |what: String| format!("step {number}, {step:?}: {what}");
        life.take(*step).await.map_err(here)?;
        if number % LOOK_EVERY == 0 || number + 1 == steps.len() {
            life.look().await.map_err(here)?;
        }
    }
    life.close().await
}

struct Life<'a> {
    store: &'a Store,
    keys: Vec<Key>,
    reference: Reference,
    now: i64,
    made: u64,
    /// Calls that were begun, in their order.
    holds: Vec<Hold>,
}

/// What somebody saw of a delivery: `None` if the answer got lost.
async fn deliver<'a, T>(
    fault: Fault,
    mut send: impl FnMut() -> BoxFuture<'a, Result<T, StoreError>>,
) -> Result<Option<T>, String> {
    let failed = |error: StoreError| format!("the store failed by itself: {error:?}");
    Ok(match fault {
        Fault::Before => None,
        Fault::None => Some(send().await.map_err(failed)?),
        Fault::After => {
            send().await.map_err(failed)?;
            None
        }
        Fault::Twice => {
            send().await.map_err(failed)?;
            Some(send().await.map_err(failed)?)
        }
    })
}

/// An answer that was seen must be the expected one.
fn same<T: PartialEq + std::fmt::Debug>(got: Option<T>, expected: &T) -> Result<(), String> {
    match got {
        Some(got) if got != *expected => {
            Err(format!("the store says {got:?}, the reference {expected:?}"))
        }
        _ => Ok(()),
    }
}

fn pick<T: Copy>(all: &[T], number: impl Into<usize>) -> Option<T> {
    all.get(number.into().checked_rem(all.len())?).copied()
}

impl<'a> Life<'a> {
    async fn begin(store: &'a Store) -> Result<Self, StoreError> {
        let mut life = Self {
            store,
            keys: Vec::new(),
            reference: Reference::default(),
            now: START,
            made: 0,
            holds: Vec::new(),
        };
        for (n, granted) in [0u64, 700, 100_000].into_iter().enumerate().take(USERS) {
            let mut new = new_user(&format!("user{n}"));
            new.granted = credits(granted);
            let user = store.users.insert(&new).await?;
            life.reference.add_user(user, granted);
            for cap in [None, Some(500u64)] {
                let number = u8::try_from(life.keys.len()).unwrap_or(u8::MAX);
                let mut new = new_token(user, number);
                new.cap = cap.map(credits);
                let entry = life.entry(AuditAction::TokenCreate);
                let token = store.tokens.insert(&new, 100, &entry).await?.unwrap_or(TokenId(0));
                life.reference.add_key(token, user, cap);
                life.keys.push(Key { user, token });
            }
        }
        Ok(life)
    }

    fn now(&self) -> Timestamp {
        at(self.now)
    }

    /// The entry of a change that is made now.
    fn entry(&mut self, action: AuditAction) -> AuditEntry {
        AuditEntry::new(self.next_id(), self.now(), action)
    }

    /// The next request's id: they sort by time.
    fn next_id(&mut self) -> RequestId {
        self.made += 1;
        let ms = self.now.unsigned_abs();
        let (high, low) = (ms >> 16, ms & 0xffff);
        RequestId(format!("{high:08x}-{low:04x}-7000-8000-{:012x}", self.made))
    }

    fn hold(&mut self, key: Key, amount: u64, least: u64, floor: u64, life: u8) -> Hold {
        Hold {
            request_id: self.next_id(),
            user_id: key.user,
            token_id: key.token,
            token_revision: self.reference.revision(key.token),
            amount: credits(amount),
            least: credits(least),
            floor: credits(floor),
            model: "gpt-4o".to_owned(),
            stream: true,
            price: FrozenPrice::DEFAULT,
            idempotency_key: None,
            created_at: self.now(),
            expires_at: at(self.now + 1000 * i64::from(life)),
        }
    }

    async fn take(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Reserve { key, amount, least, floor, life, once, stale, fault } => {
                let Some(key) = pick(&self.keys, key) else { return Ok(()) };
                let least = u64::from(amount) * u64::from(least) / 255;
                let floor = least * u64::from(floor) / 255;
                let mut hold = self.hold(key, u64::from(amount), least, floor, life);
                hold.idempotency_key = (once < 4).then(|| format!("once {once}"));
                hold.token_revision -= i64::from(stale);
                self.reserve(hold, fault).await
            }
            Step::Again { call } => {
                let number = usize::from(call).checked_rem(self.holds.len());
                match number.and_then(|number| self.holds.get(number)).cloned() {
                    Some(hold) => self.reserve(hold, Fault::None).await,
                    None => Ok(()),
                }
            }
            Step::Race { key, calls, amount } => {
                let Some(key) = pick(&self.keys, key) else { return Ok(()) };
                self.race(key, calls, u64::from(amount)).await
            }
            Step::Settle { call, cost, void, fault } => {
                self.settle(call, if void { 0 } else { u64::from(cost) }, void, fault).await
            }
            Step::Checkpoint { call, floor, fault } => self.checkpoint(call, floor, fault).await,
            Step::Wait { seconds } => {
                self.now += 1000 * i64::from(seconds);
                Ok(())
            }
            Step::Sweep { fault } => {
                let now = self.now();
                let got = deliver(fault, || self.store.ledger.sweep(now)).await?;
                let swept = if fault == Fault::Before { 0 } else { self.reference.sweep(now) };
                // What the first delivery closed, the second does not close again.
                same(got, if fault == Fault::Twice { &0 } else { &swept })
            }
            Step::Grant { user, amount, set, id, fault } => {
                self.grant(user, u64::from(amount), set, id, fault).await
            }
            Step::Key { key, enabled, cap } => self.change_key(key, enabled, cap).await,
            Step::User { user, enabled } => {
                let Some(key) = pick(&self.keys, usize::from(user) * 2) else { return Ok(()) };
                let change = UserChange { enabled: Some(enabled), ..UserChange::default() };
                let entry = self.entry(AuditAction::UserUpdate);
                let changed = self.store.users.update(key.user, &change, &entry).await;
                same(changed.ok(), &true)?;
                self.reference.enable_user(key.user, enabled);
                Ok(())
            }
            Step::RollUp => {
                let got = self.store.books.roll_up(self.now()).await;
                same(got.ok(), &self.reference.roll_up(self.now()))
            }
            Step::Purge => {
                let got = self.store.books.purge(self.now()).await;
                same(got.ok(), &self.reference.purge(self.now()))
            }
        }
    }

    async fn reserve(&mut self, hold: Hold, fault: Fault) -> Result<(), String> {
        let got = deliver(fault, || self.store.ledger.reserve(&hold)).await?;
        if fault == Fault::Before {
            return Ok(());
        }
        let expected = self.reference.reserve(&hold);
        if !self.holds.iter().any(|known| known.request_id == hold.request_id) {
            self.holds.push(hold);
        }
        same(got, &expected)
    }

    /// Calls that begin at the same time. Which of them get through is chance; how many is not.
    async fn race(&mut self, key: Key, calls: u8, amount: u64) -> Result<(), String> {
        let holds: Vec<Hold> =
            (0..calls % 20 + 2).map(|_| self.hold(key, amount, amount, amount / 3, 60)).collect();
        let racing = holds.iter().map(|hold| self.store.ledger.reserve(hold));
        let mut granted = 0usize;
        for (hold, got) in holds.iter().zip(join_all(racing).await) {
            let got = got.map_err(|error| format!("the store failed by itself: {error:?}"))?;
            if got.is_granted() {
                granted += 1;
                self.holds.push(hold.clone());
                same(Some(self.reference.reserve(hold)), &got)?;
            }
        }
        // Whoever lost must have lost because nothing was left for them.
        match holds.first() {
            Some(hold) if granted < holds.len() => {
                let one_more = Hold { request_id: self.next_id(), ..hold.clone() };
                let refused = self.reference.reserve(&one_more);
                let refused = matches!(refused, Reserved::Refused(_)).then_some(());
                refused.ok_or_else(|| format!("{granted} got through, and there was room for more"))
            }
            _ => Ok(()),
        }
    }

    async fn settle(
        &mut self,
        call: u16,
        cost: u64,
        void: bool,
        fault: Fault,
    ) -> Result<(), String> {
        // Now and then one that never was.
        let number = usize::from(call) % (self.holds.len() + 1);
        let record = match self.holds.get(number).cloned() {
            Some(hold) => end_of(&hold, cost, void),
            None => {
                let Some(key) = pick(&self.keys, call) else { return Ok(()) };
                let never = self.hold(key, 1, 1, 0, 0);
                end_of(&never, cost, void)
            }
        };
        let got = deliver(fault, || self.store.ledger.settle(&record)).await?;
        if fault == Fault::Before {
            return Ok(());
        }
        let charged = credits(self.reference.settle(&record));
        same(got, &Settled { charged })
    }

    async fn checkpoint(&mut self, call: u16, floor: u16, fault: Fault) -> Result<(), String> {
        let number = usize::from(call) % (self.holds.len() + 1);
        let request_id = match self.holds.get(number) {
            Some(hold) => hold.request_id.clone(),
            None => self.next_id(),
        };
        let points = [Checkpoint { request_id, floor: credits(u64::from(floor)) }];
        let got = deliver(fault, || self.store.ledger.checkpoint(&points)).await?;
        if fault == Fault::Before {
            return Ok(());
        }
        let [point] = &points;
        let lost = self.reference.checkpoint(&point.request_id, u64::from(floor));
        same(got, &if lost { vec![point.request_id.clone()] } else { Vec::new() })
    }

    async fn grant(
        &mut self,
        user: u8,
        amount: u64,
        set: bool,
        id: u8,
        fault: Fault,
    ) -> Result<(), String> {
        let Some(key) = pick(&self.keys, usize::from(user) * 2) else { return Ok(()) };
        let amount = credits(amount);
        let change = if set { BalanceChange::Set(amount) } else { BalanceChange::Grant(amount) };
        let grant = Grant { id: format!("grant {}", id % 32), user_id: key.user, change };
        let entry = self.entry(AuditAction::UserBalance);
        let got: Option<BalanceChanged> =
            deliver(fault, || self.store.ledger.grant(&grant, &entry)).await?;
        if fault == Fault::Before {
            return Ok(());
        }
        same(got, &self.reference.grant(&grant))
    }

    async fn change_key(&mut self, key: u8, enabled: bool, cap: u16) -> Result<(), String> {
        let Some(key) = pick(&self.keys, key) else { return Ok(()) };
        let cap = (cap > 0).then(|| u64::from(cap));
        let change = TokenChange {
            enabled: Some(enabled),
            cap: cap.map(|cap| Some(credits(cap))),
            ..TokenChange::default()
        };
        let entry = self.entry(AuditAction::TokenUpdate);
        let changed = self.store.tokens.update(key.user, key.token, &change, &entry).await;
        let expected = self.reference.change_key(key.token, enabled, cap);
        same(changed.ok(), if expected { &TokenChanged::Changed } else { &TokenChanged::BelowUse })
    }

    /// Everything that the store shows must be what the reference knows.
    async fn look(&self) -> Result<(), String> {
        let failed = |error: StoreError| format!("the store failed by itself: {error:?}");
        for key in &self.keys {
            let user = self.store.users.find(key.user).await.map_err(failed)?;
            let user =
                user.map(|u| [u.granted.units(), u.spent.units(), u.held.units(), u.request_count]);
            same(user, &self.reference.user(key.user))?;
            let token = self.store.tokens.find(key.user, key.token).await.map_err(failed)?;
            let token = token.map(|t| [t.spent.units(), t.held.units(), t.request_count]);
            same(token, &self.reference.key(key.token))?;
        }
        // One row for each closed call, and no other.
        let everything = UsageFilter::default();
        let rows = self.store.usage.list(&everything, None, 100_000).await.map_err(failed)?;
        let rows: Vec<_> = rows
            .into_iter()
            .rev()
            .map(|row| (row.request_id, row.state, row.quota.units(), row.unbilled.units()))
            .collect();
        same(Some(rows), &self.reference.rows())?;
        // Nothing is looked for here that should have ended: the sweeps are steps.
        let wrong = self.store.books.verify(Timestamp::default()).await.map_err(failed)?;
        same(Some(wrong), &Vec::new())?;
        self.reference.check()
    }

    /// After the last sweep nothing is open, however life went.
    async fn close(mut self) -> Result<(), String> {
        self.take(Step::Wait { seconds: 3600 }).await?;
        self.take(Step::Sweep { fault: Fault::None }).await?;
        self.look().await?;
        let wrong = self.store.books.verify(self.now()).await;
        same(wrong.ok(), &Vec::new())
    }
}

/// How a call says that it ended.
fn end_of(hold: &Hold, cost: u64, void: bool) -> CallRecord {
    CallRecord {
        request_id: hold.request_id.clone(),
        user_id: hold.user_id,
        token_id: hold.token_id,
        channel_id: Some(ChannelId(7)),
        model: hold.model.clone(),
        upstream_model: hold.model.clone(),
        state: if void { CallState::Void } else { CallState::Settled },
        counts: TokenCounts::of(cost, 0),
        price: hold.price,
        quota: credits(cost),
        unbilled: credits(0),
        estimated: false,
        stream: true,
        status: 200,
        end_reason: EndReason::Complete,
        attempts: 1,
        failures: Vec::new(),
        dropped: Vec::new(),
        latency_ms: 1,
        first_byte_ms: None,
        created_at: hold.created_at,
    }
}
