'use strict';
// The page works without this. With it, the form is sent and the answer followed without loading the page anew: the
// server sends the same pages, and the parts that are another are put in. There are no words here: the server has them.
(() => {
  const kParts = ['facts', 'answer', 'who', 'language'];
  const part = (id, from = document) => from.getElementById(id);
  // As the server sent them: what is on the page differs in its times, which are local.
  const sent = new Map(kParts.map((id) => [id, part(id)?.outerHTML]));
  let news = null; // the stream of the answer
  let again = 0; // a timer: when to come again
  let tries = 0;
  let clock = 0; // a timer: the countdown

  function put(id, theirs) {
    const mine = part(id);
    if (sent.get(id) === theirs?.outerHTML) return;
    if (!theirs && id !== 'who') return; // a busy server may leave out what it could not read
    sent.set(id, theirs?.outerHTML);
    if (mine && theirs) mine.replaceWith(theirs);
    else if (mine) mine.remove();
    else part(id === 'facts' ? 'event' : 'side').append(theirs);
  }

  /** Only the place in the line has changed: the rest stays, and with it the focus. */
  function movedUp(theirs) {
    const place = part('answer').querySelector('.place strong');
    const other = theirs.querySelector('.place strong');
    if (!place || !other || part('notice') || theirs.dataset.status !== part('answer').dataset.status) return false;
    place.textContent = other.textContent;
    return true;
  }

  function show(html, { focus = false } = {}) {
    const next = new DOMParser().parseFromString(html, 'text/html');
    const ticket = part('answer', next);
    if (!ticket) return location.reload();
    part('trouble')?.remove();
    const before = part('headline')?.textContent;
    const password = part('password')?.value;
    for (const id of kParts) {
      if (id !== 'answer' || !movedUp(ticket)) put(id, part(id, next));
    }
    localTimes();
    document.title = next.title;
    // A try that was not taken is made again with what was typed.
    if (password && part('password') && !part('password').hasAttribute('aria-invalid')) part('password').value = password;
    const headline = part('headline').textContent;
    if (focus) (part('answer').querySelector('[aria-invalid]') ?? part('headline')).focus();
    else if (headline !== before) say(headline);
    countDown();
  }

  function say(text) { part('news').textContent = text; }

  function trouble() {
    if (part('trouble')) return;
    const notice = document.createElement('p');
    notice.id = 'trouble';
    notice.className = 'notice';
    notice.setAttribute('role', 'alert');
    notice.textContent = document.body.dataset.offline;
    part('answer').querySelector('.body').prepend(notice);
  }

  /** While the ticket waits for its answer: the server sends the page at each change, and ends with the answer. */
  function follow() {
    clearTimeout(again);
    news?.close();
    news = null;
    if (!('follow' in part('answer').dataset)) return;
    const mine = news = new EventSource(`${location.pathname}/stream${location.search}`);
    mine.addEventListener('page', (event) => {
      tries = 0;
      show(event.data);
      if (!('follow' in part('answer').dataset)) mine.close();
    });
    mine.onerror = () => {
      mine.close();
      // Not all at once: everybody may have lost the same server.
      again = setTimeout(look, Math.min(500 * 2 ** tries++, 15000) * (0.5 + Math.random()));
      if (tries > 1) trouble();
    };
  }

  /** What has become of it? Whoever cannot be answered now comes again. */
  async function look() {
    try {
      const response = await fetch(location.href, { cache: 'no-store' });
      show(await response.text());
      follow();
    } catch {
      trouble();
      clearTimeout(again);
      again = setTimeout(look, Math.min(500 * 2 ** tries++, 15000) * (0.5 + Math.random()));
    }
  }

  /** By the server's clock: it said how long it is from when it answered. */
  function countDown() {
    clearInterval(clock);
    const ticket = part('answer');
    if (!('opensIn' in ticket.dataset)) return;
    const opens = performance.now() + Number(ticket.dataset.opensIn);
    const tick = () => {
      const seconds = Math.ceil((opens - performance.now()) / 1000);
      if (seconds <= 0) return open(ticket);
      const two = (n) => String(n).padStart(2, '0');
      const days = Math.floor(seconds / 86400);
      part('countdown').classList.toggle('days', days > 0);
      part('countdown').textContent = (days ? `${days}${ticket.dataset.day} ` : '') +
        `${two(Math.floor(seconds / 3600) % 24)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
    };
    part('countdown').hidden = false;
    tick();
    if (opens > performance.now()) clock = setInterval(tick, 250);
  }

  /** Without asking the server: everybody's clock strikes at once. */
  function open(ticket) {
    clearInterval(clock);
    part('countdown').hidden = true;
    delete ticket.dataset.opensIn;
    ticket.className = 'ticket open';
    for (const one of ticket.querySelectorAll('[data-then]')) one.textContent = one.dataset.then;
    for (const button of ticket.querySelectorAll('[data-wakes]')) {
      button.disabled = false;
      button.value = 'take-part';
      button.textContent = button.dataset.wakes;
    }
    say(part('headline').textContent);
  }

  addEventListener('submit', async (event) => {
    const form = event.target;
    const button = event.submitter ?? form.querySelector('button');
    event.preventDefault();
    if (form.getAttribute('aria-busy')) return;
    const body = new URLSearchParams(new FormData(form));
    if (button.name) body.set(button.name, button.value);
    const words = button.textContent;
    form.setAttribute('aria-busy', 'true');
    button.disabled = true;
    button.textContent = document.body.dataset.sending;
    try {
      const response = await fetch(form.action, { method: 'POST', body });
      show(await response.text(), { focus: true });
      follow();
    } catch {
      trouble();
    }
    form.removeAttribute('aria-busy');
    button.disabled = false;
    button.textContent = words;
  });

  // A timer may have slept, and the page may come out of a drawer: what time is it, and what has become of it?
  addEventListener('pageshow', (event) => { if (event.persisted) look(); });
  addEventListener('visibilitychange', () => { if (!document.hidden && 'opensIn' in part('answer').dataset) look(); });

  function localTimes() {
    const { lang } = document.documentElement;
    const local = new Intl.DateTimeFormat(navigator.languages.find((one) => one.startsWith(lang)) ?? lang, { dateStyle: 'medium', timeStyle: 'short' });
    for (const time of document.querySelectorAll('time:not([data-local])')) {
      time.dataset.local = '';
      time.textContent = local.format(new Date(time.dateTime));
    }
  }

  if (!part('answer')) return; // there is no such event
  localTimes();
  countDown();
  follow();
})();
