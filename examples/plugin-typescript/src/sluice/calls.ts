// The destination service: holds a plugin to the contract, keeps its mistakes out
// of the answers, and knows which calls are under way.
import { status, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import type * as pb from './generated/destination.js';
import { Failure, type Connection, type Plugin } from './destination.js';
import { logStack } from './log.js';
import { decodeSettings, schemaOf } from './settings.js';
import { fromBatch, toResult, toStatus } from './wire.js';

export class Calls<S> {
  private connection: Connection | undefined;
  private readonly running = new Map<Promise<void>, AbortController>();
  private stopping = false;

  constructor(private readonly plugin: Plugin<S>) {}

  readonly service: pb.DestinationServer = {
    describe: (call, answer) => this.run('describe', call, answer, async () => this.describe()),
    configure: (call, answer) => this.run('configure', call, answer, async (signal) => {
      if (this.connection !== undefined) throw new Error('the plugin is configured already');
      const settings = decodeSettings(this.plugin.settings, call.request.settings.toString('utf8'));
      this.connection = await this.plugin.open(settings, signal);
      return {};
    }),
    check: (call, answer) => this.run('check', call, answer, async (signal) => {
      const c = this.opened();
      if (c.check === undefined) throw unsupported;
      await c.check(signal);
      return {};
    }),
    write: (call, answer) => this.run('write', call, answer, async (signal) => {
      const batch = fromBatch(call.request.batch);
      const results = await this.opened().write(batch, signal);
      if (results.length !== batch.records.length) {
        throw new Error(`write: the plugin gave ${results.length} results for ${batch.records.length} records`);
      }
      return { results: results.map(toResult) };
    }),
    dryRun: (call, answer) => this.run('dry run', call, answer, async (signal) => {
      const c = this.opened();
      if (c.dryRun === undefined) throw unsupported;
      return { lines: await c.dryRun(fromBatch(call.request.batch), signal) };
    }),
    checkObject: (call, answer) => this.run('check object', call, answer, async (signal) => {
      const c = this.opened();
      if (c.checkObject === undefined) throw unsupported;
      return c.checkObject(call.request.object, call.request.fields, signal);
    }),
    metrics: (call, answer) => this.run('metrics', call, answer, async () => { throw unsupported; }),
  };

  private describe(): pb.DescribeResponse {
    return {
      name: this.plugin.name,
      version: this.plugin.version,
      configSchema: Buffer.from(schemaOf(this.plugin.settings)),
      capabilities: this.plugin.capabilities,
      maxBatchRecords: BigInt(this.plugin.maxBatchRecords ?? 0),
      maxBatchBytes: BigInt(this.plugin.maxBatchBytes ?? 0),
    };
  }

  private opened(): Connection {
    if (this.connection === undefined) throw new Error('the plugin is not configured');
    return this.connection;
  }

  private run<Q, A>(name: string, call: ServerUnaryCall<Q, A>, answer: sendUnaryData<A>, f: (signal: AbortSignal) => Promise<A>): void {
    if (this.stopping) {
      answer(toStatus(new Error('the plugin is stopping')));
      return;
    }
    if (isOver(call)) {
      answer({ code: status.ABORTED, details: 'the call was read after its deadline' });
      return;
    }
    const abort = new AbortController();
    call.on('cancelled', () => abort.abort());
    const done = f(abort.signal).then(
      (value) => answer(null, value),
      (err: unknown) => answer(err === unsupported ? { code: status.UNIMPLEMENTED, details: unsupported.message } : toStatus(said(name, err))),
    ).finally(() => this.running.delete(done));
    this.running.set(done, abort);
  }

  /** Cancels what runs, waits for it, and closes the connection. */
  async stop(): Promise<void> {
    this.stopping = true;
    for (const abort of this.running.values()) abort.abort();
    await within(3_000, Promise.allSettled(this.running.keys()));
    const close = this.connection?.close?.();
    if (close !== undefined && !(await within(5_000, close))) throw new Error('close: it takes too long');
  }
}

/**
 * A process that stood still reads calls whose caller has given up: others may have
 * written something newer meanwhile. gRPC's own timeout begins only now.
 */
function isOver(call: ServerUnaryCall<unknown, unknown>): boolean {
  const [end] = call.metadata.get('sluice-deadline'); // in milliseconds since 1970
  return end !== undefined && Date.now() >= Number(end);
}

const unsupported = new Error('the plugin does not support this');

/**
 * The error that the other end sees. A programming mistake counts as a panic: what
 * it says may quote a record, so only where it happened goes to the log. A failed
 * fetch is a TypeError with a cause, and no mistake.
 */
function said(call: string, err: unknown): Error {
  const mistake = !(err instanceof Error) || err.cause === undefined && mistakes.some((type) => err instanceof type);
  if (!mistake) return err;
  logStack(call, err);
  return new Failure('retry', 'PANIC', `${call}: the plugin failed unexpectedly; the stack is in the log`);
}

const mistakes = [TypeError, RangeError, ReferenceError, SyntaxError, EvalError, URIError];

async function within(limit: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => { timer = setTimeout(() => resolve(false), limit); });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
