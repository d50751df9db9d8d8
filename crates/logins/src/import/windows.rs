//! Windows' security events: one that says that somebody logged on, asked for a ticket, failed, or changed a password,
//! as a login. The names of fields are Windows' own; where in an object they are depends on who exported it. Not here:
//! the binary log (`evtx`), which comes out as the first of these shapes.
//!
//! | event | is a login of | to |
//! |---|---|---|
//! | 4624, 4625 | `TargetUserName` | the computer |
//! | 4648 | `TargetUserName`, as whom `SubjectUserName` acts: how it ended is not said | `TargetServerName` |
//! | 4672 | `SubjectUserName`: a session got privileges; no login of its own | the computer |
//! | 4768, 4771 | `TargetUserName` | the realm |
//! | 4769 | `TargetUserName` without its realm | `ServiceName` |
//! | 4776 | `TargetUserName` | the computer |
//! | 4723, 4724 | `TargetUserName`: a change of its password | – |

use std::borrow::Cow;

use jiff::tz::TimeZone;
use risk::{Act, Outcome};
use serde_json::Value;

use super::json::{address, as_text, field, text};
use super::time;
use crate::login::Login;
use crate::problem::Wrong;
use crate::text::shown;
use crate::why;

const WANTED: [u64; 10] = [4624, 4625, 4648, 4672, 4723, 4724, 4768, 4769, 4771, 4776];
/// Names of Windows that stand for nobody.
const NULL_SID: &str = "S-1-0-0";
const NOBODY: &str = "-";

/// The login of an event, or nothing.
pub(super) fn login(value: &Value) -> Result<Option<Login<'_>>, Wrong> {
    let Some(event) = Event::find(value)? else { return Ok(None) };
    if !WANTED.contains(&event.number) || !event.is_security() {
        return Ok(None);
    }
    event.login().map(Some)
}

/// Where a shape keeps what.
struct Event<'v> {
    number: u64,
    time: Option<&'v Value>,
    computer: Option<Cow<'v, str>>,
    record: Option<Cow<'v, str>>,
    channel: Option<Cow<'v, str>>,
    keywords: Option<&'v Value>,
    data: Data<'v>,
}

/// Where the fields of an event are.
enum Data<'v> {
    /// In an object, whose keys may begin with some words.
    Object(&'v Value, &'static str),
    /// In elements that name themselves, as conversions from XML leave them.
    List(&'v [Value]),
}

impl<'v> Data<'v> {
    fn of(value: &'v Value) -> Self {
        match value.get("Data").and_then(Value::as_array) {
            Some(list) => Self::List(list),
            None => Self::Object(value, ""),
        }
    }

    fn get(&self, name: &str) -> Option<&'v Value> {
        match self {
            Self::Object(object, "") => field(object, name),
            Self::Object(object, before) => object.get(format!("{before}{name}")),
            Self::List(list) => {
                let is_it = |element: &&Value| {
                    ["@Name", "Name", "@name"]
                        .iter()
                        .any(|key| element.get(key).and_then(Value::as_str) == Some(name))
                };
                let found = list.iter().find(is_it)?;
                ["#text", "text", "Value", "_"].iter().find_map(|key| found.get(key))
            }
        }
    }

    /// The text of a field, unless it is a dash, Windows' word for nothing.
    fn text(&self, name: &str) -> Option<Cow<'v, str>> {
        self.get(name).and_then(as_text).filter(|text| !matches!(text.as_ref(), "-" | ""))
    }
}

impl<'v> Event<'v> {
    /// The event in an object, when it is one of Windows at all.
    fn find(value: &'v Value) -> Result<Option<Self>, Wrong> {
        let root = value.get("_source").unwrap_or(value);
        let event = root.get("Event").unwrap_or(root);
        let found = if let Some(system) = event.get("System") {
            Self::of_system(event, system)
        } else if let Some(winlog) = root.get("winlog") {
            Self::of_winlog(root, winlog)
        } else if let Some(data) = root.get("event_data") {
            Self::of_flat(root, Data::of(data))
        } else if root.get("winlog.event_id").is_some() {
            Self::of_dotted(root)
        } else {
            let data = field(root, "EventData").filter(|data| data.is_object());
            Self::of_flat(root, data.map_or(Data::Object(root, ""), Data::of))
        };
        found
            .map(Some)
            .or_else(|wrong| if root.is_object() && is_other(root) { Ok(None) } else { Err(wrong) })
    }

    /// As evtx_dump and conversions from XML have it, and Velociraptor.
    fn of_system(event: &'v Value, system: &'v Value) -> Result<Self, Wrong> {
        static NONE: Value = Value::Null;
        let inner = |value: &'v Value| {
            let keys = ["#text", "Value", "#attributes", "@SystemTime", "SystemTime"];
            let mut value = value;
            while let Some(within) = keys.iter().find_map(|key| value.get(key)) {
                value = within;
            }
            value
        };
        let data = event.get("EventData").or_else(|| event.get("UserData")).unwrap_or(&NONE);
        Ok(Self {
            number: number(field(system, "EventID").map(inner), "Event.System.EventID")?,
            time: field(system, "TimeCreated").map(inner),
            computer: text(system, "Computer"),
            record: text(system, "EventRecordID"),
            channel: text(system, "Channel"),
            keywords: field(system, "Keywords"),
            data: Data::of(data),
        })
    }

    /// As Winlogbeat and Elastic Agent have it.
    fn of_winlog(root: &'v Value, winlog: &'v Value) -> Result<Self, Wrong> {
        static NONE: Value = Value::Null;
        let code = field(winlog, "event_id").or_else(|| root.get("event")?.get("code"));
        Ok(Self {
            number: number(code, "winlog.event_id")?,
            time: root.get("@timestamp"),
            computer: text(winlog, "computer_name"),
            record: text(winlog, "record_id"),
            channel: text(winlog, "channel"),
            keywords: field(winlog, "keywords"),
            data: Data::Object(winlog.get("event_data").unwrap_or(&NONE), ""),
        })
    }

    /// The same with its keys joined by dots.
    fn of_dotted(root: &'v Value) -> Result<Self, Wrong> {
        Ok(Self {
            number: number(root.get("winlog.event_id"), "winlog.event_id")?,
            time: root.get("@timestamp"),
            computer: text(root, "winlog.computer_name"),
            record: text(root, "winlog.record_id"),
            channel: text(root, "winlog.channel"),
            keywords: root.get("winlog.keywords"),
            data: Data::Object(root, "winlog.event_data."),
        })
    }

    /// As NXLog, older Winlogbeat and Log Analytics have it: everything beside each other.
    fn of_flat(root: &'v Value, data: Data<'v>) -> Result<Self, Wrong> {
        let first = |names: &[&str]| names.iter().find_map(|name| field(root, name));
        let first_text = |names: &[&str]| names.iter().find_map(|name| text(root, name));
        Ok(Self {
            // By its exact name: AWS has an `eventID` that is something else.
            number: number(root.get("EventID").or_else(|| root.get("event_id")), "EventID")?,
            time: first(&["@timestamp", "TimeCreated", "TimeGenerated", "EventTime", "UtcTime"]),
            computer: first_text(&["Hostname", "Computer", "computer_name", "ComputerName", "MachineName"]),
            record: first_text(&["RecordNumber", "EventRecordID", "record_number", "RecordId"]),
            channel: first_text(&["Channel", "log_name", "LogName", "EventLog"]),
            keywords: first(&["Keywords", "EventType"]),
            data,
        })
    }

    /// Other logs use the same numbers for other things.
    fn is_security(&self) -> bool {
        self.channel.as_deref().is_none_or(|channel| channel.eq_ignore_ascii_case("Security"))
    }

    fn login(&self) -> Result<Login<'v>, Wrong> {
        let time_ms = match self.time {
            None => return Err(Wrong::new("TimeCreated", "missing")),
            Some(given) => time::value(given, &TimeZone::UTC).ok_or_else(|| {
                Wrong::new("TimeCreated", format!("`{}` is no time", shown(&given.to_string())))
            })?,
        };
        let act = match self.number {
            4672 => Act::Reuse,
            4723 | 4724 => Act::PasswordChange,
            _ => Act::Logon,
        };
        let (outcome, status) = self.outcome()?;
        let mut login = Login::new(time_ms, self.user(), act, outcome);
        login.ip = self.address();
        login.host =
            self.data.text("WorkstationName").or_else(|| self.data.text("Workstation")).map(unslashed);
        login.target = self.target();
        login.agent = self.agent();
        login.session = self.session();
        login.id = self.computer.as_ref().zip(self.record.as_ref()).map(|(computer, record)| {
            // Numbers begin again when a log is cleared.
            Cow::Owned(format!("{computer}/{record}/{time_ms}"))
        });
        login.aside.event_code = Some(Cow::Owned(self.number.to_string()));
        login.aside.status_code = status;
        login.aside.logon_type = self.data.text("LogonType").and_then(|number| number.parse().ok());
        Ok(login)
    }

    /// The name; without one, the security identifier; without that, nobody.
    fn user(&self) -> Cow<'v, str> {
        let (name, sid) = match self.number {
            4672 => ("SubjectUserName", "SubjectUserSid"),
            _ => ("TargetUserName", "TargetUserSid"),
        };
        let sid = || self.data.text(sid).filter(|sid| sid != NULL_SID);
        let name = self.data.text(name).or_else(sid).unwrap_or(Cow::Borrowed(NOBODY));
        match (self.number, &name) {
            // Service tickets are asked for by name@REALM, and the ticket before them by name.
            (4769, Cow::Borrowed(given)) => {
                Cow::Borrowed(given.split_once('@').map_or(*given, |(name, _)| name))
            }
            _ => name,
        }
    }

    fn outcome(&self) -> Result<(Outcome, Option<Cow<'v, str>>), Wrong> {
        let failed = |codes: &[&Option<Cow<'v, str>>]| {
            Outcome::Failure(why::why(codes.iter().map(|code| code.as_deref())))
        };
        let status = self.code("Status");
        Ok(match self.number {
            4624 | 4672 => (Outcome::Success, None),
            4648 => (Outcome::Unknown, None),
            4625 => {
                let reason = self.data.text("FailureReason");
                let sub = self.code("SubStatus");
                let outcome = failed(&[&sub, &status, &reason]);
                let is_told = sub.as_deref().is_some_and(|sub| why::code(sub).is_some());
                (outcome, if is_told { sub } else { status })
            }
            4768 | 4769 | 4771 | 4776 => {
                let status = status.or_else(|| self.code("ResultCode")).or_else(|| self.code("FailureCode"));
                let Some(code) = status else { return Err(Wrong::new("Status", "missing")) };
                let digits = code.strip_prefix("0x").or_else(|| code.strip_prefix("0X"));
                let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
                match number {
                    None => {
                        return Err(Wrong::new(
                            "Status",
                            format!("`{}` is no hexadecimal number", shown(&code)),
                        ));
                    }
                    Some(0) if self.number != 4771 => (Outcome::Success, Some(code)),
                    Some(_) => (failed(&[&Some(code.clone())]), Some(code)),
                }
            }
            _ => (self.audited(), None),
        })
    }

    /// A code as `0x…`, whatever an exporter made of it.
    fn code(&self, name: &str) -> Option<Cow<'v, str>> {
        match self.data.get(name)? {
            Value::Number(number) => Some(Cow::Owned(format!("0x{:X}", number.as_u64()?))),
            value => as_text(value).filter(|code| code != NOBODY),
        }
    }

    /// What the audit's keywords say: bit 52 of the number, or the words.
    fn audited(&self) -> Outcome {
        let Some(keywords) = self.keywords else { return Outcome::Success };
        let said = keywords.to_string().to_ascii_lowercase();
        let is_failure = said.contains("fail") || said.contains("0x8010") || said == "-9218868437227405312";
        if is_failure { Outcome::Failure(risk::Why::Other) } else { Outcome::Success }
    }

    /// Where from; a machine's own loopback says nothing of it.
    fn address(&self) -> Option<std::net::IpAddr> {
        let text = self.data.text("IpAddress").or_else(|| self.data.text("ClientAddress"))?;
        address(&text).filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
    }

    fn target(&self) -> Option<Cow<'v, str>> {
        let of_event = match self.number {
            4648 => self.data.text("TargetServerName").filter(|name| name != "localhost"),
            4768 | 4771 => self.data.text("TargetDomainName").or_else(|| self.data.text("ServiceName")),
            4769 => self.data.text("ServiceName"),
            4723 | 4724 => return None,
            _ => None,
        };
        of_event.or_else(|| self.computer.clone())
    }

    /// What speaks for the client's software: the authentication package and the kind of logon, in words, because
    /// numbers in an agent are taken for versions.
    fn agent(&self) -> Option<Cow<'v, str>> {
        let package = match self.number {
            4768 | 4769 | 4771 => Some(Cow::Borrowed("Kerberos")),
            4776 => Some(Cow::Borrowed("NTLM")),
            _ => self.data.text("LmPackageName").or_else(|| self.data.text("AuthenticationPackageName")),
        };
        let kind = match self.data.text("LogonType").as_deref() {
            Some("2") => " interactive",
            Some("3") => " network",
            Some("4") => " batch",
            Some("5") => " service",
            Some("7") => " unlock",
            Some("8") => " cleartext",
            Some("9") => " new credentials",
            Some("10") => " remote",
            Some("11" | "12" | "13") => " cached",
            _ => return package,
        };
        Some(Cow::Owned(format!("{}{kind}", package.as_deref().unwrap_or("Windows"))))
    }

    fn session(&self) -> Option<Cow<'v, str>> {
        let logon = match self.number {
            4624 => self.data.text("TargetLogonId"),
            4672 => self.data.text("SubjectLogonId"),
            _ => None,
        };
        let logon = logon.filter(|logon| logon != "0x0")?;
        self.computer.as_ref().map(|computer| Cow::Owned(format!("{computer}/{logon}")))
    }
}

fn number(of: Option<&Value>, key: &str) -> Result<u64, Wrong> {
    let Some(value) = of else { return Err(Wrong::new(key, "missing: no event of Windows")) };
    let text = as_text(value);
    text.and_then(|text| text.trim().parse().ok())
        .ok_or_else(|| Wrong::new(key, format!("`{}` is no number", shown(&value.to_string()))))
}

/// An object of another product in the same file: it has a time and names no Windows event.
fn is_other(root: &Value) -> bool {
    root.get("@timestamp").is_some() && root.get("EventID").is_none()
}

/// Old clients write `\\NAME`.
fn unslashed(name: Cow<'_, str>) -> Cow<'_, str> {
    match name {
        Cow::Borrowed(name) => Cow::Borrowed(name.trim_start_matches('\\')),
        Cow::Owned(name) => Cow::Owned(name.trim_start_matches('\\').to_owned()),
    }
}
