//! The order of spans in a picture: each below the one that caused it, siblings by time. Pure.

use std::collections::{HashMap, HashSet};

use super::span::Span;

/// A span and its place.
#[derive(Clone, Debug)]
pub(super) struct Row<'a> {
    pub(super) span: &'a Span,
    /// For each step down from the top, whether it is the last of its siblings: how the lines of the tree go.
    pub(super) last: Vec<bool>,
    /// What caused it was not kept.
    pub(super) orphan: bool,
}

/// All spans of one trace, once each, whatever their parents claim.
pub(super) fn rows(spans: &[Span]) -> Vec<Row<'_>> {
    let known: HashSet<&str> = spans.iter().map(|span| span.id.as_str()).collect();
    let mut tops: Vec<&Span> = Vec::new();
    let mut children: HashMap<&str, Vec<&Span>> = HashMap::new();
    let mut sorted: Vec<&Span> = spans.iter().collect();
    sorted.sort_by_key(|span| (span.start_ns, &span.id));
    for &span in &sorted {
        match span.parent.as_deref().filter(|id| known.contains(id)) {
            Some(parent) => children.entry(parent).or_default().push(span),
            None => tops.push(span),
        }
    }
    let mut tree = Tree {
        children,
        seen: HashSet::new(),
        rows: Vec::with_capacity(spans.len()),
    };
    // What is its own ancestor hangs from no top: it is drawn as one.
    for top in tops.into_iter().chain(sorted) {
        tree.grow(top);
    }
    tree.rows
}

struct Tree<'a> {
    children: HashMap<&'a str, Vec<&'a Span>>,
    seen: HashSet<&'a str>,
    rows: Vec<Row<'a>>,
}

impl<'a> Tree<'a> {
    /// With a stack of its own: a trace may be deeper than a thread's.
    fn grow(&mut self, top: &'a Span) {
        let mut next = vec![(top, Vec::new())];
        while let Some((span, last)) = next.pop() {
            if !self.seen.insert(&span.id) {
                continue;
            }
            let children = self.children.remove(span.id.as_str()).unwrap_or_default();
            for (place, child) in children.iter().rev().enumerate() {
                let mut of_child = last.clone();
                of_child.push(place == 0);
                next.push((child, of_child));
            }
            let orphan = last.is_empty() && span.parent.is_some();
            self.rows.push(Row { span, last, orphan });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn span(id: &str, parent: Option<&str>, start_ns: u64) -> Span {
        Span {
            trace: "4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap(),
            id: id.into(),
            parent: parent.map(Into::into),
            service: String::new(),
            name: String::new(),
            start_ns,
            duration_ns: 1,
            error: None,
            attributes: BTreeMap::new(),
        }
    }

    fn shape(spans: &[Span]) -> Vec<(String, usize, bool)> {
        let rows = rows(spans).into_iter();
        rows.map(|row| (row.span.id.clone(), row.last.len(), row.orphan))
            .collect()
    }

    #[test]
    fn each_span_stands_below_its_cause_and_siblings_by_time() {
        let spans = [
            span("late", Some("top"), 9),
            span("inner", Some("early"), 3),
            span("early", Some("top"), 2),
            span("top", None, 1),
        ];
        let expected = [("top", 0), ("early", 1), ("inner", 2), ("late", 1)];
        let expected = expected.map(|(id, depth)| (id.to_owned(), depth, false));
        assert_eq!(shape(&spans), expected);
        let last: Vec<_> = rows(&spans).into_iter().map(|row| row.last).collect();
        assert_eq!(last, [vec![], vec![false], vec![false, true], vec![true]]);
    }

    #[test]
    fn a_span_whose_cause_was_not_kept_stands_on_top_and_says_so() {
        let spans = [span("a", Some("gone"), 1), span("b", Some("a"), 2)];
        assert_eq!(
            shape(&spans),
            [("a".into(), 0, true), ("b".into(), 1, false)]
        );
    }

    #[test]
    fn spans_that_cause_each_other_are_drawn_once_each() {
        let spans = [
            span("a", Some("b"), 1),
            span("b", Some("a"), 2),
            span("self", Some("self"), 3),
        ];
        assert_eq!(shape(&spans).len(), 3);
    }
}
