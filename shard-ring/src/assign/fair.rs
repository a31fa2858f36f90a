//! What each node should have of every target, when replicas stand in different zones.
//!
//! Proportional to the weights that would be, if there were no zones and no node could be too heavy: but a zone has at most one replica
//! of a target while other zones have none, and a node has never two. What is beyond that goes to the others, by their weights again.

/// One, in the fixed point of shares.
pub(crate) const ONE: u128 = 1 << 48;

/// What fair shares are made of.
pub(crate) struct Place {
    pub(crate) weight: u32,
    /// Counted from zero, without a hole.
    pub(crate) zone: usize,
}

/// How many replicas of a target each place should have, on average: between 0 and [`ONE`], in all `replication` times that (but for
/// rounding). There are at least `replication` places, and no weight is zero.
pub(crate) fn shares(places: &[Place], replication: usize) -> Vec<u128> {
    let zones = places.iter().map(|place| place.zone + 1).max().unwrap_or(0);
    let mut members = vec![Vec::new(); zones];
    places.iter().enumerate().for_each(|(i, place)| members[place.zone].push(i));

    // Round by round: each zone that has a node left takes one, as far as replicas go.
    let (mut of_zone, mut left, mut round) = (vec![0; zones], replication, 0);
    while left > 0 {
        let open: Vec<_> = (0..zones).filter(|&zone| members[zone].len() > round).collect();
        if open.is_empty() {
            break;
        }
        let weights: Vec<u128> = open
            .iter()
            .map(|&zone| members[zone].iter().map(|&i| u128::from(places[i].weight)).sum())
            .collect();
        let taken = left.min(open.len());
        fill(&weights, taken as u128 * ONE)
            .into_iter()
            .zip(open)
            .for_each(|(part, zone)| of_zone[zone] += part);
        (left, round) = (left - taken, round + 1);
    }

    let mut shares = vec![0; places.len()];
    for (members, of_zone) in members.iter().zip(of_zone) {
        let weights: Vec<_> = members.iter().map(|&i| u128::from(places[i].weight)).collect();
        fill(&weights, of_zone).into_iter().zip(members).for_each(|(part, &i)| shares[i] = part);
    }
    shares
}

/// Divides an amount by weights, so that nobody has more than one.
fn fill(weights: &[u128], amount: u128) -> Vec<u128> {
    let mut order: Vec<_> = (0..weights.len()).collect();
    order.sort_unstable_by_key(|&i| std::cmp::Reverse(weights[i]));
    let (mut amount, mut weight) = (amount, weights.iter().sum::<u128>());
    let mut parts = vec![0; weights.len()];
    // Whoever has too much is among the heaviest; once one has not, nobody after it has.
    for i in order {
        parts[i] = (amount * weights[i] / weight).min(ONE);
        if parts[i] == ONE {
            (amount, weight) = (amount - ONE, weight - weights[i]);
        }
    }
    parts
}

/// `share` of an amount, rounded down; saturating.
pub(crate) fn part(share: u128, amount: u128) -> u128 {
    (amount / ONE).saturating_mul(share).saturating_add((amount % ONE) * share / ONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounded(places: &[(u32, usize)], replication: usize) -> Vec<f64> {
        let places: Vec<_> = places.iter().map(|&(weight, zone)| Place { weight, zone }).collect();
        let shares = shares(&places, replication);
        assert!(shares.iter().sum::<u128>().abs_diff(replication as u128 * ONE) <= 2 * places.len() as u128);
        shares.iter().map(|&share| (share as f64 / ONE as f64 * 1e6).round() / 1e6).collect()
    }

    #[test]
    fn by_weight() {
        assert_eq!(rounded(&[(1, 0), (1, 0), (2, 0)], 1), [0.25, 0.25, 0.5]);
        assert_eq!(rounded(&[(1, 0); 4], 2), [0.5; 4]);
        // Nobody has a target twice.
        assert_eq!(rounded(&[(1, 0), (1, 0), (9, 0)], 2), [0.5, 0.5, 1.0]);
        assert_eq!(rounded(&[(1, 0), (5, 0), (9, 0)], 3), [1.0; 3]);
        assert_eq!(rounded(&[(u32::MAX, 0), (u32::MAX, 0)], 1), [0.5; 2]);
    }

    #[test]
    fn by_zone() {
        // A zone has no two replicas while another has none.
        assert_eq!(
            rounded(&[(1, 0), (1, 0), (1, 0), (1, 1)], 2),
            [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 1.0].map(|x: f64| (x * 1e6).round() / 1e6)
        );
        assert_eq!(rounded(&[(1, 0), (1, 0), (1, 1), (1, 1)], 3), [0.75; 4]);
        assert_eq!(rounded(&[(1, 0), (1, 0), (1, 0), (1, 1)], 3), [0.666667, 0.666667, 0.666667, 1.0]);
        assert_eq!(rounded(&[(1, 0), (1, 1), (1, 2)], 2), [0.666667; 3]);
    }
}
