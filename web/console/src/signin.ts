import { api, ApiError, session } from './api';
import { h, fill, type View } from './dom';
import { t } from './i18n';
import { field, notice, words, type Me } from './ui';

interface Methods {
  identity: string;
  issuer?: string;
}

/** Who the kept token belongs to. Rejects with ApiError. */
export async function whoAmI(token = session.token): Promise<Me> {
  const [me, methods] = await Promise.all([
    api<{ userId: string; role: Me['role'] }>('GET', '/auth/me', undefined, token),
    api<Methods>('GET', '/auth/methods', undefined, null),
  ]);
  return { ...me, identity: methods.identity };
}

export function signIn(reason: string, done: (me: Me) => void): View {
  const top = h('div', null, reason && notice(reason, 'info'));
  const place = h('div');
  const enter = async (token: string): Promise<void> => {
    const me = await whoAmI(token);
    if (me.role === 'user') throw new ApiError(403, 'forbidden', t('tooFew', { role: me.role }));
    session.set(token);
    done(me);
  };
  const form = (
    title: string,
    fields: ReturnType<typeof field>[],
    hint: string,
    wrong: string,
    token: () => Promise<string>,
  ): HTMLElement =>
    h(
      'form',
      {
        class: 'card',
        novalidate: true,
        onsubmit: async (event: Event) => {
          event.preventDefault();
          fill(top);
          try {
            await enter(await token());
          } catch (error) {
            const e = error as ApiError;
            fill(
              top,
              notice(
                e.status === 401
                  ? wrong
                  : e.status === 429
                    ? t('tooMany')
                    : e.status === 403
                      ? e.detail
                      : words(error),
                'bad',
              ),
            );
          }
        },
      },
      h('h2', null, title),
      fields.map((one) => one.row),
      hint && h('p', { class: 'hint' }, hint),
      h('button', { type: 'submit', class: 'primary' }, t('signIn')),
    );

  const draw = async (): Promise<void> => {
    let methods: Methods = { identity: 'none' };
    try {
      methods = await api<Methods>('GET', '/auth/methods', undefined, null);
    } catch (error) {
      fill(top, notice(words(error), 'bad'));
    }
    const userId = field('userId', t('userId'), h('input', { autocomplete: 'username' }));
    const password = field(
      'password',
      t('password'),
      h('input', { type: 'password', autocomplete: 'current-password' }),
    );
    const token = field(
      'token',
      t('token'),
      h('input', { type: 'password', autocomplete: 'off', spellcheck: 'false' }),
    );
    fill(
      place,
      methods.identity === 'users' &&
        form(
          t('withPassword'),
          [userId, password],
          '',
          t('wrong'),
          async () =>
            (
              await api<{ accessToken: string }>(
                'POST',
                '/auth/login',
                { userId: userId.input.value, password: password.input.value },
                null,
              )
            ).accessToken,
        ),
      form(
        t('withToken'),
        [token],
        methods.identity === 'oidc'
          ? t('oidcHint', { issuer: methods.issuer ?? '' })
          : `${methods.identity === 'open' ? `${t('openHint')} ` : ''}${t('tokenHint')}`,
        t('wrongToken'),
        async () => token.input.value.trim(),
      ),
    );
    place.querySelector('input')?.focus();
  };
  void draw();
  return { element: h('div', { class: 'signin' }, h('h1', null, `Spillway ${t('console')}`), top, place) };
}
