//! Files of sealed lines: what names people is kept so that it survives the gate's being killed, and means nothing to whoever
//! copies the file without its key. Not here: what the lines hold (`journal`, `verdicts`).

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::marker::PhantomData;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::aead::Aead;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::file::{self, FileError};

/// Bytes of the key that seals lines.
pub const SEAL_BYTES: usize = 32;
/// Bytes of a nonce.
const NONCE_BYTES: usize = 24;

/// A file of lines, each of them a `T`, open at its end.
pub struct Sealed<T> {
    path: PathBuf,
    file: File,
    cipher: XChaCha20Poly1305,
    /// How many there are.
    pub lines: u64,
    of: PhantomData<fn(&T)>,
}

impl<T> std::fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealed({}, {} lines)", self.path.display(), self.lines)
    }
}

impl<T: Serialize + DeserializeOwned> Sealed<T> {
    /// Opens a file, and gives every line of it to `each`. A last line that was not written whole was answered to nobody; it
    /// is cut off. `held` is what is lost without the file.
    pub fn open(
        path: PathBuf,
        key: &[u8; SEAL_BYTES],
        held: &'static str,
        mut each: impl FnMut(T),
    ) -> Result<Self, FileError> {
        let cipher = XChaCha20Poly1305::new(key.into());
        let bytes = file::bytes(&path)?.unwrap_or_default();
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let mut lines = 0;
        for line in bytes.get(..whole).unwrap_or_default().split_inclusive(|byte| *byte == b'\n') {
            lines += 1;
            let read = unseal(&cipher, line.strip_suffix(b"\n").unwrap_or(line));
            each(read.ok_or_else(|| {
                let problem = format!("line {lines} is not one that this gate sealed");
                FileError::invalid(&path, problem, held)
            })?);
        }
        let file = append_to(&path)?;
        if whole < bytes.len() {
            tracing::warn!(file = %path.display(), "the last line was not written whole, and is left out");
            let length = u64::try_from(whole).unwrap_or(u64::MAX);
            file.set_len(length).map_err(FileError::io(&path))?;
        }
        Ok(Self { path, file, cipher, lines, of: PhantomData })
    }

    /// Appends a line. It is in the system's hands when this returns, and survives the gate, though not a power cut.
    pub fn append(&mut self, line: &T) -> Result<(), FileError> {
        let line = self.seal(line)?;
        self.file.write_all(&line).map_err(FileError::io(&self.path))?;
        self.lines = self.lines.saturating_add(1);
        Ok(())
    }

    /// Takes all lines out.
    pub fn clear(&mut self) -> Result<(), FileError> {
        self.file.set_len(0).map_err(FileError::io(&self.path))?;
        self.lines = 0;
        Ok(())
    }

    /// Puts these in place of all lines, whole or not at all, and returns when they are on the disk.
    pub fn replace<'l>(&mut self, lines: impl IntoIterator<Item = &'l T>) -> Result<(), FileError>
    where
        T: 'l,
    {
        let (mut bytes, mut count) = (Vec::new(), 0);
        for line in lines {
            bytes.extend(self.seal(line)?);
            count += 1;
        }
        file::write_bytes(&self.path, &bytes)?;
        self.file = append_to(&self.path)?;
        self.lines = count;
        Ok(())
    }

    fn seal(&self, line: &T) -> Result<Vec<u8>, FileError> {
        let plain = serde_json::to_vec(line).map_err(|error| FileError::io(&self.path)(error.into()))?;
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let sealed = self.cipher.encrypt(XNonce::from_slice(&nonce), plain.as_slice());
        let sealed =
            sealed.map_err(|_| FileError::io(&self.path)(std::io::Error::other("cannot be sealed")))?;
        let mut line = STANDARD_NO_PAD.encode([&nonce[..], &sealed].concat()).into_bytes();
        line.push(b'\n');
        Ok(line)
    }
}

fn append_to(path: &Path) -> Result<File, FileError> {
    let open = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    open.map_err(FileError::io(path))
}

fn unseal<T: DeserializeOwned>(cipher: &XChaCha20Poly1305, line: &[u8]) -> Option<T> {
    let bytes = STANDARD_NO_PAD.decode(line).ok()?;
    let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>()?;
    let plain = cipher.decrypt(XNonce::from_slice(nonce), sealed).ok()?;
    serde_json::from_slice(&plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path, key: u8) -> Result<(Sealed<String>, Vec<String>), FileError> {
        let mut read = Vec::new();
        let held = "the names of a test";
        let file = Sealed::open(path.to_owned(), &[key; SEAL_BYTES], held, |line| read.push(line))?;
        Ok((file, read))
    }

    fn read(path: &Path) -> Vec<String> {
        open(path, 1).unwrap().1
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_was_written_is_read_again_and_names_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let (mut file, _) = open(&path, 1).unwrap();
        for name in names(&["aoife", "lukas", "maeve"]) {
            file.append(&name).unwrap();
        }
        let bytes = std::fs::read(&path).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("aoife"));
        assert_eq!(read(&path), names(&["aoife", "lukas", "maeve"]));
        // Killed while it wrote: whatever is there of the last line.
        for cut in 1..40 {
            std::fs::write(&path, &bytes[..bytes.len() - cut]).unwrap();
            assert_eq!(read(&path), names(&["aoife", "lukas"]), "{cut}");
            assert_eq!(read(&path), names(&["aoife", "lukas"]), "it is gone");
        }
        let (mut file, _) = open(&path, 1).unwrap();
        file.append(&"wei".to_owned()).unwrap();
        assert_eq!(read(&path), names(&["aoife", "lukas", "wei"]));
        file.replace(&names(&["bob"])).unwrap();
        assert_eq!(file.lines, 1);
        file.append(&"ingrid".to_owned()).unwrap();
        assert_eq!(read(&path), names(&["bob", "ingrid"]), "it is appended to what is there now");
        file.clear().unwrap();
        file.append(&"eve".to_owned()).unwrap();
        assert_eq!((read(&path), file.lines), (names(&["eve"]), 1));
    }

    #[test]
    fn what_is_damaged_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let (mut file, _) = open(&path, 1).unwrap();
        file.append(&"aoife".to_owned()).unwrap();
        file.append(&"lukas".to_owned()).unwrap();
        let said = open(&path, 2).unwrap_err().to_string();
        assert!(said.contains("lines: line 1 is not one that this gate sealed"), "{said}");
        assert!(said.contains("the names of a test"), "{said}");
        let mut bytes = std::fs::read(&path).unwrap();
        let at = bytes.len() - 9;
        bytes[at] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(open(&path, 1).unwrap_err().to_string().contains("line 2"));
    }
}
