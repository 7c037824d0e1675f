// Settings: their JSON Schema for Sluice, and reading them. No error quotes a
// value: it may be a secret.
import { z } from 'zod';
import { Failure } from './destination.js';

/** The JSON Schema that Sluice checks the configuration with. */
export function schemaOf(settings: z.ZodType): string {
  return JSON.stringify(z.toJSONSchema(settings, { io: 'input' }));
}

export function decodeSettings<S>(settings: z.ZodType<S>, text: string): S {
  let raw: unknown;
  try {
    raw = JSON.parse(text === '' ? '{}' : text);
  } catch {
    throw refusal('settings are not JSON');
  }
  const read = settings.safeParse(raw);
  if (!read.success) throw refusal(read.error.issues.map(explain).join('; '));
  return read.data;
}

function explain(issue: z.core.$ZodIssue): string {
  const path = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    const prefix = path === '' ? '' : path + '.';
    return issue.keys.map((key) => `unknown setting "${prefix}${key}"`).join('; ');
  }
  return path === '' ? `settings: ${issue.message}` : `setting "${path}": ${issue.message}`;
}

function refusal(message: string): Failure {
  return new Failure('misconfigured', 'SETTINGS', message);
}
