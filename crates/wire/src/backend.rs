//! What a server sends: types, borrowed views of the bodies that the gate reads, and writers for what the gate says
//! to clients in its own name. Not here: which reply belongs to which request (`pipeline`).

mod read;
mod write;

pub use read::{
    Authentication, BackendKey, Column, Columns, CommandTag, Fields, Mechanisms, ParameterStatus,
    RowDescription, data_row_columns, ready_for_query,
};
pub use write::{
    REPORT_FIELD_BYTES_MAX, Report, Severity, authentication_ok, authentication_sasl,
    authentication_sasl_continue, authentication_sasl_final, backend_key_data, command_complete, data_row,
    error_response, negotiate_protocol_version, notice_response, parameter_status, ready,
};

use crate::codec;

/// The longest DataRow or CopyData body, in bytes: the most PostgreSQL can build. Stream it, never hold it.
pub const BACKEND_ROW_BYTES_MAX: usize = 0x3fff_ffff;
/// The longest body of any other server message, in bytes. An ErrorResponse may quote a statement or a parameter
/// more than once, so this is twice what a client may send.
pub const BACKEND_READ_BYTES_MAX: usize = 8_388_608;

/// Whether a session is in a transaction, as each ReadyForQuery says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    Idle,
    InTransaction,
    /// In a transaction that failed and waits for its ROLLBACK.
    Failed,
}

/// The types of message that a server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tag {
    Authentication,
    BackendKeyData,
    BindComplete,
    CloseComplete,
    CommandComplete,
    CopyBothResponse,
    CopyData,
    CopyDone,
    CopyInResponse,
    CopyOutResponse,
    DataRow,
    EmptyQueryResponse,
    ErrorResponse,
    FunctionCallResponse,
    NegotiateProtocolVersion,
    NoData,
    NoticeResponse,
    NotificationResponse,
    ParameterDescription,
    ParameterStatus,
    ParseComplete,
    PortalSuspended,
    ReadyForQuery,
    RowDescription,
}

impl codec::Tag for Tag {
    fn from_byte(byte: u8) -> Option<Tag> {
        Some(match byte {
            b'R' => Tag::Authentication,
            b'K' => Tag::BackendKeyData,
            b'2' => Tag::BindComplete,
            b'3' => Tag::CloseComplete,
            b'C' => Tag::CommandComplete,
            b'W' => Tag::CopyBothResponse,
            b'd' => Tag::CopyData,
            b'c' => Tag::CopyDone,
            b'G' => Tag::CopyInResponse,
            b'H' => Tag::CopyOutResponse,
            b'D' => Tag::DataRow,
            b'I' => Tag::EmptyQueryResponse,
            b'E' => Tag::ErrorResponse,
            b'V' => Tag::FunctionCallResponse,
            b'v' => Tag::NegotiateProtocolVersion,
            b'n' => Tag::NoData,
            b'N' => Tag::NoticeResponse,
            b'A' => Tag::NotificationResponse,
            b't' => Tag::ParameterDescription,
            b'S' => Tag::ParameterStatus,
            b'1' => Tag::ParseComplete,
            b's' => Tag::PortalSuspended,
            b'Z' => Tag::ReadyForQuery,
            b'T' => Tag::RowDescription,
            _ => return None,
        })
    }

    fn byte(self) -> u8 {
        match self {
            Tag::Authentication => b'R',
            Tag::BackendKeyData => b'K',
            Tag::BindComplete => b'2',
            Tag::CloseComplete => b'3',
            Tag::CommandComplete => b'C',
            Tag::CopyBothResponse => b'W',
            Tag::CopyData => b'd',
            Tag::CopyDone => b'c',
            Tag::CopyInResponse => b'G',
            Tag::CopyOutResponse => b'H',
            Tag::DataRow => b'D',
            Tag::EmptyQueryResponse => b'I',
            Tag::ErrorResponse => b'E',
            Tag::FunctionCallResponse => b'V',
            Tag::NegotiateProtocolVersion => b'v',
            Tag::NoData => b'n',
            Tag::NoticeResponse => b'N',
            Tag::NotificationResponse => b'A',
            Tag::ParameterDescription => b't',
            Tag::ParameterStatus => b'S',
            Tag::ParseComplete => b'1',
            Tag::PortalSuspended => b's',
            Tag::ReadyForQuery => b'Z',
            Tag::RowDescription => b'T',
        }
    }

    fn name(self) -> &'static str {
        match self {
            Tag::Authentication => "Authentication",
            Tag::BackendKeyData => "BackendKeyData",
            Tag::BindComplete => "BindComplete",
            Tag::CloseComplete => "CloseComplete",
            Tag::CommandComplete => "CommandComplete",
            Tag::CopyBothResponse => "CopyBothResponse",
            Tag::CopyData => "CopyData",
            Tag::CopyDone => "CopyDone",
            Tag::CopyInResponse => "CopyInResponse",
            Tag::CopyOutResponse => "CopyOutResponse",
            Tag::DataRow => "DataRow",
            Tag::EmptyQueryResponse => "EmptyQueryResponse",
            Tag::ErrorResponse => "ErrorResponse",
            Tag::FunctionCallResponse => "FunctionCallResponse",
            Tag::NegotiateProtocolVersion => "NegotiateProtocolVersion",
            Tag::NoData => "NoData",
            Tag::NoticeResponse => "NoticeResponse",
            Tag::NotificationResponse => "NotificationResponse",
            Tag::ParameterDescription => "ParameterDescription",
            Tag::ParameterStatus => "ParameterStatus",
            Tag::ParseComplete => "ParseComplete",
            Tag::PortalSuspended => "PortalSuspended",
            Tag::ReadyForQuery => "ReadyForQuery",
            Tag::RowDescription => "RowDescription",
        }
    }

    fn body_bytes_max(self) -> usize {
        match self {
            Tag::DataRow | Tag::CopyData => BACKEND_ROW_BYTES_MAX,
            _ => BACKEND_READ_BYTES_MAX,
        }
    }
}
