// A real server, a real Chromium, and short words for what the tests do with them. Every wait here has a bound and says
// what it waited for; whatever is started here ends with this process.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('../../', import.meta.url));
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
export const kAdminToken = 'an-admin-token-for-the-tests-0123456789abcdef';
// No assertions: only so that nothing hangs for ever.
export const kWaitMs = 60_000;
const kTestMs = 240_000;
const kPollMs = 50;
const kFailuresAreEnough = 3; // when the server is gone, every test would wait for its bound

const kChromium = process.env.SPILLWAY_CHROMIUM ?? '/usr/bin/chromium';

/** `promise`, or an error that says `what` did not come in time. */
export function within(what, promise, ms = kWaitMs) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms / 1000} s in vain for ${what}`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Asks `look` again and again until it gives something true, and gives that. */
export async function until(what, look, ms = kWaitMs) {
  const end = Date.now() + ms;
  for (;;) {
    const seen = await within(what, look(), ms);
    if (seen) return seen;
    if (Date.now() > end) throw new Error(`waited ${ms / 1000} s in vain for ${what}`);
    await pause(kPollMs);
  }
}

function findBinary() {
  if (process.env.SPILLWAY_BIN) return process.env.SPILLWAY_BIN;
  const built = ['build/release/spillway', 'build/dev/spillway']
    .map((one) => join(root, one))
    .filter(existsSync);
  assert.ok(
    built.length,
    'no build/release/spillway and no build/dev/spillway: ./dev build, or set SPILLWAY_BIN',
  );
  return built.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0];
}

const running = new Set();
process.on('exit', () => {
  for (const one of running) one.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

/** One server on an own data directory; `stop` ends it and takes the directory away. */
export class Server {
  constructor(args) {
    this.args = args;
    this.data = mkdtempSync(join(tmpdir(), 'spillway-browser-'));
    this.port = 0;
  }

  static async start(...args) {
    const server = new Server(args);
    await server.launch();
    return server;
  }

  /** On the same data, and after the first time on the same port. */
  async launch() {
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([key]) => !key.startsWith('SPILLWAY_')),
    );
    const child = spawn(
      findBinary(),
      ['serve', '--listen', `127.0.0.1:${this.port}`, '--data', join(this.data, 'd'), ...this.args],
      {
        env: { ...env, SPILLWAY_ADMIN_TOKEN: kAdminToken },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    running.add(child);
    this.process = child;
    this.errors = '';
    child.stderr.on('data', (bytes) => {
      this.errors += bytes;
    });
    this.ended = new Promise((resolve) => {
      const end = (how) => {
        running.delete(child);
        resolve(how);
      };
      child.once('exit', (code, signal) => end(code ?? signal));
      child.once('error', end);
    });
    const ready = new Promise((resolve) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line.startsWith('ready ')) resolve(line.slice(6));
      });
    });
    const ended = this.ended.then((how) => {
      throw new Error(`the server ended with ${how}: ${this.errors}`);
    });
    this.url = await within('the server to be ready', Promise.race([ready, ended]));
    this.port = Number(new URL(this.url).port);
  }

  get running() {
    return running.has(this.process);
  }

  /** As an operator of the machine would, until it is gone. */
  async halt() {
    this.process.kill('SIGTERM');
    try {
      assert.equal(await within('the server to stop', this.ended), 0, this.errors);
    } finally {
      if (this.running) this.process.kill('SIGKILL');
    }
  }

  async stop() {
    try {
      if (this.running) await this.halt();
    } finally {
      rmSync(this.data, { recursive: true, force: true });
    }
  }

  /** As an admin, unless another token is given. */
  async api(method, path, body, token = kAdminToken) {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        ...(token && { Authorization: `Bearer ${token}` }),
        ...(body && { 'Content-Type': 'application/json' }),
      },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(kWaitMs),
    });
    const text = await response.text();
    return { status: response.status, body: text ? JSON.parse(text) : null };
  }

  /** Like `api`; anything but success is a failure of the test. */
  async done(method, path, body) {
    const { status, body: answer } = await this.api(method, path, body);
    assert.ok(status >= 200 && status < 300, `${method} ${path}: ${status} ${JSON.stringify(answer)}`);
    return answer;
  }

  async login(userId) {
    const { status, body } = await this.api('POST', '/auth/login', { userId }, null);
    assert.equal(status, 200, JSON.stringify(body));
    return body.accessToken;
  }

  async participate(eventId, userId, body) {
    const taken = await this.api(
      'POST',
      `/events/${eventId}/participations`,
      body,
      await this.login(userId),
    );
    assert.equal(taken.status, 202, JSON.stringify(taken.body));
    return taken.body.requestId;
  }

  /** The request once it is decided. */
  untilFinal(requestId) {
    return until(`request ${requestId} to be decided`, async () => {
      const request = await this.done('GET', `/admin/requests/${requestId}`);
      return ['SUCCEEDED', 'REJECTED', 'FAILED_FINAL'].includes(request.status) && request;
    });
  }
}

let browser;
let failures = 0;
before(async () => {
  browser = await chromium.launch({
    executablePath: kChromium,
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
    timeout: kWaitMs,
  });
});
after(async () => {
  if (browser) await within('Chromium to end', browser.close());
});

/** A page as a new visitor has it; close its context when done. `page.faults`: what was thrown or refused by the policy. */
export async function open(options = {}) {
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    locale: 'en-GB',
    ...options,
  });
  context.setDefaultTimeout(kWaitMs);
  const page = await context.newPage();
  page.faults = [];
  page.on('pageerror', (error) => page.faults.push(String(error)));
  page.on('console', (message) => {
    if (/Content Security Policy/.test(message.text())) page.faults.push(message.text());
  });
  return page;
}

/** A test with a page of its own; at the end nothing may have been thrown or refused by the content policy. */
export function browse(name, options, run) {
  test(name, { timeout: kTestMs }, async () => {
    assert.ok(failures < kFailuresAreEnough, `not tried: ${failures} tests before it failed`);
    let page;
    try {
      page = await open(options);
      await run(page);
      assert.deepEqual(page.faults, []);
    } catch (error) {
      failures += 1;
      throw error;
    } finally {
      if (page) await within('the page to close', page.context().close());
    }
  });
}

/** Until `holds(argument)` is true in the page. */
export function untilPage(page, what, holds, argument) {
  return page.waitForFunction(holds, argument).catch((error) => {
    throw new Error(`${what}: ${error.message}`);
  });
}

/** Presses `key` until `arrived` says so, but not for ever. */
export async function press(page, key, what, arrived, atMost = 60) {
  for (let i = 0; i < atMost; ++i) {
    if (await arrived()) return;
    await page.keyboard.press(key);
  }
  assert.ok(await arrived(), `${atMost} times ${key} did not lead to ${what}`);
}

/** Serious and critical findings of axe, as short words. */
export async function axe(page) {
  // Through the debugger, not as a script of the page: its policy forbids inline scripts, and stays in force.
  await page.evaluate(axeSource);
  const found = await within(
    'axe',
    page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] })),
  );
  return found.violations
    .filter((one) => ['serious', 'critical'].includes(one.impact))
    .map(
      (one) =>
        `${one.id}: ${one.nodes.map((node) => `${node.target.join(' ')} ${node.failureSummary}`).join(' | ')}`,
    );
}

/** How far the page is wider than its window: 0 when nobody has to scroll sideways. */
export const overflow = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
