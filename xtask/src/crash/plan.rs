//! What happens in a run, all of it chosen by one number: what each call asks for, what its
//! upstream answers, when its client leaves, and how long each process lives.
//!
//! Calls are numbered, and a number is all that upstream and client need to agree: it is in the
//! model's name, which nothing on the way changes.

use std::time::Duration;

/// What a prompt token and a completion token cost: the gateway's default price.
pub(super) const PROMPT_PRICE: u64 = 1;
pub(super) const COMPLETION_PRICE: u64 = 3;

/// ASCII characters that the gateway takes for one token.
pub(super) const CHARACTERS_PER_TOKEN: u64 = 4;
/// Tokens that it adds for a message.
const PER_MESSAGE: u64 = 8;

const MODEL: &str = "crash-";

/// Numbers that look random and are the same in every run (SplitMix64).
#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `least` up to, and without, `bound`.
    fn within(&mut self, least: u64, bound: u64) -> u64 {
        least + self.next() % (bound - least).max(1)
    }

    /// Once in so many times.
    fn once_in(&mut self, times: u64) -> bool {
        self.next().is_multiple_of(times)
    }

    fn millis(&mut self, least: u64, bound: u64) -> Duration {
        Duration::from_millis(self.within(least, bound))
    }
}

/// Who pays for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Payer {
    /// A user with more than any run can spend, by a key with a cap that no run reaches.
    Rich,
    /// The same user, by a key whose cap is used up in the middle of the run.
    Capped,
    /// A user whose balance is used up in the middle of the run.
    Poor,
}

impl Payer {
    pub(super) const ALL: [Self; 3] = [Self::Rich, Self::Capped, Self::Poor];
}

/// A piece of a stream: how long it takes to make, and its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) pause: Duration,
    pub(super) tokens: u64,
}

/// How a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Whole, and it says what was used.
    Usage,
    /// Whole, and it does not.
    NoUsage,
    /// Its connection breaks.
    Cut,
}

/// What an upstream answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Stream(Vec<Piece>, End),
    /// All of it at once, with its usage.
    Whole(Piece),
    /// An error, by its status.
    Refusal(Duration, u16),
}

/// When a client leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaves {
    Never,
    /// So long after it asked, unless the answer has begun.
    Early(Duration),
    /// When it has got so many tokens.
    Midway(u64),
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) payer: Payer,
    /// Characters of the prompt.
    pub(super) prompt: u64,
    /// The completion tokens that the caller allows.
    pub(super) limit: Option<u64>,
    /// "This once": the calls of a pair, which begin at the same time, may have the same key.
    pub(super) once: Option<String>,
    pub(super) answer: Answer,
    /// What the upstream reports beyond the estimate of the prompt, and beyond its text: an exact
    /// charge is none that the gateway could have guessed.
    pub(super) more_prompt: u64,
    pub(super) hidden: u64,
    pub(super) leaves: Leaves,
    /// A client that leaves does so by a reset.
    pub(super) resets: bool,
    /// A call that dies with the gateway is made again.
    pub(super) repeats: bool,
}

/// Tokens, as an upstream reports them or a row has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tokens {
    pub(super) prompt: u64,
    pub(super) completion: u64,
}

impl Tokens {
    pub(super) fn cost(self) -> u64 {
        self.prompt * PROMPT_PRICE + self.completion * COMPLETION_PRICE
    }
}

impl Call {
    /// The gateway's estimate of the prompt.
    pub(super) fn prompt_estimate(&self) -> u64 {
        self.prompt.div_ceil(CHARACTERS_PER_TOKEN) + PER_MESSAGE
    }

    /// The tokens of its text that an upstream makes when it was told a limit.
    pub(super) fn allowed(&self, told: Option<u64>) -> u64 {
        told.map_or(u64::MAX, |told| told.saturating_sub(self.hidden))
    }

    /// What the upstream reports when it has made so many tokens of text.
    pub(super) fn usage(&self, text: u64) -> Tokens {
        Tokens { prompt: self.prompt_estimate() + self.more_prompt, completion: text + self.hidden }
    }

    /// What the gateway guesses.
    pub(super) fn guess(&self, text: u64) -> Tokens {
        Tokens { prompt: self.prompt_estimate(), completion: text }
    }
}

/// All choices of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) seed: u64,
}

impl Plan {
    /// Choices of one kind about one thing do not depend on those about another.
    fn random(self, kind: u64, number: u64) -> Random {
        let mut random = Random(self.seed ^ (kind << 56));
        random.0 = random.next() ^ number;
        random.next();
        random
    }

    /// How long a process lives once it is ready. One in four outlives some checkpoints.
    pub(super) fn life(self, number: u64) -> Duration {
        let mut random = self.random(1, number);
        if number % 4 == 3 { random.millis(2000, 3000) } else { random.millis(200, 1500) }
    }

    /// Whether the books are also checked while nobody serves, after a kill.
    pub(super) fn looks_at_the_dead(self, number: u64) -> bool {
        self.random(2, number).once_in(4)
    }

    pub(super) fn call(self, number: u64) -> Call {
        let mut random = self.random(3, number);
        let answer = answer(&mut random);
        let tokens = match &answer {
            Answer::Stream(pieces, _) => pieces.iter().map(|piece| piece.tokens).sum(),
            Answer::Whole(piece) => piece.tokens,
            Answer::Refusal(..) => 100,
        };
        // Fewer than the least that the gateway allows.
        let hidden = random.within(0, 16);
        let limit = match random.within(0, 4) {
            0 => None,
            1 => Some((tokens + hidden).saturating_sub(random.within(0, 60)).max(40)),
            _ => Some(tokens + hidden + random.within(0, 60)),
        };
        let leaves = match random.within(0, 12) {
            0 => Leaves::Early(random.millis(0, 150)),
            1 | 2 => Leaves::Midway(random.within(1, tokens.max(2))),
            _ => Leaves::Never,
        };
        let pair = number / 2;
        let pair_is_twins = self.random(4, pair).once_in(6);
        Call {
            payer: if pair_is_twins {
                payer(&mut self.random(5, pair))
            } else {
                payer(&mut random)
            },
            prompt: random.within(1, 400),
            limit,
            once: pair_is_twins.then(|| format!("pair-{pair}")),
            answer,
            more_prompt: random.within(1, 40),
            hidden,
            leaves,
            resets: random.once_in(2),
            repeats: random.once_in(2),
        }
    }
}

fn payer(random: &mut Random) -> Payer {
    match random.within(0, 8) {
        0 => Payer::Capped,
        1 => Payer::Poor,
        _ => Payer::Rich,
    }
}

fn answer(random: &mut Random) -> Answer {
    let first = random.millis(0, 120);
    match random.within(0, 20) {
        0 => {
            let status = [400, 429, 500, 503];
            let chosen = usize::try_from(random.within(0, 4)).unwrap_or(0);
            Answer::Refusal(first, status.get(chosen).copied().unwrap_or(500))
        }
        1 | 2 => {
            let pause = random.millis(20, 600);
            Answer::Whole(Piece { pause, tokens: random.within(1, 200) })
        }
        _ => {
            let end = match random.within(0, 10) {
                0 => End::Cut,
                1 | 2 => End::NoUsage,
                _ => End::Usage,
            };
            let pace = random.within(4, 40);
            let mut pieces = vec![Piece { pause: first, tokens: 1 }];
            pieces.extend((0..random.within(3, 110)).map(|_| Piece {
                pause: random.millis(pace / 2, pace * 3 / 2 + 1),
                tokens: random.within(1, 9),
            }));
            Answer::Stream(pieces, end)
        }
    }
}

/// The model that a call asks for.
pub(super) fn model(number: u64) -> String {
    format!("{MODEL}{number:06}")
}

/// The call that asked for a model.
pub(super) fn number(model: &str) -> Option<u64> {
    model.strip_prefix(MODEL)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_chooses_everything_and_another_one_otherwise() {
        let calls = |seed| (0..50).map(|n| Plan { seed }.call(n)).collect::<Vec<_>>();
        assert_eq!(calls(7), calls(7));
        assert_ne!(calls(7), calls(8));
        assert_eq!(Plan { seed: 7 }.life(3), Plan { seed: 7 }.life(3));
        assert_ne!(Plan { seed: 7 }.life(3), Plan { seed: 8 }.life(3));
    }

    #[test]
    fn a_run_has_calls_of_every_kind() {
        let calls: Vec<Call> = (0..2000).map(|n| Plan { seed: 1 }.call(n)).collect();
        let some = |what: &dyn Fn(&Call) -> bool| calls.iter().filter(|call| what(call)).count();
        let ends = |end| move |call: &Call| matches!(call.answer, Answer::Stream(_, e) if e == end);
        for (name, count) in [
            ("refusals", some(&|call| matches!(call.answer, Answer::Refusal(..)))),
            ("whole", some(&|call| matches!(call.answer, Answer::Whole(_)))),
            ("with usage", some(&ends(End::Usage))),
            ("without", some(&ends(End::NoUsage))),
            ("cut", some(&ends(End::Cut))),
            ("early", some(&|call| matches!(call.leaves, Leaves::Early(_)))),
            ("midway", some(&|call| matches!(call.leaves, Leaves::Midway(_)))),
            ("without a limit", some(&|call| call.limit.is_none())),
            ("poor", some(&|call| call.payer == Payer::Poor)),
            ("capped", some(&|call| call.payer == Payer::Capped)),
            ("twins", some(&|call| call.once.is_some())),
        ] {
            assert!(count > 40, "{name}: {count}");
        }
    }

    #[test]
    fn twins_have_one_key_and_one_payer() {
        let plan = Plan { seed: 3 };
        let twins = (0..200).map(|n| (plan.call(2 * n), plan.call(2 * n + 1)));
        let twins: Vec<_> = twins.filter(|(first, _)| first.once.is_some()).collect();
        assert!(twins.len() > 10);
        assert!(twins.iter().all(|(a, b)| a.once == b.once && a.payer == b.payer));
    }

    #[test]
    fn what_is_reported_is_never_what_would_be_guessed() {
        for call in (0..200).map(|n| Plan { seed: 5 }.call(n)) {
            assert!(call.usage(10).prompt > call.guess(10).prompt);
            // And fits into what the gateway holds for a prompt: a quarter more, and 64.
            assert!(call.usage(0).prompt <= call.prompt_estimate() * 5 / 4 + 64);
        }
    }

    #[test]
    fn a_models_name_is_its_calls_number() {
        assert_eq!(model(123), "crash-000123");
        assert_eq!(number("crash-000123"), Some(123));
        assert_eq!(number("gpt-4o"), None);
    }
}
