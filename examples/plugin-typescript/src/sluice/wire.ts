// Between protobuf messages and the types of destination.ts.
import { Metadata, status, type ServiceError } from '@grpc/grpc-js';
import * as pb from './generated/destination.js';
import { Status } from './generated/status.js';
import { Failure, type Batch, type Kind, type Result } from './destination.js';
import { parseObject } from './json.js';

const kinds: Record<Kind, pb.ResultKind> = {
  retry: pb.ResultKind.RESULT_KIND_RETRY,
  delivered: pb.ResultKind.RESULT_KIND_DELIVERED,
  throttled: pb.ResultKind.RESULT_KIND_THROTTLED,
  dependency: pb.ResultKind.RESULT_KIND_DEPENDENCY,
  rejected: pb.ResultKind.RESULT_KIND_REJECTED,
  misconfigured: pb.ResultKind.RESULT_KIND_MISCONFIGURED,
};

export function fromBatch(b: pb.Batch | undefined): Batch {
  if (b === undefined) throw new Failure('rejected', 'PROTOCOL', 'the request has no batch');
  return {
    mode: b.mode as Batch['mode'],
    object: b.object,
    keyFields: b.keyFields,
    types: b.types,
    records: b.records.map((r) => ({
      key: r.key,
      operation: r.operation,
      version: r.version,
      fields: r.fields.length === 0 ? {} : parseObject(r.fields.toString('utf8')),
      changed: r.changed,
      idempotencyKey: r.idempotencyKey,
      occurredAt: r.occurredAt,
      origin: r.origin ?? noOrigin,
    })),
  };
}

const noOrigin = {
  source: '', companyId: '', integration: '', model: '', platformId: '', eventId: '', eventKind: '', operation: '',
};

export function toResult(r: Result): pb.Result {
  return {
    kind: kinds[r.kind],
    code: r.code ?? '',
    message: r.message ?? '',
    until: r.until,
    externalId: r.externalId ?? '',
    scope: r.scope ?? '',
  };
}

/** Longer texts do not fit into the headers of an answer. */
const maxErrorText = 4096;

/** The gRPC status of an error: its text, and its kind in the details. */
export function toStatus(err: Error): Partial<ServiceError> {
  const message = err.message.slice(0, maxErrorText);
  if (!(err instanceof Failure)) return { code: status.UNKNOWN, details: message };
  const failure = pb.Failure.encode({ kind: kinds[err.kind], code: err.code, until: err.until, scope: err.scope ?? '' }).finish();
  const details = Status.encode({
    code: status.UNKNOWN,
    message,
    details: [{ typeUrl: 'type.googleapis.com/sluice.destination.v1.Failure', value: Buffer.from(failure) }],
  }).finish();
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', Buffer.from(details));
  return { code: status.UNKNOWN, details: message, metadata };
}
