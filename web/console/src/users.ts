import { api, query } from './api';
import { h, type View } from './dom';
import { t } from './i18n';
import { actionButton, confirm, field, formDialog, moment, pages, say, select, table, type Me } from './ui';

interface User {
  userId: string;
  role: string;
  disabled: boolean;
  createdAt: string;
  lastLoginAt?: string;
}

const roles: [string, string][] = [
  ['operator', 'operator'],
  ['admin', 'admin'],
  ['user', 'user'],
];
const path = (userId: string): string => `/admin/users/${encodeURIComponent(userId)}`;

export function users(me: Me, filters: URLSearchParams): View {
  const search = h('input', {
    name: 'q',
    type: 'search',
    'aria-label': t('search'),
    placeholder: t('userId'),
    value: filters.get('q') ?? '',
  });
  const form = h(
    'form',
    {
      class: 'filters',
      onsubmit: (e: Event) => {
        e.preventDefault();
        location.hash = `#/users${query({ q: search.value.trim() })}`;
      },
    },
    search,
    h('button', { type: 'submit' }, t('search')),
  );
  const done = (): void => {
    say(t('done'));
    void list.reload();
  };
  const add = (): void => {
    const id = field('userId', t('userId'), h('input', { autocomplete: 'off' }));
    const password = field(
      'password',
      t('password'),
      h('input', { type: 'password', autocomplete: 'new-password' }),
      t('passwordHint'),
    );
    const role = field('role', t('role'), select(roles, 'operator'));
    formDialog(t('addUserTitle'), [id, password, role], async () => {
      await api('PUT', path(id.input.value), { role: role.input.value, password: password.input.value });
      void list.reload();
    });
  };
  const changeRole = (user: User): void => {
    const role = field('role', t('role'), select(roles, user.role));
    formDialog(t('changeRole', { user: user.userId }), [role], async () => {
      await api('PUT', path(user.userId), { role: role.input.value });
      void list.reload();
    });
  };
  const disable = (user: User): void =>
    confirm(t('disable'), t('confirmDisable', { user: user.userId }), t('disable'), async () => {
      await api('PUT', path(user.userId), { disabled: true });
      done();
    });
  const enable = (user: User): void =>
    confirm(
      t('enable'),
      user.userId,
      t('enable'),
      async () => {
        await api('PUT', path(user.userId), { disabled: false });
        done();
      },
      'primary',
    );
  const signOut = (user: User): void =>
    confirm(t('signOutAll'), t('confirmSignOut', { user: user.userId }), t('signOutAll'), async () => {
      await api('POST', `${path(user.userId)}/sign-out`);
      done();
    });
  const list = pages<{ items: User[]; nextCursor?: string }, User>(
    (cursor) => api('GET', `/admin/users${query({ q: filters.get('q'), limit: 50, cursor })}`),
    (items) =>
      table<User>(
        [
          { label: t('userId'), cell: (u) => u.userId },
          { label: t('role'), cell: (u) => u.role },
          {
            label: t('state'),
            cell: (u) =>
              u.disabled
                ? h('span', { class: 'badge rejected' }, t('disabled'))
                : h('span', { class: 'badge succeeded' }, t('active')),
          },
          { label: t('createdAt'), cell: (u) => moment(u.createdAt) },
          { label: t('lastLogin'), cell: (u) => (u.lastLoginAt ? moment(u.lastLoginAt) : t('never')) },
          {
            label: t('actions'),
            cell: (u) =>
              h(
                'div',
                { class: 'buttons' },
                actionButton(me, t('role'), () => changeRole(u)),
                u.disabled
                  ? actionButton(me, t('enable'), () => enable(u))
                  : actionButton(me, t('disable'), () => disable(u)),
                actionButton(me, t('signOutAll'), () => signOut(u)),
              ),
          },
        ],
        items,
        t('users'),
      ),
    t('nothing'),
  );
  return {
    element: h(
      'div',
      null,
      h(
        'div',
        { class: 'headline' },
        h('h1', null, t('users')),
        actionButton(me, t('addUser'), add, 'primary'),
      ),
      form,
      list.element,
    ),
  };
}
