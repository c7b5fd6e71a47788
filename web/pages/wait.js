/** The waiting page: the place as it falls, and what to do when it is one's turn. */
class WaitPage extends Page {
  constructor() {
    super(['answer', 'language']);
    this.news = null; // the stream
    this.clock = 0; // a timer: the countdown
    this.enters = 0; // a timer: when to ask for a place
    this.renews = 0; // a timer: when to see what everybody is told at the same time
    this.blinks = 0; // a timer: the title
    this.key = null; // of the place that these are about:
    this.place = Infinity; // what is shown
    this.said = Infinity; // what was said last to those who do not see it
    this.chime = new Chime(this.part('sound'));
    addEventListener('offline', () => this.trouble());
    addEventListener('online', () => this.look());
    addEventListener('pageshow', (event) => { if (event.persisted) this.look(); });
    // Timers may have slept, and so may the stream.
    addEventListener('visibilitychange', () => { if (!document.hidden && (this.isFollowed || this.data.endsIn)) this.look(); });
    this.base = new URL(this.url, location).pathname;
    this.localTimes();
    this.shown();
    this.follow();
  }

  get data() { return this.part('answer').dataset; }
  get isFollowed() { return 'poll' in this.data; }
  get isWaiting() { return 'key' in this.data; }

  // ---- Following ----

  follow() {
    clearTimeout(this.again);
    this.news?.close();
    this.news = null;
    if (!this.isFollowed) return;
    const mine = this.news = new EventSource(`${this.base}/stream`);
    // A line that broke without a word looks like one on which nothing happens: asked again, it begins with how things are.
    const awake = () => {
      clearTimeout(this.again);
      this.again = setTimeout(() => this.follow(), kQuietMs * (1 + Math.random() / 2));
    };
    const heard = (event) => {
      awake();
      this.heard(JSON.parse(event.data));
    };
    awake();
    for (const type of ['position', 'READY', 'ACTIVE', 'LEFT', 'EXPIRED']) mine.addEventListener(type, heard);
    mine.onerror = () => {
      mine.close();
      this.later(() => this.ask());
    };
  }

  /** Without a stream: asks at the pace that it is told, and from time to time whether there is a stream again. */
  async ask(times = 0) {
    if (times >= kAsksBeforeStream) return this.follow();
    try {
      const response = await fetch(`${this.base}/status`, { cache: 'no-store' });
      if (!response.ok) return this.look(); // it knows the reason
      const { data } = await response.json();
      this.heard(data);
      clearTimeout(this.again);
      if (this.isFollowed) this.again = setTimeout(() => this.ask(times + 1), data.pollAfterMs);
    } catch {
      this.trouble();
      this.later(() => this.ask());
    }
  }

  heard(news) {
    this.tries = 0;
    this.part('trouble')?.remove();
    const scene = sceneOf(news);
    if (scene !== this.data.scene) {
      // What happens to everybody at once is not asked for by everybody at once.
      if (!kOfAll.includes(scene)) return this.look();
      this.renews ||= setTimeout(() => this.look(), Math.random() * kSpreadMs);
      return;
    }
    if (news.position && this.part('place')) this.showPlace(news.position, news.estimatedWaitSeconds);
  }

  // ---- Showing ----

  /** Only times and the place are new: what is open and where the focus is stays. */
  isSmall(theirs) {
    const mine = this.part('answer');
    const same = ['scene', 'key'].every((one) => theirs.dataset[one] === mine.dataset[one]);
    const parts = (from) => [...from.querySelectorAll('time, #wait')];
    if (!same || !('endsIn' in mine.dataset || this.isWaiting) || this.part('notice') || theirs.querySelector('#notice')) return false;
    if (parts(mine).length !== parts(theirs).length) return false;
    Object.assign(mine.dataset, theirs.dataset);
    parts(mine).forEach((one, i) => one.replaceWith(parts(theirs)[i].cloneNode(true)));
    return true;
  }

  shown() {
    clearInterval(this.clock);
    for (const timer of [this.enters, this.renews, this.blinks]) clearTimeout(timer);
    this.renews = 0;
    const { scene, endsIn, enterIn } = this.data;
    if (endsIn) {
      this.clock = this.countDown(performance.now() + Number(endsIn), () => {
        // The opening is everybody's, and is told.
        this.clock = setTimeout(() => this.look(), scene === 'soon' ? kQuietMs * Math.random() : 500);
      });
    }
    this.part('sound').hidden = !this.isWaiting;
    this.chime.ring(scene === 'ready');
    if (scene === 'ready') this.blinkTitle();
    if (enterIn) this.enters = setTimeout(() => this.enter(), Number(enterIn) * (1 + Math.random() / 2));
    if (this.data.key !== this.key) {
      this.key = this.data.key;
      this.place = this.said = Infinity;
    }
    if (this.data.place) this.showPlace(Number(this.data.place));
  }

  timeFormat() { return this.isWaiting ? super.timeFormat() : { timeStyle: 'medium' }; }
  clockText(seconds, two) {
    return seconds < 3600 ? `${Math.floor(seconds / 60)}:${two(seconds % 60)}` : super.clockText(seconds, two);
  }

  /** `estimate`: {low, high} in seconds, null when nobody knows, absent when the page says it already. */
  showPlace(told, estimate) {
    const place = this.place = Math.min(this.place, told); // never up: what is on its way may be old
    const text = place.toLocaleString('en');
    this.part('place').textContent = text;
    if (estimate !== undefined && this.part('wait')) this.part('wait').textContent = waitText(estimate, document.body.dataset);
    document.title = document.title.replace(/^(\([\d,]+\) )?/, `(${text}) `);
    const first = this.firstPlace(place);
    const percent = first > 1 ? Math.round(((first - place) / (first - 1)) * 100) : 100;
    const bar = this.part('progress');
    bar.hidden = first <= 1;
    bar.setAttribute('aria-valuenow', percent);
    bar.firstElementChild.style.setProperty('--done', `${percent}%`);
    // Said when it has halved, and not at each step.
    if (place * 2 > this.said) return;
    if (this.said !== Infinity) this.say(this.part('place').parentElement.textContent);
    this.said = place;
  }

  /** The place at first sight in this browser: where the bar begins. */
  firstPlace(place) {
    const key = `wait ${this.data.key}`;
    try {
      const kept = Number(localStorage.getItem(key)) || place;
      if (kept === place) localStorage.setItem(key, place);
      return Math.max(kept, place);
    } catch { // a browser that keeps nothing: since this page was loaded
      this.first = Math.max(this.first ?? 0, place);
      return this.first;
    }
  }

  blinkTitle() {
    const plain = document.title;
    this.blinks = setInterval(() => {
      document.title = document.title === plain ? `● ${document.body.dataset.alert}` : plain;
    }, 1000);
  }

  // ---- Forms ----

  /** By itself: nobody has pressed. */
  async enter() {
    const form = this.part('answer').querySelector('form');
    if (!(await this.send(form, form.querySelector('button'), { focus: false }))) this.later(() => this.enter());
  }

  // Where it leads to is no page of ours: the browser goes there by itself.
  goesOn(form) { return new URL(form.action).searchParams.has('return') && form.action.includes('/activate'); }
  how(form) { return this.goesOn(form) ? { redirect: 'manual' } : {}; }
  async answered(form, response, how) {
    if (response.type !== 'opaqueredirect') return super.answered(form, response, how);
    this.news?.close();
    location.assign(new URL(form.action).searchParams.get('return'));
  }
}

const kAsksBeforeStream = 5;
const kQuietMs = 60_000;
const kSpreadMs = 3_000;
const kOfAll = ['soon', 'halted', 'drawing', 'waiting'];

/** As the server names what the page is about. */
function sceneOf({ status, position, paused, opensAt }) {
  if (status !== 'WAITING') return status.toLowerCase();
  if (paused) return 'halted';
  if (opensAt) return 'soon';
  return position ? 'waiting' : 'drawing';
}

/** As the server says it; `words` are its own. */
function waitText(range, words) {
  if (!range) return words.unknown;
  if (range.high <= 60) return words.moment;
  if (range.high > 36 * 3600) return words.days;
  const minutes = range.high <= 90 * 60;
  const unit = minutes ? 60 : 3600;
  const low = Math.floor(range.low / unit);
  const text = low ? (minutes ? words.minutes : words.hours) : (minutes ? words.upToMinutes : words.upToHours);
  return text.replace('{0}', low).replace('{1}', Math.ceil(range.high / unit));
}

/** A sound for when it is one's turn. Browsers want a gesture first: switching it on is one, and lets one hear it. */
class Chime {
  constructor(part) {
    this.button = part.querySelector('button');
    this.audio = null;
    this.timer = 0;
    this.button.addEventListener('click', () => this.toggle());
  }
  get on() { return this.button.getAttribute('aria-checked') === 'true'; }
  async toggle() {
    this.button.setAttribute('aria-checked', String(!this.on));
    if (!this.on) return;
    this.audio ??= new AudioContext();
    await this.audio.resume();
    this.play();
  }
  /** Again and again while `ready`: whoever has switched it on may be in the kitchen. */
  ring(ready) {
    if (ready === this.ready) return;
    this.ready = ready;
    clearInterval(this.timer);
    if (!ready) return;
    const play = () => { if (this.on) this.play(); };
    play();
    this.timer = setInterval(play, 10_000);
  }
  play() {
    this.button.dataset.played = Number(this.button.dataset.played ?? 0) + 1;
    [660, 880].forEach((pitch, i) => {
      const at = this.audio.currentTime + i * 0.22;
      const tone = new OscillatorNode(this.audio, { frequency: pitch });
      const loud = new GainNode(this.audio, { gain: 0 });
      loud.gain.setValueAtTime(0, at);
      loud.gain.linearRampToValueAtTime(0.25, at + 0.02);
      loud.gain.exponentialRampToValueAtTime(0.001, at + 0.9);
      tone.connect(loud).connect(this.audio.destination);
      tone.start(at);
      tone.stop(at + 1);
    });
  }
}

if (document.getElementById('answer')) new WaitPage();
