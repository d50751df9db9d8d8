//! Microsoft Entra and Office 365.

use serde_json::{Value, json};

use super::*;

const AT: &str = "2024-05-01T10:00:00Z";

fn sign_in(over: Value) -> Value {
    let mut record = json!({
        "id": "e1", "createdDateTime": AT, "userPrincipalName": "ana@example.org", "userId": "u1",
        "appDisplayName": "Portal", "ipAddress": "203.0.113.9", "clientAppUsed": "Browser",
        "status": { "errorCode": 0, "failureReason": "Other." },
    });
    merge(&mut record, over);
    record
}

fn merge(record: &mut Value, over: Value) {
    let (Some(record), Value::Object(over)) = (record.as_object_mut(), over) else { panic!("objects") };
    record.extend(over);
}

fn entra(over: Value, wanted: &str) {
    check(Format::Entra, &sign_in(over).to_string(), &[&format!("{AT} {wanted}")]);
}

#[test]
fn a_sign_in_of_graph() {
    entra(json!({}), "logon ok ana@example.org ip=203.0.113.9 target=Portal id=e1 code=0");
    entra(
        json!({
            "userAgent": "Mozilla/5.0", "resourceDisplayName": "Graph", "sessionId": "s1",
            "authenticationRequirement": "multiFactorAuthentication", "autonomousSystemNumber": 3320,
            "deviceDetail": { "deviceId": "d1", "browser": "Edge 120", "operatingSystem": "Windows 10" },
            "location": { "city": "Ulm", "countryOrRegion": "DE",
                          "geoCoordinates": { "latitude": 48.4, "longitude": 10.0 } },
        }),
        "logon ok ana@example.org ip=203.0.113.9 country=DE asn=3320 point=48.4,10 agent=Mozilla/5.0 host=d1 target=Graph \
         session=s1 mfa=yes id=e1 code=0",
    );
    entra(
        json!({ "deviceDetail": { "deviceId": "", "browser": "Edge 120", "operatingSystem": "Windows 10" } }),
        "logon ok ana@example.org ip=203.0.113.9 agent=Edge 120 (Windows 10) target=Portal id=e1 code=0",
    );
    entra(
        json!({ "isInteractive": false, "ipAddress": "2001:db8::1" }),
        "reuse ok ana@example.org ip=2001:db8::1 target=Portal id=e1 code=0",
    );
    for (code, wanted) in [
        (50126, "Password"),
        (50034, "UnknownUser"),
        (50053, "Locked"),
        (50057, "Locked"),
        (500_121, "Factor"),
        (50074, "Factor"),
        (53003, "Other"),
        (50140, "?"),
    ] {
        entra(
            json!({ "status": { "errorCode": code } }),
            &format!("logon {wanted} ana@example.org ip=203.0.113.9 target=Portal id=e1 code={code}"),
        );
    }
}

#[test]
fn a_sign_in_of_azure_monitor_and_of_log_analytics() {
    let wanted = format!(
        "{AT} logon Password ana@example.org ip=203.0.113.9 country=DE target=Portal id=e1 code=50126"
    );
    let failed = sign_in(json!({ "status": { "errorCode": 50126 } }));
    let exported = json!({
        "time": AT, "category": "SignInLogs", "operationName": "Sign-in activity", "resultType": "50126",
        "location": "DE", "callerIpAddress": "203.0.113.9", "properties": failed,
    });
    let wanted_export = wanted.clone();
    check(Format::Entra, &exported.to_string(), &[&wanted_export]);
    let row = json!({
        "TimeGenerated": AT, "Type": "SigninLogs", "UserPrincipalName": "ana@example.org", "AppDisplayName": "Portal",
        "IPAddress": "203.0.113.9", "ResultType": "50126", "Location": "DE", "Id": "e1", "UserId": "u1",
        "DeviceDetail": "{\"deviceId\":\"d9\"}",
    });
    let wanted_row = wanted.replace(" target", " host=d9 target");
    check(Format::Entra, &row.to_string(), &[&wanted_row]);
    // Pages, as Graph gives them, and what a storage account holds.
    let page = json!({ "@odata.context": "x", "value": [exported, exported] });
    check(Format::Entra, &page.to_string(), &[&wanted_export, &wanted_export]);
    check(Format::Entra, &json!({ "records": [exported] }).to_string(), &[&wanted_export]);
    check(Format::Entra, &json!([exported, exported]).to_string(), &[&wanted_export, &wanted_export]);
    let other = json!({ "time": AT, "category": "AuditLogs", "operationName": "Add user", "properties": {} });
    assert_eq!(check(Format::Entra, &other.to_string(), &[]).others, 1);
    check(Format::Entra, "{\"a\":1}", &["line 1: status.errorCode: missing: no sign-in of Microsoft Entra"]);
    check(
        Format::Entra,
        &sign_in(json!({ "ipAddress": "x" })).to_string(),
        &["line 1: ipAddress: `x` is no IP address"],
    );
}

fn audited(over: Value) -> Value {
    let mut record = json!({
        "CreationTime": "2024-05-01T10:00:00", "Id": "r1", "Operation": "UserLoggedIn", "RecordType": 15,
        "ResultStatus": "Success", "UserId": "ana@example.org", "Workload": "AzureActiveDirectory",
        "ClientIP": "203.0.113.9",
    });
    merge(&mut record, over);
    record
}

fn o365(over: Value, wanted: &str) {
    check(Format::O365, &audited(over).to_string(), &[&format!("{AT} {wanted}")]);
}

#[test]
fn logins_of_office() {
    let end = "target=AzureActiveDirectory id=r1";
    o365(json!({}), &format!("logon ok ana@example.org ip=203.0.113.9 {end}"));
    o365(
        json!({ "ClientIP": "203.0.113.9:4711" }),
        &format!("logon ok ana@example.org ip=203.0.113.9 {end}"),
    );
    o365(
        json!({ "ClientIP": "[2001:db8::1]:4711" }),
        &format!("logon ok ana@example.org ip=2001:db8::1 {end}"),
    );
    o365(json!({ "ClientIP": "2001:db8::1" }), &format!("logon ok ana@example.org ip=2001:db8::1 {end}"));
    o365(json!({ "ClientIP": "" }), &format!("logon ok ana@example.org {end}"));
    o365(
        json!({
            "ExtendedProperties": [{ "Name": "UserAgent", "Value": "Mozilla/5.0" }, { "Name": "x", "Value": "y" }],
            "DeviceProperties": [{ "Name": "OS", "Value": "Windows" }, { "Name": "SessionId", "Value": "s1" }],
            "ApplicationId": "a1",
        }),
        "logon ok ana@example.org ip=203.0.113.9 agent=Mozilla/5.0 target=a1 session=s1 id=r1",
    );
    for (number, error, wanted) in [
        ("50126", "InvalidUserNameOrPassword", "Password"),
        ("50034", "UserAccountNotFound", "UnknownUser"),
        ("50053", "IdsLocked", "Locked"),
        ("500121", "AuthenticationFailedSasError", "Factor"),
    ] {
        o365(
            json!({ "Operation": "UserLoginFailed", "ErrorNumber": number, "LogonError": error }),
            &format!("logon {wanted} ana@example.org ip=203.0.113.9 {end} code={number}"),
        );
    }
    o365(
        json!({ "Operation": "UserLoginFailed", "LogonError": "InvalidUserNameOrPassword" }),
        &format!("logon Password ana@example.org ip=203.0.113.9 {end} code=InvalidUserNameOrPassword"),
    );
}

#[test]
fn changes_of_office() {
    let of = |operation: &str, wanted: &str| {
        o365(
            json!({ "Operation": operation, "UserId": "admin@example.org", "ObjectId": "ana@example.org" }),
            &format!("{wanted} change ok ana@example.org ip=203.0.113.9 id=r1"),
        );
    };
    of("Change user password.", "password");
    of("Reset user password.", "password");
    of("User registered security info", "factor");
    of("Disable Strong Authentication.", "factor");
    let update = |name: &str| {
        audited(json!({
            "Operation": "Update user.", "ObjectId": "bo@example.org",
            "ModifiedProperties": [{ "Name": name, "NewValue": "[]", "OldValue": "[]" }],
        }))
    };
    let wanted = format!("{AT} factor change ok bo@example.org ip=203.0.113.9 id=r1");
    check(Format::O365, &update("StrongAuthenticationMethod").to_string(), &[&wanted]);
    assert_eq!(check(Format::O365, &update("DisplayName").to_string(), &[]).others, 1);
    assert_eq!(
        check(Format::O365, &audited(json!({ "Operation": "FileAccessed" })).to_string(), &[]).others,
        1
    );
    check(Format::O365, "{}", &["line 1: Operation: missing: no record of the unified audit log"]);
    check(
        Format::O365,
        &audited(json!({ "ClientIP": "somewhere" })).to_string(),
        &["line 1: ClientIP: `somewhere` is no IP address"],
    );
}
