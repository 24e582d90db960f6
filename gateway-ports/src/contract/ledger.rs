//! What the ledger must keep: holds, charges, balances.

use super::fixture::{GRANTED, charged, credits, new_token, payer, refused, request};
use crate::{BalanceChange, BalanceChanged, Hold, NewToken, Refusal, Store, UsageFilter};
use futures_util::future::{join, join_all};
use gateway_domain::{Credits, UserId};

pub(super) async fn a_hold_shows_in_user_and_key(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    assert_eq!(payer.reserve(1, 40).await, GRANTED);
    payer.expect_money(0, 40).await;
    assert_eq!(payer.user().await.available(), credits(60));
    assert_eq!(payer.token().await.request_count, 0);
}

pub(super) async fn reserve_stops_at_the_balance(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    assert_eq!(payer.reserve(1, 101).await, refused(Refusal::Exhausted));
    assert_eq!(payer.reserve(2, 60).await, GRANTED);
    assert_eq!(payer.reserve(3, 41).await, refused(Refusal::Held));
    assert_eq!(payer.reserve(4, 40).await, GRANTED);
    assert_eq!(payer.reserve(5, 1).await, refused(Refusal::Held));
    payer.expect_money(0, 100).await;
}

pub(super) async fn reserve_stops_at_the_cap(store: &Store) {
    let payer = payer(store, 1, 1000, Some(100)).await;
    assert_eq!(payer.reserve(1, 101).await, refused(Refusal::Exhausted));
    assert_eq!(payer.reserve(2, 60).await, GRANTED);
    assert_eq!(payer.reserve(3, 41).await, refused(Refusal::Held));
    assert_eq!(payer.reserve(4, 40).await, GRANTED);
    payer.expect_money(0, 100).await;
    // The cap is the key's, not the user's.
    let second = store.tokens.insert(&new_token(payer.user_id, 2), 10).await;
    let hold = Hold { token_id: second.unwrap().unwrap(), ..payer.hold(5, 900) };
    assert_eq!(payer.try_reserve(&hold).await, GRANTED);
}

pub(super) async fn racing_reserves_never_overdraw(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    let racing = join_all((1..=64).map(|n| payer.reserve(n, 10))).await;
    assert_eq!(racing.iter().filter(|r| **r == GRANTED).count(), 10);
    for refusal in racing.into_iter().filter(|r| *r != GRANTED) {
        assert_eq!(refusal, refused(Refusal::Held));
    }
    payer.expect_money(0, 100).await;
}

pub(super) async fn racing_reserves_never_pass_the_cap(store: &Store) {
    // Two keys of one user, each with a cap, and a balance for less than both.
    let payer = payer(store, 1, 110, Some(70)).await;
    let second = NewToken { cap: Some(credits(70)), ..new_token(payer.user_id, 2) };
    let second = store.tokens.insert(&second, 10).await.unwrap().unwrap();
    let holds: Vec<Hold> = (1..=64)
        .map(|n| {
            let mut hold = payer.hold(n, 10);
            if n % 2 == 0 {
                hold.token_id = second;
            }
            hold
        })
        .collect();
    let racing = join_all(holds.iter().map(|hold| payer.try_reserve(hold))).await;
    let count = |token| {
        let granted = holds.iter().zip(&racing).filter(|(_, r)| **r == GRANTED);
        granted.filter(|(hold, _)| hold.token_id == token).count()
    };
    assert!(count(payer.token_id) <= 7 && count(second) <= 7);
    assert_eq!(count(payer.token_id) + count(second), 11);
    assert_eq!(payer.user().await.held, credits(110));
}

pub(super) async fn racing_users_do_not_hinder_each_other(store: &Store) {
    let rich = payer(store, 1, 1000, None).await;
    let poor = payer(store, 2, 5, None).await;
    let holds: Vec<Hold> = (0..40)
        .map(|n| match n % 2 {
            0 => rich.hold(n, 10),
            _ => poor.hold(n, 10),
        })
        .collect();
    let racing = join_all(holds.iter().map(|hold| rich.try_reserve(hold))).await;
    for (hold, reserved) in holds.iter().zip(racing) {
        if hold.user_id == rich.user_id {
            assert_eq!(reserved, GRANTED);
        } else {
            assert_eq!(reserved, refused(Refusal::Exhausted));
        }
    }
    poor.expect_money(0, 0).await;
}

pub(super) async fn a_small_call_fits_beside_a_refused_large_one(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    let large = (1..=8).map(|n| payer.hold(n, 1000));
    let small = (9..=16).map(|n| payer.hold(n, 10));
    let holds: Vec<Hold> = large.chain(small).collect();
    let racing = join_all(holds.iter().map(|hold| payer.try_reserve(hold))).await;
    for (hold, reserved) in holds.iter().zip(racing) {
        if hold.amount == credits(10) {
            assert_eq!(reserved, GRANTED);
        } else {
            assert_eq!(reserved, refused(Refusal::Exhausted));
        }
    }
    payer.expect_money(0, 80).await;
}

pub(super) async fn reserving_twice_holds_once(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    let hold = payer.hold(1, 60);
    let (first, second) = join(payer.try_reserve(&hold), payer.try_reserve(&hold)).await;
    assert_eq!((first, second), (GRANTED, GRANTED));
    assert_eq!(payer.try_reserve(&hold).await, GRANTED);
    payer.expect_money(0, 60).await;
}

pub(super) async fn settling_charges_and_gives_the_rest_back(store: &Store) {
    let payer = payer(store, 1, 100, Some(80)).await;
    payer.reserve(1, 40).await;
    assert_eq!(payer.settle(1, 24).await, charged(24));
    payer.expect_money(24, 0).await;
    assert_eq!(payer.user().await.request_count, 1);
    assert_eq!(payer.token().await.request_count, 1);
    assert_eq!(payer.user().await.available(), credits(76));
    assert_eq!(payer.token().await.available(), Some(credits(56)));
}

pub(super) async fn settling_twice_charges_once(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    payer.reserve(1, 40).await;
    assert_eq!(payer.settle(1, 24).await, charged(24));
    // Whatever the second delivery says.
    assert_eq!(payer.settle(1, 24).await, charged(24));
    assert_eq!(payer.settle(1, 39).await, charged(24));
    payer.expect_money(24, 0).await;
    assert_eq!(payer.user().await.request_count, 1);
    let rows = store.usage.list(&UsageFilter::default(), None, 10).await;
    assert_eq!(rows.unwrap().len(), 1);
}

pub(super) async fn racing_settles_charge_once(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    payer.reserve(1, 40).await;
    let settled = join_all((0..32).map(|_| payer.settle(1, 24))).await;
    assert!(settled.into_iter().all(|settled| settled == charged(24)));
    payer.expect_money(24, 0).await;
}

pub(super) async fn settling_nothing_changes_nothing(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    payer.reserve(1, 40).await;
    assert_eq!(payer.settle(2, 24).await, charged(0));
    // Nor does a call whose hold was refused.
    assert_eq!(payer.reserve(3, 90).await, refused(Refusal::Held));
    assert_eq!(payer.settle(3, 24).await, charged(0));
    payer.expect_money(0, 40).await;
    let rows = store.usage.list(&UsageFilter::default(), None, 10).await;
    assert_eq!(rows.unwrap(), []);
}

pub(super) async fn a_charge_never_exceeds_the_hold(store: &Store) {
    let payer = payer(store, 1, 100, Some(50)).await;
    payer.reserve(1, 40).await;
    assert_eq!(payer.settle(1, 75).await, charged(40));
    payer.expect_money(40, 0).await;
    let rows = store.usage.list(&UsageFilter::default(), None, 10).await;
    let rows = rows.unwrap();
    let row = rows.first().unwrap();
    assert_eq!((row.quota, row.unbilled), (credits(40), credits(35)));
}

pub(super) async fn a_call_that_cost_nothing_gives_everything_back(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    payer.reserve(1, 40).await;
    assert_eq!(payer.settle(1, 0).await, charged(0));
    payer.expect_money(0, 0).await;
    assert_eq!(payer.user().await.request_count, 1);
}

pub(super) async fn a_free_call_needs_no_balance(store: &Store) {
    let payer = payer(store, 1, 0, None).await;
    assert_eq!(payer.reserve(1, 0).await, GRANTED);
    assert_eq!(payer.settle(1, 0).await, charged(0));
    assert_eq!(payer.reserve(2, 1).await, refused(Refusal::Exhausted));
}

pub(super) async fn large_amounts_stay_exact(store: &Store) {
    let most = Credits::MAX.units();
    let payer = payer(store, 1, most, Some(most)).await;
    assert_eq!(payer.reserve(1, most - 1).await, GRANTED);
    assert_eq!(payer.reserve(2, 2).await, refused(Refusal::Held));
    assert_eq!(payer.reserve(3, 1).await, GRANTED);
    payer.expect_money(0, most).await;
    assert_eq!(payer.settle(1, most - 2).await, charged(most - 2));
    payer.expect_money(most - 2, 1).await;
}

pub(super) async fn grants_add_up(store: &Store) {
    let payer = payer(store, 1, 10, None).await;
    assert_eq!(payer.reserve(1, 60).await, refused(Refusal::Exhausted));
    payer.grant(30).await;
    payer.grant(20).await;
    assert_eq!(payer.user().await.granted, credits(60));
    assert_eq!(payer.reserve(2, 60).await, GRANTED);
}

pub(super) async fn a_balance_can_be_set(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    payer.reserve(1, 40).await;
    payer.settle(1, 30).await;
    payer.reserve(2, 20).await;
    // Down to what is held and no further, and up again; what was spent stays spent.
    for balance in [20, 500] {
        let change = BalanceChange::Set(credits(balance));
        let changed = store.ledger.change_balance(payer.user_id, change).await;
        assert_eq!(changed.unwrap(), BalanceChanged::Changed);
        assert_eq!(payer.user().await.balance(), credits(balance));
        payer.expect_money(30, 20).await;
    }
}

pub(super) async fn a_balance_below_what_is_held_is_refused(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    payer.reserve(1, 40).await;
    let change = BalanceChange::Set(credits(39));
    let changed = store.ledger.change_balance(payer.user_id, change).await;
    assert_eq!(changed.unwrap(), BalanceChanged::OutOfRange);
    assert_eq!(payer.user().await.granted, credits(100));
}

pub(super) async fn a_balance_beyond_what_can_be_kept_is_refused(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    payer.reserve(1, 10).await;
    payer.settle(1, 10).await;
    for change in [BalanceChange::Grant(Credits::MAX), BalanceChange::Set(Credits::MAX)] {
        let changed = store.ledger.change_balance(payer.user_id, change).await;
        assert_eq!(changed.unwrap(), BalanceChanged::OutOfRange);
    }
    assert_eq!(payer.user().await.granted, credits(100));
}

pub(super) async fn nobody_has_no_balance(store: &Store) {
    for change in [BalanceChange::Grant(credits(1)), BalanceChange::Set(credits(1))] {
        let changed = store.ledger.change_balance(UserId(4711), change).await;
        assert_eq!(changed.unwrap(), BalanceChanged::NotFound);
    }
}

pub(super) async fn racing_grants_and_charges_all_count(store: &Store) {
    let payer = payer(store, 1, 1000, None).await;
    for n in 0..16 {
        assert_eq!(payer.reserve(n, 10).await, GRANTED);
    }
    let settles = join_all((0..16).map(|n| payer.settle(n, 7)));
    let grants = join_all((0..16).map(|_| payer.grant(5)));
    let reserves = join_all((16..32).map(|n| payer.reserve(n, 3)));
    let ((settled, _), reserved) = join(join(settles, grants), reserves).await;
    assert!(settled.into_iter().all(|settled| settled == charged(7)));
    assert!(reserved.into_iter().all(|reserved| reserved == GRANTED));
    payer.expect_money(16 * 7, 16 * 3).await;
    assert_eq!(payer.user().await.granted, credits(1000 + 16 * 5));
    let rows = store.usage.list(&UsageFilter::default(), None, 100).await;
    let ids: Vec<_> = rows.unwrap().into_iter().map(|r| r.request_id).collect();
    assert_eq!(ids, (0..16).rev().map(request).collect::<Vec<_>>());
}
