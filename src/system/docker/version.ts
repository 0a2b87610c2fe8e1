// Which version of its API the engine is spoken to in.
type ApiVersion = [number, number];

/** The newest API whose answers were tried. An older engine is spoken to in its own version. */
const NEWEST: ApiVersion = [1, 56];

function parseApiVersion(version: string): ApiVersion | undefined {
  const match = /^(\d+)\.(\d+)$/.exec(version);
  return match ? [Number(match[1]), Number(match[2])] : undefined;
}

function isOlder(a: ApiVersion, b: ApiVersion): boolean {
  return a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]);
}

/** The path prefix for the newest version that both sides know; an engine that only knows newer ones gets its oldest. */
export function chooseVersion(newestOfEngine: string, oldestOfEngine: string): string {
  const newest = parseApiVersion(newestOfEngine);
  const oldest = parseApiVersion(oldestOfEngine);
  if (!newest) return '';
  const common = isOlder(newest, NEWEST) ? newest : NEWEST;
  const chosen = oldest && isOlder(common, oldest) ? oldest : common;
  return `/v${chosen[0]}.${chosen[1]}`;
}
