// Runs the ports' contract in workerd against D1, by the test-only Worker, and reports like any test. Each case has an
// empty database of its own. CASES says how many there must be: the native suite knows, and none may be left out here.
// LIVES is a file with lives for the model of the ledger, one a line; each is lived on D1 too.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';

const here = path.dirname(fileURLToPath(import.meta.url));
const expected = Number(process.env.CASES || 0);
const filter = process.argv[2] ?? '';
const lives = process.env.LIVES ? readFileSync(process.env.LIVES, 'utf8').split('\n').filter(Boolean) : [];

const server = spawn(process.execPath, [path.join(here, 'serve.mjs')], {
  stdio: ['ignore', 'pipe', 'inherit'],
  env: {
    ...process.env,
    WORKER_DIR: process.env.WORKER_DIR || 'build/test-worker/dev',
    DATABASES: String((expected || 120) + lives.length),
    LISTEN: '127.0.0.1:0',
  },
});
server.once('exit', (code) => {
  console.error(`the Worker's server ended early (${code})`);
  process.exit(1);
});

let address;
for await (const line of createInterface({ input: server.stdout })) {
  address = /^listening on (http:\/\/\S+)$/.exec(line)?.[1];
  if (address) break;
}

/// Asks the Worker, on a connection of its own: one that is kept may be closed just when it is used again.
function ask(target, body) {
  return new Promise((resolve) => {
    const failed = (error) => resolve({ ok: false, text: String(error) });
    const sent = request(new URL(target, address), {
      agent: false, method: body ? 'POST' : 'GET', signal: AbortSignal.timeout(120_000),
    }, async (reply) => {
      try {
        const pieces = [];
        for await (const piece of reply) pieces.push(piece);
        resolve({ ok: reply.statusCode === 200, text: Buffer.concat(pieces).toString() });
      } catch (error) {
        failed(error);
      }
    });
    sent.once('error', failed);
    sent.end(body);
  });
}

const begun = performance.now();
const cases = JSON.parse((await ask('/__test/contract')).text);
let [passed, failed] = [0, 0];
if (expected && cases.length !== expected) {
  console.log(`contract: ${cases.length} cases in the Worker, but ${expected} natively`);
  failed += 1;
}
for (const [number, name] of cases.entries()) {
  if (!name.includes(filter)) continue;
  const reply = await ask(`/__test/contract/${name}?db=DB${number}`);
  if (reply.ok) {
    passed += 1;
  } else {
    failed += 1;
    console.log(`${name}: FAILED\n${reply.text}\n`);
  }
}
for (const [number, life] of lives.entries()) {
  const name = `a life of ${JSON.parse(life).length} steps, number ${number}`;
  if (!name.includes(filter)) continue;
  const database = `DB${(expected || 120) + number}`;
  const reply = await ask(`/__test/life?db=${database}`, life);
  if (reply.ok) {
    passed += 1;
  } else {
    failed += 1;
    console.log(`${name}: FAILED\n${reply.text}\n`);
  }
}
const seconds = ((performance.now() - begun) / 1000).toFixed(1);
console.log(`test result: ${failed ? 'FAILED' : 'ok'}. ${passed} passed; ${failed} failed; finished in ${seconds}s`);

server.removeAllListeners('exit');
server.kill('SIGTERM');
await once(server, 'exit');
process.exit(failed ? 1 : 0);
