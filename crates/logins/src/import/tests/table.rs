//! Tables and mapping files.

use super::*;

const MAP: &str = r#"
product = "Example VPN"
[columns]
time = "Login Timestamp"
user = "User ID"
ip = "IP Address"
country = "Country"
asn = "ASN"
agent = "User Agent String"
rtt_ms = "Round-Trip Time [ms]"
outcome = "Login Successful"
[time]
format = "%Y-%m-%d %H:%M:%S%.f"
[constants]
target = "sso"
[values.outcome]
True = "success"
False = "password"
"#;
const HEADER: &str = "index,Login Timestamp,User ID,Round-Trip Time [ms],IP Address,Country,Region,ASN,User Agent String,Login Successful\n";

fn mapped(map: &str) -> Options {
    Options { map: Some(Map::parse(map).unwrap()), ..options() }
}

fn rows(map: &str, text: &str, wanted: &[&str]) -> Counts {
    check_with(Format::Csv, &mapped(map), text, wanted)
}

#[test]
fn rows_are_read_as_the_map_says() {
    let text = [
        HEADER,
        "0,2020-02-03 12:43:30.772,-43,35,10.0.65.171,NO,-,29695,\"Mozilla/5.0 (iPhone, like Mac)\",False\n",
        "1,2020-02-03 12:43:31,ana,,2001:db8::1,de,-,AS3320,,True\n",
    ];
    rows(
        MAP,
        &text.concat(),
        &[
            "2020-02-03T12:43:30.772Z logon Password -43 ip=10.0.65.171 country=NO asn=29695 agent=Mozilla/5.0 (iPhone, like Mac) \
             target=sso rtt=35",
            "2020-02-03T12:43:31Z logon ok ana ip=2001:db8::1 country=DE asn=3320 target=sso",
        ],
    );
    let bare = "delimiter = \"tab\"\nheader = false\n[columns]\ntime = \"2\"\nuser = \"1\"\nact = \"3\"\nmfa = \"4\"\n\
                lat = \"5\"\nlong = \"6\"\nnetwork = \"7\"\n[time]\nformat = \"seconds\"";
    rows(
        bare,
        "ana\t1714557600.5\tpassword_change\t1\t48.5\t9\tmobile\n",
        &["2024-05-01T10:00:00.5Z password change ? ana point=48.5,9 network=mobile mfa=yes"],
    );
    let zoned = "[columns]\ntime = \"t\"\nuser = \"u\"\n[time]\nzone = \"Europe/Berlin\"";
    rows(
        zoned,
        "t,u\n2024-05-01 10:00:00,ana\n2024-05-01T10:00:00Z,ana\n",
        &["2024-05-01T08:00:00Z logon ? ana", "2024-05-01T10:00:00Z logon ? ana"],
    );
}

#[test]
fn a_wrong_value_is_told_with_its_row_and_column() {
    let good = "0,2020-02-03 12:43:30,a,,,,,,,True\n";
    let wrong = |row: &str, wanted: &str| {
        let counts = rows(
            MAP,
            &[HEADER, row, "\n", good].concat(),
            &[wanted, "2020-02-03T12:43:30Z logon ok a target=sso"],
        );
        assert_eq!(counts, Counts { logins: 1, others: 0, problems: 1 });
    };
    wrong("0,soon,a,,,,,,,True", "line 2: Login Timestamp: `soon` is not as [time] says");
    wrong("0,,a,,,,,,,True", "line 2: Login Timestamp: empty");
    wrong("0,2020-02-03 12:43:30,,,,,,,,True", "line 2: User ID: empty");
    wrong(
        "0,2020-02-03 12:43:30,a,,10.0,,,,,True",
        "line 2: IP Address: `10.0` is not an IP address; [values] can map it",
    );
    wrong(
        "0,2020-02-03 12:43:30,a,,,,,,,Maybe",
        "line 2: Login Successful: `Maybe` is not an outcome; [values] can map it",
    );
    wrong(
        "0,2020-02-03 12:43:30,a,-1,,,,,,True",
        "line 2: Round-Trip Time [ms]: `-1` is not milliseconds; [values] can map it",
    );
    wrong("0,2020-02-03 12:43:30", "line 2: 2 columns where the header has 10");
}

#[test]
fn a_mapping_file_that_says_too_little_or_too_much_is_refused() {
    let wrong = |map: &str, wanted: &str| {
        let error = Map::parse(map).unwrap_err();
        assert!(error.contains(wanted), "{error}");
    };
    wrong("", "columns");
    wrong("[columns]\nuser = \"u\"", "`time` and `user`");
    wrong("[columns]\ntime = \"t\"\nuser = \"u\"\nwho = \"w\"", "who");
    wrong("colour = 1\n[columns]\ntime = \"t\"\nuser = \"u\"", "colour");
    wrong("delimiter = \"ab\"\n[columns]\ntime = \"t\"\nuser = \"u\"", "delimiter");
    wrong("[columns]\ntime = \"t\"\nuser = \"u\"\n[time]\nformat = \"iso\"", "time.format");
    wrong("[columns]\ntime = \"t\"\nuser = \"u\"\n[time]\nzone = \"Mars\"", "time.zone");
    let input = Input::Stream(Box::new(Cursor::new("a,b\n1,2\n")));
    let error = read(Format::Csv, input, &mapped(MAP), &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(error.to_string().contains("has no column `Login Timestamp`; it has a, b"), "{error}");
    let path = std::path::Path::new("/nowhere.toml");
    assert!(Map::open(path).unwrap_err().to_string().starts_with("/nowhere.toml: "));
}
