//! Enums over strings that may grow: an unknown word is kept, not refused.

/// Defines an enum over a closed set of words plus `Other` for any word outside it; the first word is the default.
macro_rules! open_enum {
    ($(#[$meta:meta])* $name:ident { $(#[$first_meta:meta])* $first:ident = $first_word:literal, $($(#[$variant_meta:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum $name {
            $(#[$first_meta])*
            #[default]
            $first,
            $($(#[$variant_meta])* $variant,)*
            /// A word that this version does not know.
            Other(String),
        }

        impl $name {
            /// Every word that is known.
            pub const WORDS: &'static [&'static str] = &[$first_word, $($word,)*];

            /// The word as Kubernetes spells it.
            pub fn as_str(&self) -> &str {
                match self {
                    Self::$first => $first_word,
                    $(Self::$variant => $word,)*
                    Self::Other(word) => word,
                }
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
                // The known words are offered, others are taken.
                schemars::json_schema!({"anyOf": [{"enum": [$first_word, $($word,)*]}, {"type": "string"}]})
            }
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                match word.as_str() {
                    // An empty string is an unset field in Go.
                    "" | $first_word => Self::$first,
                    $($word => Self::$variant,)*
                    _ => Self::Other(word),
                }
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.as_str().to_owned()
            }
        }
    };
}
pub(crate) use open_enum;
