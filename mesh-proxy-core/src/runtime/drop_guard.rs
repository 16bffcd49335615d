//! A guard against sources that lose what they had: a change that takes a large share of the objects away (S02).

/// What is done about a change that takes more than a share of the objects away, in percent.
/// Ours: a directory is sooner lost in part than cleared of most of its objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropGuard {
    /// It is told of, and put in force.
    Warn(u8),
    /// It is refused until it is confirmed ([`Proxy::confirm`](super::Proxy::confirm)): everything stays as it is.
    Refuse(u8),
}

impl Default for DropGuard {
    /// Told of where more than half of the objects go.
    fn default() -> Self {
        Self::Warn(50)
    }
}

impl From<Option<u8>> for DropGuard {
    /// Refuses what takes more than so many percent away; without a number the default.
    fn from(percent: Option<u8>) -> Self {
        percent.map_or_else(Self::default, Self::Refuse)
    }
}

impl DropGuard {
    /// Looks at a change that takes `gone` of `known` objects away.
    ///
    /// # Errors
    /// It is refused; in words.
    pub(super) fn look(self, gone: usize, known: usize) -> Result<(), String> {
        let (Self::Warn(share) | Self::Refuse(share)) = self;
        if gone.saturating_mul(100) <= known.saturating_mul(usize::from(share)) {
            return Ok(());
        }
        let told = format!("{gone} of {known} objects are gone, more than {share} %");
        if matches!(self, Self::Refuse(_)) {
            return Err(format!("{told}: all of them stay until that is confirmed"));
        }
        tracing::warn!("{told}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_share_is_refused_and_no_less() {
        let guard = DropGuard::Refuse(30);
        assert!(guard.look(3, 10).is_ok());
        assert!(guard.look(4, 10).is_err_and(|told| told.starts_with("4 of 10 objects are gone")));
        assert!(guard.look(0, 0).is_ok());
        assert!(DropGuard::Refuse(100).look(10, 10).is_ok());
        assert!(DropGuard::Refuse(0).look(1, 1000).is_err());
        assert!(DropGuard::default().look(10, 10).is_ok(), "told of only");
    }
}
