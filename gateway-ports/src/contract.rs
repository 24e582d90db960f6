//! The behaviour suites that every adapter must pass.
//!
//! Every MUST of the ports is a case here, and its name says which. A case knows no runtime and no
//! test harness: it is a future that panics when the store is wrong. Each gets a store of its own,
//! fresh and empty. A mistake that is found in one adapter becomes a case first.

#![expect(
    clippy::unwrap_used,
    reason = "a contract case fails by panicking: whoever runs it catches that"
)]

mod audit;
mod books;
mod channel;
mod fixture;
mod health;
mod ledger;
mod ledger_refusals;
mod login;
pub mod model;
mod price;
mod settings;
mod sweep;
mod token;
mod usage;
mod user;

use crate::Store;
use futures_util::future::BoxFuture;

/// One expectation of a store.
#[derive(Clone, Copy)]
pub struct Case {
    /// `port::what_must_be`.
    pub name: &'static str,
    /// Runs against a fresh store, and panics if it does not keep the contract.
    pub run: for<'a> fn(&'a Store) -> BoxFuture<'a, ()>,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

macro_rules! cases {
    ($($module:ident { $($name:ident),* $(,)? })*) => {
        &[$($(Case {
            name: concat!(stringify!($module), "::", stringify!($name)),
            run: |store| Box::pin($module::$name(store)),
        }),*),*]
    };
}

/// All cases.
pub const CASES: &[Case] = cases! {
    user {
        insert_then_find,
        what_is_not_there_is_none,
        names_are_unique_whatever_their_case,
        names_are_found_whatever_their_case,
        racing_inserts_of_one_name_make_one_user,
        first_root_is_made_once,
        a_ready_root_is_enabled_and_has_chosen_a_password,
        lists_are_paged,
        lists_stop_below_a_role,
        an_update_changes_only_what_it_names,
        a_new_password_ends_the_duty_to_choose_one,
        ending_sessions_raises_their_version,
        updates_leave_balance_and_counters_alone,
    }
    token {
        insert_then_find,
        what_is_not_there_is_none,
        digests_are_unique,
        a_user_has_at_most_so_many_keys,
        racing_inserts_make_at_most_so_many_keys,
        nobody_has_no_keys,
        a_users_keys_are_invisible_to_others,
        lists_are_paged,
        an_update_changes_only_what_it_names,
        limits_can_be_taken_away,
        a_cap_below_use_is_refused,
        updates_leave_counters_alone,
        deleting_a_key_keeps_its_usage,
        a_key_with_open_calls_can_be_deleted_and_still_settles,
        ids_are_never_used_again,
    }
    channel {
        insert_then_find,
        what_is_not_there_is_none,
        lists_are_in_order_of_ids,
        an_update_changes_only_what_it_names,
        everything_can_be_changed,
        a_key_is_resealed_only_if_it_is_the_one_that_was_read,
        a_deleted_channel_is_gone,
    }
    health {
        a_verdict_is_read_as_it_was_written,
        an_expired_verdict_is_gone,
        a_verdict_replaces_only_the_one_that_it_names,
        of_racing_verdicts_one_counts,
        a_verdict_that_is_delivered_twice_counts_once,
        what_is_cleared_is_gone_unless_it_changed,
        a_verdict_about_an_earlier_channel_is_replaced,
        a_channel_that_is_saved_or_deleted_has_no_verdicts,
    }
    ledger {
        a_hold_shows_in_user_and_key,
        reserve_stops_at_the_balance,
        reserve_stops_at_the_cap,
        racing_reserves_never_overdraw,
        racing_reserves_never_pass_the_cap,
        racing_users_do_not_hinder_each_other,
        a_small_call_fits_beside_a_refused_large_one,
        reserving_twice_holds_once,
        settling_charges_and_gives_the_rest_back,
        settling_twice_charges_once,
        racing_settles_charge_once,
        settling_nothing_changes_nothing,
        a_charge_never_exceeds_the_hold,
        a_call_that_cost_nothing_gives_everything_back,
        a_free_call_needs_no_balance,
        large_amounts_stay_exact,
        grants_add_up,
        a_balance_can_be_set,
        a_balance_below_what_is_held_is_refused,
        a_balance_beyond_what_can_be_kept_is_refused,
        nobody_has_no_balance,
        racing_grants_and_charges_all_count,
        a_grant_counts_once_under_its_id,
        an_id_is_of_one_grant,
        a_hold_takes_less_where_it_may,
        a_hold_takes_no_less_than_its_least,
        racing_holds_that_may_take_less_never_overdraw,
        a_void_call_says_so,
    }
    ledger_refusals {
        a_revoked_key_is_refused,
        a_deleted_key_is_refused,
        another_users_key_is_refused,
        an_expired_key_is_refused,
        a_disabled_user_is_refused,
        a_changed_key_is_refused_as_stale,
        exhausted_is_told_from_held,
        a_cap_is_exhausted_or_held_too,
        an_idempotency_key_is_held_once,
        an_idempotency_key_is_free_again_once_settled,
        idempotency_keys_of_other_keys_do_not_count,
        racing_calls_of_one_idempotency_key_hold_once,
        a_settled_call_is_not_held_again,
        a_refusal_holds_nothing,
    }
    sweep {
        sweep_closes_expired_holds_at_their_floor,
        sweep_leaves_calls_that_have_not_expired,
        sweeping_twice_charges_once,
        a_floor_never_exceeds_the_hold,
        a_late_settlement_puts_the_floor_right,
        a_late_settlement_overdraws_nothing,
        a_floor_rises_and_never_sinks,
        a_checkpoint_tells_who_holds_nothing_any_more,
        settled_calls_are_not_swept,
        what_was_swept_can_be_held_again,
        sweep_closes_calls_of_deleted_keys,
        a_late_settlement_of_a_deleted_key_still_counts,
    }
    usage {
        a_row_says_what_was_settled,
        open_calls_are_not_listed,
        lists_are_newest_first_and_paged,
        filters_select,
        sums_add_up,
        sums_are_newest_day_first_and_limited,
        sums_take_filters,
        sums_are_made_by_user_key_or_channel,
    }
    books {
        books_of_all_sorts_of_calls_add_up,
        a_hold_that_nobody_closed_is_found,
        rolling_up_and_purging_change_no_sum,
        a_call_is_rolled_up_when_all_before_it_are_closed,
        a_day_that_is_rolled_up_in_turns_adds_up,
        only_what_is_rolled_up_is_purged,
        what_is_rolled_up_is_not_corrected_any_more,
        what_is_over_does_not_begin_again,
    }
    price {
        there_are_no_prices_at_first,
        the_newest_table_is_loaded_with_its_version,
        nobody_replaces_what_they_have_not_seen,
    }
    settings {
        unsaved_settings_are_the_default,
        save_then_load,
        saving_replaces_everything,
    }
    login {
        logins_are_let_in_up_to_a_number_since_a_moment,
        one_login_counts_for_each_scope_or_for_none,
        logins_that_begin_at_once_are_all_counted,
        a_beginning_forgets_what_is_old,
        clearing_forgets_one_scope,
        what_is_taken_back_is_one_of_that_moment,
    }
    audit {
        a_change_of_a_user_is_written_with_it,
        a_change_of_a_balance_is_written_with_it,
        the_life_of_a_key_is_written_with_it,
        the_life_of_a_channel_is_written_with_it,
        new_settings_are_written_with_them,
        new_prices_are_written_with_them,
        an_entry_is_read_as_it_was_written,
        a_refused_change_is_not_written,
        a_failed_change_is_not_written,
        a_change_that_is_delivered_twice_is_written_once,
        a_grant_that_is_repeated_is_written_once,
        of_racing_changes_those_that_are_made_are_written,
        entries_are_newest_first_and_paged,
        filters_select,
    }
};
