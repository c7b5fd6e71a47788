import './style.css';
import { api, ApiError, session } from './api';
import { audit } from './audit';
import { deadLetters } from './deadletters';
import { h, fill, type View } from './dom';
import { events } from './events';
import { language, setLanguage, t } from './i18n';
import { overview } from './overview';
import { requests, story } from './requests';
import { signIn, whoAmI } from './signin';
import { notice, say, words, type Me } from './ui';
import { users } from './users';
import { waitingRoom } from './waitingroom';
import { waitingRooms } from './waitingrooms';

const kThemes = ['auto', 'light', 'dark'] as const;
type Theme = (typeof kThemes)[number];
const kTheme = 'spillway.theme';
const theme = (): Theme => kThemes.find((one) => one === localStorage.getItem(kTheme)) ?? 'auto';
const applyTheme = (): void => {
  document.documentElement.dataset.theme = theme();
};

const app = document.getElementById('app')!;
let me: Me | null = null;
let view: View | null = null;
let offers = new Set<string>();
let why = '';

/** What this server has: a link that leads nowhere is worse than none. */
async function look(): Promise<Set<string>> {
  const paths: [string, string][] = [
    ['events', '/admin/events?limit=1'],
    ['requests', '/admin/requests?limit=1&userId=-'],
    ['dead-letters', '/admin/queues/participations/dead-letters?limit=1'],
    ['waiting-rooms', '/admin/queues/waitroom?limit=1'],
    ['audit', '/admin/audit?limit=1'],
    ['users', '/admin/users?limit=1'],
  ];
  const found = await Promise.all(
    paths.map(async ([name, path]) => {
      try {
        await api('GET', path);
      } catch (error) {
        if (error instanceof ApiError && error.notOffered) return '';
      }
      return name;
    }),
  );
  if (me?.identity !== 'users') found.splice(found.indexOf('users'), found.includes('users') ? 1 : 0);
  return new Set(found.filter(Boolean));
}

function switches(): HTMLElement {
  const next = kThemes[(kThemes.indexOf(theme()) + 1) % kThemes.length]!;
  const name = { auto: t('themeAuto'), light: t('themeLight'), dark: t('themeDark') }[theme()];
  return h(
    'div',
    { class: 'switches' },
    h(
      'button',
      {
        type: 'button',
        id: 'theme',
        class: 'quiet',
        'aria-label': t('theme', { theme: name }),
        title: t('theme', { theme: name }),
        onclick: () => {
          localStorage.setItem(kTheme, next);
          redraw('theme');
        },
      },
      h('i', { class: `sun ${theme()}`, 'aria-hidden': 'true' }),
      name,
    ),
    h(
      'button',
      {
        type: 'button',
        id: 'language',
        class: 'quiet',
        lang: language() === 'ko' ? 'en' : 'ko',
        onclick: () => {
          setLanguage(language() === 'ko' ? 'en' : 'ko');
          redraw('language');
        },
      },
      t('otherLanguage'),
    ),
  );
}

function redraw(focus: string): void {
  applyTheme();
  if (me) draw();
  else showSignIn(why);
  document.getElementById(focus)?.focus();
}

function showSignIn(reason: string): void {
  why = reason;
  view?.close?.();
  document.querySelectorAll('dialog').forEach((one) => one.close());
  me = null;
  view = signIn(reason, (who) => {
    why = '';
    void enter(who);
  });
  document.title = `${t('signIn')} · Spillway`;
  fill(
    app,
    h('header', { class: 'top' }, h('span', { class: 'brand' }, 'Spillway'), switches()),
    h('main', { id: 'main', tabindex: -1 }, view.element),
  );
}

async function enter(who: Me): Promise<void> {
  me = who;
  offers = await look();
  if (me) draw();
}

async function signOut(): Promise<void> {
  try {
    await api('POST', '/auth/logout');
  } catch (error) {
    // The admin secret cannot be logged out, only forgotten; everything else must not look as if it had worked.
    if (error instanceof ApiError && error.status !== 400 && error.status !== 401)
      return say(words(error), 'bad');
  }
  session.end('left');
}

function route(): { name: string; rest: string; filters: URLSearchParams } {
  const [path = '', search = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const [name = '', rest = ''] = path.split('/');
  return { name: name || 'overview', rest: decodeURIComponent(rest), filters: new URLSearchParams(search) };
}

function show(who: Me): View {
  const { name, rest, filters } = route();
  if (name === 'events') return events(who, offers);
  if (name === 'requests') return rest ? story(rest) : requests(filters, offers);
  if (name === 'dead-letters' && offers.has(name)) return deadLetters(who, filters);
  if (name === 'waiting-rooms' && offers.has(name)) return rest ? waitingRoom(who, rest) : waitingRooms(who);
  if (name === 'audit' && offers.has(name)) return audit(filters);
  if (name === 'users' && offers.has(name)) return users(who, filters);
  if (name === 'overview') return overview(who);
  return {
    element: h(
      'div',
      null,
      h('h1', null, t('console')),
      notice(name === 'users' ? t('notUsers', { mode: who.identity }) : t('notOffered')),
    ),
  };
}

function draw(): void {
  const who = me;
  if (!who) return;
  view?.close?.();
  document.querySelectorAll('dialog').forEach((one) => one.close());
  const { name } = route();
  const links: [string, string][] = [
    ['overview', t('overview')],
    ['events', t('events')],
    ['requests', t('requests')],
    ['dead-letters', t('deadLetters')],
    ['waiting-rooms', t('waitingRooms')],
    ['audit', t('audit')],
    ['users', t('users')],
  ];
  view = show(who);
  document.title = `${links.find(([one]) => one === name)?.[1] ?? t('console')} · Spillway`;
  fill(
    app,
    h(
      'a',
      {
        class: 'skip',
        href: '#main',
        onclick: (e: Event) => {
          e.preventDefault();
          document.getElementById('main')?.focus();
        },
      },
      t('skip'),
    ),
    h(
      'header',
      { class: 'top' },
      h('span', { class: 'brand' }, 'Spillway'),
      h(
        'nav',
        { 'aria-label': t('sections') },
        links
          .filter(([one]) => ['overview', 'events', 'requests'].includes(one) || offers.has(one))
          .map(([one, text]) =>
            h('a', { href: `#/${one}`, 'aria-current': one === name ? 'page' : null }, text),
          ),
      ),
      switches(),
      h(
        'div',
        { class: 'who' },
        h(
          'span',
          { class: 'me', title: t('signedInAs', { user: who.userId, role: who.role }) },
          `${who.userId} · ${who.role}`,
        ),
        h(
          'button',
          { type: 'button', id: 'sign-out', class: 'quiet', onclick: () => void signOut() },
          t('signOut'),
        ),
      ),
    ),
    h('main', { id: 'main', tabindex: -1 }, view.element),
  );
  // On a phone the sections scroll sideways. Not by scrollIntoView, which would move the place where Tab goes on.
  const chosen = app.querySelector<HTMLElement>('nav a[aria-current]');
  if (chosen?.parentElement)
    chosen.parentElement.scrollLeft =
      chosen.offsetLeft + chosen.offsetWidth - chosen.parentElement.clientWidth;
}

async function start(): Promise<void> {
  applyTheme();
  session.whenOver((reason) => showSignIn(t(reason)));
  addEventListener('hashchange', () => {
    draw();
    document.getElementById('main')?.focus();
  });
  // Charts take their colours when they are drawn.
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    if (theme() === 'auto') draw();
  });
  if (!session.token) return showSignIn('');
  try {
    await enter(await whoAmI());
  } catch (error) {
    if (session.token) showSignIn(words(error)); // else the end of the session has shown it already
  }
}

void start();
