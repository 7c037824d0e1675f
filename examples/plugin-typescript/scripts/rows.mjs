// Prints what a journal holds of an object, for `sluice plugins test`: of each record the line with the largest version,
// of changes and events every line. Numbers keep their text.
import { readFileSync } from 'node:fs';
import { parse, stringify } from 'lossless-json';

const [file, object] = process.argv.slice(2);
const rows = [];
const newest = new Map();
for (const text of readFileSync(file, 'utf8').split('\n')) {
  const line = text === '' ? {} : parse(text);
  if (line.object !== object) continue;
  const { mode, operation, version, key, fields } = line;
  const row = operation === 'delete' ? { key, fields, _deleted_at: 'yes' } : { key, fields };
  if (mode !== 'records') rows.push(row);
  else if (!(BigInt(version) <= newest.get(stringify(key))?.version)) newest.set(stringify(key), { version: BigInt(version), row });
}
for (const row of [...rows, ...[...newest.values()].map((n) => n.row)]) console.log(stringify(row));
