import { describe, expect, it } from 'vitest';
import { essenceOf, isRecorded } from '../../src/recorder/essence.ts';
import type { Incident } from '../../src/model/incident.ts';
import { leakingRecording, MB } from './flights.ts';

describe('the minutes before, in three lines', () => {
  it('states who held how much, what grew, and what was waited for', () => {
    expect(essenceOf(leakingRecording(), 'host')).toEqual([
      'Before: scraper 702 MB + 198 MB swap, busy 120 MB, n8n 90 MB; 38 MB of 1 GB were available',
      'In the 9 min 55 s before scraper grew by 690 MB, swap use by 250 MB',
      'Waiting for (last minute): memory 92 %, disk 40 %, CPU 12 %; swap-in 5,100 KB/s; load 8.5',
    ]);
  });

  it('names the container that it is about first, also where it is not there any more', () => {
    const recording = leakingRecording();
    recording.samples.at(-1)!.containers = recording.samples
      .at(-1)!
      .containers.filter(({ name }) => name !== 'n8n');
    expect(essenceOf(recording, 'n8n')[0]).toMatch(/^Before: n8n 90 MB, scraper 702 MB \+ 198 MB swap, busy/);
  });

  it('counts what was worst in the last minute: after a kill its memory is free, and it starts anew', () => {
    const recording = leakingRecording();
    const last = recording.samples.at(-1)!;
    recording.samples.push({
      ...last,
      at: last.at + 5000,
      availableBytes: 800 * MB,
      swapUsedBytes: 12 * MB,
      containers: [{ name: 'scraper', heldBytes: 60 * MB, swapBytes: 0 }, ...last.containers.slice(1)],
    });
    expect(essenceOf(recording, 'scraper').slice(0, 2)).toEqual([
      'Before: scraper 702 MB + 198 MB swap, busy 120 MB, n8n 90 MB; 38 MB of 1 GB were available',
      'In the 9 min 55 s before scraper grew by 690 MB, swap use by 250 MB',
    ]);
  });

  it('states that nothing grew, or that it was no container', () => {
    const recording = leakingRecording();
    for (const sample of recording.samples) {
      sample.containers = [];
      sample.swapUsedBytes = 0;
    }
    expect(essenceOf(recording, 'web')[1]).toBe(
      'In the 9 min 55 s before available memory fell by 602 MB, and no container grew by it',
    );
    const falls = recording.samples.length;
    for (const [i, sample] of recording.samples.entries())
      sample.availableBytes = (500 + (19 * (falls - i)) / falls) * MB;
    expect(essenceOf(recording, 'web')[1]).toBe('In the 9 min 55 s before nothing grew');
    for (const sample of recording.samples) sample.availableBytes = 500 * MB;
    expect(essenceOf(recording, 'web').slice(0, 2)).toEqual([
      'Before: 500 MB of 1 GB were available',
      'In the 9 min 55 s before nothing grew',
    ]);
  });

  it('is empty, or states what is not known, where nothing was recorded or read', () => {
    expect(essenceOf({ ...leakingRecording(), samples: [] }, 'web')).toEqual([]);
    const at = leakingRecording().samples[0]!.at;
    const lines = essenceOf({ ...leakingRecording(), samples: [{ at, containers: [] }] }, 'web');
    // "In the 0.0 s before nothing grew" would be no news.
    expect(lines).toEqual(['Before: nothing could be read', 'Waiting for (last minute): not known here']);
  });
});

describe('what is recorded', () => {
  it.each([
    ['oom-kill', 'critical', true],
    ['memory-available', 'critical', true],
    ['memory-available', 'warning', false],
    ['memory-pressure', 'critical', true],
    ['swap-used', 'critical', true],
    ['container-stopped', 'critical', true],
    // On request.
    ['container-stopped', 'warning', false],
    ['container-restarting', 'warning', true],
    ['unclean-reboot', 'critical', true],
    ['disk', 'critical', false],
  ] as const)('%s, %s: %s', (rule, severity, expected) => {
    expect(isRecorded({ rule, severity })).toBe(expected);
  });

  it.each([
    ['ends by itself with exit code 0', { cause: 'crash' }, true],
    ['was killed from outside', { cause: 'signal' }, true],
    ['was stopped on request', { cause: 'request' }, false],
  ])('a container that %s, a warning: %s', (_, death, expected) => {
    const fact = { kind: 'stopped', death } as Incident['fact'];
    expect(isRecorded({ rule: 'container-stopped', severity: 'warning', ...(fact ? { fact } : {}) })).toBe(
      expected,
    );
    expect(
      isRecorded({
        rule: 'container-stopped',
        severity: 'info',
        fact: { ...fact, over: 'job' } as Incident['fact'] & object,
      }),
    ).toBe(false);
  });
});
