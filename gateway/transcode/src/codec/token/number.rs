//! Numbers: their form is checked, their text handed on.

use super::{Result, Tokens};

/// Whether the text is a JSON number and nothing else.
pub(crate) fn is_number(text: &str) -> bool {
    let mut tokens = Tokens::over(text);
    tokens.number().is_ok() && tokens.at == text.len()
}

impl<'j> Tokens<'j> {
    /// Takes a number, as it is written.
    pub(crate) fn number(&mut self) -> Result<&'j str> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _sign = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    fn digits(&mut self) -> Result<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if start == self.at {
            Err(self.unexpected("a digit"))
        } else {
            Ok(())
        }
    }
}
