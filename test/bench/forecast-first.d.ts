/** A number from 0 to 1, the same ones for the same seed. */
export function random(seed: number): () => number;
