import { api, ApiError, Live } from './api';
import { Chart } from './chart';
import { h, fill, type View } from './dom';
import { Figure, liveBanner, shown } from './figures';
import { t, number, span } from './i18n';
import { editLine, kModes, line, modeWord, pathOf, putLine, type Line, type Mode } from './lines';
import { actionButton, badge, confirm, moment, none, notice, say, words, type Me } from './ui';

/** A second of a line; null where nothing is known of it. */
interface LinePoint {
  at: string;
  health: string | null;
  mode: Mode | null;
  maxActive: number | null;
  waiting: number | null;
  absent: number | null;
  ready: number | null;
  active: number | null;
  oldestWaitSeconds: number | null;
  entered: number | null;
  admitted: number | null;
  gone: number | null;
  waits: number[] | null;
}

interface Lottery {
  state: 'GATHERING' | 'DRAWN';
  commitment: string;
  opensAt?: string;
  seed?: string;
  gathered?: number;
  orderReady?: boolean;
}

const plus = (a: number | null, b: number | null): number | null => (a === null || b === null ? null : a + b);

/** How long those waited who were let in while the points go on. */
class Waits {
  readonly element = h('section', { class: 'card waits' });
  private drawn = '';

  draw(points: LinePoint[], bounds: number[]): void {
    const counts: number[] = new Array(bounds.length + 1).fill(0);
    for (const point of points) point.waits?.forEach((n, i) => (counts[i] = (counts[i] ?? 0) + n));
    const key = counts.join();
    if (key === this.drawn) return;
    this.drawn = key;
    const all = counts.reduce((sum, n) => sum + n, 0);
    const most = Math.max(...counts);
    const first = counts.findIndex((n) => n > 0);
    const last = counts.length - 1 - [...counts].reverse().findIndex((n) => n > 0);
    const label = (i: number): string =>
      i < bounds.length ? `≤ ${span(bounds[i]!)}` : `> ${span(bounds[bounds.length - 1]!)}`;
    fill(
      this.element,
      h('div', { class: 'cardhead' }, h('h2', null, t('waits')), h('span', { class: 'soft' }, t('last15'))),
      all === 0
        ? h('p', { class: 'soft' }, t('noWaits'))
        : [
            h('p', { class: 'soft' }, t('waitsOf', { n: number(all) })),
            h(
              'ol',
              null,
              counts
                .slice(first, last + 1)
                .map((n, i) =>
                  h(
                    'li',
                    null,
                    h('span', null, label(first + i)),
                    h('progress', { max: most, value: n, 'aria-label': `${label(first + i)}: ${number(n)}` }),
                    h('b', null, number(n)),
                  ),
                ),
            ),
          ],
    );
  }
}

const kConfirm: Record<
  Mode,
  {
    title: 'toFifoTitle' | 'toLotteryTitle' | 'toPausedTitle' | 'toOpenTitle';
    text: 'toFifoText' | 'toLotteryText' | 'toPausedText' | 'toOpenText';
  }
> = {
  fifo: { title: 'toFifoTitle', text: 'toFifoText' },
  lottery: { title: 'toLotteryTitle', text: 'toLotteryText' },
  paused: { title: 'toPausedTitle', text: 'toPausedText' },
  open: { title: 'toOpenTitle', text: 'toOpenText' },
};

export function waitingRoom(me: Me, concertId: string): View {
  const figures = {
    waiting: new Figure('waiting', t('waiting')),
    ready: new Figure('ready', t('ready')),
    active: new Figure('active', t('activeNow')),
    inside: new Figure('inside', t('inside')),
    entered: new Figure('entered', t('enteredRate')),
    admitted: new Figure('admitted', t('admittedRate')),
    gone: new Figure('gone', t('goneRate')),
    oldest: new Figure('oldest', t('oldestWait')),
  };
  const people = new Chart(t('waiting'), [
    { label: t('waiting'), color: 'accent', fill: true },
    { label: t('absent'), color: 'violet' },
  ]);
  const inside = new Chart(t('insideChart'), [
    { label: t('inside'), color: 'good', fill: true },
    { label: t('activeNow'), color: 'accent' },
    { label: t('cap'), color: 'warn' },
  ]);
  const rates = new Chart(t('rates'), [
    { label: t('enteredShort'), color: 'accent', fill: true },
    { label: t('admittedShort'), color: 'good' },
    { label: t('goneShort'), color: 'violet' },
  ]);
  const banner = liveBanner();
  const waits = new Waits();
  const health = h('span');
  const modes = h('div', { class: 'modes', role: 'group', 'aria-label': t('mode') });
  const settings = h('section', { class: 'card settings', 'aria-busy': 'true' });
  const lottery = h('section', { class: 'card lottery', hidden: true });
  let now: Line | null = null;

  function take(read: Line): void {
    now = read;
    drawSettings(read);
    drawHealth(read.health);
    void readLottery(read);
  }

  async function change(mode: Mode): Promise<void> {
    const { settings: before } = await line(concertId); // not over what somebody else has set meanwhile
    take(await putLine(concertId, { ...before, mode }));
    say(t('modeIs', { mode: modeWord(mode) }));
  }

  function ask(mode: Mode): void {
    // A draw needs a time to come: that is asked for with the rest.
    const opens = now?.settings.opensAt;
    if (mode === 'lottery' && now?.lottery !== 'DRAWN' && !(opens && Date.parse(opens) > Date.now()))
      return editLine(now, take, mode);
    const { title, text } = kConfirm[mode];
    confirm(
      t(title),
      t(text),
      modeWord(mode),
      () => change(mode),
      mode === 'paused' || mode === 'open' ? 'danger' : 'primary',
    );
  }

  function drawHealth(code: string): void {
    if (health.textContent !== badge(code).textContent) fill(health, badge(code));
  }

  function drawSettings(read: Line): void {
    const s = read.settings;
    const focused = modes.contains(document.activeElement)
      ? (document.activeElement as HTMLElement).dataset.mode
      : undefined;
    fill(
      modes,
      kModes.map((mode) => {
        const button = actionButton(me, modeWord(mode), () => ask(mode));
        button.dataset.mode = mode;
        button.setAttribute('aria-pressed', String(mode === s.mode));
        if (mode === s.mode) button.disabled = true;
        return button;
      }),
    );
    if (focused) modes.querySelector<HTMLElement>(`button:not(:disabled)`)?.focus();
    const facts: [string, string | HTMLElement][] = [
      [t('maxActive'), number(s.maxActive)],
      [t('admitPerSecond'), s.admitPerSecond === undefined ? t('noRate') : number(s.admitPerSecond)],
      [t('readyTime'), span(s.readySeconds)],
      [t('activeTime'), span(s.activeSeconds)],
      [t('idleExtends'), s.idleExtends ? t('idleExtendsYes') : t('idleExtendsNo')],
      [t('opensAt'), s.opensAt ? (moment(s.opensAt) as HTMLElement) : none()],
    ];
    fill(
      settings,
      h(
        'div',
        { class: 'cardhead' },
        h('h2', null, t('settings')),
        actionButton(me, t('change'), () => editLine(now, take)),
      ),
      read.configured ? null : h('p', { class: 'soft' }, t('defaultsText')),
      h(
        'dl',
        { class: 'facts' },
        facts.map(([name, value]) => h('div', null, h('dt', null, name), h('dd', null, value))),
      ),
    );
    settings.setAttribute('aria-busy', 'false');
  }

  async function readLottery(of: Line): Promise<void> {
    lottery.hidden = of.lottery === 'NONE';
    if (lottery.hidden) return;
    const path = `/api/v1/queue/lottery/${encodeURIComponent(concertId)}`;
    try {
      const read = (await api<{ data: Lottery }>('GET', path)).data;
      const code = (text: string | undefined): HTMLElement => (text ? h('code', null, text) : none());
      fill(
        lottery,
        h(
          'div',
          { class: 'cardhead' },
          h('h2', null, t('lottery')),
          badge(read.state === 'DRAWN' && !read.orderReady ? 'DRAWING' : read.state),
        ),
        h('p', { class: 'soft' }, read.state === 'DRAWN' ? t('lotteryDrawn') : t('lotteryGathering')),
        h(
          'dl',
          null,
          h('dt', null, t('commitment')),
          h('dd', { 'data-lottery': 'commitment' }, code(read.commitment)),
          h('dt', null, t('seed')),
          h('dd', { 'data-lottery': 'seed' }, read.seed ? code(read.seed) : t('seedSecret')),
          h('dt', null, read.state === 'DRAWN' ? t('gathered') : t('drawAt')),
          h('dd', null, read.state === 'DRAWN' ? number(read.gathered ?? 0) : moment(read.opensAt)),
        ),
        h('a', { href: path, target: '_blank', rel: 'noreferrer' }, t('lotteryPublic')),
      );
    } catch (error) {
      fill(lottery, h('h2', null, t('lottery')), notice(words(error), 'bad'));
    }
  }

  async function read(): Promise<void> {
    try {
      take(await line(concertId));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      live.close();
      fill(
        element,
        h('h1', null, concertId),
        notice(error.status === 404 ? t('noSuchLine') : words(error), 'bad'),
        h('a', { href: '#/waiting-rooms' }, t('back')),
      );
    }
  }

  function drawPoint(): void {
    const p = live.points.at(-1);
    if (!p) return;
    figures.waiting.set(shown(p.waiting), p.absent ? t('absentOf', { n: number(p.absent) }) : '');
    figures.ready.set(shown(p.ready));
    figures.active.set(shown(p.active));
    const within = plus(p.ready, p.active);
    figures.inside.set(
      shown(within),
      p.maxActive === null ? '' : t('ofCap', { cap: number(p.maxActive) }),
      within !== null && p.maxActive !== null && within >= p.maxActive && p.waiting ? 'warn' : '',
    );
    figures.entered.set(shown(p.entered));
    figures.admitted.set(shown(p.admitted));
    figures.gone.set(shown(p.gone));
    figures.oldest.set(
      p.oldestWaitSeconds === null || !p.waiting ? '–' : span(Math.round(p.oldestWaitSeconds)),
    );
    if (p.health) drawHealth(p.health);
    const { points } = live;
    const at = points.map((one) => Date.parse(one.at) / 1000);
    people.set([at, points.map((one) => one.waiting), points.map((one) => one.absent)]);
    inside.set([
      at,
      points.map((one) => plus(one.ready, one.active)),
      points.map((one) => one.active),
      points.map((one) => one.maxActive),
    ]);
    rates.set([
      at,
      points.map((one) => one.entered),
      points.map((one) => one.admitted),
      points.map((one) => one.gone),
    ]);
    if (now?.waitBoundsSeconds) waits.draw(points, now.waitBoundsSeconds);
    // Somebody else changed it, or the draw came: read what the stream does not tell.
    const before = live.points.at(-2);
    const other = now && p.mode && (p.mode !== now.settings.mode || p.maxActive !== now.settings.maxActive);
    if (other || (before && before.health !== p.health)) void read();
  }

  const element = h(
    'div',
    { class: 'overview line' },
    h(
      'div',
      { class: 'headline' },
      h('a', { class: 'up', href: '#/waiting-rooms', 'aria-label': t('back') }, '‹'),
      h('h1', null, concertId),
      health,
      banner.element,
      modes,
    ),
    h(
      'div',
      { class: 'figures' },
      Object.values(figures).map((one) => one.element),
    ),
    h('div', { class: 'charts' }, people.element, inside.element, rates.element),
    h('div', { class: 'cards' }, waits.element, settings, lottery),
  );
  const live: Live<LinePoint> = new Live<LinePoint>(
    () => {
      drawPoint();
      banner.draw(live);
    },
    `${pathOf(concertId)}/live`,
  );
  banner.draw(live);
  void read();
  return {
    element,
    close: () => {
      banner.close();
      live.close();
      for (const chart of [people, inside, rates]) chart.close();
    },
  };
}
