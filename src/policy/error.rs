/// Why a definition is refused, and where in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PolicyError {
    /// In UTF-16 units from the start of the text, as QuestDB counts.
    pub position: usize,
    /// QuestDB's text where there is one.
    pub message: Box<str>,
}

impl PolicyError {
    pub(super) fn new(position: usize, message: impl Into<Box<str>>) -> Self {
        Self { position, message: message.into() }
    }

    /// The line of the text in question, and below it a caret under the place.
    ///
    /// ```
    /// let text = "TO PARQUET 3x";
    /// let error = understudy::policy::parse_list(text).unwrap_err();
    /// assert_eq!(error.pointed(text), "TO PARQUET 3x\n            ^");
    /// ```
    pub fn pointed(&self, text: &str) -> String {
        let mut left = self.position;
        let mut column = 0;
        let mut from = 0;
        for (at, c) in text.char_indices() {
            if left == 0 {
                break;
            }
            left = left.saturating_sub(c.len_utf16());
            column += 1;
            if c == '\n' {
                (from, column) = (at + 1, 0);
            }
        }
        let line = text.get(from..).unwrap_or("").lines().next().unwrap_or("");
        // A terminal would take these as commands.
        let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        format!("{line}\n{}^", " ".repeat(column.min(line.chars().count())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_place() {
        let pointed = |position, text| PolicyError::new(position, "x").pointed(text);
        assert_eq!(pointed(0, "abc"), "abc\n^");
        assert_eq!(pointed(4, "😀é b"), "😀é b\n   ^");
        assert_eq!(pointed(6, "one\ntwo\nthree"), "two\n  ^");
        assert_eq!(pointed(99, "abc"), "abc\n   ^");
        assert_eq!(pointed(0, ""), "\n^");
        assert_eq!(pointed(2, "a\tb"), "a b\n  ^");
    }
}
