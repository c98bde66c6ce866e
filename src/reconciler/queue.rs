//! Whose turn it is: heals first, then lanes in turn, first come first served within each. A lane is what one change of
//! Git brings to one environment, so that neither a large environment nor a large commit keeps others waiting.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound;

use crate::model::name::{ApplicationId, EnvironmentName};

/// What an application waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Something changed in the cluster that may have to be healed.
    Heal,
    /// Everything else, by the number of the reading that brought it; later numbers have lanes of their own.
    Change(u64),
}

/// The context of a cluster; absent means the default one.
type Context = Option<String>;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Lane {
    context: Context,
    environment: EnvironmentName,
    change: u64,
}

/// An application in the queue. It may stand in several lanes; the ticket says which place counts.
struct Waiting {
    urgency: Urgency,
    ticket: u64,
}

/// The queue.
#[derive(Default)]
pub struct Queue {
    /// Who stands here is served from here: nothing is more urgent.
    heals: VecDeque<(Context, ApplicationId)>,
    lanes: BTreeMap<Lane, VecDeque<(ApplicationId, u64)>>,
    /// The lane that was served last.
    served: Option<Lane>,
    waiting: HashMap<ApplicationId, Waiting>,
    tickets: u64,
}

impl Queue {
    /// Puts an application in. One that waits already moves only to where it is served sooner: to the heals, or to the
    /// lane of a later change.
    pub fn push(&mut self, context: &Context, application: &ApplicationId, urgency: Urgency) {
        let stays = |waiting: &Waiting| match (waiting.urgency, urgency) {
            (Urgency::Heal, _) => true,
            (Urgency::Change(_), Urgency::Heal) => false,
            (Urgency::Change(there), Urgency::Change(now)) => now <= there,
        };
        if self.waiting.get(application).is_some_and(stays) {
            return;
        }
        self.tickets += 1;
        let ticket = self.tickets;
        self.waiting.insert(application.clone(), Waiting { urgency, ticket });
        match urgency {
            Urgency::Heal => self.heals.push_back((context.clone(), application.clone())),
            Urgency::Change(change) => {
                let (context, environment) = (context.clone(), application.environment.clone());
                let lane = self.lanes.entry(Lane { context, environment, change }).or_default();
                lane.push_back((application.clone(), ticket));
            }
        }
    }

    /// Takes the next application that `may` be worked on now: by its context, itself, and whether it is a heal.
    pub fn pop(
        &mut self,
        may: impl Fn(&Context, &ApplicationId, bool) -> bool,
    ) -> Option<(ApplicationId, Urgency)> {
        let counts = |waiting: &HashMap<ApplicationId, Waiting>, id: &ApplicationId, ticket: u64| {
            waiting.get(id).is_some_and(|one| one.ticket == ticket)
        };
        if let Some(at) = self.heals.iter().position(|(context, id)| may(context, id, true)) {
            let (_, id) = self.heals.remove(at)?;
            self.waiting.remove(&id);
            return Some((id, Urgency::Heal));
        }
        let lane = self.next_lane(|lane, id, ticket| {
            counts(&self.waiting, id, ticket) && may(&lane.context, id, false)
        })?;
        let queue = self.lanes.get_mut(&lane)?;
        let at = queue
            .iter()
            .position(|(id, ticket)| counts(&self.waiting, id, *ticket) && may(&lane.context, id, false))?;
        let (id, _) = queue.remove(at)?;
        self.waiting.remove(&id);
        let change = lane.change;
        self.served = Some(lane);
        self.tidy();
        Some((id, Urgency::Change(change)))
    }

    /// The first lane after the one served last in which somebody can be served.
    fn next_lane(&self, may: impl Fn(&Lane, &ApplicationId, u64) -> bool) -> Option<Lane> {
        let after = match &self.served {
            Some(served) => (Bound::Excluded(served), Bound::Unbounded),
            None => (Bound::Unbounded, Bound::Unbounded),
        };
        let round = self.lanes.range(after).chain(&self.lanes);
        let mut servable =
            round.filter(|(lane, queue)| queue.iter().any(|(id, ticket)| may(lane, id, *ticket)));
        servable.next().map(|(lane, _)| lane.clone())
    }

    /// Lets go of places that no longer count, once there are more of them than of others.
    fn tidy(&mut self) {
        let places: usize = self.lanes.values().map(VecDeque::len).sum();
        if places <= 2 * self.waiting.len() {
            self.lanes.retain(|_, queue| !queue.is_empty());
            return;
        }
        let waiting = &self.waiting;
        self.lanes.retain(|_, queue| {
            queue.retain(|(id, ticket)| waiting.get(id).is_some_and(|one| one.ticket == *ticket));
            !queue.is_empty()
        });
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(environment: &str, number: usize) -> ApplicationId {
        ApplicationId::new(environment.parse().unwrap(), format!("s{number:04}").parse().unwrap())
    }

    fn all(queue: &mut Queue) -> Vec<String> {
        let next = || queue.pop(|_, _, _| true);
        std::iter::from_fn(next).map(|(id, _)| id.to_string()).collect()
    }

    #[test]
    fn environments_take_turns_and_order_stays_within() {
        let mut queue = Queue::default();
        for number in 0..3 {
            queue.push(&None, &id("dev", number), Urgency::Change(1));
        }
        queue.push(&None, &id("prod", 9), Urgency::Change(1));
        queue.push(&Some("other".to_owned()), &id("eu", 9), Urgency::Change(1));
        assert_eq!(all(&mut queue), ["dev/s0000", "prod/s0009", "eu/s0009", "dev/s0001", "dev/s0002"]);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_heal_is_next_and_a_revert_does_not_stand_behind_the_commit_before() {
        let mut queue = Queue::default();
        for number in 0..1000 {
            queue.push(&None, &id("dev", number), Urgency::Change(1));
        }
        queue.push(&None, &id("dev", 998), Urgency::Change(2));
        queue.push(&None, &id("dev", 997), Urgency::Heal);
        // What waits for a heal stays there, and nobody waits twice.
        queue.push(&None, &id("dev", 997), Urgency::Change(2));
        assert_eq!(queue.len(), 1000);
        let order = all(&mut queue);
        assert_eq!(order.len(), 1000);
        assert_eq!(order[0], "dev/s0997");
        assert!(order[..3].contains(&"dev/s0998".to_owned()), "{:?}", &order[..4]);
    }

    #[test]
    fn who_may_not_be_served_keeps_nobody_waiting() {
        let mut queue = Queue::default();
        let full = Some("full".to_owned());
        queue.push(&full, &id("eu", 1), Urgency::Change(1));
        queue.push(&full, &id("eu", 2), Urgency::Heal);
        queue.push(&None, &id("dev", 1), Urgency::Change(1));
        queue.push(&None, &id("dev", 2), Urgency::Change(1));
        let may = |context: &Context, one: &ApplicationId, _| context.is_none() && *one != id("dev", 1);
        assert_eq!(queue.pop(may).unwrap().0, id("dev", 2));
        assert_eq!(queue.pop(may), None);
        assert_eq!(queue.len(), 3);
        assert_eq!(queue.pop(|_, _, _| true).unwrap().1, Urgency::Heal);
    }
}
