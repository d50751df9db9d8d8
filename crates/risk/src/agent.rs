//! A user agent without its versions: which browser, on what system, on what kind of device, and a family, which is what
//! stays of the text when a browser updates itself. Whatever the text is, it has a family. Not here: how common one is.

use crate::key::{Key, Of, Tag};

/// What a user agent says, versions aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Agent {
    /// The text without versions, hashed. 0 is none.
    pub family: u32,
    /// Place in [`BROWSERS`].
    pub browser: u8,
    /// Place in [`SYSTEMS`].
    pub system: u8,
    /// Place in [`DEVICES`].
    pub device: u8,
}

/// Browsers and other programs, by what tells them; the first that matches is it, so what others pretend to be is last.
const BROWSERS: &[(&str, &[&str])] = &[
    ("other", &[]),
    ("Edge", &["Edg/", "EdgA/", "EdgiOS/", "Edge/"]),
    ("Opera", &["OPR/", "OPiOS/", "OPT/", "Opera"]),
    ("Samsung Internet", &["SamsungBrowser/"]),
    ("Yandex", &["YaBrowser/"]),
    ("Vivaldi", &["Vivaldi/"]),
    ("UC Browser", &["UCBrowser/", "UCWEB"]),
    ("DuckDuckGo", &["DuckDuckGo/", "Ddg/"]),
    ("MIUI Browser", &["MiuiBrowser/"]),
    ("Huawei Browser", &["HuaweiBrowser/"]),
    ("Silk", &["Silk/"]),
    ("TikTok", &["musical_ly", "BytedanceWebview", "TikTok", "trill_"]),
    ("Instagram", &["Instagram "]),
    ("Facebook", &["FBAN/", "FBAV/", "FB_IAB/"]),
    ("WeChat", &["MicroMessenger/"]),
    ("Google app", &["GSA/"]),
    ("Firefox", &["Firefox/", "FxiOS/", "Focus/"]),
    ("Thunderbird", &["Thunderbird/"]),
    ("Outlook", &["Outlook", "Microsoft Office"]),
    ("Electron", &["Electron/"]),
    ("headless Chrome", &["HeadlessChrome/"]),
    ("bot", &["bot", "Bot", "crawl", "Crawl", "spider", "Spider"]),
    ("curl", &["curl/"]),
    ("Python", &["python-requests", "Python", "aiohttp", "httpx/"]),
    ("Go", &["Go-http-client"]),
    ("Java", &["Java/", "Apache-HttpClient"]),
    ("okhttp", &["okhttp/"]),
    ("Postman", &["PostmanRuntime/"]),
    ("OpenSSH", &["OpenSSH"]),
    ("libssh", &["libssh", "paramiko", "PuTTY"]),
    ("Android WebView", &["; wv)"]),
    ("Chrome", &["Chrome/", "CriOS/", "Chromium/"]),
    ("Internet Explorer", &["MSIE ", "Trident/"]),
    ("Safari", &["Safari/"]),
    ("iOS app", &["CFNetwork/"]),
    ("Android app", &["Dalvik/"]),
];

/// Systems, in the same way.
const SYSTEMS: &[(&str, &[&str])] = &[
    ("other", &[]),
    ("Windows", &["Windows", "Win64"]),
    ("iOS", &["iPhone", "iPad", "iPod", "CFNetwork/"]),
    ("Android", &["Android", "Dalvik/"]),
    ("ChromeOS", &["CrOS"]),
    ("macOS", &["Macintosh", "Mac OS X", "macOS", "Darwin"]),
    ("KaiOS", &["KAIOS"]),
    ("Tizen", &["Tizen"]),
    ("BSD", &["FreeBSD", "OpenBSD", "NetBSD"]),
    ("Linux", &["Linux", "X11", "Ubuntu", "Debian"]),
];

/// Kinds of devices.
const DEVICES: &[&str] = &["other", "desktop", "phone", "tablet", "tool", "television"];
const DESKTOP: u8 = 1;
const PHONE: u8 = 2;
const TABLET: u8 = 3;
const TOOL: u8 = 4;
const TELEVISION: u8 = 5;

/// What is read of a text; the rest says nothing more.
const AGENT_BYTES_MAX: usize = 512;
/// Slots of the memory of what was read: a few hundred texts are nearly all logins.
const MEMO_SLOTS: usize = 16_384;

impl Agent {
    /// Reads a user agent.
    pub fn read(key: &Key, text: &str) -> Self {
        let end = (0..=AGENT_BYTES_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
        let text = text.get(..end.unwrap_or(0)).unwrap_or(text);
        let browser = first_of(BROWSERS, text);
        let system = first_of(SYSTEMS, text);
        let device = device_of(text, browser, system);
        let mut stem = [0u8; AGENT_BYTES_MAX + 3];
        let length = stem_of(text, browser == 0, &mut stem);
        if let Some(slots) = stem.get_mut(length..length + 3) {
            slots.copy_from_slice(&[browser, system, device]);
        }
        let tag = key.tag(Of::Family, stem.get(..length + 3).unwrap_or(&stem));
        Self { family: (tag.0 as u32).max(1), browser, system, device }
    }

    /// The browser's or program's name.
    pub fn browser_word(browser: u8) -> &'static str {
        BROWSERS.get(usize::from(browser)).map_or("other", |(word, _)| word)
    }

    /// The system's name.
    pub fn system_word(system: u8) -> &'static str {
        SYSTEMS.get(usize::from(system)).map_or("other", |(word, _)| word)
    }

    /// The kind of device.
    pub fn device_word(device: u8) -> &'static str {
        DEVICES.get(usize::from(device)).copied().unwrap_or("other")
    }
}

fn first_of(table: &[(&str, &[&str])], text: &str) -> u8 {
    let at = table.iter().position(|(_, signs)| signs.iter().any(|sign| text.contains(sign)));
    at.and_then(|at| u8::try_from(at).ok()).unwrap_or(0)
}

fn device_of(text: &str, browser: u8, system: u8) -> u8 {
    let is = |sign: &str| text.contains(sign);
    match (Agent::system_word(system), Agent::browser_word(browser)) {
        (_, "bot" | "curl" | "Python" | "Go" | "Java" | "Postman" | "OpenSSH" | "libssh") => TOOL,
        _ if is("TV") || is("BRAVIA") => TELEVISION,
        ("iOS", _) if is("iPad") => TABLET,
        ("iOS" | "KaiOS", _) => PHONE,
        ("Android", _) if is("Tablet") || !(is("Mobile") || is("Dalvik/")) => TABLET,
        ("Android" | "Tizen", _) => PHONE,
        ("Windows" | "macOS" | "ChromeOS" | "Linux" | "BSD", _) => DESKTOP,
        _ => 0,
    }
}

/// What stays of a text when its versions go: what follows a slash, and every word that begins with a digit; of a program
/// that is not known every digit, as nobody can say which of them is a version.
fn stem_of(text: &str, is_unknown: bool, stem: &mut [u8]) -> usize {
    let mut slots = stem.iter_mut();
    let mut length = 0;
    let mut skips = false;
    let mut is_start = true;
    for byte in text.bytes() {
        let ends_word = matches!(byte, b' ' | b';' | b')' | b'(' | b',');
        if ends_word {
            skips = false;
        } else if byte.is_ascii_digit() && is_start {
            skips = true;
        }
        let is_number = is_unknown && (byte.is_ascii_digit() || matches!(byte, b'.' | b'_'));
        if !skips && !is_number {
            let Some(slot) = slots.next() else { break };
            *slot = byte;
            length += 1;
        }
        skips |= byte == b'/';
        is_start = ends_word || matches!(byte, b'_' | b':' | b'/');
    }
    length.min(AGENT_BYTES_MAX)
}

/// Remembers what was read of the texts that came last.
#[derive(Debug, Clone, Default)]
pub struct Memo {
    slots: Vec<(Tag, Agent)>,
}

impl Memo {
    /// What a text says, read only if it was not read lately.
    pub fn read(&mut self, key: &Key, tag: Tag, text: &str) -> Agent {
        if self.slots.is_empty() {
            self.slots = vec![Default::default(); MEMO_SLOTS];
        }
        let at = usize::try_from(tag.0 % MEMO_SLOTS as u64).unwrap_or(0);
        let Some(slot) = self.slots.get_mut(at) else { return Agent::read(key, text) };
        if slot.0 != tag || slot.1.family == 0 {
            *slot = (tag, Agent::read(key, text));
        }
        slot.1
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<(Tag, Agent)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDGE: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/112.0.0.0 Safari/537.36 Edg/112.0.1722.48";
    const PIXEL: &str = "Mozilla/5.0 (Linux; Android 13; Pixel 7 Build/TQ2A.230505.002) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/112.0.5615.136 Mobile Safari/537.36";
    const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 16_4_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.4 Mobile/15E148 Safari/604.1";
    const IPAD: &str = "Mozilla/5.0 (iPad; CPU OS 12_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148";

    fn read(text: &str) -> Agent {
        Agent::read(&Key::new([7; 16]), text)
    }

    #[test]
    fn agents_are_read() {
        for (text, expected) in [
            (EDGE, ("Edge", "Windows", "desktop")),
            (PIXEL, ("Chrome", "Android", "phone")),
            (IPHONE, ("Safari", "iOS", "phone")),
            (IPAD, ("other", "iOS", "tablet")),
            ("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u2", ("OpenSSH", "Linux", "tool")),
            ("TikTok 26.2.0 rv:262018 (iPhone; iOS 16.0; en_US) Cronet", ("TikTok", "iOS", "phone")),
            ("\u{1F600} nothing that anybody knows", ("other", "other", "other")),
            ("", ("other", "other", "other")),
        ] {
            let agent = read(text);
            let words = (
                Agent::browser_word(agent.browser),
                Agent::system_word(agent.system),
                Agent::device_word(agent.device),
            );
            assert_eq!(words, expected, "{text}");
            assert_ne!(agent.family, 0, "{text}");
        }
    }

    #[test]
    fn versions_are_no_part_of_a_family() {
        let same = [
            (EDGE, EDGE.replace("112.0", "113.1")),
            (PIXEL, PIXEL.replace("Android 13", "Android 14").replace("TQ2A.230505.002", "UP1A")),
            (IPHONE, IPHONE.replace("16_4_1", "17_0").replace("16.4", "17.0")),
            ("Acme7-client 3.2.1", "Acme8-client 4.0".to_owned()),
        ];
        for (one, other) in same {
            assert_eq!(read(one).family, read(&other).family, "{one} | {other}");
        }
        let different = [
            (EDGE, EDGE.replace("Windows", "Macintosh")),
            (PIXEL, PIXEL.replace("Pixel 7", "SM-G991B")),
            (IPHONE, IPAD.to_owned()),
            ("Acme-client 3.2.1", "Acme-server 3.2.1".to_owned()),
        ];
        for (one, other) in different {
            assert_ne!(read(one).family, read(&other).family, "{one} | {other}");
        }
    }

    #[test]
    fn the_memo_says_what_reading_says() {
        let key = Key::new([1; 16]);
        let mut memo = Memo::default();
        for text in [EDGE, IPHONE, EDGE, PIXEL, EDGE] {
            let tag = key.tag(Of::Agent, text.as_bytes());
            assert_eq!(memo.read(&key, tag, text), Agent::read(&key, text));
        }
    }
}
