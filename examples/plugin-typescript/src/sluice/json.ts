// JSON without loss: a number is its text, since it may be money.
import { LosslessNumber, parse, stringify } from 'lossless-json';

export type Json = null | boolean | string | LosslessNumber | Json[] | JsonObject;
export interface JsonObject {
  [name: string]: Json;
}

export { LosslessNumber };

/** Reads one JSON object. The error quotes nothing of it. */
export function parseObject(text: string): JsonObject {
  let value: unknown;
  try {
    value = parse(text, undefined, { onDuplicateKey: ({ newValue }) => newValue });
  } catch {
    throw new Error('the text is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof LosslessNumber) {
    throw new Error('the text is not a JSON object');
  }
  return value as JsonObject;
}

/** Writes JSON; numbers get the text that they came with, and bigints theirs. */
export function toText(value: unknown): string {
  const text = stringify(value);
  if (text === undefined) throw new Error('the value cannot be written as JSON');
  return text;
}
