// Takes the pictures that the README shows, of a real server under a crowd, into docs/images:
//   tools/web.sh packages tests/browser && node tests/browser/pictures.mjs
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Backend } from './backend.mjs';
import { go, signIn } from './console.mjs';
import { open, Server, until } from './harness.mjs';

const kFolder = fileURLToPath(new URL('../../docs/images/', import.meta.url));
const kSeconds = 150;
const kPaused = { from: 60, to: 85 };
const kEvents = {
  'concert-2026': { title: 'Winter concert at the Old Harbour', capacityTotal: 30_000 },
  'workshop-12': { title: '토요일 도자기 공방', capacityTotal: 40 },
  'badges-2026': { title: 'Backstage badges', capacityTotal: 4_000, work: 'http' },
  'spring-drop': { title: 'Spring drop', capacityTotal: 2_500, opensAt: '2027-03-01T09:00:00Z' },
};

let person = 0;
async function crowd(server, seconds) {
  const end = Date.now() + seconds * 1000;
  const paths = ['concert-2026', 'concert-2026', 'concert-2026', 'concert-2026', 'workshop-12', 'badges-2026'];
  const one = async () => {
    while (Date.now() < end) {
      const n = ++person;
      const name = n % 97 === 0 ? `unlucky-${n}` : `person-${n}`;
      await server.participate(paths[n % paths.length], name, { seat: `A${n % 90}` });
      // Waves, as crowds have them.
      await pause(3 + 90 * (1 + Math.sin(Date.now() / 9_000)));
    }
  };
  await Promise.all(Array.from({ length: 16 }, one));
}

/** People who wait for their turn, stay for some seconds and leave; some close the tab while they wait. */
async function audience(server, concertId, seconds) {
  const end = Date.now() + seconds * 1000;
  const call = async (method, what, token) => {
    const response = await fetch(`${server.url}/api/v1/queue/${what}`, {
      method,
      headers: { 'X-Queue-Token': token },
    });
    return (await response.json()).data;
  };
  const one = async (userId) => {
    const entered = await server.api('POST', '/api/v1/queue/enter', { concertId, userId }, null);
    const { token } = entered.body.data;
    for (let { status } = entered.body.data; status !== 'READY'; { status } = await call('GET', 'status', token)) {
      if (Date.now() > end || Math.random() < 0.01) return;
      await pause(1000);
    }
    await pause(200 + 1500 * Math.random());
    await call('POST', 'activate', token);
    await pause(2_000 + 4_000 * Math.random());
    await call('DELETE', 'token', token);
  };
  const all = [];
  while (Date.now() < end) {
    all.push(one(`person-${all.length}`));
    await pause(24 + 16 * Math.sin(Date.now() / 11_000));
  }
  await Promise.all(all);
}

test('waiting room', { timeout: 300_000 }, async () => {
  const server = await Server.start('--identity', 'open');
  const path = '/admin/queues/waitroom/concert-2026';
  await server.done('PUT', path, { maxActive: 180, admitPerSecond: 50, readySeconds: 30, activeSeconds: 60 });
  const load = audience(server, 'concert-2026', kSeconds - 30);
  await pause(45_000);
  await server.done('PUT', path, { maxActive: 240, admitPerSecond: 60, readySeconds: 30, activeSeconds: 60 });
  await pause((kSeconds - 30 - 45 - 25) * 1000);
  for (const [locale, suffix] of [
    ['en-GB', ''],
    ['ko-KR', '-ko'],
  ]) {
    const page = await open({ locale, viewport: { width: 1440, height: 830 } });
    await signIn(page, server);
    await go(page, '#/waiting-rooms/concert-2026');
    await page.waitForFunction(() => Number(document.querySelector('.chart')?.dataset.points) > 60);
    await page.waitForSelector('.waits li');
    await pause(2_500);
    await page.screenshot({ path: join(kFolder, `console-waiting-room${suffix}.png`) });
    await page.context().close();
  }
  await load;
  await server.stop();
});

test('pictures', { timeout: 600_000 }, async () => {
  const backend = await Backend.start((user) => (user.startsWith('unlucky') ? 503 : 200));
  const server = await Server.start('--identity', 'open', ...backend.arguments);
  for (const [id, event] of Object.entries(kEvents)) await server.done('PUT', `/admin/events/${id}`, event);
  const steer = async (to) => server.done('POST', `/admin/queues/participations/${to}`);
  const load = crowd(server, kSeconds);
  await pause(kPaused.from * 1000);
  await steer('pause');
  await pause((kPaused.to - kPaused.from) * 1000);
  await steer('resume');
  await pause((kSeconds - kPaused.to - 25) * 1000);

  for (const [locale, suffix] of [
    ['en-GB', ''],
    ['ko-KR', '-ko'],
  ]) {
    const page = await open({ locale, viewport: { width: 1440, height: 760 } });
    const take = (name) => page.screenshot({ path: join(kFolder, `console-${name}${suffix}.png`) });
    await signIn(page, server);
    await page.waitForFunction(() => Number(document.querySelector('.chart')?.dataset.points) > 60);
    await page.waitForSelector('.workers button');
    await pause(2_500);
    await take('overview');
    const letters = await until('a dead letter', async () => {
      const list = await server.done('GET', '/admin/queues/participations/dead-letters?limit=1');
      return list.items.length && list.items;
    });
    await go(page, `#/requests/${letters[0].requestId}`);
    await page.waitForSelector('.timeline');
    await take('story');
    await page.context().close();
  }
  await load;
  await server.stop();
  await backend.stop();
});

/** Pictures beside each other, as one. */
async function together(pictures, path, background) {
  const page = await open({ viewport: { width: 1290, height: 880 } });
  const images = pictures.map((one) => `<img width="390" src="data:image/png;base64,${one.toString('base64')}">`).join('');
  await page.setContent(`<body style="margin:0;padding:18px 30px;display:flex;gap:30px;background:${background}">${images}`);
  await page.screenshot({ path: join(kFolder, path) });
  await page.context().close();
}

test('pictures of the waiting page', { timeout: 600_000 }, async () => {
  const server = await Server.start('--identity', 'open');
  const line = (settings) => server.done('PUT', '/admin/queues/waitroom/winter-concert', { maxActive: 4, readySeconds: 90, ...settings });
  const ahead = [];
  await line({ admitPerSecond: 1 });
  for (let i = 0; i < 1_700; ++i) {
    const { body } = await server.api('POST', '/api/v1/queue/enter', { concertId: 'winter-concert', userId: `u${i}` }, null);
    ahead.push(body.data.token);
  }
  const leave = async (count) => {
    for (const token of ahead.splice(0, count)) {
      await fetch(`${server.url}/api/v1/queue/token`, { method: 'DELETE', headers: { 'X-Queue-Token': token } });
    }
  };
  const phone = { viewport: { width: 390, height: 844 }, reducedMotion: 'reduce' };
  const pages = [];
  for (const options of [{ ...phone }, { ...phone, locale: 'ko-KR', colorScheme: 'dark' }]) {
    const page = await open(options);
    await page.goto(`${server.url}/wait/winter-concert`);
    await page.waitForSelector('[data-scene=waiting]');
    pages.push({ page, taken: [] });
  }
  const take = async () => {
    for (const { page, taken } of pages) taken.push(await page.screenshot());
  };
  const until = async (holds) => {
    for (const { page } of pages) await page.waitForFunction(holds);
  };
  await leave(1_212);
  await until(() => Number(document.getElementById('place')?.textContent) < 500);
  await take();
  await line({});
  await leave(ahead.length);
  await until(() => document.querySelector('[data-scene=ready]'));
  await take();
  for (const { page } of pages) await page.click('form button');
  await until(() => document.querySelector('[data-scene=active]'));
  await take();
  await together(pages[0].taken, 'wait-phone.png', '#d8e2ea');
  await together(pages[1].taken, 'wait-phone-ko.png', '#04080c');
  for (const { page } of pages) await page.context().close();
  await server.stop();
});
