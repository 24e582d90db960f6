// Serves a built Worker in workerd with a local D1, the way the native binary serves itself: settings from the
// environment, one line on stdout when it is ready, logs on stderr, the end with SIGTERM.
//
//   WORKER_DIR  the build (index.js and index_bg.wasm)      PERSIST  where D1 keeps its files; else in memory
//   LISTEN      127.0.0.1:PORT; 0 takes a free one          PLAIN    1: without the wrapper that tests look through
//   DATABASES   so many empty databases DB0, DB1, ...       MIGRATE  0: the database stays as it is
//   TWIN        1: the same Worker once more, in an isolate of its own beside it
// Every variable of VARIABLES becomes a variable of the Worker.

import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, '../..');
const build = path.resolve(root, process.env.WORKER_DIR || 'build/adapter-worker/dev');

const VARIABLES = [
  'ADMIN_PASSWORD', 'JWT_SECRET', 'MASTER_KEYS', 'ALLOWED_ORIGINS', 'TOKEN_EXPIRY_HOURS', 'NEW_USER_QUOTA',
  'REGISTRATION_CLOSED', 'UNPRICED_MODELS', 'ALLOW_LOOPBACK_UPSTREAMS', 'FIRST_BYTE_TIMEOUT_MS', 'IDLE_TIMEOUT_MS',
  'DEFAULT_MAX_TOKENS', 'CHARGE_PROMPT_ON_ABORT', 'RETENTION_DAYS', 'DRAIN_BEFORE_ANSWER_MS', 'DRAIN_MS', 'CHECKPOINT_MS',
  'BREAKER_FAILURES', 'BREAKER_COOLDOWN_MS', 'BREAKER_MAX_COOLDOWN_MS', 'RATE_LIMIT_COOLDOWN_MS',
  'RETRY_BUDGET_PERCENT', 'RETRY_BUDGET_PER_SECOND',
  'CUSTOM_HOST_SUFFIXES', 'RELAY_PROXY_URL', 'RELAY_PROXY_KEY',
  'TOTAL_TIMEOUT_MS', 'BODY_TIMEOUT_MS', 'KEEP_ALIVE_MS', 'CLIENT_TIMEOUT_MS', 'LOG_LEVEL', 'UPSTREAM', 'D1_FLOOR',
];

/// workerd must not outlive this process, however it ends.
function tiedWorkerd() {
  const setpriv = '/usr/bin/setpriv';
  if (process.platform !== 'linux' || !existsSync(setpriv)) return;
  const workerd = path.join(root, 'node_modules/workerd/bin/workerd');
  const native = path.join(root, `node_modules/@cloudflare/workerd-linux-${process.arch === 'arm64' ? 'arm64' : '64'}/bin/workerd`);
  const folder = mkdtempSync(path.join(tmpdir(), 'workerd-'));
  const script = path.join(folder, 'workerd');
  writeFileSync(script, `#!/bin/sh\nexec ${setpriv} --pdeathsig KILL -- '${existsSync(native) ? native : workerd}' "$@"\n`);
  chmodSync(script, 0o755);
  process.env.MINIFLARE_WORKERD_PATH = script;
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
}

tiedWorkerd();
const { Log, LogLevel, Miniflare } = await import('miniflare');

const [host, port] = (process.env.LISTEN || '127.0.0.1:0').split(':');
const file = (name, from, type) => ({ type, path: `/worker/${name}`, contents: readFileSync(path.join(from, name)) });
const modules = [file('index.js', build, 'ESModule')];
if (existsSync(path.join(build, 'index_bg.wasm'))) modules.push(file('index_bg.wasm', build, 'CompiledWasm'));
if (process.env.PLAIN !== '1') modules.unshift(file('wrapper.mjs', here, 'ESModule'));

const databases = ['DB', ...Array.from({ length: Number(process.env.DATABASES || 0) }, (_, n) => `DB${n}`)];
const worker = (name, port) => ({
  name,
  modules,
  modulesRoot: '/worker',
  compatibilityDate: '2026-04-01',
  compatibilityFlags: ['enable_request_signal', 'global_fetch_strictly_public'],
  d1Databases: Object.fromEntries(databases.map((database) => [database, database.toLowerCase()])),
  bindings: Object.fromEntries(VARIABLES.filter((variable) => process.env[variable] !== undefined)
    .map((variable) => [variable, process.env[variable]])),
  // Straight to workerd: a proxy in front would hide how clients leave.
  unsafeDirectSockets: [{ host, port: Number(port) }],
});
const miniflare = new Miniflare({
  host,
  port: 0,
  cf: false,
  log: new Log(LogLevel.WARN),
  verbose: process.env.LOG_LEVEL === 'debug',
  workers: [worker('gateway', port), ...(process.env.TWIN === '1' ? [worker('twin', 0)] : [])],
  ...(process.env.PERSIST ? { d1Persist: path.resolve(process.env.PERSIST) } : {}),
  handleRuntimeStdio(stdout, stderr) {
    for (const stream of [stdout, stderr]) stream.on('data', (data) => process.stderr.write(data));
  },
});

let ending = false;
async function end() {
  if (ending) return;
  ending = true;
  await miniflare.dispose();
  process.exit(0);
}
for (const signal of ['SIGTERM', 'SIGINT']) {
  // Miniflare's own listeners would end the process with the signal's code.
  process.removeAllListeners(signal);
  process.on(signal, end);
}

await miniflare.ready;
if (process.env.MIGRATE !== '0') {
  for (const name of databases) await migrate(await miniflare.getD1Database(name));
}
if (process.env.TWIN === '1') console.log(`twin at ${(await miniflare.unsafeGetDirectURL('twin')).origin}`);
const url = await miniflare.unsafeGetDirectURL('gateway');
console.log(`listening on http://${url.host}`);

/// What `wrangler d1 migrations apply` does: each file once, in the order of their names.
async function migrate(database) {
  const folder = path.join(root, 'migrations');
  await database.prepare(
    'CREATE TABLE IF NOT EXISTS d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE,'
    + ' applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)').run();
  const applied = (await database.prepare('SELECT name FROM d1_migrations').all()).results.map((row) => row.name);
  for (const name of readdirSync(folder).filter((entry) => entry.endsWith('.sql')).sort()) {
    if (applied.includes(name)) continue;
    await database.batch([
      // A comment after the last statement would be a statement of nothing.
      database.prepare(readFileSync(path.join(folder, name), 'utf8').replace(/(;)(\s|--[^\n]*\n)*$/, '$1')),
      database.prepare('INSERT INTO d1_migrations (name) VALUES (?1)').bind(name),
    ]);
  }
}
