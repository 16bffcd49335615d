//! Enumerations as protobuf's JSON form writes them: by name, or by number.

/// Defines a protobuf enumeration.
///
/// Each variant is given its Rust name, its spelling in the API and its number; one of them must be numbered 0,
/// because that is what an unwritten field means. The type gets `ALL`, `as_str`, `number`, `Default` (the zero
/// variant), `Display` and `FromStr` by spelling, `Serialize` as the spelling, and `Deserialize` from either form.
///
/// ```ignore
/// proto_enum! {
///     /// Which way.
///     pub enum Way {
///         /// Not written.
///         Straight = "STRAIGHT" = 0,
///         /// To the left.
///         Left = "LEFT" = 1,
///     }
/// }
/// ```
macro_rules! proto_enum {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $(#[$zero_meta:meta])* $zero:ident = $zero_text:literal = 0,
            $($(#[$variant_meta:meta])* $variant:ident = $text:literal = $number:literal,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub enum $name {
            $(#[$zero_meta])*
            #[default]
            $zero = 0,
            $($(#[$variant_meta])* $variant = $number,)*
        }

        impl $name {
            /// Every variant, by number.
            pub const ALL: &'static [Self] = &[Self::$zero, $(Self::$variant,)*];
            /// Every spelling, in the order of [`Self::ALL`].
            pub const NAMES: &'static [&'static str] = &[$zero_text, $($text,)*];

            /// The spelling in the API.
            pub const fn as_str(self) -> &'static str {
                match self {
                    Self::$zero => $zero_text,
                    $(Self::$variant => $text,)*
                }
            }

            /// The number in the API.
            pub const fn number(self) -> i32 {
                self as i32
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "enum": Self::NAMES})
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::part::proto_enum::UnknownVariant;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|variant| variant.as_str() == text).ok_or_else(|| {
                    $crate::part::proto_enum::UnknownVariant { written: text.to_owned(), expected: Self::NAMES }
                })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let index = $crate::part::proto_enum::deserialize_index(
                    deserializer,
                    Self::NAMES,
                    &[0, $($number,)*],
                )?;
                // The index comes from the tables above, so the variant is there.
                Ok(Self::ALL.get(index).copied().unwrap_or_default())
            }
        }
    };
}
pub(crate) use proto_enum;

/// A spelling that is none of an enumeration's (T-002).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown variant `{written}`, expected one of `{}`", expected.join("`, `"))]
pub struct UnknownVariant {
    /// What was written.
    pub written: String,
    /// What could have been written.
    pub expected: &'static [&'static str],
}

/// What the decoder is told that it reads: the schema of the API knows the names only.
pub(crate) const BY_NAME_OR_NUMBER: &str = "enumeration by name or number";

/// Reads a name or a number and says at which place of the tables it stands.
///
/// # Errors
/// A name or number that is in neither table, or a value that is neither text nor a whole number.
pub(crate) fn deserialize_index<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
    names: &'static [&'static str],
    numbers: &'static [i64],
) -> Result<usize, D::Error> {
    deserializer.deserialize_newtype_struct(BY_NAME_OR_NUMBER, Variant { names, numbers })
}

/// Finds a variant by either form.
struct Variant {
    names: &'static [&'static str],
    numbers: &'static [i64],
}

impl Variant {
    fn by_number<E: serde::de::Error>(&self, number: i64) -> Result<usize, E> {
        self.numbers
            .iter()
            .position(|known| *known == number)
            .ok_or_else(|| self.unknown(&number.to_string()))
    }

    fn unknown<E: serde::de::Error>(&self, written: &str) -> E {
        E::unknown_variant(written, self.names)
    }
}

impl<'de> serde::de::Visitor<'de> for Variant {
    type Value = usize;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "one of `{}`", self.names.join("`, `"))
    }

    fn visit_newtype_struct<D: serde::Deserializer<'de>>(self, inner: D) -> Result<usize, D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<usize, E> {
        self.names.iter().position(|known| *known == name).ok_or_else(|| self.unknown(name))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<usize, E> {
        self.by_number(number)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<usize, E> {
        i64::try_from(number)
            .map_or_else(|_| Err(self.unknown(&number.to_string())), |known| self.by_number(known))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<usize, E> {
        // protobuf's JSON form lets a whole number be written as `1.0`.
        let whole =
            self.numbers.iter().find(|known| i32::try_from(**known).is_ok_and(|k| f64::from(k) == number));
        whole.map_or_else(|| Err(self.unknown(&number.to_string())), |known| self.by_number(*known))
    }
}
