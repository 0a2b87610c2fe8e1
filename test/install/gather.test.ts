import { describe, expect, it } from 'vitest';
import { mustBeCopied } from '../../src/install/gather.ts';

describe('R10: the node that the units run as root', () => {
  const root = { uid: 0, mode: 0o755 };
  const others: Record<string, { uid: number; mode: number }> = {
    '/opt/alice': { uid: 1000, mode: 0o755 },
    '/opt/node/bin/node': { uid: 1000, mode: 0o755 },
    '/srv/open': { uid: 0, mode: 0o777 },
  };
  const info = (path: string) => others[path] ?? root;

  it.each([
    ['/usr/bin/node', false],
    ['/usr/local/bin/node', false],
    ['/opt/other/bin/node', false],
    ['/opt/node/bin/node', true],
    ['/opt/alice/node/bin/node', true],
    ['/srv/open/node', true],
    ['/home/bob/.nvm/versions/node/v20/bin/node', true],
  ])('%s: installed with the program: %s', (node, copied) =>
    expect(mustBeCopied(node, '/opt/vpsmon', info)).toBe(copied),
  );
});
