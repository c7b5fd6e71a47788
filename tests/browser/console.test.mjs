// The operators' console.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { go, signIn, views } from './console.mjs';
import { axe, browse, kAdminToken, open, overflow, press, Server, untilPage } from './harness.mjs';

const kEvent = 'EVT-browser';
let server, accounts;

before(async () => {
  server = await Server.start('--identity', 'open');
  accounts = await Server.start('--identity', 'users');
  await server.done('PUT', `/admin/events/${kEvent}`, { title: 'Browser event', capacityTotal: 2 });
});

after(async () => {
  await server?.stop();
  await accounts?.stop();
});

const paused = async () => (await server.done('GET', '/admin/queues/participations')).workers.paused > 0;

browse(
  'a wrong token is refused with a message, a right one comes in, the page asks for no inline script',
  {},
  async (page) => {
    const response = await page.goto(`${server.url}/console`);
    const policy = response.headers()['content-security-policy'];
    assert.match(policy, /default-src 'self'/);
    assert.doesNotMatch(policy, /unsafe/);
    await page.fill('input[name=token]', 'nonsense');
    await page.click('button[type=submit]');
    await page.waitForSelector('.notice.bad');
    assert.equal(await page.locator('nav').count(), 0);
    await page.fill('input[name=token]', kAdminToken);
    await page.click('button[type=submit]');
    await page.waitForSelector('nav');
    assert.ok(await page.evaluate(() => document.querySelector('script[src*="/assets/"]') !== null));
    const asset = await page.evaluate(async () =>
      (await fetch(document.querySelector('script[src]').src)).headers.get('cache-control'),
    );
    assert.match(asset, /immutable/);
  },
);

browse('the charts get points, each second more', {}, async (page) => {
  await signIn(page, server);
  await page.waitForSelector('.live[data-state=live]');
  await page.waitForFunction(() => Number(document.querySelector('.chart')?.dataset.points) >= 2);
  const first = Number(await page.getAttribute('.chart', 'data-points'));
  await page.waitForFunction(
    (n) => Number(document.querySelector('.chart').dataset.points) > n || n === 900,
    first,
  );
  assert.ok((await page.locator('.chart canvas').count()) === 3);
});

browse('pause and resume are asked for, done by the server, and in the audit log', {}, async (page) => {
  await signIn(page, server);
  await page.getByRole('button', { name: 'Pause workers' }).click();
  await page.keyboard.press('Escape');
  await page.waitForSelector('dialog', { state: 'detached' });
  assert.equal(await paused(), false);
  await page.getByRole('button', { name: 'Pause workers' }).click();
  await page.locator('dialog').getByRole('button', { name: 'Pause workers' }).click();
  await page.waitForSelector('.state.paused');
  assert.equal(await paused(), true);
  await page.getByRole('button', { name: 'Resume workers' }).click();
  await page.waitForSelector('.state.running');
  assert.equal(await paused(), false);
  await go(page, '#/audit?action=queue.pause');
  await page.waitForSelector('tbody tr');
  assert.match(await page.locator('tbody tr').first().innerText(), /admin-token[\s\S]*queue\.pause/);
});

browse('an event is created and changed; what the server refuses is shown at its field', {}, async (page) => {
  await signIn(page, server);
  await go(page, '#/events');
  await page.getByRole('button', { name: 'New event' }).click();
  await page.fill('dialog input[name=eventId]', 'EVT-made-here');
  await page.fill('dialog input[name=title]', 'Made here');
  await page.fill('dialog input[name=capacityTotal]', 'many');
  await page.click('dialog button[type=submit]');
  const field = page.locator('dialog input[name=capacityTotal][aria-invalid]');
  await field.waitFor();
  assert.match(await field.locator('xpath=..').locator('.error').innerText(), /capacityTotal/);
  assert.equal((await server.api('GET', '/admin/events/EVT-made-here')).status, 404);
  await page.fill('dialog input[name=capacityTotal]', '25');
  await page.click('dialog button[type=submit]');
  await page.waitForSelector('dialog', { state: 'detached' });
  const made = (await server.api('GET', '/admin/events/EVT-made-here')).body;
  assert.equal(made.title, 'Made here');
  assert.equal(made.capacityTotal, 25);
});

browse('a request is found by its id and tells its whole story', {}, async (page) => {
  const requestId = await server.participate(kEvent, 'story-teller');
  await signIn(page, server);
  await go(page, `#/requests?eventId=${kEvent}`);
  await page.waitForSelector('tbody tr');
  await page.fill('input[name=requestId]', requestId);
  await page.getByRole('button', { name: 'Find' }).click();
  await page.waitForSelector('.timeline li');
  await server.untilFinal(requestId);
  await page.reload();
  await page.waitForSelector('.timeline .succeeded');
  const log = (await server.api('GET', `/admin/requests/${requestId}`)).body.statusLog;
  assert.ok((await page.locator('.timeline li').count()) >= log.length);
  assert.match(await page.locator('.facts').innerText(), /story-teller/);
});

browse(
  'requests are found by user, by event and by status, and the events need not be known by heart',
  {},
  async (page) => {
    await server.done('PUT', '/admin/events/EVT-one-place', { title: 'One place', capacityTotal: 1 });
    for (const event of ['EVT-one-place', kEvent])
      await server.untilFinal(await server.participate(event, 'searched-for'));
    const late = await server.participate('EVT-one-place', 'too-late');
    await server.untilFinal(late);
    await signIn(page, server);
    await go(page, '#/requests');
    await page.getByRole('link', { name: 'One place' }).click();
    await page.waitForSelector('tbody tr');
    assert.equal(await page.locator('tbody tr').count(), 2);
    assert.match(await page.locator('.counts').innerText(), /Succeeded\s*1[\s\S]*Rejected\s*1/);
    await page.selectOption('.filters select', 'REJECTED');
    await page.getByRole('button', { name: 'Find' }).click();
    await untilPage(
      page,
      'the one that came too late',
      () => document.querySelectorAll('tbody tr').length === 1,
    );
    assert.match(await page.locator('tbody').innerText(), /too-late/);
    await go(page, '#/requests');
    await page.fill('input[name=userId]', 'searched-for');
    await page.getByRole('button', { name: 'Find' }).click();
    await untilPage(
      page,
      'both requests of one person',
      () => document.querySelectorAll('tbody tr').length === 2,
    );
    const found = await page.locator('tbody').innerText();
    assert.match(found, /EVT-one-place/);
    assert.match(found, new RegExp(kEvent));
    await page.fill('input[name=userId]', 'nobody-at-all');
    await page.getByRole('button', { name: 'Find' }).click();
    await page.waitForSelector('.empty');
  },
);

browse('English and Korean, light and dark', {}, async (page) => {
  await signIn(page, server);
  await page.click('#language');
  await page.waitForSelector('html[lang=ko]');
  assert.equal(await page.locator('main h1').innerText(), '현황');
  const colour = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await colour();
  for (const _ of ['auto', 'light'])
    if ((await page.getAttribute('html', 'data-theme')) !== 'dark') await page.click('#theme');
  assert.notEqual(await colour(), light);
  await page.reload();
  await page.waitForSelector('html[lang=ko][data-theme=dark] nav');
});

browse('Korean for a Korean browser', { locale: 'ko-KR' }, async (page) => {
  await page.goto(`${server.url}/console`);
  await page.getByRole('button', { name: '로그인' }).waitFor();
});

browse('by keyboard alone: skip link, sections, dialog that keeps the focus', {}, async (page) => {
  await page.goto(`${server.url}/console`);
  await page.waitForFunction(() => document.activeElement?.getAttribute('name') === 'token');
  await page.keyboard.type(kAdminToken);
  await page.keyboard.press('Enter');
  await page.waitForSelector('.workers button');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  const focused = () => page.evaluate(() => document.activeElement.textContent);
  await press(page, 'Tab', 'the button', async () => (await focused()) === 'Pause workers');
  await page.keyboard.press('Enter');
  await page.waitForSelector('dialog[open]');
  for (let i = 0; i < 8; ++i) {
    await page.keyboard.press('Tab');
    assert.ok(
      await page.evaluate(
        () => document.activeElement === document.body || document.activeElement.closest('dialog') !== null,
      ),
      'the focus left the dialog',
    );
  }
  await page.keyboard.press('Escape');
  await page.waitForSelector('dialog', { state: 'detached' });
  assert.equal(await focused(), 'Pause workers');
});

browse(
  'a phone of 390 pixels never scrolls sideways',
  { viewport: { width: 390, height: 844 } },
  async (page) => {
    const requestId = await server.participate(
      kEvent,
      'a-person-with-a-very-long-name-that-does-not-break-anywhere-at-all',
    );
    await signIn(page, server);
    for (const language of ['en', 'ko']) {
      for (const view of [
        ...(await views(page)),
        `#/requests?eventId=${kEvent}`,
        `#/requests/${requestId}`,
      ]) {
        await go(page, view);
        assert.equal(await overflow(page), 0, `${view} ${language}`);
      }
      await page.click('#language');
    }
  },
);

for (const colorScheme of ['light', 'dark']) {
  browse(`axe finds nothing serious, ${colorScheme}`, { colorScheme }, async (page) => {
    const requestId = await server.participate(kEvent, `axe-${colorScheme}`);
    await page.goto(`${server.url}/console`);
    await page.waitForSelector('input[name=token]');
    assert.deepEqual(await axe(page), [], 'sign in');
    await signIn(page, server);
    for (const view of [...(await views(page)), `#/requests?eventId=${kEvent}`, `#/requests/${requestId}`]) {
      await go(page, view);
      assert.deepEqual(await axe(page), [], view);
    }
    await go(page, '#/overview');
    await page.getByRole('button', { name: 'Pause workers' }).click();
    assert.deepEqual(await axe(page), [], 'dialog');
  });
}

browse('the history comes in pieces, and all of it is shown', {}, async (page) => {
  const second = (n) => ({
    at: new Date(Date.UTC(2026, 0, 1) + n * 1000).toISOString(),
    accepted: n,
    duplicate: 0,
    refused: 0,
    finished: { succeeded: n, rejected: 0, failed: 0 },
    visible: n,
    inFlight: 0,
    delayed: 0,
    deadLetters: 0,
    oldestAgeSeconds: 0,
    latency: { p50: null, p99: null, count: 0 },
    http: { requests: n, errors: 0 },
    paused: false,
  });
  const piece = (from, to, last) =>
    `event: history\ndata: ${JSON.stringify({ points: Array.from({ length: to - from }, (_, i) => second(from + i)), last })}\n\n`;
  const body =
    piece(0, 134, false) +
    piece(134, 800, false) +
    piece(800, 899, true) +
    `event: point\ndata: ${JSON.stringify(second(899))}\n\n`;
  await page.route('**/admin/live', (route) => route.fulfill({ contentType: 'text/event-stream', body }));
  await signIn(page, server);
  await untilPage(page, '900 points', () => document.querySelector('.chart')?.dataset.points === '900');
  assert.equal(await page.locator('[data-figure=visible] strong').innerText(), '899');
});

browse(
  'a tab that nobody sees lets go of its stream, and has all of it when it is seen again',
  {},
  async (page) => {
    const show = (hidden) =>
      page.evaluate((value) => {
        Object.defineProperty(document, 'hidden', { configurable: true, get: () => value });
        document.dispatchEvent(new Event('visibilitychange'));
      }, hidden);
    await signIn(page, server);
    await page.waitForSelector('.live[data-state=live]');
    const isLive = (request) => request.url().endsWith('/admin/live');
    const given = page.waitForEvent('requestfailed', isLive);
    await show(true);
    await given;
    const again = page.waitForEvent('request', isLive);
    await show(false);
    await again;
    await page.waitForSelector('.live[data-state=live]');
  },
);

browse('a lost connection is shown at once and mends itself', {}, async (page) => {
  const mine = await Server.start('--identity', 'open');
  try {
    await signIn(page, mine);
    await page.waitForSelector('.live[data-state=live]');
    await mine.halt();
    await page.waitForSelector('.live[data-state=lost]');
    assert.ok(await page.evaluate(() => document.querySelector('.overview').classList.contains('stale')));
    await mine.launch();
    await page.waitForSelector('.live[data-state=live]');
  } finally {
    await mine.stop();
  }
});

browse(
  'an operator signs in with a password, sees everything, may press nothing; signed out, the token is refused',
  {},
  async (page) => {
    const password = 'correct horse battery staple';
    assert.equal(
      (await accounts.api('PUT', '/admin/users/olga', { role: 'operator', password })).status,
      201,
    );
    await page.goto(`${accounts.url}/console`);
    await page.fill('input[name=userId]', 'olga');
    await page.fill('input[name=password]', 'wrong wrong wrong');
    await page.press('input[name=password]', 'Enter');
    await page.waitForSelector('.notice.bad');
    await page.fill('input[name=password]', password);
    await page.press('input[name=password]', 'Enter');
    const pause = page.getByRole('button', { name: 'Pause workers' });
    await pause.waitFor();
    assert.equal(await pause.isDisabled(), true);
    assert.match(await pause.getAttribute('title'), /admin/);
    const token = await page.evaluate(() => sessionStorage.getItem('spillway.token'));
    assert.equal((await accounts.api('GET', '/auth/me', undefined, token)).status, 200);
    await page.click('#sign-out');
    await page.waitForSelector('input[name=password]');
    assert.equal((await accounts.api('GET', '/auth/me', undefined, token)).status, 401);
    assert.equal(await page.evaluate(() => sessionStorage.getItem('spillway.token')), null);
  },
);

browse(
  'an admin adds a user and signs one out everywhere; whose token is revoked comes back to sign-in',
  {},
  async (page) => {
    const password = 'correct horse battery staple';
    assert.equal((await accounts.api('PUT', '/admin/users/anna', { role: 'admin', password })).status, 201);
    const { accessToken } = (await accounts.api('POST', '/auth/login', { userId: 'anna', password }, null))
      .body;
    await signIn(page, accounts, accessToken);
    await go(page, '#/users');
    await page.getByRole('button', { name: 'Add user' }).click();
    await page.fill('dialog input[name=userId]', 'otto');
    await page.fill('dialog input[name=password]', password);
    await page.click('dialog button[type=submit]');
    await page.locator('tbody tr', { hasText: 'otto' }).waitFor();
    const other = await open();
    await signIn(other, accounts, accessToken);
    await page
      .locator('tbody tr', { hasText: 'anna' })
      .getByRole('button', { name: 'Sign out everywhere' })
      .click();
    await page.locator('dialog').getByRole('button', { name: 'Sign out everywhere' }).click();
    await page.waitForSelector('input[name=password]'); // it was her own token too
    assert.match(await page.locator('.notice.info').innerText(), /signed out/);
    await other.evaluate(() => {
      location.hash = '#/users';
    });
    await other.waitForSelector('input[name=password]');
    await other.context().close();
  },
);
