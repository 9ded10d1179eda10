//! Rules of a state machine as switches, so that a test can leave one out and see what it is for: `rules! { /// Doc. name, ... }`
//! makes the type `Rules`, of which production keeps all.

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Which rules are kept. In production all are: only tests make another one.
        #[doc(hidden)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct Rules {
            $($(#[$doc])* pub $name: bool,)*
        }

        impl Rules {
            /// All rules.
            pub const ALL: Self = Self { $($name: true,)* };

            /// All rules but the named one; `None` if there is no such switch.
            pub fn without(name: &str) -> Option<Self> {
                let mut rules = Self::ALL;
                match name {
                    $(stringify!($name) => rules.$name = false,)*
                    _ => return None,
                }
                Some(rules)
            }
        }
    };
}

pub(crate) use rules;
