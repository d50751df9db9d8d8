//! What a user agent says of itself: browser with version, operating system with version, type of device. The words are
//! those of the columns that the baseline was published with; what nobody would name stays as it came. Not here: user
//! agents without their versions, which the model compares.

/// The parts of a user agent. Borrowed: two agents have a part in common when the words are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Agent<'a> {
    pub(super) browser: (&'a str, &'a str),
    pub(super) system: (&'a str, &'a str),
    pub(super) device: &'static str,
}

/// Marks of browsers, the more particular first: most browsers claim to be Chrome or Safari as well.
const BROWSERS: &[(&str, &str)] = &[
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("Edge/", "Edge"),
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("YaBrowser/", "Yandex"),
    ("Vivaldi/", "Vivaldi"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Trident/", "Internet Explorer"),
    ("MSIE ", "Internet Explorer"),
    ("Version/", "Safari"),
];

/// Marks of operating systems, the more particular first: Android claims to be Linux, an iPhone to be like Mac OS X.
const SYSTEMS: &[(&str, &str)] = &[
    ("Windows NT ", "Windows"),
    ("Windows Phone ", "Windows Phone"),
    ("Android ", "Android"),
    ("iPhone OS ", "iOS"),
    ("CPU OS ", "iOS"),
    ("Mac OS X ", "Mac OS X"),
    ("CrOS ", "Chrome OS"),
    ("Linux", "Linux"),
];

const BOTS: &[&str] = &["bot", "Bot", "crawler", "spider", "Spider"];

impl<'a> Agent<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let is_bot = BOTS.iter().any(|word| text.contains(word));
        let browser = match named(text, BROWSERS) {
            Some(browser) if !is_bot => browser,
            _ => (text, ""),
        };
        let system = named(text, SYSTEMS).unwrap_or(("Other", ""));
        Self { browser, system, device: if is_bot { "bot" } else { device(text, system.0) } }
    }
}

fn device(text: &str, system: &str) -> &'static str {
    let is_mobile = text.contains("Mobile");
    match system {
        "iOS" if text.contains("iPad") => "tablet",
        "Android" if !is_mobile => "tablet",
        "iOS" | "Android" | "Windows Phone" => "mobile",
        "Other" if is_mobile => "mobile",
        "Other" => "unknown",
        _ => "desktop",
    }
}

fn named<'a>(text: &'a str, marks: &[(&str, &'static str)]) -> Option<(&'a str, &'a str)> {
    marks.iter().find_map(|(mark, name)| {
        let after = text.get(text.find(mark)? + mark.len()..)?;
        let end =
            after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '_')).unwrap_or(after.len());
        Some((*name, after.get(..end)?))
    })
}

#[cfg(test)]
mod tests {
    use super::Agent;

    #[test]
    fn agents_are_told_apart_as_the_published_columns_do() {
        let safari = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13.1 Mobile/15E148 Safari/604.1";
        let chrome = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/81.0.4044.138";
        let mac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_4)";
        for (text, browser, system, device) in [
            (
                format!("Mozilla/5.0 (Windows NT 10.0; Win64) {chrome} Safari/537.36"),
                "Chrome 81.0.4044.138",
                "Windows 10.0",
                "desktop",
            ),
            (
                format!("{mac} {chrome} Safari/537.36 Edg/83.0.478.37"),
                "Edge 83.0.478.37",
                "Mac OS X 10_15_4",
                "desktop",
            ),
            (
                format!("Mozilla/5.0 (Linux; Android 10; SM-G973F) {chrome} Mobile Safari/537.36"),
                "Chrome 81.0.4044.138",
                "Android 10",
                "mobile",
            ),
            (
                format!("Mozilla/5.0 (Linux; Android 10; SM-T860) {chrome} Safari/537.36"),
                "Chrome 81.0.4044.138",
                "Android 10",
                "tablet",
            ),
            (
                format!("Mozilla/5.0 (iPhone; CPU iPhone OS 13_4_1 like Mac OS X) {safari}"),
                "Safari 13.1",
                "iOS 13_4_1",
                "mobile",
            ),
            (
                format!("Mozilla/5.0 (iPad; CPU OS 13_5 like Mac OS X) {safari}"),
                "Safari 13.1",
                "iOS 13_5",
                "tablet",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:76.0) Gecko/20100101 Firefox/76.0".to_owned(),
                "Firefox 76.0",
                "Linux ",
                "desktop",
            ),
            ("Googlebot/2.1".to_owned(), "Googlebot/2.1 ", "Other ", "bot"),
            ("SSH-2.0-OpenSSH_9.2".to_owned(), "SSH-2.0-OpenSSH_9.2 ", "Other ", "unknown"),
            (String::new(), " ", "Other ", "unknown"),
        ] {
            let agent = Agent::of(&text);
            assert_eq!(format!("{} {}", agent.browser.0, agent.browser.1), browser, "{text}");
            assert_eq!(format!("{} {}", agent.system.0, agent.system.1), system, "{text}");
            assert_eq!(agent.device, device, "{text}");
        }
    }
}
