// The log: one JSON object per line on standard error, which Sluice puts into its
// own log with the destination's name. Never log contents of records.

const levels = ['DEBUG', 'INFO', 'WARN', 'ERROR'] as const;
type Level = (typeof levels)[number];
type Attributes = Record<string, string | number | boolean | undefined>;

function lowest(): number {
  const asked = levels.indexOf((process.env['SLUICE_PLUGIN_LOG_LEVEL'] ?? '').toUpperCase() as Level);
  return asked < 0 ? levels.indexOf('INFO') : asked;
}

function write(level: Level, message: string, attributes: Attributes = {}): void {
  if (levels.indexOf(level) < lowest()) return;
  const entry = { '@timestamp': new Date().toISOString(), '@level': level.toLowerCase(), '@message': message, ...attributes };
  process.stderr.write(JSON.stringify(entry) + '\n');
}

export const log = {
  debug: (message: string, attributes?: Attributes) => write('DEBUG', message, attributes),
  info: (message: string, attributes?: Attributes) => write('INFO', message, attributes),
  warn: (message: string, attributes?: Attributes) => write('WARN', message, attributes),
  error: (message: string, attributes?: Attributes) => write('ERROR', message, attributes),
};

/** Says where an error happened, and not what it says: that may quote a record. */
export function logStack(where: string, err: unknown): void {
  log.error(`unexpected error in ${where}`, { error: nameOf(err), stack: framesOf(err) });
}

function nameOf(err: unknown): string {
  return err instanceof Error ? err.constructor.name : typeof err;
}

/** The frames of a stack, without the message before them. */
function framesOf(err: unknown): string {
  if (!(err instanceof Error) || err.stack === undefined) return '';
  const said = err.stack.indexOf(err.message);
  const after = said < 0 ? err.stack : err.stack.slice(said + err.message.length);
  return after.split('\n').filter((line) => /^\s+at /.test(line)).map((line) => line.trim()).join('\n');
}
