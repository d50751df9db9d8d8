"""asyncpg with a pool, as a web service uses it. Prints a line for each thing that went well."""

import asyncio
import io
import os
import ssl

import asyncpg


async def main():
    context = ssl.create_default_context(cafile=os.environ["PGSSLROOTCERT"])
    options = dict(
        part.removeprefix("-c ").strip().split("=", 1) for part in os.environ["PGOPTIONS"].split("-c ") if part.strip()
    )
    async with asyncpg.create_pool(
        ssl=context, min_size=1, max_size=2, server_settings=options, database="trefoil"
    ) as pool:
        async with pool.acquire() as connection:
            print("count", await connection.fetchval("SELECT count(*) FROM users"))
            row = await connection.fetchrow("SELECT id, handle, created_at FROM users WHERE id = $1", 1)
            print("parameter", row["id"], type(row["handle"]).__name__, row["created_at"].tzinfo is not None)
            rows = await connection.fetch("SELECT id FROM users WHERE id = ANY($1::bigint[]) ORDER BY id", [3, 1, 2])
            print("array", [row["id"] for row in rows])
            try:
                await connection.fetch("SELECT * FROM data.users")
            except asyncpg.InsufficientPrivilegeError as error:
                print("refused", error.sqlstate)
            async with connection.transaction():
                seen = 0
                async for _ in connection.cursor("SELECT id FROM users", prefetch=200):
                    seen += 1
                print("cursor", seen)
            sink = io.BytesIO()
            await connection.copy_from_query("SELECT id, handle FROM users", output=sink, format="csv")
            print("copy", sink.getvalue().count(b"\n"))
        # The pool resets a connection before it gives it to the next.
        async with pool.acquire() as connection:
            print("again", await connection.fetchval("SELECT 1"))


asyncio.run(main())
