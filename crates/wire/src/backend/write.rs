//! What the gate tells a client in its own name. Each function appends to `out`. Not here: the wording of errors.

use super::{Tag, TransactionStatus};
use crate::Unwritable;
use crate::codec::{Tag as _, frame, put_text};
use crate::startup::CANCEL_KEY_BYTES;

/// The longest value of one field of an ErrorResponse that we write, in bytes; longer ones are cut.
pub const REPORT_FIELD_BYTES_MAX: usize = 8_192;

/// AuthenticationOk.
pub fn authentication_ok(out: &mut Vec<u8>) {
    out.extend_from_slice(b"R\0\0\0\x08\0\0\0\0");
}

/// AuthenticationSASL: the mechanisms offered, most wanted first.
pub fn authentication_sasl(out: &mut Vec<u8>, mechanisms: &[&str]) -> Result<(), Unwritable> {
    frame(out, Tag::Authentication, |out| {
        out.extend_from_slice(&10_u32.to_be_bytes());
        for name in mechanisms {
            put_text(out, name)?;
        }
        out.push(0);
        Ok(())
    })
}

/// AuthenticationSASLContinue.
pub fn authentication_sasl_continue(out: &mut Vec<u8>, data: &[u8]) -> Result<(), Unwritable> {
    sasl_data(out, 11, data)
}

/// AuthenticationSASLFinal.
pub fn authentication_sasl_final(out: &mut Vec<u8>, data: &[u8]) -> Result<(), Unwritable> {
    sasl_data(out, 12, data)
}

fn sasl_data(out: &mut Vec<u8>, code: u32, data: &[u8]) -> Result<(), Unwritable> {
    frame(out, Tag::Authentication, |out| {
        out.extend_from_slice(&code.to_be_bytes());
        out.extend_from_slice(data);
        Ok(())
    })
}

/// NegotiateProtocolVersion: we speak 3 with this minor version, and none of the options asked for.
pub fn negotiate_protocol_version<'a>(
    out: &mut Vec<u8>,
    minor: u16,
    options: impl Iterator<Item = &'a str>,
) -> Result<(), Unwritable> {
    frame(out, Tag::NegotiateProtocolVersion, |out| {
        // The documentation says "minor version"; servers send, and clients expect, the whole version number.
        out.extend_from_slice(&[0, 3]);
        out.extend_from_slice(&minor.to_be_bytes());
        let count_at = out.len();
        out.extend_from_slice(&[0; 4]);
        let mut count = 0_u32;
        for option in options {
            put_text(out, option)?;
            count = count.saturating_add(1);
        }
        let slot = out.get_mut(count_at..).and_then(|counted| counted.first_chunk_mut::<4>());
        *slot.ok_or(Unwritable::TooLong)? = count.to_be_bytes();
        Ok(())
    })
}

/// ParameterStatus.
pub fn parameter_status(out: &mut Vec<u8>, name: &str, value: &str) -> Result<(), Unwritable> {
    frame(out, Tag::ParameterStatus, |out| {
        put_text(out, name)?;
        put_text(out, value)
    })
}

/// BackendKeyData: what this client's CancelRequest will have to say. Protocol 3.0 has secrets of 4 bytes, 3.2 of as
/// many as `CANCEL_KEY_BYTES` allows.
pub fn backend_key_data(out: &mut Vec<u8>, pid: i32, secret: &[u8]) -> Result<(), Unwritable> {
    if !CANCEL_KEY_BYTES.contains(&secret.len()) {
        return Err(Unwritable::TooLong);
    }
    frame(out, Tag::BackendKeyData, |out| {
        out.extend_from_slice(&pid.to_be_bytes());
        out.extend_from_slice(secret);
        Ok(())
    })
}

/// DataRow of texts.
pub fn data_row(out: &mut Vec<u8>, values: &[&str]) -> Result<(), Unwritable> {
    frame(out, Tag::DataRow, |out| {
        let count = u16::try_from(values.len()).map_err(|_| Unwritable::TooLong)?;
        out.extend_from_slice(&count.to_be_bytes());
        for value in values {
            let length = i32::try_from(value.len()).map_err(|_| Unwritable::TooLong)?;
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(value.as_bytes());
        }
        Ok(())
    })
}

/// CommandComplete.
pub fn command_complete(out: &mut Vec<u8>, tag: &str) -> Result<(), Unwritable> {
    frame(out, Tag::CommandComplete, |out| put_text(out, tag))
}

/// ReadyForQuery.
pub fn ready(out: &mut Vec<u8>, status: TransactionStatus) {
    let status = match status {
        TransactionStatus::Idle => b'I',
        TransactionStatus::InTransaction => b'T',
        TransactionStatus::Failed => b'E',
    };
    out.extend_from_slice(&[b'Z', 0, 0, 0, 5, status]);
}

/// How bad a report is. FATAL ends the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    Fatal,
    Warning,
    Notice,
}

impl Severity {
    /// As sent, unlocalised.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "ERROR",
            Severity::Fatal => "FATAL",
            Severity::Warning => "WARNING",
            Severity::Notice => "NOTICE",
        }
    }
}

/// An error or a notice of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report<'a> {
    pub severity: Severity,
    /// Five letters or digits.
    pub sqlstate: &'a str,
    pub message: &'a str,
    pub detail: Option<&'a str>,
    pub hint: Option<&'a str>,
}

/// ErrorResponse. It always succeeds, because it is the last resort: a NUL is written as U+FFFD and a field longer
/// than `REPORT_FIELD_BYTES_MAX` is cut.
pub fn error_response(out: &mut Vec<u8>, report: &Report<'_>) {
    put_report(out, Tag::ErrorResponse, report);
}

/// NoticeResponse, written as `error_response` writes.
pub fn notice_response(out: &mut Vec<u8>, report: &Report<'_>) {
    put_report(out, Tag::NoticeResponse, report);
}

fn put_report(out: &mut Vec<u8>, tag: Tag, report: &Report<'_>) {
    let severity = report.severity.as_str();
    let mut body = Vec::with_capacity(256);
    put_field(&mut body, b'S', severity);
    put_field(&mut body, b'V', severity);
    put_field(&mut body, b'C', report.sqlstate);
    put_field(&mut body, b'M', report.message);
    if let Some(detail) = report.detail {
        put_field(&mut body, b'D', detail);
    }
    if let Some(hint) = report.hint {
        put_field(&mut body, b'H', hint);
    }
    body.push(0);
    // Six fields of at most REPORT_FIELD_BYTES_MAX each are far below what a length can say.
    let length = u32::try_from(body.len().saturating_add(4)).unwrap_or(u32::MAX);
    out.push(tag.byte());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&body);
}

fn put_field(body: &mut Vec<u8>, code: u8, value: &str) {
    body.push(code);
    let start = body.len();
    for part in value.chars().map(|c| if c == '\0' { char::REPLACEMENT_CHARACTER } else { c }) {
        if body.len().saturating_sub(start).saturating_add(part.len_utf8()) > REPORT_FIELD_BYTES_MAX {
            break;
        }
        body.extend_from_slice(part.encode_utf8(&mut [0; 4]).as_bytes());
    }
    body.push(0);
}
