//! The ledger's transactions: a group comes to the same as its members one by one, a repetition
//! changes nothing, and nothing that happens makes the books wrong.

use crate::support::{NOW, Random, call, credits, entry, hold, new_token, open, payer};
use adapter_sql::SqlLedger;
use adapter_sqlite::{Grouping, SqliteExecutor};
use gateway_domain::{CallRecord, Timestamp, Token, TokenId, User, UserId};
use gateway_ports::{
    AuditAction, BalanceChange, Grant, Hold, Ledger, Page, Reserved, Settled, Store, StoreError,
    UsageFilter,
};
use std::{collections::BTreeMap, sync::Arc};

const ALL: Page = Page { offset: 0, limit: 1000 };

/// All that the ledger writes.
#[derive(Debug, PartialEq)]
struct Books {
    users: Vec<User>,
    tokens: Vec<Token>,
    calls: Vec<CallRecord>,
}

async fn books(store: &Store) -> Books {
    let users = store.users.list(None, ALL).await.unwrap();
    let mut tokens = Vec::new();
    for user in &users {
        tokens.extend(store.tokens.list(user.id, ALL).await.unwrap());
    }
    let everything = UsageFilter::default();
    let calls = store.usage.list(&everything, None, 100_000).await.unwrap();
    Books { users, tokens, calls }
}

/// The promises of every commit point, and the sums.
fn check(books: &Books, open: &BTreeMap<u64, Hold>) {
    for user in &books.users {
        let own = books.calls.iter().filter(|call| call.user_id == user.id);
        let spent: u64 = own.map(|call| call.quota.units()).sum();
        let held = open.values().filter(|hold| hold.user_id == user.id);
        let held: u64 = held.map(|hold| hold.amount.units()).sum();
        assert_eq!((user.spent.units(), user.held.units()), (spent, held));
        assert!(spent + held <= user.granted.units());
    }
    for token in &books.tokens {
        let own = books.calls.iter().filter(|call| call.token_id == token.id);
        let spent: u64 = own.map(|call| call.quota.units()).sum();
        let held = open.values().filter(|hold| hold.token_id == token.id);
        let held: u64 = held.map(|hold| hold.amount.units()).sum();
        assert_eq!((token.spent.units(), token.held.units()), (spent, held));
        assert!(token.cap.is_none_or(|cap| spent + held <= cap.units()));
    }
}

struct Bench {
    store: Store,
    ledger: SqlLedger<SqliteExecutor>,
    payers: Vec<(UserId, TokenId)>,
    _folder: tempfile::TempDir,
}

/// Three users with two keys each, some with caps.
async fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let executor = open(folder.path()).await;
    let ledger = SqlLedger::new(Arc::clone(&executor));
    let store = adapter_sql::store(&executor, Arc::new(ledger.clone()));
    let mut payers = Vec::new();
    for n in 0..3 {
        let (user, token) = payer(&store, n, 300 * u64::from(n + 1), Some(200)).await;
        let second = new_token(user, 100 + n, None);
        let second = store
            .tokens
            .insert(&second, 10, &entry(AuditAction::TokenCreate))
            .await
            .unwrap()
            .unwrap();
        payers.extend([(user, token), (user, second)]);
    }
    Bench { store, ledger, payers, _folder: folder }
}

fn pick<T: Copy>(random: &mut Random, of: &[T]) -> T {
    let at = random.below(u64::try_from(of.len()).unwrap());
    of[usize::try_from(at).unwrap()]
}

fn random_hold(random: &mut Random, payers: &[(UserId, TokenId)], n: u64) -> Hold {
    let once = random.below(4) == 0;
    let key = format!("key {}", random.below(3));
    let payer = pick(random, payers);
    let amount = match random.below(8) {
        0 => 0,
        1 => 250,
        _ => random.below(60),
    };
    Hold {
        idempotency_key: once.then_some(key),
        // One in ten has an old revision.
        token_revision: i64::from(random.below(10) == 0),
        ..hold(payer, n, amount)
    }
}

#[tokio::test]
async fn a_group_comes_to_the_same_as_its_members_one_by_one() {
    for seed in 0..8 {
        let (grouped, single) = (bench().await, bench().await);
        assert_eq!(grouped.payers, single.payers);
        let mut random = Random(seed);
        let first: Vec<Hold> =
            (0..60).map(|n| random_hold(&mut random, &grouped.payers, n)).collect();
        for bench in [&grouped, &single] {
            for hold in &first {
                bench.ledger.reserve(hold).await.unwrap();
            }
        }
        // Settlements of what is held, of what was refused and of what never was; new holds.
        let calls: Vec<CallRecord> = (0..80)
            .map(|n| {
                let payer = first.get(usize::try_from(n).unwrap());
                let payer = payer.map_or(grouped.payers[0], |h| (h.user_id, h.token_id));
                call(payer, n, random.below(80))
            })
            .collect();
        let holds: Vec<Hold> =
            (100..220).map(|n| random_hold(&mut random, &grouped.payers, n)).collect();

        let together = grouped.ledger.apply(&holds, &calls).await.unwrap();
        let mut alone: (Vec<Reserved>, Vec<Settled>) = (Vec::new(), Vec::new());
        for call in &calls {
            alone.1.push(single.ledger.settle(call).await.unwrap());
        }
        for hold in &holds {
            alone.0.push(single.ledger.reserve(hold).await.unwrap());
        }
        assert_eq!(together.1, alone.1, "seed {seed}");
        let granted = |all: &[Reserved]| -> Vec<bool> {
            all.iter().copied().map(Reserved::is_granted).collect()
        };
        assert_eq!(granted(&together.0), granted(&alone.0), "seed {seed}");
        assert!(granted(&together.0).contains(&true));
        assert_eq!(books(&grouped.store).await, books(&single.store).await);
    }
}

#[tokio::test]
async fn the_same_group_twice_changes_nothing() {
    let bench = bench().await;
    let mut random = Random(42);
    let holds: Vec<Hold> = (0..100).map(|n| random_hold(&mut random, &bench.payers, n)).collect();
    let first = bench.ledger.apply(&holds, &[]).await.unwrap();
    let before = books(&bench.store).await;
    assert_eq!(bench.ledger.apply(&holds, &[]).await.unwrap(), first);
    assert_eq!(books(&bench.store).await, before);

    let calls: Vec<CallRecord> =
        holds.iter().zip(0..).map(|(hold, n)| call((hold.user_id, hold.token_id), n, 20)).collect();
    let first = bench.ledger.apply(&[], &calls).await.unwrap();
    let before = books(&bench.store).await;
    assert_eq!(bench.ledger.apply(&[], &calls).await.unwrap(), first);
    assert_eq!(books(&bench.store).await, before);
    check(&before, &BTreeMap::new());
    // Not even with every call twice in one group.
    let twice = [calls.clone(), calls].concat();
    bench.ledger.apply(&[], &twice).await.unwrap();
    assert_eq!(books(&bench.store).await, before);
}

#[tokio::test]
async fn a_member_that_is_in_a_group_twice_counts_once() {
    let bench = bench().await;
    let payer = bench.payers[1];
    let both = [hold(payer, 1, 200), hold(payer, 1, 200)];
    let (reserved, _) = bench.ledger.apply(&both, &[]).await.unwrap();
    assert_eq!(reserved, [Reserved::Granted(credits(200)); 2]);
    let both = [call(payer, 1, 150), call(payer, 1, 150)];
    let (_, settled) = bench.ledger.apply(&[], &both).await.unwrap();
    let charged = credits(150);
    assert_eq!(settled, [Settled { charged }; 2]);
    let user = bench.store.users.find(payer.0).await.unwrap().unwrap();
    assert_eq!((user.spent, user.held), (charged, credits(0)));
}

#[tokio::test]
async fn a_hold_can_use_what_its_group_gives_back() {
    let bench = bench().await;
    let payer = bench.payers[1];
    let (first, second) = (hold(payer, 1, 300), hold(payer, 2, 250));
    assert!(bench.ledger.reserve(&first).await.unwrap().is_granted());
    let settled = [call(payer, 1, 50)];
    let (reserved, _) = bench.ledger.apply(&[second], &settled).await.unwrap();
    assert_eq!(reserved, [Reserved::Granted(credits(250))]);
}

#[tokio::test]
async fn an_empty_group_is_nothing() {
    let bench = bench().await;
    let (reserved, settled) = bench.ledger.apply(&[], &[]).await.unwrap();
    assert!(reserved.is_empty() && settled.is_empty());
}

#[tokio::test]
async fn a_sweep_closes_more_than_one_transaction_holds() {
    let bench = bench().await;
    let payer = bench.payers[5];
    let holds: Vec<Hold> = (0..1203).map(|n| hold(payer, n, 0)).collect();
    let (reserved, _) = bench.ledger.apply(&holds, &[]).await.unwrap();
    assert!(reserved.iter().all(|r| r.is_granted()));
    let later = Timestamp::from_millis(NOW + 1000);
    assert_eq!(bench.ledger.sweep(later).await.unwrap(), 1203);
    let user = bench.store.users.find(payer.0).await.unwrap().unwrap();
    assert_eq!(user.request_count, 1203);
}

/// One step of the random life below.
async fn step(
    store: &Store,
    random: &mut Random,
    payers: &[(UserId, TokenId)],
    open: &mut BTreeMap<u64, Hold>,
    next: &mut u64,
) -> Result<(), StoreError> {
    match random.below(10) {
        0..5 => {
            *next += 1;
            let hold = random_hold(random, payers, *next);
            if store.ledger.reserve(&hold).await?.is_granted() {
                open.insert(*next, hold);
            }
        }
        5..8 => {
            // An open call, or one of long ago.
            let n = random.below(*next + 2);
            let payer = open.remove(&n).map(|hold| (hold.user_id, hold.token_id));
            let payer = payer.unwrap_or(payers[0]);
            store.ledger.settle(&call(payer, n, random.below(90))).await?;
        }
        8 => {
            let (user, _) = pick(random, payers);
            let change = match random.below(3) {
                0 => BalanceChange::Grant(credits(random.below(100))),
                _ => BalanceChange::Set(credits(random.below(400))),
            };
            *next += 1;
            let grant = Grant { id: format!("change {next}"), user_id: user, change };
            store.ledger.grant(&grant, &entry(AuditAction::UserBalance)).await?;
        }
        _ if random.below(8) == 0 => {
            let later = Timestamp::from_millis(NOW + 1000);
            let swept = store.ledger.sweep(later).await?;
            assert_eq!(swept, u64::try_from(open.len()).unwrap());
            open.clear();
        }
        _ => {}
    }
    Ok(())
}

#[tokio::test]
async fn the_books_are_right_after_whatever_happens() {
    for seed in 0..4 {
        let bench = bench().await;
        let mut random = Random(1000 + seed);
        let (mut open, mut next) = (BTreeMap::new(), 0);
        for n in 0..300 {
            step(&bench.store, &mut random, &bench.payers, &mut open, &mut next).await.unwrap();
            if n % 25 == 0 {
                check(&books(&bench.store).await, &open);
            }
        }
        check(&books(&bench.store).await, &open);
    }
}

#[tokio::test]
async fn five_hundred_racing_calls_on_a_balance_for_ten_are_ten() {
    let folder = tempfile::tempdir().unwrap();
    let executor = open(folder.path()).await;
    let (store, writer) = adapter_sqlite::store(&executor, Grouping::default());
    let payer = payer(&store, 1, 100, None).await;
    let holds: Vec<Hold> = (0..500).map(|n| hold(payer, n, 10)).collect();
    let racing = holds.iter().map(|hold| store.ledger.reserve(hold));
    let racing = tokio::select! {
        racing = futures_util::future::join_all(racing) => racing,
        () = writer => panic!("the loop ended"),
    };
    let granted = racing.into_iter().map(Result::unwrap);
    assert_eq!(granted.filter(|r| r.is_granted()).count(), 10);
    let user = store.users.find(payer.0).await.unwrap().unwrap();
    assert_eq!(user.held, credits(100));
    assert_eq!(user.available(), credits(0));
}
