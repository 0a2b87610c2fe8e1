const SECRET_NAME = /pass|pwd|secret|token|key|credential|auth/i;

/** Values in a container's environment that its own log lines must not show to others. */
export function secretsFromEnv(env: readonly string[] | undefined): string[] {
  return (env ?? []).flatMap((entry) => {
    const at = entry.indexOf('=');
    const value = entry.slice(at + 1);
    return at > 0 && SECRET_NAME.test(entry.slice(0, at)) && value !== '' ? [value] : [];
  });
}
