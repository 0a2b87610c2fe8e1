/** An error whose text is one plain sentence for people already. `code` is that of the error behind it. */
export class Explained extends Error {
  readonly code: string | undefined;
  constructor(text: string, code?: string) {
    super(text);
    this.code = code;
  }
}

/** One plain sentence, made by `sentence`, that says what a person can do something about. Keeps `code`; what is explained stays. */
export function explained(
  error: unknown,
  sentence: (error: unknown, code: string | undefined) => string,
): Explained {
  if (error instanceof Explained) return error;
  const code = (error as { code?: string } | undefined)?.code;
  return new Explained(sentence(error, code), code);
}
