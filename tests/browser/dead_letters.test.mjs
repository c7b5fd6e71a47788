// Dead letters in the console. The tests are one story on one server, and each leaves fewer of them.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { go, signIn } from './console.mjs';
import { Backend } from './backend.mjs';
import { axe, browse, overflow, Server, until, untilPage } from './harness.mjs';

const kEvent = 'EVT-dead';
const kPath = '/admin/queues/participations/dead-letters';
const kLetters = 30; // every third for the other reason
let backend;
let server;

const letters = async (filter = '') => (await server.done('GET', `${kPath}?limit=100${filter}`)).items;
const fails = (userId) => (Number(userId.split('-')[1]) % 3 === 2 ? 500 : 503);

/** People from `first` to before `end`, all of whom become dead letters. */
async function takePart(first, end) {
  const before = (await letters()).length;
  for (let i = first; i < end; ++i) await server.participate(kEvent, `person-${i}`, { seat: 'A1' });
  await until(
    'the tries to be used up',
    async () => (await letters()).length === before + end - first,
  );
}

/** The same server again, with another way of letting people in. */
async function restart(identity) {
  await server.halt();
  server.args = ['--identity', identity, ...backend.arguments];
  await server.launch();
}

before(async () => {
  backend = await Backend.start(fails);
  server = await Server.start('--identity', 'open', ...backend.arguments);
  await server.done('PUT', `/admin/events/${kEvent}`, {
    title: 'Where nothing works',
    capacityTotal: 2 * kLetters,
    work: 'http',
  });
  await takePart(0, kLetters);
  await restart('users');
});
after(async () => {
  await server?.stop();
  await backend?.stop();
});

const rows = (page, n) =>
  untilPage(page, `${n} rows`, (want) => document.querySelectorAll('tbody tr').length === want, n);
const dialogButton = (page, name) => page.locator('dialog').getByRole('button', { name });

async function openLetters(page, filter = '') {
  await signIn(page, server);
  await go(page, `#/dead-letters${filter}`);
}

browse('they are listed and filtered, and each tells all its tries', {}, async (page) => {
  await openLetters(page);
  await rows(page, kLetters);
  assert.match(await page.locator('.headline').innerText(), /30 in all/);
  await page.fill('input[name=reason]', 'HTTP 500');
  await page.getByRole('button', { name: 'Filter' }).click();
  await rows(page, 10);
  await page.locator('tbody a').first().click();
  await page.waitForSelector('.timeline');
  const attempts = await page.locator('.timeline .attempt').allInnerTexts();
  assert.equal(attempts.length, 3);
  for (const one of attempts) assert.match(one, /HTTP 500/);
  assert.match(await page.locator('.facts').innerText(), /Failed for good[\s\S]*FAILED_RETRIES_EXHAUSTED/);
  assert.match(await page.locator('pre').innerText(), /"seat": "A1"/);
});

browse('an operator sees them and may not touch them', {}, async (page) => {
  const password = 'correct horse battery staple';
  await server.done('PUT', '/admin/users/olga', { role: 'operator', password });
  const { body } = await server.api('POST', '/auth/login', { userId: 'olga', password }, null);
  await signIn(page, server, body.accessToken);
  await go(page, '#/dead-letters');
  await rows(page, kLetters);
  for (const name of ['Redrive…', 'Discard all…'])
    assert.ok(await page.getByRole('button', { name }).isDisabled(), name);
  assert.ok(await page.locator('tbody button').first().isDisabled());
});

for (const colorScheme of ['light', 'dark']) {
  browse(
    `axe finds nothing serious, ${colorScheme}; nothing is wider than a phone`,
    { colorScheme },
    async (page) => {
      await openLetters(page);
      await rows(page, kLetters);
      assert.deepEqual(await axe(page), []);
      await page.getByRole('button', { name: 'Redrive…' }).click();
      await dialogButton(page, 'Check first').click();
      await dialogButton(page, 'Redrive 30 now').waitFor();
      assert.deepEqual(await axe(page), [], 'redrive');
      await page.keyboard.press('Escape');
      await page.setViewportSize({ width: 390, height: 844 });
      assert.equal(await overflow(page), 0);
      assert.deepEqual(await axe(page), [], 'phone');
    },
  );
}

browse(
  'a dry run counts and changes nothing; what the server refuses stands at its field',
  {},
  async (page) => {
    await openLetters(page, '?reason=HTTP+503');
    await rows(page, 20);
    await page.getByRole('button', { name: 'Redrive…' }).click();
    await page.fill('dialog input[name=ratePerSecond]', '0');
    await dialogButton(page, 'Check first').click();
    const field = page.locator('dialog input[name=ratePerSecond][aria-invalid]');
    await field.waitFor();
    assert.match(await field.locator('xpath=..').locator('.error').innerText(), /ratePerSecond/);
    await page.fill('dialog input[name=ratePerSecond]', '5');
    await dialogButton(page, 'Check first').click();
    await dialogButton(page, 'Redrive 20 now').waitFor();
    assert.match(await page.locator('dialog').innerText(), /20 dead letters match/);
    await page.fill('dialog input[name=stopAfterFailures]', '3'); // what was checked is what is started
    assert.ok(await dialogButton(page, 'Redrive 20 now').isHidden());
    await page.keyboard.press('Escape');
    await page.waitForSelector('dialog', { state: 'detached' });
    assert.equal((await letters()).length, kLetters);
    assert.equal((await server.api('GET', `${kPath}/redrive`)).status, 404);
  },
);

browse('one is discarded with a reason, which its story tells', {}, async (page) => {
  const [first] = await letters();
  await openLetters(page);
  await rows(page, kLetters);
  await page
    .locator('tbody tr', { hasText: first.requestId })
    .getByRole('button', { name: 'Discard…' })
    .click();
  await dialogButton(page, 'Discard 1').click();
  await page.locator('dialog textarea[aria-invalid]').waitFor(); // not without a reason
  await page.fill('dialog textarea', 'the person wrote to us');
  await dialogButton(page, 'Discard 1').click();
  await rows(page, kLetters - 1);
  assert.equal((await letters()).length, kLetters - 1);
  await go(page, `#/requests/${first.requestId}`);
  assert.match(
    await page.locator('.timeline').innerText(),
    /admin-token[\s\S]*the person wrote to us|the person wrote to us[\s\S]*admin-token/,
  );
});

browse('a redrive is stopped; the rest stay where they were', {}, async (page) => {
  backend.statusFor = () => 200; // mended
  await openLetters(page);
  await page.getByRole('button', { name: 'Redrive…' }).click();
  await page.fill('dialog input[name=ratePerSecond]', '1');
  await dialogButton(page, 'Check first').click();
  await dialogButton(page, 'Redrive 29 now').click();
  await page.locator('.run.running').getByRole('button', { name: 'Stop' }).click();
  await page.waitForSelector('.run.stopped');
  const { state, redriven } = await server.done('GET', `${kPath}/redrive`);
  assert.equal(state, 'STOPPED');
  assert.ok(redriven < 29, `${redriven} were redriven`);
  const left = await until('the redriven to be decided', async () => {
    const now = await letters();
    return now.length === 29 - redriven && now;
  });
  await page.getByRole('button', { name: 'Refresh' }).click();
  await rows(page, left.length);
});

browse('all that match are discarded', {}, async (page) => {
  const reason = 'HTTP 500';
  const before = await letters();
  const matching = before.filter((one) => one.lastReason === reason);
  await openLetters(page, `?${new URLSearchParams({ reason })}`);
  await rows(page, matching.length);
  await page.getByRole('button', { name: 'Discard all…' }).click();
  await page.fill('dialog textarea', 'the event is over');
  await dialogButton(page, `Discard ${matching.length}`).click();
  await page.waitForSelector('.empty');
  assert.deepEqual(
    (await letters()).map((one) => one.requestId),
    before.filter((one) => one.lastReason !== reason).map((one) => one.requestId),
  );
});

browse(
  "a redrive runs to its end before one's eyes; ids and histories survive; all is in the audit log",
  {},
  async (page) => {
    const left = await letters();
    assert.ok(left.length > 0);
    await openLetters(page);
    await page.getByRole('button', { name: 'Redrive…' }).click();
    await page.fill('dialog input[name=ratePerSecond]', '10');
    await dialogButton(page, 'Check first').click();
    await dialogButton(page, `Redrive ${left.length} now`).click();
    await page.waitForSelector('.run.done');
    assert.match(
      await page.locator('.run').innerText(),
      new RegExp(`${left.length} of ${left.length}, ${left.length} succeeded`),
    );
    await page.waitForSelector('.empty');
    assert.ok(await page.getByRole('button', { name: 'Redrive…' }).isDisabled());
    await go(page, `#/requests/${left[0].requestId}`);
    assert.match(await page.locator('.facts').innerText(), /Succeeded/);
    assert.equal(await page.locator('.timeline .attempt').count(), 4);
    await go(page, '#/audit?action=dead_letters.redrive');
    await page.waitForSelector('tbody tr');
    await go(page, '#/audit?action=dead_letter.discard');
    assert.match(await page.locator('tbody').innerText(), /the event is over/);
  },
);

browse('a redrive that stopped by itself says so', {}, async (page) => {
  backend.statusFor = fails;
  await restart('open');
  await takePart(kLetters, 2 * kLetters);
  await openLetters(page);
  await page.getByRole('button', { name: 'Redrive…' }).click();
  await page.fill('dialog input[name=ratePerSecond]', '1');
  await page.fill('dialog input[name=stopAfterFailures]', '3');
  await dialogButton(page, 'Check first').click();
  await dialogButton(page, `Redrive ${kLetters} now`).click();
  await page.waitForSelector('.run.stopped_by_failures');
  assert.match(
    await page.locator('.run').innerText(),
    /stopped by failures[\s\S]*\d+ of 30[\s\S]*[1-9]\d* failed again/,
  );
  const { redriven } = await server.done('GET', `${kPath}/redrive`);
  assert.ok(redriven < kLetters, `${redriven} were redriven`);
});
