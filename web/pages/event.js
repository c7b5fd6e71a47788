/** The page of an event: the answer comes by itself. */
class EventPage extends Page {
  constructor() {
    super(['facts', 'answer', 'who', 'language']);
    this.news = null; // the stream of the answer
    this.clock = 0;
    // A timer may have slept, and the page may come out of a drawer: what time is it, and what has become of it?
    addEventListener('pageshow', (event) => { if (event.persisted) this.look(); });
    addEventListener('visibilitychange', () => { if (!document.hidden && 'opensIn' in this.part('answer').dataset) this.look(); });
    this.localTimes();
    this.shown();
    this.follow();
  }

  home(id) { return this.part(id === 'facts' ? 'event' : 'side'); }

  /** Only the place in the line has changed. */
  isSmall(theirs) {
    const place = this.part('answer').querySelector('.place strong');
    const other = theirs.querySelector('.place strong');
    if (!place || !other || this.part('notice') || theirs.dataset.status !== this.part('answer').dataset.status) return false;
    place.textContent = other.textContent;
    return true;
  }

  /** While the ticket waits for its answer: the server sends the page at each change, and ends with the answer. */
  follow() {
    clearTimeout(this.again);
    this.news?.close();
    this.news = null;
    if (!('follow' in this.part('answer').dataset)) return;
    const mine = this.news = new EventSource(`${location.pathname}/stream${location.search}`);
    mine.addEventListener('page', (event) => {
      this.tries = 0;
      this.show(event.data);
      if (!('follow' in this.part('answer').dataset)) mine.close();
    });
    mine.onerror = () => {
      mine.close();
      this.later(() => this.look());
      if (this.tries > 1) this.trouble();
    };
  }

  /** By the server's clock: it said how long it is from when it answered. */
  shown() {
    clearInterval(this.clock);
    const ticket = this.part('answer');
    if (!('opensIn' in ticket.dataset)) return;
    this.clock = this.countDown(performance.now() + Number(ticket.dataset.opensIn), () => this.open(ticket));
  }
  dayLetter() { return this.part('answer').dataset.day; }

  /** Without asking the server: everybody's clock strikes at once. */
  open(ticket) {
    this.part('countdown').hidden = true;
    delete ticket.dataset.opensIn;
    ticket.className = 'ticket open';
    for (const one of ticket.querySelectorAll('[data-then]')) one.textContent = one.dataset.then;
    for (const button of ticket.querySelectorAll('[data-wakes]')) {
      button.disabled = false;
      button.value = 'take-part';
      button.textContent = button.dataset.wakes;
    }
    this.say(this.part('headline').textContent);
  }
}

if (document.getElementById('answer')) new EventPage(); // else there is no such event
