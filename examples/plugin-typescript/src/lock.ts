// One process per journal. Node has no flock, so the lock is a file that names its
// holder: a process id, and on Linux the moment that process started, since ids are
// given out again.
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { Failure } from './sluice/index.js';

export interface Lock {
  /** Says whether the lock is still this process's. */
  held(): Promise<boolean>;
  release(): Promise<void>;
}

/** Takes the lock, and waits a while for a process that is about to end. */
export async function takeLock(path: string, patience: number, signal: AbortSignal): Promise<Lock> {
  const mine = `${process.pid} ${await startOf(process.pid)}`;
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, mine);
  try {
    for (const deadline = Date.now() + patience; ;) {
      const holder = await claim(draft, path);
      if (holder === undefined) break;
      if (holder === mine || !(await runs(holder))) {
        await rm(path, { force: true });
        continue;
      }
      if (Date.now() >= deadline) {
        throw new Failure('misconfigured', 'LOCKED',
          `process ${holder.split(' ')[0]} writes to the journal: give each destination a path of its own, or stop the other one`);
      }
      await pause(50, undefined, { signal });
    }
  } finally {
    await rm(draft, { force: true });
  }
  const held = async (): Promise<boolean> => (await contents(path)) === mine;
  return {
    held,
    release: async () => {
      if (await held()) await rm(path, { force: true });
    },
  };
}

/** Makes draft the lock, or says who has it. */
async function claim(draft: string, path: string): Promise<string | undefined> {
  try {
    await link(draft, path); // whole, and only if there is none
    return undefined;
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'EEXIST') throw err;
    return (await contents(path)) ?? '';
  }
}

async function contents(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw err;
  }
}

async function runs(holder: string): Promise<boolean> {
  const [pid = '', start = ''] = holder.split(' ');
  if (!/^[1-9]\d*$/.test(pid)) return false;
  if (start !== '') return (await startOf(Number(pid))) === start;
  try {
    return process.kill(Number(pid), 0);
  } catch (err) {
    return (err as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** When a process started, in ticks since the machine did; empty if unknown. */
export async function startOf(pid: number): Promise<string> {
  const stat = await contents(`/proc/${pid}/stat`).catch(() => undefined);
  // The name of the program may hold spaces and brackets; field 22 counts from 1.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
