import { createHash } from 'node:crypto';
import { startFaulty } from './http-faults.ts';
import type { Answer, Asked, FaultyServer } from './http-faults.ts';

export type WahaStatus = 'STOPPED' | 'STARTING' | 'SCAN_QR_CODE' | 'WORKING' | 'FAILED' | (string & {});
export type WahaSessionStandin = {
  name: string;
  status: WahaStatus;
  /** As it stands in the answer; `{}` and none at all are real, too. */
  timestamps?: { activity?: number | null };
  /** What a restart leads to; default WORKING. */
  afterRestart?: WahaStatus;
};

export type Waha = FaultyServer & {
  key: string;
  sessions: Map<string, WahaSessionStandin>;
  set(session: WahaSessionStandin): void;
  /** Names of sessions that were logged out: nobody may ever do that. */
  loggedOut: string[];
  /** `start default`, `restart default`, ... in order. */
  actions: string[];
  /** The container was restarted. Versions before 2026.6.1 start no session by themselves. */
  reboot(): void;
};

export type WahaOptions = {
  key?: string;
  /** `sha512:...`, as the server was told it; requests still bring the plain key. */
  sha512?: boolean;
  /** WAHA Core before 2026.6.1: one session `default`, none started after a restart of the container. */
  core?: boolean;
  sessions?: WahaSessionStandin[];
  /** How long a restart takes: 3 s and more in life. */
  restartMs?: number;
};

/** WAHA's HTTP API as far as vpsmon uses it, and as strict as the real one. */
export async function startWaha(options: WahaOptions = {}): Promise<Waha> {
  const key = options.key ?? 'waha-test-key-1234';
  const restartMs = options.restartMs ?? 30;
  const sessions = new Map<string, WahaSessionStandin>();
  const busy = new Map<string, Promise<void>>();
  const server = await startFaulty((asked) => answer(asked));
  const waha: Waha = Object.assign(server, {
    key,
    sessions,
    set: (session: WahaSessionStandin) => void sessions.set(session.name, session),
    loggedOut: [] as string[],
    actions: [] as string[],
    reboot() {
      for (const session of sessions.values())
        if (session.status !== 'STOPPED') session.status = options.core ? 'STOPPED' : 'WORKING';
    },
  });
  for (const session of options.sessions ?? [{ name: 'default', status: 'WORKING' }])
    waha.set({ ...session });

  function allowed({ headers, query }: Asked): boolean {
    const given = headers['x-api-key'] ?? query.get('x-api-key');
    if (typeof given !== 'string') return false;
    if (!options.sha512) return given === key;
    const hash = (text: string) => createHash('sha512').update(text).digest('hex');
    return hash(given) === hash(key);
  }

  async function answer(asked: Asked): Promise<Answer> {
    const { method, path } = asked;
    if (method === 'GET' && path === '/ping') return { status: 200, body: { message: 'pong' } };
    const guarded = path === '/health' || path.startsWith('/api/');
    if (guarded && !allowed(asked))
      return { status: 401, body: { message: 'Unauthorized', statusCode: 401 } };
    if (method === 'GET' && path === '/health') {
      return { status: 200, body: { status: 'ok', info: {}, error: {}, details: {} } };
    }
    if (method === 'GET' && path === '/api/server/version') {
      return {
        status: 200,
        body: { version: '2026.7.1', engine: 'NOWEB', tier: options.core ? 'CORE' : 'PLUS', browser: null },
      };
    }
    if (method === 'GET' && path === '/api/sessions') {
      const all = asked.query.get('all') === 'true';
      return {
        status: 200,
        body: [...sessions.values()].filter((s) => all || s.status !== 'STOPPED').map(shown),
      };
    }
    const [, name, action] = /^\/api\/sessions\/([^/]+)(?:\/(start|stop|restart|logout))?$/.exec(path) ?? [];
    if (name === undefined) return notFound(`Cannot ${method} ${path}`);
    if (options.core && name !== 'default') {
      const message = `WAHA Core support only 'default' session. You tried to access '${name}' session.`;
      return { status: 422, body: { statusCode: 422, message, error: 'Unprocessable Entity' } };
    }
    const session = sessions.get(name);
    if (action === undefined && method === 'GET') {
      return session
        ? { status: 200, body: { ...shown(session), engine: { engine: 'NOWEB' } } }
        : notFound('Session not found');
    }
    if (action === undefined || method !== 'POST') return notFound(`Cannot ${method} ${path}`);
    waha.actions.push(`${action} ${name}`);
    if (!session)
      return action === 'stop'
        ? { status: 201, body: { name, status: 'STOPPED' } }
        : notFound('Session not found');
    // One action at a time for each session.
    const before = busy.get(name) ?? Promise.resolve();
    const mine = before.then(() => act(session, action));
    busy.set(name, mine);
    await mine;
    return { status: 201, body: shown(session) };
  }

  async function act(session: WahaSessionStandin, action: string): Promise<void> {
    if (action === 'logout') {
      waha.loggedOut.push(session.name);
      session.status = 'SCAN_QR_CODE';
      return;
    }
    if (action === 'stop' || action === 'restart') session.status = 'STOPPED';
    if (action === 'stop') return;
    if (action === 'restart') await new Promise((resolve) => setTimeout(resolve, restartMs));
    session.status = 'STARTING';
    setTimeout(() => {
      if (session.status === 'STARTING') session.status = session.afterRestart ?? 'WORKING';
    }, restartMs);
  }

  return waha;
}

function shown(session: WahaSessionStandin) {
  const { name, status, timestamps } = session;
  const me = status === 'WORKING' ? { id: '4915112345678@c.us', pushName: 'Shop' } : null;
  return {
    name,
    status,
    config: {},
    me,
    presence: null,
    ...(timestamps ? { timestamps } : {}),
    assignedWorker: 'waha',
  };
}

function notFound(message: string): Answer {
  return { status: 404, body: { message, error: 'Not Found', statusCode: 404 } };
}
