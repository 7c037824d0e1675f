import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metadata, status, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import { z } from 'zod';
import { Calls } from '../src/sluice/calls.js';
import * as pb from '../src/sluice/generated/destination.js';
import { Status } from '../src/sluice/generated/status.js';
import { Failure, type Connection, type Plugin } from '../src/sluice/index.js';
import { decodeSettings, schemaOf } from '../src/sluice/settings.js';

interface Answer<A> { error: Parameters<sendUnaryData<A>>[0]; value: A | null | undefined }

/** Calls a method as gRPC does; cancel gets what cancels the call. */
function call<Q, A>(
  method: (call: ServerUnaryCall<Q, A>, answer: sendUnaryData<A>) => void, request: Q, cancel: (f: () => void) => void = () => {},
  metadata = new Metadata(),
): Promise<Answer<A>> {
  return new Promise((resolve) => {
    const fake = { request, metadata, on: (_event: string, f: () => void) => cancel(f) };
    method(fake as unknown as ServerUnaryCall<Q, A>, (error, value) => resolve({ error, value }));
  });
}

function plugin(connection: Partial<Connection>): Plugin<{ path?: string | undefined }> {
  return {
    name: 'test', version: '1', settings: z.strictObject({ path: z.string().optional() }), capabilities: ['records'],
    open: async () => ({ write: async () => [], ...connection }),
  };
}

async function configured(connection: Partial<Connection>): Promise<Calls<unknown>> {
  const calls = new Calls(plugin(connection));
  const { error } = await call(calls.service.configure, { settings: Buffer.from('{}') });
  assert.equal(error, null);
  return calls;
}

const batch: pb.Batch = { mode: 'records', object: 'o', keyFields: [], types: {}, records: [] };

function failureOf(error: Answer<unknown>['error']): pb.Failure {
  const trailer = error?.metadata?.get('grpc-status-details-bin')[0];
  assert.ok(Buffer.isBuffer(trailer));
  const detail = Status.decode(trailer).details[0];
  assert.equal(detail?.typeUrl, 'type.googleapis.com/sluice.destination.v1.Failure');
  return pb.Failure.decode(detail.value);
}

/** What is written to standard error meanwhile. */
async function logged(f: () => Promise<void>): Promise<string> {
  const write = process.stderr.write;
  let text = '';
  process.stderr.write = ((data: string) => { text += data; return true; }) as typeof write;
  try {
    await f();
  } finally {
    process.stderr.write = write;
  }
  return text;
}

test('a mistake is a panic and quotes nothing', async () => {
  for (const mistake of [
    () => { JSON.parse('4111-secret'); },
    () => { throw '4111-secret'; },
    () => { throw Object.assign(new RangeError('4111-secret\n    at 4111-secret'), {}); },
  ]) {
    const calls = await configured({ write: async () => { mistake(); return []; } });
    const log = await logged(async () => {
      const { error } = await call(calls.service.write, { batch });
      assert.equal(failureOf(error).code, 'PANIC');
      assert.ok(!error?.details?.includes('4111'), error?.details);
    });
    assert.match(log, /unexpected error in write/);
    assert.ok(!log.includes('4111'), log);
  }
  const calls = await configured({ write: async () => { (undefined as unknown as string).trim(); return []; } });
  const log = await logged(async () => { await call(calls.service.write, { batch }); });
  assert.match(log, /protocol\.test/); // where it happened
});

test('what an author says is passed on', async () => {
  const until = new Date('2030-01-01T00:00:00.500Z');
  let calls = await configured({ write: async () => { throw new Failure('throttled', '429', 'später', until, 'account'); } });
  let { error } = await call(calls.service.write, { batch });
  assert.equal(error?.details, 'später');
  assert.deepEqual(failureOf(error), { kind: pb.ResultKind.RESULT_KIND_THROTTLED, code: '429', until, scope: 'account' });
  for (const said of [new Error('no such host'), new TypeError('fetch failed', { cause: new Error('ECONNREFUSED') })]) {
    calls = await configured({ write: async () => { throw said; } });
    ({ error } = await call(calls.service.write, { batch }));
    assert.deepEqual({ code: error?.code, details: error?.details }, { code: status.UNKNOWN, details: said.message });
  }
});

test('one result per record', async () => {
  const calls = await configured({ write: async () => [{ kind: 'delivered' }] });
  const { error } = await call(calls.service.write, { batch });
  assert.match(error?.details ?? '', /1 results for 0 records/);
});

test('abilities that are not there', async () => {
  const calls = await configured({});
  for (const { error } of [await call(calls.service.check, {}), await call(calls.service.dryRun, { batch })]) {
    assert.equal(error?.code, status.UNIMPLEMENTED);
  }
});

test('a stop cancels, waits and closes', async () => {
  const order: string[] = [];
  const calls = await configured({
    write: (_batch, signal) => new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => { order.push('cancelled'); reject(new Error('cancelled')); });
    }),
    close: async () => { order.push('closed'); },
  });
  const running = call(calls.service.write, { batch });
  await calls.stop();
  await running;
  assert.deepEqual(order, ['cancelled', 'closed']);
  const { error } = await call(calls.service.write, { batch });
  assert.match(error?.details ?? '', /is stopping/);
});

test('a cancelled call aborts its signal', async () => {
  let cancel = (): void => {};
  const calls = await configured({
    write: (_batch, signal) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('over')))),
  });
  const running = call(calls.service.write, { batch }, (f) => { cancel = f; });
  cancel();
  assert.equal((await running).error?.details, 'over');
});

test('a call that is read after its deadline is not made', async () => {
  let writes = 0;
  const calls = await configured({ write: async () => { writes++; return []; } });
  for (const [left, code] of [[-1, status.ABORTED], [60_000, undefined]] as const) {
    const metadata = new Metadata();
    metadata.set('sluice-deadline', String(Date.now() + left));
    const { error } = await call(calls.service.write, { batch }, () => {}, metadata);
    assert.equal(error?.code, code);
  }
  assert.equal(writes, 1);
});

test('settings are read strictly and never quoted', () => {
  const settings = z.strictObject({
    path: z.string().min(1), key: z.string().min(16).optional().meta({ writeOnly: true, description: 'Signs.' }),
  });
  const said = (text: string): string => {
    try {
      decodeSettings(settings, text);
    } catch (err) {
      assert.ok(err instanceof Failure && err.kind === 'misconfigured');
      return err.message;
    }
    return '';
  };
  assert.equal(said('{"path":"p"}'), '');
  assert.match(said('{"path":"p","pth":"s3cret"}'), /unknown setting "pth"/);
  assert.match(said('{}'), /setting "path"/);
  assert.match(said('[]'), /settings: /);
  for (const text of ['{"path":"p","key":"s3cret"}', '{"path":"p","key":["s3cret"]}', '{"s3cret', '"s3cret"']) {
    assert.notEqual(said(text), '');
    assert.ok(!said(text).includes('s3cret'), said(text));
  }
  const schema = JSON.parse(schemaOf(settings));
  assert.equal(schema.additionalProperties, false);
  assert.deepEqual(schema.required, ['path']);
  assert.equal(schema.properties.key.writeOnly, true);
});
