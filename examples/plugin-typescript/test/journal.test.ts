import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Journal, type Options } from '../src/journal.js';
import { startOf } from '../src/lock.js';
import { Failure, parseObject, type Batch, type DestinationRecord } from '../src/sluice/index.js';

const never = new AbortController().signal;
let folder = '';
let path = '';
let opened: Journal[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'journal-'));
  path = join(folder, 'journal.jsonl');
});

afterEach(async () => {
  for (const journal of opened.splice(0)) await journal.close().catch(() => {});
  rmSync(folder, { recursive: true });
});

async function start(options: Partial<Options> = {}): Promise<Journal> {
  const journal = await Journal.open({ path, patience: 100, ...options }, never);
  opened.push(journal);
  return journal;
}

async function restart(journal: Journal, options: Partial<Options> = {}): Promise<Journal> {
  opened = opened.filter((one) => one !== journal);
  await journal.close();
  return start(options);
}

function record(id: string, version: number, fields = '{}'): DestinationRecord {
  return {
    key: [id], operation: 'upsert', version: BigInt(version), fields: parseObject(fields), changed: [],
    idempotencyKey: `${id}/${version}`, occurredAt: undefined,
    origin: { source: '', companyId: '', integration: '', model: '', platformId: id, eventId: '', eventKind: '', operation: '' },
  };
}

function batch(...records: DestinationRecord[]): Batch {
  return { mode: 'records', object: 'invoices', keyFields: ['id'], types: {}, records };
}

function lines(): string[] {
  const text = readFileSync(path, 'utf8');
  assert.ok(text === '' || text.endsWith('\n'));
  return text.split('\n').slice(0, -1);
}

async function refused(work: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(work, (err: unknown) => err instanceof Failure && err.code === code && err.kind === 'misconfigured');
}

test('a line that a crash left unfinished is cut off', async () => {
  let journal = await start();
  await journal.write(batch(record('a', 1)), never);
  const before = readFileSync(path, 'utf8');
  appendFileSync(path, before.slice(0, before.length / 2));
  journal = await restart(journal);
  assert.equal(readFileSync(path, 'utf8'), before);
  await journal.write(batch(record('a', 2)), never);
  assert.equal(lines().length, 2);
});

test('a journal that a crash left with half a line is a journal', async () => {
  writeFileSync(path, '{"mode":"records","obj');
  await start();
  assert.equal(readFileSync(path, 'utf8'), '');
});

for (const [name, text] of Object.entries({ lines: 'my notes\nof years\n', 'no line': 'my notes', json: '{"a":1}\n' })) {
  test(`another file is refused and left alone: ${name}`, async () => {
    writeFileSync(path, text);
    await refused(start(), 'FOREIGN_FILE');
    assert.equal(readFileSync(path, 'utf8'), text);
    assert.ok(!existsSync(path + '.lock'));
  });
}

test('lines that newer ones replaced are cleared, and no more', async () => {
  let journal = await start({ slack: 50, signingKey: 'a key of the tests' });
  for (let version = 1; version <= 200; version++) {
    await journal.write(batch(record('a', version, `{"n":${version}.10}`), record(`b${version % 3}`, version)), never);
  }
  const event: Batch = { ...batch({ ...record('e', 1), operation: 'append' }), mode: 'events', object: 'events' };
  await journal.write(event, never);
  assert.ok(lines().length < 150, `${lines().length} lines`);
  // The index survived, in memory and in the file.
  for (const again of [false, true]) {
    if (again) journal = await restart(journal, { signingKey: 'a key of the tests' });
    const count = lines().length;
    await journal.write(batch(record('a', 199), record('b1', 1)), never);
    await journal.write(event, never);
    assert.equal(lines().length, count);
  }
  assert.equal(lines().filter((line) => line.includes('"n":200.10')).length, 1);
});

test('a signed journal takes its own key only', async () => {
  let journal = await start({ signingKey: 'the right one here' });
  await journal.write(batch(record('a', 1)), never);
  opened = [];
  await journal.close();
  await refused(start({ signingKey: 'a wrong one, longer' }), 'SIGNATURE');
  await refused(start(), 'SIGNATURE');
  journal = await start({ signingKey: 'the right one here' });
  opened = [];
  await journal.close();
  writeFileSync(path, readFileSync(path, 'utf8').replace('"version":1', '"version":7'));
  await refused(start({ signingKey: 'the right one here' }), 'SIGNATURE');
});

test('two processes do not share a journal', async () => {
  const journal = await start();
  const mine = readFileSync(path + '.lock', 'utf8');
  writeFileSync(path + '.lock', `${process.ppid} ${await startOf(process.ppid)}`);
  await refused(start(), 'LOCKED');
  await refused(journal.write(batch(record('a', 1)), never), 'LOCKED');
  await refused(journal.check(never), 'LOCKED');
  assert.equal(lines().length, 0);
  writeFileSync(path + '.lock', mine);
});

test('the lock of a process that is gone is taken over', async () => {
  writeFileSync(path + '.lock', `${process.ppid} 1`); // its number, of an earlier life
  await (await start()).write(batch(record('a', 1)), never);
  assert.equal(lines().length, 1);
});

test('a journal that was moved away is begun again', async () => {
  const journal = await start();
  await journal.write(batch(record('a', 1)), never);
  renameSync(path, path + '.old');
  await journal.write(batch(record('a', 1)), never);
  assert.equal(lines().length, 1);
});

test('what is cancelled before its turn is not written', async () => {
  const journal = await start();
  const abort = new AbortController();
  const first = journal.write(batch(record('a', 1)), never);
  const second = journal.write(batch(record('b', 1)), abort.signal);
  abort.abort();
  await assert.rejects(second, (err: unknown) => err instanceof Failure && err.kind === 'retry' && err.code === 'CANCELLED');
  await first;
  await journal.write(batch(record('c', 1)), never);
  assert.deepEqual(lines().map((line) => parseObject(line)['platform_id']), ['a', 'c']);
});

test('numbers keep their text', async () => {
  const journal = await start();
  const fields = '{"a":0.10,"b":12345678901234567890.5,"c":[1e400,{"d":-0.0}]}';
  await journal.write(batch(record('a', 1, fields)), never);
  assert.ok(lines()[0]?.includes(`"fields":${fields}`), lines()[0]);
});
