/**
 * The name of a service for what is counted and limited about it. Compose gives a container that is about to be replaced, or to
 * replace one, a name like `3f4e5a6b7c8d_shop-web-1`; Swarm names each one anew, `web.1.` (or `web.` and the node's id) and 25 letters
 * and digits.
 */
export function serviceKey(name: string): string {
  if (name[name.length - 26] === '.') return name.replace(/^(.+\.(?:\d+|[a-z0-9]{25}))\.[a-z0-9]{25}$/, '$1');
  if (name[12] !== '_') return name; // Nearly always, and asked for each container in each check.
  return name.replace(/^[0-9a-f]{12}_(?=.)/, '');
}
