// The console's part of the waiting room.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before } from 'node:test';
import { go, signIn } from './console.mjs';
import { axe, browse, overflow, press, Server, until, untilPage } from './harness.mjs';

const kQueue = '/api/v1/queue';
let server, accounts;

before(async () => {
  server = await Server.start('--identity', 'open');
  accounts = await Server.start('--identity', 'users');
});

after(async () => {
  await server?.stop();
  await accounts?.stop();
});

const pathOf = (concert) => `/admin/queues/waitroom/${concert}`;
const put = (concert, settings) => server.done('PUT', pathOf(concert), settings);
const line = async (concert) => (await server.done('GET', pathOf(concert))).data;
const tryEnter = (concertId, userId) => server.api('POST', `${kQueue}/enter`, { concertId, userId }, null);
async function enter(concertId, userId) {
  const { status, body } = await tryEnter(concertId, userId);
  assert.equal(status, 200, JSON.stringify(body));
  return body.data;
}
async function ofTicket(method, what, token) {
  const response = await fetch(`${server.url}${kQueue}/${what}`, {
    method,
    headers: { 'X-Queue-Token': token },
  });
  assert.equal(response.status, 200, `${method} ${what}`);
  return (await response.json()).data;
}
const status = async (token) => (await ofTicket('GET', 'status', token)).status;

const figure = (page, name, text) =>
  untilPage(
    page,
    `${name} to be ${text}`,
    ([which, wanted]) => document.querySelector(`[data-figure=${which}] strong`)?.textContent === wanted,
    [name, text],
  );
async function watch(page, concert, to = server, token) {
  await signIn(page, to, token);
  await go(page, `#/waiting-rooms/${concert}`);
  await page.waitForSelector('.live[data-state=live]');
}
const mode = (page, name) => page.locator('.modes').getByRole('button', { name });
async function choose(page, name) {
  await mode(page, name).click();
  await page.locator('dialog').getByRole('button', { name }).click();
  await page.waitForSelector('dialog', { state: 'detached' });
}

browse('figures and charts move when people enter, come in and leave', {}, async (page) => {
  await put('moves', { maxActive: 2 });
  await watch(page, 'moves');
  await figure(page, 'waiting', '0');
  await untilPage(
    page,
    'rates to be known',
    () => document.querySelector('[data-figure=entered] strong').textContent === '0',
  );
  const people = [];
  for (let i = 0; i < 5; ++i) people.push(await enter('moves', `u${i}`));
  await figure(page, 'waiting', '3');
  await figure(page, 'ready', '2');
  await figure(page, 'inside', '2');
  assert.match(await page.locator('[data-figure=inside] small').innerText(), /of 2/);
  await page.locator('.badge.full').waitFor();
  await ofTicket('POST', 'activate', people[0].token);
  await figure(page, 'active', '1');
  await ofTicket('DELETE', 'token', people[0].token);
  await figure(page, 'waiting', '2');
  // Three were let in: two at once.
  await untilPage(page, 'the waits of three', () => {
    const counts = [...document.querySelectorAll('.waits li b')].map((one) => Number(one.textContent));
    return counts.reduce((sum, n) => sum + n, 0) === 3 && counts[0] >= 2;
  });
  assert.equal(await page.locator('.chart canvas').count(), 3);
  // Whoever comes later sees the minutes before.
  const shown = Number(await page.getAttribute('.chart', 'data-points'));
  await page.reload();
  await untilPage(
    page,
    'the history',
    (n) => Number(document.querySelector('.chart')?.dataset.points) >= n,
    shown,
  );
});

browse(
  'a setting changed in the page takes effect; what is refused is shown at its field',
  {},
  async (page) => {
    await put('changes', { maxActive: 1 });
    const [first, second] = [await enter('changes', 'ann'), await enter('changes', 'ben')];
    assert.deepEqual([first.status, second.status], ['READY', 'WAITING']);
    await watch(page, 'changes');
    await page.getByRole('button', { name: 'Change' }).click();
    for (const [name, wrong, right] of [
      ['maxActive', 'many', '2'],
      ['admitPerSecond', '0', '500'],
      ['readySeconds', '0', '90'],
      ['activeSeconds', '-1', '120'],
    ]) {
      await page.fill(`dialog input[name=${name}]`, wrong);
      await page.click('dialog button[type=submit]');
      const field = page.locator(`dialog input[name=${name}][aria-invalid]`);
      await field.waitFor();
      assert.match(await field.locator('xpath=..').locator('.error').innerText(), new RegExp(name));
      assert.equal((await line('changes')).settings.maxActive, 1, 'nothing of a refused form holds');
      await page.fill(`dialog input[name=${name}]`, right);
    }
    await page.selectOption('dialog select[name=mode]', 'lottery');
    await page.fill('dialog input[name=opensAt]', '2020-01-01T00:00:01');
    await page.click('dialog button[type=submit]');
    await page.locator('dialog input[name=opensAt][aria-invalid]').waitFor();
    await page.fill('dialog input[name=opensAt]', '');
    await page.selectOption('dialog select[name=mode]', 'fifo');
    await page.selectOption('dialog select[name=idleExtends]', 'true');
    await page.click('dialog button[type=submit]');
    await page.waitForSelector('dialog', { state: 'detached' });
    assert.deepEqual((await line('changes')).settings, {
      maxActive: 2,
      admitPerSecond: 500,
      readySeconds: 90,
      activeSeconds: 120,
      idleExtends: true,
      mode: 'fifo',
    });
    await until('ben to be READY', async () => (await status(second.token)) === 'READY');
    await figure(page, 'ready', '2');
    assert.match(await page.locator('.settings').innerText(), /500/);
  },
);

browse('pause stops, in order goes on, open lets everybody in; another page sees it', {}, async (page) => {
  await put('steered', { maxActive: 1, admitPerSecond: 7 });
  const [ann, ben] = [await enter('steered', 'ann'), await enter('steered', 'ben')];
  await watch(page, 'steered');
  await mode(page, 'Paused').click();
  await page.keyboard.press('Escape');
  await page.waitForSelector('dialog', { state: 'detached' });
  assert.equal((await line('steered')).settings.mode, 'fifo');
  await choose(page, 'Paused');
  await page.locator('.badge.paused').waitFor();
  assert.equal(await mode(page, 'Paused').getAttribute('aria-pressed'), 'true');
  assert.deepEqual(
    { ...(await line('steered')).settings },
    {
      maxActive: 1,
      admitPerSecond: 7,
      readySeconds: 60,
      activeSeconds: 300,
      idleExtends: false,
      mode: 'paused',
    },
  );
  assert.equal((await tryEnter('steered', 'cid')).status, 409);
  await ofTicket('DELETE', 'token', ann.token);
  await figure(page, 'inside', '0');
  assert.equal(await status(ben.token), 'WAITING', 'there is room, but nobody is let in');
  await choose(page, 'In order');
  await until('ben to be READY', async () => (await status(ben.token)) === 'READY');
  // Somebody else changes it: this page learns of it by itself.
  await put('steered', { maxActive: 3, mode: 'open' });
  await untilPage(
    page,
    'the other mode',
    () => document.querySelector('[data-mode=open]').getAttribute('aria-pressed') === 'true',
  );
  assert.equal((await enter('steered', 'dan')).status, 'READY');
});

browse('a lottery shows its commitment before the draw and its seed after', {}, async (page) => {
  await put('drawn', { maxActive: 1 });
  await watch(page, 'drawn');
  assert.equal(await page.locator('.lottery').isVisible(), false);
  // The draw needs a time: the dialog asks for it.
  await mode(page, 'Lottery').click();
  assert.equal(await page.locator('dialog select[name=mode]').inputValue(), 'lottery');
  await page.fill('dialog input[name=opensAt]', '2060-01-01T00:00:01');
  await page.click('dialog button[type=submit]');
  const commitment = page.locator('[data-lottery=commitment] code');
  await commitment.waitFor();
  const committed = await commitment.innerText();
  assert.match(committed, /^[0-9a-f]{64}$/);
  assert.match(await page.locator('[data-lottery=seed]').innerText(), /secret/);
  await page.locator('.headline .badge.gathering').waitFor();
  for (const who of ['ann', 'ben', 'cid']) assert.equal((await enter('drawn', who)).position ?? null, null);
  await put('drawn', { maxActive: 1, mode: 'lottery', opensAt: new Date(Date.now() + 1500).toISOString() });
  const seed = page.locator('[data-lottery=seed] code');
  await seed.waitFor();
  const told = await seed.innerText();
  assert.equal(createHash('sha256').update(Buffer.from(told, 'hex')).digest('hex'), committed);
  assert.equal(await commitment.innerText(), committed);
  await figure(page, 'inside', '1');
});

browse('a waiting room is made in the list, found there, and opened', {}, async (page) => {
  await signIn(page, server);
  await go(page, '#/waiting-rooms');
  await page.getByRole('button', { name: 'New waiting room' }).click();
  await page.click('dialog button[type=submit]');
  await page.locator('dialog input[name=concertId][aria-invalid]').waitFor();
  await page.fill('dialog input[name=concertId]', 'made-here');
  await page.fill('dialog input[name=maxActive]', '77');
  await page.click('dialog button[type=submit]');
  await untilPage(page, 'its page', () => document.querySelector('main h1').textContent === 'made-here');
  assert.equal((await line('made-here')).settings.maxActive, 77);
  await go(page, '#/waiting-rooms');
  const row = page.locator('tbody tr', { hasText: 'made-here' });
  assert.match(await row.innerText(), /0 \/ 77/);
  await page.fill('input[name=concertId]', 'nobody-named-it');
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  await page.locator('.notice.bad').waitFor();
  assert.match(await page.locator('.notice.bad').innerText(), /no such waiting room/);
  await page.getByRole('link', { name: 'Back to the list' }).click();
  await row.getByRole('link').click();
  await page.waitForSelector('.live[data-state=live]');
});

browse('the keys are rotated after a question, and old tokens stay good', {}, async (page) => {
  await put('keyed', { maxActive: 1 });
  const { token } = await enter('keyed', 'ann');
  await signIn(page, server);
  await go(page, '#/waiting-rooms');
  const keys = page.locator('.keys tbody tr');
  const before = await keys.count();
  await page.getByRole('button', { name: 'Rotate…' }).click();
  await page.locator('dialog').getByRole('button', { name: 'Cancel' }).click();
  assert.equal((await server.done('GET', '/admin/queues/waitroom-keys')).data.keys.length, before);
  await page.getByRole('button', { name: 'Rotate…' }).click();
  await page.locator('dialog').getByRole('button', { name: 'Make a new key' }).click();
  await untilPage(
    page,
    'one key more',
    (n) => document.querySelectorAll('.keys tbody tr').length === n,
    before + 1,
  );
  assert.equal(await page.locator('.keys .badge.signing').count(), 1);
  assert.equal(await status(token), 'READY');
  await go(page, '#/audit?action=waitroom_keys.rotate');
  await page.waitForSelector('tbody tr');
});

browse('an operator sees all and may press nothing that changes', {}, async (page) => {
  const password = 'correct horse battery staple';
  assert.equal((await accounts.api('PUT', '/admin/users/olga', { role: 'operator', password })).status, 201);
  await accounts.done('PUT', pathOf('watched'), { maxActive: 3 });
  const login = await accounts.api('POST', '/auth/login', { userId: 'olga', password }, null);
  await watch(page, 'watched', accounts, login.body.accessToken);
  const buttons = page.locator('main button');
  assert.ok((await buttons.count()) >= 5);
  for (const one of await buttons.all()) assert.equal(await one.isDisabled(), true, await one.innerText());
  assert.match(await mode(page, 'Paused').getAttribute('title'), /admin/);
  await go(page, '#/waiting-rooms');
  await page.waitForSelector('.keys tbody tr');
  for (const name of ['New waiting room', 'Rotate…'])
    assert.equal(await page.getByRole('button', { name }).isDisabled(), true, name);
  const refused = await accounts.api('PUT', pathOf('watched'), { maxActive: 4 }, login.body.accessToken);
  assert.equal(refused.status, 403);
});

browse('by keyboard alone: from the list into a room, and pause it', {}, async (page) => {
  await put('keyboard', { maxActive: 1 });
  await signIn(page, server);
  await go(page, '#/waiting-rooms');
  const focused = () => page.evaluate(() => document.activeElement.textContent);
  await press(page, 'Tab', 'the room', async () => (await focused()) === 'keyboard');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.modes button');
  await press(page, 'Tab', 'the button', async () => (await focused()) === 'Paused');
  await page.keyboard.press('Enter');
  await page.waitForSelector('dialog[open]');
  await press(page, 'Tab', 'the answer', async () => (await focused()) === 'Paused');
  await page.keyboard.press('Enter');
  await until('the room to be paused', async () => (await line('keyboard')).settings.mode === 'paused');
});

browse(
  'a phone of 390 pixels never scrolls sideways, in both languages',
  { viewport: { width: 390, height: 844 } },
  async (page) => {
    const long = `a-concert-with-a-very-long-name-${'x'.repeat(90)}`;
    await put(long, { maxActive: 1, mode: 'lottery', opensAt: '2060-01-01T00:00:00Z' });
    await enter(long, 'ann');
    await watch(page, long);
    for (const language of ['en', 'ko']) {
      for (const view of ['#/waiting-rooms', `#/waiting-rooms/${long}`]) {
        await go(page, view);
        assert.equal(await overflow(page), 0, `${view} ${language}`);
      }
      await page.click('#language');
    }
  },
);

for (const colorScheme of ['light', 'dark']) {
  browse(`axe finds nothing serious, ${colorScheme}`, { colorScheme }, async (page) => {
    const concert = `axe-${colorScheme}`;
    await put(concert, { maxActive: 1, mode: 'lottery', opensAt: '2060-01-01T00:00:00Z' });
    await put(concert, { maxActive: 1, mode: 'open' });
    for (const who of ['ann', 'ben']) await enter(concert, who);
    await watch(page, concert);
    await figure(page, 'waiting', '1');
    assert.deepEqual(await axe(page), [], 'the room');
    await page.getByRole('button', { name: 'Change' }).click();
    assert.deepEqual(await axe(page), [], 'the settings');
    await page.keyboard.press('Escape');
    await go(page, '#/waiting-rooms');
    await page.waitForSelector('.keys tbody tr');
    assert.deepEqual(await axe(page), [], 'the list');
    await page.getByRole('button', { name: 'Rotate…' }).click();
    assert.deepEqual(await axe(page), [], 'the question');
  });
}
