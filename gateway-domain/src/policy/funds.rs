//! Whether what is left is enough. The ledger decides in the statement that holds the credits; this
//! says why it did not, or what it would say.

use crate::{Credits, Token, User};

/// What a user or a key has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purse {
    /// What was not charged yet.
    pub left: Credits,
    /// What open calls hold of it.
    pub held: Credits,
}

/// Why a call gets no credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Short {
    /// Not enough is left, even if every open call cost nothing.
    Exhausted,
    /// Enough is left, but open calls hold it.
    Held,
}

impl Purse {
    /// A user's.
    pub fn of_user(user: &User) -> Self {
        Self { left: user.balance(), held: user.held }
    }

    /// A key's: without a cap there is no end to it.
    pub fn of_token(token: &Token) -> Self {
        match token.cap {
            Some(cap) => Self { left: cap.saturating_sub(token.spent), held: token.held },
            None => Self { left: Credits::MAX, held: Credits::ZERO },
        }
    }

    /// What is free of it, if that is at least so much.
    pub fn afford(self, least: Credits) -> Result<Credits, Short> {
        let free = self.left.saturating_sub(self.held);
        if self.left < least {
            Err(Short::Exhausted)
        } else if free < least {
            Err(Short::Held)
        } else {
            Ok(free)
        }
    }
}

/// What is free for a call of this user with this key, if that is at least so much. That too little
/// is left goes before that it is held: no waiting helps.
pub fn afford(user: Purse, token: Purse, least: Credits) -> Result<Credits, Short> {
    match (user.afford(least), token.afford(least)) {
        (Ok(user), Ok(token)) => Ok(user.min(token)),
        (Err(Short::Exhausted), _) | (_, Err(Short::Exhausted)) => Err(Short::Exhausted),
        (Err(Short::Held), _) | (_, Err(Short::Held)) => Err(Short::Held),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purse(left: u64, held: u64) -> Purse {
        Purse { left: Credits::saturating(left), held: Credits::saturating(held) }
    }

    #[test]
    fn what_is_exhausted_goes_before_what_is_held() {
        for (user, token, least, expected) in [
            (purse(10, 0), purse(20, 0), 10, Ok(10)),
            (purse(20, 5), purse(20, 8), 10, Ok(12)),
            (purse(9, 0), purse(20, 0), 10, Err(Short::Exhausted)),
            (purse(20, 0), purse(9, 0), 10, Err(Short::Exhausted)),
            (purse(20, 11), purse(20, 0), 10, Err(Short::Held)),
            (purse(20, 0), purse(20, 11), 10, Err(Short::Held)),
            (purse(20, 11), purse(9, 0), 10, Err(Short::Exhausted)),
            (purse(9, 9), purse(20, 20), 10, Err(Short::Exhausted)),
            (purse(0, 0), purse(0, 0), 0, Ok(0)),
        ] {
            let got = afford(user, token, Credits::saturating(least)).map(Credits::units);
            assert_eq!(got, expected, "{user:?} {token:?} {least}");
        }
    }
}
