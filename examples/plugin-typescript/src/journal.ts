// A journal: one file to which every write appends lines. The state of a record is
// the line with its largest version; an index of versions in memory keeps older
// ones out. A line is on disk before its write is answered, and what a crash left
// of an unfinished one is cut off at the next start. Lines that newer ones replaced
// are cleared away from time to time.
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { beginning, entryOf, isSigned, makeLine, readEntry, sign, type Entry } from './line.js';
import { takeLock, type Lock } from './lock.js';
import { Failure, log, type Batch, type Connection, type DestinationRecord, type Result } from './sluice/index.js';
import { Turns } from './turn.js';

export interface Options {
  path: string;
  signingKey?: string | undefined;
  /** Replaced lines that the file may hold, at least; more while it is large. */
  slack?: number;
  /** How long an earlier process may still hold the lock, in milliseconds. */
  patience?: number;
}

export class Journal implements Connection {
  private readonly versions = new Map<string, bigint>(); // of records
  private readonly appended = new Set<string>(); // idempotency keys of changes and events
  private readonly turns = new Turns();
  private file!: FileHandle;
  private inode = 0;
  private size = 0; // of whole lines
  private torn = false; // there may be more after them
  private lines = 0;

  private constructor(private readonly options: Options, private readonly lock: Lock) {}

  static async open(options: Options, signal: AbortSignal): Promise<Journal> {
    try {
      await mkdir(dirname(options.path), { recursive: true });
      const lock = await takeLock(`${options.path}.lock`, options.patience ?? 10_000, signal);
      const journal = new Journal(options, lock);
      try {
        await journal.load();
      } catch (err) {
        await lock.release();
        throw err;
      }
      return journal;
    } catch (err) {
      throw failure(err);
    }
  }

  write(batch: Batch, signal: AbortSignal): Promise<Result[]> {
    return this.turns.take(signal, async () => {
      try {
        await this.ensureOurs();
        const { lines, entries, results } = this.plan(batch);
        await this.append(lines.map((line) => sign(line, this.options.signingKey) + '\n').join(''));
        this.lines += lines.length;
        entries.forEach((entry) => this.note(entry));
        if (this.outdated() > Math.max(this.options.slack ?? 10_000, this.live())) this.clearLater();
        return results;
      } catch (err) {
        throw failure(err);
      }
    });
  }

  async check(signal: AbortSignal): Promise<void> {
    await this.turns.take(signal, () => this.ensureOurs().catch((err: unknown) => { throw failure(err); }));
  }

  async dryRun(batch: Batch): Promise<string[]> {
    const { lines, results } = this.plan(batch);
    const refused = results.filter((r) => r.kind === 'rejected').map((r) => `refused: ${r.message ?? ''}`);
    return [`append ${lines.length} of ${batch.records.length} records to ${this.options.path}`, ...lines, ...refused];
  }

  close(): Promise<void> {
    return this.turns.take(new AbortController().signal, async () => {
      await this.file.close();
      await this.lock.release();
    });
  }

  /** What a batch adds to the journal, and its results once that is written. */
  private plan(batch: Batch): { lines: string[]; entries: Entry[]; results: Result[] } {
    const lines: string[] = [];
    const entries: Entry[] = [];
    const fresh = new Map<string, bigint>(); // what this batch has added
    const results = batch.records.map((r): Result => {
      if (!allowed(batch, r)) {
        return { kind: 'rejected', code: 'OPERATION', message: `unknown operation ${JSON.stringify(r.operation)} in a batch of ${batch.mode}` };
      }
      const entry = entryOf(batch, r);
      const known = entry.mode === 'records'
        ? (fresh.get(entry.id) ?? this.versions.get(entry.id) ?? -1n) >= entry.version
        : fresh.has(entry.id) || this.appended.has(entry.id);
      if (!known) {
        fresh.set(entry.id, r.version);
        lines.push(makeLine(batch, r));
        entries.push(entry);
      }
      return { kind: 'delivered' };
    });
    return { lines, entries, results };
  }

  private note(entry: Entry): void {
    if (entry.mode !== 'records') this.appended.add(entry.id);
    else if ((this.versions.get(entry.id) ?? -1n) < entry.version) this.versions.set(entry.id, entry.version);
  }

  private live(): number { return this.versions.size + this.appended.size; }

  private outdated(): number { return this.lines - this.live(); }

  /** The lock is still ours, and the file the one that we know. */
  private async ensureOurs(): Promise<void> {
    if (!(await this.lock.held())) {
      throw new Failure('misconfigured', 'LOCKED', 'another process took the journal: give each destination a path of its own');
    }
    const there = await stat(this.options.path).catch(ignoreMissing);
    if (there?.ino === this.inode) return;
    log.warn('the journal was moved away or replaced: reading it again');
    await this.file.close();
    await this.load();
  }

  private async append(text: string): Promise<void> {
    if (text === '') return;
    if (this.torn) {
      await this.file.truncate(this.size);
      this.torn = false;
    }
    const data = Buffer.from(text);
    this.torn = true;
    await this.file.appendFile(data);
    await this.file.datasync();
    this.torn = false;
    this.size += data.length;
  }

  /** Opens the file, reads the index from it, and cuts off an unfinished line. */
  private async load(): Promise<void> {
    const { path } = this.options;
    this.versions.clear();
    this.appended.clear();
    this.lines = 0;
    this.size = 0;
    await rm(`${path}.new`, { force: true });
    const file = await open(path, 'a+', 0o640);
    try {
      const { size, ino } = await file.stat();
      for await (const line of wholeLines(path, size)) {
        this.lines++;
        this.note(this.read(line, this.lines));
        this.size += line.length + 1;
      }
      if (this.size < size) {
        await refuseForeign(file, this.size);
        await file.truncate(this.size);
      }
      await syncDirectory(path);
      this.inode = ino;
      this.file = file;
      this.torn = false;
    } catch (err) {
      await file.close();
      throw err;
    }
  }

  private read(bytes: Buffer, number: number): Entry {
    const line = bytes.toString('utf8');
    const entry = readEntry(line);
    if (entry === undefined) throw foreign(`line ${number} is not a journal's`);
    if (!isSigned(line, this.options.signingKey)) {
      throw new Failure('misconfigured', 'SIGNATURE',
        `line ${number} is not signed with signing_key: set the key that the journal was begun with, or another path`);
    }
    return entry;
  }

  /** Clears after the answer; the next write waits for it. */
  private clearLater(): void {
    this.turns.take(new AbortController().signal, () => this.clear()).catch((err: unknown) => {
      log.warn('clear replaced lines', { err: failure(err).message });
    });
  }

  /** Writes the file anew without replaced lines. */
  private async clear(): Promise<void> {
    if (this.outdated() === 0) return; // done by an earlier turn
    await this.ensureOurs();
    const { path } = this.options;
    const draft = await open(`${path}.new`, 'w', 0o640);
    let size = 0;
    let lines = 0;
    try {
      let seen = 0;
      for await (const line of wholeLines(path, this.size)) {
        const entry = this.read(line, ++seen);
        if (entry.mode === 'records' && this.versions.get(entry.id) !== entry.version) continue;
        const data = Buffer.concat([line, newline]);
        await draft.appendFile(data);
        size += data.length;
        lines++;
      }
      await draft.sync();
      await rename(`${path}.new`, path);
    } finally {
      await draft.close();
    }
    await syncDirectory(path);
    const before = this.file;
    this.file = await open(path, 'a+');
    await before.close();
    Object.assign(this, { inode: (await this.file.stat()).ino, size, lines, torn: false });
    log.debug('cleared replaced lines', { lines });
  }
}

function allowed(batch: Batch, r: DestinationRecord): boolean {
  if (batch.mode === 'records') return r.operation === 'upsert' || r.operation === 'delete';
  return (batch.mode === 'changes' || batch.mode === 'events') && r.operation === 'append';
}

const newline = Buffer.from('\n');

/** The lines of the first size bytes, as bytes; an unfinished one is left out. */
async function* wholeLines(path: string, size: number): AsyncGenerator<Buffer> {
  if (size === 0) return;
  let rest = Buffer.alloc(0);
  for await (const chunk of createReadStream(path, { end: size - 1, highWaterMark: 1 << 20 })) {
    rest = Buffer.concat([rest, chunk as Buffer]);
    let begin = 0;
    for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a, begin)) {
      yield rest.subarray(begin, end);
      begin = end + 1;
    }
    rest = rest.subarray(begin);
  }
}

/** What is cut off must be the beginning of a line of ours. */
async function refuseForeign(file: FileHandle, from: number): Promise<void> {
  if (from > 0) return; // whole lines before it are
  const { buffer, bytesRead } = await file.read(Buffer.alloc(beginning.length), 0, beginning.length, 0);
  if (!beginning.startsWith(buffer.toString('latin1', 0, bytesRead))) throw foreign('it is not a journal');
}

function foreign(why: string): Failure {
  return new Failure('misconfigured', 'FOREIGN_FILE', `path is another file (${why}): set a path that is free`);
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(dirname(path), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function ignoreMissing(err: unknown): undefined {
  if ((err as NodeJS.ErrnoException).code !== 'ENOENT') throw err;
}

/** Errors that settings or rights cause; others may pass. */
const settled = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EISDIR', 'ELOOP', 'ENAMETOOLONG', 'EEXIST']);

function failure(err: unknown): Error {
  if (!(err instanceof Error)) return new Error('unknown');
  const code = (err as NodeJS.ErrnoException).code;
  if (err instanceof Failure || code === undefined) return err;
  if (code === 'ABORT_ERR') return new Failure('retry', 'CANCELLED', 'the call was cancelled');
  return new Failure(settled.has(code) ? 'misconfigured' : 'retry', code, err.message);
}
