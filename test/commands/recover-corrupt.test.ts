import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { recoverFolder } from '../helpers/recover-run.ts';

it('R2: a database that is gone or empty is said, too; the first one is none', async () => {
  const folder = recoverFolder({ DOCKER_HOST: 'unix:///nonexistent.sock' });
  try {
    expect((await folder.run(['queue'])).stderr).toBe('');
    for (const loss of ['gone', 'empty']) {
      rmSync(`${folder.stateDir}/vpsmon.db`);
      for (const beside of ['-wal', '-shm']) rmSync(`${folder.stateDir}/vpsmon.db${beside}`, { force: true });
      if (loss === 'empty') writeFileSync(`${folder.stateDir}/vpsmon.db`, '');
      const { code, stderr } = await folder.run(['queue']);
      expect(stderr).toMatch(/database was gone or empty; a new one is begun\. Recovery had left nothing/);
      expect(code).toBe(1);
    }
    expect((await folder.run(['queue'])).stderr).toBe('');
  } finally {
    folder.remove();
  }
});

it('R2: a damaged database is said, with what a person has to look at, and is no success', async () => {
  const folder = recoverFolder({ DOCKER_HOST: 'unix:///nonexistent.sock' });
  try {
    mkdirSync(folder.stateDir, { recursive: true });
    writeFileSync(`${folder.stateDir}/vpsmon.db`, 'no database at all '.repeat(500));
    const { code, stderr } = await folder.run(['queue']);
    expect(stderr).toMatch(/database was damaged and is set aside as .*corrupt-.*docker ps -a/);
    expect(code).toBe(1);
    expect((await folder.run(['queue'])).stderr).not.toMatch(/damaged/);
  } finally {
    folder.remove();
  }
});
