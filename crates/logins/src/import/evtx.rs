//! The binary log of Windows, through crate `evtx`, which makes of each record what evtx_dump prints. Not here: what a
//! record says (`windows`).

use std::io::{Read, Seek};

use evtx::EvtxParser;
use evtx::err::EvtxError;

use super::{Input, Out, ReadError, windows};
use crate::problem::Wrong;

/// Largest log that is taken from a stream, in which one cannot go back.
const STREAM_BYTES_MAX: u64 = 1 << 30;

pub(super) fn read(input: Input, out: &mut Out<'_, '_>) -> Result<(), ReadError> {
    match input {
        Input::File(file) if file.metadata()?.is_file() => records(EvtxParser::from_read_seek(file), out),
        Input::File(file) => stream(file, out),
        Input::Stream(stream_) => stream(stream_, out),
    }
}

fn stream(from: impl Read, out: &mut Out<'_, '_>) -> Result<(), ReadError> {
    let mut bytes = Vec::new();
    from.take(STREAM_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > STREAM_BYTES_MAX {
        return Err(ReadError::Format("larger than 1 GiB: give the file itself and not a stream".to_owned()));
    }
    records(EvtxParser::from_buffer(bytes), out)
}

fn records<T: Read + Seek>(
    parser: Result<EvtxParser<T>, EvtxError>,
    out: &mut Out<'_, '_>,
) -> Result<(), ReadError> {
    let mut parser =
        parser.map_err(|error| ReadError::Format(format!("no Windows event log: {}", whole(&error))))?;
    let mut last = 0;
    for record in parser.records_json_value() {
        match record {
            Ok(record) => {
                last = record.event_record_id;
                match windows::login(&record.data) {
                    Ok(Some(login)) => out.login(login),
                    Ok(None) => out.other(),
                    Err(wrong) => out.problem(wrong.in_record(last)),
                }
            }
            Err(error) => {
                out.problem(Wrong::new("", format!("damaged: {}", whole(&error))).in_record(last + 1))
            }
        }
        if out.is_over {
            break;
        }
    }
    Ok(())
}

/// An error with what it comes from.
fn whole(error: &EvtxError) -> String {
    let mut said = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        said = format!("{said}: {cause}");
        source = cause.source();
    }
    said
}
