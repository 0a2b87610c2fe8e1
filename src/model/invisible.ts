/** What a terminal acts on or shows nothing for: it must be gone before anything looks for secrets, or it hides them. */

/**
 * ECMA-48 control functions, 7 and 8 bit: CSI; the strings OSC, DCS, SOS, PM, APC (to ST or BEL, or to the end of the line where
 * that is missing, as terminals do); charset and other escapes. Each part is linear: lines are hostile. A run of ESC counts as one
 * (see visible): `\u001b+` here would look through the whole run again from each of its characters.
 */
const SEQUENCES = new RegExp(
  [
    String.raw`(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]`,
    String.raw`(?:\u001b[\]PX^_]|[\u0090\u0098\u009d-\u009f])[^\u0007\u001b\u009c\n]*(?:\u0007|\u001b\\|\u009c)?`,
    String.raw`\u001b[ -/]*[0-~]`,
    // Colours as JSON, shells and source code write them.
    String.raw`\\(?:u001[bB]|x1[bB]|033|e)\[[0-9;]{0,16}m`,
  ].join('|'),
  'g',
);

/** Zero-width and other default-ignorable characters (Unicode DerivedCoreProperties); a symbol keeps its emoji form. */
const ZERO_WIDTH =
  /(?!(?<=\p{Extended_Pictographic})\ufe0f)[\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]/gu;

// oxlint-disable-next-line no-control-regex -- taking control characters out is the point
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g;

// oxlint-disable-next-line no-control-regex -- and so is this
const ESCAPES = /\u001b+/g;

/** Takes out escape sequences, overstruck letters, control and zero-width characters; keeps tabs, line feeds and returns. */
export function visible(text: string): string {
  if (!/[^\t\n\r -[\]-~]/.test(text)) return text;
  const shown = text.replace(ESCAPES, '\u001b').replace(SEQUENCES, '');
  return overstruck(shown).replace(CONTROL, '').replace(ZERO_WIDTH, '');
}

/** Without the line and paragraph separators of Unicode, which many terminals show nothing for. */
export function withoutSeparators(text: string): string {
  return text.replace(/[\u2028\u2029]/g, '');
}

/** JSON as many programs write it, in ASCII. */
export function inAscii(json: string): string {
  return json.replace(/[^\n -~]/g, escaped);
}

const HIDDEN = /[\u007f-\u009f\u2028\u2029\ufff9-\ufffb]|\p{Default_Ignorable_Code_Point}/gu;

/** The same JSON, in which nothing moves a cursor, breaks a line, hides, or turns the text around. */
export function safeJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(HIDDEN, inAscii);
}

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** What is left on the line after backspaces: programs write bold as `x`, backspace, `x`. */
function overstruck(text: string): string {
  if (!text.includes('\b')) return text;
  const left: string[] = [];
  for (const character of text) {
    if (character !== '\b') left.push(character);
    else if (left.at(-1) !== '\n') left.pop();
  }
  return left.join('');
}

/** CSI that moves to the beginning of a line or of the screen, or clears it (CHA, CUB by 100 and more, CUP, ED, EL). */
// oxlint-disable-next-line no-control-regex -- and this
const TO_THE_BEGINNING = /(?:\u001b\[|\u009b)(?:[01]?G|\d{3,6}D|(?:[01]?(?:;[01]?)?)[Hf]|[23]J|2K)/g;

/** Cursor movements as the carriage returns that they amount to: spinners and progress bars use either. */
export function drawnOver(text: string): string {
  return text.replace(TO_THE_BEGINNING, '\r');
}

/** The last state of each line that a program drew over and over with carriage returns: a progress bar. */
export function lastState(text: string): string {
  if (!text.includes('\r')) return text;
  return text.split('\n').map(lastStateOfLine).join('\n');
}

function lastStateOfLine(line: string): string {
  let end = line.length;
  while (line[end - 1] === '\r') end -= 1;
  return line.slice(line.lastIndexOf('\r', end - 1) + 1, end);
}
