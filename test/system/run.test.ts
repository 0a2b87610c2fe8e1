import { expect, test } from 'vitest';
import { run } from '../../src/system/run.ts';

test('gives code, output and errors of a program, whatever the code', async () => {
  const script = 'cat; echo out; echo err >&2; exit 3';
  expect(await run('sh', ['-c', script], { input: 'in\n' })).toEqual({
    exitCode: 3,
    stdout: 'in\nout\n',
    stderr: 'err\n',
  });
});

test('there is no shell between, and nothing to read unless given', async () => {
  expect((await run('echo', ['$HOME', '; id'])).stdout).toBe('$HOME ; id\n');
  expect((await run('cat', [])).stdout).toBe('');
});

test('speaks English, and takes variables', async () => {
  const { stdout } = await run('sh', ['-c', 'echo $LC_ALL $COLOUR'], { env: { COLOUR: 'blue' } });
  expect(stdout).toBe('C blue\n');
});

test('a deadline that passed is 124, a signal 128', async () => {
  expect((await run('sleep', ['60'], { timeoutMs: 100 })).exitCode).toBe(124);
  expect((await run('sh', ['-c', 'kill -TERM $$'])).exitCode).toBe(128);
});

test('a program that is not there is an error that names it', async () => {
  await expect(run('no-such-program-here', [])).rejects.toMatchObject({
    message: 'no-such-program-here is not installed',
    code: expect.stringMatching(/^(?:ENOENT|EACCES)$/) as string,
  });
  await expect(run('/etc/passwd', [])).rejects.toThrow('/etc/passwd cannot be started (EACCES)');
});
