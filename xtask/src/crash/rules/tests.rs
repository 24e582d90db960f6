//! Fabricated evidence: for each promise, what keeps it and what breaks it.

use super::*;
use crate::crash::plan::{Answer, Call, End};

const PLAN: Plan = Plan { seed: 11 };

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The first call of the plan of a kind.
fn first(what: impl Fn(&Call) -> bool) -> u64 {
    (0..10_000).find(|number| what(&PLAN.call(*number))).unwrap()
}

fn streamed(end: End) -> u64 {
    first(|call| matches!(&call.answer, Answer::Stream(_, planned) if *planned == end))
}

/// A call that was answered whole: 10 tokens at 1 s and 10 at 2 s, of a process that is killed at
/// 9 s.
struct Story {
    number: u64,
    evidence: Evidence,
}

impl Story {
    fn of(number: u64) -> Self {
        let call = PLAN.call(number);
        let usage = call.usage(20);
        let seen = Seen {
            life: 0,
            payer: Payer::Rich,
            status: Some(200),
            code: None,
            tokens: 20,
            complete: true,
            left: None,
            in_vain: false,
        };
        let made = Made {
            accepted: ms(500),
            again: 0,
            written: vec![(ms(1000), 10), (ms(2000), 10)],
            usage: Some((ms(2000), usage)),
            over: Some(ms(2000)),
        };
        let evidence = Evidence {
            plan: PLAN,
            lives: vec![Life { from: ms(0), until: ms(9000), gone: ms(9010), killed: true }],
            seen: BTreeMap::from([(number, seen)]),
            made: BTreeMap::from([(number, made)]),
            rows: BTreeMap::from([(number, vec![row("complete", usage, false)])]),
            accounts: Vec::new(),
            checkpoint: ms(200),
            drain: ms(300),
        };
        Self { number, evidence }
    }

    fn guess(&self, text: u64) -> Tokens {
        PLAN.call(self.number).guess(text)
    }

    fn made(&mut self) -> &mut Made {
        self.evidence.made.get_mut(&self.number).unwrap()
    }

    fn seen(&mut self) -> &mut Seen {
        self.evidence.seen.get_mut(&self.number).unwrap()
    }

    fn row(&mut self, row: Row) -> &mut Self {
        self.evidence.rows.insert(self.number, vec![row]);
        self
    }

    /// The upstream was still at it when the process was killed, so many ms after its last word.
    fn crash(&mut self, after: u64) -> &mut Self {
        let made = self.made();
        (made.usage, made.over) = (None, None);
        let seen = self.seen();
        (seen.complete, seen.tokens) = (false, 10);
        let life = self.evidence.lives.first_mut().unwrap();
        (life.until, life.gone) = (ms(2000 + after), ms(2010 + after));
        self
    }

    fn orphan(&mut self, quota: u64) -> &mut Self {
        let row = Row {
            state: "expired".to_owned(),
            quota,
            estimated: true,
            ..row("orphan", Tokens::default(), true)
        };
        self.row(row)
    }

    fn stop_instead(&mut self) {
        self.evidence.lives.first_mut().unwrap().killed = false;
    }

    #[track_caller]
    fn is_fine(&self) {
        assert_eq!(compare(&self.evidence), []);
    }

    #[track_caller]
    fn breaks(&self, promise: Promise) {
        let breaches = compare(&self.evidence);
        let number = format!("call {:06}: ", self.number);
        assert!(!breaches.is_empty(), "nothing was found");
        assert!(breaches.iter().all(|found| found.promise == promise), "{breaches:?}");
        assert!(breaches.iter().all(|found| found.what.starts_with(&number)), "{breaches:?}");
    }
}

fn row(end_reason: &str, tokens: Tokens, estimated: bool) -> Row {
    Row {
        payer: Some(Payer::Rich),
        state: "settled".to_owned(),
        end_reason: end_reason.to_owned(),
        tokens,
        quota: tokens.cost(),
        unbilled: 0,
        estimated,
    }
}

fn void(end_reason: &str) -> Row {
    Row { state: "void".to_owned(), ..row(end_reason, Tokens::default(), false) }
}

#[test]
fn what_the_upstream_accepted_has_one_row() {
    let mut story = Story::of(streamed(End::Usage));
    story.is_fine();
    let rows = story.evidence.rows.get_mut(&story.number).unwrap();
    rows.push(rows.first().unwrap().clone());
    story.breaks(Promise::OneRow);
    story.evidence.rows.clear();
    story.breaks(Promise::OneRow);

    let mut story = Story::of(streamed(End::Usage));
    story.made().again = 1;
    story.breaks(Promise::OneRow);

    let mut story = Story::of(streamed(End::Usage));
    story.seen().payer = Payer::Poor;
    story.breaks(Promise::OneRow);
    story.evidence.seen.clear();
    story.breaks(Promise::OneRow);
}

#[test]
fn a_complete_call_costs_what_was_reported() {
    let mut story = Story::of(streamed(End::Usage));
    let usage = PLAN.call(story.number).usage(20);
    let (less, guess) = (PLAN.call(story.number).usage(19), story.guess(20));
    story.row(row("complete", less, false)).breaks(Promise::Exact);
    story.row(row("complete", guess, true)).breaks(Promise::Exact);
    story.row(Row { quota: usage.cost() - 1, ..row("complete", usage, false) });
    story.breaks(Promise::Exact);
    story.row(Row { unbilled: 1, ..row("complete", usage, false) });
    story.breaks(Promise::Exact);

    // Nothing was reported: then it is the estimate of all that was made.
    let mut story = Story::of(streamed(End::NoUsage));
    story.made().usage = None;
    let (all, some) = (story.guess(20), story.guess(19));
    story.row(row("complete", all, true)).is_fine();
    story.row(row("complete", some, true)).breaks(Promise::Exact);
    story.made().over = None;
    story.row(row("complete", all, true)).breaks(Promise::Endings);
}

#[test]
fn a_crashed_call_costs_its_last_checkpoint() {
    let mut story = Story::of(streamed(End::Usage));
    let worth = [0, 10, 20, 21].map(|text| story.guess(text).cost());
    let [nothing, half, all, too_much] = worth;
    // Both pieces are so fresh that no checkpoint need have them.
    story.crash(100);
    for quota in [nothing, half, all] {
        story.orphan(quota).is_fine();
    }
    story.orphan(nothing - 1).breaks(Promise::Crashes);
    story.orphan(too_much).breaks(Promise::Crashes);
    // The first is older than an interval and the slack.
    story.crash(201);
    story.orphan(half).is_fine();
    story.orphan(half - 1).breaks(Promise::Crashes);
    story.crash(1201);
    story.orphan(all).is_fine();
    story.orphan(half).breaks(Promise::Crashes);
    story.stop_instead();
    story.orphan(all).breaks(Promise::Crashes);
}

#[test]
fn what_was_over_long_before_a_crash_is_no_orphan() {
    let mut story = Story::of(streamed(End::Usage));
    let cost = PLAN.call(story.number).usage(20).cost();
    story.orphan(cost).breaks(Promise::Crashes);
    story.evidence.lives.first_mut().unwrap().until = ms(3200);
    story.is_fine();

    let mut story = Story::of(streamed(End::Usage));
    let half = story.guess(10).cost();
    story.crash(100).orphan(half);
    story.seen().left = Some(ms(601));
    story.is_fine();
    story.seen().left = Some(ms(599));
    story.breaks(Promise::Crashes);
}

#[test]
fn who_never_reached_the_upstream_pays_the_prompt_at_most() {
    let mut story = Story::of(streamed(End::Usage));
    story.evidence.made.clear();
    let (prompt, more) = (story.guess(0), story.guess(1));
    story.seen().status = None;
    story.orphan(prompt.cost()).is_fine();
    story.orphan(more.cost()).breaks(Promise::Crashes);
    story.seen().left = Some(ms(8000));
    for (row, fair) in [
        (void("client_gone"), true),
        (row("client_gone", prompt, true), true),
        (row("client_gone", more, true), false),
    ] {
        story.row(row);
        if fair { story.is_fine() } else { story.breaks(Promise::Endings) }
    }
}

#[test]
fn who_leaves_pays_by_the_rule() {
    let mut story = Story::of(streamed(End::Usage));
    let usage = PLAN.call(story.number).usage(20);
    let guesses = [9, 10, 20, 21].map(|text| row("client_gone", story.guess(text), true));
    story.row(row("client_gone", usage, false)).breaks(Promise::Endings);
    story.stop_instead();
    story.is_fine();
    story.seen().left = Some(ms(1500));
    story.seen().tokens = 10;
    story.evidence.lives.first_mut().unwrap().killed = true;
    story.is_fine();
    let [too_little, least, most, too_much] = guesses;
    for row in [least, most] {
        story.row(row).is_fine();
    }
    for row in [too_little, too_much, void("client_gone")] {
        story.row(row).breaks(Promise::Endings);
    }
    let wrong = PLAN.call(story.number).usage(19);
    story.row(row("client_gone", wrong, false)).breaks(Promise::Exact);
}

#[test]
fn only_what_was_cut_ends_so() {
    let mut story = Story::of(streamed(End::Cut));
    story.made().usage = None;
    let (half, more) = (story.guess(20), story.guess(21));
    story.row(row("upstream_cut", half, true)).is_fine();
    story.row(row("upstream_cut", more, true)).breaks(Promise::Endings);
    let mut story = Story::of(streamed(End::Usage));
    let guess = story.guess(20);
    story.row(row("upstream_cut", guess, true)).breaks(Promise::Endings);
    story.row(row("timeout", guess, true)).breaks(Promise::Endings);
    story.row(void("refused")).breaks(Promise::Endings);
}

#[test]
fn what_is_refused_costs_nothing() {
    // By the gateway.
    let mut story = Story::of(streamed(End::Usage));
    let prompt = story.guess(0);
    let seen = story.seen();
    (seen.status, seen.code) = (Some(403), Some("insufficient_quota".to_owned()));
    (seen.complete, seen.tokens) = (false, 0);
    story.breaks(Promise::Refusals);
    story.evidence.rows.clear();
    story.breaks_one_of([Promise::OneRow, Promise::Refusals]);
    story.evidence.made.clear();
    story.is_fine();
    story.orphan(prompt.cost()).breaks(Promise::Refusals);
    story.evidence.rows.clear();
    story.seen().code = Some("internal_error".to_owned());
    story.breaks(Promise::Refusals);

    // By the upstream.
    let mut story = Story::of(first(|call| matches!(call.answer, Answer::Refusal(..))));
    let made = story.made();
    (made.usage, made.written) = (None, Vec::new());
    let seen = story.seen();
    (seen.status, seen.complete, seen.tokens) = (Some(429), false, 0);
    story.row(void("refused")).is_fine();
    story.row(row("refused", prompt, true)).breaks(Promise::Refusals);
}

#[test]
fn a_client_that_waited_in_vain_is_found() {
    let mut story = Story::of(streamed(End::Usage));
    story.seen().in_vain = true;
    story.breaks(Promise::Endings);
}

#[test]
fn accounts_have_spent_what_their_rows_say() {
    let mut story = Story::of(streamed(End::Usage));
    let used = PLAN.call(story.number).usage(20).cost();
    let account = |used, requests| Account {
        name: "the key".to_owned(),
        payers: vec![Payer::Rich],
        used,
        requests,
    };
    let others = Account { payers: vec![Payer::Poor], ..account(0, 0) };
    story.evidence.accounts = vec![account(used, 1), others];
    story.is_fine();
    for wrong in [account(used - 1, 1), account(used, 2), account(0, 0)] {
        story.evidence.accounts = vec![wrong];
        let breaches = compare(&story.evidence);
        assert_eq!(breaches.len(), 1);
        assert!(breaches.iter().all(|found| found.promise == Promise::Sums), "{breaches:?}");
    }
}

#[test]
fn a_loss_is_what_was_made_and_not_charged() {
    let mut story = Story::of(streamed(End::Usage));
    assert_eq!(worst_loss(&story.evidence), Loss::default());
    let half = story.guess(10).cost();
    story.crash(100).orphan(half);
    assert_eq!(worst_loss(&story.evidence), Loss { tokens: 10, age: ms(100) });
    let nothing = story.guess(0).cost();
    story.orphan(nothing);
    assert_eq!(worst_loss(&story.evidence), Loss { tokens: 20, age: ms(1100) });
}

impl Story {
    #[track_caller]
    fn breaks_one_of<const N: usize>(&self, promises: [Promise; N]) {
        let breaches = compare(&self.evidence);
        let mut found: Vec<Promise> = breaches.iter().map(|breach| breach.promise).collect();
        found.dedup();
        assert_eq!(found, promises);
    }
}
