// The waiting page in a real Chromium: the place as it falls, the turn, and what breaks on the way.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before } from 'node:test';
import { Server, axe, browse, overflow, press, until, untilPage, within } from './harness.mjs';

const kNoScript = { javaScriptEnabled: false };
const kPhone = { viewport: { width: 390, height: 844 } };

let server;
let lines = 0;
before(async () => { server = await Server.start('--identity', 'open'); });
after(() => server?.stop());

/** A line that no other test uses, with `ahead` people in it. */
class Line {
  static async make(settings = {}, ahead = 0) {
    const line = new Line();
    line.id = `line-${++lines}`;
    line.url = `${server.url}/wait/${line.id}`;
    await line.put(settings);
    line.ahead = [];
    for (let i = 0; i < ahead; ++i) line.ahead.push(await line.join(`ahead-${i}`));
    return line;
  }
  put(settings) { return server.done('PUT', `/admin/queues/waitroom/${this.id}`, { maxActive: 0, ...settings }); }
  async sizes() { return (await server.done('GET', `/admin/queues/waitroom/${this.id}`)).data.sizes; }
  async join(userId) {
    const { status, body } = await server.api('POST', '/api/v1/queue/enter', { concertId: this.id, userId }, null);
    assert.equal(status, 200, JSON.stringify(body));
    return body.data.token;
  }
  /** Those at the head of the line leave. */
  async shrink(by) {
    for (const token of this.ahead.splice(0, by)) {
      const left = await fetch(`${server.url}/api/v1/queue/token`, { method: 'DELETE', headers: { 'X-Queue-Token': token } });
      assert.equal(left.status, 200);
    }
  }
}
const inMs = (ms) => new Date(Date.now() + ms).toISOString();
const scene = (page) => page.getAttribute('#answer', 'data-scene');
const untilScene = (page, wanted) => page.waitForSelector(`#answer[data-scene=${wanted}]`);
const untilPlace = (page, wanted) => untilPage(page, `the place ${wanted}`, (text) => document.getElementById('place')?.textContent === text, wanted);
const untilTitle = (page, wanted) => untilPage(page, `the title ${wanted}`, (text) => document.title.includes(text), wanted);

browse('from the line to the site and out, by itself and without loading the page anew', {}, async (page) => {
  const line = await Line.make({}, 4);
  await page.goto(line.url);
  await untilScene(page, 'waiting'); // nobody had to press
  let loads = 0;
  page.on('load', () => { loads += 1; });
  await untilPlace(page, '5');
  assert.match(await page.title(), /^\(5\) You are in line · line-/);
  await line.shrink(2);
  await untilPlace(page, '3');
  await untilTitle(page, '(3) ');
  await line.shrink(2);
  await untilPlace(page, '1');
  await line.put({ maxActive: 1 });
  await untilScene(page, 'ready');
  assert.equal(await page.textContent('#news'), 'It is your turn', 'said to those who do not see it');
  assert.match(await page.textContent('#countdown'), /^(1:00|0:\d\d)$/);
  await untilTitle(page, '● Enter now!');
  await untilTitle(page, 'It is your turn');
  await page.getByRole('button', { name: 'Enter now' }).click();
  await untilScene(page, 'active');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'headline', 'where a screen reader goes on');
  assert.match(await page.textContent('#countdown'), /^(5:00|4:\d\d)$/);
  const entry = (await page.context().cookies(server.url)).find((one) => one.name === 'queue_token');
  assert.ok(entry.httpOnly && entry.path === '/' && entry.sameSite === 'Lax');
  await page.click('summary');
  await page.click('#leave button');
  await untilScene(page, 'gone');
  assert.equal(await page.textContent('#headline'), 'You have left the line');
  const { waiting, active } = await line.sizes();
  assert.deepEqual([waiting, active], [0, 0]);
  await page.reload();
  assert.equal(await scene(page), 'gone', 'whoever has left is not put back by a reload');
  await page.getByRole('button', { name: 'Line up again' }).click();
  await untilScene(page, 'ready');
  assert.equal(loads, 1, 'only by the reload');
});

browse('the bar goes from the first place to the front, and the place is said when it has halved', {}, async (page) => {
  const line = await Line.make({}, 40);
  await page.goto(line.url);
  await untilPlace(page, '41');
  const bar = page.getByRole('progressbar', { name: 'Your way to the front' });
  assert.equal(await bar.getAttribute('aria-valuenow'), '0');
  const said = [];
  await page.exposeFunction('heard', (text) => said.push(text));
  await page.evaluate(() => new MutationObserver(() => window.heard(document.getElementById('news').textContent))
    .observe(document.getElementById('news'), { childList: true }));
  for (const [by, place] of [[10, '31'], [10, '21'], [1, '20'], [9, '11'], [10, '1']]) {
    await line.shrink(by);
    await untilPlace(page, place);
  }
  assert.equal(await bar.getAttribute('aria-valuenow'), '100');
  assert.deepEqual(said, ['Your place in the line 20', 'Your place in the line 1'], 'not at each step');
  await page.reload(); // it begins where it began
  await untilPlace(page, '1');
  assert.equal(await bar.getAttribute('aria-valuenow'), '100');
});

browse('a second tab has the same place', {}, async (page) => {
  const line = await Line.make({}, 2);
  await page.goto(line.url);
  await untilPlace(page, '3');
  const second = await page.context().newPage();
  await second.goto(line.url);
  await untilPlace(second, '3');
  assert.equal((await line.sizes()).waiting, 3);
  await line.shrink(2);
  await line.put({ maxActive: 1 });
  await untilScene(page, 'ready');
  await untilScene(second, 'ready');
  await second.getByRole('button', { name: 'Enter now' }).click();
  await untilScene(second, 'active');
  await untilScene(page, 'active');
});

browse('two tabs at the same moment are one place', {}, async (page) => {
  const line = await Line.make();
  // As when somebody opens a link twice: the first page gives the browser its name.
  await page.goto(`${server.url}/wait/another-line`);
  await untilScene(page, 'ready');
  const second = await page.context().newPage();
  await Promise.all([page.goto(line.url), second.goto(line.url)]);
  await Promise.all([untilPlace(page, '1'), untilPlace(second, '1')]);
  assert.equal((await line.sizes()).waiting, 1);
});

browse('offline and back', {}, async (page) => {
  const line = await Line.make({}, 4);
  await page.goto(line.url);
  await untilPlace(page, '5');
  await line.shrink(1);
  await untilPlace(page, '4'); // the stream is there: nothing of it is still on the way
  await page.context().setOffline(true);
  await page.waitForSelector('#trouble');
  assert.match(await page.textContent('#trouble'), /your place is kept/);
  await line.shrink(2);
  await page.context().setOffline(false);
  await untilPlace(page, '2');
  await untilPage(page, 'the trouble to be over', () => !document.getElementById('trouble'));
});

browse('a server that is killed and comes back: the same place, and it goes on', {}, async (page) => {
  const line = await Line.make({}, 3);
  await page.goto(line.url);
  await untilPlace(page, '4');
  server.process.kill('SIGKILL');
  await within('the server to be gone', server.ended);
  try {
    await page.waitForSelector('#trouble');
    assert.equal(await page.textContent('#place'), '4');
  } finally {
    await server.launch(); // the other tests need it as well
  }
  await untilPage(page, 'the trouble to be over', () => !document.getElementById('trouble'));
  await line.shrink(3);
  await untilPlace(page, '1');
  await line.put({ maxActive: 1 });
  await untilScene(page, 'ready');
});

browse('where no stream comes through it asks at the told pace', {}, async (page) => {
  const line = await Line.make({}, 3);
  await page.route('**/stream', (route) => route.abort());
  await page.goto(line.url);
  await untilPlace(page, '4');
  const asked = page.waitForResponse((response) => response.url().endsWith('/status'));
  await line.shrink(2);
  await asked;
  await untilPlace(page, '2');
  assert.equal(await page.$('#trouble'), null);
  await line.shrink(1);
  await line.put({ maxActive: 1 });
  await untilScene(page, 'ready');
});

browse('the place never goes up, whatever comes late', {}, async (page) => {
  const line = await Line.make({}, 6);
  let late = null;
  await page.route('**/stream', (route) => route.abort());
  await page.route('**/status', async (route) => {
    const answer = await route.fetch();
    const body = await answer.json();
    if (late && body.data) body.data.position = late;
    await route.fulfill({ response: answer, json: body });
  });
  await page.goto(line.url);
  await line.shrink(3);
  await untilPlace(page, '4');
  late = 6;
  await page.waitForResponse((response) => response.url().endsWith('/status'));
  await page.waitForResponse((response) => response.url().endsWith('/status'));
  assert.equal(await page.textContent('#place'), '4');
});

browse('paused while one waits, and while one comes', {}, async (page) => {
  const line = await Line.make({}, 1);
  await page.goto(line.url);
  await untilPlace(page, '2');
  await line.put({ mode: 'paused' });
  await untilScene(page, 'halted');
  assert.equal(await page.textContent('#place'), '2');
  await line.put({});
  await untilScene(page, 'waiting');
  await line.put({ mode: 'paused' });
  await page.context().clearCookies();
  await page.reload();
  assert.equal(await page.textContent('#headline'), 'The line is paused');
  assert.equal(await scene(page), 'enter');
  await line.put({});
  await untilScene(page, 'waiting'); // it tries again by itself
});

browse('it opens on everybody, in the order of arrival', {}, async (page) => {
  const line = await Line.make({ maxActive: 1, opensAt: inMs(4_000) });
  await page.goto(line.url);
  await untilScene(page, 'soon');
  assert.match(await page.textContent('#countdown'), /^0:0\d$/);
  await untilPlace(page, '1');
  await untilScene(page, 'ready');
});

browse('a lottery: no place before the draw, and its commitment', {}, async (page) => {
  const line = await Line.make({ mode: 'lottery', opensAt: inMs(3_600_000) });
  await page.goto(line.url);
  await untilScene(page, 'soon');
  assert.equal(await page.$('#place'), null);
  const [draw] = await Promise.all([page.context().waitForEvent('page'), page.click('#answer a')]);
  assert.match(await draw.textContent('body'), /"commitment":"[0-9a-f]{64}"/);
  await line.put({ mode: 'lottery', opensAt: inMs(1_000) });
  await untilPlace(page, '1');
});

browse('whoever does not enter in time is told so', {}, async (page) => {
  const line = await Line.make({ maxActive: 1, readySeconds: 2 });
  await page.goto(line.url);
  await untilScene(page, 'ready');
  await untilScene(page, 'gone');
  assert.equal(await page.textContent('#headline'), 'Your turn has passed');
  assert.equal(await page.textContent('#news'), 'Your turn has passed');
});

browse('a forgotten tab holds no slot, also where using the site extends the time', {}, async (page) => {
  const line = await Line.make({ maxActive: 1, activeSeconds: 3, idleExtends: true });
  await page.goto(line.url);
  await untilScene(page, 'ready');
  await page.getByRole('button', { name: 'Enter now' }).click();
  await untilScene(page, 'active');
  await untilScene(page, 'gone');
  assert.equal(await page.textContent('#headline'), 'Your time is over');
});

browse('a server that is too busy to answer changes nothing of what is shown', {}, async (page) => {
  const line = await Line.make({}, 2);
  await page.goto(line.url);
  await untilPlace(page, '3');
  let refused = 0;
  await page.route(line.url, (route) => {
    refused += 1;
    return route.fulfill({ status: 503, contentType: 'text/html', body: '<section id="answer"><h1 id="headline">no</h1></section>' });
  });
  await page.evaluate(() => dispatchEvent(new Event('online')));
  await page.waitForSelector('#trouble');
  assert.equal(await page.textContent('#place'), '3');
  await until('it to ask again', async () => refused >= 2);
  await page.unroute(line.url);
  await line.shrink(1);
  await untilPlace(page, '2');
  assert.equal(await page.$('#trouble'), null);
});

browse('entering leads to where people came from', {}, async (page) => {
  const line = await Line.make({ maxActive: 1 });
  await page.goto(`${line.url}?return=${encodeURIComponent('/?seat=A1#map')}`);
  await untilScene(page, 'ready');
  await page.getByRole('button', { name: 'Enter now' }).click();
  await page.waitForURL(`${server.url}/?seat=A1#map`);
  await page.goto(line.url);
  assert.equal(await scene(page), 'active');
  await page.getByRole('button', { name: 'Go to the site' }).click();
  await page.waitForURL(`${server.url}/`);
});

browse('the sound comes when it is switched on, and not before', {}, async (page) => {
  const line = await Line.make();
  await page.goto(line.url);
  await untilScene(page, 'waiting');
  const sound = page.getByRole('switch', { name: 'Sound when it is my turn' });
  assert.equal(await sound.getAttribute('aria-checked'), 'false');
  await sound.click();
  await untilPage(page, 'a first sound, to hear it', () => document.querySelector('#sound button').dataset.played === '1');
  assert.equal(await sound.getAttribute('aria-checked'), 'true');
  await line.put({ maxActive: 1 });
  await untilScene(page, 'ready');
  await untilPage(page, 'the sound', () => Number(document.querySelector('#sound button').dataset.played) >= 2);
});

browse('the keyboard alone is enough', {}, async (page) => {
  const line = await Line.make();
  await page.goto(line.url);
  await untilScene(page, 'waiting');
  const on = (selector) => () => page.evaluate((s) => document.activeElement.matches(s), selector);
  await press(page, 'Tab', 'the sound', on('#sound button'));
  await page.keyboard.press('Space');
  assert.equal(await page.getAttribute('#sound button', 'aria-checked'), 'true');
  await line.put({ maxActive: 1 });
  await untilScene(page, 'ready');
  await press(page, 'Tab', 'the way in', on('form[action*="/activate"] button'));
  assert.equal(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), 'solid', 'one sees where one is');
  await page.keyboard.press('Enter');
  await untilScene(page, 'active');
  await press(page, 'Tab', 'leaving', on('summary'));
  await page.keyboard.press('Enter');
  await press(page, 'Tab', 'leaving indeed', on('#leave button'));
  await page.keyboard.press('Enter');
  await untilScene(page, 'gone');
  await press(page, 'Shift+Tab', 'the other language', on('#language'));
  await page.keyboard.press('Enter');
  await untilPage(page, 'Korean', () => document.documentElement.lang === 'ko' && document.getElementById('headline')?.textContent === '대기를 그만두었습니다');
});

browse('in Korean, and the switch stays', { locale: 'ko-KR', ...kPhone }, async (page) => {
  const line = await Line.make({}, 1);
  await page.goto(line.url);
  await untilScene(page, 'waiting');
  assert.equal(await page.textContent('#headline'), '대기 중입니다');
  await page.click('#language');
  await page.waitForURL(/lang=en/);
  assert.equal(await page.textContent('#headline'), 'You are in line');
  await line.shrink(1);
  await line.put({ maxActive: 1 });
  await untilScene(page, 'ready');
  assert.equal(await page.textContent('#headline'), 'It is your turn');
});

browse('without script: forms, a page that comes again, in and out', kNoScript, async (page) => {
  const line = await Line.make({}, 1);
  await page.goto(line.url);
  assert.equal(await scene(page), 'enter');
  await page.click('#answer button');
  assert.equal(page.url(), line.url, 'a reload does not send the form again');
  assert.equal(await page.textContent('#place'), '2');
  assert.match(await page.textContent('#answer noscript'), /renews itself/);
  assert.ok(await page.isHidden('#sound'), 'what needs script is not there');
  await line.shrink(1);
  await until('the page to renew itself', async () => (await page.textContent('#place').catch(() => '')) === '1');
  await line.put({ maxActive: 1 });
  await until('the turn', async () => (await scene(page).catch(() => '')) === 'ready');
  await page.getByRole('button', { name: 'Enter now' }).click();
  assert.equal(await scene(page), 'active');
  await page.click('summary');
  await page.click('#leave button');
  assert.equal(await page.textContent('#headline'), 'You have left the line');
});

browse('no other site leads anybody out of the line, or shows the page in a frame', {}, async (page) => {
  const line = await Line.make();
  await page.goto(line.url);
  await untilScene(page, 'waiting');
  const elsewhere = createServer((_, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end(`<form method="post" action="${line.url}/leave"><button>win</button></form><iframe src="${line.url}"></iframe>`);
  });
  await within('another site', new Promise((ready) => { elsewhere.listen(0, '127.0.0.1', ready); }));
  try {
    await page.goto(`http://localhost:${elsewhere.address().port}/`); // waits for the frame as well
    assert.equal(Boolean(await page.frames()[1].$('#answer')), false, 'in a frame');
    assert.match(page.faults.join(), /frame-ancestors/);
    page.faults.length = 0;
    await page.click('button');
    await page.waitForSelector('#notice');
    assert.match(await page.textContent('#notice'), /another site/);
  } finally {
    elsewhere.closeAllConnections();
    elsewhere.close();
  }
  assert.equal((await line.sizes()).waiting, 1);
});

browse('the words for the wait are the same with and without script', {}, async (page) => {
  const line = await Line.make({ maxActive: 1, activeSeconds: 1, admitPerSecond: 1 }, 2);
  await page.goto(line.url);
  await untilScene(page, 'waiting');
  const table = await page.evaluate(() => [[0, 0], [0, 60], [20, 61], [59, 134], [60, 135], [239, 360], [241, 5400], [3500, 5401],
    [4000, 9000], [40_000, 90_000], [60_000, 135_000], null].map((one) => waitText(one && { low: one[0], high: one[1] }, document.body.dataset)));
  // As event_page_test.cc's neighbour wait_page_test.cc has it for the server.
  assert.deepEqual(table, ['Less than a minute', 'Less than a minute', 'Up to 2 minutes', 'Up to 3 minutes', '1 to 3 minutes', '3 to 6 minutes',
    '4 to 90 minutes', 'Up to 2 hours', '1 to 3 hours', '11 to 25 hours', 'More than a day', 'We cannot say yet']);
});

for (const [name, options] of [
  ['light', {}],
  ['dark', { colorScheme: 'dark' }],
  ['a phone', kPhone],
  ['a phone, in Korean, dark', { ...kPhone, locale: 'ko-KR', colorScheme: 'dark' }],
]) {
  browse(`axe finds nothing serious in any state: ${name}`, { reducedMotion: 'reduce', ...options }, async (page) => {
    const sound = async (state) => {
      assert.deepEqual(await axe(page), [], state);
      assert.equal(await overflow(page), 0, state);
    };
    const line = await Line.make({}, 30);
    await page.goto(line.url);
    await untilScene(page, 'waiting');
    await line.shrink(10);
    await untilPlace(page, '21');
    await page.click('summary');
    await sound('waiting');
    await page.click('#sound button');
    await sound('with sound');
    await line.put({ mode: 'paused' });
    await untilScene(page, 'halted');
    await sound('halted');
    await line.shrink(20);
    await line.put({ maxActive: 1 });
    await untilScene(page, 'ready');
    await page.click('summary');
    await sound('ready');
    await page.click('form[action*="/activate"] button');
    await untilScene(page, 'active');
    await sound('active');
    await page.click('summary');
    await page.click('#leave button');
    await untilScene(page, 'gone');
    await sound('gone');
    const shut = await Line.make({ mode: 'paused' });
    await page.goto(shut.url);
    await sound('paused');
    const lottery = await Line.make({ mode: 'lottery', opensAt: inMs(3 * 86_400_000) });
    await page.goto(lottery.url);
    await untilScene(page, 'soon');
    await sound('soon');
    await page.goto(`${server.url}/wait/no%20line`);
    await sound('no such line');
  });
}

browse('with accounts: signing in takes the place', kPhone, async (page) => {
  const accounts = await Server.start('--identity', 'users');
  try {
    await accounts.done('PUT', '/admin/users/ann', { password: 'correct horse battery' });
    await accounts.done('PUT', '/admin/queues/waitroom/concert', { maxActive: 0 });
    await page.goto(`${accounts.url}/wait/concert`);
    await page.fill('#userId', 'ann');
    await page.fill('#password', 'wrong horse');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#notice');
    assert.match(await page.textContent('#notice'), /password is wrong/);
    assert.deepEqual(await axe(page), []);
    await page.fill('#password', 'correct horse battery');
    await page.keyboard.press('Enter');
    await untilPlace(page, '1');
  } finally {
    await accounts.stop();
  }
});
