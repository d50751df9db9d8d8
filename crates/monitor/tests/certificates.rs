//! The second key: what a session certificate says, when it is issued, and when it is not issued again.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on may end")]

mod lab;

use std::fs;

use lab::{AOIFE, Lab, Piece, SECOND};
use monitor::monitor::{Answer, Cosigned};
use tlog::{
    entry::Micros,
    hash::{hex, unhex},
    note::{SignedNote, VerifierKey},
};
use x509_parser::{certificate::X509Certificate, pem::parse_x509_pem};

/// Reads a certificate and checks the authority's signature on it.
fn with_certificate(lab: &Lab, pem: &str, check: impl FnOnce(&X509Certificate<'_>)) {
    let (_, pem) = parse_x509_pem(pem.as_bytes()).unwrap();
    let (_, ca) = parse_x509_pem(&fs::read(&lab.made.ca).unwrap()).unwrap();
    let (cert, ca) = (pem.parse_x509().unwrap(), ca.parse_x509().unwrap());
    cert.verify_signature(Some(ca.public_key())).unwrap();
    assert_eq!(cert.issuer(), ca.subject());
    assert!(ca.is_ca() && ca.key_usage().unwrap().unwrap().value.key_cert_sign());
    check(&cert);
}

fn opening(lab: &mut Lab, session: &str) -> Piece {
    lab.gate.open(&AOIFE, session)
}

fn heartbeat(lab: &mut Lab) -> Cosigned {
    let body = lab.gate.batch(&[]);
    match lab.submit(&body) {
        Answer::Cosigned(cosigned) => cosigned,
        other => panic!("not cosigned: {other:?}"),
    }
}

#[test]
fn a_certificate_is_for_one_role_and_one_session() {
    // Ids whose first byte would be dropped or negated by a careless encoding.
    for id in ["00112233445566778899aabbccddeeff", "ff112233445566778899aabbccddeeff"] {
        let mut lab = Lab::started();
        let piece = opening(&mut lab, id);
        let items = [lab.gate.seal(piece)];
        let index = lab.monitor().size();
        let cosigned = lab.accept(&items);
        let (role, now) = (lab.gate.role(&AOIFE, 1), lab.gate.now.0 / SECOND);
        assert_eq!(cosigned.certificates.len(), 1);
        with_certificate(&lab, &cosigned.certificates[&index], |cert| {
            let names: Vec<_> = cert.subject().iter_attributes().map(|name| name.as_str().unwrap()).collect();
            assert_eq!(names, [role.as_str()], "the subject is the role and nothing else");
            let usage = cert.extended_key_usage().unwrap().unwrap().value;
            assert!(usage.client_auth && !usage.server_auth && !usage.any && usage.other.is_empty());
            assert_eq!(
                cert.serial.to_bytes_be(),
                unhex::<16>(id).unwrap().into_iter().skip_while(|b| *b == 0).collect::<Vec<_>>()
            );
            assert!(cert.subject_alternative_name().unwrap().is_none());
            assert!(!cert.is_ca());
            let validity = cert.validity();
            assert_eq!(
                (validity.not_before.timestamp(), validity.not_after.timestamp()),
                (now - 60, now + 60)
            );
        });
    }
}

#[test]
fn cosignatures_verify() {
    let mut lab = Lab::started();
    let cosigned = heartbeat(&mut lab);
    let body = lab.gate.batch(&[]);
    let note = monitor::batch::Batch::parse(&body).unwrap().note.to_owned() + &cosigned.cosignatures.concat();
    let keys: Vec<VerifierKey> =
        [&lab.made.witness, &lab.made.redecided].map(|key| key.parse().unwrap()).to_vec();
    let names: Vec<&str> = keys.iter().map(VerifierKey::name).collect();
    assert_eq!(names, ["europe-monitor.example/witness", "europe-monitor.example/redecided"]);
    let note = SignedNote::parse(&note).unwrap();
    let verified = note.verify(&keys).unwrap();
    let time = u64::try_from(lab.gate.now.0 / SECOND).unwrap();
    assert_eq!(verified.iter().map(|one| one.time).collect::<Vec<_>>(), [Some(time); 2]);
}

/// The answer was lost: the gate posts again, is told the size, and asks with a heartbeat. Before and after a restart
/// of the monitor it gets the same certificate, expiring when the first would have, and only while it is fresh.
#[test]
fn a_lost_answer_is_given_again_while_it_is_fresh() {
    let mut lab = Lab::started();
    let id = lab.gate.session_id();
    let piece = opening(&mut lab, &id);
    let items = [lab.gate.seal(piece)];
    let (index, body) = (lab.monitor().size(), lab.gate.batch(&items));
    lab.accept(&items);
    let received = lab.gate.now.0 / SECOND;
    for restart in [false, true] {
        if restart {
            lab.restart();
        }
        assert_eq!(lab.submit(&body), Answer::Elsewhere(index + 1));
        let again = heartbeat(&mut lab);
        assert_eq!(again.cosignatures.len(), 2);
        with_certificate(&lab, &again.certificates[&index], |cert| {
            assert_eq!(hex(&cert.serial.to_bytes_be()), id.trim_start_matches("00"));
            assert_eq!(cert.validity().not_after.timestamp(), received + 60);
        });
        lab.gate.now.0 += 20 * SECOND;
    }
    lab.gate.now.0 += 41 * SECOND;
    assert_eq!(heartbeat(&mut lab).certificates.len(), 0, "no longer fresh");
    lab.gate.now = Micros((received - 5) * SECOND);
    assert_eq!(heartbeat(&mut lab).certificates.len(), 0, "a clock that went back makes nothing fresh");
}

#[test]
fn what_has_ended_is_not_certified() {
    let mut lab = Lab::started();
    let (first, second) = (lab.gate.session_id(), lab.gate.session_id());
    let pieces = [opening(&mut lab, &first), opening(&mut lab, &second), lab.gate.close(&first, 0, 0)];
    let items = pieces.map(|piece| lab.gate.seal(piece));
    let index = lab.monitor().size();
    let certified: Vec<u64> = lab.accept(&items).certificates.into_keys().collect();
    assert_eq!(certified, [index + 1], "the first is closed already");

    let stale = lab.gate.session_id();
    let piece = opening(&mut lab, &stale);
    let items = [lab.gate.seal(piece)];
    lab.gate.now.0 += 4_000 * SECOND;
    let cosigned = lab.accept(&items);
    assert_eq!(cosigned.certificates.len(), 0, "whoever asked is gone");
}
