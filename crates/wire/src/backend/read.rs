//! Borrowed views of what a server sends. A view is checked whole when it is read, so its iterators do not fail.
//! Not here: ParameterDescription, notifications, row values: the gate relays them unread.

use super::TransactionStatus;
use crate::Violation;
use crate::codec::{Body, Format};
use crate::startup::CANCEL_KEY_BYTES;

/// What a server asks of us, or says, while we log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication<'a> {
    Ok,
    Sasl(Mechanisms<'a>),
    SaslContinue(&'a [u8]),
    SaslFinal(&'a [u8]),
    /// A method that the gate does not use, by its code: 3 is a clear password, 5 MD5, 7 GSS, 9 SSPI.
    Other(u32),
}

impl<'a> Authentication<'a> {
    /// Reads the body of an Authentication message.
    pub fn read(body: &'a [u8]) -> Result<Authentication<'a>, Violation> {
        let mut body = Body::new(body, "Authentication");
        match body.u32()? {
            0 => body.end().map(|()| Authentication::Ok),
            10 => Mechanisms::read(body).map(Authentication::Sasl),
            11 => Ok(Authentication::SaslContinue(body.rest())),
            12 => Ok(Authentication::SaslFinal(body.rest())),
            other => Ok(Authentication::Other(other)),
        }
    }
}

/// The SASL mechanisms that a server offers, most wanted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mechanisms<'a> {
    names: Body<'a>,
}

impl<'a> Mechanisms<'a> {
    fn read(names: Body<'a>) -> Result<Mechanisms<'a>, Violation> {
        let mut walk = names;
        while !walk.text()?.is_empty() {}
        walk.end()?;
        Ok(Mechanisms { names })
    }
}

impl<'a> Iterator for Mechanisms<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.names.text().ok().filter(|name| !name.is_empty())
    }
}

/// The fields of an ErrorResponse or a NoticeResponse. Values are bytes: see the crate's note on text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields<'a> {
    fields: Body<'a>,
}

impl<'a> Fields<'a> {
    /// Reads the body of an ErrorResponse or a NoticeResponse.
    pub fn read(body: &'a [u8]) -> Result<Fields<'a>, Violation> {
        let fields = Body::new(body, "ErrorResponse");
        let mut walk = fields;
        while walk.u8()? != 0 {
            walk.until_nul()?;
        }
        walk.end()?;
        Ok(Fields { fields })
    }

    /// The value of the first field of this code: `S` severity, `V` severity unlocalised, `C` SQLSTATE, `M` message,
    /// `D` detail, `H` hint (PostgreSQL, "Error and Notice Message Fields").
    pub fn get(mut self, code: u8) -> Option<&'a [u8]> {
        self.find(|(known, _)| *known == code).map(|(_, value)| value)
    }

    /// The SQLSTATE, when it is one: five letters or digits.
    pub fn sqlstate(self) -> Option<&'a str> {
        let state = std::str::from_utf8(self.get(b'C')?).ok()?;
        (state.len() == 5 && state.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()))
            .then_some(state)
    }

    /// Whether the server ends the session with this (FATAL or PANIC).
    pub fn is_fatal(self) -> bool {
        matches!(self.get(b'V').or_else(|| self.get(b'S')), Some(b"FATAL" | b"PANIC"))
    }
}

impl<'a> Iterator for Fields<'a> {
    /// A field's code and value.
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let code = self.fields.u8().ok().filter(|code| *code != 0)?;
        self.fields.until_nul().ok().map(|value| (code, value))
    }
}

/// What CommandComplete says was done, such as `SELECT 3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandTag<'a> {
    pub text: &'a str,
}

impl<'a> CommandTag<'a> {
    /// Reads the body of a CommandComplete.
    pub fn read(body: &'a [u8]) -> Result<CommandTag<'a>, Violation> {
        let mut body = Body::new(body, "CommandComplete");
        let text = body.text()?;
        body.end()?;
        Ok(CommandTag { text })
    }

    /// The count of rows at the end of the tag, when there is one.
    pub fn rows(&self) -> Option<u64> {
        self.text.rsplit_once(' ').and_then(|(_, count)| count.parse().ok())
    }
}

/// Reads the body of a ReadyForQuery.
pub fn ready_for_query(body: &[u8]) -> Result<TransactionStatus, Violation> {
    let mut body = Body::new(body, "ReadyForQuery");
    let status = match body.u8()? {
        b'I' => TransactionStatus::Idle,
        b'T' => TransactionStatus::InTransaction,
        b'E' => TransactionStatus::Failed,
        _ => return Err(body.bad("transaction status")),
    };
    body.end().map(|()| status)
}

/// A setting's value, reported by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParameterStatus<'a> {
    pub name: &'a str,
    pub value: &'a str,
}

impl<'a> ParameterStatus<'a> {
    /// Reads the body of a ParameterStatus.
    pub fn read(body: &'a [u8]) -> Result<ParameterStatus<'a>, Violation> {
        let mut body = Body::new(body, "ParameterStatus");
        let (name, value) = (body.text()?, body.text()?);
        body.end()?;
        Ok(ParameterStatus { name, value })
    }
}

/// What cancelling a session takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BackendKey<'a> {
    pub pid: i32,
    /// `CANCEL_KEY_BYTES` long.
    pub secret: &'a [u8],
}

impl std::fmt::Debug for BackendKey<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BackendKey").field("pid", &self.pid).finish_non_exhaustive()
    }
}

impl<'a> BackendKey<'a> {
    /// Reads the body of a BackendKeyData.
    pub fn read(body: &'a [u8]) -> Result<BackendKey<'a>, Violation> {
        let mut body = Body::new(body, "BackendKeyData");
        let (pid, secret) = (body.i32()?, body.rest());
        if !CANCEL_KEY_BYTES.contains(&secret.len()) {
            return Err(body.bad("secret length"));
        }
        Ok(BackendKey { pid, secret })
    }
}

/// The number of columns of a DataRow, from the first two bytes of its body: the rest need not have arrived.
pub fn data_row_columns(body: &[u8]) -> Result<u16, Violation> {
    Body::new(body, "DataRow").u16()
}

/// The columns of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowDescription<'a> {
    count: u16,
    columns: Body<'a>,
}

impl<'a> RowDescription<'a> {
    /// Reads the body of a RowDescription.
    pub fn read(body: &'a [u8]) -> Result<RowDescription<'a>, Violation> {
        let mut columns = Body::new(body, "RowDescription");
        let count = columns.u16()?;
        let mut walk = columns;
        for _ in 0..count {
            Column::read(&mut walk)?;
        }
        walk.end()?;
        Ok(RowDescription { count, columns })
    }

    /// How many columns there are.
    pub fn count(&self) -> u16 {
        self.count
    }

    /// The columns in order.
    pub fn columns(&self) -> Columns<'a> {
        Columns { left: self.count, columns: self.columns }
    }
}

/// The columns of a RowDescription.
#[derive(Clone, Debug)]
pub struct Columns<'a> {
    left: u16,
    columns: Body<'a>,
}

impl<'a> Iterator for Columns<'a> {
    type Item = Column<'a>;

    fn next(&mut self) -> Option<Column<'a>> {
        self.left = self.left.checked_sub(1)?;
        Column::read(&mut self.columns).ok()
    }
}

/// One column of a result, and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column<'a> {
    pub name: &'a str,
    /// The OID of the table or view whose column it is; 0 for an expression.
    pub table: u32,
    /// Its number in that table or view, from 1; 0 for an expression.
    pub number: i16,
    /// The OID of its type.
    pub type_oid: u32,
    pub format: Format,
}

impl<'a> Column<'a> {
    fn read(body: &mut Body<'a>) -> Result<Column<'a>, Violation> {
        let name = body.text()?;
        let (table, number, type_oid) = (body.u32()?, body.i16()?, body.u32()?);
        // The type's size (int16) and modifier (int32) tell the gate nothing.
        body.bytes(6)?;
        Ok(Column { name, table, number, type_oid, format: body.format()? })
    }
}
