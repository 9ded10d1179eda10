//! Which names tables and columns may have, as QuestDB checks them.

/// Whether a table may have this name of at most `most` UTF-16 units.
///
/// ```
/// use understudy::node::write::is_table_name;
/// assert!(is_table_name("a-b.csv", 127));
/// assert!(!is_table_name(".a", 127) && !is_table_name("a..b", 127) && !is_table_name("a?", 127));
/// ```
pub fn is_table_name(name: &str, most: usize) -> bool {
    let dots = !name.starts_with('.') && !name.ends_with('.') && !name.contains("..");
    let blanks = !name.starts_with(' ') && !name.ends_with(' ');
    fits(name, most) && dots && blanks && !name.chars().any(is_barred)
}

/// Whether a column may have this name of at most `most` UTF-16 units.
///
/// ```
/// use understudy::node::write::is_column_name;
/// assert!(is_column_name("price (", 127) == false && is_column_name("a b", 127));
/// ```
pub fn is_column_name(name: &str, most: usize) -> bool {
    fits(name, most) && !name.chars().any(|c| is_barred(c) || matches!(c, '.' | '-'))
}

fn fits(name: &str, most: usize) -> bool {
    !name.is_empty() && name.encode_utf16().count() <= most
}

fn is_barred(c: char) -> bool {
    let sign = matches!(
        c,
        '?' | ',' | '\'' | '"' | '\\' | '/' | ':' | ')' | '(' | '+' | '*' | '%' | '~' | '\u{7f}' | '\u{feff}'
    );
    sign || c <= '\u{f}'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_count_as_java_counts_them() {
        assert!(is_column_name(&"a".repeat(127), 127) && !is_column_name(&"a".repeat(128), 127));
        assert!(
            is_column_name(&"\u{1f600}".repeat(63), 127) && !is_column_name(&"\u{1f600}".repeat(64), 127)
        );
        assert!(!is_column_name("", 127) && !is_table_name("", 127));
        assert!(is_table_name("a-b", 127) && !is_column_name("a-b", 127));
        assert!(!is_table_name(" a", 127) && is_column_name(" a", 127));
    }
}
