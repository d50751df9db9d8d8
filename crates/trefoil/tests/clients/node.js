// node-postgres with a pool. Prints a line for each thing that went well.
const fs = require('fs');
const { Pool } = require('pg');

async function main() {
  const pool = new Pool({ ssl: { ca: fs.readFileSync(process.env.PGSSLROOTCERT, 'utf8') }, options: process.env.PGOPTIONS, max: 2 });
  const count = await pool.query('SELECT count(*) FROM users');
  console.log('count', count.rows[0].count);
  const one = await pool.query('SELECT id, handle, created_at FROM users WHERE id = $1', [1]);
  console.log('parameter', one.rows[0].id, typeof one.rows[0].handle, one.rows[0].created_at instanceof Date);
  for (let number = 1; number <= 20; number += 1) {
    const named = await pool.query({ name: 'by-id', text: 'SELECT id FROM users WHERE id = $1', values: [number] });
    if (named.rows[0].id !== String(number)) throw new Error('another row');
  }
  console.log('prepared');
  await pool.query('SELECT * FROM data.users').catch((error) => console.log('refused', error.code));
  const client = await pool.connect();
  await client.query('BEGIN');
  const all = await client.query('SELECT id, handle, country FROM users');
  console.log('all', all.rows.length);
  await client.query('ROLLBACK');
  const several = await client.query('SELECT 1 AS a; SELECT 2 AS a');
  console.log('several', several.map((result) => result.rows[0].a).join(' '));
  client.release();
  await pool.end();
}

main().catch((error) => { console.error(error); process.exit(1); });
