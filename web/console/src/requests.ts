import { api, query } from './api';
import { h, fill, type Child, type View } from './dom';
import { micros, number, span, t } from './i18n';
import {
  ago,
  badge,
  empty,
  moment,
  notice,
  pages,
  say,
  none,
  refreshButton,
  select,
  table,
  words,
} from './ui';

interface RequestItem {
  requestId: string;
  eventId: string;
  userId: string;
  status: string;
  resultCode?: string;
  position?: number;
  queuedAt: string;
  startedAt?: string;
  finishedAt?: string;
  receiveCount: number;
  failureClass?: string;
}

interface Attempt {
  attempt: number;
  startedAt: string;
  endedAt?: string;
  outcome: string;
  reason?: string;
}

interface Detail extends RequestItem {
  body?: unknown;
  statusLog: { status: string; at: string; reason?: string }[];
  attempts?: Attempt[];
  redrives?: number;
  webhook?: {
    state: string;
    attempts: number;
    lastStatus?: number;
    lastReason?: string;
    nextAttemptAt?: string;
    endedAt?: string;
  };
}

const kStatuses = ['RECEIVED', 'QUEUED', 'PROCESSING', 'SUCCEEDED', 'REJECTED', 'FAILED_FINAL'];

/** Everything that happened to one request, in order. */
function timeline(detail: Detail): HTMLElement {
  const attempts = detail.attempts ?? [];
  // A try that failed stands in the log as well, with the same words at the same moment: once is enough.
  const log = detail.statusLog.filter(
    (entry) =>
      entry.status !== 'PROCESSING' ||
      !attempts.some((one) => one.endedAt === entry.at && one.reason === entry.reason),
  );
  const steps: { at: string; line: Child; kind: string }[] = log.map((entry) => ({
    at: entry.at,
    kind: entry.status.toLowerCase(),
    line: [badge(entry.status), entry.reason && h('span', { class: 'why' }, entry.reason)],
  }));
  for (const one of attempts) {
    const took = one.endedAt ? span((micros(one.endedAt) - micros(one.startedAt)) / 1e6) : '';
    steps.push({
      at: one.endedAt ?? one.startedAt,
      kind: 'attempt',
      line: [
        t('attempt', { n: one.attempt }),
        ' ',
        h('code', null, one.outcome),
        took && h('span', { class: 'why' }, took),
        one.reason && h('span', { class: 'why' }, one.reason),
      ],
    });
  }
  // An attempt ends with the change that it brings about, in the same microsecond: first the attempt, then the change.
  steps.sort(
    (a, b) => micros(a.at) - micros(b.at) || Number(b.kind === 'attempt') - Number(a.kind === 'attempt'),
  );
  let before: number | null = null;
  return h(
    'ol',
    { class: 'timeline' },
    steps.map((step) => {
      const at = micros(step.at);
      const gap =
        before === null
          ? ago(step.at)
          : at === before
            ? ''
            : t('after', { span: span(Math.max(0, (at - before) / 1e6)) });
      before = at;
      return h(
        'li',
        { class: step.kind },
        h('div', null, step.line),
        h('div', { class: 'when' }, moment(step.at, true), gap && ` · ${gap}`),
      );
    }),
  );
}

export function story(requestId: string): View {
  const place = h('div', { 'aria-busy': 'true' }, t('loading'));
  const show = async (): Promise<void> => {
    try {
      const d = await api<Detail>('GET', `/admin/requests/${encodeURIComponent(requestId)}`);
      const facts: [string, Child][] = [
        [t('status'), badge(d.status)],
        [t('result'), d.resultCode ?? '–'],
        [t('user'), d.userId],
        [t('eventId'), h('a', { href: `#/requests?eventId=${encodeURIComponent(d.eventId)}` }, d.eventId)],
        [t('queuedAt'), moment(d.queuedAt)],
        [t('finishedAt'), moment(d.finishedAt)],
        ...(d.queuedAt && d.finishedAt
          ? [[t('took'), span((micros(d.finishedAt) - micros(d.queuedAt)) / 1e6)] as [string, Child]]
          : []),
        [t('receives'), number(d.receiveCount)],
        ...(d.position ? [[t('position'), number(d.position)] as [string, Child]] : []),
        ...(d.failureClass ? [[t('failureClass'), d.failureClass] as [string, Child]] : []),
        ...(d.redrives ? [[t('redrives'), number(d.redrives)] as [string, Child]] : []),
      ];
      fill(
        place,
        h(
          'dl',
          { class: 'facts card' },
          facts.map(([name, value]) => h('div', null, h('dt', null, name), h('dd', null, value))),
        ),
        h(
          'div',
          { class: 'card' },
          timeline(d),
          d.webhook &&
            h(
              'p',
              null,
              t('webhook', { state: d.webhook.state, n: d.webhook.attempts }),
              d.webhook.lastReason && h('span', { class: 'why' }, d.webhook.lastReason),
              d.webhook.nextAttemptAt &&
                h('span', { class: 'why' }, t('webhookNext'), ' ', moment(d.webhook.nextAttemptAt)),
              d.webhook.endedAt && h('span', { class: 'why' }, moment(d.webhook.endedAt)),
            ),
        ),
        d.body !== undefined &&
          h(
            'section',
            { class: 'card' },
            h('h2', null, t('body')),
            h('pre', { tabindex: 0 }, JSON.stringify(d.body, null, 2)),
          ),
      );
    } catch (error) {
      fill(place, notice(words(error), 'bad'));
    }
    place.setAttribute('aria-busy', 'false');
  };
  void show();
  const copy = h(
    'button',
    {
      type: 'button',
      onclick: () =>
        navigator.clipboard.writeText(requestId).then(
          () => say(t('copied')),
          () => say(t('failed', { detail: 'clipboard' }), 'bad'),
        ),
    },
    t('copy'),
  );
  return {
    element: h(
      'div',
      null,
      h(
        'p',
        null,
        h(
          'a',
          {
            href: '#/requests',
            onclick: (e: Event) => {
              if (history.length > 1) {
                e.preventDefault();
                history.back();
              }
            },
          },
          `← ${t('back')}`,
        ),
      ),
      h(
        'div',
        { class: 'headline' },
        h('h1', null, t('story')),
        h('code', { class: 'id' }, requestId),
        h(
          'div',
          { class: 'buttons' },
          copy,
          refreshButton(() => void show()),
        ),
      ),
      place,
    ),
  };
}

/** Nobody knows the ids of events by heart. */
async function offerEvents(place: HTMLElement): Promise<void> {
  try {
    const page = await api<{ items: { eventId: string; title: string }[] }>('GET', '/admin/events?limit=50');
    fill(
      place,
      page.items.length
        ? page.items.map((one) =>
            h(
              'a',
              { class: 'card', href: `#/requests${query({ eventId: one.eventId })}` },
              h('strong', null, one.title),
              h('code', { class: 'sub' }, one.eventId),
            ),
          )
        : empty(t('noEvents')),
    );
  } catch (error) {
    fill(place, notice(words(error), 'bad'));
  }
  place.setAttribute('aria-busy', 'false');
}

export function requests(filters: URLSearchParams, offers: Set<string>): View {
  const byUser = offers.has('requests');
  const input = (name: string, label: string): HTMLInputElement =>
    h('input', {
      name,
      'aria-label': label,
      placeholder: label,
      autocomplete: 'off',
      value: filters.get(name) ?? '',
    });
  const eventId = input('eventId', t('eventId'));
  const requestId = input('requestId', t('findRequest'));
  const userId = input('userId', t('findUser'));
  const status = select(
    [
      ['', `${t('status')}: ${t('all')}`],
      ...kStatuses.map((one) => [one, t(one as 'QUEUED')] as [string, string]),
    ],
    filters.get('status') ?? '',
  );
  status.setAttribute('aria-label', t('status'));
  const counts = h('div', { class: 'counts' });
  const form = h(
    'form',
    {
      class: 'filters',
      onsubmit: (e: Event) => {
        e.preventDefault();
        const id = requestId.value.trim();
        location.hash = id
          ? `#/requests/${encodeURIComponent(id)}`
          : `#/requests${query({ eventId: eventId.value.trim(), status: status.value, userId: byUser ? userId.value.trim() : '' })}`;
      },
    },
    eventId,
    status,
    byUser && userId,
    requestId,
    h('button', { type: 'submit', class: 'primary' }, t('find')),
  );

  const event = filters.get('eventId') ?? '';
  const user = byUser ? (filters.get('userId') ?? '') : '';
  const show = (items: RequestItem[]): HTMLElement =>
    table<RequestItem>(
      [
        {
          label: t('request'),
          cell: (r) =>
            h('a', { href: `#/requests/${encodeURIComponent(r.requestId)}` }, h('code', null, r.requestId)),
        },
        { label: t('user'), cell: (r) => r.userId },
        ...(user ? [{ label: t('eventId'), cell: (r: RequestItem) => r.eventId }] : []),
        { label: t('status'), cell: (r) => badge(r.status) },
        {
          label: t('result'),
          cell: (r) => r.resultCode ?? (r.position ? `${t('position')} ${number(r.position)}` : none()),
          wide: true,
        },
        { label: t('queuedAt'), cell: (r) => moment(r.queuedAt) },
        { label: t('finishedAt'), cell: (r) => moment(r.finishedAt), wide: true },
      ],
      items,
      t('requests'),
    );
  const head = [h('h1', null, t('requests')), form];
  if (!event && !user) {
    const choice = h('div', { class: 'choice', 'aria-busy': 'true' });
    void offerEvents(choice);
    return {
      element: h(
        'div',
        null,
        head,
        h('p', { class: 'soft' }, byUser ? t('chooseEvent') : t('chooseEventOnly')),
        choice,
      ),
    };
  }

  type Answer = { items: RequestItem[]; nextCursor?: string; counts?: Record<string, number> };
  const list = pages<Answer, RequestItem>(
    (cursor) =>
      api(
        'GET',
        user
          ? `/admin/requests${query({ userId: user, eventId: event, status: status.value, limit: 50, cursor })}`
          : `/admin/events/${encodeURIComponent(event)}/requests${query({ status: status.value, limit: 50, cursor })}`,
      ),
    show,
    t('nothing'),
    (page) => {
      if (page.counts)
        fill(
          counts,
          Object.entries(page.counts).map(([name, n]) => h('span', null, badge(name), ' ', number(n))),
        );
    },
  );
  return {
    element: h(
      'div',
      null,
      h(
        'div',
        { class: 'headline' },
        h('h1', null, t('requests')),
        refreshButton(() => void list.reload()),
      ),
      form,
      counts,
      list.element,
    ),
  };
}
