import { expect, it } from 'vitest';
import { htmlToPlain, TEXT_MAX } from '../../src/model/html.ts';
import { renderList } from '../../src/outputs/telegram/living.ts';
import { incidentOf } from '../helpers/incident.ts';

it.each([10, 60, 200, 500])(
  'a list of %i incidents is one message while it lasts and as they end',
  (count) => {
    for (const name of ['c', 'project-with-a-long-name-worker-'.repeat(3), '&<'.repeat(30)])
      for (const over of [0, 1, count - 1, count]) {
        const all = Array.from({ length: count }, (_, i) =>
          incidentOf({
            id: i + 1,
            subject: `${i}-${name}`,
            ack: { by: 'A'.repeat(60), at: 0, severity: 'critical' },
            ...(i < over ? { state: 'resolved', resolvedAt: i, endText: `${name} runs again` } : {}),
          }),
        );
        const { html } = renderList('🔴 <b>Services Stopped</b>', all, 'h'.repeat(60), 0);
        expect(htmlToPlain(html).length).toBeLessThanOrEqual(TEXT_MAX);
        expect(html).toContain('0-');
      }
  },
);
