//! What a membership says, in the words of the checks.

use promha_gossip_core::PeerId;
use promha_gossip_core::membership::{Event, Membership};
use promha_gossip_core::wire;

use crate::simulator::node::{Standing, Told, named};

pub fn told(membership: &Membership, event: &Event) -> Option<Told> {
    let (peer, profile, standing) = match event {
        Event::Joined { peer, profile }
        | Event::Returned { peer, profile }
        | Event::AddressChanged { peer, profile, .. }
        | Event::Refuted { peer, profile } => (peer, profile, Standing::Alive),
        Event::Suspected { peer, profile } => (peer, profile, Standing::Suspect),
        Event::Failed { peer, profile } => (peer, profile, Standing::Dead),
        Event::LeftGracefully { peer, profile } => (peer, profile, Standing::Left),
        Event::Forgotten { peer, profile } => (peer, profile, Standing::Forgotten),
        _ => return None,
    };
    Some(Told::Member { of: named(profile.name())?, standing, incarnation: incarnation(membership, *peer) })
}

fn incarnation(membership: &Membership, peer: PeerId) -> u32 {
    membership.member(peer).map_or(0, |member| member.incarnation())
}

/// The numbers of those that are alive or suspect, its own included.
pub fn living(membership: &Membership, into: &mut Vec<usize>) {
    into.extend(named(membership.profile().name()));
    let active = |standing| matches!(standing, wire::Standing::Alive | wire::Standing::Suspect);
    let members = membership.members().filter(|member| active(member.standing()));
    into.extend(members.filter_map(|member| named(member.name())));
}
