//! One call, from all sides: what its row must say, by how it ended.

use std::time::Duration;

use super::{Breach, Evidence, Life, Loss, Promise, Row, SLACK};
use crate::crash::client::Seen;
use crate::crash::plan::{Answer, COMPLETION_PRICE, Call, End, Tokens};
use crate::crash::upstream::Made;

/// One call, from all sides.
pub(super) struct Case<'a> {
    call: Call,
    seen: Option<&'a Seen>,
    made: Option<&'a Made>,
    rows: &'a [Row],
    life: Option<&'a Life>,
    checkpoint: Duration,
    drain: Duration,
}

type Found = Vec<Breach>;

impl<'a> Case<'a> {
    pub(super) fn of(evidence: &'a Evidence, number: u64) -> Self {
        let (seen, made) = (evidence.seen.get(&number), evidence.made.get(&number));
        let served = |life: &&Life| {
            made.is_some_and(|made| (life.from..=life.gone).contains(&made.accepted))
        };
        // A port may be used again by the next process: only the upstream knows for sure.
        let asked = seen.and_then(|seen| evidence.lives.get(seen.life));
        Self {
            call: evidence.plan.call(number),
            seen,
            made,
            rows: evidence.rows.get(&number).map_or(&[], Vec::as_slice),
            life: evidence.lives.iter().find(served).or(asked),
            checkpoint: evidence.checkpoint,
            drain: evidence.drain,
        }
    }

    pub(super) fn check(&self, found: &mut Found) {
        if self.rows.len() > 1 {
            let what = format!("{} rows: {:?}", self.rows.len(), self.rows);
            found.push(Breach::new(Promise::OneRow, what));
        }
        if let Some(made) = self.made {
            if self.rows.is_empty() {
                let what = format!("the upstream made {} tokens for no row", made.tokens());
                found.push(Breach::new(Promise::OneRow, what));
            }
            if made.again > 0 {
                let what = format!("it was sent upstream {} times", made.again + 1);
                found.push(Breach::new(Promise::OneRow, what));
            }
        }
        self.check_refusal(found);
        let Some(row) = self.rows.first() else {
            return;
        };
        match self.seen {
            None => found.push(Breach::new(Promise::OneRow, "nobody made it, and it has a row")),
            Some(seen) if row.payer != Some(seen.payer) => {
                let what = format!("{:?} made it, and {:?} pays", seen.payer, row.payer);
                found.push(Breach::new(Promise::OneRow, what));
            }
            Some(seen) if seen.in_vain => {
                let what = "its client waited in vain for an end".to_owned();
                found.push(Breach::new(Promise::Endings, what));
            }
            Some(_) => {}
        }
        let wrong = match row.end_reason.as_str() {
            "complete" => self.complete(row),
            "client_gone" => self.client_gone(row),
            "upstream_cut" => self.cut(row),
            "refused" => self.refused(row),
            "orphan" => self.orphan(row),
            other => Some((Promise::Endings, format!("nothing should end as {other}"))),
        };
        let wrong = wrong.or_else(|| Self::cost(row));
        found.extend(wrong.map(|(promise, what)| Breach::new(promise, format!("{what}: {row:?}"))));
    }

    /// What was refused to the client.
    fn check_refusal(&self, found: &mut Found) {
        let Some((status, code)) = self.seen.and_then(|seen| {
            let status = seen.status.filter(|status| *status >= 400)?;
            Some((status, seen.code.as_deref().unwrap_or_default()))
        }) else {
            return;
        };
        let by_upstream = matches!(self.call.answer, Answer::Refusal(..));
        match (self.made, self.rows.first()) {
            (Some(_), _) if by_upstream => {}
            (Some(_), _) => {
                let what = format!("answered {status} {code}, though the upstream had accepted it");
                found.push(Breach::new(Promise::Refusals, what));
            }
            (None, row) => {
                let known = matches!(
                    (status, code),
                    (403, "insufficient_quota")
                        | (429, "quota_reserved")
                        | (409, "idempotency_conflict")
                        | (503, "ledger_unavailable")
                );
                if !known {
                    let what = format!("answered {status} {code}");
                    found.push(Breach::new(Promise::Refusals, what));
                }
                // A reserve whose answer came too late holds until it is settled, or dies.
                let late = status == 503 && self.killed();
                if let Some(row) = row.filter(|row| row.quota > 0 && !late) {
                    let what = format!("answered {status} {code}, and charged: {row:?}");
                    found.push(Breach::new(Promise::Refusals, what));
                }
            }
        }
    }

    /// A row that was settled costs its tokens.
    fn cost(row: &Row) -> Option<(Promise, String)> {
        let cost = row.tokens.cost();
        let settled = row.end_reason != "orphan";
        (row.unbilled > 0 || (settled && row.quota != cost))
            .then(|| (Promise::Exact, format!("its tokens cost {cost}")))
    }

    fn reported(&self) -> Option<Tokens> {
        self.made.and_then(|made| made.usage).map(|(_, tokens)| tokens)
    }

    fn text(&self) -> u64 {
        self.made.map_or(0, Made::tokens)
    }

    fn killed(&self) -> bool {
        self.life.is_some_and(|life| life.killed)
    }

    fn complete(&self, row: &Row) -> Option<(Promise, String)> {
        let expected = match self.reported() {
            Some(usage) => (usage, false),
            None => (self.call.guess(self.text()), true),
        };
        if self.made.is_none_or(|made| made.over.is_none()) {
            return Some((Promise::Endings, "its upstream was not done".to_owned()));
        }
        (row.state != "settled" || (row.tokens, row.estimated) != expected)
            .then(|| (Promise::Exact, format!("it used {:?}", expected.0)))
    }

    fn client_gone(&self, row: &Row) -> Option<(Promise, String)> {
        let left = self.seen.is_some_and(|seen| seen.left.is_some());
        // A process that has to stop ends what takes too long.
        if !left && self.killed() {
            return Some((Promise::Endings, "its client stayed".to_owned()));
        }
        if matches!(self.call.answer, Answer::Refusal(..)) || self.made.is_none() {
            let free = row.quota == 0;
            let prompt = self.call.guess(0);
            // Its request may have been on its way.
            let fair = free || (row.estimated && row.tokens == prompt);
            return (!fair).then(|| (Promise::Endings, "nothing had accepted it".to_owned()));
        }
        self.guessed_or_exact(row)
    }

    fn cut(&self, row: &Row) -> Option<(Promise, String)> {
        if !matches!(self.call.answer, Answer::Stream(_, End::Cut)) {
            return Some((Promise::Endings, "its upstream cut nothing".to_owned()));
        }
        self.guessed_or_exact(row)
    }

    /// Charged what was reported, or an estimate between what the client got and what was made.
    fn guessed_or_exact(&self, row: &Row) -> Option<(Promise, String)> {
        if row.state != "settled" {
            return Some((Promise::Endings, "its upstream had accepted it".to_owned()));
        }
        if !row.estimated {
            let reported = self.reported();
            return (reported != Some(row.tokens))
                .then(|| (Promise::Exact, format!("its upstream reported {reported:?}")));
        }
        let least = self.seen.map_or(0, |seen| seen.tokens);
        let most = self.text();
        let fair = row.tokens.prompt == self.call.prompt_estimate()
            && (least..=most).contains(&row.tokens.completion);
        (!fair).then(|| {
            let prompt = self.call.prompt_estimate();
            let what = format!("a prompt of about {prompt}, and {least} to {most} tokens of text");
            (Promise::Endings, what)
        })
    }

    fn refused(&self, row: &Row) -> Option<(Promise, String)> {
        if self.made.is_some() && !matches!(self.call.answer, Answer::Refusal(..)) {
            return Some((Promise::Endings, "its upstream would have answered".to_owned()));
        }
        (row.quota != 0 || row.state != "void")
            .then(|| (Promise::Refusals, "nobody accepted it".to_owned()))
    }

    fn orphan(&self, row: &Row) -> Option<(Promise, String)> {
        let Some(life) = self.life.filter(|life| life.killed) else {
            return Some((Promise::Crashes, "its process was not killed".to_owned()));
        };
        let wrong = |what: String| Some((Promise::Crashes, what));
        if row.state != "expired" {
            return wrong("an orphan has expired".to_owned());
        }
        let ago = |at: Duration| life.until.saturating_sub(at).as_millis();
        // Whatever was over long before was settled, and is no orphan.
        let long = self.checkpoint + SLACK;
        if let Some(over) =
            self.made.and_then(|made| made.over).filter(|at| *at + long < life.until)
        {
            return wrong(format!("it was over {} ms before the kill", ago(over)));
        }
        let left = self.seen.and_then(|seen| seen.left);
        if let Some(left) = left.filter(|at| *at + self.drain + long < life.until) {
            return wrong(format!("its client left {} ms before the kill", ago(left)));
        }
        let due = self.made.map_or(0, |made| made.tokens_by(life.until.saturating_sub(long)));
        let least = self.call.guess(due).cost();
        let most = self.call.guess(self.text()).cost();
        let most = most.max(self.reported().map_or(0, Tokens::cost));
        (!(least..=most).contains(&row.quota)).then(|| {
            let what = format!("a charge of {least} to {most} ({due} tokens were long made)");
            (Promise::Crashes, what)
        })
    }

    /// What a crash left uncharged of it.
    pub(super) fn loss(&self) -> Option<Loss> {
        let row = self.rows.first().filter(|row| row.end_reason == "orphan")?;
        let (life, made) = (self.life?, self.made?);
        let worth = |text| self.call.guess(text).cost();
        let tokens = worth(made.tokens_by(life.until)).saturating_sub(row.quota) / COMPLETION_PRICE;
        // The oldest piece that the charge does not cover.
        let mut sum = 0;
        let uncharged = made.written.iter().find(|(_, tokens)| {
            sum += tokens;
            worth(sum) > row.quota
        });
        let age = uncharged.map_or(Duration::ZERO, |(at, _)| life.until.saturating_sub(*at));
        Some(Loss { tokens, age })
    }
}
