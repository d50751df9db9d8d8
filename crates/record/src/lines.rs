//! What the monitor says without being asked again: an answer that is held open, taken line by line. What the lines
//! mean belongs to who listens.

use bytes::{Buf, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::link::{Link, LinkError};
use crate::tls::Tls;

/// The longest line.
const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// An answer that is held open. Dropping it hangs up.
pub struct Lines {
    link: Link,
    body: Incoming,
    heard: BytesMut,
}

/// Asks the monitor at `url` (`https://host:port`) for `path`, and listens.
///
/// # Errors
/// When it does not answer.
pub async fn listen(url: &str, tls: Option<&Tls>, path: &str) -> Result<Lines, LinkError> {
    let link = Link::new(url, tls)?;
    let body = link.listen(path).await?;
    Ok(Lines { link, body, heard: BytesMut::new() })
}

impl Lines {
    /// The next line, without its end; `None` when the monitor hangs up. Nothing is lost when this is dropped.
    pub async fn next(&mut self) -> Result<Option<String>, LinkError> {
        loop {
            if let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
                let line = self.heard.split_to(end);
                self.heard.advance(1);
                return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
            }
            if self.heard.len() > LINE_BYTES_MAX {
                return Err(self.link.broken(&"a line that does not end"));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(self.link.broken(&error)),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.heard.extend_from_slice(&data);
                    }
                }
            }
        }
    }
}
