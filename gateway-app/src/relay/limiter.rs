//! Limits of keys and users: how much they asked for in the last minute, and what is under way.
//!
//! Counted in memory, so a process counts exactly and an isolate of a Worker counts what it sees
//! itself: asking a store would be one more trip for every call. What a call is expected to use of
//! a minute's tokens is counted when it is let in, and put right when it has ended.

use crate::{ErrorKind, GatewayError};
use gateway_domain::{
    Limits, Timestamp, TokenId, UserId,
    policy::rate::{Counted, Exceeded, Limit, Meter, Standing, TokenNeed},
};
use gateway_ports::Principal;
use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How often meters that stand at zero are thrown away.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Whose limit it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Token(TokenId),
    User(UserId),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "the API key",
            Self::User(_) => "the account",
        })
    }
}

/// What limited keys and users asked for lately. Those that asked for nothing in the last two
/// minutes are not in it, and those without limits never.
#[derive(Debug, Default)]
pub(crate) struct Limiter(Mutex<Meters>);

#[derive(Debug, Default)]
struct Meters {
    of: HashMap<Subject, Meter>,
    swept: Timestamp,
}

impl Limiter {
    /// Lets a call in, or says which limit it would pass. Without limits there is nothing to count.
    pub(crate) fn admit(
        self: &Arc<Self>,
        principal: &Principal,
        need: TokenNeed,
        now: Timestamp,
    ) -> Result<Option<Admitted>, GatewayError> {
        let subjects = subjects(principal);
        if subjects.iter().all(Option::is_none) {
            return Ok(None);
        }
        let mut meters = self.meters();
        meters.sweep(now);
        meters.check(subjects, need, now)?;
        let counted = subjects.map(|limited| {
            let (subject, limits) = limited?;
            Some((subject, meters.of.entry(subject).or_default().take(now, &limits, need)))
        });
        drop(meters);
        Ok(Some(Admitted { limiter: self.clone(), counted, open: AtomicBool::new(true) }))
    }

    /// Whether a call would be let in now. Nothing is counted.
    pub(crate) fn check(
        &self,
        principal: &Principal,
        need: TokenNeed,
        now: Timestamp,
    ) -> Result<(), GatewayError> {
        self.meters().check(subjects(principal), need, now)
    }

    /// How the limits of a minute stand: of a key's and its user's those that bind more.
    pub(crate) fn standing(&self, principal: &Principal, now: Timestamp) -> Standing {
        let subjects = subjects(principal);
        if subjects.iter().all(Option::is_none) {
            return Standing::default();
        }
        self.meters().standing(subjects, now)
    }

    fn meters(&self) -> MutexGuard<'_, Meters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Limited = Option<(Subject, Limits)>;

fn subjects(principal: &Principal) -> [Limited; 2] {
    let limited = |subject, limits: Limits| (!limits.is_none()).then_some((subject, limits));
    let Principal { user, token } = principal;
    [limited(Subject::Token(token.id), token.limits), limited(Subject::User(user.id), user.limits)]
}

impl Meters {
    /// What is asked of a meter that is not there counts nothing.
    fn with<T>(&mut self, subject: Subject, ask: impl FnOnce(&mut Meter) -> T) -> T {
        match self.of.get_mut(&subject) {
            Some(meter) => ask(meter),
            None => ask(&mut Meter::default()),
        }
    }

    /// The limit that keeps the call out for longest, if there is one.
    fn check(
        &mut self,
        subjects: [Limited; 2],
        need: TokenNeed,
        now: Timestamp,
    ) -> Result<(), GatewayError> {
        let mut worst: Option<(Subject, Exceeded)> = None;
        let longer = |exceeded: &Exceeded| exceeded.wait.unwrap_or(Duration::MAX);
        for (subject, limits) in subjects.into_iter().flatten() {
            let checked = self.with(subject, |meter| meter.check(now, &limits, need));
            if let Err(exceeded) = checked
                && worst.is_none_or(|(_, worst)| longer(&exceeded) > longer(&worst))
            {
                worst = Some((subject, exceeded));
            }
        }
        let Some((subject, exceeded)) = worst else {
            return Ok(());
        };
        let standing = Some(Box::new(self.standing(subjects, now)));
        Err(GatewayError { standing, ..refused(subject, exceeded, need) })
    }

    fn standing(&mut self, subjects: [Limited; 2], now: Timestamp) -> Standing {
        subjects.into_iter().flatten().fold(Standing::default(), |standing, (subject, limits)| {
            standing.tighter(self.with(subject, |meter| meter.standing(now, &limits)))
        })
    }

    fn sweep(&mut self, now: Timestamp) {
        if now >= self.swept && now.since(self.swept) < SWEEP_EVERY {
            return;
        }
        self.swept = now;
        self.of.retain(|_, meter| !meter.is_idle(now));
        self.of.shrink_to_fit();
    }
}

fn refused(subject: Subject, exceeded: Exceeded, need: TokenNeed) -> GatewayError {
    let Exceeded { which, limit, wait } = exceeded;
    let (code, mut message) = match which {
        Limit::Requests => {
            ("rate_limit_exceeded", format!("{subject} may make {limit} calls a minute"))
        }
        Limit::Tokens => {
            ("tokens_limit_exceeded", format!("{subject} may use {limit} tokens a minute"))
        }
        Limit::Concurrency => {
            ("concurrency_limit", format!("{subject} may have {limit} calls under way at once"))
        }
    };
    let too_large = format!(", and this call alone may use {}: make it smaller", need.least);
    message.push_str(if wait.is_none() { &too_large } else { "; try again later" });
    GatewayError { retry_after: wait, ..GatewayError::new(ErrorKind::TooMany, code, message) }
}

/// A call that was let in. When it is dropped, it is not under way any more.
#[derive(Debug)]
pub(crate) struct Admitted {
    limiter: Arc<Limiter>,
    counted: [Option<(Subject, Counted)>; 2],
    open: AtomicBool,
}

impl Admitted {
    /// The call is not under way any more, as far as its caller is concerned.
    pub(crate) fn close(&self) {
        if self.open.swap(false, Ordering::Relaxed) {
            self.each(|meter, _| meter.close());
        }
    }

    /// The call has used so many tokens.
    pub(crate) fn used(&self, tokens: u64) {
        self.each(|meter, counted| meter.correct(counted, tokens));
    }

    fn each(&self, tell: impl Fn(&mut Meter, Counted)) {
        let mut meters = self.limiter.meters();
        for (subject, counted) in self.counted.into_iter().flatten() {
            // A meter of which something is open or counts is there.
            if let Some(meter) = meters.of.get_mut(&subject) {
                tell(meter, counted);
            }
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_domain::{ApiKey, Credits, ModelSet, Role, SubnetList, Token, User};

    fn principal(id: i64, of_token: Limits, of_user: Limits) -> Principal {
        let at = Timestamp::default();
        let user = User {
            id: UserId(1),
            username: String::new(),
            display_name: String::new(),
            email: None,
            role: Role::User,
            enabled: true,
            must_change_password: false,
            session_version: 0,
            granted: Credits::ZERO,
            spent: Credits::ZERO,
            held: Credits::ZERO,
            request_count: 0,
            limits: of_user,
            created_at: at,
        };
        let token = Token {
            id: TokenId(id),
            user_id: UserId(1),
            name: String::new(),
            digest: ApiKey::from_random(&[0; 32]).digest(),
            key_prefix: String::new(),
            key_last4: String::new(),
            enabled: true,
            cap: None,
            spent: Credits::ZERO,
            held: Credits::ZERO,
            request_count: 0,
            models: ModelSet::default(),
            subnet: SubnetList::default(),
            expires_at: None,
            limits: of_token,
            revision: 0,
            created_at: at,
            updated_at: at,
        };
        Principal { user, token }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + 1000 * seconds)
    }

    const NONE: Limits = Limits { rpm: 0, tpm: 0, concurrency: 0 };
    const NEED: TokenNeed = TokenNeed { most: 10, least: 10 };

    #[test]
    fn a_users_limit_is_for_all_keys_together() {
        let limiter = Arc::new(Limiter::default());
        let of_user = Limits { rpm: 3, ..NONE };
        let (a, b) =
            (principal(1, Limits { rpm: 2, ..NONE }, of_user), principal(2, NONE, of_user));
        for key in [&a, &b, &a] {
            assert!(limiter.admit(key, NEED, at(0)).unwrap().is_some());
        }
        let error = limiter.admit(&b, NEED, at(1)).unwrap_err();
        assert_eq!(error.message, "the account may make 3 calls a minute; try again later");
        assert_eq!(error.retry_after, Some(Duration::from_secs(59)));
        assert_eq!(error.standing.unwrap().requests.unwrap().remaining, 0);
        // What one limit refuses is not counted by the other.
        assert!(limiter.admit(&a, NEED, at(60)).unwrap().is_some());
        let error = limiter.check(&b, NEED, at(60)).err();
        assert!(error.is_none(), "{error:?}");
        assert_eq!(limiter.standing(&b, at(60)).requests.unwrap().remaining, 2);
    }

    #[test]
    fn who_asks_whether_a_call_would_be_let_in_uses_nothing() {
        let limiter = Arc::new(Limiter::default());
        let key = principal(1, Limits { rpm: 1, tpm: 10, concurrency: 1 }, NONE);
        for _ in 0..3 {
            assert!(limiter.check(&key, NEED, at(0)).is_ok());
        }
        assert!(limiter.meters().of.is_empty());
        let admitted = limiter.admit(&key, NEED, at(0)).unwrap();
        assert!(limiter.check(&key, NEED, at(0)).is_err());
        drop(admitted);
        assert!(limiter.check(&key, NEED, at(60)).is_ok());
    }

    #[test]
    fn what_nobody_asks_for_any_more_is_not_kept() {
        let limiter = Arc::new(Limiter::default());
        let limits = Limits { rpm: 5, tpm: 50, concurrency: 5 };
        let open = limiter.admit(&principal(0, limits, NONE), NEED, at(0)).unwrap();
        for id in 1..1000 {
            drop(limiter.admit(&principal(id, limits, NONE), NEED, at(1)).unwrap());
        }
        assert_eq!(limiter.meters().of.len(), 1000);
        assert!(limiter.admit(&principal(1, NONE, NONE), NEED, at(1)).unwrap().is_none());
        drop(limiter.admit(&principal(1, limits, NONE), NEED, at(62)).unwrap());
        let left: Vec<_> = limiter.meters().of.keys().copied().collect();
        assert_eq!(left.len(), 2, "{left:?}");
        assert!(left.contains(&Subject::Token(TokenId(0))), "one whose call is under way stays");
        drop(open);
        drop(limiter.admit(&principal(1, limits, NONE), NEED, at(130)).unwrap());
        assert_eq!(limiter.meters().of.len(), 1);
    }

    #[test]
    fn a_call_is_given_back_once_and_its_tokens_are_put_right() {
        let limiter = Arc::new(Limiter::default());
        let key = principal(1, Limits { rpm: 0, tpm: 20, concurrency: 2 }, NONE);
        let first = limiter.admit(&key, NEED, at(0)).unwrap().unwrap();
        let second = limiter.admit(&key, NEED, at(0)).unwrap().unwrap();
        let code = |error: GatewayError| error.code.into_owned();
        assert_eq!(code(limiter.check(&key, NEED, at(0)).unwrap_err()), "tokens_limit_exceeded");
        first.used(0);
        assert_eq!(code(limiter.check(&key, NEED, at(0)).unwrap_err()), "concurrency_limit");
        first.close();
        first.close();
        drop(first);
        let third = limiter.admit(&key, NEED, at(0)).unwrap();
        second.used(0);
        assert_eq!(code(limiter.check(&key, NEED, at(0)).unwrap_err()), "concurrency_limit");
        drop((second, third));
        assert!(limiter.check(&key, NEED, at(0)).is_ok());
        let error = limiter.check(&key, TokenNeed { most: 21, least: 21 }, at(0)).unwrap_err();
        assert_eq!((error.code.as_ref(), error.retry_after), ("tokens_limit_exceeded", None));
        assert!(error.message.ends_with("may use 21: make it smaller"), "{error}");
    }
}
