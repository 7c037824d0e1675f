// Makes one executable file of the plugin and everything it uses, so that the
// checksum that Sluice pins holds for all of it: in dist/, or where --out says. With --tests, the tests.
import { chmodSync, readdirSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const common = { bundle: true, platform: 'node', target: 'node18', format: 'cjs', logLevel: 'warning' };

if (process.argv.includes('--tests')) {
  rmSync('dist/test', { recursive: true, force: true });
  await build({
    ...common,
    entryPoints: readdirSync('test').filter((name) => name.endsWith('.test.ts')).map((name) => `test/${name}`),
    outdir: 'dist/test',
    sourcemap: 'inline',
  });
} else {
  const at = process.argv.indexOf('--out') + 1;
  const outfile = at > 0 ? process.argv[at] : 'dist/sluice-destination-journal';
  await build({ ...common, entryPoints: ['src/main.ts'], outfile, banner: { js: '#!/usr/bin/env node' }, legalComments: 'eof' });
  chmodSync(outfile, 0o755); // Sluice refuses a file that its group may write
}
