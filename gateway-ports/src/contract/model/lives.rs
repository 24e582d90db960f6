//! Lives made up by proptest, which also makes one that fails as short as it can.

use super::{Fault, Step};
use proptest::{collection::vec, prelude::*};

/// A life of so many steps.
pub fn life(steps: usize) -> impl Strategy<Value = Vec<Step>> {
    vec(step(), steps)
}

/// Most deliveries arrive.
fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        12 => Just(Fault::None),
        1 => Just(Fault::Before),
        2 => Just(Fault::After),
        2 => Just(Fault::Twice),
    ]
}

fn reserve() -> impl Strategy<Value = Step> {
    // Some ask for everything or nothing, others take less; a few are far too dear.
    let amount = prop_oneof![8 => 0u16..120, 1 => 0u16..2000];
    let least = prop_oneof![3 => Just(255u8), 1 => any::<u8>()];
    let once = prop_oneof![1 => 0u8..4, 4 => Just(255u8)];
    let stale = prop::bool::weighted(0.03);
    (any::<u8>(), amount, least, any::<u8>(), 0u8..90, once, stale, fault()).prop_map(
        |(key, amount, least, floor, life, once, stale, fault)| Step::Reserve {
            key,
            amount,
            least,
            floor,
            life,
            once,
            stale,
            fault,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let again = any::<u16>().prop_map(|call| Step::Again { call });
    let race = (any::<u8>(), any::<u8>(), 1u16..90).prop_map(|(key, calls, amount)| Step::Race {
        key,
        calls,
        amount,
    });
    let settle = (any::<u16>(), 0u16..200, prop::bool::weighted(0.2), fault())
        .prop_map(|(call, cost, void, fault)| Step::Settle { call, cost, void, fault });
    let checkpoint = (any::<u16>(), 0u16..150, fault())
        .prop_map(|(call, floor, fault)| Step::Checkpoint { call, floor, fault });
    let wait = (0u16..40).prop_map(|seconds| Step::Wait { seconds });
    let grant = (any::<u8>(), 0u16..400, any::<bool>(), any::<u8>(), fault())
        .prop_map(|(user, amount, set, id, fault)| Step::Grant { user, amount, set, id, fault });
    let key = (any::<u8>(), prop::bool::weighted(0.8), prop_oneof![Just(0u16), 1u16..1500])
        .prop_map(|(key, enabled, cap)| Step::Key { key, enabled, cap });
    let user = (any::<u8>(), prop::bool::weighted(0.8))
        .prop_map(|(user, enabled)| Step::User { user, enabled });
    prop_oneof![
        30 => reserve(),
        4 => again,
        2 => race,
        30 => settle,
        6 => checkpoint,
        8 => wait,
        4 => fault().prop_map(|fault| Step::Sweep { fault }),
        6 => grant,
        4 => key,
        2 => user,
        1 => Just(Step::RollUp),
        1 => Just(Step::Purge),
    ]
}
