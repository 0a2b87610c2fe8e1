import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Story } from './story.ts';
import { tell } from './tell.ts';

const folder = new URL('stories/', import.meta.url);
const files = readdirSync(folder).filter((file) => file.endsWith('.ts'));

test('there are stories', () => {
  expect(files.length).toBeGreaterThan(10);
});

for (const file of files) {
  const { stories } = (await import(new URL(file, folder).href)) as { stories: Story[] };
  for (const story of stories) {
    test(`${file.replace('.ts', '')}: ${story.name}`, () => {
      const told = tell(story);
      expect(told.said).toEqual(story.said);
      if (story.incidents) expect(told.incidents).toEqual(story.incidents);
    });
  }
}
