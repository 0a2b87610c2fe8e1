/** Takes `host:port`, `:port`, `port` or `[::1]:port` apart; the host defaults to loopback, `*` is every one. Throws with what was expected. */
export function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:(?:\[([0-9a-fA-F:.%]+)\]|([^:\s[\]]*)):)?(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[3]);
  if (!match || port > 65_535) {
    throw new Error(
      `expected an address and a port like 127.0.0.1:8080, [::1]:8080 or 8080, found "${text}"`,
    );
  }
  const host = match[1] ?? (match[2] || '127.0.0.1');
  return { host: host === '*' ? '0.0.0.0' : host, port };
}
