'use strict';
// The pages work without script. With it, forms are sent and news is shown without loading the page anew: the server sends
// the same pages, and the parts that are another are put in. There are no words here: the server has them.

/** What all pages have in common; what is the page's own comes behind it, and derives from this. */
class Page {
  /** `parts`: the ids of what may be another in the next page. `url`: where the page is; `data-page` if it says so. */
  constructor(parts) {
    this.parts = parts;
    this.url = document.body.dataset.page ?? location.href;
    // As the server sent them: what is on the page differs in its times, which are local.
    this.sent = new Map(parts.map((id) => [id, this.part(id)?.outerHTML]));
    this.tries = 0;
    this.again = 0; // a timer: when to come again
    addEventListener('submit', (event) => this.submit(event));
  }

  // ---- For the pages to say ----

  /** Whether `answer` brings so little that is new that the rest stays, and with it the focus. */
  isSmall() { return false; }
  /** There is something new on the page. */
  shown() {}
  /** Waits for news. */
  follow() {}
  /** Where a part goes that was not there. */
  home() { return document.querySelector('main'); }

  // ---- ----

  part(id, from = document) { return from.getElementById(id); }

  put(id, theirs) {
    const mine = this.part(id);
    if (this.sent.get(id) === theirs?.outerHTML) return;
    if (!theirs && id !== 'who') return; // a busy server may leave out what it could not read
    this.sent.set(id, theirs?.outerHTML);
    if (mine && theirs) mine.replaceWith(theirs);
    else if (mine) mine.remove();
    else this.home(id).append(theirs);
  }

  show(html, { focus = false } = {}) {
    const next = new DOMParser().parseFromString(html, 'text/html');
    const answer = this.part('answer', next);
    if (!answer) return location.reload();
    this.part('trouble')?.remove();
    const before = this.part('headline')?.textContent;
    const password = this.part('password')?.value;
    for (const id of this.parts) {
      if (id !== 'answer' || !this.isSmall(answer)) this.put(id, this.part(id, next));
    }
    this.localTimes();
    document.title = next.title;
    // A try that was not taken is made again with what was typed.
    if (password && this.part('password') && !this.part('password').hasAttribute('aria-invalid')) this.part('password').value = password;
    const headline = this.part('headline').textContent;
    if (focus) (this.part('answer').querySelector('[aria-invalid]') ?? this.part('headline')).focus();
    else if (headline !== before) this.say(headline);
    this.shown();
  }

  say(text) { this.part('news').textContent = text; }

  trouble() {
    if (this.part('trouble')) return;
    const notice = document.createElement('p');
    notice.id = 'trouble';
    notice.className = 'notice';
    notice.setAttribute('role', 'alert');
    notice.textContent = document.body.dataset.offline;
    this.part('answer').querySelector('.body').prepend(notice);
  }

  /** Not all at once: everybody may have lost the same server. */
  later(run) {
    clearTimeout(this.again);
    this.again = setTimeout(run, Math.min(500 * 2 ** this.tries++, 15000) * (0.5 + Math.random()));
  }

  /** What has become of it? Whoever cannot be answered now comes again. */
  async look() {
    clearTimeout(this.again);
    try {
      const response = await fetch(this.url, { cache: 'no-store' });
      if (response.status >= 500) throw new Error(response.status); // what is here tells more
      this.show(await response.text());
      this.follow();
    } catch {
      this.trouble();
      this.later(() => this.look());
    }
  }

  /** Until something happens: counts down to `ends`, by performance.now(). Gives the timer. */
  countDown(ends, over) {
    const clock = this.part('countdown');
    const two = (n) => String(n).padStart(2, '0');
    const tick = () => {
      const seconds = Math.ceil((ends - performance.now()) / 1000);
      if (seconds <= 0) {
        clearInterval(timer);
        return over();
      }
      const days = Math.floor(seconds / 86400);
      clock.classList.toggle('days', days > 0);
      clock.textContent = (days ? `${days}${this.dayLetter()} ` : '') + this.clockText(seconds, two);
    };
    const timer = setInterval(tick, 250);
    clock.hidden = false;
    tick();
    return timer;
  }
  clockText(seconds, two) { return `${two(Math.floor(seconds / 3600) % 24)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`; }
  dayLetter() { return document.body.dataset.day; }

  async submit(event) {
    event.preventDefault();
    await this.send(event.target, event.submitter ?? event.target.querySelector('button'));
  }

  /** Whether there was an answer. `focus`: somebody has pressed, and goes on reading where it is told. */
  async send(form, button, { focus = true } = {}) {
    if (form.getAttribute('aria-busy')) return true;
    const body = new URLSearchParams(new FormData(form));
    if (button.name) body.set(button.name, button.value);
    const words = button.textContent;
    form.setAttribute('aria-busy', 'true');
    button.disabled = true;
    button.textContent = document.body.dataset.sending;
    let response = null;
    try {
      response = await fetch(form.action, { method: 'POST', body, ...this.how(form) });
      await this.answered(form, response, { focus });
    } catch {
      this.trouble();
    }
    form.removeAttribute('aria-busy');
    button.disabled = false;
    button.textContent = words;
    return response !== null;
  }
  /** More for fetch() of a form. */
  how() { return {}; }
  async answered(form, response, { focus }) {
    this.show(await response.text(), { focus });
    this.follow();
  }

  timeFormat() { return { dateStyle: 'medium', timeStyle: 'short' }; }
  localTimes() {
    const { lang } = document.documentElement;
    const local = new Intl.DateTimeFormat(navigator.languages.find((one) => one.startsWith(lang)) ?? lang, this.timeFormat());
    for (const time of document.querySelectorAll('time:not([data-local])')) {
      time.dataset.local = '';
      time.textContent = local.format(new Date(time.dateTime));
    }
  }
}

