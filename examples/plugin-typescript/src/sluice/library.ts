// The services that go-plugin expects beside the destination: health, controller,
// broker, and standard output.
import { status, type Server, type ServerWritableStream } from '@grpc/grpc-js';
import type { Empty } from './generated/google/protobuf/empty.js';
import { HealthCheckResponse_ServingStatus as Serving, HealthService, type HealthServer } from './generated/health.js';
import {
  GRPCBrokerService, GRPCControllerService, GRPCStdioService, StdioData_Channel,
  type GRPCBrokerServer, type GRPCControllerServer, type GRPCStdioServer, type StdioData,
} from './generated/plugin.js';

/** go-plugin asks for the health of this service. */
const served = 'plugin';

export function addLibraryServices(server: Server, printed: Printed, shutdown: () => void): void {
  const health: HealthServer = {
    check: ({ request }, answer) => {
      if (request.service === '' || request.service === served) answer(null, { status: Serving.SERVING });
      else answer({ code: status.NOT_FOUND, details: 'unknown service' });
    },
    watch: (call) => {
      const known = call.request.service === '' || call.request.service === served;
      call.write({ status: known ? Serving.SERVING : Serving.SERVICE_UNKNOWN });
    },
  };
  const controller: GRPCControllerServer = {
    shutdown: (_call, answer) => {
      answer(null, {});
      shutdown();
    },
  };
  const broker: GRPCBrokerServer = {
    // Sluice opens no further connections: the stream stays silent until it ends.
    startStream: (call) => {
      call.on('end', () => call.end());
      call.resume();
    },
  };
  const stdio: GRPCStdioServer = { streamStdio: (call) => printed.to(call) };
  server.addService(HealthService, health);
  server.addService(GRPCControllerService, controller);
  server.addService(GRPCBrokerService, broker);
  server.addService(GRPCStdioService, stdio);
}

/**
 * What the plugin prints on standard output after the handshake. go-plugin reads
 * that from a stream and throws the file's own contents away.
 */
export class Printed {
  private waiting: Buffer[] = [];
  private stream: ServerWritableStream<Empty, StdioData> | undefined;

  to(stream: ServerWritableStream<Empty, StdioData>): void {
    this.stream = stream;
    stream.on('cancelled', () => { this.stream = undefined; });
    for (const data of this.waiting.splice(0)) this.print(data);
  }

  print(data: Buffer): void {
    const limit = 100; // writes that wait for a reader
    if (this.stream !== undefined) this.stream.write({ channel: StdioData_Channel.STDOUT, data });
    else if (this.waiting.length < limit) this.waiting.push(data);
  }
}
