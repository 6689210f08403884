//! Edges in two flat arrays: where the edges of a node begin, and where they lead.

/// The edges out of each node, in the order in which they were pushed.
#[derive(Debug, Default)]
pub(super) struct Csr {
    /// One more than there are nodes: the edges of `n` are `starts[n]..starts[n + 1]` of `targets`.
    starts: Vec<u32>,
    targets: Vec<u32>,
}

impl Csr {
    /// How many nodes there are.
    pub(super) fn nodes(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// Where the edges of `node` lead; nowhere for a node that there is not.
    #[inline]
    pub(super) fn of(&self, node: usize) -> impl Iterator<Item = usize> + '_ {
        self.raw(node).iter().map(|&target| target as usize)
    }

    /// As [`Csr::of`], as it is kept.
    #[inline]
    pub(super) fn raw(&self, node: usize) -> &[u32] {
        let bounds = self.starts.get(node).zip(self.starts.get(node + 1));
        bounds
            .and_then(|(&from, &to)| self.targets.get(from as usize..to as usize))
            .unwrap_or(&[])
    }

    fn of_pairs(pairs: &[(u32, u32)], nodes: usize) -> Self {
        let mut starts = vec![0_u32; nodes + 1];
        for &(from, _) in pairs {
            if let Some(count) = starts.get_mut(from as usize + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut next = starts.clone();
        let mut targets = vec![0; pairs.len()];
        for &(from, to) in pairs {
            if let Some(at) = next.get_mut(from as usize) {
                if let Some(target) = targets.get_mut(*at as usize) {
                    *target = to;
                }
                *at += 1;
            }
        }
        Self { starts, targets }
    }
}

/// Pairs of nodes on their way to a [`Csr`] each way.
#[derive(Debug, Default)]
pub(super) struct CsrBuilder {
    pairs: Vec<(u32, u32)>,
}

impl CsrBuilder {
    pub(super) fn push(&mut self, from: u32, to: u32) {
        self.pairs.push((from, to));
    }

    /// The edges as they were pushed, and turned round. Both ends are below `nodes`.
    pub(super) fn build(mut self, nodes: usize) -> (Csr, Csr) {
        let forward = Csr::of_pairs(&self.pairs, nodes);
        for (from, to) in &mut self.pairs {
            std::mem::swap(from, to);
        }
        (forward, Csr::of_pairs(&self.pairs, nodes))
    }

    /// The edges as they were pushed. Both ends are below `nodes`.
    pub(super) fn forward(self, nodes: usize) -> Csr {
        Csr::of_pairs(&self.pairs, nodes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_come_back_in_order_both_ways() {
        let mut builder = CsrBuilder::default();
        for (from, to) in [(2, 0), (0, 1), (2, 1), (0, 2)] {
            builder.push(from, to);
        }
        let (forward, back) = builder.build(4);
        let of = |csr: &Csr, node| csr.of(node).collect::<Vec<_>>();
        assert_eq!((of(&forward, 0), of(&forward, 2)), (vec![1, 2], vec![0, 1]));
        assert_eq!((of(&back, 1), of(&back, 2)), (vec![0, 2], vec![0]));
        assert_eq!((of(&forward, 3), of(&forward, 9)), (vec![], vec![]));
        assert_eq!((forward.nodes(), Csr::default().nodes()), (4, 0));
    }
}
