// The contract between Sluice and a destination, in the terms of TypeScript. The
// rules are those of docs/plugins.md; what crosses the process boundary is in
// proto/destination.proto.
import type { z } from 'zod';
import type { JsonObject } from './json.js';

/** What a destination can do. The modes are those of the batches it takes. */
export type Capability = 'records' | 'changes' | 'events' | 'check' | 'dry_run' | 'objects';

/** A plugin: what it is, and how to open a connection with given settings. */
export interface Plugin<Settings> {
  name: string;
  version: string;
  /** A strict object. `.meta({ writeOnly: true })` marks a secret. */
  settings: z.ZodType<Settings>;
  capabilities: Capability[];
  /** Bounds of one batch; Sluice's own where they are left out. */
  maxBatchRecords?: number;
  maxBatchBytes?: number;
  /**
   * Called once, before all other calls. An error is shown to the operator as it
   * is: say what to change, and quote no secret.
   */
  open(settings: Settings, signal: AbortSignal): Promise<Connection>;
}

/** An open destination. Its methods are called several at a time. */
export interface Connection {
  /**
   * Brings a batch to the destination and gives one result per record, in their
   * order. An error says that nothing is known of any record. The same records may
   * come again, and older versions after newer ones.
   */
  write(batch: Batch, signal: AbortSignal): Promise<Result[]>;
  /** Tests credentials and reachability; announced by the capability `check`. */
  check?(signal: AbortSignal): Promise<void>;
  /** Says what write would do; announced by the capability `dry_run`. */
  dryRun?(batch: Batch, signal: AbortSignal): Promise<string[]>;
  /** Says what a mapping gets wrong about an object; announced by the capability `objects`. */
  checkObject?(object: string, fields: string[], signal: AbortSignal): Promise<ObjectCheck>;
  /** Called once, after the last call. */
  close?(): Promise<void>;
}

export interface ObjectCheck {
  /** There is no such object. */
  missing: boolean;
  /** Of the fields asked about. */
  unknown: string[];
  /** Names of objects if it is missing, else of fields. */
  known: string[];
}

export interface Batch {
  mode: 'records' | 'changes' | 'events';
  /** Table, CRM object or topic. */
  object: string;
  keyFields: string[];
  /** boolean, number, timestamp, text or json, for fields that Sluice's catalog knows. */
  types: { [field: string]: string };
  records: DestinationRecord[];
}

export interface DestinationRecord {
  /** Same order and length as Batch.keyFields. */
  key: string[];
  /** `append` in batches of changes and events. A later Sluice may know more. */
  operation: 'upsert' | 'delete' | 'append' | (string & {});
  /** Grows with every change of the record; never overwrite a larger one. */
  version: bigint;
  /** The whole record. A null clears the field. Numbers keep their text. */
  fields: JsonObject;
  /** What may differ from what the destination has. */
  changed: string[];
  /** The same for every repetition of this write. */
  idempotencyKey: string;
  occurredAt: Date | undefined;
  origin: Origin;
}

export interface Origin {
  source: string;
  companyId: string;
  integration: string;
  model: string;
  platformId: string;
  eventId: string;
  eventKind: string;
  operation: string;
}

/** What became of a record; docs/plugins.md says what Sluice does with each. */
export type Kind = 'retry' | 'delivered' | 'throttled' | 'dependency' | 'rejected' | 'misconfigured';

export type Scope = 'object' | 'account';

export interface Result {
  kind: Kind;
  /** A short, stable word without values of records: it goes to logs. */
  code?: string;
  /** For the operator; may quote the destination. */
  message?: string;
  /** Not before; `throttled` needs it. */
  until?: Date;
  /** What `throttled` holds up: the batch's object or the record's company; else the destination. */
  scope?: Scope;
  externalId?: string;
}

/** An error that holds for a whole call and says of which kind it is. */
export class Failure extends Error {
  readonly kind: Kind;
  readonly code: string;
  readonly until: Date | undefined;
  readonly scope: Scope | undefined;

  constructor(kind: Kind, code: string, message: string, until?: Date, scope?: Scope) {
    super(message);
    this.name = 'Failure';
    this.kind = kind;
    this.code = code;
    this.until = until;
    this.scope = scope;
  }
}
