/** The number of single letters to add, take away, change or swap with their neighbour to get from one word to the other. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min(previous[j]! + 1, current[j - 1]! + 1, previous[j - 1]! + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) best = Math.min(best, before[j - 2]! + 1);
      current.push(best);
    }
    before = previous;
    previous = current;
  }
  return previous[b.length]!;
}

/** The known word that was probably meant: at most a third of its letters differ, whatever the case. */
export function suggest(word: string, known: readonly string[]): string | undefined {
  if (word.length > 80) return undefined;
  const normal = normalise(word);
  let best: { word: string; distance: number } | undefined;
  for (const candidate of known) {
    const target = normalise(candidate);
    if (Math.abs(target.length - normal.length) > target.length / 3) continue;
    const distance = editDistance(normal, target);
    if (distance > target.length / 3) continue;
    if (!best || distance < best.distance) best = { word: candidate, distance };
  }
  return best?.word;
}

function normalise(word: string): string {
  return word.toLowerCase().replace(/[-.\s]/g, '_');
}
