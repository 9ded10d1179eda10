use super::lexer::{Kind, Token, tokens};
use super::{
    Alter, Assignment, NotUnderstood, PartitionChoice, PartitionName, Statement, Update, utf16_position,
};

/// Reads a statement of the log.
///
/// # Errors
/// [`NotUnderstood`] at the first word of anything that can't be executed exactly, or isn't logged as
/// a statement at all.
pub fn parse(sql: &str) -> Result<Statement, NotUnderstood> {
    let mut parser = Parser { sql, tokens: tokens(sql)?, at: 0, own_names: Vec::new() };
    let statement = if parser.accept("alter") {
        parser.alter().map(Statement::Alter)?
    } else if parser.accept("update") {
        parser.update().map(Statement::Update)?
    } else {
        return Err(parser.refuse("ALTER or UPDATE was expected"));
    };
    parser.end()?;
    Ok(statement)
}

/// A cursor over the words of one statement.
pub(super) struct Parser<'a> {
    pub sql: &'a str,
    tokens: Vec<Token<'a>>,
    at: usize,
    /// The table's name as typed and its alias: what may qualify a column.
    own_names: Vec<String>,
}

impl<'a> Parser<'a> {
    fn alter(&mut self) -> Result<Alter, NotUnderstood> {
        let mat_view = self.accept("materialized");
        self.expect(if mat_view { "view" } else { "table" })?;
        self.table_name()?;
        let token = self.peek();
        let alter = match token.text.to_ascii_lowercase().as_str() {
            "set" | "drop" | "enable" | "disable" if self.peek_after().is("storage") => {
                self.skip_rest();
                Alter::RowsUnchanged("a storage policy")
            }
            "drop" => {
                self.advance();
                self.expect("partition")?;
                Alter::DropPartitions(self.partitions()?)
            }
            "set" => {
                self.advance();
                self.set()?
            }
            "alter" => {
                self.advance();
                self.expect("column")?;
                self.alter_column()?
            }
            "convert" => {
                self.advance();
                self.convert()?
            }
            "squash" => {
                self.skip_rest();
                Alter::RowsUnchanged("parts of partitions")
            }
            "attach" => return Err(self.refuse("the attached rows are not in the log")),
            "detach" => {
                return Err(
                    self.refuse("whether a partition can be detached depends on folders outside the log")
                );
            }
            "force" => return Err(self.refuse("a forced drop does not travel in the log")),
            _ => return Err(self.refuse("this change is not logged as a statement")),
        };
        Ok(alter)
    }

    /// What follows CONVERT.
    fn convert(&mut self) -> Result<Alter, NotUnderstood> {
        self.expect("partition")?;
        self.expect("to")?;
        let parquet = self.accept("parquet");
        if !parquet {
            self.expect("native")?;
        }
        // A condition that isn't understood changes no row either.
        let choice = self.partitions().ok();
        let whole = self.peek().is("with") || self.peek().is_symbol(";") || self.peek().kind == Kind::End;
        self.skip_rest();
        Ok(Alter::ConvertPartitions { parquet, choice: choice.filter(|_| whole) })
    }

    fn set(&mut self) -> Result<Alter, NotUnderstood> {
        if self.accept("ttl") {
            return self.ttl().map(Alter::SetTtl);
        }
        if self.peek().is("param") {
            self.skip_rest();
            return Ok(Alter::RowsUnchanged("a parameter"));
        }
        if self.peek().is("refresh") {
            self.skip_rest();
            return Ok(Alter::RowsUnchanged("when a materialized view is refreshed"));
        }
        Err(self.refuse("this setting is not understood"))
    }

    /// What follows ALTER COLUMN.
    fn alter_column(&mut self) -> Result<Alter, NotUnderstood> {
        self.name()?;
        let token = self.peek();
        let what = match token.text.to_ascii_lowercase().as_str() {
            "add" | "drop" if self.peek_after().is("index") => "an index",
            "cache" | "nocache" => "a symbol cache",
            "symbol" => "a symbol capacity",
            "set" if self.peek_after().is("parquet") => "a Parquet encoding",
            _ => return Err(self.refuse("this change is not logged as a statement")),
        };
        self.skip_rest();
        Ok(Alter::RowsUnchanged(what))
    }

    /// LIST 'name', ... or WHERE condition.
    fn partitions(&mut self) -> Result<PartitionChoice, NotUnderstood> {
        if self.accept("where") {
            return self.condition().map(PartitionChoice::Where);
        }
        self.expect("list")?;
        let mut names = Vec::new();
        loop {
            let token = self.peek();
            if !matches!(token.kind, Kind::Text | Kind::Quoted | Kind::Number | Kind::Word) {
                return Err(self.refuse("a partition's name was expected"));
            }
            self.advance();
            let position = utf16_position(self.sql, token.at);
            names.push(PartitionName { text: token.unquoted(), position });
            if !self.accept_symbol(",") {
                return Ok(PartitionChoice::List(names));
            }
        }
    }

    /// `<number> <unit>` or `<number><letter>`, as hours or negative months.
    fn ttl(&mut self) -> Result<i32, NotUnderstood> {
        let token = self.peek();
        let refuse = |reason: &str| NotUnderstood::token(self.sql, &token, reason);
        if token.kind != Kind::Number {
            return Err(refuse("a number was expected"));
        }
        let digits = token.text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let attached = &token.text[digits.len()..];
        let count: i32 = digits
            .replace('_', "")
            .parse()
            .ok()
            .ok_or_else(|| refuse("a number that fits an INT was expected"))?;
        self.advance();
        let unit = if attached.is_empty() { self.advance() } else { token };
        let unit_text = if attached.is_empty() { unit.text } else { attached };
        let per_unit = match unit_text.to_ascii_lowercase().as_str() {
            "h" | "hour" | "hours" => 1,
            "d" | "day" | "days" => 24,
            "w" | "week" | "weeks" => 168,
            "m" | "month" | "months" => -1,
            "y" | "year" | "years" => -12,
            _ => return Err(NotUnderstood::token(self.sql, &unit, "a unit of time was expected")),
        };
        count.checked_mul(per_unit).ok_or_else(|| NotUnderstood::token(self.sql, &token, "out of range"))
    }

    fn update(&mut self) -> Result<Update, NotUnderstood> {
        self.table_name()?;
        if self.accept("as") || !self.peek().is("set") {
            let alias = self.name()?;
            self.own_names.push(alias);
        }
        self.expect("set")?;
        let mut assignments = vec![self.assignment()?];
        while self.accept_symbol(",") {
            assignments.push(self.assignment()?);
        }
        let filter = if self.accept("where") { Some(self.condition()?) } else { None };
        Ok(Update { assignments, filter })
    }

    fn assignment(&mut self) -> Result<Assignment, NotUnderstood> {
        let position = utf16_position(self.sql, self.peek().at);
        let column = self.name()?;
        self.expect_symbol("=")?;
        Ok(Assignment { column, position, value: self.operand(0)? })
    }

    /// The table's name, with QuestDB's only schema before it or not.
    fn table_name(&mut self) -> Result<(), NotUnderstood> {
        let mut name = self.name()?;
        if self.accept_symbol(".") {
            name = self.name()?;
        }
        self.own_names.push(name);
        Ok(())
    }

    fn name(&mut self) -> Result<String, NotUnderstood> {
        let token = self.peek();
        if !matches!(token.kind, Kind::Word | Kind::Quoted | Kind::Text) {
            return Err(self.refuse("a name was expected"));
        }
        self.advance();
        Ok(token.unquoted())
    }

    fn end(&mut self) -> Result<(), NotUnderstood> {
        while self.accept_symbol(";") {}
        if self.peek().kind == Kind::End { Ok(()) } else { Err(self.refuse("this is not understood")) }
    }

    fn skip_rest(&mut self) {
        self.at = self.tokens.len().saturating_sub(1);
    }

    pub(super) fn is_own_table(&self, name: &str) -> bool {
        self.own_names.iter().any(|n| n.eq_ignore_ascii_case(name))
    }

    fn token_at(&self, at: usize) -> Token<'a> {
        let end = Token { kind: Kind::End, text: "", at: self.sql.len() };
        self.tokens.get(at).copied().unwrap_or(end)
    }

    pub(super) fn peek(&self) -> Token<'a> {
        self.token_at(self.at)
    }

    pub(super) fn peek_after(&self) -> Token<'a> {
        self.token_at(self.at + 1)
    }

    pub(super) fn advance(&mut self) -> Token<'a> {
        let token = self.peek();
        if token.kind != Kind::End {
            self.at += 1;
        }
        token
    }

    pub(super) fn accept(&mut self, keyword: &str) -> bool {
        let found = self.peek().is(keyword);
        self.at += usize::from(found);
        found
    }

    pub(super) fn accept_symbol(&mut self, symbol: &str) -> bool {
        let found = self.peek().is_symbol(symbol);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, keyword: &str) -> Result<(), NotUnderstood> {
        if self.accept(keyword) {
            return Ok(());
        }
        Err(self.refuse(format!("{} was expected", keyword.to_ascii_uppercase())))
    }

    pub(super) fn expect_symbol(&mut self, symbol: &str) -> Result<(), NotUnderstood> {
        if self.accept_symbol(symbol) { Ok(()) } else { Err(self.refuse(format!("'{symbol}' was expected"))) }
    }

    /// The error that names the word at the cursor.
    pub(super) fn refuse(&self, reason: impl Into<Box<str>>) -> NotUnderstood {
        NotUnderstood::token(self.sql, &self.peek(), reason)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Comparison, Expr, OperandKind};
    use super::*;

    fn refused(sql: &str) -> (usize, String) {
        let error = parse(sql).unwrap_err();
        (error.position, error.word.into())
    }

    #[test]
    fn reads_what_changes_no_row() {
        for sql in [
            "ALTER TABLE t ALTER COLUMN s ADD INDEX CAPACITY 512",
            "alter table 't' alter column \"s\" drop index;",
            "alter table t alter column s nocache",
            "alter table t alter column s symbol capacity 4096",
            "alter table t set param maxUncommittedRows = 100",
            "alter table t squash partitions",
            "alter materialized view v set refresh limit 2 days",
        ] {
            assert!(matches!(parse(sql), Ok(Statement::Alter(Alter::RowsUnchanged(_)))), "{sql}");
        }
    }

    #[test]
    fn reads_ttl_in_every_unit() {
        for (text, ttl) in [
            ("12h", 12),
            ("1 HOUR", 1),
            ("2 days", 48),
            ("3W", 504),
            ("5 months", -5),
            ("1y", -12),
            ("0 hours", 0),
        ] {
            let sql = format!("ALTER TABLE t SET TTL {text}");
            assert_eq!(parse(&sql), Ok(Statement::Alter(Alter::SetTtl(ttl))), "{sql}");
        }
    }

    #[test]
    fn reads_lists_of_partitions() {
        let Ok(Statement::Alter(Alter::DropPartitions(PartitionChoice::List(names)))) =
            parse("alter table t drop partition list '2024-01-01', 2025;")
        else {
            panic!("not a list");
        };
        assert_eq!(names[0], PartitionName { text: "2024-01-01".into(), position: 34 });
        assert_eq!(names[1].text, "2025");
    }

    #[test]
    fn reads_conversions_of_partitions() {
        for (sql, to_parquet, understood) in [
            ("alter table t convert partition to parquet where ts < '2024'", true, true),
            ("alter table t convert partition to native list '2024';", false, true),
            (
                "alter table t convert partition to parquet list '2024' with (bloom_filter_columns = 'a')",
                true,
                true,
            ),
            ("alter table t convert partition to parquet where abs(ts) = 1", true, false),
        ] {
            let Ok(Statement::Alter(Alter::ConvertPartitions { parquet, choice })) = parse(sql) else {
                panic!("{sql}");
            };
            assert_eq!((parquet, choice.is_some()), (to_parquet, understood), "{sql}");
        }
    }

    #[test]
    fn reads_updates() {
        let Ok(Statement::Update(update)) = parse(
            "UPDATE public.t AS x SET a = -1, \"b c\" = :v WHERE x.a IS NOT NULL AND NOT (b in (1,2) or c > $2)",
        ) else {
            panic!("not an update");
        };
        assert_eq!(update.assignments[0].value.kind, OperandKind::Number("-1".into()));
        assert_eq!(update.assignments[1].column, "b c");
        assert_eq!(update.assignments[1].value.kind, OperandKind::NamedBind("v".into()));
        let Some(Expr::And(parts)) = update.filter else { panic!("not AND") };
        assert!(matches!(&parts[0], Expr::Compare { op: Comparison::NotEqual, .. }));
        assert!(matches!(&parts[1], Expr::Not(inner) if matches!(**inner, Expr::Or(_))));
    }

    #[test]
    fn points_at_the_first_word_not_understood() {
        assert_eq!(refused("update t set a = b + 1"), (19, "+".into()));
        assert_eq!(refused("update t set a = 1 from u"), (19, "from".into()));
        assert_eq!(refused("update t set a = 'é😀' where abs(a) = 1"), (29, "abs".into()));
        assert_eq!(refused("alter table t detach partition list '2024'"), (14, "detach".into()));
        assert_eq!(refused("alter table t add column x int"), (14, "add".into()));
        assert_eq!(refused("select 1"), (0, "select".into()));
        assert_eq!(refused("update t set a = 1 where"), (24, "".into()));
    }

    #[test]
    fn deep_nesting_is_refused_not_followed() {
        let sql = format!("update t set a=1 where {}a=1{}", "(".repeat(100_000), ")".repeat(100_000));
        assert!(parse(&sql).is_err());
        assert!(parse(&format!("update t set a=1 where {} b", "not ".repeat(100_000))).is_err());
    }
}
