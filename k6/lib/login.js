// People who log in. Works with open login (--identity open), where any user id will do.

import http from 'k6/http';
import { check } from 'k6';
import { randomBytes } from 'k6/crypto';

/** 128 random bits: no two iterations of any run are the same person. */
export function randomUser() {
  return `k6-${Array.from(new Uint8Array(randomBytes(16)), (b) => b.toString(16).padStart(2, '0')).join('')}`;
}

/** An access token, or an empty string when the login was refused. */
export function login(baseUrl, userId) {
  const response = http.post(`${baseUrl}/auth/login`, JSON.stringify({ userId }), {
    headers: { 'Content-Type': 'application/json' },
    tags: { name: 'login' },
  });
  let token = '';
  try {
    token = response.json('accessToken') || '';
  } catch (_) {
    token = ''; // no JSON: the check says so
  }
  check(response, { 'login: gives an access token': () => response.status === 200 && token !== '' });
  return token;
}
