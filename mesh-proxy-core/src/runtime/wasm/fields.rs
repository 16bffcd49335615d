//! Headers and trailers as modules see them, and what modules may make of them.

use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
};
use http::{Method, StatusCode};

use crate::http_syntax::is_graphic;

/// Whose they are: which pseudo headers they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Request,
    Response,
    /// Trailers, and what is only read.
    Other,
}

/// Header lines, pseudo headers before the others.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    whose: Whose,
    pseudo: Vec<(&'static str, String)>,
    pub(super) lines: HeaderMap,
    /// Whether a module has written to them.
    pub(super) is_changed: bool,
}

/// A module wanted what no message may say: nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused;

const OF_REQUESTS: [&str; 4] = [":authority", ":path", ":method", ":scheme"];
const OF_RESPONSES: [&str; 1] = [":status"];
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// What says where a message ends, and what belongs to one connection, is the proxy's to say.
const OF_THE_PROXY: [HeaderName; 8] =
    [CONNECTION, CONTENT_LENGTH, KEEP_ALIVE, PROXY_CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// Header lines of a message that modules have filled.
const LINES_MAX: usize = 1024;

impl Fields {
    pub(super) fn new(whose: Whose, pseudo: Vec<(&'static str, String)>, lines: HeaderMap) -> Self {
        Self { whose, pseudo, lines, is_changed: false }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.pseudo.len() + self.lines.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let pseudo = self.pseudo.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        pseudo.chain(self.lines.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes())))
    }

    /// A pseudo header.
    pub(super) fn pseudo(&self, name: &str) -> Option<&str> {
        self.pseudo.iter().find(|(own, _)| *own == name).map(|(_, value)| &**value)
    }

    /// The first value of a header, as Envoy gives it.
    pub(super) fn first(&self, name: &[u8]) -> Option<&[u8]> {
        if let Some(pseudo) = self.pseudo_name(name) {
            return self.pseudo(pseudo).map(str::as_bytes);
        }
        let name = HeaderName::from_bytes(name).ok()?;
        self.lines.get(name).map(HeaderValue::as_bytes)
    }

    /// A header gets this one value.
    pub(super) fn replace(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refused> {
        self.put(name, value, |lines, name, value| _ = lines.insert(name, value))
    }

    /// A header gets one more value; a pseudo header has one only.
    pub(super) fn add(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refused> {
        self.put(name, value, |lines, name, value| _ = lines.append(name, value))
    }

    pub(super) fn remove(&mut self, name: &[u8]) {
        self.is_changed = true;
        if let Some(pseudo) = self.pseudo_name(name) {
            self.pseudo.retain(|(own, _)| *own != pseudo);
        } else if let Ok(name) = HeaderName::from_bytes(name)
            && (name == CONTENT_LENGTH || !OF_THE_PROXY.contains(&name))
        {
            self.lines.remove(name);
        }
    }

    /// All of them anew; what is the proxy's stays as it is.
    pub(super) fn replace_all(&mut self, pairs: &[(&[u8], &[u8])]) -> Result<(), Refused> {
        let mut new = Self::new(self.whose, Vec::new(), HeaderMap::with_capacity(pairs.len().min(LINES_MAX)));
        for (name, value) in pairs {
            new.add(name, value)?;
        }
        for name in &OF_THE_PROXY {
            for value in self.lines.get_all(name) {
                new.lines.append(name, value.clone());
            }
        }
        *self = Self { is_changed: true, ..new };
        Ok(())
    }

    fn put(
        &mut self,
        name: &[u8],
        value: &[u8],
        put: impl FnOnce(&mut HeaderMap, HeaderName, HeaderValue),
    ) -> Result<(), Refused> {
        if name.first() == Some(&b':') || self.is_host(name) {
            let name = self.pseudo_name(name).ok_or(Refused)?;
            let value = std::str::from_utf8(value).map_err(|_| Refused)?;
            if !is_pseudo_value(name, value) {
                return Err(Refused);
            }
            self.is_changed = true;
            match self.pseudo.iter_mut().find(|(own, _)| *own == name) {
                Some((_, own)) => value.clone_into(own),
                None => self.pseudo.push((name, value.to_owned())),
            }
            return Ok(());
        }
        let name = HeaderName::from_bytes(name).map_err(|_| Refused)?;
        // CR, LF and NUL are no part of a value: a line stays one line.
        let value = HeaderValue::from_bytes(value).map_err(|_| Refused)?;
        if self.lines.len() >= LINES_MAX {
            return Err(Refused);
        }
        self.is_changed = true;
        if !OF_THE_PROXY.contains(&name) && name != HOST {
            put(&mut self.lines, name, value);
        }
        Ok(())
    }

    fn pseudo_name(&self, name: &[u8]) -> Option<&'static str> {
        if self.is_host(name) {
            return Some(":authority");
        }
        let names: &[&'static str] = match self.whose {
            Whose::Request => &OF_REQUESTS,
            Whose::Response => &OF_RESPONSES,
            Whose::Other => &[],
        };
        names.iter().find(|own| name.eq_ignore_ascii_case(own.as_bytes())).copied()
    }

    /// `host` is another name of `:authority`, as in Envoy.
    fn is_host(&self, name: &[u8]) -> bool {
        self.whose == Whose::Request && name.eq_ignore_ascii_case(b"host")
    }
}

fn is_pseudo_value(name: &str, value: &str) -> bool {
    let is_plain = is_graphic(value.as_bytes());
    match name {
        ":path" => is_plain && (value.starts_with('/') || value == "*"),
        ":authority" => {
            is_plain && !value.contains(['/', '?', '#', '\\', '"', '<', '>', '^', '`', '{', '|', '}'])
        }
        ":method" => Method::from_bytes(value.as_bytes()).is_ok(),
        ":scheme" => matches!(value, "http" | "https"),
        // Informational answers are the codec's.
        _ => value.len() == 3 && StatusCode::from_bytes(value.as_bytes()).is_ok_and(|it| it.as_u16() >= 200),
    }
}
