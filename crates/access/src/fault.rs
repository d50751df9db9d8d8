//! What goes wrong in a session: whose fault it is, what we log, and separately what the client may see.
//! Not here: refusals of a single statement (those are `relay::Refused`), which end nothing.

use std::fmt;

use record::Why;
use tlog::brake::Order;
use tlog::detail::LoginResponse;

/// Who has to act. Also the label under which a session's end is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The peer broke the protocol, or asked for something no gate offers.
    Client,
    /// Policy denies it.
    Policy,
    /// A site failed.
    Site,
    /// The monitor, or the record's storage, failed.
    Record,
    /// The monitor has stopped it.
    Monitor,
    /// The gate has stopped logins of its source.
    Source,
    /// The gate itself failed.
    Ours,
}

/// What the client is shown: the fields of a PostgreSQL ErrorResponse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Five characters, PostgreSQL appendix A.
    pub sqlstate: &'static str,
    /// One sentence.
    pub message: String,
    /// What to do, where there is something.
    pub hint: Option<String>,
}

/// Why a session ends before the client ends it.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Who has to act.
    pub whose: Whose,
    /// For the gate's own log; may name what the client must not see.
    pub internal: String,
    /// For the client.
    pub shown: Shown,
}

impl Fault {
    /// The peer broke the protocol.
    pub fn protocol(internal: impl Into<String>) -> Self {
        let internal = internal.into();
        let message = format!("protocol violation: {internal}");
        Self::client("08P01", message, None).logged(internal)
    }

    /// The peer asked for what no gate offers.
    pub fn client(sqlstate: &'static str, message: impl Into<String>, hint: Option<&str>) -> Self {
        let message = message.into();
        Self {
            whose: Whose::Client,
            internal: message.clone(),
            shown: Shown { sqlstate, message, hint: hint.map(str::to_owned) },
        }
    }

    /// Policy denies it; always SQLSTATE 42501.
    pub fn policy(message: impl Into<String>, needs: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            whose: Whose::Policy,
            internal: message.clone(),
            shown: Shown { sqlstate: "42501", message, hint: Some(needs.into()) },
        }
    }

    /// A site failed; the client learns that, and not how.
    pub fn site(site: &str, internal: impl Into<String>) -> Self {
        Self {
            whose: Whose::Site,
            internal: format!("site {site}: {}", internal.into()),
            shown: Shown {
                sqlstate: "08006",
                message: format!("site {site} failed; this session is over"),
                hint: Some("Connect again; the gate picks a site that answers.".into()),
            },
        }
    }

    /// A site takes no connection, or not in time.
    pub fn site_silent(site: &str) -> Self {
        Self {
            whose: Whose::Site,
            internal: format!("site {site} does not answer"),
            shown: Shown {
                sqlstate: "08001",
                message: format!("site {site} does not answer"),
                hint: Some("Connect again later; `trefoil status` says which sites answer.".into()),
            },
        }
    }

    /// A site is not as policy says; what differs is named in the log and the record.
    pub fn site_closed(site: &str, why: &str) -> Self {
        Self {
            whose: Whose::Site,
            internal: format!("site {site} is closed: {why}"),
            shown: Shown {
                sqlstate: "57P01",
                message: format!("site {site} is closed, because it is not known to be as policy says"),
                hint: Some("Connect again; the gate picks a site that is as policy says.".into()),
            },
        }
    }

    /// The monitor has stopped this session, or whoever wants one. Its reason is not for who is stopped.
    pub fn braked(order: &Order) -> Self {
        let Order { id, target, until, .. } = order;
        let message = format!("stopped by the monitor: {target} is under brake {id} until {until} at least");
        Self {
            whose: Whose::Monitor,
            internal: format!("brake {id} on {target}"),
            shown: Shown {
                sqlstate: "57P01",
                message,
                hint: Some(
                    "Ask the monitor's operator, and name the brake; the gate cannot lift it. Connect again when it is \
                     lifted."
                        .into(),
                ),
            },
        }
    }

    /// The gate takes no logins from where this one comes from. What was found is not for who is stopped.
    pub fn blocked(response: &LoginResponse) -> Self {
        let LoginResponse { id, principal, source, until, because, .. } = response;
        let whose = principal.as_ref().map_or_else(String::new, |principal| format!(" of \"{principal}\""));
        Self {
            whose: Whose::Source,
            internal: format!("response {id}: logins{whose} from {source} are stopped: {because}"),
            shown: Shown {
                sqlstate: "28000",
                message: format!("logins{whose} from {source} are stopped until {until} (response {id})"),
                hint: Some(
                    "Connect from elsewhere, or ask the gate's operator, and name the response: `trefoil logins \
                     responses undo` takes it back."
                        .into(),
                ),
            },
        }
    }

    /// Whether somebody else than client, site and record ends the session: it has little time to say so.
    pub fn is_stop(&self) -> bool {
        matches!(self.whose, Whose::Monitor | Whose::Source)
    }

    /// The record could not be witnessed: nothing was released.
    pub fn not_witnessed(why: &Why, index: Option<u64>) -> Self {
        let hint = match why {
            Why::Storage(_) | Why::Stopped => {
                "Connect again later; the gate's operator has to mend its storage and start it again."
            }
            _ => {
                "Try again when the monitor answers; its operator and `trefoil status` know why it does not."
            }
        };
        let entry = match (why, index) {
            (_, None) => "no entry was made".to_owned(),
            // Nobody knows what is on a disk that failed.
            (Why::Storage(_), Some(index)) => format!("entry {index}, if the disk took it"),
            (_, Some(index)) => format!("entry {index}"),
        };
        Self::not_recorded(&why.to_string(), &entry, hint)
    }

    /// The monitor has witnessed a session and not opened it.
    pub fn no_certificate(index: u64) -> Self {
        let hint = "Connect again; the monitor's operator knows why it issues none.";
        Self::not_recorded("the monitor issued no certificate", &format!("entry {index}"), hint)
    }

    fn not_recorded(why: &str, entry: &str, hint: &str) -> Self {
        Self {
            whose: Whose::Record,
            internal: format!("not witnessed: {why}; {entry}"),
            shown: Shown {
                sqlstate: "57P03",
                message: format!(
                    "refused: the monitor has not cosigned the record of this, so nothing is released ({why}; {entry})"
                ),
                hint: Some(hint.to_owned()),
            },
        }
    }

    /// The gate itself failed; the client learns no more than that.
    pub fn ours(internal: impl Into<String>) -> Self {
        Self {
            whose: Whose::Ours,
            internal: internal.into(),
            shown: Shown {
                sqlstate: "58000",
                message: "the gate failed; nothing was released".into(),
                hint: None,
            },
        }
    }

    /// The gate is stopping.
    pub fn stopping() -> Self {
        Self {
            whose: Whose::Ours,
            internal: "the gate stops".into(),
            shown: Shown {
                sqlstate: "57P01",
                message: "the gate is stopping; connect again later".into(),
                hint: None,
            },
        }
    }

    fn logged(mut self, internal: String) -> Self {
        self.internal = internal;
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.whose, self.internal)
    }
}

impl std::error::Error for Fault {}
