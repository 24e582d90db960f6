//! Breakers: one rule after the other, and all of them beside a reference.

use super::*;
use proptest::prelude::*;

const RULES: BreakerRules = BreakerRules {
    failures: 5,
    cooldown: Duration::from_secs(10),
    most_cooldown: Duration::from_secs(60),
    rate_limited: Duration::from_secs(1),
    probe: Duration::from_secs(30),
};
const BAD: Sign = Sign::Failed(FaultKind::Server, None);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000_000 + seconds * 1000)
}

fn hear(breaker: &mut Breaker, sign: Sign, now: i64) -> bool {
    breaker.hear(sign, false, at(now), &RULES)
}

fn open(now: i64) -> Breaker {
    let mut breaker = Breaker::default();
    for _ in 0..5 {
        hear(&mut breaker, BAD, now);
    }
    breaker
}

fn until(breaker: &Breaker) -> i64 {
    (breaker.trip().unwrap().until.as_millis() - at(0).as_millis()) / 1000
}

#[test]
fn five_failures_in_a_row_open_it_and_four_do_not() {
    let mut breaker = Breaker::default();
    for _ in 0..4 {
        assert!(!hear(&mut breaker, BAD, 0));
    }
    assert!(!hear(&mut breaker, Sign::Fine, 0));
    for _ in 0..4 {
        assert!(!hear(&mut breaker, BAD, 1));
        assert_eq!(breaker.standing(at(1)), Standing::Ready);
    }
    assert!(hear(&mut breaker, BAD, 1));
    assert!(matches!(breaker.standing(at(10)), Standing::Out(trip) if trip.until == at(11)));
    assert!(matches!(breaker.standing(at(11)), Standing::Probe(_)));
}

#[test]
fn half_of_twenty_calls_in_a_minute_open_it() {
    let mut breaker = Breaker::default();
    let mut opened = 0;
    for call in 1..=20 {
        let sign = if call % 2 == 0 { BAD } else { Sign::Fine };
        if hear(&mut breaker, sign, call) {
            opened = call;
        }
    }
    assert_eq!(opened, 20);
    // The same over ten minutes is no reason.
    let mut breaker = Breaker::default();
    for call in 1..=40 {
        let sign = if call % 2 == 0 { BAD } else { Sign::Fine };
        assert!(!hear(&mut breaker, sign, call * 15));
    }
}

#[test]
fn one_probe_goes_through_and_closes_it() {
    let mut breaker = open(0);
    assert!(!breaker.begin(at(9), &RULES));
    assert!(breaker.begin(at(10), &RULES));
    assert!(!breaker.begin(at(10), &RULES));
    assert!(matches!(breaker.standing(at(39)), Standing::Out(_)));
    assert!(breaker.hear(Sign::Fine, true, at(11), &RULES));
    assert_eq!(breaker, Breaker::default());
}

#[test]
fn a_probe_that_fails_opens_it_for_twice_as_long_up_to_a_limit() {
    let mut breaker = open(0);
    let mut now = 10;
    for cooldown in [20, 40, 60, 60] {
        assert!(breaker.begin(at(now), &RULES));
        assert!(breaker.hear(BAD, true, at(now), &RULES));
        assert_eq!(until(&breaker), now + cooldown);
        assert_eq!(breaker.trip().unwrap().since, at(0));
        now += cooldown;
    }
}

#[test]
fn an_answer_that_begins_and_breaks_off_opens_it_again_at_once() {
    let mut breaker = open(0);
    assert!(breaker.begin(at(10), &RULES));
    assert!(breaker.hear(Sign::Began, true, at(10), &RULES));
    assert_eq!(breaker.standing(at(10)), Standing::Ready);
    assert!(breaker.hear(BAD, true, at(11), &RULES));
    assert_eq!(until(&breaker), 31);
}

#[test]
fn a_probe_of_which_nothing_is_heard_is_followed_by_another() {
    let mut breaker = open(0);
    assert!(breaker.begin(at(10), &RULES));
    assert!(breaker.begin(at(40), &RULES), "its time is over");
    assert!(breaker.hear(Sign::Nothing, true, at(41), &RULES), "or its caller left");
    assert!(breaker.begin(at(41), &RULES));
}

#[test]
fn a_limit_cools_down_for_as_long_as_it_says() {
    let wait = |seconds| Sign::Wait(FaultKind::RateLimited, Some(Duration::from_secs(seconds)));
    let mut breaker = Breaker::default();
    assert!(hear(&mut breaker, wait(7), 0));
    assert!(matches!(breaker.standing(at(6)), Standing::Out(_)));
    assert_eq!(breaker.standing(at(7)), Standing::Ready);
    assert!(!hear(&mut breaker, wait(3), 1), "it is known");
    assert!(hear(&mut breaker, wait(1_000_000), 1));
    assert_eq!(until(&breaker), 1 + 3600);
    // Nobody counts it as a failure, and without a word it is short.
    let mut breaker = Breaker::default();
    for now in 0..20 {
        assert!(hear(&mut breaker, Sign::Wait(FaultKind::RateLimited, None), now));
        assert_eq!(breaker.standing(at(now + 1)), Standing::Ready);
    }
    assert!(!hear(&mut Breaker::default(), wait(0), 0));
    let mut breaker = Breaker::default();
    assert!(hear(&mut breaker, Sign::Wait(FaultKind::Quota, None), 0));
    assert_eq!(until(&breaker), 60);
}

#[test]
fn an_overloaded_upstream_is_given_its_time_and_counted() {
    let bad = Sign::Failed(FaultKind::Overloaded, Some(Duration::from_secs(2)));
    let mut breaker = Breaker::default();
    for turn in 0..4 {
        assert!(hear(&mut breaker, bad, turn * 2));
        assert_eq!(until(&breaker), turn * 2 + 2);
        assert_eq!(breaker.standing(at(turn * 2 + 2)), Standing::Ready);
    }
    assert!(hear(&mut breaker, bad, 8));
    assert_eq!((breaker.trip().unwrap().state, until(&breaker)), (TripState::Open, 18));
}

#[test]
fn callers_faults_say_nothing_and_dead_keys_are_told_from_refusals() {
    for (kind, message, sign) in [
        (FaultKind::Rejected, "x", Sign::Nothing),
        (FaultKind::TooLarge, "x", Sign::Nothing),
        (FaultKind::Conflict, "x", Sign::Nothing),
        (FaultKind::Auth, "", Sign::Dead(FaultKind::Auth)),
        (FaultKind::Payment, "", Sign::Dead(FaultKind::Payment)),
        (FaultKind::Permission, "x", Sign::Dead(FaultKind::Permission)),
        (FaultKind::Permission, "", Sign::Failed(FaultKind::Permission, None)),
        (FaultKind::RateLimited, "", Sign::Wait(FaultKind::RateLimited, None)),
        (FaultKind::Malformed, "", Sign::Failed(FaultKind::Malformed, None)),
        (FaultKind::Timeout, "", Sign::Failed(FaultKind::Timeout, None)),
    ] {
        assert_eq!(Sign::of(&Fault::new(kind, message)), sign, "{kind:?}");
    }
}

#[test]
fn a_clock_that_is_set_back_does_not_keep_it_open() {
    let breaker = open(3600);
    assert!(matches!(breaker.standing(at(3598)), Standing::Out(_)), "clocks differ a little");
    assert!(matches!(breaker.standing(at(0)), Standing::Probe(_)));
    assert!(!Trip::dead(FaultKind::Auth, at(3600)).is_over(at(0)));
}

/// The same rules, written down naively: everything that was ever heard is kept, and what holds is
/// found by looking at all of it.
#[derive(Default)]
struct Reference {
    /// (Second, failed) of each call that counts.
    calls: Vec<(i64, bool)>,
    /// Calls before this one are forgotten.
    forgotten: usize,
    row: u32,
    out: Option<(TripState, i64)>,
    level: u32,
}

impl Reference {
    fn open(&mut self, now: i64) {
        let cooldown = [10, 20, 40, 60][usize::try_from(self.level.min(3)).unwrap()];
        self.level += 1;
        self.row = 0;
        self.forgotten = self.calls.len();
        self.out = Some((TripState::Open, now + cooldown));
    }

    fn cool(&mut self, now: i64, wait: Option<Duration>) {
        let wait = wait.map_or(1, |wait| i64::try_from(wait.as_secs()).unwrap());
        self.out = (wait > 0).then_some((TripState::Cooling, now + wait));
    }

    fn begin(&mut self, now: i64) {
        match self.standing(now) {
            "probe" => self.out = Some((TripState::Probing, now + 30)),
            "ready" => self.out = None,
            _ => {}
        }
    }

    fn hear_probe(&mut self, sign: Sign, now: i64) {
        match sign {
            Sign::Fine => *self = Self::default(),
            Sign::Began => (self.out, self.row) = (None, 4),
            Sign::Failed(..) => self.open(now),
            Sign::Wait(_, wait) => self.cool(now, wait),
            Sign::Dead(_) | Sign::Nothing => self.out = Some((TripState::Open, now)),
        }
    }

    fn hear(&mut self, sign: Sign, probe: bool, now: i64) {
        let state = self.out.map(|(state, _)| state);
        if probe && state == Some(TripState::Probing) {
            return self.hear_probe(sign, now);
        }
        if matches!(state, Some(TripState::Open | TripState::Probing)) {
            return;
        }
        let left = self.out.map_or(0, |(_, until)| until - now);
        match sign {
            Sign::Wait(_, wait) => {
                let asked = wait.map_or(1, |wait| i64::try_from(wait.as_secs()).unwrap());
                if left <= 0 || asked > left + 1 {
                    self.cool(now, wait);
                }
            }
            Sign::Fine if left <= 0 => {
                self.calls.push((now, false));
                (self.row, self.level, self.out) = (0, 0, None);
            }
            Sign::Failed(..) if left <= 0 => {
                self.calls.push((now, true));
                self.out = None;
                self.row += 1;
                // The minute of steps of ten seconds that this one is in.
                let step = |second: i64| at(second).as_millis() / 10_000;
                let recent: Vec<bool> = self.calls[self.forgotten..]
                    .iter()
                    .filter(|(second, _)| step(*second) > step(now) - 6)
                    .map(|(_, failed)| *failed)
                    .collect();
                let failed = recent.iter().filter(|failed| **failed).count();
                if self.row >= 5 || (recent.len() >= 20 && failed * 2 >= recent.len()) {
                    self.open(now);
                }
            }
            _ => {}
        }
    }

    fn standing(&self, now: i64) -> &'static str {
        match self.out {
            Some((_, until)) if now < until => "out",
            None | Some((TripState::Cooling, _)) => "ready",
            Some(_) => "probe",
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Begin,
    Heard(Sign, bool),
}

fn steps() -> impl Strategy<Value = Vec<(i64, Step)>> {
    let sign = prop_oneof![
        6 => Just(BAD),
        4 => Just(Sign::Fine),
        1 => Just(Sign::Began),
        1 => Just(Sign::Nothing),
        1 => Just(Sign::Dead(FaultKind::Auth)),
        1 => Just(Sign::Wait(FaultKind::RateLimited, None)),
        2 => (0u64..15).prop_map(|s| Sign::Wait(FaultKind::RateLimited, Some(Duration::from_secs(s)))),
    ];
    let step = prop_oneof![
        2 => Just(Step::Begin),
        5 => (sign, any::<bool>()).prop_map(|(sign, probe)| Step::Heard(sign, probe)),
    ];
    let passes = prop_oneof![5 => 0i64..2, 2 => 0i64..15, 1 => 0i64..90];
    prop::collection::vec((passes, step), 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn it_does_what_the_rules_say_whatever_is_heard(steps in steps()) {
        let mut breaker = Breaker::default();
        let mut reference = Reference::default();
        let mut now = 0;
        for (passed, step) in steps {
            now += passed;
            let before = breaker.trip().copied();
            match step {
                Step::Begin => {
                    let expected = reference.standing(now) == "probe";
                    prop_assert_eq!(breaker.begin(at(now), &RULES), expected);
                    reference.begin(now);
                }
                Step::Heard(sign, probe) => {
                    let changed = breaker.hear(sign, probe, at(now), &RULES);
                    // What is not told changes nothing for others, but that it may be over.
                    let after = breaker.trip().copied();
                    let over = after.is_none() && before.is_some_and(|trip| trip.is_over(at(now)));
                    prop_assert!(changed || after == before || over);
                    reference.hear(sign, probe, now);
                }
            }
            for later in [0, 1, 5, 29, 61] {
                let standing = match breaker.standing(at(now + later)) {
                    Standing::Ready => "ready",
                    Standing::Probe(_) => "probe",
                    Standing::Out(_) => "out",
                };
                prop_assert_eq!(standing, reference.standing(now + later), "{} s after {:?}", later, step);
            }
        }
    }
}
