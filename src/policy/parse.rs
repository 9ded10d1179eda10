//! Reads definitions: `STORAGE POLICY(...)` in statements, and the bare list of the command.

use super::{Change, PolicyError, Stage, Stages, Ttl};
use crate::apply::sql::lexer::{Kind, Token, tokens};
use crate::apply::sql::utf16_position;

/// A statement about a table's storage policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyStatement {
    /// The table's or view's name, without quotes.
    pub table: String,
    /// Of the name, in UTF-16 units.
    pub position: usize,
    /// Whether it says `MATERIALIZED VIEW`.
    pub materialized_view: bool,
    /// What it does.
    pub change: Change,
}

/// Reads a statement: `CREATE TABLE ... STORAGE POLICY(...)`, and `ALTER TABLE t SET`, `DROP`, `ENABLE` and
/// `DISABLE STORAGE POLICY`, of materialized views too. `None` is a statement about something else.
///
/// Of a CREATE nothing but the name and the clause is looked at.
///
/// ```
/// use understudy::policy::{Change, parse_statement};
/// let sql = "ALTER TABLE trades SET STORAGE POLICY(TO PARQUET 3 DAYS, DROP LOCAL 1 MONTH)";
/// let statement = parse_statement(sql)?.unwrap();
/// assert!(matches!(statement.change, Change::Set(stages) if stages.drop_local.is_some()));
/// assert_eq!(statement.table, "trades");
/// assert_eq!(parse_statement("ALTER TABLE trades SET TTL 3 DAYS")?, None);
/// let error = parse_statement("ALTER TABLE trades SET STORAGE POLICY(DROP REMOTE 3d)").unwrap_err();
/// assert_eq!((error.position, &*error.message), (38, "'DROP REMOTE' is not supported yet"));
/// # Ok::<(), understudy::policy::PolicyError>(())
/// ```
///
/// # Errors
/// With the position of the first word that does not belong there.
pub fn parse_statement(sql: &str) -> Result<Option<PolicyStatement>, PolicyError> {
    let mut parser = Parser::new(sql)?;
    if parser.accept("alter") {
        return parser.alter();
    }
    if parser.accept("create") {
        return parser.create();
    }
    Ok(None)
}

/// Reads the bare list of stages: `TO PARQUET 3d, DROP LOCAL 1M`.
///
/// # Errors
/// With the position of the first word that does not belong there.
pub fn parse_list(text: &str) -> Result<Stages, PolicyError> {
    let mut parser = Parser::new(text)?;
    let stages = parser.stages()?;
    parser.end()?;
    Ok(stages)
}

struct Parser<'a> {
    sql: &'a str,
    tokens: Vec<Token<'a>>,
    at: usize,
}

impl<'a> Parser<'a> {
    fn new(sql: &'a str) -> Result<Self, PolicyError> {
        let tokens = tokens(sql).map_err(|error| PolicyError::new(error.position, error.reason))?;
        Ok(Self { sql, tokens, at: 0 })
    }

    /// What follows ALTER.
    fn alter(&mut self) -> Result<Option<PolicyStatement>, PolicyError> {
        let Some((materialized_view, table, position)) = self.table_or_view() else { return Ok(None) };
        let verb = self.advance();
        if !self.peek().is("storage") || !self.token_at(self.at + 1).is("policy") {
            return Ok(None);
        }
        self.at += 2;
        let place = self.position(&verb);
        let change = match verb.text.to_ascii_lowercase().as_str() {
            "set" => Change::Set(self.clause()?),
            "drop" => Change::Drop,
            "enable" => Change::Enable { position: place },
            "disable" => Change::Disable { position: place },
            _ => return Err(PolicyError::new(place, "'set', 'drop', 'enable' or 'disable' expected")),
        };
        self.end()?;
        Ok(Some(PolicyStatement { table, position, materialized_view, change }))
    }

    /// What follows CREATE: the clause outside of all parentheses.
    fn create(&mut self) -> Result<Option<PolicyStatement>, PolicyError> {
        let Some((materialized_view, table, position)) = self.table_or_view() else { return Ok(None) };
        let (mut depth, mut found, mut ttl) = (0_usize, None, false);
        while self.peek().kind != Kind::End {
            let token = self.advance();
            if token.is_symbol("(") {
                depth += 1;
            } else if token.is_symbol(")") {
                depth = depth.saturating_sub(1);
            } else if depth == 0 && token.is("ttl") {
                ttl = true;
            } else if depth == 0 && token.is("storage") && self.accept("policy") {
                if found.is_some() {
                    return Err(self.refuse_at(&token, "storage policy is set twice"));
                }
                found = Some(self.clause()?);
            }
        }
        let Some(stages) = found else { return Ok(None) };
        if ttl {
            let text = "Cannot set storage policy, please, remove TTL settings";
            return Err(PolicyError::new(stages.position, text));
        }
        Ok(Some(PolicyStatement { table, position, materialized_view, change: Change::Set(stages) }))
    }

    /// `TABLE name` or `MATERIALIZED VIEW name`.
    fn table_or_view(&mut self) -> Option<(bool, String, usize)> {
        // CREATE may say how many rows at a time.
        while self.peek().is("atomic")
            || self.peek().is("batch")
            || self.peek().is("o3maxlag")
            || self.peek().kind == Kind::Number
        {
            self.advance();
        }
        let materialized_view = self.accept("materialized");
        if !self.accept(if materialized_view { "view" } else { "table" }) {
            return None;
        }
        if self.accept("if") {
            self.accept("not");
            self.accept("exists");
        }
        let mut name = self.name()?;
        if self.peek().is_symbol(".") {
            self.advance();
            name = self.name()?;
        }
        Some((materialized_view, name.unquoted(), self.position(&name)))
    }

    fn name(&mut self) -> Option<Token<'a>> {
        let token = self.advance();
        matches!(token.kind, Kind::Word | Kind::Quoted | Kind::Text).then_some(token)
    }

    /// `(stage, ...)`.
    fn clause(&mut self) -> Result<Stages, PolicyError> {
        self.symbol("(")?;
        let stages = self.stages()?;
        if !self.peek().is_symbol(")") {
            return Err(self.refuse("',' or ')' expected"));
        }
        self.advance();
        Ok(stages)
    }

    fn stages(&mut self) -> Result<Stages, PolicyError> {
        let mut stages = Stages { position: self.position(&self.peek()), ..Stages::default() };
        loop {
            let first = self.peek();
            let (name, slot) = if self.accept("to") {
                if self.accept("parquet") {
                    ("TO PARQUET", &mut stages.to_parquet)
                } else if self.accept("remote") {
                    ("TO REMOTE", &mut stages.to_remote)
                } else {
                    return Err(self.refuse("'parquet' or 'remote' expected"));
                }
            } else if self.accept("drop") {
                if self.accept("remote") {
                    return Err(self.refuse_at(&first, "'DROP REMOTE' is not supported yet"));
                }
                if !self.accept("local") {
                    return Err(self.refuse("'local' expected"));
                }
                ("DROP LOCAL", &mut stages.drop_local)
            } else {
                return Err(self.refuse("'to parquet', 'to remote' or 'drop local' expected"));
            };
            if slot.is_some() {
                return Err(self.refuse_at(&first, format!("'{name}' is set twice")));
            }
            *slot = Some(self.ttl()?);
            if !self.peek().is_symbol(",") {
                break;
            }
            self.advance();
        }
        stages.check_order()?;
        Ok(stages)
    }

    /// `<number> <unit>` or `<number><letter>`, with the errors of QuestDB's parser of a TTL.
    fn ttl(&mut self) -> Result<Stage, PolicyError> {
        let token = self.peek();
        let position = self.position(&token);
        let refuse = |text: String| PolicyError::new(position, text);
        if token.kind == Kind::End || token.is_symbol(";") {
            return Err(refuse("missing argument, should be <number> <unit> or <number_with_unit>".into()));
        }
        self.advance();
        let letter = token.text.chars().next_back().filter(|c| c.is_alphabetic() && token.text.len() > 1);
        let (digits, attached) = match letter {
            Some(letter) => {
                let digits = &token.text[..token.text.len() - letter.len_utf8()];
                let Some(unit) = Unit::named(letter.encode_utf8(&mut [0; 4])) else {
                    if number(digits).is_none() {
                        let text = "invalid argument, should be <number> <unit> or <number_with_unit>";
                        return Err(refuse(text.into()));
                    }
                    let text =
                        format!("invalid time unit, expecting 'H', 'D', 'W', 'M' or 'Y', but was '{letter}'");
                    return Err(PolicyError::new(position + digits.encode_utf16().count(), text));
                };
                (digits, Some(unit))
            }
            None => (token.text, None),
        };
        let value = number(digits).ok_or_else(|| {
            refuse(format!("invalid syntax, should be <number> <unit> but was {}", shown(token.text)))
        })?;
        let count = i32::try_from(value)
            .ok()
            .filter(|count| *count >= 0)
            .ok_or_else(|| refuse(format!("value out of range: {value}. Max value: {}", i32::MAX)))?;
        let unit = match attached {
            Some(unit) => unit,
            None => self.unit()?,
        };
        let stored = unit.stored(count).map_err(&refuse)?;
        let ttl = Ttl::from_stored(stored).ok_or_else(|| refuse("TTL value must be positive".into()))?;
        Ok(Stage { ttl, position })
    }

    fn unit(&mut self) -> Result<Unit, PolicyError> {
        const UNITS: &str = "'HOUR(S)', 'DAY(S)', 'WEEK(S)', 'MONTH(S)' or 'YEAR(S)'";
        let token = self.advance();
        if token.kind == Kind::End {
            return Err(self.refuse_at(&token, format!("missing unit, {UNITS} expected")));
        }
        Unit::named(token.text).ok_or_else(|| {
            self.refuse_at(&token, format!("invalid unit, expected {UNITS}, but was '{}'", shown(token.text)))
        })
    }

    fn end(&mut self) -> Result<(), PolicyError> {
        while self.peek().is_symbol(";") {
            self.advance();
        }
        let token = self.peek();
        if token.kind == Kind::End {
            return Ok(());
        }
        Err(self.refuse(format!("unexpected token [{}]", shown(token.text))))
    }

    fn symbol(&mut self, symbol: &str) -> Result<(), PolicyError> {
        if !self.peek().is_symbol(symbol) {
            return Err(self.refuse(format!("'{symbol}' expected")));
        }
        self.advance();
        Ok(())
    }

    fn refuse(&self, text: impl Into<Box<str>>) -> PolicyError {
        self.refuse_at(&self.peek(), text)
    }

    fn refuse_at(&self, token: &Token<'_>, text: impl Into<Box<str>>) -> PolicyError {
        PolicyError::new(self.position(token), text)
    }

    fn position(&self, token: &Token<'_>) -> usize {
        utf16_position(self.sql, token.at)
    }

    fn token_at(&self, at: usize) -> Token<'a> {
        let end = Token { kind: Kind::End, text: "", at: self.sql.len() };
        self.tokens.get(at).copied().unwrap_or(end)
    }

    fn peek(&self) -> Token<'a> {
        self.token_at(self.at)
    }

    fn advance(&mut self) -> Token<'a> {
        let token = self.peek();
        self.at += usize::from(token.kind != Kind::End);
        token
    }

    fn accept(&mut self, keyword: &str) -> bool {
        let found = self.peek().is(keyword);
        self.at += usize::from(found);
        found
    }
}

/// A unit of a TTL: its name in an error, what one of it is in stored form, and the most that fit.
#[derive(Clone, Copy)]
struct Unit {
    plural: &'static str,
    stored: i32,
}

impl Unit {
    fn named(text: &str) -> Option<Self> {
        let (plural, stored) = match text.to_ascii_lowercase().as_str() {
            "h" | "hour" | "hours" => ("hours", 1),
            "d" | "day" | "days" => ("days", 24),
            "w" | "week" | "weeks" => ("weeks", 168),
            "m" | "month" | "months" => ("months", -1),
            "y" | "year" | "years" => ("years", -12),
            _ => return None,
        };
        Some(Self { plural, stored })
    }

    fn stored(self, count: i32) -> Result<i32, String> {
        let (max, unit) = (i32::MAX / self.stored.abs(), self.plural);
        if count > max {
            return Err(format!("value out of range: {count} {unit}. Max value: {max} {unit}"));
        }
        Ok(count * self.stored)
    }
}

/// A whole number; underscores may part its digits.
fn number(text: &str) -> Option<i64> {
    let inner = text.starts_with(|c: char| c.is_ascii_digit()) && !text.ends_with('_');
    inner.then(|| text.replace('_', "").parse().ok())?
}

/// A foreign word in an error: not longer than a line.
fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(list: &str) -> [i32; 3] {
        let stages = parse_list(list).unwrap();
        [stages.to_parquet, stages.to_remote, stages.drop_local]
            .map(|stage| stage.map_or(0, |stage| stage.ttl.stored()))
    }

    fn refused(list: &str) -> (usize, String) {
        let error = parse_list(list).expect_err(list);
        (error.position, error.message.into())
    }

    fn statement(sql: &str) -> PolicyStatement {
        parse_statement(sql).unwrap().expect(sql)
    }

    #[test]
    fn reads_stages_in_every_unit() {
        assert_eq!(stored("TO PARQUET 3d, DROP LOCAL 1M"), [72, 0, -1]);
        assert_eq!(stored("drop local 2 YEARS, to remote 12 hour, to parquet 1 W"), [168, 12, -24]);
        assert_eq!(stored("to remote 1Y;"), [0, -12, 0]);
        assert_eq!(stored("to /* x */ parquet\n 1_000 h -- y"), [1000, 0, 0]);
        // Neither TO PARQUET nor TO REMOTE need be first.
        assert_eq!(stored("to parquet 3d, to remote 1d, drop local 3d"), [72, 24, 72]);
    }

    #[test]
    fn refuses_with_the_texts_of_questdb() {
        for (list, position, message) in [
            ("drop remote 3d", 0, "'DROP REMOTE' is not supported yet"),
            ("to parquet 3d, drop remote 3d", 15, "'DROP REMOTE' is not supported yet"),
            ("to parquet", 10, "missing argument, should be <number> <unit> or <number_with_unit>"),
            ("to parquet 3x", 12, "invalid time unit, expecting 'H', 'D', 'W', 'M' or 'Y', but was 'x'"),
            ("to parquet abc", 11, "invalid argument, should be <number> <unit> or <number_with_unit>"),
            ("to parquet )", 11, "invalid syntax, should be <number> <unit> but was )"),
            ("to parquet -3d", 11, "invalid syntax, should be <number> <unit> but was -"),
            ("to parquet 3.5d", 11, "invalid syntax, should be <number> <unit> but was 3.5d"),
            (
                "to parquet 3",
                12,
                "missing unit, 'HOUR(S)', 'DAY(S)', 'WEEK(S)', 'MONTH(S)' or 'YEAR(S)' expected",
            ),
            (
                "to parquet 3 minutes",
                13,
                "invalid unit, expected 'HOUR(S)', 'DAY(S)', 'WEEK(S)', 'MONTH(S)' or 'YEAR(S)', but was 'minutes'",
            ),
            ("to parquet 3000000000h", 11, "value out of range: 3000000000. Max value: 2147483647"),
            ("to parquet 89478486d", 11, "value out of range: 89478486 days. Max value: 89478485 days"),
            ("to parquet 12782641 w", 11, "value out of range: 12782641 weeks. Max value: 12782640 weeks"),
            ("to parquet 178956971y", 11, "value out of range: 178956971 years. Max value: 178956970 years"),
        ] {
            assert_eq!(refused(list), (position, message.to_owned()), "{list}");
        }
    }

    #[test]
    fn refuses_what_is_no_policy() {
        for (list, position, message) in [
            ("to parquet 0d", 11, "TTL value must be positive"),
            ("to parquet 1d, to parquet 2d", 15, "'TO PARQUET' is set twice"),
            ("to parquet 1d drop local 2d", 14, "unexpected token [drop]"),
            ("to parquet 1d,", 14, "'to parquet', 'to remote' or 'drop local' expected"),
            ("", 0, "'to parquet', 'to remote' or 'drop local' expected"),
            ("drop native 1d", 5, "'local' expected"),
            ("to iceberg 1d", 3, "'parquet' or 'remote' expected"),
            (
                "to parquet 3d, drop local 2d",
                26,
                "TO PARQUET must not be later than DROP LOCAL: 3 DAYS is longer than 2 DAYS",
            ),
            (
                "drop local 1M, to remote 31d",
                25,
                "TO REMOTE must not be later than DROP LOCAL: 31 DAYS is longer than 1 MONTH \
                 (a month counts as 730 hours here)",
            ),
            ("to parquet 'x", 11, "a quote without its end"),
        ] {
            assert_eq!(refused(list), (position, message.to_owned()), "{list}");
        }
    }

    #[test]
    fn reads_statements() {
        let set = statement("alter materialized view \"v 1\" set storage policy(to parquet 1M);");
        assert_eq!((&*set.table, set.position, set.materialized_view), ("v 1", 24, true));
        assert_eq!(statement("ALTER TABLE t DROP STORAGE POLICY").change, Change::Drop);
        let enable = Change::Enable { position: 14 };
        assert_eq!(statement("ALTER TABLE t ENABLE STORAGE POLICY;").change, enable);
        let disable = statement("alter table public.'t' disable storage policy");
        assert_eq!((disable.change, &*disable.table), (Change::Disable { position: 23 }, "t"));
        let create = statement(
            "CREATE TABLE IF NOT EXISTS trades (ts TIMESTAMP, storage SYMBOL, ttl INT) TIMESTAMP(ts)
             PARTITION BY DAY STORAGE POLICY(TO PARQUET 3d, DROP LOCAL 1M) WAL",
        );
        assert_eq!(create.table, "trades");
        assert!(matches!(create.change, Change::Set(stages) if stages.to_parquet.is_some()));
        for other in [
            "select 1",
            "alter table t set ttl 3d",
            "create table t (storage int, policy int)",
            "create table storage as (select 1)",
            "alter table",
            "",
        ] {
            assert_eq!(parse_statement(other), Ok(None), "{other}");
        }
    }

    #[test]
    fn points_into_statements() {
        let refused = |sql: &str| {
            let error = parse_statement(sql).expect_err(sql);
            (error.position, String::from(error.message))
        };
        assert_eq!(refused("alter table t set storage policy"), (32, "'(' expected".into()));
        assert_eq!(
            refused("alter table t set storage policy(to parquet 1d"),
            (46, "',' or ')' expected".into())
        );
        assert_eq!(
            refused("alter table t add storage policy"),
            (14, "'set', 'drop', 'enable' or 'disable' expected".into())
        );
        assert_eq!(refused("alter table t drop storage policy now"), (34, "unexpected token [now]".into()));
        assert_eq!(
            refused("create table t (ts timestamp) timestamp(ts) partition by day ttl 3d storage policy(to parquet 1d)").1,
            "Cannot set storage policy, please, remove TTL settings"
        );
        assert_eq!(refused("alter table \"😀\" set storage policy(to parquet 1d, drop remote 1d)").0, 51);
    }

    #[test]
    fn no_text_makes_it_fail_otherwise() {
        let words = [
            "alter",
            "create",
            "table",
            "materialized",
            "view",
            "t",
            "'t",
            "\"",
            "set",
            "drop",
            "storage",
            "policy",
            "(",
            ")",
            ",",
            ";",
            "to",
            "parquet",
            "remote",
            "local",
            "3d",
            "0",
            "é",
            "😀",
            "1_",
            "_1",
            "9e9",
            "1é",
            "/*",
            ".",
            "99999999999999999999h",
            "ttl",
            "if",
            "1 M",
            "\n",
        ];
        // Words in any order.
        let mut state = 1_u64;
        for round in 0..40_000 {
            let mut text = String::new();
            for _ in 0..=round % 13 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text += words[(state >> 33) as usize % words.len()];
                text += if state >> 62 == 0 { "" } else { " " };
            }
            let refused = [parse_statement(&text).err(), parse_list(&text).err()];
            for error in refused.into_iter().flatten() {
                assert!(error.position <= text.encode_utf16().count(), "{text}");
                assert_eq!(error.pointed(&text).lines().count(), 2, "{text}");
            }
        }
    }

    #[test]
    fn what_a_policy_writes_reads_as_the_same() {
        for list in [
            "TO PARQUET 3 DAYS, TO REMOTE 36 HOURS, DROP LOCAL 1 MONTH",
            "DROP LOCAL 2 YEARS",
            "TO REMOTE 1 WEEK",
        ] {
            let facts = super::super::TableFacts {
                partition_by: crate::wal::PartitionBy::Hour,
                timestamp: true,
                ttl: 0,
            };
            let policy = parse_list(list).unwrap().policy(&facts).unwrap();
            assert_eq!(policy.list(), list);
        }
    }
}
