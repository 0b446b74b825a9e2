//! Least, middle and most of many.

/// How numbers of one kind are distribution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Distribution<T> {
    /// How many there are.
    pub count: u64,
    /// The least; the default of the type where there are none.
    pub min: T,
    /// The one in the middle; of two in the middle, the later one.
    pub median: T,
    /// The most.
    pub max: T,
}

impl<T: Copy + Default + Ord> Distribution<T> {
    /// How these are distribution.
    pub(super) fn of(mut values: Vec<T>) -> Distribution<T> {
        values.sort_unstable();
        let at = |index: usize| values.get(index).copied().unwrap_or_default();
        Distribution {
            count: values.len() as u64,
            min: at(0),
            median: at(values.len() / 2),
            max: at(values.len().saturating_sub(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_the_median_and_nothing_is_spread_over_nothing() {
        let distribution = Distribution::of(vec![9, 1, 2]);
        assert_eq!(
            (
                distribution.count,
                distribution.min,
                distribution.median,
                distribution.max
            ),
            (3, 1, 2, 9)
        );
        assert_eq!(Distribution::<u32>::of(Vec::new()), Distribution::default());
    }
}
