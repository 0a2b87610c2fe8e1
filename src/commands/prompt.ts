import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';

/** Asks a person at the terminal. Every question rejects with Interrupted on Ctrl-C and at the end of the input. */
export type Ask = {
  /** The answer without white space around it; empty: only Enter was pressed. */
  line(question: string): Promise<string>;
  /** The same, and nothing that is typed is shown. */
  secret(question: string): Promise<string>;
};

export class Interrupted extends Error {}

export const terminalAsk: Ask = {
  line: (question) => ask(question, false),
  secret: (question) => ask(question, true),
};

function ask(question: string, hidden: boolean): Promise<string> {
  const discard = new Writable({ write: (_chunk, _encoding, done) => done() });
  return new Promise((resolve, reject) => {
    // As a terminal, readline switches the echo off and draws what is typed itself: onto nothing, where it is hidden.
    const lines = createInterface({
      input: process.stdin,
      output: hidden ? discard : process.stdout,
      terminal: true,
      historySize: 0,
    });
    let answer: string | undefined;
    lines.once('close', () => {
      if (hidden || answer === undefined) process.stdout.write('\n');
      if (answer === undefined) reject(new Interrupted('interrupted'));
      else resolve(answer.trim());
    });
    lines.once('SIGINT', () => lines.close());
    // Back from Ctrl-Z: readline has paused its input, and would let the program end.
    lines.on('SIGCONT', () => {
      if (hidden) process.stdout.write(question);
      lines.prompt(true);
    });
    if (hidden) process.stdout.write(question);
    lines.question(hidden ? '' : question, (text) => {
      answer = text;
      lines.close();
    });
  });
}
