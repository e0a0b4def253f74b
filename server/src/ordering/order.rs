//! The life of an order as one table: (state, event) to (state, effects). Pure. Whoever changes an order asks
//! [`transition`] and does as it says; nothing else knows which state follows which.
//!
//! ```text
//! PLACED ──► AUTHORIZED ──► RESERVED ──► CAPTURED ──► COMPLETED
//!   │  │        │   │          │  │
//!   │  ▼        │   ▼          │  ▼
//!   │ DECLINED  │ OUT_OF_STOCK │ DECLINED
//!   └───────────┴──────────────┴──────────► CANCELLED, EXPIRED
//! ```
//!
//! No module carries effects out yet: orders stay PLACED until they are cancelled. The states and their order are
//! final.

use millrace_proto::ordering::v1::OrderState;

/// Something that happens to an order.
#[cfg_attr(not(test), expect(dead_code, reason = "payments and inventory will send the others"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// The payment method holds the amount.
    Authorized,
    /// The payment method refused to hold or to pay the amount.
    Declined,
    /// The stock is set aside.
    Reserved,
    /// There was not enough stock.
    StockRefused,
    /// The amount is taken.
    Captured,
    /// The goods are on their way.
    Completed,
    /// The user or an operator cancels.
    Cancelled,
    /// The deadline of the state passed.
    Expired,
}

/// Something that must be done because an order changed. Each is idempotent, and undoing what was not done is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Ask the payment method to hold the amount.
    Authorize,
    /// Set the stock aside.
    Reserve,
    /// Take the amount that is held.
    Capture,
    /// Send the goods, and count the stock as sold.
    Complete,
    /// Let the amount go that is held.
    VoidHold,
    /// Put the stock back that was set aside.
    ReleaseStock,
}

/// What an event does to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transition {
    /// The order is now in this state, and these effects are due.
    To(OrderState, &'static [Effect]),
    /// The event came before: nothing changes.
    Repeated,
    /// The event cannot happen to an order in this state.
    Refused,
}

/// The state of a new order, and the effects due because of it.
pub(super) const NEW: (OrderState, &[Effect]) = (OrderState::Placed, &[Effect::Authorize]);

/// Says what an event does to an order in a state.
pub(super) fn transition(state: OrderState, event: Event) -> Transition {
    use Effect::{Capture, Complete, ReleaseStock, Reserve, VoidHold};
    use Event as E;
    use OrderState as S;
    use Transition::{Refused, Repeated, To};

    match (state, event) {
        (S::Placed, E::Authorized) => To(S::Authorized, &[Reserve]),
        (S::Placed, E::Declined) => To(S::Declined, &[]),
        // The request to hold the amount may be under way, so the hold is voided even where none is known.
        (S::Placed, E::Cancelled) => To(S::Cancelled, &[VoidHold]),
        (S::Placed, E::Expired) => To(S::Expired, &[VoidHold]),

        (S::Authorized, E::Reserved) => To(S::Reserved, &[Capture]),
        (S::Authorized, E::StockRefused) => To(S::OutOfStock, &[VoidHold]),
        (S::Authorized, E::Cancelled) => To(S::Cancelled, &[ReleaseStock, VoidHold]),
        (S::Authorized, E::Expired) => To(S::Expired, &[ReleaseStock, VoidHold]),

        (S::Reserved, E::Captured) => To(S::Captured, &[Complete]),
        (S::Reserved, E::Declined) => To(S::Declined, &[ReleaseStock, VoidHold]),
        (S::Reserved, E::Cancelled) => To(S::Cancelled, &[ReleaseStock, VoidHold]),
        (S::Reserved, E::Expired) => To(S::Expired, &[ReleaseStock, VoidHold]),

        // The amount is taken: from here there is only the way on.
        (S::Captured, E::Completed) => To(S::Completed, &[]),

        // Messages come at least once: the second one finds the state that the first one made.
        (S::Authorized, E::Authorized)
        | (S::Declined, E::Declined)
        | (S::Reserved, E::Reserved)
        | (S::OutOfStock, E::StockRefused)
        | (S::Captured, E::Captured)
        | (S::Completed, E::Completed)
        | (S::Cancelled, E::Cancelled)
        | (S::Expired, E::Expired) => Repeated,

        _ => Refused,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STATES: [OrderState; 9] = [
        OrderState::Placed,
        OrderState::Authorized,
        OrderState::Reserved,
        OrderState::Captured,
        OrderState::Completed,
        OrderState::Declined,
        OrderState::OutOfStock,
        OrderState::Cancelled,
        OrderState::Expired,
    ];
    const EVENTS: [Event; 8] = [
        Event::Authorized,
        Event::Declined,
        Event::Reserved,
        Event::StockRefused,
        Event::Captured,
        Event::Completed,
        Event::Cancelled,
        Event::Expired,
    ];

    fn is_end(state: OrderState) -> bool {
        use OrderState::{Cancelled, Completed, Declined, Expired, OutOfStock};
        matches!(state, Completed | Declined | OutOfStock | Cancelled | Expired)
    }

    /// The whole table, as people read it: by state the state after each of [`EVENTS`]; `same` where the event came
    /// before, `-` where it is refused.
    #[test]
    fn every_state_answers_every_event() {
        let table = [
            "PLACED        AUTHORIZED DECLINED -        -            -        -         CANCELLED EXPIRED",
            "AUTHORIZED    same       -        RESERVED OUT_OF_STOCK -        -         CANCELLED EXPIRED",
            "RESERVED      -          DECLINED same     -            CAPTURED -         CANCELLED EXPIRED",
            "CAPTURED      -          -        -        -            same     COMPLETED -         -",
            "COMPLETED     -          -        -        -            -        same      -         -",
            "DECLINED      -          same     -        -            -        -         -         -",
            "OUT_OF_STOCK  -          -        -        same         -        -         -         -",
            "CANCELLED     -          -        -        -            -        -         same      -",
            "EXPIRED       -          -        -        -            -        -         -         same",
        ];
        let name = |state: OrderState| state.as_str_name().trim_start_matches("ORDER_STATE_");
        for (state, row) in STATES.into_iter().zip(table) {
            let after = EVENTS.map(|event| match transition(state, event) {
                Transition::To(next, _) => name(next),
                Transition::Repeated => "same",
                Transition::Refused => "-",
            });
            let expected: Vec<_> = row.split_whitespace().collect();
            assert_eq!([&[name(state)], &after[..]].concat(), expected);
        }
    }

    #[test]
    fn an_end_is_never_left_and_every_other_state_is() {
        for state in STATES {
            let leaves = EVENTS
                .iter()
                .any(|&event| matches!(transition(state, event), Transition::To(..)));
            assert_eq!(leaves, !is_end(state), "{state:?}");
        }
        for event in EVENTS {
            assert_eq!(transition(OrderState::Unspecified, event), Transition::Refused);
        }
    }

    #[test]
    fn an_event_that_comes_twice_changes_nothing_the_second_time() {
        for state in STATES {
            for event in EVENTS {
                if let Transition::To(next, _) = transition(state, event) {
                    assert_ne!(next, state, "{event:?}");
                    assert_eq!(transition(next, event), Transition::Repeated, "{state:?} {event:?}");
                }
            }
        }
    }

    #[test]
    fn every_state_can_be_reached() {
        let mut reached = vec![NEW.0];
        let mut next = 0;
        while let Some(&state) = reached.get(next) {
            next += 1;
            for event in EVENTS {
                if let Transition::To(state, _) = transition(state, event)
                    && !reached.contains(&state)
                {
                    reached.push(state);
                }
            }
        }
        assert!(STATES.iter().all(|state| reached.contains(state)), "{reached:?}");
    }

    proptest! {
        /// Follows random events and does what the effects say: whatever happens, money and stock end up right.
        #[test]
        fn no_history_loses_money_or_stock(events in prop::collection::vec(prop::sample::select(&EVENTS[..]), 0..40)) {
            let mut state = NEW.0;
            let (mut held, mut set_aside, mut taken, mut changes) = (false, false, false, 0);
            for event in events {
                let Transition::To(next, effects) = transition(state, event) else { continue };
                changes += 1;
                match event {
                    Event::Authorized => held = true,
                    Event::Reserved => set_aside = true,
                    Event::Captured => (held, taken) = (false, true),
                    // Whoever refuses to pay holds nothing.
                    Event::Declined => held = false,
                    _ => {}
                }
                for effect in effects {
                    match effect {
                        Effect::VoidHold => held = false,
                        Effect::ReleaseStock | Effect::Complete => set_aside = false,
                        Effect::Authorize | Effect::Reserve | Effect::Capture => {}
                    }
                }
                prop_assert!(!is_end(state));
                state = next;
            }
            prop_assert!(changes <= 4);
            prop_assert_eq!(taken, matches!(state, OrderState::Captured | OrderState::Completed));
            if is_end(state) {
                prop_assert!(!held && !set_aside);
            }
        }
    }
}
