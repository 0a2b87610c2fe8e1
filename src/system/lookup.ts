import dns from 'node:dns';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';

type Options = {
  /** Name servers to ask instead of those of resolv.conf, for tests. */
  servers?: string[];
  timeoutMs?: number;
};
type Callback = (error: NodeJS.ErrnoException | null, ...answer: unknown[]) => void;

/** For one try of one name server; each is asked twice. */
const ANSWER_MS = 1500;
const TRIES = 2;

/**
 * Lets a look-up of a name wait for a few seconds at most, whoever does it (HTTP, PostgreSQL, Redis): the system's own look-up blocks one
 * of Node's four threads for 10 s and more for each name server that does not answer, nothing can call it back, and the process cannot
 * end before it returns. So the name servers are first asked in a way that can be given up; only when one answers, whatever it says,
 * the system looks the name up by its own rules (hosts file, search domains, order of addresses). Call once, before anything connects.
 */
export function guardLookups(options: Options = {}): void {
  const lookup = dns.lookup;
  const guarded = (name: string, ...rest: unknown[]): void => {
    const done = rest.at(-1) as Callback;
    const ask = () => (lookup as (...args: unknown[]) => void)(name, ...rest);
    if (needsNoServer(name)) return ask();
    void someoneAnswers(name, options).then((answers) => {
      // Outside of the promise: what the caller throws is his.
      setImmediate(answers ? ask : () => done(noAnswer(name)));
    });
  };
  Object.defineProperty(guarded, promisify.custom, { value: dns.promises.lookup });
  dns.lookup = guarded as unknown as typeof dns.lookup;
}

/** Addresses, loopback names, and names in the hosts file: they are known when no name server answers, too. */
function needsNoServer(name: string): boolean {
  if (/^[\d.]+$|:/.test(name) || /^(?:.+\.)?localhost$/i.test(name)) return true;
  try {
    const names = readFileSync('/etc/hosts', 'utf8').replace(/#.*$/gm, '').split(/\s+/);
    return names.some((known) => known.toLowerCase() === name.toLowerCase());
  } catch {
    return false;
  }
}

/** False where no name server said anything in time; that one says no, or that there is none, is an answer. */
async function someoneAnswers(name: string, { servers, timeoutMs = ANSWER_MS }: Options): Promise<boolean> {
  const resolver = new dns.promises.Resolver({ timeout: timeoutMs, tries: TRIES });
  if (servers) resolver.setServers(servers);
  // Twice as long for the second try, and for as many servers as there are: not longer than this.
  const late = setTimeout(() => resolver.cancel(), timeoutMs * TRIES * 1.5);
  try {
    await resolver.resolve4(name);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code !== dns.TIMEOUT && code !== dns.CANCELLED;
  } finally {
    clearTimeout(late);
  }
}

function noAnswer(name: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`getaddrinfo EAI_AGAIN ${name}`), {
    code: 'EAI_AGAIN',
    syscall: 'getaddrinfo',
    hostname: name,
  });
}
