//! Windows against a list of everything, and meters by example.

use super::*;
use proptest::prelude::*;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(i64::try_from(ms).unwrap())
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// What a list of everything that was let in says of the minute before a moment.
fn naive(let_in: &[(u64, u64)], now: u64, minute: u64) -> u64 {
    let_in.iter().filter(|(then, _)| now - then < minute).map(|(_, amount)| amount).sum()
}

proptest! {
    #[test]
    fn a_window_lets_in_what_a_list_of_everything_does_and_at_most_a_second_later(
        limit in 1u64..40,
        steps in proptest::collection::vec((0u64..20_000, 1u64..12), 1..120),
    ) {
        let (mut window, mut let_in, mut now) = (Window::default(), Vec::new(), 0);
        for (pause, amount) in steps {
            now += pause;
            let wait = window.wait(at(now), limit, amount);
            prop_assert_eq!(wait.is_none(), amount > limit);
            let Some(wait) = wait else { continue };
            let fits = naive(&let_in, now, 60_000) + amount <= limit;
            let fits_late = naive(&let_in, now, 61_000) + amount <= limit;
            prop_assert!(wait > Duration::ZERO || fits, "more than the limit within a minute");
            prop_assert!(wait == Duration::ZERO || !fits_late, "refused for what is long over");
            prop_assert!(wait <= MINUTE);
            if wait == Duration::ZERO {
                window.add(at(now), amount);
                let_in.push((now, amount));
            } else {
                // The wait is as long as it must be, and not longer.
                let then = now + u64::try_from(wait.as_millis()).unwrap();
                prop_assert_eq!(window.clone().wait(at(then), limit, amount), Some(Duration::ZERO));
                prop_assert_ne!(window.clone().wait(at(then - 1), limit, amount), Some(Duration::ZERO));
            }
            prop_assert!(window.entries.len() <= 61, "{} entries", window.entries.len());
        }
    }

    #[test]
    fn what_is_put_right_counts_as_what_it_really_was(
        steps in proptest::collection::vec((0u64..9_000, 0u64..50, 0u64..50), 1..60),
    ) {
        let (mut window, mut real_ones, mut now) = (Window::default(), Vec::new(), 0);
        for (pause, counted, real) in steps {
            now += pause;
            let number = window.add(at(now), counted);
            window.correct(number, counted, real);
            real_ones.push((now, real));
            let used = window.used(at(now));
            prop_assert!(used >= naive(&real_ones, now, 60_000));
            prop_assert!(used <= naive(&real_ones, now, 61_000));
        }
        prop_assert_eq!(window.used(at(now + 60_000)), 0);
    }
}

#[test]
fn an_entry_that_is_forgotten_is_not_put_right() {
    let mut window = Window::default();
    let old = window.add(at(0), 10);
    let new = window.add(at(50_000), 5);
    window.correct(old, 10, 3);
    assert_eq!(window.used(at(50_000)), 8);
    window.correct(old, 3, u64::MAX);
    assert_eq!(window.used(at(50_000)), u64::MAX);
    assert_eq!(window.used(at(60_000)), 5);
    window.correct(old, 3, 1000);
    assert_eq!(window.used(at(60_000)), 5);
    window.correct(new, 9, 0);
    assert_eq!(window.used(at(60_000)), 0);
}

#[test]
fn a_clock_that_jumps_locks_nobody_out_for_longer_than_a_minute() {
    let mut window = Window::default();
    window.add(at(3_600_000), 7);
    assert_eq!(window.wait(at(0), 7, 1), Some(MINUTE));
    assert_eq!(window.used(at(59_999)), 7);
    assert_eq!(window.used(at(60_000)), 0);
    window.add(at(60_000), 7);
    assert_eq!(window.wait(at(3_600_000), 7, 7), Some(Duration::ZERO));
}

const NONE: TokenNeed = TokenNeed { most: 0, least: 0 };

#[test]
fn each_limit_refuses_by_itself_and_says_when_to_come_again() {
    let limits = Limits { rpm: 2, ..Limits::default() };
    let mut meter = Meter::default();
    meter.take(at(0), &limits, NONE);
    meter.take(at(5_000), &limits, NONE);
    let refused = Exceeded { which: Limit::Requests, limit: 2, wait: Some(ms(50_000)) };
    assert_eq!(meter.check(at(10_000), &limits, NONE), Err(refused));
    assert_eq!(meter.check(at(60_000), &limits, NONE), Ok(()));

    let limits = Limits { tpm: 100, ..Limits::default() };
    let mut meter = Meter::default();
    let need = TokenNeed { most: 60, least: 60 };
    let counted = meter.take(at(0), &limits, need);
    let refused = Exceeded { which: Limit::Tokens, limit: 100, wait: Some(ms(59_000)) };
    assert_eq!(meter.check(at(1_000), &limits, need), Err(refused));
    meter.correct(counted, 40);
    assert_eq!(meter.check(at(1_000), &limits, need), Ok(()));
    let large = TokenNeed { most: 101, least: 101 };
    let never = Exceeded { which: Limit::Tokens, limit: 100, wait: None };
    assert_eq!(meter.check(at(1_000), &limits, large), Err(never));

    let limits = Limits { concurrency: 1, ..Limits::default() };
    let mut meter = Meter::default();
    assert_eq!(meter.check(at(0), &limits, NONE), Ok(()));
    meter.take(at(0), &limits, NONE);
    let refused = Exceeded { which: Limit::Concurrency, limit: 1, wait: Some(SOON) };
    assert_eq!(meter.check(at(0), &limits, NONE), Err(refused));
    assert!(!meter.is_idle(at(999_999)));
    meter.close();
    assert_eq!(meter.check(at(0), &limits, NONE), Ok(()));
    meter.close();
    assert!(meter.is_idle(at(0)));
}

#[test]
fn of_two_limits_the_one_that_lasts_longer_is_named() {
    let limits = Limits { rpm: 1, tpm: 10, concurrency: 1 };
    let mut meter = Meter::default();
    let need = TokenNeed { most: 10, least: 10 };
    meter.take(at(0), &Limits { tpm: 0, ..limits }, need);
    meter.take(at(30_000), &Limits { rpm: 0, ..limits }, need);
    let refused = meter.check(at(31_000), &limits, need).unwrap_err();
    assert_eq!((refused.which, refused.wait), (Limit::Tokens, Some(ms(59_000))));
    let refused = meter.check(at(31_000), &limits, NONE).unwrap_err();
    assert_eq!((refused.which, refused.wait), (Limit::Requests, Some(ms(29_000))));
}

#[test]
fn a_guess_of_the_gateway_makes_no_call_too_large() {
    let need = TokenNeed { most: 4100, least: 30 };
    assert_eq!(need.under(100), 100);
    assert_eq!(need.under(10_000), 4100);
    assert_eq!(need.under(29), 30);
}

#[test]
fn a_standing_says_what_is_left_of_the_tighter_limit() {
    let limits = Limits { rpm: 3, tpm: 100, concurrency: 0 };
    let mut meter = Meter::default();
    meter.take(at(0), &limits, TokenNeed { most: 30, least: 30 });
    let standing = meter.standing(at(15_000), &limits);
    let gauge = |limit, remaining| Some(Gauge { limit, remaining, reset: ms(45_000) });
    assert_eq!(standing, Standing { requests: gauge(3, 2), tokens: gauge(100, 70) });
    let other = Standing { requests: gauge(9, 1), tokens: None };
    let tighter = Standing { requests: gauge(9, 1), tokens: gauge(100, 70) };
    assert_eq!(standing.tighter(other), tighter);
    assert_eq!(other.tighter(standing), tighter);
    assert_eq!(Meter::default().standing(at(0), &Limits::default()), Standing::default());
}
