//! Any line as an OCSF event: a login, nothing, or what is wrong with which key; and a login that is written reads the
//! same, whatever label it is written with.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logins::login::{Login, TIME_MS_MAX, TIME_MS_MIN};
use logins::ocsf::{Product, Told, read, write, write_labelled};

fuzz_target!(|line: &[u8]| {
    match read(line) {
        Err(wrong) => assert!(!wrong.why.is_empty()),
        Ok(None) => {}
        Ok(Some(login)) => again(login),
    }
});

fn again(mut login: Login<'_>) {
    assert!((TIME_MS_MIN..=TIME_MS_MAX).contains(&login.time_ms) && !login.user.is_empty());
    let product = Product::new("fuzz", "fuzz");
    let (mut plain, mut labelled) = (Vec::new(), Vec::new());
    write(&mut plain, &login.event(), &login.aside, &product).expect("memory");
    let told = Told { label: &login.user, trap: login.target.as_deref() };
    write_labelled(&mut labelled, &login.event(), &product, told).expect("memory");
    let first = read(plain.trim_ascii_end()).expect("what was written").expect("a login");
    assert_eq!(read(labelled.trim_ascii_end()), Ok(Some(first.clone())), "a label changes nothing");
    if matches!(login.act, risk::Act::PasswordChange | risk::Act::FactorChange) {
        // Their class has no fields for these.
        (login.target, login.rtt_ms, login.is_mfa) = (None, None, false);
    }
    assert_eq!(first, login);
}
