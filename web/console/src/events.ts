import { api, ApiError } from './api';
import { h, fill, type View } from './dom';
import { t, number } from './i18n';
import {
  actionButton,
  asNumber,
  badge,
  field,
  forInput,
  formDialog,
  fromInput,
  moment,
  notice,
  pages,
  select,
  table,
  words,
  type Me,
} from './ui';

export interface EventItem {
  eventId: string;
  title: string;
  capacityTotal: number;
  capacityRemaining: number;
  opensAt?: string;
  closesAt?: string;
  policy: string;
  state?: string;
  work?: string;
  webhook?: { url: string; secretName?: string } | null;
}

export function capacityBar(event: EventItem): HTMLElement {
  const taken = event.capacityTotal - event.capacityRemaining;
  const gone = event.capacityTotal > 0 && event.capacityRemaining === 0;
  const bar = h('progress', {
    max: Math.max(1, event.capacityTotal),
    value: taken,
    class: gone ? 'gone' : '',
    'aria-label': `${event.title}: ${t('taken', { taken: number(taken), total: number(event.capacityTotal) })}`,
  });
  return h(
    'div',
    { class: 'bar' },
    bar,
    h('span', { class: 'share' }, `${number(taken)} / ${number(event.capacityTotal)}`),
    h(
      'span',
      { class: gone ? 'left gone' : 'left' },
      gone ? t('soldOut') : t('remaining', { n: number(event.capacityRemaining) }),
    ),
  );
}

/** `full`: the server knows webhooks and kinds of work. */
function edit(event: EventItem | null, full: boolean, done: () => void): void {
  const id = field(
    'eventId',
    t('eventId'),
    h('input', {
      required: true,
      maxlength: 128,
      autocomplete: 'off',
      value: event?.eventId ?? '',
      readonly: event !== null,
    }),
  );
  const title = field('title', t('title'), h('input', { autocomplete: 'off', value: event?.title ?? '' }));
  const capacity = field(
    'capacityTotal',
    t('capacityTotal'),
    h('input', {
      inputmode: 'numeric',
      autocomplete: 'off',
      value: event ? String(event.capacityTotal) : '',
    }),
    t('capacityHint'),
  );
  const opens = field(
    'opensAt',
    t('opensAt'),
    h('input', { type: 'datetime-local', step: 1, value: forInput(event?.opensAt) }),
    t('timeHint'),
  );
  const closes = field(
    'closesAt',
    t('closesAt'),
    h('input', { type: 'datetime-local', step: 1, value: forInput(event?.closesAt) }),
    t('timeHint'),
  );
  const webhook = field(
    'webhook.url',
    t('webhookUrl'),
    h('input', { type: 'url', autocomplete: 'off', value: event?.webhook?.url ?? '' }),
    t('webhookHint'),
  );
  const secret = field(
    'webhook.secretName',
    t('webhookSecret'),
    h('input', { autocomplete: 'off', maxlength: 128, value: event?.webhook?.secretName ?? '' }),
    t('webhookSecretHint'),
  );
  const work = field(
    'work',
    t('work'),
    select(
      [
        ['capacity', t('workCapacity')],
        ['http', t('workHttp')],
      ],
      event?.work ?? 'capacity',
    ),
  );
  const all = [id, title, capacity, opens, closes, ...(full ? [work, webhook, secret] : [])];
  formDialog(event ? t('changeTitle', { id: event.eventId }) : t('createTitle'), all, async () => {
    const places = capacity.input.value.trim();
    const body: Record<string, unknown> = { title: title.input.value, policy: 'FIRST_COME' };
    if (places) body.capacityTotal = asNumber(places);
    const opensAt = fromInput(opens.input, event?.opensAt);
    const closesAt = fromInput(closes.input, event?.closesAt);
    if (opensAt) body.opensAt = opensAt;
    if (closesAt) body.closesAt = closesAt;
    if (full) {
      const url = webhook.input.value.trim();
      const secretName = secret.input.value.trim();
      // Not said: left as it is.
      if (url !== (event?.webhook?.url ?? '') || (url && secretName !== (event?.webhook?.secretName ?? '')))
        body.webhook = url ? { url, ...(secretName ? { secretName } : {}) } : null;
      if (event?.work !== undefined || work.input.value !== 'capacity') body.work = work.input.value;
    }
    if (!id.input.value)
      throw new ApiError(400, 'invalid_argument', 'eventId must be 1 to 128 of A-Z a-z 0-9 . _ ~ -');
    await api('PUT', `/admin/events/${encodeURIComponent(id.input.value)}`, body);
    done();
  });
}

/** Where its final states are told; the whole URL for those who point at it. */
function webhookOf(event: EventItem): HTMLElement | null {
  if (!event.webhook) return null;
  const host = new URL(event.webhook.url).host;
  return h('code', { class: 'sub', title: event.webhook.url }, t('webhookTo', { host }));
}

function rows(me: Me, items: EventItem[], changed: () => void): HTMLElement {
  const full = items.some((one) => one.state !== undefined);
  return table<EventItem>(
    [
      {
        label: t('title'),
        cell: (e) => [h('strong', null, e.title), h('code', { class: 'sub' }, e.eventId)],
      },
      ...(full ? [{ label: t('state'), cell: (e: EventItem) => badge(e.state ?? '') }] : []),
      { label: t('capacity'), cell: capacityBar },
      { label: t('opensAt'), cell: (e) => moment(e.opensAt) },
      { label: t('closesAt'), cell: (e) => moment(e.closesAt) },
      ...(items.some((one) => one.work !== undefined)
        ? [{ label: t('work'), cell: (e: EventItem) => [e.work ?? '–', webhookOf(e)] }]
        : []),
      {
        label: t('actions'),
        cell: (e) =>
          h(
            'div',
            { class: 'buttons' },
            h(
              'a',
              { class: 'button', href: `#/requests?eventId=${encodeURIComponent(e.eventId)}` },
              t('seeRequests'),
            ),
            actionButton(me, t('change'), () => edit(e, e.work !== undefined, changed)),
          ),
      },
    ],
    items,
    t('events'),
  );
}

export function events(me: Me, offers: Set<string>): View {
  const head = (make: () => void): HTMLElement =>
    h(
      'div',
      { class: 'headline' },
      h('h1', null, t('events')),
      actionButton(me, t('create'), make, 'primary'),
    );
  if (offers.has('events')) {
    let full = true;
    const list = pages<{ items: EventItem[]; nextCursor?: string }, EventItem>(
      (cursor) =>
        api('GET', `/admin/events?limit=50${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`),
      (items) => {
        full = items.some((one) => one.work !== undefined);
        return rows(me, items, () => void list.reload());
      },
      t('noEvents'),
    );
    return {
      element: h(
        'div',
        null,
        head(() => edit(null, full, () => void list.reload())),
        list.element,
      ),
    };
  }
  // No list on this server: one event at a time, by its id.
  const found = h('div');
  const input = h('input', {
    'aria-label': t('eventId'),
    name: 'openId',
    autocomplete: 'off',
    placeholder: 'EVT-009',
  });
  const show = async (id: string): Promise<void> => {
    try {
      const event = await api<EventItem>('GET', `/admin/events/${encodeURIComponent(id)}`);
      fill(
        found,
        rows(me, [event], () => void show(id)),
      );
    } catch (error) {
      fill(found, notice(words(error), 'bad'));
    }
  };
  const form = h(
    'form',
    {
      class: 'filters',
      onsubmit: (e: Event) => {
        e.preventDefault();
        if (input.value) void show(input.value.trim());
      },
    },
    input,
    h('button', { type: 'submit' }, t('open')),
  );
  return {
    element: h(
      'div',
      null,
      head(() => edit(null, false, () => undefined)),
      notice(t('noListHere')),
      form,
      found,
    ),
  };
}
