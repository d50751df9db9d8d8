//! Windows' events, in the shapes that exporters make of them.

use serde_json::{Value, json};

use super::*;

const AT: &str = "2024-05-01T10:00:00Z";

/// As evtx_dump prints an event.
fn dumped(number: u64, data: Value) -> Value {
    json!({ "Event": {
        "#attributes": { "xmlns": "http://schemas.microsoft.com/win/2004/08/events/event" },
        "System": {
            "Provider": { "#attributes": { "Name": "Microsoft-Windows-Security-Auditing" } },
            "EventID": number, "Keywords": "0x8020000000000000", "Channel": "Security",
            "TimeCreated": { "#attributes": { "SystemTime": AT } },
            "EventRecordID": 9, "Computer": "dc.example.org",
        },
        "EventData": data,
    } })
}

fn event(number: u64, data: Value, wanted: &str) {
    let wanted = format!("{AT} {wanted}");
    check(Format::EvtxJson, &dumped(number, data).to_string(), &[&wanted]);
}

#[test]
fn each_kind_of_event() {
    let id = "id=dc.example.org/9/1714557600000";
    event(
        4624,
        json!({
            "TargetUserName": "ana", "TargetUserSid": "S-1-5-21-1", "TargetLogonId": "0x1f", "LogonType": 10,
            "AuthenticationPackageName": "Negotiate", "LmPackageName": "-", "WorkstationName": "LAP1",
            "IpAddress": "203.0.113.9", "IpPort": "0",
        }),
        &format!(
            "logon ok ana ip=203.0.113.9 agent=Negotiate remote host=LAP1 target=dc.example.org session=dc.example.org/0x1f {id}"
        ),
    );
    for (sub, status, wanted) in [
        ("0xc0000064", "0xc000006d", "UnknownUser"),
        ("0xc000006a", "0xc000006d", "Password"),
        ("0xc0000234", "0xc0000234", "Locked"),
        ("0xc0000072", "0xc000006e", "Locked"),
        ("0xc0000193", "0xc0000193", "Locked"),
        ("0xc0000071", "0xc000006e", "Other"),
    ] {
        event(
            4625,
            json!({
                "TargetUserName": "ana", "TargetUserSid": "S-1-0-0", "Status": status, "SubStatus": sub, "LogonType": 3,
                "LmPackageName": "NTLM V2", "WorkstationName": "-", "IpAddress": "::ffff:203.0.113.9",
            }),
            &format!(
                "logon {wanted} ana ip=203.0.113.9 agent=NTLM V2 network target=dc.example.org {id} code={sub}"
            ),
        );
    }
    event(
        4625,
        json!({ "TargetUserName": "ana", "Status": 3_221_225_581_u64, "SubStatus": "0x0", "IpAddress": "-" }),
        &format!("logon Password ana target=dc.example.org {id} code=0xC000006D"),
    );
    event(
        4648,
        json!({ "SubjectUserName": "bo", "TargetUserName": "ana", "TargetServerName": "srv1", "IpAddress": "::1" }),
        &format!("logon ? ana target=srv1 {id}"),
    );
    event(
        4672,
        json!({ "SubjectUserName": "ana", "SubjectLogonId": "0x1f", "PrivilegeList": "SeDebugPrivilege" }),
        &format!("reuse ok ana target=dc.example.org session=dc.example.org/0x1f {id}"),
    );
    event(
        4768,
        json!({ "TargetUserName": "ana", "TargetDomainName": "EXAMPLE", "ServiceName": "krbtgt", "Status": "0x0",
                "IpAddress": "::ffff:10.0.0.7" }),
        &format!("logon ok ana ip=10.0.0.7 agent=Kerberos target=EXAMPLE {id} code=0x0"),
    );
    event(
        4768,
        json!({ "TargetUserName": "ana", "TargetDomainName": "EXAMPLE", "Status": "0x6", "IpAddress": "10.0.0.7" }),
        &format!("logon UnknownUser ana ip=10.0.0.7 agent=Kerberos target=EXAMPLE {id} code=0x6"),
    );
    event(
        4769,
        json!({ "TargetUserName": "ana@EXAMPLE.ORG", "ServiceName": "SQL1$", "Status": "0x0", "IpAddress": "10.0.0.7" }),
        &format!("logon ok ana ip=10.0.0.7 agent=Kerberos target=SQL1$ {id} code=0x0"),
    );
    event(
        4771,
        json!({ "TargetUserName": "ana", "ServiceName": "krbtgt/EXAMPLE", "Status": "0x18", "IpAddress": "10.0.0.7" }),
        &format!("logon Password ana ip=10.0.0.7 agent=Kerberos target=krbtgt/EXAMPLE {id} code=0x18"),
    );
    event(
        4776,
        json!({ "PackageName": "MICROSOFT_AUTHENTICATION_PACKAGE_V1_0", "TargetUserName": "ana",
                "Workstation": "\\\\LAP1", "Status": "0xc000006a" }),
        &format!("logon Password ana agent=NTLM host=LAP1 target=dc.example.org {id} code=0xc000006a"),
    );
    event(
        4724,
        json!({ "TargetUserName": "ana", "SubjectUserName": "admin" }),
        &format!("password change ok ana {id}"),
    );
    let mut refused = dumped(4723, json!({ "TargetUserName": "ana" }));
    refused["Event"]["System"]["Keywords"] = json!("0x8010000000000000");
    check(Format::EvtxJson, &refused.to_string(), &[&format!("{AT} password change Other ana {id}")]);
}

#[test]
fn somebody_without_a_name_is_known_by_what_there_is() {
    let end = "target=dc.example.org id=dc.example.org/9/1714557600000";
    event(
        4624,
        json!({ "TargetUserName": "-", "TargetUserSid": "S-1-5-7" }),
        &format!("logon ok S-1-5-7 {end}"),
    );
    event(4625, json!({ "TargetUserName": "", "TargetUserSid": "S-1-0-0" }), &format!("logon Other - {end}"));
}

#[test]
fn the_shapes_of_exporters() {
    let data = json!({ "TargetUserName": "ana", "LogonType": "3", "IpAddress": "10.0.0.7" });
    let wanted = format!(
        "{AT} logon ok ana ip=10.0.0.7 agent=Windows network target=dc.example.org id=dc.example.org/9/1714557600000"
    );
    let mut flat = json!({
        "EventID": 4624, "@timestamp": "2024-05-01T10:00:00.000Z", "Hostname": "dc.example.org", "Channel": "security",
        "RecordNumber": 9, "EventTime": "2024-05-01 12:00:00", "Keywords": -9_214_364_837_600_034_816_i64,
    });
    flat.as_object_mut().unwrap().extend(data.as_object().unwrap().clone());
    let winlog = json!({
        "event_id": "4624", "computer_name": "dc.example.org", "record_id": 9, "channel": "Security",
        "event_data": data,
    });
    let pairs: Vec<Value> = data
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| json!({ "@Name": name, "#text": value }))
        .collect();
    for shape in [
        dumped(4624, data.clone()),
        flat.clone(),
        json!({ "@timestamp": AT, "winlog": winlog, "event": { "code": "4624" }, "host": { "name": "x" } }),
        json!({ "_index": "w", "_source": { "@timestamp": AT, "winlog": winlog } }),
        json!({
            "@timestamp": AT, "event_id": 4624, "computer_name": "dc.example.org", "record_number": "9",
            "log_name": "Security", "event_data": data,
        }),
        json!({
            "@timestamp": AT, "winlog.event_id": 4624, "winlog.computer_name": "dc.example.org",
            "winlog.record_id": 9, "winlog.channel": "Security", "winlog.event_data.TargetUserName": "ana",
            "winlog.event_data.LogonType": "3", "winlog.event_data.IpAddress": "10.0.0.7",
        }),
        json!({ "Event": {
            "System": {
                "EventID": { "#text": "4624", "@Qualifiers": "0" }, "TimeCreated": { "@SystemTime": AT },
                "EventRecordID": "9", "Computer": "dc.example.org", "Channel": "Security",
            },
            "EventData": { "Data": pairs },
        } }),
        json!({
            "System": {
                "EventID": { "Value": 4624 }, "TimeCreated": { "SystemTime": 1_714_557_600.0 }, "EventRecordID": 9,
                "Computer": "dc.example.org", "Channel": "Security",
            },
            "EventData": data,
        }),
    ] {
        check(Format::EvtxJson, &shape.to_string(), &[&wanted]);
        check(Format::EvtxJson, &serde_json::to_string_pretty(&shape).unwrap(), &[&wanted]);
    }
}

#[test]
fn other_events_are_passed_over_and_wrong_ones_told() {
    let other = |value: Value| {
        let counts = check(Format::EvtxJson, &value.to_string(), &[]);
        assert_eq!(counts.others, 1);
    };
    other(dumped(4688, json!({})));
    let mut elsewhere = dumped(4624, json!({ "TargetUserName": "ana" }));
    elsewhere["Event"]["System"]["Channel"] = json!("Application");
    other(elsewhere);
    other(json!({ "@timestamp": AT, "eventID": "ab-12", "eventName": "ConsoleLogin" }));
    let wrong = |value: Value, wanted: &str| {
        check(Format::EvtxJson, &value.to_string(), &[wanted]);
    };
    wrong(json!({ "a": 1 }), "line 1: EventID: missing: no event of Windows");
    wrong(json!({ "EventID": "logon" }), "line 1: EventID: `\"logon\"` is no number");
    wrong(json!({ "EventID": 4624 }), "line 1: TimeCreated: missing");
    wrong(json!({ "EventID": 4624, "TimeCreated": "soon" }), "line 1: TimeCreated: `\"soon\"` is no time");
    wrong(dumped(4776, json!({ "TargetUserName": "a" })), "line 1: Status: missing");
    wrong(dumped(4776, json!({ "Status": "bad" })), "line 1: Status: `bad` is no hexadecimal number");
}

#[test]
fn what_is_no_log_is_refused() {
    for (format, bytes, wanted) in [
        (Format::Evtx, b"no log at all".to_vec(), "no Windows event log"),
        (Format::EvtxJson, b"ElfFile\0".to_vec(), "`evtx`"),
        (Format::EvtxJson, b"\x1f\x8b\x08\0".to_vec(), "zcat"),
        (Format::Sshd, b"\xff\xfea\0".to_vec(), "iconv"),
    ] {
        let input = Input::Stream(Box::new(Cursor::new(bytes)));
        let error = read(format, input, &options(), &mut |_| ControlFlow::Continue(())).unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}");
    }
}
