//! Reading columns, literals, bind variables, and functions of those.

use super::condition::MAX_DEPTH;
use super::lexer::{Kind, Token};
use super::parse::Parser;
use super::{NotUnderstood, Operand, OperandKind};

impl<'a> Parser<'a> {
    /// A column, a literal, a bind variable, or a function of those that is the same for all rows.
    pub(super) fn operand(&mut self, depth: usize) -> Result<Operand, NotUnderstood> {
        if depth > MAX_DEPTH {
            return Err(self.refuse("the expression is nested too deeply"));
        }
        let token = self.peek();
        if token.is_symbol("(") {
            self.advance();
            let inner = self.operand(depth + 1)?;
            self.expect_symbol(")")?;
            return self.casts(inner);
        }
        if token.is_symbol("-") || token.is_symbol("+") {
            return self.signed(depth);
        }
        let kind = match token.kind {
            Kind::Text => OperandKind::Text(token.unquoted()),
            Kind::Number => OperandKind::Number(token.text.to_owned()),
            Kind::Bind => self.bind(&token)?,
            Kind::Word => return self.word(token, depth),
            Kind::Quoted => return self.column_operand(token),
            Kind::Symbol | Kind::End => return Err(self.refuse("a column or a literal was expected")),
        };
        self.advance();
        self.casts(self.make(&token, kind))
    }

    fn signed(&mut self, depth: usize) -> Result<Operand, NotUnderstood> {
        let sign = self.advance();
        let number = self.peek();
        if number.kind != Kind::Number || sign.text == "+" {
            return Err(self.refuse("arithmetic is not understood"));
        }
        let _ = depth;
        self.advance();
        // A cast binds tighter than the sign, so -1::short is -(1::short).
        if self.peek().is_symbol("::") {
            return Err(self.refuse("the sign applies to the cast value here"));
        }
        Ok(self.make(&sign, OperandKind::Number(format!("-{}", number.text))))
    }

    fn bind(&self, token: &Token<'a>) -> Result<OperandKind, NotUnderstood> {
        let name = token.text.get(1..).unwrap_or("");
        match token.text.chars().next() {
            Some('$') => match name.parse::<usize>() {
                Ok(n) if n > 0 => Ok(OperandKind::Bind(n - 1)),
                _ => Err(self.refuse("a bind variable was expected")),
            },
            Some(':') => Ok(OperandKind::NamedBind(name.to_owned())),
            _ => Err(self.refuse("this form of bind variable is not understood")),
        }
    }

    fn word(&mut self, token: Token<'a>, depth: usize) -> Result<Operand, NotUnderstood> {
        let follows = self.peek_after();
        if follows.is_symbol("(") {
            return self.function(token, depth);
        }
        let kind = if token.is("null") || token.is("nan") {
            OperandKind::Null
        } else if token.is("true") || token.is("false") {
            OperandKind::Boolean(token.is("true"))
        } else if follows.kind == Kind::Text
            && ["timestamp", "timestamp_ns", "date"].iter().any(|w| token.is(w))
        {
            self.advance();
            let text = self.make(&follows, OperandKind::Text(follows.unquoted()));
            OperandKind::Cast { value: Box::new(text), to: token.text.to_ascii_lowercase() }
        } else {
            return self.column_operand(token);
        };
        self.advance();
        self.casts(self.make(&token, kind))
    }

    fn column_operand(&mut self, token: Token<'a>) -> Result<Operand, NotUnderstood> {
        self.advance();
        let mut name = token.unquoted();
        if self.peek().is_symbol(".") {
            // Only this table's name or alias can stand before the point.
            if !self.is_own_table(&name) {
                return Err(NotUnderstood::token(self.sql, &token, "another table's column"));
            }
            self.advance();
            let column = self.peek();
            if !matches!(column.kind, Kind::Word | Kind::Quoted) {
                return Err(self.refuse("a column name was expected"));
            }
            name = column.unquoted();
            self.advance();
        }
        let operand = self.make(&token, OperandKind::Column(name));
        if self.peek().is_symbol("::") || self.peek().is_symbol("[") {
            return Err(self.refuse("an expression over a column is not understood"));
        }
        Ok(operand)
    }

    fn function(&mut self, token: Token<'a>, depth: usize) -> Result<Operand, NotUnderstood> {
        if depth > MAX_DEPTH {
            return Err(self.refuse("the expression is nested too deeply"));
        }
        let kind = if token.is("now") {
            self.advance();
            self.advance();
            OperandKind::Now
        } else if token.is("dateadd") {
            self.advance();
            self.advance();
            self.dateadd(depth)?
        } else if token.is("to_timestamp") {
            self.advance();
            self.advance();
            let text = self.text()?;
            self.expect_symbol(",")?;
            OperandKind::ToTimestamp { text, pattern: self.text()? }
        } else if token.is("cast") {
            self.advance();
            self.advance();
            let value = self.operand(depth + 1)?;
            self.expect("as")?;
            OperandKind::Cast { value: Box::new(value), to: self.type_name()? }
        } else {
            return Err(self.refuse("this function is not understood"));
        };
        self.expect_symbol(")")?;
        let value = self.casts(self.make(&token, kind))?;
        self.shifted(value)
    }

    /// A moment with a number added or taken off.
    fn shifted(&mut self, value: Operand) -> Result<Operand, NotUnderstood> {
        let sign = self.peek();
        let moment = matches!(value.kind, OperandKind::Now | OperandKind::DateAdd { .. });
        if !moment || !(sign.is_symbol("-") || sign.is_symbol("+")) {
            return Ok(value);
        }
        let number = self.peek_after();
        let digits = number.text.trim_end_matches(['l', 'L']);
        let Some(ticks) = digits.parse::<i64>().ok().filter(|_| number.kind == Kind::Number) else {
            return Err(self.refuse("arithmetic is not understood"));
        };
        self.advance();
        self.advance();
        let ticks = if sign.is_symbol("-") { -ticks } else { ticks };
        let (position, word) = (value.position, value.word.clone());
        Ok(Operand { kind: OperandKind::Shift { from: Box::new(value), ticks }, position, word })
    }

    fn text(&mut self) -> Result<String, NotUnderstood> {
        let token = self.peek();
        if token.kind != Kind::Text {
            return Err(self.refuse("a text was expected"));
        }
        self.advance();
        Ok(token.unquoted())
    }

    fn dateadd(&mut self, depth: usize) -> Result<OperandKind, NotUnderstood> {
        let unit = self.peek();
        let text = unit.unquoted();
        let mut chars = text.chars();
        let (Some(letter), None, Kind::Text) = (chars.next(), chars.next(), unit.kind) else {
            return Err(self.refuse("a unit of one letter was expected"));
        };
        self.advance();
        self.expect_symbol(",")?;
        let stride = self.operand(depth + 1)?;
        let OperandKind::Number(digits) = &stride.kind else {
            return Err(stride.not_understood("a number was expected"));
        };
        let stride = digits
            .parse::<i32>()
            .ok()
            .ok_or_else(|| stride.not_understood("not a number that fits an INT"))?;
        self.expect_symbol(",")?;
        let from = self.operand(depth + 1)?;
        Ok(OperandKind::DateAdd { unit: letter, stride, from: Box::new(from) })
    }

    /// Any `::type` after a value.
    fn casts(&mut self, mut value: Operand) -> Result<Operand, NotUnderstood> {
        let mut count = 0;
        while self.accept_symbol("::") {
            count += 1;
            if count > MAX_DEPTH {
                return Err(self.refuse("the expression is nested too deeply"));
            }
            let to = self.type_name()?;
            let (position, word) = (value.position, value.word.clone());
            value = Operand { kind: OperandKind::Cast { value: Box::new(value), to }, position, word };
        }
        Ok(value)
    }

    /// A type's name with its parameters, in lower case and without blanks: `decimal(10,2)`.
    fn type_name(&mut self) -> Result<String, NotUnderstood> {
        let token = self.peek();
        if token.kind != Kind::Word {
            return Err(self.refuse("a type was expected"));
        }
        self.advance();
        let mut name = token.text.to_ascii_lowercase();
        if self.peek().is_symbol("(") {
            self.advance();
            name.push('(');
            while matches!(self.peek().kind, Kind::Number | Kind::Word) || self.peek().is_symbol(",") {
                name.push_str(self.advance().text);
            }
            self.expect_symbol(")")?;
            name.push(')');
        }
        Ok(name)
    }

    fn make(&self, token: &Token<'a>, kind: OperandKind) -> Operand {
        Operand { kind, position: super::utf16_position(self.sql, token.at), word: token.text.into() }
    }
}
