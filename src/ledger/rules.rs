//! The rules as switches, so that a test can leave one out and see what it is for.

use crate::rules::rules;

rules! {
    /// A seal goes to the lowest missing number, found by reading every one before it.
    p2,
    /// Until the seal's put is settled, nothing else is done.
    p3,
    /// After the seal was seen to be in, the boundary is looked at.
    p4,
    /// What stands where the seal should go is read and applied.
    p5,
    /// A missing number is never passed over.
    r1,
    /// After a seal was read, the boundary is looked at.
    r4,
    /// The boundary is at most what a snapshot holds.
    c1,
    /// The boundary record is in before anything is deleted.
    c2,
    /// Seals stay.
    c3,
    /// At most a window of numbers is in flight.
    w2,
    /// A number is bound to its bytes.
    w3,
    /// That a number is taken proves nothing.
    w4,
    /// Numbers are acknowledged in order, without a gap.
    w5,
    /// A snapshot holds confirmed numbers only.
    s1,
}
