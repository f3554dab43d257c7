//! The conditions for leaving a field out of an answer.

pub(super) fn is_false(flag: &bool) -> bool {
    !flag
}

pub(super) fn is_zero(number: &u64) -> bool {
    *number == 0
}
