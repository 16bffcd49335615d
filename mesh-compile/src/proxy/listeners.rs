//! The listeners of a proxy, in order, and by the address and port they are bound to.

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;

use super::listener::{Direction, Listener};

/// Fewer listeners than this are looked through one by one.
const SCANNED: usize = 16;

/// Listeners in order of direction, address and port.
/// Ours: a connection finds its listener without looking at all of them.
///
/// Where each is bound is indexed when someone first asks, which costs time in their number once.
#[derive(Clone, Default)]
pub struct Listeners {
    list: Vec<Arc<Listener>>,
    index: OnceLock<Arc<Index>>,
}

/// Positions; each list ascending.
#[derive(Debug, Default)]
struct Index {
    bound: HashMap<Bound, SmallVec<[u32; 2]>, RandomState>,
    catch_all: SmallVec<[u32; 2]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Bound(IpAddr, u16);

impl Listeners {
    /// The listeners bound to exactly this address and port, in order.
    pub fn bound_to(&self, address: IpAddr, port: u16) -> impl Iterator<Item = &Arc<Listener>> {
        let is_there = move |it: &&Arc<Listener>| it.port == port && it.address == address;
        let (few, many): (&[Arc<Listener>], &[u32]) = match self.index() {
            None => (&self.list, &[]),
            Some(index) => (&[], index.bound.get(&Bound(address, port)).map_or(&[][..], SmallVec::as_slice)),
        };
        few.iter().chain(self.at(many)).filter(is_there)
    }

    /// The virtual listeners of a direction, in order.
    pub fn catch_all(&self, direction: Direction) -> impl Iterator<Item = &Arc<Listener>> {
        let is_it = move |it: &&Arc<Listener>| it.catch_all && it.direction == direction;
        let (few, many): (&[Arc<Listener>], &[u32]) = match self.index() {
            None => (&self.list, &[]),
            Some(index) => (&[], &index.catch_all),
        };
        few.iter().chain(self.at(many)).filter(is_it)
    }

    fn at<'l>(&'l self, positions: &'l [u32]) -> impl Iterator<Item = &'l Arc<Listener>> {
        positions.iter().filter_map(|position| self.list.get(*position as usize))
    }

    /// `None`: there are too few to gain anything.
    fn index(&self) -> Option<&Index> {
        (self.list.len() >= SCANNED).then(|| &**self.index.get_or_init(|| Arc::new(Index::of(&self.list))))
    }
}

impl Index {
    fn of(list: &[Arc<Listener>]) -> Self {
        let mut index = Self::default();
        for (position, listener) in (0..).zip(list) {
            index.bound.entry(Bound(listener.address, listener.port)).or_default().push(position);
            if listener.catch_all {
                index.catch_all.push(position);
            }
        }
        index
    }
}

/// The list alone: the index has no order.
impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.list.fmt(f)
    }
}

impl Deref for Listeners {
    type Target = [Arc<Listener>];

    fn deref(&self) -> &[Arc<Listener>] {
        &self.list
    }
}

impl FromIterator<Arc<Listener>> for Listeners {
    fn from_iter<I: IntoIterator<Item = Arc<Listener>>>(listeners: I) -> Self {
        Self { list: listeners.into_iter().collect(), index: OnceLock::new() }
    }
}

impl Extend<Arc<Listener>> for Listeners {
    fn extend<I: IntoIterator<Item = Arc<Listener>>>(&mut self, listeners: I) {
        self.index.take();
        self.list.extend(listeners);
    }
}

impl<'l> IntoIterator for &'l Listeners {
    type Item = &'l Arc<Listener>;
    type IntoIter = std::slice::Iter<'l, Arc<Listener>>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

impl<'l> IntoIterator for &'l mut Listeners {
    type Item = &'l mut Arc<Listener>;
    type IntoIter = std::slice::IterMut<'l, Arc<Listener>>;

    fn into_iter(self) -> Self::IntoIter {
        self.index.take();
        self.list.iter_mut()
    }
}
