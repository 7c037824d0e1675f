// The life of the process: handshake, serving, and a clean end.
import { randomBytes } from 'node:crypto';
import { chmodSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { Server } from '@grpc/grpc-js';
import { Calls } from './calls.js';
import { makeIdentity } from './certificate.js';
import type { Plugin } from './destination.js';
import { DestinationService } from './generated/destination.js';
import { addLibraryServices, Printed } from './library.js';
import { log, logStack } from './log.js';

const cookie = { name: 'SLUICE_DESTINATION_PLUGIN', value: '6b1c0f0e-7f3f-4c4c-9d0e-3a7c8f5d2b91' };
const coreProtocol = 1; // of go-plugin
const protocol = 1; // of proto/destination.proto
const maxMessageBytes = 256 * 1024 * 1024;

/** Serves a plugin until Sluice stops it or is gone, and ends the process. */
export function serve<S>(plugin: Plugin<S>): void {
  if (process.env[cookie.name] !== cookie.value) {
    process.stderr.write(`${basename(process.argv[1] ?? '')} is a destination plugin: Sluice starts it.\n`
      + "Put it into Sluice's plugin directory and name it under destinations in sluice.yaml;\n"
      + '`sluice plugins list` shows what is found.\n');
    process.exitCode = 2;
    return;
  }
  const calls = new Calls(plugin);
  const server = new Server({
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': maxMessageBytes,
  });
  const socket = join(process.env['PLUGIN_UNIX_SOCKET_DIR'] || tmpdir(), `plugin${randomBytes(6).toString('hex')}`);
  let stopping = false;
  const stop = (code: number): void => {
    if (stopping) return;
    stopping = true;
    calls.stop().then(() => code, (err: unknown) => {
      log.error('close destination', { err: err instanceof Error ? err.message : typeof err });
      return 1;
    }).then((code) => {
      server.forceShutdown();
      rmSync(socket, { force: true });
      process.exit(code);
    });
  };
  // A mistake outside of a call: what it says may quote a record, so Node's own
  // report of it must not reach the log.
  for (const event of ['uncaughtException', 'unhandledRejection']) {
    process.on(event, (err: unknown) => {
      logStack('the plugin', err);
      stop(1);
    });
  }
  untilHostDies(() => stop(0));
  start(plugin, server, calls, socket, () => stop(0)).catch((err: unknown) => {
    log.error('start', { err: err instanceof Error ? err.message : typeof err });
    stop(1);
  });
}

async function start<S>(plugin: Plugin<S>, server: Server, calls: Calls<S>, socket: string, shutdown: () => void): Promise<void> {
  const printed = new Printed();
  server.addService(DestinationService, calls.service);
  addLibraryServices(server, printed, shutdown);
  const identity = await makeIdentity(process.env['PLUGIN_CLIENT_CERT']);
  await promisify(server.bindAsync.bind(server))(`unix:${socket}`, identity.credentials);
  chmodSync(socket, 0o600);
  process.stdout.write(`${coreProtocol}|${protocol}|unix|${socket}|grpc|${identity.certificate}\n`);
  // From here on standard output belongs to go-plugin.
  process.stdout.write = ((data: string | Uint8Array, encoding?: unknown, done?: unknown) => {
    printed.print(Buffer.from(data as string, typeof encoding === 'string' ? encoding as BufferEncoding : 'utf8'));
    const callback = typeof encoding === 'function' ? encoding : done;
    if (typeof callback === 'function') callback();
    return true;
  }) as typeof process.stdout.write;
  log.debug('plugin serves', { name: plugin.name, version: plugin.version });
}

/**
 * Standard input ends with the host. While it is there, the host decides when the
 * plugin stops: a service manager sends signals to the whole group, but calls in
 * progress shall end first.
 */
function untilHostDies(stop: () => void): void {
  process.stderr.on('error', () => {}); // nobody reads any more
  if (process.env['SLUICE_PLUGIN_LIFELINE'] !== 'stdin') return;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  process.stdin.on('error', stop).on('close', stop).on('end', stop).resume();
}
