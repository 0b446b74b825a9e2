//! Least, middle and most of many.

/// How numbers of one kind are spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread<T> {
    /// How many there are.
    pub count: u64,
    /// The least; the default of the type where there are none.
    pub min: T,
    /// The one in the middle; of two in the middle, the later one.
    pub median: T,
    /// The most.
    pub max: T,
}

impl<T: Copy + Default + Ord> Spread<T> {
    /// How these are spread.
    pub(super) fn of(mut values: Vec<T>) -> Spread<T> {
        values.sort_unstable();
        let at = |index: usize| values.get(index).copied().unwrap_or_default();
        Spread {
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
        let spread = Spread::of(vec![9, 1, 2]);
        assert_eq!(
            (spread.count, spread.min, spread.median, spread.max),
            (3, 1, 2, 9)
        );
        assert_eq!(Spread::<u32>::of(Vec::new()), Spread::default());
    }
}
