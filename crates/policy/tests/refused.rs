//! Bundles that are refused, and exactly what is said about each: file, line, key, problem; remedy.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use policy::Bundle;

/// A file, the only place in it that is replaced (empty: the end), what with, and all that is said.
type Case = (&'static str, &'static str, &'static str, &'static str);

#[test]
fn the_enclave() {
    const FILE: &str = "enclave.toml";
    check(&[
        (
            FILE,
            "name = \"europe\"\n",
            "name = \"europe\"\nnmae = \"x\"\n",
            "enclave.toml:5: nmae: unknown field `nmae`, expected one of `name`, `region`, `purposes`, \
             `sessions_per_profile`, `sites`, `places`, `profiles`, `limits`, `statement_seconds_max`, \
             `idle_seconds_max`, `services`, `auditor`, `retention_days_min`, `record`; correct it; the example enclave \
             shows every key",
        ),
        (
            FILE,
            "name = \"europe\"\n",
            "name = \"europe\"\nauditor = \"AGE-SECRET-KEY-1\"\n",
            "enclave.toml:5: auditor: \"AGE-SECRET-KEY-1\" is no age X25519 recipient; write what the auditor's \
             `age-keygen -y` prints: age1 and 58 letters and digits; never a key",
        ),
        (
            FILE,
            "",
            "\n[record.witness]\nname = \"redecided\"\nvkey = \"w.example+00\"\nurl = \"w.example\"\n",
            "enclave.toml:85: record.witness[0].name: `redecided` means something else in the release rule; call the \
             witness something else\n\
             enclave.toml:86: record.witness[0].vkey: `w.example+00` is no verifier key; write the witness's own, \
             name+id+base64, of type 04 (cosignature/v1)\n\
             enclave.toml:87: record.witness[0].url: `w.example` is no address of a witness; write what its \
             `/add-checkpoint` is below, such as https://witness.example",
        ),
        (
            FILE,
            "",
            "\n[record]\nquorum = 2\n[[record.witness]]\nname = \"one\"\nvkey = \"w.example+00+BA==\"\n\
             url = \"https://w.example\"\n",
            "enclave.toml:85: record.quorum: 2 of 1 witnesses cannot be asked for; use 1 to the number of \
             `record.witness`, or leave the key out to ask for all of them",
        ),
        (
            FILE,
            "access = 365, login = 90",
            "access = 0, logins = 1",
            "enclave.toml:69: retention_days_min: 0 days cannot be waited for; use 1 to 36525: the key of the present \
             day is never destroyed\n\
             enclave.toml:69: retention_days_min: `logins` is no retention class; write access or login",
        ),
        (
            FILE,
            "name = \"europe\"\n",
            "",
            "enclave.toml:1: name: missing field `name`; correct it; the example enclave shows every key",
        ),
        (
            FILE,
            "sessions_per_profile = 8",
            "sessions_per_profile = 0",
            "enclave.toml:16: sessions_per_profile: 0 sessions per profile cannot be provisioned; use 1 to 999",
        ),
        (
            FILE,
            "sessions_per_profile = 8",
            "sessions_per_profile = \"8\"",
            "enclave.toml:16: sessions_per_profile: invalid type: string \"8\", expected u16; correct it; the \
             example enclave shows every key",
        ),
        (
            FILE,
            "\"hamar\", country = \"NO\"",
            "\"hamar\", country = \"UK\"",
            "enclave.toml:21: sites[2].country: `UK` is not a country; use an ISO 3166-1 code of two upper-case \
             letters, such as IE",
        ),
        (
            FILE,
            "\"hamar\", country = \"NO\"",
            "\"hamar\", country = \"CH\"",
            "enclave.toml:21: sites[2].country: site `hamar` is in `CH`, outside the enclave's region; put the site \
             inside, or add the country to `region`",
        ),
        (
            FILE,
            "\"hamar\", country = \"NO\" },",
            "\"hamar\", country = \"NO\", standby = true },\n    { name = \"hamar-standby\", country = \"NO\" },",
            "enclave.toml:21: sites[2].standby: the standby would be called `hamar-standby`, as a site is; rename one \
             of the two sites",
        ),
        (
            FILE,
            "\"hamar\", country = \"NO\"",
            "\"dublin-1\", country = \"NO\"",
            "enclave.toml:21: sites[2].name: `dublin-1` is named twice; name it once",
        ),
        (
            FILE,
            "\"hamar\", country = \"NO\"",
            "\"hamar-in-the-far-north\", country = \"NO\"",
            "enclave.toml:21: sites[2].name: `hamar-in-the-far-north` cannot be used as a name; use a-z, 0-9 and -, \
             a letter first, at most 20 bytes",
        ),
        (
            FILE,
            "\"SK\",",
            "\"SK\", \"SK\", \"XX\",",
            "enclave.toml:9: region[30]: `SK` is named twice; name it once\n\
             enclave.toml:9: region[31]: `XX` is not a country; use an ISO 3166-1 code of two upper-case letters, \
             such as IE",
        ),
    ]);
}

#[test]
fn its_profiles() {
    const FILE: &str = "enclave.toml";
    check(&[
        (
            FILE,
            "place = \"germany\"",
            "place = \"austria\"",
            "enclave.toml:38: profiles[1].exemplar.place: there is no place `austria`; use the name of one of `places`",
        ),
        (
            FILE,
            "purpose = \"analytics\" }",
            "purpose = \"anaylsis\" }",
            "enclave.toml:38: profiles[1].exemplar.purpose: there is no purpose `anaylsis`; use one of `purposes`",
        ),
        (
            FILE,
            "principal = \"lukas\"",
            "principal = \"lucas\"",
            "enclave.toml:38: profiles.analytics: its exemplar is refused by `unknown-principal`: `lucas` is not in \
             the directory; choose one that is permitted; needed: an entry in the signed directory",
        ),
        (
            FILE,
            "ticket = \"SEC-1000\"",
            "ticket = \"'; --\"",
            "enclave.toml:39: profiles[2].exemplar.ticket: `\\'; --` is not a ticket; use letters, digits and - _ . \
             / # :, at most 64 bytes",
        ),
        (
            FILE,
            "place = \"germany\", purpose = \"analytics\"",
            "place = \"germany\"",
            "enclave.toml:38: profiles.analytics: its exemplar is refused by `purpose-required`: policy \
             `purpose-required` forbids that `lukas` connects from DE without a purpose and without a ticket; choose \
             one that is permitted; needed: a purpose, stated at connect: options='-c trefoil.purpose=NAME'",
        ),
        (
            FILE,
            "name = \"analytics\"",
            "name = \"public\"",
            "enclave.toml:38: profiles[1].name: `public` is the name of a schema that exists already; call the \
             profile something else",
        ),
        (
            FILE,
            "name = \"analytics\"",
            "name = \"data\"",
            "enclave.toml: data: the name is taken by the schema of the base tables in catalog.toml; choose another \
             name",
        ),
    ]);
}

#[test]
fn the_catalog() {
    const FILE: &str = "catalog.toml";
    check(&[
        (
            FILE,
            "subject_table = \"users\"",
            "subject_table = \"persons\"",
            "catalog.toml:10: subject_table: there is no table `persons`; use the name of one of `tables`\n\
             catalog.toml:53: tables[1].scopes[0].subjects: `consented` is no scope of the subject table; use a \
             scope that `persons` declares, in another table\n\
             catalog.toml:70: tables[2].scopes[0].subjects: `consented` is no scope of the subject table; use a \
             scope that `persons` declares, in another table\n\
             catalog.toml:108: tables[4].scopes[0].subjects: `consented` is no scope of the subject table; use a \
             scope that `persons` declares, in another table\n\
             catalog.toml:126: tables[5].scopes[0].subjects: `consented` is no scope of the subject table; use a \
             scope that `persons` declares, in another table",
        ),
        (
            FILE,
            "\"followers\", type = \"integer\"",
            "\"followers\", type = \"int4\"",
            "catalog.toml:31: tables[0].columns[10].type: `int4` is not known; use one of bigint, integer, text, \
             date, timestamptz, boolean",
        ),
        (
            FILE,
            "\"followers\", type = \"integer\"",
            "\"language\", type = \"integer\"",
            "catalog.toml:31: tables[0].columns[10].name: `language` is named twice; name it once",
        ),
        (
            FILE,
            "\"followers\", type = \"integer\"",
            "\"Followers\", type = \"integer\"",
            "catalog.toml:31: tables[0].columns[10].name: `Followers` cannot be used as a name; use a-z, 0-9 and _, \
             no digit first, at most 40 bytes",
        ),
        (
            FILE,
            "\"phone\", type = \"text\"",
            "\"phone\", type = \"bigint\"",
            "catalog.toml:26: tables[0].columns[5].type: `phone` of type `bigint` cannot identify a `phone`; correct \
             the type or the identifier",
        ),
        (
            FILE,
            "class = \"restricted\", identifier = \"phone\"",
            "class = \"secret\", identifier = \"telephone\"",
            "catalog.toml:26: tables[0].columns[5].class: `secret` is not known; use one of public, internal, \
             personal, restricted\n\
             catalog.toml:26: tables[0].columns[5].identifier: `telephone` is not known; use one of none, subject, \
             name, handle, email, phone, iban, account, ip, device, content, date, row",
        ),
        (
            FILE,
            "subject_key = \"sender_id\"",
            "subject_key = \"sent_at\"",
            "catalog.toml:77: tables[3].subject_key: column `sent_at` identifies `date`; use a column whose identifier \
             is `subject`",
        ),
        (
            FILE,
            "scopes = []",
            "scopes = [{ name = \"agreed\", subjects = \"agreed\" }]",
            "catalog.toml:87: tables[3].scopes[0].subjects: `agreed` is no scope of the subject table; use a scope \
             that `users` declares, in another table",
        ),
        (
            FILE,
            "equals = true",
            "equals = \"yes\"",
            "catalog.toml:35: tables[0].scopes[0].equals: column `analytics_consent` of type `boolean` cannot equal \
             it; give a value of that type",
        ),
        (
            FILE,
            ", equals = true",
            "",
            "catalog.toml:35: tables[0].scopes[0]: scope `consented` does not say which rows it selects; give either \
             `column` and `equals`, or `subjects`",
        ),
        (
            FILE,
            "name = \"posts\"",
            "name = \"users_hamar\"",
            "catalog.toml: users_hamar: the name is taken by the partition of `users` at `hamar`; choose another name",
        ),
    ]);
}

#[test]
fn references_and_reserved_names() {
    const FILE: &str = "catalog.toml";
    const RECIPIENT: &str = "\"recipient_id\", table = \"users\", within = \"enclave\"";
    check(&[
        (
            FILE,
            RECIPIENT,
            "\"recipient\", table = \"users\", within = \"enclave\"",
            "catalog.toml:90: tables[3].references[1].column: there is no column `recipient`; use the name of one of \
             the table's columns",
        ),
        (
            FILE,
            RECIPIENT,
            "\"recipient_id\", table = \"accounts\", within = \"region\"",
            "catalog.toml:90: tables[3].references[1].within: `region` is not known; use one of home, enclave\n\
             catalog.toml:90: tables[3].references[1].table: there is no table `accounts`; use the name of one of \
             `tables`",
        ),
        (
            FILE,
            RECIPIENT,
            "\"sender_id\", table = \"users\", within = \"enclave\"",
            "catalog.toml:90: tables[3].references[1].column: `sender_id` refers twice; name it once",
        ),
        (
            FILE,
            "\"device_id\", type = \"bigint\", class = \"internal\", identifier = \"row\"",
            "\"device_id\", type = \"text\", class = \"internal\", identifier = \"device\"",
            "catalog.toml:129: tables[5].references[1].column: `device_id` is a text identifying `device`, and the key \
             of `devices` a bigint identifying `row`; give the column the type and the identifier of that key",
        ),
        (
            FILE,
            "\"followers\", type = \"integer\"",
            "\"trefoil_followers\", type = \"integer\"",
            "catalog.toml:31: tables[0].columns[10].name: `trefoil_followers` is a column that every table has already; \
             call the column something else",
        ),
    ]);
}

#[test]
fn the_directory() {
    const FILE: &str = "directory.toml";
    check(&[
        (
            FILE,
            "employer = \"fernway-us\"",
            "employer = \"acme\"",
            "directory.toml:36: principals[3].employer: there is no employer `acme`; use one of `employers`",
        ),
        (
            FILE,
            "office = \"united-states\"",
            "office = \"usa\"",
            "directory.toml:37: principals[3].office: there is no place `usa`; use a place of enclave.toml",
        ),
        (
            FILE,
            "roles = [\"analyst\"]",
            "roles = [\"analist\"]",
            "directory.toml:22: principals[1].roles[0]: there is no role `analist`; use one of `roles`",
        ),
        (
            FILE,
            "name = \"dana\"",
            "name = \"wei\"",
            "directory.toml:41: principals[4].name: `wei` is named twice; name it once",
        ),
        (
            FILE,
            "kind = \"person\"\nemployer = \"fernway-us\"",
            "kind = \"robot\"\nemployer = \"fernway-us\"",
            "directory.toml:35: principals[3].kind: `robot` is not known; use one of person, service",
        ),
    ]);
}

#[test]
fn policies_without_a_proper_name() {
    const FILE: &str = "policy/support.cedar";
    const ID: &str = "@id(\"support-rows\")";
    check(&[
        (
            FILE,
            ID,
            "",
            "policy/support.cedar:10: @id: a policy has no @id; give it one, such as @id(\"support-in-region\"): \
             refusals name it",
        ),
        (
            FILE,
            ID,
            "@id(\"analytics-rows\")",
            "policy/support.cedar:9: analytics-rows: a policy of policy/analytics.cedar has this @id already; give \
             each policy its own",
        ),
        (
            FILE,
            ID,
            "@id(\"no-permit\")",
            "policy/support.cedar:9: no-permit: this @id is the name of a rule that is built in; call the policy \
             something else",
        ),
        (
            FILE,
            "@id(\"support-rows\")\n@needs(\"purpose `support` and a place inside the region\")",
            ID,
            "policy/support.cedar:9: support-rows: the policy has no usable @needs; say in 1 to 200 bytes what \
             whoever is refused would need",
        ),
        (
            FILE,
            "",
            "\nforbid (principal, action;\n",
            "policy/support.cedar:27: unexpected token `;`; correct the policy's syntax",
        ),
    ]);
}

/// What would silently not do what it says: a forbid with a typing error forbids nothing.
#[test]
fn policies_that_name_what_does_not_exist() {
    check_added(&[
        (
            "permit (principal, action, resource);",
            "added: it permits every action; name the actions that it permits: action == Action::\"...\"",
        ),
        (
            "forbid (principal == ?principal, action, resource);",
            "a template is no policy; write a principal and a resource instead of the slots",
        ),
        (
            "forbid (principal in Role::\"suport_agent\", action, resource);",
            "added: there is no Role::\"suport_agent\"; use one of the bundle's: analyst, \
             billing_service, engineer, feed_service, security_analyst, support_agent, support_trainee",
        ),
        (
            "forbid (principal == Person::\"mallory\", action, resource);",
            "added: there is no Person::\"mallory\"; use one of the bundle's: aoife, dana, ingrid, lukas, maeve, wei",
        ),
        (
            "forbid (principal, action, resource) when { context.place.country == Country::\"UK\" };",
            "added: there is no Country::\"UK\"; use an ISO 3166-1 code of two upper-case letters, or \"unknown\"",
        ),
        (
            "forbid (principal, action, resource) when { context has purpose && context.purpose == Purpose::\"suport\" };",
            "added: there is no Purpose::\"suport\"; use one of the bundle's: analytics, billing, engineering, feed, security, support",
        ),
        (
            "forbid (principal, action == Action::\"rows\", resource) when { context.scope == Scope::\"consent\" };",
            "added: there is no Scope::\"consent\"; use one of the bundle's: all, consented",
        ),
        (
            "forbid (principal, action == Action::\"clear\", resource) when { resource.table == Table::\"user\" };",
            "added: there is no Table::\"user\"; use one of the bundle's: devices, messages, payments, posts, sign_ins, users",
        ),
        (
            "forbid (principal, action == Action::\"clear\", resource) when { resource.class == Class::\"restriced\" };",
            "added: for policy `added`: entity `Class::\"restriced\"` is of an enumerated entity type, but \
             `\"restriced\"` is not declared as a valid eid; valid entity eids: \"public\", \"internal\", \
             \"personal\", \"restricted\"",
        ),
        (
            "forbid (principal, action == Action::\"connect\", resource) when { context.purpose == Purpose::\"support\" };",
            "added: for policy `added`, unable to guarantee safety of access to optional attribute `purpose` in \
             context for Action::\"connect\"; try testing for the attribute's presence with `context has purpose && ..`",
        ),
        (
            "forbid (principal, action == Action::\"connect\", resource) when { context.time > 3 };",
            "added: for policy `added`, attribute `time` in context for Action::\"connect\" not found; did you mean \
             `ticket`?",
        ),
        (
            "forbid (principal, action, resource) when { 1 == 2 };",
            "added: for policy `added`, policy is impossible: the policy expression evaluates to false for all valid \
             requests; correct it: it cannot do what it says",
        ),
    ]);
}

#[test]
fn every_error_of_every_file_at_once() {
    let mut files = common::example();
    files.remove("catalog.toml");
    files.insert("bundle.note".into(), Vec::new());
    files.insert("policy/latin.cedar".into(), vec![b'/', b'/', 0xe9]);
    common::edit(
        &mut files,
        "enclave.toml",
        "\"ireland\", country = \"IE\"",
        "\"ireland\", country = \"ie\"",
    );
    common::edit(&mut files, "directory.toml", "office = \"norway\"", "office = \"norge\"");
    common::edit(&mut files, "policy/support.cedar", "@id(\"support-rows\")", "");
    let errors = Bundle::read(&files).unwrap_err();
    assert_eq!(
        common::lines(&errors),
        "bundle.note: this file does not belong to a bundle; remove it: a bundle is enclave.toml, catalog.toml, \
         directory.toml and policy/*.cedar\n\
         policy/latin.cedar: incomplete utf-8 byte sequence from index 2; save the file as UTF-8\n\
         catalog.toml: the file is missing; add it to the bundle\n\
         enclave.toml:26: places[0].country: `ie` is not a country; use an ISO 3166-1 code of two upper-case letters, \
         such as IE\n\
         directory.toml:29: principals[2].office: there is no place `norge`; use a place of enclave.toml\n\
         policy/support.cedar:10: @id: a policy has no @id; give it one, such as @id(\"support-in-region\"): refusals \
         name it"
    );
}

fn check(cases: &[Case]) {
    for (path, from, to, expected) in cases {
        let mut files = common::example();
        common::edit(&mut files, path, from, to);
        let said = Bundle::read(&files).map(|_| "accepted".to_owned()).unwrap_or_else(|e| common::lines(&e));
        assert_eq!(said, *expected, "{path}: `{from}` became `{to}`");
    }
}

/// Each policy is added to a file of its own, with an `@id` and `@needs`.
fn check_added(cases: &[(&'static str, &'static str)]) {
    for (policy, expected) in cases {
        let mut files = common::example();
        let text = format!("@id(\"added\") @needs(\"nothing\")\n{policy}\n");
        files.insert("policy/added.cedar".into(), text.into_bytes());
        let said = Bundle::read(&files).map(|_| "accepted".to_owned()).unwrap_or_else(|e| common::lines(&e));
        assert_eq!(said, format!("policy/added.cedar:1: {expected}"), "{policy}");
    }
}
