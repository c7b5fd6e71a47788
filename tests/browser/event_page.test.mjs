// The page of an event in a real Chromium: with and without script, by keyboard alone, in both languages.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { Server, axe, browse, overflow, press, until, untilPage } from './harness.mjs';

const kNoScript = { javaScriptEnabled: false };
const kPhone = { viewport: { width: 390, height: 844 } };

let server;
let events = 0;
before(async () => { server = await Server.start('--identity', 'open'); });
after(() => server?.stop());

/** An event that no other test uses; its page. */
async function made(more = {}) {
  const id = `event-${++events}`;
  await server.done('PUT', `/admin/events/${id}`, { title: 'Winter concert', capacityTotal: 5, ...more });
  return { id, url: `${server.url}/events/${id}` };
}
const pause = () => server.done('POST', '/admin/queues/participations/pause');
const resume = () => server.done('POST', '/admin/queues/participations/resume');
const inMs = (ms) => new Date(Date.now() + ms).toISOString();
const headline = (page) => page.textContent('#headline');
const untilHeadline = (page, text) => untilPage(page, `the headline ${text}`, (wanted) => document.getElementById('headline')?.textContent === wanted, text);

/** While `run` runs the workers are stopped. */
async function paused(run) {
  await pause();
  try { await run(); } finally { await resume(); }
}

async function takePart(page, name) {
  await page.fill('#userId', name);
  await page.click('#form button');
}

browse('the answer comes by itself, without loading the page anew', {}, async (page) => {
  const event = await made();
  await paused(async () => {
    await server.participate(event.id, 'ahead');
    await page.goto(event.url);
    assert.equal(await headline(page), 'Open now');
    let loads = 0;
    page.on('load', () => { loads += 1; });
    await takePart(page, 'ann');
    await untilHeadline(page, 'You are in line');
    assert.equal(await page.textContent('.place strong'), '2');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'headline', 'where a screen reader goes on');
    await resume();
    await untilHeadline(page, 'You have a place');
    assert.equal(loads, 0);
    assert.equal(await page.textContent('#news'), 'You have a place', 'said to those who do not see it');
    assert.match(await page.title(), /^You have a place · Winter concert$/);
    const [item] = (await server.done('GET', `/admin/requests?userId=ann&eventId=${event.id}`)).items;
    assert.equal(await page.textContent('.stub code'), item.requestId);
  });
  await page.reload();
  assert.equal(await headline(page), 'You have a place');
});

browse('the place in the line is told', {}, async (page) => {
  const event = await made({ capacityTotal: 2 });
  await paused(async () => {
    for (const name of ['x', 'y', 'z']) await server.participate(event.id, name);
    await page.goto(event.url);
    await takePart(page, 'ann');
    await untilPage(page, 'the place', () => document.querySelector('.place strong')?.textContent === '4');
  });
  await untilHeadline(page, 'No place this time');
});

browse('without script: a form, a page that comes again, and the answer', kNoScript, async (page) => {
  const event = await made({ capacityTotal: 1 });
  await paused(async () => {
    await page.goto(event.url);
    await takePart(page, 'ann');
    assert.equal(await headline(page), 'You are in line');
    assert.equal(page.url(), event.url, 'a reload does not send the form again');
    assert.match(await page.textContent('#answer noscript'), /renews itself/);
  });
  await until('the page to renew itself with the answer', async () => (await headline(page).catch(() => '')) === 'You have a place');
  await page.click('#who button');
  assert.equal(await headline(page), 'All places are taken');
  await takePart(page, 'late');
  await until('the answer', async () => (await headline(page).catch(() => '')) === 'No place this time');
});

browse('the keyboard alone is enough', {}, async (page) => {
  const event = await made();
  await page.goto(event.url);
  const on = (selector) => () => page.evaluate((s) => document.activeElement.matches(s), selector);
  await press(page, 'Tab', 'the name', on('#userId'));
  await page.keyboard.type('keyboard');
  await press(page, 'Tab', 'the button', on('#form button'));
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(outline, 'solid', 'one sees where one is');
  await page.keyboard.press('Enter');
  await untilHeadline(page, 'You have a place');
  await press(page, 'Tab', 'signing out', on('#who button'));
  await page.keyboard.press('Enter');
  await untilHeadline(page, 'Open now');
  await press(page, 'Shift+Tab', 'the other language', on('#language'));
  await page.keyboard.press('Enter');
  await untilHeadline(page, '지금 참가할 수 있습니다');
});

browse('in Korean, and the switch stays', { locale: 'ko-KR', ...kPhone }, async (page) => {
  const event = await made();
  await page.goto(event.url);
  assert.equal(await page.getAttribute('html', 'lang'), 'ko');
  await takePart(page, '지민');
  await untilHeadline(page, '자리를 얻었습니다');
  await page.click('#language');
  await untilHeadline(page, 'You have a place');
  await page.click('#who button');
  await untilHeadline(page, 'Open now');
  await takePart(page, '지민');
  await untilHeadline(page, 'You have a place');
  assert.match(page.url(), /\?lang=en$/);
});

browse('it opens on everybody at once', {}, async (page) => {
  const event = await made({ opensAt: inMs(4_000) });
  await page.goto(event.url);
  assert.equal(await headline(page), 'Not open yet');
  assert.match(await page.textContent('#countdown'), /^00:00:0\d$/);
  await takePart(page, 'early'); // signs in
  await page.waitForSelector('#who');
  if (await page.getByRole('button', { name: 'Take part' }).isDisabled()) assert.equal(await headline(page), 'Not open yet');
  await untilHeadline(page, 'Open now');
  await page.click('#form button:not(:disabled)');
  await untilHeadline(page, 'You have a place');
});

browse('it opens without script as well', kNoScript, async (page) => {
  const event = await made({ opensAt: inMs(2_000) });
  await page.goto(event.url);
  assert.equal(await headline(page), 'Not open yet');
  await until('the page to renew itself', async () => (await headline(page).catch(() => '')) === 'Open now');
});

browse('a server that goes away and comes back is waited for', {}, async (page) => {
  const event = await made();
  await pause();
  await page.goto(event.url);
  await takePart(page, 'ann');
  await untilHeadline(page, 'You are in line');
  await server.halt();
  await page.waitForSelector('#trouble');
  await server.launch();
  await resume();
  await untilHeadline(page, 'You have a place');
  assert.equal(await page.$('#trouble'), null);
});

browse('pressing while the server is away says so, and can be done again', {}, async (page) => {
  const event = await made();
  await page.goto(event.url);
  await server.halt();
  await takePart(page, 'ann');
  await page.waitForSelector('#trouble');
  assert.equal(await page.textContent('#form button'), 'Take part');
  await server.launch();
  await page.click('#form button');
  await untilHeadline(page, 'You have a place');
});

browse('titles and names are never markup', {}, async (page) => {
  const evil = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
  const event = await made({ title: evil });
  await page.goto(event.url);
  assert.equal(await page.textContent('h1'), evil);
  await takePart(page, evil);
  await untilHeadline(page, 'You have a place');
  assert.equal(await page.textContent('#who strong'), evil);
  assert.equal(await page.locator('main img, main script').count(), 0);
  await page.reload();
  assert.match(await page.title(), /^You have a place/);
});

browse('the session is out of reach of scripts', {}, async (page) => {
  const event = await made();
  await page.goto(event.url);
  await takePart(page, 'ann');
  await page.waitForSelector('#who');
  assert.equal(await page.evaluate(() => document.cookie), '');
  const [cookie] = await page.context().cookies(event.url);
  assert.ok(cookie.httpOnly && cookie.sameSite === 'Lax' && cookie.path === '/events');
});

browse('a form of another site does nothing, also for whoever is signed in', {}, async (page) => {
  const event = await made();
  const other = await made();
  await page.goto(event.url);
  await takePart(page, 'victim');
  await page.waitForSelector('#who');
  const elsewhere = event.url.replace('127.0.0.1', 'localhost');
  await page.route(`${elsewhere}/trap`, (route) => route.fulfill({
    contentType: 'text/html',
    body: `<form method="post" action="${other.url}"><input name="intent" value="take-part"><button>win</button></form>`,
  }));
  await page.goto(`${elsewhere}/trap`);
  await page.click('button');
  await page.waitForSelector('#notice');
  assert.match(await page.textContent('#notice'), /another site/);
  assert.deepEqual((await server.done('GET', `/admin/requests?eventId=${other.id}`)).items, []);
});

browse('an event that there is not', {}, async (page) => {
  const response = await page.goto(`${server.url}/events/nobody-made-this`);
  assert.equal(response.status(), 404);
  assert.equal(await page.textContent('h1'), 'There is no such event');
  assert.deepEqual(await axe(page), []);
});

for (const [name, options] of [['light', {}], ['dark', { colorScheme: 'dark' }], ['a phone, in Korean', { ...kPhone, locale: 'ko-KR', colorScheme: 'dark' }]]) {
  browse(`axe finds nothing serious in any state: ${name}`, { reducedMotion: 'reduce', ...options }, async (page) => {
    const sound = async (state) => {
      assert.deepEqual(await axe(page), [], state);
      assert.equal(await overflow(page), 0, state);
    };
    const long = 'A concert with a very long name, Donaudampfschifffahrtsgesellschaftskapitänsmützen, 겨울 콘서트';
    const event = await made({ title: long, capacityTotal: 1, closesAt: inMs(86_400_000) });
    await page.goto(event.url);
    await sound('open');
    await paused(async () => {
      await takePart(page, `ann ${name}`);
      await page.waitForSelector('.wait');
      await sound('in line');
    });
    await page.waitForSelector('.good');
    await sound('won');
    await page.click('#who button');
    await page.waitForSelector('#form');
    await sound('full');
    await takePart(page, 'late');
    await page.waitForSelector('.sorry');
    await sound('lost');
    const soon = await made({ title: long, opensAt: inMs(3 * 86_400_000) });
    await page.goto(soon.url);
    await sound('soon, signed in');
    await page.click('#who button');
    await page.waitForSelector('#userId');
    await sound('soon');
    await server.done('PUT', `/admin/events/${soon.id}`, { title: long, capacityTotal: 1, closesAt: '2020-01-01T00:00:00Z' });
    await page.goto(soon.url);
    await sound('closed');
  });
}

browse('with accounts: a wrong password, then the right one', kPhone, async (page) => {
  const accounts = await Server.start('--identity', 'users');
  try {
    await accounts.done('PUT', '/admin/users/ann', { password: 'correct horse battery' });
    await accounts.done('PUT', '/admin/events/concert', { title: 'Winter concert', capacityTotal: 5 });
    await page.goto(`${accounts.url}/events/concert`);
    await page.fill('#userId', 'ann');
    await page.fill('#password', 'wrong horse');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#notice');
    assert.match(await page.textContent('#notice'), /password is wrong/);
    assert.equal(await page.evaluate(() => document.activeElement.id), 'userId');
    assert.deepEqual(await axe(page), []);
    await page.fill('#password', 'correct horse battery');
    await page.keyboard.press('Enter');
    await untilHeadline(page, 'You have a place');
  } finally {
    await accounts.stop();
  }
});
