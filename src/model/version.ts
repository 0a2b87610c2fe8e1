/** True where version `a` is a later one than `b`, by semver's three numbers; false where one of them is no version. */
export function isLaterVersion(a: string, b: string): boolean {
  const [first, second] = [numbers(a), numbers(b)];
  if (!first || !second) return false;
  const at = first.findIndex((number, i) => number !== second[i]);
  return at >= 0 && first[at]! > second[at]!;
}

function numbers(version: string): number[] | undefined {
  const found = /^(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:[-+].*)?$/.exec(version);
  return found ? found.slice(1).map(Number) : undefined;
}
