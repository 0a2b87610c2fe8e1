import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { byteTicks, timeTicks } from '../../src/outputs/report/chart-axis.ts';
import { CHART_HEIGHT, CHART_WIDTH, renderChart } from '../../src/outputs/report/chart.ts';
import { fontFiles, rasterize } from '../../src/system/rasterize.ts';
import { CHART_DAYS, MORNING } from '../helpers/chart-days.ts';

const MB = 1_048_576;
const HOUR = 3_600_000;

/** The words of an SVG in their order. */
function words(svg: string): string[] {
  return [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map((match) =>
    match[1]!.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&'),
  );
}

/** How many pieces the line of this colour has. */
function pieces(svg: string, color: string): number {
  const line = [...svg.matchAll(/<path d="([^"]*)"[^>]*>/g)].find(
    (match) => match[0].includes(`stroke="${color}"`) && match[0].includes('fill="none"'),
  );
  return line ? line[1]!.split('M').length - 1 : 0;
}

test.each([
  [2, '2 days until Saturday 31 January, 08:00', ['Fri', 'Sat']],
  [7, '7 days until Saturday 31 January, 08:00', ['Sun', 'Mon', 'Thu', 'Fri', 'Sat']],
  [30, '30 days until Saturday 31 January, 08:00', ['2 Jan', '6 Jan', '30 Jan']],
  [90, '90 days until Saturday 31 January, 08:00', ['3 Nov', '15 Nov', '26 Jan']],
])('the picture of %i days names them, and marks days', (days, head, ticks) => {
  const day = CHART_DAYS.quiet!();
  const from = MORNING - days * 24 * HOUR;
  const points = Array.from({ length: 480 }, (_, i) => ({
    at: from + ((MORNING - from) * i) / 480,
    max: 1e8 + i,
  }));
  const panels = [{ ...day.panels[0]!, points }];
  const marks = [
    { from: MORNING - 40 * HOUR, to: MORNING - 38 * HOUR, severity: 'critical' as const, text: 'x' },
  ];
  const text = words(renderChart({ ...day, from, panels, marks }));
  for (const expected of [head, ...ticks]) expect(text).toContain(expected);
  expect(text.filter((word) => /^(\w{3}|\d+ \w{3})$/.test(word)).length).toBeLessThanOrEqual(8);
  expect(text.join('\n')).toMatch(/^1 +Thu 16:00-18:00 +x$/m);
  expect(text.join('\n')).toMatch(/^now /m);
});

// A line that lies far above the picture made the library that draws it end the process with SIGABRT.
test('what was used while the swap was larger is within the picture', async () => {
  const day = CHART_DAYS.quiet!();
  const points = Array.from({ length: 200 }, (_, i) => ({ at: day.to - i * 60_000, max: (2048 + i) * MB }));
  const panels = [{ ...day.panels[0]!, title: 'Swap used', points: points.toReversed(), max: 5 * MB }];
  const svg = renderChart({ ...day, panels });
  expect(words(svg)).toContain('1 GB');
  expect(svg).not.toMatch(/ -\d{3,}\.?\d*L/);
  expect((await rasterize(svg, 256)).subarray(1, 4).toString()).toBe('PNG');
});

describe('the picture of a day', () => {
  test('names what it shows, now and at its peak, in local times', () => {
    const text = words(renderChart(CHART_DAYS.quiet!()));
    for (const expected of [
      'vps-falkenstein-1',
      '24 hours until Saturday 31 January, 08:00',
      'Memory used',
      'Swap used',
      'Memory pressure, 0 to 100',
      '512 MB',
      '1 GB',
      '1.9 GB',
      '08:00',
      '12:00',
      '20:00',
      '00:00',
      '04:00',
    ])
      expect(text).toContain(expected);
    expect(text.filter((line) => /^now .*, peak .* at \d\d:\d\d$/.test(line))).toHaveLength(3);
  });

  test('a gap is a gap in the line, and named', () => {
    const gap = renderChart(CHART_DAYS.gap!());
    expect(pieces(gap, '#1f5fa8')).toBe(2);
    expect(words(gap)).toContain('no data');
    expect(pieces(renderChart(CHART_DAYS.quiet!()), '#1f5fa8')).toBe(1);
  });

  test('one value alone can be seen, whether it is the only one or lies between two holes', () => {
    const input = CHART_DAYS.quiet!();
    const [panel] = input.panels;
    const one = { at: input.to - 60_000, max: 900 * MB };
    const early = { at: input.from + 5 * HOUR, max: 500 * MB };
    for (const points of [[one], [early], [early, one]]) {
      const svg = renderChart({ ...input, panels: [{ ...panel!, points }] });
      const line = /<path d="([^"]*)" fill="none"[^>]*stroke="#1f5fa8"/.exec(svg)?.[1] ?? '';
      // Each piece has a length: a dot of two pixels.
      const lengths = [...line.matchAll(/M([\d.]+) [\d.]+L([\d.]+) /g)].map(
        ([, a, b]) => Number(b) - Number(a),
      );
      expect(lengths).toHaveLength(points.length);
      for (const length of lengths) expect(length).toBeGreaterThanOrEqual(1.9);
    }
  });

  test('what is no number is no value: a hole', () => {
    const input = CHART_DAYS.quiet!();
    const panels = input.panels.map((panel) => ({
      ...panel,
      points: panel.points.map((point, i) => (i % 100 < 10 ? { ...point, max: Number.NaN } : point)),
    }));
    const svg = renderChart({ ...input, panels });
    expect(svg).not.toContain('NaN');
    expect(pieces(svg, '#1f5fa8')).toBe(5);
  });

  test('pictographs that the font has not are left out, faces and letters stay', () => {
    const text = words(renderChart({ ...CHART_DAYS.quiet!(), hostname: '🔥 prod 🇩🇪 😀 ☎️' }));
    expect(text).toContain('prod  😀 ☎');
  });

  test('what was read hours ago is not now', () => {
    const input = CHART_DAYS.quiet!();
    const panels = input.panels.map((panel) => ({
      ...panel,
      points: panel.points.filter(({ at }) => at < MORNING - 3 * HOUR),
    }));
    const text = words(renderChart({ ...input, panels }));
    expect(text.filter((line) => line.startsWith('at 04:57 '))).toHaveLength(3);
    expect(text.some((line) => line.startsWith('now'))).toBe(false);
  });

  test('incidents are numbered bands, with their names and times below', () => {
    const svg = renderChart(CHART_DAYS.leak!());
    const text = words(svg);
    expect(text.filter((line) => /^\d [^ ]*\d\d:\d\d/.test(line))).toEqual([
      '1 00:00-04:00 Swap use is 1.6 GB, above 1 GB',
      '2 02:00-03:12 Available memory is 87 MB, below 100 MB',
      '3 02:42-03:15 Memory pressure is 92 of 100, at least 80 for 30 s',
      '4 03:10 OOM kill: node (pid 3087) in n8n, limit 1 GB',
    ]);
    // A number over its band in each of the three panels.
    for (const number of ['1', '2', '3', '4']) expect(text.filter((line) => line === number)).toHaveLength(3);
    expect(svg.match(/rgb\(200,30,30\)|rgba\(200,30,30/g)!.length).toBeGreaterThanOrEqual(6);
  });

  test('of many incidents the critical ones are listed, and the others counted', () => {
    const text = words(renderChart(CHART_DAYS.storm!()));
    expect(text.filter((line) => line.includes('8,412 KB/s') || line.includes('97 of 100'))).toHaveLength(2);
    expect(text.some((line) => line.startsWith('5 since 06:30 Container shop-n8n-worker-1 stopped'))).toBe(
      true,
    );
    expect(text).toContain('and 7 more');
  });

  test('the first hour has an axis of its own, and a host without swap says so', () => {
    const first = words(renderChart(CHART_DAYS['first hour']!()));
    expect(first).toContain('50 min until Saturday 31 January, 08:00');
    expect(first).toContain('07:15');
    const without = words(renderChart(CHART_DAYS['no swap']!()));
    expect(without).toContain('This host has no swap.');
    expect(without).not.toContain('Swap used');
  });

  test('names from outside cannot become markup', () => {
    const input = CHART_DAYS.quiet!();
    const svg = renderChart({
      ...input,
      hostname: '</text><script>alert(1)</script>',
      marks: [
        { from: input.from, to: input.to, severity: 'critical', text: '<image href="file:///etc/passwd"/>' },
      ],
    });
    expect(svg).not.toMatch(/<script|<image/);
    expect(words(svg)).toContain('</text><script>alert(1)</script>');
  });

  test('without a single point it is still a picture', () => {
    const input = CHART_DAYS.quiet!();
    const svg = renderChart({ ...input, panels: input.panels.map((panel) => ({ ...panel, points: [] })) });
    expect(words(svg).filter((line) => line === 'no data')).toHaveLength(3);
  });
});

describe('drawn', () => {
  test('it is a PNG of 1024 x 1280 pixels, which Telegram does not scale', async () => {
    const png = await rasterize(renderChart(CHART_DAYS.leak!()), 2 * CHART_WIDTH);
    expect(png.subarray(1, 4).toString()).toBe('PNG');
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([2 * CHART_WIDTH, 2 * CHART_HEIGHT]);
    expect(png.length).toBeLessThan(400_000);
  });

  test('the words are drawn with the fonts that come along', async () => {
    expect(fontFiles()).toHaveLength(2);
    const svg = renderChart(CHART_DAYS.quiet!());
    const silent = svg.replace(/<text[^>]*>[^<]*<\/text>/g, '');
    const [spoken, mute] = [await rasterize(svg, 512), await rasterize(silent, 512)];
    expect(spoken.length).toBeGreaterThan(mute.length * 1.3);
    // Bold is a file of its own.
    const bold = await rasterize(
      svg.replaceAll('font-weight="bold"', '').replaceAll(/font-weight:bold;?/g, ''),
      512,
    );
    expect(bold.equals(spoken)).toBe(false);
  });

  test('what is no SVG is an error', async () => {
    await expect(rasterize('<svg', 100)).rejects.toThrow();
  });
});

describe('ticks', () => {
  test('of memory are round in binary', () => {
    expect(byteTicks(2048 * MB).map((value) => value / MB)).toEqual([0, 512, 1024, 1536, 2048]);
    expect(byteTicks(1968 * MB, 4).map((value) => value / MB)).toEqual([0, 512, 1024, 1536, 1968]);
    expect(byteTicks(1024 * MB, 4).map((value) => value / MB)).toEqual([0, 256, 512, 768, 1024]);
    expect(byteTicks(100)).toEqual([0]);
  });

  describe('of time, in Berlin', () => {
    beforeAll(() => void vi.stubEnv('TZ', 'Europe/Berlin'));
    afterAll(() => void vi.unstubAllEnvs());
    const clock = (ticks: number[]) => ticks.map((at) => new Date(at).toTimeString().slice(0, 5));

    test('are full hours of the clock on the wall, also in the night in which it is put forward', () => {
      const to = new Date(2026, 2, 29, 8, 0).getTime();
      const ticks = timeTicks(to - 24 * HOUR, to);
      expect(clock(ticks)).toEqual(['08:00', '12:00', '16:00', '20:00', '00:00', '04:00', '08:00']);
      expect((ticks[5]! - ticks[4]!) / HOUR).toBe(3);
    });

    test('and back', () => {
      const to = new Date(2026, 9, 25, 8, 0).getTime();
      const ticks = timeTicks(to - 24 * HOUR, to);
      expect(clock(ticks)).toEqual(['12:00', '16:00', '20:00', '00:00', '04:00', '08:00']);
      expect((ticks[4]! - ticks[3]!) / HOUR).toBe(5);
    });

    test('of a short time are quarters of an hour', () => {
      expect(clock(timeTicks(MORNING - HOUR, MORNING))).toHaveLength(5);
    });
  });
});
