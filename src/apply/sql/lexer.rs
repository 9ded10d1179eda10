use super::NotUnderstood;

/// A word of a statement and where it starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Token<'a> {
    pub kind: Kind,
    /// As written, quotes included.
    pub text: &'a str,
    /// In bytes from the start of the statement.
    pub at: usize,
}

/// What a word is, by its first character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A keyword or an unquoted name.
    Word,
    /// A name in double quotes or backticks.
    Quoted,
    /// A text literal in single quotes.
    Text,
    /// Geohashes too.
    Number,
    /// `$1`, `:name`, `@name` or `?`.
    Bind,
    Symbol,
    End,
}

/// The most words a statement may have: enough for lists of thousands of partitions, and a bound for
/// what a hostile log can make us allocate.
const MAX_TOKENS: usize = 1 << 20;

const SYMBOLS: [&str; 17] =
    ["<<=", ">>=", "::", "<=", ">=", "<>", "!=", "!~", "<<", ">>", "||", ":=", "(", ")", ",", ";", "="];

/// Cuts a statement into words; the last one is of kind [`Kind::End`].
pub(crate) fn tokens(sql: &str) -> Result<Vec<Token<'_>>, NotUnderstood> {
    let mut lexer = Lexer { sql, at: 0 };
    let mut out = Vec::new();
    loop {
        let token = lexer.next()?;
        out.push(token);
        if token.kind == Kind::End {
            return Ok(out);
        }
        if out.len() >= MAX_TOKENS {
            return Err(NotUnderstood::at(sql, token.at, token.text, "the statement has too many words"));
        }
    }
}

impl<'a> Token<'a> {
    /// True if this is the unquoted word `keyword`, in any case.
    pub(crate) fn is(&self, keyword: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    /// True if this is the symbol `symbol`.
    pub(crate) fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == Kind::Symbol && self.text == symbol
    }

    /// The word without its quotes; doubled quotes inside become single.
    pub(crate) fn unquoted(&self) -> String {
        let inner = self.text.get(1..self.text.len().saturating_sub(1)).unwrap_or("");
        match self.kind {
            Kind::Text => inner.replace("''", "'"),
            Kind::Quoted if self.text.starts_with('"') => inner.replace("\"\"", "\""),
            Kind::Quoted => inner.to_owned(),
            _ => self.text.to_owned(),
        }
    }
}

struct Lexer<'a> {
    sql: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.sql.get(self.at..).unwrap_or("")
    }

    fn next(&mut self) -> Result<Token<'a>, NotUnderstood> {
        self.skip_blanks();
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return Ok(Token { kind: Kind::End, text: "", at: self.at });
        };
        let (kind, len) = match first {
            '\'' => (Kind::Text, self.quoted_len('\'')?),
            '"' => (Kind::Quoted, self.quoted_len('"')?),
            '`' => (Kind::Quoted, self.quoted_len('`')?),
            '0'..='9' => (Kind::Number, number_len(rest)),
            // A geohash: letters, or bits after a second #.
            '#' => {
                (Kind::Number, rest.find(|c: char| c != '#' && !c.is_alphanumeric()).unwrap_or(rest.len()))
            }
            '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => (Kind::Number, number_len(rest)),
            '$' | '?' | '@' => (Kind::Bind, first.len_utf8() + name_len(&rest[first.len_utf8()..])),
            ':' if rest[1..].starts_with(|c: char| c.is_alphanumeric() || c == '_') => {
                (Kind::Bind, 1 + name_len(&rest[1..]))
            }
            c if c.is_alphanumeric() || c == '_' => (Kind::Word, name_len(rest)),
            c => (
                Kind::Symbol,
                SYMBOLS.iter().find(|s| rest.starts_with(**s)).map_or(c.len_utf8(), |s| s.len()),
            ),
        };
        let text = rest.get(..len).unwrap_or(rest);
        let token = Token { kind, text, at: self.at };
        self.at += text.len();
        Ok(token)
    }

    /// White space, `-- ...` to the end of the line, nested `/* ... */`.
    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if trimmed.starts_with("--") {
                self.at += trimmed.find(['\n', '\r']).unwrap_or(trimmed.len());
            } else if trimmed.starts_with("/*") {
                self.at += comment_len(trimmed);
            } else {
                return;
            }
        }
    }

    /// Length of the quoted text at the cursor; a doubled quote inside does not end it.
    fn quoted_len(&self, quote: char) -> Result<usize, NotUnderstood> {
        let rest = self.rest();
        let mut from = 1;
        while let Some(found) = rest.get(from..).and_then(|r| r.find(quote)) {
            let end = from + found + 1;
            if quote != '`' && rest[end..].starts_with(quote) {
                from = end + 1;
            } else {
                return Ok(end);
            }
        }
        Err(NotUnderstood::at(self.sql, self.at, rest, "a quote without its end"))
    }
}

fn name_len(text: &str) -> usize {
    text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(text.len())
}

/// Digits, letters, underscores and points; a sign belongs to it right after the `e` of an exponent.
fn number_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let hex = text.starts_with("0x") || text.starts_with("0X");
    let mut len = 0;
    while let Some(&b) = bytes.get(len) {
        let exponent = len > 0 && !hex && matches!(bytes[len - 1], b'e' | b'E');
        let sign = matches!(b, b'+' | b'-') && exponent;
        if !(b.is_ascii_alphanumeric() || b == b'_' || b == b'.' || sign) {
            break;
        }
        len += 1;
    }
    len
}

fn comment_len(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    let bytes = text.as_bytes();
    while at < bytes.len() {
        match bytes.get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") => {
                (depth, at) = (depth.saturating_sub(1), at + 2);
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(sql: &str) -> Vec<(Kind, &str)> {
        tokens(sql).unwrap().into_iter().map(|t| (t.kind, t.text)).collect()
    }

    #[test]
    fn cuts_words_and_keeps_positions() {
        let all = tokens("update /* a /* b */ c */ \"x y\" set a=-1e-5 -- end\n where b>='it''s'").unwrap();
        let text: Vec<_> = all.iter().map(|t| t.text).collect();
        assert_eq!(
            text,
            ["update", "\"x y\"", "set", "a", "=", "-", "1e-5", "where", "b", ">=", "'it''s'", ""]
        );
        assert_eq!(all[1].unquoted(), "x y");
        assert_eq!(all[10].unquoted(), "it's");
        assert_eq!(all[10].at, 60);
    }

    #[test]
    fn tells_binds_from_casts() {
        assert_eq!(
            words("$1 :name 'x'::timestamp"),
            [
                (Kind::Bind, "$1"),
                (Kind::Bind, ":name"),
                (Kind::Text, "'x'"),
                (Kind::Symbol, "::"),
                (Kind::Word, "timestamp"),
                (Kind::End, "")
            ]
        );
        assert_eq!(
            words("1_000L 0xff .5"),
            [(Kind::Number, "1_000L"), (Kind::Number, "0xff"), (Kind::Number, ".5"), (Kind::End, "")]
        );
    }

    #[test]
    fn an_open_quote_is_reported_where_it_starts() {
        let error = tokens("alter table x 'abc").unwrap_err();
        assert_eq!(error.position, 14);
    }
}
