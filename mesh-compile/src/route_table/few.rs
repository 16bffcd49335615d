//! A list that is empty almost everywhere: one word, and nothing on the heap where there is nothing.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// A list that takes one word where it is empty. Reads and changes like a slice.
/// Ours: most routes have no header match, no mirror and no hash policy.
#[derive(Clone)]
pub struct Few<T> {
    list: Option<Box<Elements<T>>>,
}

#[derive(Clone)]
struct Elements<T>(Vec<T>);

impl<T> Few<T> {
    /// The list as a vector, to insert and remove in.
    pub fn as_vec_mut(&mut self) -> &mut Vec<T> {
        &mut self.list.get_or_insert_with(|| Box::new(Elements(Vec::new()))).0
    }

    /// Appends an element.
    pub fn push(&mut self, element: T) {
        self.as_vec_mut().push(element);
    }
}

impl<T: PartialEq> PartialEq for Few<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}
impl<T: Eq> Eq for Few<T> {}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self { list: None }
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];
    #[inline]
    fn deref(&self) -> &[T] {
        self.list.as_ref().map_or(&[], |list| &list.0)
    }
}

impl<T> DerefMut for Few<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.list.as_mut().map_or(&mut [], |list| &mut list.0)
    }
}

impl<T> From<Vec<T>> for Few<T> {
    fn from(mut list: Vec<T>) -> Self {
        list.shrink_to_fit();
        Self { list: (!list.is_empty()).then(|| Box::new(Elements(list))) }
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        elements.into_iter().collect::<Vec<_>>().into()
    }
}

impl<'l, T> IntoIterator for &'l Few<T> {
    type Item = &'l T;
    type IntoIter = std::slice::Iter<'l, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: fmt::Debug> fmt::Debug for Few<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_word_and_reads_as_what_was_put_in() {
        assert_eq!(size_of::<Few<[u64; 9]>>(), size_of::<usize>());
        let mut few = Few::default();
        assert!(few.is_empty());
        assert_eq!(few, Few::from(Vec::new()));
        few.push(2);
        few.push(1);
        few.sort_unstable();
        assert_eq!(&*few, [1, 2]);
        assert_eq!(few, [1, 2].into_iter().collect());
    }
}
