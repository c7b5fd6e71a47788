// Webhooks in the console: the form of an event, the list, and the story of a request.
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { go, signIn } from './console.mjs';
import { axe, browse, overflow, Server, until } from './harness.mjs';

const kEvent = 'EVT-told';
let folder;
let receiver;
let server;
let status = 204;

const url = () => `http://127.0.0.1:${receiver.address().port}/hook`;
const event = async () => (await server.api('GET', `/admin/events/${kEvent}`)).body;

before(async () => {
  receiver = createServer(async (request, response) => {
    request.resume();
    await once(request, 'end');
    response.writeHead(status).end();
  });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  folder = mkdtempSync(join(tmpdir(), 'spillway-webhooks-'));
  const file = join(folder, 'secrets');
  const secret = 'a-secret-for-the-tests-of-the-console-0123456789';
  writeFileSync(file, `default=${secret}\nshop=${secret}\n`);
  chmodSync(file, 0o600);
  server = await Server.start(
    ...['--identity', 'open', '--work-allow', '127.0.0.1', '--webhook-secrets-file', file],
    ...['--webhook-attempts', '1'],
  );
  await server.done('PUT', `/admin/events/${kEvent}`, { title: 'Told', capacityTotal: 9 });
});
after(async () => {
  await server?.stop();
  receiver?.closeAllConnections?.();
  receiver?.close();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

async function change(page, fields) {
  await page.locator('tbody tr', { hasText: kEvent }).getByRole('button', { name: 'Change' }).click();
  for (const [name, value] of Object.entries(fields)) await page.fill(`dialog input[name="${name}"]`, value);
  await page.click('dialog button[type=submit]');
}

async function refused(page, name, says) {
  const field = page.locator(`dialog input[name="${name}"][aria-invalid]`);
  await field.waitFor();
  assert.match(await field.locator('xpath=..').locator('.error').innerText(), says);
}

browse('an event is given a webhook, keeps it, and loses it; refusals stand at their field', {}, async (page) => {
  await signIn(page, server);
  await go(page, '#/events');
  await change(page, { 'webhook.url': 'https://elsewhere.example/' });
  await refused(page, 'webhook.url', /webhook\.url.*elsewhere\.example/);
  await page.fill('dialog input[name="webhook.url"]', url());
  await page.fill('dialog input[name="webhook.secretName"]', 'nobody');
  await page.click('dialog button[type=submit]');
  await refused(page, 'webhook.secretName', /webhook\.secretName.*nobody/);
  await page.fill('dialog input[name="webhook.secretName"]', 'shop');
  assert.deepEqual(await axe(page), []);
  await page.click('dialog button[type=submit]');
  await page.waitForSelector('dialog', { state: 'detached' });
  assert.deepEqual((await event()).webhook, { url: url(), secretName: 'shop' });
  await page.waitForSelector(`tbody tr:has-text("tells 127.0.0.1:${receiver.address().port}")`);
  await change(page, { title: 'Told to others' });
  await page.waitForSelector('dialog', { state: 'detached' });
  assert.deepEqual((await event()).webhook, { url: url(), secretName: 'shop' }, 'as it was');
  await page.waitForSelector('tbody tr:has-text("Told to others")');
  await change(page, { 'webhook.url': '', 'webhook.secretName': '' });
  await page.waitForSelector('dialog', { state: 'detached' });
  assert.equal((await event()).webhook, undefined);
});

for (const [name, answer, state] of [
  ['taken', 204, /Webhook: DELIVERED, attempts: 1/],
  ['given up', 500, /Webhook: GIVEN_UP, attempts: 1[\s\S]*HTTP 500/],
]) {
  browse(`the story of a request says that its end was ${name}`, {}, async (page) => {
    status = answer;
    await server.done('PUT', `/admin/events/${kEvent}`, { title: 'Told', capacityTotal: 9, webhook: { url: url() } });
    const requestId = await server.participate(kEvent, `person-${answer}`);
    await until('it to be told', async () => {
      const story = (await server.api('GET', `/admin/requests/${requestId}`)).body;
      return story.webhook && story.webhook.state !== 'PENDING';
    });
    await signIn(page, server);
    await go(page, `#/requests/${requestId}`);
    await page.waitForSelector('.timeline');
    assert.match(await page.locator('main').innerText(), state);
    assert.deepEqual(await axe(page), []);
    assert.equal(await overflow(page), 0);
  });
}
