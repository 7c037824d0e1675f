// One job at a time, in the order of their arrival.
import { Failure } from './sluice/index.js';

export class Turns {
  private last: Promise<unknown> = Promise.resolve();

  /**
   * Runs the job when it is its turn. A caller whose signal aborts is answered at
   * once; a job that has begun then ends by itself.
   */
  take<T>(signal: AbortSignal, job: () => Promise<T>): Promise<T> {
    const done = this.last.then(() => {
      if (signal.aborted) throw cancelled();
      return job();
    });
    this.last = done.catch(() => {});
    return new Promise((resolve, reject) => {
      const abort = (): void => reject(cancelled());
      if (signal.aborted) abort();
      signal.addEventListener('abort', abort, { once: true });
      done.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
    });
  }
}

function cancelled(): Failure {
  return new Failure('retry', 'CANCELLED', 'the call was cancelled');
}
