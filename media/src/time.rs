//! The unit of a stream's ticks, and exact arithmetic on it.

use std::time::Duration;

/// Nanoseconds in a second, in the width of the arithmetic.
const NANOS: i128 = 1_000_000_000;

/// The duration of one tick of a stream: `num / den` seconds.
///
/// Never zero and never negative, so arithmetic on it cannot divide by zero. All conversions are
/// exact integer arithmetic in 128 bits; methods that round document the direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timebase {
    /// Numerator in seconds, at least 1.
    num: u32,
    /// Denominator, at least 1.
    den: u32,
}

impl Timebase {
    /// A timebase of `num / den` seconds; `None` if either is zero.
    pub fn new(num: u32, den: u32) -> Option<Timebase> {
        (num > 0 && den > 0).then_some(Timebase { num, den })
    }

    /// Numerator in seconds, at least 1.
    pub fn num(self) -> u32 {
        self.num
    }

    /// Denominator, at least 1.
    pub fn den(self) -> u32 {
        self.den
    }

    /// The duration of `ticks`, rounded down to a nanosecond; zero for negative ticks.
    pub fn duration(self, ticks: i64) -> Duration {
        let nanos = i128::from(ticks.max(0)) * i128::from(self.num) * NANOS / i128::from(self.den);
        let seconds = u64::try_from(nanos / NANOS).unwrap_or(u64::MAX);
        let below_second = u32::try_from(nanos % NANOS).unwrap_or(0);
        Duration::new(seconds, below_second)
    }

    /// The duration of `ticks` in microseconds for messages and logs, rounded to the nearest,
    /// halves up. Saturates at the ends of an `i64`.
    pub fn microseconds(self, ticks: i64) -> i64 {
        let (num, den) = (i128::from(self.num), i128::from(self.den));
        let us = (i128::from(ticks) * num * 2_000_000 + den).div_euclid(2 * den);
        i64::try_from(us).unwrap_or(if us < 0 { i64::MIN } else { i64::MAX })
    }

    /// The number of ticks in `duration`, rounded down; saturates at the largest `i64`.
    pub fn ticks(self, duration: Duration) -> i64 {
        let ticks = self.ticks_times_unit(duration) / self.unit();
        i64::try_from(ticks).unwrap_or(i64::MAX)
    }

    /// The first tick of another timebase that is not before `ticks` of this one. Saturates at the
    /// ends of an `i64`.
    ///
    /// Two intervals that meet in this timebase also meet in the other.
    pub fn convert_up(self, ticks: i64, to: Timebase) -> i64 {
        let over = i128::from(ticks) * i128::from(self.num) * i128::from(to.den);
        let under = i128::from(self.den) * i128::from(to.num);
        let converted = -(-over).div_euclid(under);
        i64::try_from(converted).unwrap_or(if converted < 0 { i64::MIN } else { i64::MAX })
    }

    /// The number, from 0, of the interval of length `window` that contains `ticks` plus `slack`.
    ///
    /// This is the grid of cuts: no rounding carries over from one interval to the next, so the
    /// grid cannot drift (3.333 s in a timebase of 1/90000 is not a whole number of ticks).
    pub fn interval(self, ticks: i64, window: Duration, slack: Duration) -> i64 {
        let at = i128::from(ticks) * self.unit() + self.ticks_times_unit(slack);
        let index = at.div_euclid(self.ticks_times_unit(window).max(1));
        i64::try_from(index).unwrap_or(i64::MAX)
    }

    /// One tick in units of 1 / (den * 10^9) seconds.
    fn unit(self) -> i128 {
        i128::from(self.num) * NANOS
    }

    /// A duration in the same units.
    fn ticks_times_unit(self, duration: Duration) -> i128 {
        let nanos = i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX >> 40);
        nanos * i128::from(self.den)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn base(num: u32, den: u32) -> Timebase {
        Timebase::new(num, den).unwrap()
    }

    #[test]
    fn a_timebase_is_never_zero() {
        assert_eq!(Timebase::new(0, 90_000), None);
        assert_eq!(Timebase::new(1, 0), None);
    }

    #[test]
    fn ticks_of_ntsc_video_are_exact() {
        assert_eq!(
            base(1, 30_000).duration(30_030),
            Duration::from_millis(1001)
        );
        assert_eq!(base(1001, 30_000).duration(30), Duration::from_millis(1001));
        assert_eq!(base(1, 90_000).ticks(Duration::from_secs(3)), 270_000);
    }

    #[test]
    fn microseconds_are_rounded_to_the_nearest() {
        assert_eq!(base(1001, 30_000).microseconds(1), 33_367);
        assert_eq!(base(1001, 30_000).microseconds(-1), -33_367);
        assert_eq!(base(1001, 30_000).microseconds(30_000), 1_001_000_000);
        assert_eq!(base(1000, 1).microseconds(i64::MAX), i64::MAX);
    }

    #[test]
    fn the_grid_of_an_uneven_window_does_not_drift() {
        // 3.333 s in a timebase of 1/25 s is 83.325 ticks: rounding each of 1000 windows would end
        // 325 ticks off.
        let window = Duration::from_millis(3333);
        assert_eq!(base(1, 25).interval(83_325, window, Duration::ZERO), 1000);
        assert_eq!(base(1, 25).interval(83_324, window, Duration::ZERO), 999);
    }

    proptest! {
        #[test]
        fn ticks_and_durations_are_inverse_to_a_tick(ticks in 0..1i64 << 50, den in 1..100_000u32, num in 1..2000u32) {
            let back = base(num, den).ticks(base(num, den).duration(ticks));
            prop_assert!((ticks - 1..=ticks).contains(&back));
        }

        #[test]
        fn a_converted_tick_is_the_first_that_is_not_before(ticks in -(1i64 << 40)..1i64 << 40, from in 1..100_000u32, to in 1..100_000u32) {
            let converted = i128::from(base(1, from).convert_up(ticks, base(1, to)));
            let (moment, tick) = (i128::from(ticks) * i128::from(to), i128::from(from));
            prop_assert!(converted * tick >= moment && (converted - 1) * tick < moment);
        }

        #[test]
        fn an_interval_holds_its_moment(ticks in -(1i64 << 40)..1i64 << 40, millis in 1..100_000u64, den in 1..100_000u32) {
            let n = i128::from(base(1, den).interval(ticks, Duration::from_millis(millis), Duration::ZERO));
            let (at, step) = (i128::from(ticks) * 1000, i128::from(millis) * i128::from(den));
            prop_assert!(n * step <= at && at < (n + 1) * step);
        }
    }
}
