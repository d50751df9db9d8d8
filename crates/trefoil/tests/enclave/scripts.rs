//! Protocol transcripts, as data: what is sent at once on a connection of its own, and what must come back. Add a line
//! to add one.

use super::raw::Say;
use Say::{
    Bind, Close, CopyData, CopyDone, CopyFail, DescribePortal, DescribeStatement, Execute, Flush, Formats,
    FunctionCall, Parse, Query, Sync,
};

/// A name, the messages, and the replies.
pub type Script = (&'static str, &'static [Say], &'static str);

/// By somebody who reads.
pub const READS: &[Script] = &[
    ("simple", &[Query("SELECT 1")], "T D*1 C:SELECT_1 Z:I"),
    ("empty", &[Query("")], "I Z:I"),
    ("nothing found", &[Query("SELECT id FROM users WHERE id = -1")], "T C:SELECT_0 Z:I"),
    (
        "a session like new",
        &[
            Parse("s", "SELECT 1"),
            Sync,
            Query("DISCARD ALL"),
            Parse("s", "SELECT 2"),
            Bind("", "s", &[]),
            Sync,
        ],
        "1 Z:I C:DISCARD_ALL Z:I 1 2 Z:I",
    ),
    ("setting", &[Query("SET application_name = 'x'")], "C:SET S Z:I"),
    ("refused", &[Query("LISTEN x")], "E:42501 Z:I"),
    ("unparsable", &[Query("SELEC 1")], "E:42501 Z:I"),
    ("copy in", &[Query("COPY users (id) FROM STDIN")], "E:42501 Z:I"),
    ("write", &[Query("DELETE FROM payments")], "E:42501 Z:I"),
    ("not shown", &[Query("SELECT nothing FROM users")], "E:42501 Z:I"),
    ("an error of its own", &[Query("SELECT 1 / 0")], "E:22012 Z:I"),
    ("function call", &[FunctionCall], "E:42501 Z:I"),
    (
        "a refusal fails the transaction",
        &[Query("BEGIN"), Query("LISTEN x"), Query("SELECT 1"), Query("ROLLBACK"), Query("SELECT 1")],
        "C:BEGIN Z:T E:42501 Z:E E:25P02 Z:E C:ROLLBACK Z:I T D*1 C:SELECT_1 Z:I",
    ),
    (
        "extended",
        &[Parse("", "SELECT $1::int"), Bind("", "", &["7"]), DescribePortal(""), Execute("", 0), Sync],
        "1 2 T D*1 C:SELECT_1 Z:I",
    ),
    (
        "named, twice, closed",
        &[
            Parse("s", "SELECT $1::int"),
            Bind("", "s", &["7"]),
            Execute("", 0),
            Bind("", "s", &["8"]),
            Execute("", 0),
            Close("s"),
            Sync,
        ],
        "1 2 D*1 C:SELECT_1 2 D*1 C:SELECT_1 3 Z:I",
    ),
    (
        "a refused Parse skips to Sync",
        &[Parse("", "LISTEN x"), Bind("", "", &[]), Execute("", 0), Sync, Query("SELECT 1")],
        "E:42501 Z:I T D*1 C:SELECT_1 Z:I",
    ),
    (
        "a failed Bind skips to Sync",
        &[
            Parse("", "SELECT $1::int"),
            Bind("", "", &["x"]),
            Execute("", 0),
            Execute("", 0),
            Sync,
            Query("SELECT 1"),
        ],
        "1 E:22P02 Z:I T D*1 C:SELECT_1 Z:I",
    ),
    (
        "two Syncs, the first fails",
        &[Parse("", "LISTEN x"), Sync, Parse("", "SELECT 1"), Bind("", "", &[]), Execute("", 0), Sync],
        "E:42501 Z:I 1 2 D*1 C:SELECT_1 Z:I",
    ),
    ("prepare and flush", &[Parse("s", "SELECT $1::int"), DescribeStatement("s"), Flush], "1 t T"),
    (
        "flush, then the rest",
        &[Parse("", "SELECT 1"), Flush, Bind("", "", &[]), Execute("", 0), Flush, Sync],
        "1 2 D*1 C:SELECT_1 Z:I",
    ),
    (
        "suspended portal",
        &[
            Parse("", "SELECT generate_series(1, 5)"),
            Bind("", "", &[]),
            Execute("", 2),
            Execute("", 2),
            Execute("", 2),
            Sync,
        ],
        "1 2 D*2 s D*2 s D*1 C:SELECT_1 Z:I",
    ),
    ("unknown statement", &[Bind("", "nobody", &[]), Execute("", 0), Sync], "E:42501 Z:I"),
    ("unknown portal", &[Execute("nobody", 0), Sync], "E:42501 Z:I"),
    (
        "SQL prepare, execute, deallocate",
        &[Query("PREPARE q AS SELECT 1"), Query("EXECUTE q"), Query("DEALLOCATE q")],
        "C:PREPARE Z:I T D*1 C:SELECT_1 Z:I C:DEALLOCATE Z:I",
    ),
    (
        "a result in several windows",
        &[Query("SELECT repeat('x', 1000) FROM generate_series(1, 30000)")],
        "T D*30000 C:SELECT_30000 Z:I",
    ),
    (
        "small rows in several windows",
        &[Query("SELECT generate_series(1, 200000)")],
        "T D*200000 C:SELECT_200000 Z:I",
    ),
    ("one huge row", &[Query("SELECT repeat('x', 40000000)")], "T D*1 C:SELECT_1 Z:I"),
    (
        "windows in a pipeline",
        &[
            Parse("", "SELECT repeat('x', 1000) FROM generate_series(1, 3000)"),
            Bind("", "", &[]),
            Execute("", 0),
            Parse("", "SELECT 1"),
            Bind("", "", &[]),
            Execute("", 0),
            Sync,
        ],
        "1 2 D*3000 C:SELECT_3000 1 2 D*1 C:SELECT_1 Z:I",
    ),
    (
        "an error after rows went out",
        &[
            Query("SELECT repeat('x', 1000), 1 / (i - 2000) FROM generate_series(1, 3000) i"),
            Query("SELECT 1"),
        ],
        "T D*1999 E:22012 Z:I T D*1 C:SELECT_1 Z:I",
    ),
    // Texts of several statements.
    ("two statements", &[Query("SELECT 1; SELECT 2")], "T D*1 C:SELECT_1 T D*1 C:SELECT_1 Z:I"),
    (
        "several, the second fails",
        &[Query("SELECT 1; SELECT 1 / 0; SELECT 3"), Query("SELECT 4")],
        "T D*1 C:SELECT_1 E:22012 Z:I T D*1 C:SELECT_1 Z:I",
    ),
    ("several, one is refused: none runs", &[Query("SELECT 1; LISTEN x")], "E:42501 Z:I"),
    ("several, one is not shown", &[Query("SELECT 1; SELECT x FROM users; SELECT 2")], "E:42501 Z:I"),
    (
        "several in a transaction of their own",
        &[Query("BEGIN; SELECT 1; COMMIT; SELECT 2;")],
        "C:BEGIN T D*1 C:SELECT_1 C:COMMIT T D*1 C:SELECT_1 Z:I",
    ),
    (
        "windows in several",
        &[Query(
            "SELECT repeat('x', 1000) FROM generate_series(1, 1000); SELECT repeat('y', 900) FROM generate_series(1, 900); SELECT 1",
        )],
        "T D*1000 C:SELECT_1000 T D*900 C:SELECT_900 T D*1 C:SELECT_1 Z:I",
    ),
    (
        "asyncpg's reset",
        &[Query("CLOSE ALL; UNLISTEN *; RESET ALL;")],
        "C:CLOSE_CURSOR_ALL C:UNLISTEN C:RESET Z:I",
    ),
    // Cursors.
    (
        "cursor",
        &[
            Query("BEGIN"),
            Query("DECLARE c CURSOR FOR SELECT id FROM users"),
            Query("FETCH 2 FROM c"),
            Query("MOVE 3 FROM c"),
            Query("FETCH 5 FROM c"),
            Query("CLOSE c"),
            Query("COMMIT"),
        ],
        "C:BEGIN Z:T C:DECLARE_CURSOR Z:T T D*2 C:FETCH_2 Z:T C:MOVE_3 Z:T T D*5 C:FETCH_5 Z:T C:CLOSE_CURSOR Z:T \
         C:COMMIT Z:I",
    ),
    (
        "cursor in one text",
        &[Query("BEGIN; DECLARE c CURSOR FOR SELECT id FROM users; FETCH ALL c; COMMIT; SELECT 1")],
        "C:BEGIN C:DECLARE_CURSOR T D*3000 C:FETCH_3000 C:COMMIT T D*1 C:SELECT_1 Z:I",
    ),
    ("cursor with hold", &[Query("DECLARE c CURSOR WITH HOLD FOR SELECT id FROM users")], "E:42501 Z:I"),
    (
        "fetch from nothing",
        &[Query("BEGIN"), Query("FETCH c"), Query("ROLLBACK")],
        "C:BEGIN Z:T E:34000 Z:E C:ROLLBACK Z:I",
    ),
    (
        "cursor fetched by the extended protocol",
        &[
            Query("BEGIN; DECLARE c CURSOR FOR SELECT id, email FROM users"),
            Parse("f", "FETCH 3 FROM c"),
            Bind("", "f", &[]),
            Execute("", 0),
            Bind("", "f", &[]),
            Execute("", 2),
            Sync,
        ],
        "C:BEGIN C:DECLARE_CURSOR Z:T 1 2 D*3 C:FETCH_3 2 D*2 s Z:T",
    ),
    (
        "portal fetched by SQL",
        &[
            Query("BEGIN"),
            Parse("", "SELECT id FROM users WHERE id < $1::int"),
            Bind("p", "", &["50"]),
            Execute("p", 4),
            Sync,
            Query("FETCH 2 FROM p"),
            Query("CLOSE p"),
            Execute("p", 1),
            Sync,
        ],
        "C:BEGIN Z:T 1 2 D*4 s Z:T T D*2 C:FETCH_2 Z:T C:CLOSE_CURSOR Z:T E:34000 Z:E",
    ),
    (
        "portals across a transaction",
        &[
            Query("BEGIN"),
            Parse("s", "SELECT generate_series(1, 5)"),
            Bind("p", "s", &[]),
            Execute("p", 2),
            Sync,
            Execute("p", 2),
            Flush,
            Execute("p", 0),
            Sync,
            Query("COMMIT"),
            Execute("p", 0),
            Sync,
        ],
        "C:BEGIN Z:T 1 2 D*2 s Z:T D*2 s D*1 C:SELECT_1 Z:T C:COMMIT Z:I E:34000 Z:I",
    ),
    (
        "formats by column",
        &[
            Parse("s", "SELECT id, handle, id FROM users LIMIT 2"),
            Formats("", "s", &[1, 0, 1]),
            DescribePortal(""),
            Execute("", 0),
            Formats("", "s", &[1]),
            Execute("", 0),
            Sync,
        ],
        "1 2 T D*2 C:SELECT_2 2 D*2 C:SELECT_2 Z:I",
    ),
    // COPY TO.
    ("copy by name", &[Query("COPY users TO STDOUT")], "E:42501 Z:I"),
    ("copy out", &[Query("COPY (SELECT id, email FROM users) TO STDOUT")], "H d*3000 c C:COPY_3000 Z:I"),
    (
        "copy out as CSV",
        &[Query("COPY (SELECT id, email FROM users LIMIT 10) TO STDOUT WITH (FORMAT csv, HEADER)")],
        "H d*11 c C:COPY_10 Z:I",
    ),
    (
        "copy out in binary",
        &[Query("COPY (SELECT id, email FROM users LIMIT 10) TO STDOUT (FORMAT binary)")],
        "H d*11 c C:COPY_10 Z:I",
    ),
    (
        "copy out in windows",
        &[Query("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 5000)) TO STDOUT")],
        "H d*5000 c C:COPY_5000 Z:I",
    ),
    (
        "copy out of tiny rows",
        &[Query("COPY (SELECT '' FROM generate_series(1, 200000)) TO STDOUT")],
        "H d*200000 c C:COPY_200000 Z:I",
    ),
    (
        "a cursor of another shape",
        &[
            Query("BEGIN; DECLARE c CURSOR FOR SELECT id FROM users"),
            Parse("f", "FETCH 3 FROM c"),
            Bind("", "f", &[]),
            Execute("", 0),
            Sync,
            Query("CLOSE c; DECLARE c CURSOR FOR SELECT handle, id FROM users"),
            Bind("", "f", &[]),
            Execute("", 0),
            Sync,
        ],
        "C:BEGIN C:DECLARE_CURSOR Z:T 1 2 D*3 C:FETCH_3 Z:T C:CLOSE_CURSOR C:DECLARE_CURSOR Z:T 2 D*3 C:FETCH_3 Z:T",
    ),
    (
        "copy out of one huge row",
        &[Query("COPY (SELECT repeat('x', 20000000)) TO STDOUT")],
        "H d*1 c C:COPY_1 Z:I",
    ),
    (
        "copy out that fails",
        &[Query("COPY (SELECT 1 / (g - 3) FROM generate_series(1, 5) g) TO STDOUT"), Query("SELECT 1")],
        "H d*2 E:22012 Z:I T D*1 C:SELECT_1 Z:I",
    ),
    (
        "copy out of what is not shown",
        &[Query("COPY (SELECT nothing FROM users) TO STDOUT"), Query("SELECT 1")],
        "E:42501 Z:I T D*1 C:SELECT_1 Z:I",
    ),
    (
        "copy out among others",
        &[Query("SELECT 1; COPY (SELECT id FROM users LIMIT 3) TO STDOUT; SELECT 2")],
        "T D*1 C:SELECT_1 H d*3 c C:COPY_3 T D*1 C:SELECT_1 Z:I",
    ),
    (
        "copy out by the extended protocol",
        &[
            Parse("c", "COPY (SELECT id, email FROM users LIMIT 7) TO STDOUT"),
            Bind("", "c", &[]),
            DescribePortal(""),
            Execute("", 0),
            Bind("", "c", &[]),
            Execute("", 0),
            Sync,
        ],
        "1 2 n H d*7 c C:COPY_7 2 H d*7 c C:COPY_7 Z:I",
    ),
    (
        "copy out of what is not shown, prepared",
        &[Parse("c", "COPY (SELECT nothing FROM users) TO STDOUT"), Bind("", "c", &[]), Execute("", 0), Sync],
        "E:42501 Z:I",
    ),
    (
        "copy out in a pipeline that skips",
        &[
            Parse("", "SELECT 1 / (g - 1) FROM generate_series(1, 1) g"),
            Bind("", "", &[]),
            Execute("", 0),
            Query("COPY (SELECT id FROM users) TO STDOUT"),
            Sync,
            Query("COPY (SELECT id FROM users LIMIT 2) TO STDOUT"),
        ],
        "1 2 E:22012 Z:I H d*2 c C:COPY_2 Z:I",
    ),
    ("stray copy data", &[CopyData("x"), CopyDone, Query("SELECT 1")], "T D*1 C:SELECT_1 Z:I"),
    // What the gate itself answers.
    (
        "own settings",
        &[Query("SHOW trefoil.session"), Query("SHOW trefoil.profile"), Query("SHOW trefoil.last_entry")],
        "T D*1 C:SHOW Z:I T D*1 C:SHOW Z:I T D*1 C:SHOW Z:I",
    ),
    (
        "own settings by the extended protocol",
        &[Parse("", "SHOW trefoil.session"), Bind("", "", &[]), DescribePortal(""), Execute("", 0), Sync],
        "1 2 T D*1 C:SHOW Z:I",
    ),
    (
        "own settings in a transaction that failed",
        &[Query("BEGIN; SELECT 1 / 0"), Query("SHOW trefoil.session"), Query("ROLLBACK")],
        "C:BEGIN E:22012 Z:E E:25P02 Z:E C:ROLLBACK Z:I",
    ),
    ("own settings among others", &[Query("SELECT 1; SHOW trefoil.session")], "E:42501 Z:I"),
];

/// By a service that writes: each ends without a change, so that they do not depend on each other.
pub const WRITES: &[Script] = &[
    (
        "insert that is rolled back",
        &[Query("BEGIN"), Query(INSERT), Query("ROLLBACK")],
        "C:BEGIN Z:T C:INSERT_0_1 Z:T C:ROLLBACK Z:I",
    ),
    (
        "several statements that write",
        &[Query(
            "BEGIN; UPDATE payments SET status = 'x' WHERE id = -1; SELECT 1; UPDATE payments SET status = 'y' WHERE id = -1; COMMIT",
        )],
        "C:BEGIN C:UPDATE_0 T D*1 C:SELECT_1 C:UPDATE_0 C:COMMIT Z:I",
    ),
    ("update", &[Query("UPDATE payments SET status = 'paid' WHERE id = -1")], "C:UPDATE_0 Z:I"),
    (
        "a column that is not written",
        &[Query("UPDATE payments SET currency = 'EUR' WHERE id = -1")],
        "E:42501 Z:I",
    ),
    ("a table that is not written", &[Query("UPDATE users SET country = 'IE' WHERE id = -1")], "E:42501 Z:I"),
    (
        "home is not written",
        &[Query("INSERT INTO payments (id, home_site) VALUES (-1, 'hamar')")],
        "E:42501 Z:I",
    ),
    (
        "writes by the extended protocol",
        &[
            Parse("u", "UPDATE payments SET status = $1 WHERE id = $2"),
            Bind("", "u", &["a", "-1"]),
            Execute("", 0),
            Bind("", "u", &["b", "-2"]),
            Execute("", 0),
            Sync,
            Bind("", "u", &["c", "-3"]),
            Execute("", 0),
            Sync,
        ],
        "1 2 C:UPDATE_0 2 C:UPDATE_0 Z:I 2 C:UPDATE_0 Z:I",
    ),
    (
        "a transaction in a pipeline",
        &[
            Parse("b", "BEGIN"),
            Bind("", "b", &[]),
            Execute("", 0),
            Parse("u", "UPDATE payments SET status = $1 WHERE id = -1"),
            Bind("", "u", &["a"]),
            Execute("", 0),
            Parse("c", "COMMIT"),
            Bind("", "c", &[]),
            Execute("", 0),
            Sync,
        ],
        "1 2 C:BEGIN 1 2 C:UPDATE_0 1 2 C:COMMIT Z:I",
    ),
    (
        "a name that may stand for a write",
        &[
            Parse("s", "UPDATE payments SET status = 'a' WHERE id = -1"),
            Sync,
            Parse("s", "SELECT 1"),
            Sync,
            Bind("", "s", &[]),
            Execute("", 0),
            Sync,
        ],
        "1 Z:I E:42P05 Z:I 2 C:UPDATE_0 Z:I",
    ),
    (
        "a write that fails skips to Sync",
        &[
            Parse("", "UPDATE payments SET status = 'a' WHERE 1 / (id - id) = 1"),
            Bind("", "", &[]),
            Execute("", 0),
            Parse("", "UPDATE payments SET status = 'b' WHERE id = -1"),
            Bind("", "", &[]),
            Execute("", 0),
            Sync,
            Query("SELECT 1"),
        ],
        "1 2 E:22012 Z:I T D*1 C:SELECT_1 Z:I",
    ),
    // SQL runs by name what Parse and Bind made, and its own text does not say that it writes.
    (
        "a write by SQL's EXECUTE",
        &[Parse("w", "UPDATE payments SET status = 'a' WHERE id = -1"), Query("EXECUTE w"), Sync],
        "1 E:42501 Z:I Z:I",
    ),
    (
        "a commit by SQL's EXECUTE",
        &[Parse("c", "COMMIT"), Sync, Query("BEGIN; EXECUTE c")],
        "1 Z:I E:42501 Z:I",
    ),
    (
        "an EXECUTE of a write, executed",
        &[
            Parse("w", "UPDATE payments SET status = 'a' WHERE id = -1"),
            Parse("", "EXECUTE w"),
            Bind("", "", &[]),
            Execute("", 0),
            Sync,
        ],
        "1 1 2 E:42501 Z:I",
    ),
    (
        "a write by FETCH",
        &[
            Query("BEGIN"),
            Parse("w", "UPDATE payments SET status = 'a' WHERE id = -1 RETURNING id"),
            Bind("p", "w", &[]),
            Sync,
            Query("FETCH ALL FROM p"),
            Query("ROLLBACK"),
        ],
        "C:BEGIN Z:T 1 2 Z:T E:42501 Z:E C:ROLLBACK Z:I",
    ),
    (
        "a write by MOVE in a portal of EXECUTE",
        &[
            Parse("w", "UPDATE payments SET status = 'a' WHERE id = -1 RETURNING id"),
            Parse("e", "EXECUTE w"),
            Query("BEGIN"),
            Bind("p", "e", &[]),
            Sync,
            Query("MOVE ALL IN p"),
            Query("ROLLBACK"),
        ],
        "1 1 C:BEGIN Z:T 2 Z:T E:42501 Z:E C:ROLLBACK Z:I",
    ),
    (
        "reads by name",
        &[
            Parse("r", "SELECT 1"),
            Query("PREPARE q AS SELECT 2; EXECUTE q"),
            Query("EXECUTE r"),
            Query("BEGIN; DECLARE c CURSOR FOR SELECT 3; FETCH 1 FROM c; COMMIT"),
            Sync,
        ],
        "1 C:PREPARE T D*1 C:SELECT_1 Z:I T D*1 C:SELECT_1 Z:I C:BEGIN C:DECLARE_CURSOR T D*1 C:FETCH_1 C:COMMIT Z:I Z:I",
    ),
    ("a prepared write by SQL", &[Query("PREPARE w AS DELETE FROM payments")], "E:42501 Z:I"),
    (
        "a write inside a read",
        &[Query("WITH w AS (DELETE FROM payments RETURNING id) SELECT * FROM w")],
        "E:42501 Z:I",
    ),
];

/// By a service that writes: COPY FROM.
pub const COPIES_IN: &[Script] = &[
    (
        "copy in that is rolled back",
        &[Query("BEGIN"), Query(COPY_IN), CopyData("-7\t1\t100\tEUR\topen\n"), CopyFail, Query("ROLLBACK")],
        "C:BEGIN Z:T G E:57014 Z:E C:ROLLBACK Z:I",
    ),
    (
        "copy in of no row",
        &[Query(COPY_IN), CopyDone, Query("SELECT 1")],
        "G C:COPY_0 Z:I T D*1 C:SELECT_1 Z:I",
    ),
    (
        "copy in of what cannot be read",
        &[Query(COPY_IN), CopyData("not a number\n"), CopyDone, Query("SELECT 1")],
        "G E:22P02 Z:I T D*1 C:SELECT_1 Z:I",
    ),
    (
        "copy in by the extended protocol, with two Syncs",
        &[
            Parse("", COPY_IN),
            Bind("", "", &[]),
            Execute("", 0),
            Sync,
            CopyDone,
            Sync,
            Parse("", COPY_IN),
            Bind("", "", &[]),
            Execute("", 0),
            CopyData("not a number\n"),
            CopyDone,
            Sync,
            Query("SELECT 1"),
        ],
        "1 2 G C:COPY_0 Z:I 1 2 G E:22P02 Z:I T D*1 C:SELECT_1 Z:I",
    ),
];

const INSERT: &str = "INSERT INTO payments (id, user_id, amount_cents, currency, status) SELECT -9, id, 100, 'EUR', \
                      'open' FROM users WHERE home_site = 'dublin-1' LIMIT 1";
const COPY_IN: &str = "COPY payments (id, user_id, amount_cents, currency, status) FROM STDIN";

/// By a trainee, who may be shown 1 000 rows a statement and 50 subjects a day. What is counted stays counted.
pub const LIMITED: &[Script] = &[
    ("nobody", &[Query("SELECT generate_series(1, 900)")], "T D*900 C:SELECT_900 Z:I"),
    ("too many rows", &[Query("SELECT generate_series(1, 1001)")], "E:53400 closed"),
    (
        "too many rows, after some went out",
        &[Query("SELECT repeat('x', 1000) FROM generate_series(1, 1001)")],
        "T D*1000 E:53400 closed",
    ),
    ("a few", &[Query("SELECT id, email FROM users ORDER BY id LIMIT 40")], "T D*40 C:SELECT_40 Z:I"),
    ("the same", &[Query("SELECT id, email FROM users ORDER BY id LIMIT 40")], "T D*40 C:SELECT_40 Z:I"),
    (
        "too many subjects, undescribed",
        &[Parse("", "SELECT id FROM users"), Bind("", "", &[]), Execute("", 0), Sync],
        "E:53400 closed",
    ),
    (
        "none are left",
        &[Query("COPY (SELECT id FROM users ORDER BY id DESC LIMIT 20) TO STDOUT")],
        "E:53400 closed",
    ),
];
