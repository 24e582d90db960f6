//! What the ledger must keep: holds, charges, balances.

use super::fixture::{GRANTED, Payer, charged, credits, entry, new_token, payer, refused, request};
use crate::{
    AuditAction::TokenCreate, BalanceChange, BalanceChanged, Hold, NewToken, Refusal, Reserved,
    Store, UsageFilter,
};
use futures_util::future::{join, join_all};
use gateway_domain::{CallState, Credits, TokenId, UserId};

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
    let second = store.tokens.insert(&new_token(payer.user_id, 2), 10, &entry(TokenCreate)).await;
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
    let second = store.tokens.insert(&second, 10, &entry(TokenCreate)).await.unwrap().unwrap();
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
    payer.grant("a", 30).await;
    payer.grant("b", 20).await;
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
        let changed = payer.change(&format!("to {balance}"), change).await;
        assert_eq!(changed, BalanceChanged::Changed);
        assert_eq!(payer.user().await.balance(), credits(balance));
        payer.expect_money(30, 20).await;
    }
}

pub(super) async fn a_balance_below_what_is_held_is_refused(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    payer.reserve(1, 40).await;
    let changed = payer.change("a", BalanceChange::Set(credits(39))).await;
    assert_eq!(changed, BalanceChanged::OutOfRange);
    assert_eq!(payer.user().await.granted, credits(100));
}

pub(super) async fn a_balance_beyond_what_can_be_kept_is_refused(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    payer.reserve(1, 10).await;
    payer.settle(1, 10).await;
    for change in [BalanceChange::Grant(Credits::MAX), BalanceChange::Set(Credits::MAX)] {
        let changed = payer.change("a", change).await;
        assert_eq!(changed, BalanceChanged::OutOfRange);
    }
    assert_eq!(payer.user().await.granted, credits(100));
    payer.expect_books_to_add_up().await;
}

pub(super) async fn nobody_has_no_balance(store: &Store) {
    let nobody = Payer { store, user_id: UserId(4711), token_id: TokenId(4711) };
    for change in [BalanceChange::Grant(credits(1)), BalanceChange::Set(credits(1))] {
        assert_eq!(nobody.change("a", change).await, BalanceChanged::NotFound);
    }
}

pub(super) async fn racing_grants_and_charges_all_count(store: &Store) {
    let payer = payer(store, 1, 1000, None).await;
    for n in 0..16 {
        assert_eq!(payer.reserve(n, 10).await, GRANTED);
    }
    let settles = join_all((0..16).map(|n| payer.settle(n, 7)));
    let ids: Vec<String> = (0..16).map(|n| format!("grant {n}")).collect();
    let grants = join_all(ids.iter().map(|id| payer.grant(id, 5)));
    let reserves = join_all((16..32).map(|n| payer.reserve(n, 3)));
    let ((settled, _), reserved) = join(join(settles, grants), reserves).await;
    assert!(settled.into_iter().all(|settled| settled == charged(7)));
    assert!(reserved.into_iter().all(|reserved| reserved == GRANTED));
    payer.expect_money(16 * 7, 16 * 3).await;
    assert_eq!(payer.user().await.granted, credits(1000 + 16 * 5));
    let rows = store.usage.list(&UsageFilter::default(), None, 100).await;
    let ids: Vec<_> = rows.unwrap().into_iter().map(|r| r.request_id).collect();
    assert_eq!(ids, (0..16).rev().map(request).collect::<Vec<_>>());
    payer.expect_books_to_add_up().await;
}

pub(super) async fn a_grant_counts_once_under_its_id(store: &Store) {
    let payer = payer(store, 1, 10, None).await;
    for _ in 0..3 {
        payer.grant("once", 30).await;
    }
    assert_eq!(payer.user().await.granted, credits(40));
    // A balance that is set again under the same id is not set again: what was spent stays spent.
    let set = BalanceChange::Set(credits(100));
    assert_eq!(payer.change("set", set).await, BalanceChanged::Changed);
    payer.reserve(1, 60).await;
    payer.settle(1, 60).await;
    assert_eq!(payer.change("set", set).await, BalanceChanged::Changed);
    assert_eq!(payer.user().await.balance(), credits(40));
    payer.expect_books_to_add_up().await;
}

pub(super) async fn an_id_is_of_one_grant(store: &Store) {
    let payer = payer(store, 1, 10, None).await;
    let other = super::fixture::payer(store, 2, 10, None).await;
    // Nor does it help that the same was granted before, under an id of its own.
    payer.grant("before", 31).await;
    payer.grant("once", 30).await;
    for change in [BalanceChange::Grant(credits(31)), BalanceChange::Set(credits(30))] {
        assert_eq!(payer.change("once", change).await, BalanceChanged::IdTaken);
    }
    let same = BalanceChange::Grant(credits(30));
    assert_eq!(other.change("once", same).await, BalanceChanged::IdTaken);
    assert_eq!(payer.user().await.granted, credits(71));
    assert_eq!(other.user().await.granted, credits(10));
}

pub(super) async fn a_hold_takes_less_where_it_may(store: &Store) {
    let payer = payer(store, 1, 100, Some(90)).await;
    payer.reserve(1, 30).await;
    let large = Hold { least: credits(50), ..payer.hold(2, 500) };
    // What the key has left is less than what the user has.
    let granted = Reserved::Granted(credits(60));
    assert_eq!(store.ledger.reserve(&large).await.unwrap(), granted);
    payer.expect_money(0, 90).await;
    // The same again, although nothing is free any more.
    assert_eq!(store.ledger.reserve(&large).await.unwrap(), granted);
    payer.expect_money(0, 90).await;
    assert_eq!(payer.settle(2, 400).await, charged(60));
    payer.expect_money(60, 30).await;
    payer.expect_books_to_add_up().await;
}

pub(super) async fn a_hold_takes_no_less_than_its_least(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    payer.reserve(1, 30).await;
    let hold = |n, least| Hold { least: credits(least), ..payer.hold(n, 500) };
    assert_eq!(payer.try_reserve(&hold(2, 71)).await, refused(Refusal::Held));
    assert_eq!(payer.try_reserve(&hold(3, 101)).await, refused(Refusal::Exhausted));
    payer.expect_money(0, 30).await;
}

pub(super) async fn racing_holds_that_may_take_less_never_overdraw(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    let holds: Vec<Hold> =
        (1..=32).map(|n| Hold { least: credits(20), ..payer.hold(n, 30) }).collect();
    let racing = join_all(holds.iter().map(|hold| store.ledger.reserve(hold))).await;
    let mut held = 0;
    for reserved in racing {
        if let Reserved::Granted(amount) = reserved.unwrap() {
            assert!((20..=30).contains(&amount.units()));
            held += amount.units();
        }
    }
    // Three whole ones leave too little for a fourth.
    assert_eq!(held, 90);
    payer.expect_money(0, 90).await;
}

pub(super) async fn a_void_call_says_so(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    payer.reserve(1, 40).await;
    let call = gateway_domain::CallRecord { state: CallState::Void, ..payer.call(1, 0) };
    assert_eq!(store.ledger.settle(&call).await.unwrap(), charged(0));
    payer.expect_money(0, 0).await;
    let rows = store.usage.list(&UsageFilter::default(), None, 10).await;
    assert_eq!(rows.unwrap().first().unwrap().state, CallState::Void);
    // It is over: nothing can be charged for it any more.
    assert_eq!(payer.settle(1, 40).await, charged(0));
    payer.expect_money(0, 0).await;
    payer.expect_books_to_add_up().await;
}
