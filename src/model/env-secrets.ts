const SECRET_NAME = /pass|pwd|secret|token|key|credential|auth/i;

/** More would let a container with an environment of a megabyte hold the monitor up; it would expose nobody's secrets but its own. */
const MOST = 500;

/** Values in a container's environment that its own log lines must not show to others. */
export function secretsFromEnv(env: readonly string[] | undefined): string[] {
  const secrets = (env ?? []).flatMap((entry) => {
    const at = entry.indexOf('=');
    const value = entry.slice(at + 1);
    return at > 0 && SECRET_NAME.test(entry.slice(0, at)) && value !== '' ? [value] : [];
  });
  return [...new Set(secrets)].slice(0, MOST);
}
