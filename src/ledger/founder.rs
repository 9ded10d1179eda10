//! The first step of every node: which cluster is this bucket's?

use super::error::Expected;
use super::{
    Action, Cluster, ClusterId, Condition, Document, Error, GetAnswer, Key, PutAnswer, Refused, Result,
};
use bytes::Bytes;

/// Puts `cluster.json`, or finds the one that is there. It acts as the seal before number 0 and is settled like one.
///
/// Drive it by [`next`](Self::next) and the answers, with a pause after a put that was not stored and a get that failed.
///
/// ```
/// use understudy::ledger::*;
/// let cluster = Cluster::new(ClusterId(1), Dir { term: Term(1), writer: WriterId(5) });
/// let mut founder = Founder::found(cluster.clone())?;
/// assert!(matches!(founder.next(), Some(Action::Put { key: Key::Cluster, .. })));
/// assert_eq!(founder.put_answered(PutAnswer::Stored), Some(Founded::Mine(cluster)));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Founder {
    /// What is put, with its bytes; without it a cluster is only looked for.
    own: Option<(Cluster, Bytes)>,
    known: Option<ClusterId>,
    phase: Phase,
}

/// What a bucket turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Founded {
    /// The cluster begins with this node as its primary: [`Point::start`](super::Point::start) goes to a
    /// [`Writer`](super::Writer).
    Mine(Cluster),
    /// The cluster is there: replicate it, or claim a term.
    Exists(Cluster),
    /// This node has no business here.
    Refused(Error),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    Put,
    Get,
    Over,
}

impl Founder {
    /// Begins a cluster, in the directory of this process, unless there is one. For nodes without data of a cluster.
    ///
    /// # Errors
    /// What [`Document::to_bytes`] answers.
    pub fn found(cluster: Cluster) -> Result<Self> {
        let bytes = cluster.to_bytes()?;
        Ok(Self { own: Some((cluster, bytes)), known: None, phase: Phase::Put })
    }

    /// Looks for a cluster: the one whose data the node has, or any if it has none.
    pub fn join(known: Option<ClusterId>) -> Self {
        Self { own: None, known, phase: Phase::Get }
    }

    /// The next request; `None` at the end.
    pub fn next(&self) -> Option<Action> {
        let key = Key::Cluster;
        match (self.phase, &self.own) {
            (Phase::Put, Some((_, bytes))) => {
                Some(Action::Put { key, bytes: bytes.clone(), condition: Condition::IfAbsent })
            }
            (Phase::Over, _) => None,
            _ => Some(Action::Get { key }),
        }
    }

    /// Takes the answer to the put.
    pub fn put_answered(&mut self, answer: PutAnswer) -> Option<Founded> {
        match (answer, &self.own) {
            (PutAnswer::Stored, Some((cluster, _))) => {
                let cluster = cluster.clone();
                self.end(Founded::Mine(cluster))
            }
            // As W4: proves nothing.
            (PutAnswer::Taken, _) => {
                self.phase = Phase::Get;
                None
            }
            (PutAnswer::Refused(Refused::NoBucket), _) => self.end(Founded::Refused(self.nothing())),
            _ => None,
        }
    }

    /// Takes the answer to the get.
    pub fn got(&mut self, answer: &GetAnswer) -> Option<Founded> {
        match (answer, &self.own) {
            (GetAnswer::Failed, _) => None,
            (GetAnswer::Found(bytes), Some((cluster, own))) if bytes == own => {
                let cluster = cluster.clone();
                self.end(Founded::Mine(cluster))
            }
            (GetAnswer::Found(bytes), _) => {
                let founded = match Cluster::read(Key::Cluster, bytes) {
                    Err(error) => Founded::Refused(error),
                    Ok(cluster) if self.known.is_none_or(|known| known == cluster.cluster) => {
                        Founded::Exists(cluster)
                    }
                    Ok(cluster) => {
                        let found = Expected::Cluster(cluster.cluster);
                        Founded::Refused(Error::OtherCluster { expected: self.expected(), found })
                    }
                };
                self.end(founded)
            }
            (GetAnswer::NotFound, Some(_)) => {
                self.phase = Phase::Put;
                None
            }
            // Never created in silence: perhaps it is the wrong bucket.
            (GetAnswer::NotFound, None) => self.end(Founded::Refused(self.nothing())),
        }
    }

    fn expected(&self) -> Expected {
        self.known.map_or(Expected::Any, Expected::Cluster)
    }

    fn nothing(&self) -> Error {
        Error::OtherCluster { expected: self.expected(), found: Expected::None }
    }

    fn end(&mut self, founded: Founded) -> Option<Founded> {
        self.phase = Phase::Over;
        Some(founded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Dir, Term, Unsettled, WriterId};

    fn cluster(id: u128) -> Cluster {
        Cluster::new(ClusterId(id), Dir { term: Term(1), writer: WriterId(id) })
    }

    fn found(cluster: &Cluster) -> GetAnswer {
        GetAnswer::Found(cluster.to_bytes().unwrap())
    }

    #[test]
    fn the_put_is_settled_before_anything_is_believed() {
        let mut founder = Founder::found(cluster(1)).unwrap();
        assert_eq!(founder.put_answered(PutAnswer::Unsettled(Unsettled::Unknown)), None);
        assert!(matches!(founder.next(), Some(Action::Put { .. })));
        assert_eq!(founder.put_answered(PutAnswer::Taken), None);
        assert_eq!(founder.next(), Some(Action::Get { key: Key::Cluster }));
        assert_eq!(founder.got(&GetAnswer::Failed), None);
        assert_eq!(founder.got(&GetAnswer::NotFound), None);
        assert!(matches!(founder.next(), Some(Action::Put { .. })));
        assert_eq!(founder.put_answered(PutAnswer::Taken), None);
        assert_eq!(founder.got(&found(&cluster(1))), Some(Founded::Mine(cluster(1))));
        assert_eq!(founder.next(), None);
    }

    #[test]
    fn whoever_comes_second_joins() {
        let mut founder = Founder::found(cluster(1)).unwrap();
        founder.put_answered(PutAnswer::Taken);
        assert_eq!(founder.got(&found(&cluster(2))), Some(Founded::Exists(cluster(2))));
    }

    #[test]
    fn a_node_with_data_refuses_other_buckets() {
        let join = || Founder::join(Some(ClusterId(1)));
        assert_eq!(join().got(&found(&cluster(1))), Some(Founded::Exists(cluster(1))));
        for answer in [GetAnswer::NotFound, found(&cluster(2)), GetAnswer::Found("damaged".into())] {
            assert!(matches!(join().got(&answer), Some(Founded::Refused(_))), "{answer:?}");
        }
        assert_eq!(Founder::join(None).got(&found(&cluster(2))), Some(Founded::Exists(cluster(2))));
    }
}
