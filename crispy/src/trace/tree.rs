//! Order of spans in the output: each below its parent, siblings by time. Pure.

use std::collections::{HashMap, HashSet};

use super::span::Span;

/// A span and its position.
#[derive(Clone, Debug)]
pub(super) struct Row<'a> {
    pub(super) span: &'a Span,
    /// For each level from the root, whether it is the last of its siblings: the tree's lines
    /// follow from it.
    pub(super) last: Vec<bool>,
    /// Its parent is not in the trace.
    pub(super) orphan: bool,
}

/// All spans of one trace, once each, even if their parents form a cycle.
pub(super) fn rows(spans: &[Span]) -> Vec<Row<'_>> {
    let known: HashSet<&str> = spans.iter().map(|span| span.id.as_str()).collect();
    let mut roots: Vec<&Span> = Vec::new();
    let mut children: HashMap<&str, Vec<&Span>> = HashMap::new();
    let mut sorted: Vec<&Span> = spans.iter().collect();
    sorted.sort_by_key(|span| (span.start_ns, &span.id));
    for &span in &sorted {
        match span.parent.as_deref().filter(|id| known.contains(id)) {
            Some(parent) => children.entry(parent).or_default().push(span),
            None => roots.push(span),
        }
    }
    let mut tree = Tree {
        children,
        seen: HashSet::new(),
        rows: Vec::with_capacity(spans.len()),
    };
    // A span that is its own ancestor hangs from no root: it becomes one.
    for root in roots.into_iter().chain(sorted) {
        tree.add(root);
    }
    tree.rows
}

struct Tree<'a> {
    children: HashMap<&'a str, Vec<&'a Span>>,
    seen: HashSet<&'a str>,
    rows: Vec<Row<'a>>,
}

impl<'a> Tree<'a> {
    /// Adds a root and its descendants. Not recursive: a trace may be deeper than a thread's stack.
    fn add(&mut self, root: &'a Span) {
        let mut next = vec![(root, Vec::new())];
        while let Some((span, last)) = next.pop() {
            if !self.seen.insert(&span.id) {
                continue;
            }
            let children = self.children.remove(span.id.as_str()).unwrap_or_default();
            for (index, child) in children.iter().rev().enumerate() {
                let mut child_last = last.clone();
                child_last.push(index == 0);
                next.push((child, child_last));
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
    fn spans_are_below_their_parents_and_siblings_by_time() {
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
    fn a_span_without_its_parent_is_a_marked_root() {
        let spans = [span("a", Some("gone"), 1), span("b", Some("a"), 2)];
        assert_eq!(
            shape(&spans),
            [("a".into(), 0, true), ("b".into(), 1, false)]
        );
    }

    #[test]
    fn a_cycle_of_parents_is_drawn_once() {
        let spans = [
            span("a", Some("b"), 1),
            span("b", Some("a"), 2),
            span("self", Some("self"), 3),
        ];
        assert_eq!(shape(&spans).len(), 3);
    }
}
