// Makes the TypeScript of the protocol from proto/. Needs protoc (Debian:
// protobuf-compiler and libprotobuf-dev); the result is committed, so that a build
// does not.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const out = 'src/sluice/generated';
rmSync(out, { recursive: true, force: true });
execFileSync('mkdir', ['-p', out]);
execFileSync('protoc', [
  '--plugin=protoc-gen-ts_proto=node_modules/.bin/protoc-gen-ts_proto',
  '--proto_path=proto',
  `--ts_proto_out=${out}`,
  '--ts_proto_opt=' + [
    'env=node', 'forceLong=bigint', 'outputServices=grpc-js', 'outputClientImpl=false',
    'outputJsonMethods=false', 'outputPartialMethods=false', 'esModuleInterop=true', 'importSuffix=.js',
  ].join(','),
  ...readdirSync('proto').filter((name) => name.endsWith('.proto')),
], { stdio: 'inherit' });

// The version of protoc is the machine's and must not make the output differ.
for (const name of readdirSync(out, { recursive: true })) {
  if (!name.endsWith('.ts')) continue;
  const path = join(out, name);
  writeFileSync(path, readFileSync(path, 'utf8').replace(/^\/\/ +protoc +v.*\n/m, ''));
}
