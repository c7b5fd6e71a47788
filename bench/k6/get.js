// One GET again and again, the body left unread: the least that k6 costs.

import http from 'k6/http';

import { handleSummary, options as shared } from './common.js';

export { handleSummary };
export const options = { ...shared, discardResponseBodies: true };

const URL = __ENV.BASE_URL + __ENV.TARGET_PATH;

export default function () {
  http.get(URL);
}
