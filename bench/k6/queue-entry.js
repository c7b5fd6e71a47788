// The journey of k6/queue-entry-scale-test.js as it is, but as many at once as there are connections.

import enter, { setup } from '../../k6/queue-entry-scale-test.js';
import { handleSummary, options } from './common.js';

export { handleSummary, options, setup };
export default enter;
