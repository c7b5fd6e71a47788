import { Live, api, ApiError, type Point } from './api';
import { Chart } from './chart';
import { h, fill, type View } from './dom';
import { Figure, liveBanner, shown } from './figures';
import { t, number, span } from './i18n';
import { actionButton, badge, confirm, empty, notice, say, words, type Me } from './ui';
import { capacityBar, type EventItem } from './events';

interface Queue {
  visible: number;
  inFlight: number;
  delayed: number;
  oldestAgeSeconds: number;
  deadLetters: number;
  workers: { running: number; paused: number };
}

const sum = (...values: (number | null)[]): number | null =>
  values.every((v) => v === null) ? null : values.reduce<number>((all, v) => all + (v ?? 0), 0);
const decided = (p: Point): number | null =>
  sum(p.finished.succeeded, p.finished.rejected, p.finished.failed);

export function overview(me: Me): View {
  const figures = {
    visible: new Figure('visible', t('waiting')),
    inFlight: new Figure('inFlight', t('inFlight')),
    oldest: new Figure('oldest', t('oldest')),
    deadLetters: new Figure('deadLetters', t('deadLetters')),
    rateIn: new Figure('rateIn', t('rateIn')),
    rateOut: new Figure('rateOut', t('rateOut')),
    latency: new Figure('latency', t('latencyShort')),
    errors: new Figure('errors', t('httpErrors')),
  };
  const depth = new Chart(t('depth'), [
    { label: t('waiting'), color: 'accent', fill: true },
    { label: t('inFlight'), color: 'violet' },
  ]);
  const rates = new Chart(t('rates'), [
    { label: t('accepted'), color: 'accent', fill: true },
    { label: t('decided'), color: 'good' },
    { label: t('refused'), color: 'bad' },
  ]);
  const latency = new Chart(
    t('latency'),
    [
      { label: t('p50'), color: 'accent' },
      { label: t('p99'), color: 'warn' },
    ],
    'seconds',
  );
  const workers = h('div', { class: 'workers', role: 'status' });
  const capacities = h('section', { class: 'card' });
  let queue: Queue | null = null;
  let paused: boolean | null = null;

  const command = async (name: 'pause' | 'resume'): Promise<void> => {
    queue = await api<Queue>('POST', `/admin/queues/participations/${name}`);
    paused = queue.workers.paused > 0;
    drawWorkers(true);
    say(paused ? t('pausedLong') : t('running', { n: number(queue.workers.running) }));
  };
  const ask = (): void =>
    confirm(
      t('pauseTitle'),
      t('pauseText', { n: number(live.points.at(-1)?.visible ?? queue?.visible ?? 0) }),
      t('pause'),
      () => command('pause'),
    );

  let drawn: string | null = null;
  function drawWorkers(force = false): void {
    const key = `${paused}/${queue?.workers.running}/${queue?.workers.paused}`;
    if (!force && key === drawn) return; // not under somebody's finger or focus
    drawn = key;
    if (!queue || paused === null) return;
    const count = queue.workers.running + queue.workers.paused;
    const focused = workers.contains(document.activeElement);
    const button = paused
      ? actionButton(me, t('resume'), () => command('resume').catch((e) => say(words(e), 'bad')), 'primary')
      : actionButton(me, t('pause'), ask);
    workers.classList.toggle('paused', paused);
    fill(
      workers,
      h(
        'span',
        { class: `state ${paused ? 'paused' : 'running'}` },
        paused ? t('pausedLong') : t('workersRunning', { n: number(count) }),
      ),
      button,
    );
    if (focused) button.focus();
  }

  function drawNumbers(): void {
    const p = live.points.at(-1);
    if (!p) {
      if (live.state === 'absent' && queue) {
        figures.visible.set(
          number(queue.visible),
          queue.delayed ? `${t('delayed')}: ${number(queue.delayed)}` : '',
        );
        figures.inFlight.set(number(queue.inFlight));
        figures.oldest.set(span(queue.oldestAgeSeconds));
        figures.deadLetters.set(number(queue.deadLetters), '', queue.deadLetters ? 'bad' : '');
      }
      return;
    }
    figures.visible.set(shown(p.visible), p.delayed ? `${t('delayed')}: ${number(p.delayed)}` : '');
    figures.inFlight.set(shown(p.inFlight));
    figures.oldest.set(
      p.oldestAgeSeconds === null ? '–' : p.visible === 0 ? span(0) : span(p.oldestAgeSeconds),
      '',
      (p.oldestAgeSeconds ?? 0) > 60 ? 'warn' : '',
    );
    figures.deadLetters.set(shown(p.deadLetters), '', p.deadLetters ? 'bad' : '');
    figures.rateIn.set(
      shown(p.accepted),
      [
        p.duplicate ? `${t('duplicate')} ${number(p.duplicate)}` : '',
        p.refused ? `${t('refused')} ${number(p.refused)}` : '',
      ]
        .filter(Boolean)
        .join(' · '),
    );
    figures.rateOut.set(shown(decided(p)));
    // Of the last second in which anything was decided, and how long ago that was.
    const known = live.points.filter((one) => one.latency.p50 !== null).at(-1);
    const old = known ? Math.round((Date.parse(p.at) - Date.parse(known.at)) / 1000) : 0;
    figures.latency.set(
      known ? `${span(known.latency.p50 ?? 0)} / ${span(known.latency.p99 ?? 0)}` : '–',
      !known ? t('noneYet') : old > 0 ? t('ago', { span: span(old) }) : '',
    );
    figures.errors.set(shown(p.http.errors), '', p.http.errors ? 'bad' : '');
    const at = live.points.map((one) => Date.parse(one.at) / 1000);
    depth.set([at, live.points.map((one) => one.visible), live.points.map((one) => one.inFlight)]);
    rates.set([
      at,
      live.points.map((one) => one.accepted),
      live.points.map(decided),
      live.points.map((one) => one.refused),
    ]);
    latency.set([at, live.points.map((one) => one.latency.p50), live.points.map((one) => one.latency.p99)]);
  }

  async function readQueue(): Promise<void> {
    try {
      queue = await api<Queue>('GET', '/admin/queues/participations');
      paused = queue.workers.paused > 0;
      drawWorkers();
      drawNumbers();
    } catch (error) {
      fill(workers, notice(words(error), 'bad'));
    }
  }

  async function readCapacities(): Promise<void> {
    try {
      const page = await api<{ items: EventItem[] }>('GET', '/admin/events?limit=20');
      const rank = (event: EventItem): number => ['OPEN', 'PENDING', 'CLOSED'].indexOf(event.state ?? 'OPEN');
      const sorted = [...page.items].sort((a, b) => rank(a) - rank(b)); // the others keep their order
      fill(
        capacities,
        h('h2', null, t('capacity')),
        sorted.length
          ? sorted.map((event) =>
              h(
                'div',
                { class: 'capacity' },
                h('a', { href: `#/requests?eventId=${encodeURIComponent(event.eventId)}` }, event.title),
                badge(event.state ?? ''),
                capacityBar(event),
              ),
            )
          : empty(t('noEvents')),
      );
      capacities.hidden = false;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      capacities.hidden = error.notOffered;
      if (!error.notOffered) fill(capacities, h('h2', null, t('capacity')), notice(words(error), 'bad'));
    }
  }

  const banner = liveBanner();
  const element = h(
    'div',
    { class: 'overview' },
    h('div', { class: 'headline' }, h('h1', null, t('overview')), banner.element, workers),
    h(
      'div',
      { class: 'figures' },
      Object.values(figures).map((one) => one.element),
    ),
    h('div', { class: 'charts' }, depth.element, rates.element, latency.element),
    capacities,
  );

  let worked: number | null = null;
  let asked = 0;
  const live: Live = new Live(() => {
    const p = live.points.at(-1);
    if (p && p.paused !== null && p.paused !== paused) void readQueue(); // somebody else paused or resumed
    // Places go only when something is decided: then, and not more than once in two seconds.
    const now = p ? decided(p) : null;
    if ((now || worked) && Date.now() - asked > 2000) {
      asked = Date.now();
      void readCapacities();
    }
    worked = now;
    drawNumbers();
    banner.draw(live);
  });
  banner.draw(live);
  void readQueue();
  void readCapacities();
  return {
    element,
    close: () => {
      banner.close();
      live.close();
      for (const chart of [depth, rates, latency]) chart.close();
    },
  };
}
