// `npm run fuzz -- --inputs 1000000 --seed 7 --only "monitor.conf"` is the long run. What fails is printed with its seed and its input.
import fc from 'fast-check';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { serveHttp } from '../../src/daemon/http.ts';
import { SECRET, TARGETS, type Target } from './targets.ts';

const inputs = Number(process.env.FUZZ_INPUTS ?? 5000);
const seed = Number(process.env.FUZZ_SEED ?? 20_261_129);
const only = process.env.FUZZ_ONLY;
/** Without one name: all. */
const chosen = TARGETS.filter(({ name }) => only === undefined || name === only);
const each = Math.ceil(inputs / chosen.length);
/** Processor time, so that a busy machine does not look like a hang. */
const SLOW_MS = 1000;
const MOST_BYTES = 400 * 1_048_576;

/** What a program that meets an input it did not expect throws. */
const MISTAKES = [TypeError, RangeError, ReferenceError, SyntaxError, URIError];

/** A sample that was damaged: bytes changed, cut out, doubled, put in; or two samples grown together. */
function mutated(samples: readonly Buffer[]): fc.Arbitrary<Buffer> {
  const place = fc.nat(100_000);
  const bits = fc.oneof(
    fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
    fc
      .constantFrom(
        '\0',
        '\n',
        '\r\n',
        '=',
        '"',
        "'",
        '\\',
        '{',
        '}',
        '[',
        ']',
        ':',
        ',',
        '-1',
        '1e999',
        '\ud800',
        '\u{1f600}',
        '9'.repeat(40),
        '%',
        '__proto__',
        'null',
        '\u001b[31m',
        '<b>',
        '&#',
      )
      .map((bit) => Buffer.from(bit)),
  );
  const change = fc.record({
    at: place,
    length: fc.nat(40),
    put: bits,
    times: fc.constantFrom(1, 1, 1, 2, 500),
  });
  return fc
    .record({
      sample: fc.constantFrom(...samples),
      other: fc.constantFrom(...samples),
      join: fc.nat(9),
      changes: fc.array(change, { maxLength: 6 }),
    })
    .map(({ sample, other, join, changes }) => {
      let bytes =
        join === 0
          ? Buffer.concat([sample.subarray(0, sample.length / 2), other.subarray(other.length / 3)])
          : sample;
      for (const { at, length, put, times } of changes) {
        const from = at % (bytes.length + 1);
        const inserted = Buffer.concat(Array.from({ length: times }, () => put));
        bytes = Buffer.concat([bytes.subarray(0, from), inserted, bytes.subarray(from + length)]);
      }
      return bytes;
    });
}

/** JSON with some of its values replaced by others of any kind. */
function reshaped(samples: readonly Buffer[]): fc.Arbitrary<Buffer> | undefined {
  const values = samples.flatMap((sample) => {
    try {
      return [JSON.parse(sample.toString()) as unknown];
    } catch {
      return [];
    }
  });
  if (values.length === 0) return undefined;
  const swap = fc.record({ at: fc.nat(200), value: fc.jsonValue({ maxDepth: 2 }) });
  return fc
    .record({ value: fc.constantFrom(...values), swaps: fc.array(swap, { maxLength: 4 }) })
    .map(({ value, swaps }) => {
      let result = value;
      for (const { at, value: other } of swaps) result = replaceAt(result, at, other);
      return Buffer.from(JSON.stringify(result) ?? 'null');
    });
}

function replaceAt(value: unknown, at: number, other: unknown): unknown {
  let left = at;
  const walk = (part: unknown): unknown => {
    if (left-- === 0) return other;
    if (Array.isArray(part)) return part.map(walk);
    if (typeof part !== 'object' || part === null) return part;
    return Object.fromEntries(Object.entries(part).map(([key, inner]) => [key, walk(inner)]));
  };
  return walk(value);
}

function inputsFor(target: Target): fc.Arbitrary<Buffer> {
  const samples = target.samples.map((sample) => Buffer.from(sample as string));
  const json = reshaped(samples);
  return fc.oneof(
    { weight: 6, arbitrary: mutated(samples) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 200 }).map((text) => Buffer.from(text)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
    ...(json ? [{ weight: 6, arbitrary: json }] : []),
  );
}

function check(target: Target, input: Buffer): void {
  const began = process.cpuUsage();
  let shown: unknown;
  try {
    shown = target.run(input);
  } catch (error) {
    if (!(error instanceof Error)) throw new Error('something was thrown that is no Error', { cause: error });
    const documented = target.throws?.some((kind) => error instanceof kind) === true;
    if (!documented && MISTAKES.some((kind) => error instanceof kind)) throw error;
    shown = error.message;
  }
  const { user } = process.cpuUsage(began);
  expect(user / 1000, 'ms of processor time').toBeLessThan(SLOW_MS);
  const text =
    typeof shown === 'string'
      ? shown
      : JSON.stringify(shown, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
  expect(text ?? '').not.toContain(SECRET);
}

describe('what comes from outside, damaged in every way', () => {
  it.each(chosen)('$name', { timeout: 3_600_000 }, (target) => {
    const before = process.memoryUsage();
    fc.assert(
      fc.property(inputsFor(target), (input) => check(target, input)),
      { numRuns: each, seed, endOnFailure: process.env.FUZZ_INPUTS !== undefined },
    );
    const after = process.memoryUsage();
    const grown = after.heapUsed + after.external - before.heapUsed - before.external;
    expect(grown, 'bytes of memory').toBeLessThan(MOST_BYTES);
  });
});

describe('damaged HTTP requests', () => {
  it('leave the two pages there for everybody else', { timeout: 600_000 }, async () => {
    const pages = { health: () => ({ status: 200, body: {} }), metrics: () => 'up 1\n' };
    const server = await serveHttp('127.0.0.1:0', pages);
    const [host, port] = server.address.split(':');
    const requests = [
      'GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
      'POST /metrics?x=%00 HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
      'GET http://evil.example/health HTTP/1.0\r\nHost: a@b\r\nExpect: 100-continue\r\nUpgrade: websocket\r\n\r\n',
    ].map((text) => Buffer.from(text));
    const send = (bytes: Buffer) =>
      new Promise<string>((resolve) => {
        let answer = '';
        const client = connect({ port: Number(port), host, allowHalfOpen: true }, () => client.end(bytes));
        client.setTimeout(50, () => client.destroy());
        client.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
        client.on('error', () => undefined);
        client.on('close', () => resolve(answer));
      });
    try {
      await fc.assert(
        fc.asyncProperty(mutated(requests), async (bytes) => {
          const answer = await send(bytes);
          if (answer !== '')
            expect(answer).toMatch(/^HTTP\/1\.1 (?:100|200|400|403|404|405|408|413|417|431) /);
        }),
        { numRuns: Math.min(2000, Math.ceil(each / 2)), seed },
      );
      // A client that gives up after 50 ms may do so too early on a busy machine.
      await expect.poll(() => send(requests[0]!)).toMatch(/^HTTP\/1\.1 200 /);
    } finally {
      await server.close();
    }
  });
});
