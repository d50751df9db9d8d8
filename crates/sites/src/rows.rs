//! The tables that are generated, and a subject as rows of them. Not here: what subjects are like (`people`), the format
//! of rows (`copy`), sending them (`load`).

use policy::ColumnType::{self, Bigint, Boolean, Date, Integer, Text, Timestamptz};

use crate::copy::Batch;
use crate::people::{Bank, Banking, Payment, Subject};

/// A subject's random link: see `wall::names::LINK`.
pub(crate) type Link = [u8; 16];

/// A table with the columns that are generated. The link comes last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Generated {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [(&'static str, ColumnType)],
}

/// How many tables are generated.
pub(crate) const TABLES: usize = 6;

/// The tables that are generated, the subjects' first.
pub(crate) const fn tables(banking: Banking) -> [Generated; TABLES] {
    let payments = match banking {
        Banking::Iban => PAYMENTS_BY_IBAN,
        Banking::Routed => PAYMENTS_BY_ROUTING,
    };
    [USERS, payments, POSTS, MESSAGES, DEVICES, SIGN_INS]
}

const USERS: Generated = Generated {
    name: "users",
    columns: &[
        ("id", Bigint),
        ("home_site", Text),
        ("handle", Text),
        ("full_name", Text),
        ("email", Text),
        ("phone", Text),
        ("birth_date", Date),
        ("country", Text),
        ("language", Text),
        ("analytics_consent", Boolean),
        ("followers", Integer),
        ("created_at", Timestamptz),
    ],
};

const PAYMENTS_BY_IBAN: Generated = Generated {
    name: "payments",
    columns: &[
        ("id", Bigint),
        ("home_site", Text),
        ("user_id", Bigint),
        ("amount_cents", Bigint),
        ("currency", Text),
        ("iban", Text),
        ("status", Text),
        ("paid_at", Timestamptz),
    ],
};

const PAYMENTS_BY_ROUTING: Generated = Generated {
    name: "payments",
    columns: &[
        ("id", Bigint),
        ("home_site", Text),
        ("user_id", Bigint),
        ("amount_cents", Bigint),
        ("currency", Text),
        ("routing_number", Text),
        ("account_number", Text),
        ("status", Text),
        ("paid_at", Timestamptz),
    ],
};

const POSTS: Generated = Generated {
    name: "posts",
    columns: &[
        ("id", Bigint),
        ("home_site", Text),
        ("author_id", Bigint),
        ("body", Text),
        ("language", Text),
        ("likes", Integer),
        ("created_at", Timestamptz),
    ],
};

const MESSAGES: Generated = Generated {
    name: "messages",
    columns: &[
        ("id", Bigint),
        ("home_site", Text),
        ("sender_id", Bigint),
        ("recipient_id", Bigint),
        ("body", Text),
        ("sent_at", Timestamptz),
    ],
};

const DEVICES: Generated = Generated {
    name: "devices",
    columns: &[
        ("id", Bigint),
        ("home_site", Text),
        ("user_id", Bigint),
        ("model", Text),
        ("os", Text),
        ("identifier", Text),
        ("ip", Text),
        ("last_seen_at", Timestamptz),
    ],
};

const SIGN_INS: Generated = Generated {
    name: "sign_ins",
    columns: &[
        ("id", Bigint),
        ("home_site", Text),
        ("user_id", Bigint),
        ("device_id", Bigint),
        ("ip", Text),
        ("country", Text),
        ("succeeded", Boolean),
        ("at", Timestamptz),
    ],
};

/// Adds a subject's rows to the batches of the tables, which are in the order of [`tables`].
pub(crate) fn add(batches: [&mut Batch; TABLES], subject: &Subject, link: &Link) {
    let [users, payments, posts, messages, devices, sign_ins] = batches;
    user(users, subject, link);
    let Subject { person, payments: paid, device, sign_in, posts: written, message } = subject;
    let begin = |batch: &mut Batch, table: Generated, id: i64| {
        batch.row(table.columns.len() + 1);
        batch.bigint(id);
        batch.text(&person.home_site);
    };
    paid.iter().for_each(|one| payment(payments, one, link));
    for one in written {
        begin(posts, POSTS, one.id);
        posts.bigint(person.id);
        posts.text(&one.body);
        posts.text(&one.language);
        posts.integer(one.likes);
        posts.timestamptz(one.created_at_micros);
        posts.uuid(link);
    }
    if let Some(one) = message {
        begin(messages, MESSAGES, one.id);
        messages.bigint(person.id);
        messages.bigint(one.recipient_id);
        messages.text(one.body);
        messages.timestamptz(one.sent_at_micros);
        messages.uuid(link);
    }
    begin(devices, DEVICES, device.id);
    devices.bigint(person.id);
    devices.text(device.model);
    devices.text(device.os);
    devices.text(&device.identifier);
    devices.text(&device.ip);
    devices.timestamptz(device.last_seen_at_micros);
    devices.uuid(link);
    begin(sign_ins, SIGN_INS, sign_in.id);
    sign_ins.bigint(person.id);
    sign_ins.bigint(sign_in.device_id);
    sign_ins.text(&sign_in.ip);
    sign_ins.text(&sign_in.country);
    sign_ins.boolean(sign_in.succeeded);
    sign_ins.timestamptz(sign_in.at_micros);
    sign_ins.uuid(link);
}

fn payment(batch: &mut Batch, one: &Payment, link: &Link) {
    let table = match one.bank {
        Bank::Iban(_) => PAYMENTS_BY_IBAN,
        Bank::Routed { .. } => PAYMENTS_BY_ROUTING,
    };
    batch.row(table.columns.len() + 1);
    batch.bigint(one.id);
    batch.text(&one.home_site);
    batch.bigint(one.user_id);
    batch.bigint(one.amount_cents);
    batch.text(&one.currency);
    match &one.bank {
        Bank::Iban(iban) => batch.text(iban),
        Bank::Routed { routing, account } => {
            batch.text(routing);
            batch.text(account);
        }
    }
    batch.text(&one.status);
    batch.timestamptz(one.paid_at_micros);
    batch.uuid(link);
}

fn user(batch: &mut Batch, subject: &Subject, link: &Link) {
    let person = &subject.person;
    batch.row(USERS.columns.len() + 1);
    batch.bigint(person.id);
    batch.text(&person.home_site);
    batch.text(&person.handle);
    batch.text(&person.full_name);
    batch.text(&person.email);
    batch.text(&person.phone);
    batch.date(person.birth_date_days);
    batch.text(&person.country);
    batch.text(&person.language);
    batch.boolean(person.analytics_consent);
    batch.integer(person.followers);
    batch.timestamptz(person.created_at_micros);
    batch.uuid(link);
}
