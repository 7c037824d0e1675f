// A line of the journal: what it says, and how it is signed.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { LosslessNumber, parseObject, toText, type Batch, type DestinationRecord, type JsonObject } from './sluice/index.js';

/** How every line begins: what tells a journal from another file. */
export const beginning = '{"mode":"';

/** What the index keeps of a line. */
export type Entry =
  | { mode: 'records'; id: string; version: bigint }
  | { mode: 'changes' | 'events'; id: string };

export function makeLine(b: Batch, r: DestinationRecord): string {
  const line: Record<string, unknown> = {
    mode: b.mode,
    object: b.object,
    operation: r.operation,
    key: Object.fromEntries(b.keyFields.map((name, i) => [name, r.key[i] ?? ''])),
    version: r.version,
    fields: r.fields,
    idempotency_key: r.idempotencyKey,
    occurred_at: r.occurredAt?.toISOString() ?? null,
    source: r.origin.source,
    company_id: r.origin.companyId,
    integration: r.origin.integration,
    model: r.origin.model,
    platform_id: r.origin.platformId,
  };
  if (b.mode !== 'records') {
    line['event_id'] = r.origin.eventId;
    line['event_kind'] = r.origin.eventKind;
    if (b.mode === 'changes') line['source_operation'] = r.origin.operation;
  }
  return toText(line);
}

/** What a batch's record is in the index. */
export function entryOf(b: Batch, r: DestinationRecord): Entry {
  if (b.mode !== 'records') return { mode: b.mode, id: r.idempotencyKey };
  return { mode: 'records', id: idOf(b.object, b.keyFields.map((name, i) => [name, r.key[i] ?? ''])), version: r.version };
}

/** The same of a line that was read; undefined if it is no line of a journal. */
export function readEntry(line: string): Entry | undefined {
  if (!line.startsWith(beginning)) return undefined;
  let l: JsonObject;
  try {
    l = parseObject(line);
  } catch {
    return undefined;
  }
  const { mode, object, key, version, idempotency_key: idempotencyKey } = l;
  if (mode === 'changes' || mode === 'events') {
    return typeof idempotencyKey === 'string' ? { mode, id: idempotencyKey } : undefined;
  }
  const known = mode === 'records' && typeof object === 'string' && version instanceof LosslessNumber
    && typeof key === 'object' && key !== null && !Array.isArray(key) && !(key instanceof LosslessNumber);
  return known ? { mode, id: idOf(object, Object.entries(key)), version: BigInt(version.value) } : undefined;
}

function idOf(object: string, key: [string, unknown][]): string {
  return JSON.stringify([object, ...key.sort(([a], [b]) => (a < b ? -1 : 1))]);
}

const signature = /,"signature":"([0-9a-f]{64})"\}$/;

export function sign(line: string, key: string | undefined): string {
  if (key === undefined) return line;
  return `${line.slice(0, -1)},"signature":"${mac(line, key)}"}`;
}

/** Says whether the line is signed with the key, or unsigned where there is none. */
export function isSigned(line: string, key: string | undefined): boolean {
  const found = signature.exec(line);
  if (found?.[1] === undefined || key === undefined) return found === null && key === undefined;
  const unsigned = `${line.slice(0, found.index)}}`;
  return timingSafeEqual(Buffer.from(found[1]), Buffer.from(mac(unsigned, key)));
}

function mac(line: string, key: string): string {
  return createHmac('sha256', key).update(line).digest('hex');
}
