// A backend for the http worker that fails whom it is told to: so that there are dead letters.
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const kSecret = 'a-secret-for-the-tests-of-the-console-0123456789';

export class Backend {
  /** `statusFor(userId)` is asked at every call; other than 200 is a failure. */
  static async start(statusFor) {
    const backend = new Backend();
    backend.statusFor = statusFor;
    backend.folder = mkdtempSync(join(tmpdir(), 'spillway-backend-'));
    backend.secretFile = join(backend.folder, 'secret');
    writeFileSync(backend.secretFile, kSecret);
    chmodSync(backend.secretFile, 0o600);
    backend.server = createServer(async (request, response) => {
      let body = '';
      for await (const piece of request) body += piece;
      const status = backend.statusFor(JSON.parse(body).userId);
      response.writeHead(status, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ result: 'SUCCEEDED' }));
    });
    backend.server.listen(0, '127.0.0.1');
    await once(backend.server, 'listening');
    return backend;
  }

  /** For `spillway serve`. A request is a dead letter after three tries, and no circuit opens before. */
  get arguments() {
    const address = `127.0.0.1:${this.server.address().port}`;
    return [
      ...['--work-url', `http://${address}/work`, '--work-allow', address, '--work-secret-file', this.secretFile],
      ...['--work-breaker-failures', '100000', '--max-receive-count', '3'],
    ];
  }

  async stop() {
    this.server.closeAllConnections?.();
    this.server.close();
    await once(this.server, 'close');
    rmSync(this.folder, { recursive: true, force: true });
  }
}
