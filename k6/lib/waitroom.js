// A waiting room's visitors: what they send, and what must hold of what they are told.

import http from 'k6/http';
import { check } from 'k6';
import { Counter, Rate } from 'k6/metrics';

export const BASE_URL = (__ENV.BASE_URL || 'http://127.0.0.1:8080').replace(/\/+$/, '');
export const CONCERT = __ENV.CONCERT || `k6-${Date.now()}`;
const ADMIN_TOKEN = __ENV.ADMIN_TOKEN || '';

export const entered = new Rate('queue_entry_success');
export const removed = new Rate('queue_removal_success');
export const positionUp = new Counter('queue_position_up');
export const tokenChanged = new Counter('queue_token_changed');

/** Nobody moves back, nobody is given a second place: in every script. */
export const invariants = {
  queue_position_up: ['count==0'],
  queue_token_changed: ['count==0'],
};

export const trendStats = ['avg', 'min', 'med', 'max', 'p(90)', 'p(95)', 'p(99)'];

function admin(method, concert, body) {
  return http.request(method, `${BASE_URL}/admin/queues/waitroom/${concert}`, body, {
    headers: { Authorization: `Bearer ${ADMIN_TOKEN}`, 'Content-Type': 'application/json' },
    tags: { name: 'admin' },
  });
}

/** For setup(): the line as the run wants it. Everybody gets the name that this returns. */
export function configure(settings) {
  if (!ADMIN_TOKEN) throw new Error("ADMIN_TOKEN is missing: the server's SPILLWAY_ADMIN_TOKEN, to configure the line");
  const response = admin('PUT', CONCERT, JSON.stringify(settings));
  if (response.status !== 200 && response.status !== 201) {
    throw new Error(`cannot configure the line ${CONCERT}: ${response.status} ${response.error || response.body}`);
  }
  return CONCERT;
}

/** What an operator sees of the line; null when there is no answer. */
export function view(concert) {
  const response = admin('GET', concert, null);
  return check(response, { 'admin: gives the sizes': (r) => r.status === 200 }) ? response.json('data') : null;
}

/** `data` of an answer; null when it is not one. */
export function dataOf(response) {
  try {
    return response.status === 200 ? JSON.parse(response.body).data : null;
  } catch (_) {
    return null; // no JSON: whoever asked counts it
  }
}

const JSON_BODY = { headers: { 'Content-Type': 'application/json' }, tags: { name: 'enter' } };
const ENTER = `${BASE_URL}/api/v1/queue/enter`;

/** The arguments of http.request or http.asyncRequest. */
export function enterRequest(concert, user) {
  return ['POST', ENTER, JSON.stringify({ concertId: concert, userId: user }), JSON_BODY];
}

/** Likewise, of a request with a token: poll, activate or remove. */
export function ticketRequest(name, token) {
  const [method, path] = {
    poll: ['GET', 'status'], activate: ['POST', 'activate'], remove: ['DELETE', 'token'],
  }[name];
  return [method, `${BASE_URL}/api/v1/queue/${path}`, null, { headers: { 'X-Queue-Token': token }, tags: { name } }];
}

/** One visitor's memory: holds every answer against the one before. */
export class Memory {
  constructor() {
    this.token = null;
    this.position = null;
  }

  /** Of an answer to enter or poll: false when it is none, or breaks a promise. */
  hear(data) {
    if (data === null) return false;
    if (data.token !== undefined) {
      if (this.token !== null && data.token !== this.token) tokenChanged.add(1);
      this.token = data.token;
    }
    if (typeof data.position === 'number') {
      if (this.position !== null && data.position > this.position) positionUp.add(1);
      this.position = data.position;
    }
    return true;
  }
}
