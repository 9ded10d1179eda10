//! Reading conditions.

use super::lexer::{Kind, Token};
use super::parse::Parser;
use super::{Comparison, Expr, NotUnderstood, Operand};

/// Deeper nesting than this is not understood: it bounds the stack.
pub(super) const MAX_DEPTH: usize = 64;

impl<'a> Parser<'a> {
    /// A whole condition; stops at the first word that can't continue it.
    pub(super) fn condition(&mut self) -> Result<Expr, NotUnderstood> {
        self.or(0)
    }

    fn or(&mut self, depth: usize) -> Result<Expr, NotUnderstood> {
        let first = self.and(depth)?;
        if !self.peek().is("or") {
            return Ok(first);
        }
        let mut all = vec![first];
        while self.accept("or") {
            all.push(self.and(depth)?);
        }
        self.all_conditions(all).map(Expr::Or)
    }

    fn and(&mut self, depth: usize) -> Result<Expr, NotUnderstood> {
        let first = self.not(depth)?;
        if !self.peek().is("and") {
            return Ok(first);
        }
        let mut all = vec![first];
        while self.accept("and") {
            all.push(self.not(depth)?);
        }
        self.all_conditions(all).map(Expr::And)
    }

    fn all_conditions(&self, all: Vec<Expr>) -> Result<Vec<Expr>, NotUnderstood> {
        all.into_iter().map(|e| self.truth(e)).collect()
    }

    /// Only what can be true or false by itself may stand under AND, OR, NOT.
    fn truth(&self, expr: Expr) -> Result<Expr, NotUnderstood> {
        match &expr {
            Expr::Truth(operand) if !operand.may_be_condition() => {
                Err(operand.not_understood("a condition was expected"))
            }
            _ => Ok(expr),
        }
    }

    fn not(&mut self, depth: usize) -> Result<Expr, NotUnderstood> {
        if depth > MAX_DEPTH {
            return Err(self.refuse("the condition is nested too deeply"));
        }
        if self.accept("not") {
            let inner = self.not(depth + 1)?;
            return self.truth(inner).map(|e| Expr::Not(Box::new(e)));
        }
        let left = self.primary(depth)?;
        self.predicate(left, depth)
    }

    /// What follows a value: a comparison, BETWEEN, IN, IS, or nothing.
    fn predicate(&mut self, left: Expr, depth: usize) -> Result<Expr, NotUnderstood> {
        let token = self.peek();
        if let Some(op) = comparison(&token) {
            let value = self.value_of(left)?;
            self.advance();
            let right = self.operand(depth)?;
            return Ok(Expr::Compare { left: value, op, right });
        }
        if token.is("is") {
            let value = self.value_of(left)?;
            self.advance();
            let op = if self.accept("not") { Comparison::NotEqual } else { Comparison::Equal };
            if !["null", "true", "false"].iter().any(|w| self.peek().is(w)) {
                return Err(self.refuse("NULL, TRUE or FALSE was expected"));
            }
            let right = self.operand(depth)?;
            return Ok(Expr::Compare { left: value, op, right });
        }
        let negated = token.is("not") && (self.peek_after().is("in") || self.peek_after().is("between"));
        if negated {
            self.advance();
        }
        if self.peek().is("between") {
            let value = self.value_of(left)?;
            self.advance();
            let low = self.operand(depth)?;
            self.expect("and")?;
            let high = self.operand(depth)?;
            return Ok(Expr::Between { value, bounds: [low, high], negated });
        }
        if self.peek().is("in") {
            let value = self.value_of(left)?;
            self.advance();
            let list = self.in_list(depth)?;
            return Ok(Expr::In { value, list, negated });
        }
        Ok(left)
    }

    fn in_list(&mut self, depth: usize) -> Result<Vec<Operand>, NotUnderstood> {
        // A single value may stand without parentheses: ts IN '2024'.
        if !self.peek().is_symbol("(") {
            return Ok(vec![self.operand(depth)?]);
        }
        self.advance();
        let mut list = vec![self.operand(depth)?];
        while self.accept_symbol(",") {
            list.push(self.operand(depth)?);
        }
        self.expect_symbol(")")?;
        Ok(list)
    }

    fn value_of(&self, expr: Expr) -> Result<Operand, NotUnderstood> {
        match expr {
            Expr::Truth(operand) => Ok(operand),
            _ => Err(self.refuse("only columns and literals can be compared")),
        }
    }

    fn primary(&mut self, depth: usize) -> Result<Expr, NotUnderstood> {
        if self.peek().is_symbol("(") {
            self.advance();
            let inner = self.or(depth + 1)?;
            self.expect_symbol(")")?;
            return Ok(inner);
        }
        self.operand(depth).map(Expr::Truth)
    }
}

fn comparison(token: &Token<'_>) -> Option<Comparison> {
    if token.kind != Kind::Symbol {
        return None;
    }
    Some(match token.text {
        "=" => Comparison::Equal,
        "!=" | "<>" => Comparison::NotEqual,
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterOrEqual,
        _ => return None,
    })
}
