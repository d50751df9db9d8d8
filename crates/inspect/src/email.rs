//! E-mail addresses, found around their `@`: RFC 5321 lengths, the local parts that people have, and a domain whose
//! last label is one that exists. Not here: quoted local parts and addresses in brackets.

use crate::text::{at, before, is_letter_byte};
use crate::{Hit, Kind, Validation};

const LOCAL_BYTES_MAX: usize = 64;
const DOMAIN_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// The address around this `@`, beginning at or after `floor`.
pub(crate) fn around(text: &[u8], sign: usize, floor: usize) -> Option<Hit> {
    let start = local(text, sign, floor)?;
    let (end, validation) = domain(text, sign.saturating_add(1))?;
    if at(text, end) == b'@'
        || before(text, start, 1) == b'@'
        || is_userinfo(text, start)
        || is_repository(text, start, sign, end)
    {
        return None;
    }
    Some(Hit::new((start, end), Kind::Email, "", validation))
}

/// Where the local part begins.
fn local(text: &[u8], sign: usize, floor: usize) -> Option<usize> {
    let lowest = floor.max(sign.saturating_sub(LOCAL_BYTES_MAX));
    let mut start = sign;
    while start > lowest && is_local(before(text, start, 1)) {
        start = start.saturating_sub(1);
    }
    // Longer than an address may be, or cut in the middle of a letter.
    if start == lowest && start > floor && is_local(before(text, start, 1)) {
        return None;
    }
    while start < sign && matches!(at(text, start), b'.' | b'\'' | b'-' | b'%' | b'+' | b'~' | 0x80..=0xBF) {
        start = start.saturating_add(1);
    }
    let local = text.get(start..sign)?;
    let dotted = local.windows(2).any(|two| two == b"..") || local.last() == Some(&b'.');
    (!local.is_empty()
        && !dotted
        && local.iter().any(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii()))
    .then_some(start)
}

const fn is_local(byte: u8) -> bool {
    byte.is_ascii_digit()
        || is_letter_byte(byte)
        || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-' | b'~' | b'\'')
}

/// Where the domain ends: after the last label that exists, if any does.
fn domain(text: &[u8], start: usize) -> Option<(usize, Validation)> {
    let mut end = start;
    let mut labels = 0_usize;
    let mut known = None;
    let mut last = (start, start);
    while let Some(label) = label(text, end).filter(|label| label.saturating_sub(start) <= DOMAIN_BYTES_MAX) {
        last = (end, label);
        labels = labels.saturating_add(1);
        if labels > 1 && text.get(end..label).is_some_and(is_top) {
            known = Some(label);
        }
        end = label;
        if at(text, end) != b'.' {
            break;
        }
        end = end.saturating_add(1);
    }
    if let Some(known) = known {
        return Some((known, Validation::Plan));
    }
    let top = text.get(last.0..last.1)?;
    let alphabetic = top.len() >= 2 && top.iter().all(|byte| is_letter_byte(*byte));
    (labels > 1 && alphabetic && !is_file_ending(top)).then_some((last.1, Validation::Form))
}

/// Where the label that begins there ends.
fn label(text: &[u8], start: usize) -> Option<usize> {
    let rest = text.get(start..)?.iter().take(LABEL_BYTES_MAX.saturating_add(1));
    let length =
        rest.take_while(|byte| byte.is_ascii_digit() || is_letter_byte(**byte) || **byte == b'-').count();
    let mut end = start.saturating_add(length);
    while end > start && before(text, end, 1) == b'-' {
        end = end.saturating_sub(1);
    }
    (end > start && length <= LABEL_BYTES_MAX && at(text, start) != b'-').then_some(end)
}

/// `scheme://user:password@host` names an account of a server, and nobody's mailbox.
fn is_userinfo(text: &[u8], start: usize) -> bool {
    for back in 1..=LOCAL_BYTES_MAX {
        match before(text, start, back) {
            b'/' => return before(text, start, back.saturating_add(1)) == b'/',
            byte if byte.is_ascii_alphanumeric()
                || matches!(byte, b':' | b'.' | b'-' | b'_' | b'%' | b'!' | b'$') => {}
            _ => return false,
        }
    }
    false
}

/// `git@host:path`.
fn is_repository(text: &[u8], start: usize, sign: usize, end: usize) -> bool {
    text.get(start..sign).is_some_and(|local| local.eq_ignore_ascii_case(b"git")) && at(text, end) == b':'
}

fn is_top(label: &[u8]) -> bool {
    let listed = |list: &str| list.split(' ').any(|top| label.eq_ignore_ascii_case(top.as_bytes()));
    match label.len() {
        0 | 1 => false,
        2 => listed(COUNTRIES),
        _ => listed(GENERIC) || label.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"xn--")),
    }
}

fn is_file_ending(label: &[u8]) -> bool {
    FILE_ENDINGS.split(' ').any(|ending| label.eq_ignore_ascii_case(ending.as_bytes()))
}

/// Top-level domains of countries and of the European Union, as IANA has delegated them.
const COUNTRIES: &str = "ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs \
    bt bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj \
    fk fm fo fr ga gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it \
    je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp \
    mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa \
    re ro rs ru rw sa sb sc sd se sg sh si sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr \
    tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw";

/// Those of the others that people's mail is at, and the reserved ones of RFC 2606 that documents and tests use.
const GENERIC: &str = "com org net edu gov mil int arpa info biz name pro aero coop museum jobs mobi travel tel cat \
    asia post xxx app dev page blog shop store online site website space tech cloud email work works world life live \
    today news media digital agency company solutions services group team network systems software consulting legal \
    law health care clinic dental doctor academy school university education college institute foundation church bank \
    finance money fund insurance energy green eco bio farm garden house homes estate properties realty restaurant cafe \
    bar pub club fitness yoga fashion style design studio photo photos photography gallery art music band film video \
    tv games game sport football golf wine beer pizza kitchen recipes tours holiday hotel hotels vacations flights \
    taxi car cars auto parts repair tools supply supplies market markets trade trading ventures capital partners \
    expert guru ninja rocks fun cool wtf lol xyz top win vip icu link click download help support guide center \
    city town berlin hamburg koeln cologne bayern ruhr saarland nrw wien tirol amsterdam frl brussels vlaanderen gent \
    paris bzh corsica alsace london scot wales cymru irish madrid barcelona gal eus swiss zuerich stockholm helsinki \
    istanbul moscow nyc boston miami vegas tokyo google microsoft amazon apple bmw audi sap one ltd gmbh inc llc srl \
    plus zone land social community chat codes computer host hosting domains example test invalid";

/// What follows an `@` in names of files and packages.
const FILE_ENDINGS: &str = "png jpg jpeg gif svg webp ico css js mjs cjs ts tsx jsx map json html htm xml yaml yml toml \
    md txt csv tsv log rs py rb go java kt swift cpp hpp php sh bat exe dll so dylib jar war zip gz tgz tar bz xz pdf \
    doc docx xls xlsx ppt pptx mp mov avi wav ogg woff ttf eot service socket timer target local localdomain internal \
    lan corp svc cluster conf cfg ini lock sum";
