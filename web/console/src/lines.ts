// What the pages of the waiting rooms share: a line as the server tells it, its settings, and the dialog that changes them.
import { api, ApiError } from './api';
import { t } from './i18n';
import { asNumber, field, forInput, formDialog, fromInput, select, type Field } from './ui';
import { h } from './dom';

export const kModes = ['fifo', 'lottery', 'paused', 'open'] as const;
export type Mode = (typeof kModes)[number];

export interface Settings {
  maxActive: number;
  admitPerSecond?: number;
  readySeconds: number;
  activeSeconds: number;
  idleExtends: boolean;
  mode: Mode;
  opensAt?: string;
}

export interface Line {
  concertId: string;
  configured: boolean;
  health: string;
  sizes: { waiting: number; absent: number; ready: number; active: number; entered: number };
  ratesPerSecond: { entered: number; admitted: number; gone: number };
  oldestWaitSeconds: number;
  settings: Settings;
  lottery: 'NONE' | 'GATHERING' | 'DRAWN';
  waitBoundsSeconds?: number[];
}

export const pathOf = (concertId: string): string =>
  `/admin/queues/waitroom/${encodeURIComponent(concertId)}`;
export const pageOf = (concertId: string): string => `#/waiting-rooms/${encodeURIComponent(concertId)}`;

/** Rejects with ApiError. */
export async function line(concertId: string): Promise<Line> {
  return (await api<{ data: Line }>('GET', pathOf(concertId))).data;
}
/** All of the settings at once: what is left out takes its default. */
export async function putLine(concertId: string, settings: object): Promise<Line> {
  return (await api<{ data: Line }>('PUT', pathOf(concertId), settings)).data;
}

export const modeWord = (mode: Mode): string =>
  ({ fifo: t('modeFifo'), lottery: t('modeLottery'), paused: t('modePaused'), open: t('modeOpen') })[mode];

const kDefaults: Settings = {
  maxActive: 50_000,
  readySeconds: 60,
  activeSeconds: 300,
  idleExtends: false,
  mode: 'fifo',
};

/** Of a line there is, or of a new one. `done` is told how it stands then. */
export function editLine(of: Line | null, done: (line: Line) => void, mode?: Mode): void {
  const now = of?.settings ?? kDefaults;
  const text = (name: keyof Settings, label: string, value: number | undefined, hint = ''): Field =>
    field(
      name,
      label,
      h('input', {
        inputmode: 'numeric',
        autocomplete: 'off',
        value: value === undefined ? '' : String(value),
      }),
      hint,
    );
  const id = field(
    'concertId',
    t('concertId'),
    h('input', {
      required: true,
      maxlength: 128,
      autocomplete: 'off',
      readonly: of !== null,
      value: of?.concertId ?? '',
    }),
  );
  const cap = text('maxActive', t('maxActive'), now.maxActive, t('maxActiveHint'));
  const rate = text('admitPerSecond', t('admitPerSecond'), now.admitPerSecond, t('admitPerSecondHint'));
  const ready = text('readySeconds', t('readySeconds'), now.readySeconds, t('readySecondsHint'));
  const active = text('activeSeconds', t('activeSeconds'), now.activeSeconds, t('activeSecondsHint'));
  const extend = field(
    'idleExtends',
    t('idleExtends'),
    select(
      [
        ['false', t('idleExtendsNo')],
        ['true', t('idleExtendsYes')],
      ],
      String(now.idleExtends),
    ),
  );
  const how = field(
    'mode',
    t('mode'),
    select(
      kModes.map((one) => [one, modeWord(one)]),
      mode ?? now.mode,
    ),
  );
  const opens = field(
    'opensAt',
    t('opensAt'),
    h('input', { type: 'datetime-local', step: 1, value: forInput(now.opensAt) }),
    t('lineOpensHint'),
  );
  const all = [...(of ? [] : [id]), cap, rate, ready, active, extend, how, opens];
  formDialog(of ? t('changeTitle', { id: of.concertId }) : t('newLine'), all, async () => {
    if (!id.input.value)
      throw new ApiError(400, 'invalid_argument', 'concertId must be 1 to 128 of A-Z a-z 0-9 . _ ~ -');
    const body: Record<string, unknown> = {
      idleExtends: extend.input.value === 'true',
      mode: how.input.value,
    };
    for (const one of [cap, rate, ready, active]) {
      const typed = one.input.value.trim();
      if (typed) body[one.input.name] = asNumber(typed);
    }
    const opensAt = fromInput(opens.input, now.opensAt);
    if (opensAt) body.opensAt = opensAt;
    done(await putLine(id.input.value.trim(), body));
  });
}
