import { api, query } from './api';
import { h, fill, type View } from './dom';
import { t, number, span } from './i18n';
import { editLine, modeWord, pageOf, type Line } from './lines';
import {
  actionButton,
  badge,
  confirm,
  moment,
  notice,
  pages,
  refreshButton,
  say,
  table,
  words,
  type Me,
} from './ui';

interface Key {
  kid: string;
  createdAt: string;
  signing: boolean;
}

/** How many are let in, against the cap. */
export function insideBar(line: Line): HTMLElement {
  const inside = line.sizes.ready + line.sizes.active;
  const { maxActive } = line.settings;
  return h(
    'div',
    { class: 'inside' },
    h('progress', {
      max: Math.max(1, maxActive),
      value: Math.min(inside, Math.max(1, maxActive)),
      'aria-label': `${line.concertId}: ${t('insideOf', { inside: number(inside), cap: number(maxActive) })}`,
    }),
    h('span', null, `${number(inside)} / ${number(maxActive)}`),
  );
}

function rows(items: Line[]): HTMLElement {
  return table<Line>(
    [
      {
        label: t('concert'),
        cell: (one) => [
          h('a', { href: pageOf(one.concertId) }, h('strong', null, one.concertId)),
          h('span', { class: 'sub' }, one.configured ? modeWord(one.settings.mode) : t('defaults')),
        ],
      },
      { label: t('state'), cell: (one) => badge(one.health) },
      { label: t('waiting'), numeric: true, cell: (one) => number(one.sizes.waiting) },
      { label: t('inside'), cell: insideBar },
      {
        label: t('enteredRate'),
        numeric: true,
        wide: true,
        cell: (one) => number(one.ratesPerSecond.entered, 1),
      },
      { label: t('goneRate'), numeric: true, wide: true, cell: (one) => number(one.ratesPerSecond.gone, 1) },
      {
        label: t('oldestWait'),
        numeric: true,
        cell: (one) => (one.sizes.waiting ? span(Math.round(one.oldestWaitSeconds)) : '–'),
      },
    ],
    items,
    t('waitingRooms'),
  );
}

/** The keys that sign queue tokens. */
function keys(me: Me): HTMLElement {
  const place = h('section', { class: 'card keys', 'aria-busy': 'true' });
  const show = (all: Key[]): void => {
    const rotate = actionButton(me, t('rotate'), () =>
      confirm(
        t('rotateTitle'),
        t('rotateText'),
        t('rotateNow'),
        async () => {
          show(
            (await api<{ data: { keys: Key[] } }>('POST', '/admin/queues/waitroom-keys/rotate')).data.keys,
          );
          say(t('rotated'));
        },
        'primary',
      ),
    );
    fill(
      place,
      h('div', { class: 'headline' }, h('h2', null, t('keys')), rotate),
      h('p', { class: 'soft' }, t('keysText')),
      table<Key>(
        [
          { label: t('key'), cell: (key) => h('code', null, key.kid) },
          { label: t('createdAt'), cell: (key) => moment(key.createdAt) },
          { label: t('state'), cell: (key) => badge(key.signing ? 'SIGNING' : 'CHECKING') },
        ],
        [...all].reverse(),
        t('keys'),
      ),
    );
    place.setAttribute('aria-busy', 'false');
  };
  api<{ data: { keys: Key[] } }>('GET', '/admin/queues/waitroom-keys').then(
    (answer) => show(answer.data.keys),
    (error) => {
      fill(place, h('h2', null, t('keys')), notice(words(error), 'bad'));
      place.setAttribute('aria-busy', 'false');
    },
  );
  return place;
}

export function waitingRooms(me: Me): View {
  const list = pages<{ items: Line[]; nextCursor?: string }, Line>(
    async (cursor) =>
      (
        await api<{ data: { items: Line[]; nextCursor?: string } }>(
          'GET',
          `/admin/queues/waitroom${query({ limit: 50, cursor })}`,
        )
      ).data,
    rows,
    t('noLines'),
  );
  const id = h('input', {
    name: 'concertId',
    'aria-label': t('concertId'),
    placeholder: t('concertId'),
    autocomplete: 'off',
  });
  return {
    element: h(
      'div',
      null,
      h(
        'div',
        { class: 'headline' },
        h('h1', null, t('waitingRooms')),
        refreshButton(() => void list.reload()),
        actionButton(
          me,
          t('newLine'),
          () => editLine(null, (made) => (location.hash = pageOf(made.concertId))),
          'primary',
        ),
      ),
      h(
        'form',
        {
          class: 'filters one',
          onsubmit: (event: Event) => {
            event.preventDefault();
            if (id.value.trim()) location.hash = pageOf(id.value.trim());
          },
        },
        id,
        h('button', { type: 'submit' }, t('open')),
      ),
      list.element,
      keys(me),
    ),
  };
}
