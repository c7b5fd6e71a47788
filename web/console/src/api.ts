// The admin API: the token, one call, the live stream.

const kToken = 'spillway.token';
let onSignedOut: (reason: 'expired' | 'left') => void = () => undefined;

export const session = {
  get token(): string | null {
    return sessionStorage.getItem(kToken);
  },
  set(token: string): void {
    sessionStorage.setItem(kToken, token);
  },
  end(reason: 'expired' | 'left'): void {
    sessionStorage.removeItem(kToken);
    onSignedOut(reason);
  },
  whenOver(handler: (reason: 'expired' | 'left') => void): void {
    onSignedOut = handler;
  },
};

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
  ) {
    super(detail);
  }
  /** The server of this console is older or newer than the route. */
  get notOffered(): boolean {
    return (this.status === 404 || this.status === 405) && this.code !== '';
  }
}

async function problemOf(response: Response): Promise<ApiError> {
  let body: { code?: string; detail?: string; title?: string } = {};
  try {
    body = await response.json();
  } catch {
    // Not ours: a proxy between us and the server. The status has to do.
  }
  return new ApiError(
    response.status,
    body.code ?? '',
    body.detail ?? body.title ?? `HTTP ${response.status}`,
  );
}

/** Rejects with ApiError; status 0 when the server cannot be reached. */
export async function api<T>(
  method: string,
  path: string,
  body?: unknown,
  token = session.token,
): Promise<T> {
  const headers: Record<string, string> = {};
  if (token) headers['Authorization'] = `Bearer ${token}`;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: 'no-store',
    });
  } catch {
    throw new ApiError(0, 'unreachable', '');
  }
  if (!response.ok) {
    const problem = await problemOf(response);
    if (response.status === 401 && token && token === session.token) session.end('expired');
    throw problem;
  }
  return (response.status === 204 ? undefined : await response.json()) as T;
}

export function query(values: Record<string, string | number | undefined | null>): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(values))
    if (value !== undefined && value !== null && value !== '') search.set(key, String(value));
  const text = search.toString();
  return text ? `?${text}` : '';
}

export interface Point {
  at: string;
  accepted: number | null;
  duplicate: number | null;
  refused: number | null;
  finished: { succeeded: number | null; rejected: number | null; failed: number | null };
  visible: number | null;
  inFlight: number | null;
  delayed: number | null;
  deadLetters: number | null;
  oldestAgeSeconds: number | null;
  latency: { p50: number | null; p99: number | null; count: number | null };
  http: { requests: number | null; errors: number | null };
  paused: boolean | null;
}

export type LiveState = 'connecting' | 'live' | 'lost' | 'absent';

/** GET /admin/live, or another stream of that kind, read with fetch because EventSource cannot carry the token. Comes again by itself, with growing
    pauses; says `lost` as soon as no point has come for kQuietMs, so that nobody looks at an old number unknowingly.
    In a tab that nobody sees it rests, because a browser has six connections to a server and seven tabs would hang;
    the server keeps what is missed meanwhile. */
export class Live<P extends { at: string } = Point> {
  points: P[] = [];
  state: LiveState = 'connecting';
  lastAt = 0;
  private static readonly kKeep = 900;
  private static readonly kQuietMs = 5000;
  private static readonly kHiddenMs = 10000;
  private static readonly kPauseMs = [500, 1000, 2000, 5000, 10000];
  private failures = 0;
  private over = false;
  private abort = new AbortController();
  private timer = 0;
  private quiet = 0;
  private hidden = 0;
  private resting = false;
  private fresh = true; // the history has not begun; it comes in pieces
  private readonly seen = (): void => {
    clearTimeout(this.hidden);
    if (document.hidden) this.hidden = window.setTimeout(() => this.rest(), Live.kHiddenMs);
    else if (this.resting) this.again();
  };

  constructor(
    private readonly changed: () => void,
    private readonly path = '/admin/live',
  ) {
    document.addEventListener('visibilitychange', this.seen);
    queueMicrotask(() => {
      if (!this.over) void this.connect();
    }); // whoever made this has it in hand by then
  }

  close(): void {
    this.over = true;
    document.removeEventListener('visibilitychange', this.seen);
    this.rest();
  }

  private rest(): void {
    this.resting = true;
    this.abort.abort();
    for (const timer of [this.timer, this.quiet, this.hidden]) clearTimeout(timer);
  }

  /** Not waiting for the pause to end. */
  again(): void {
    clearTimeout(this.timer);
    clearTimeout(this.quiet);
    this.resting = false;
    this.abort.abort();
    this.abort = new AbortController();
    void this.connect();
  }

  private become(state: LiveState): void {
    this.state = state;
    if (!this.over) this.changed();
  }

  private listenForQuiet(): void {
    clearTimeout(this.quiet);
    this.quiet = window.setTimeout(() => {
      this.failures += 1;
      this.again();
    }, Live.kQuietMs);
  }

  private async connect(): Promise<void> {
    const { signal } = this.abort;
    this.become(this.failures ? 'lost' : 'connecting');
    try {
      const response = await fetch(this.path, {
        headers: { Authorization: `Bearer ${session.token}` },
        cache: 'no-store',
        signal,
      });
      if (response.status === 401) return session.end('expired');
      if (response.status === 404 || response.status === 405) return this.become('absent');
      if (!response.ok || !response.body) throw await problemOf(response);
      this.fresh = true;
      this.listenForQuiet();
      await this.read(response.body.getReader());
    } catch {
      // Whatever it was, the remedy is the same and the state tells: below.
    }
    if (this.over || signal.aborted) return;
    clearTimeout(this.quiet);
    const pause = Live.kPauseMs[Math.min(this.failures++, Live.kPauseMs.length - 1)] ?? 10000;
    this.timer = window.setTimeout(() => void this.connect(), pause);
    this.become('lost');
  }

  private async read(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let text = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true }).replace(/\r\n/g, '\n');
      let end: number;
      while ((end = text.indexOf('\n\n')) >= 0) {
        this.take(text.slice(0, end));
        text = text.slice(end + 2);
      }
    }
  }

  private take(block: string): void {
    let name = 'message';
    const data: string[] = [];
    for (const line of block.split('\n')) {
      if (line.startsWith('event:')) name = line.slice(6).trim();
      else if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''));
    }
    if (!data.length) return;
    const value = JSON.parse(data.join('\n'));
    if (name === 'history') {
      this.points = this.fresh ? value.points : this.points.concat(value.points);
      this.fresh = false;
    } else if (name === 'point') this.points.push(value);
    else return;
    if (this.points.length > Live.kKeep) this.points = this.points.slice(-Live.kKeep);
    this.failures = 0;
    this.lastAt = Date.now();
    this.listenForQuiet();
    if (name === 'history' && value.last === false) return; // drawn once, when it is whole
    this.state = 'live';
    if (!this.over) this.changed();
  }
}
