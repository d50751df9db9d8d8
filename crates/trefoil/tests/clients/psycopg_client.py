"""psycopg 3: what a Python program does with a database, through the gate. Prints a line for each thing that went well."""

import psycopg

with psycopg.connect("", autocommit=True) as connection:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM users")
        print("count", cursor.fetchone()[0])
        cursor.execute("SELECT id, handle, created_at FROM users WHERE id = %s", (1,))
        row = cursor.fetchone()
        print("parameter", row[0], type(row[1]).__name__, row[2].tzinfo is not None)
        for number in range(1, 21):
            cursor.execute("SELECT id FROM users WHERE id = %s", (number,), prepare=True)
            assert cursor.fetchone()[0] == number
        print("prepared")
        cursor.execute("SELECT id, followers FROM users WHERE id = ANY(%s) ORDER BY id", ([3, 1, 2],), binary=True)
        print("binary", [row[0] for row in cursor.fetchall()])
        try:
            cursor.execute("SELECT * FROM data.users")
        except psycopg.errors.InsufficientPrivilege as error:
            print("refused", error.sqlstate, "rule" in str(error))
        cursor.execute("SELECT 1")
        print("still there", cursor.fetchone()[0])
        with cursor.copy("COPY (SELECT id, handle FROM users ORDER BY id) TO STDOUT") as copy:
            print("copy", sum(1 for _ in copy.rows()))
    with connection.transaction():
        with connection.cursor(name="pages") as cursor:
            cursor.itersize = 500
            cursor.execute("SELECT id FROM users")
            print("cursor", sum(1 for _ in cursor))
    with connection.pipeline():
        cursors = [connection.execute("SELECT id FROM users WHERE id = %s", (n,)) for n in range(1, 101)]
    print("pipeline", sum(cursor.fetchone()[0] for cursor in cursors))
    try:
        with connection.transaction():
            connection.execute("SELECT 1")
            raise psycopg.Rollback()
    finally:
        print("rollback", connection.info.transaction_status.name)
