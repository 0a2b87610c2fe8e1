import { formatBytes } from '../../model/text.ts';
import { styleFor, width, wrapBehind, type Style } from './style.ts';

/** What is shown of a plan; that of `install` has more in it. */
export type PlanStep =
  | { kind: 'folder' | 'write'; path: string; mode: number; why: string }
  | { kind: 'copy'; path: string; files: { path: string; size: number }[]; why: string }
  | { kind: 'link'; path: string; target: string; why: string }
  | { kind: 'remove' | 'remove-empty'; path: string; why: string }
  | { kind: 'run'; command: string[]; why: string };

export type PlanView = { steps: PlanStep[]; unchanged: string[]; notes: string[] };

/** The plan as `--dry-run` prints it: every file and command, in order. */
export function renderPlan(plan: PlanView, color: boolean, wrapAt?: number): string {
  const style = styleFor(color);
  const lines: string[] = [];
  if (plan.steps.length === 0) lines.push('Nothing to do.');
  else lines.push(style.bold('Would do, in this order:'));
  for (const step of plan.steps) lines.push(...stepLines(step, style, wrapAt));
  if (plan.unchanged.length > 0)
    lines.push('', style.bold('As it should be already:'), ...plan.unchanged.map((what) => `  ${what}`));
  lines.push(...renderNotes(plan.notes, style, wrapAt));
  return `${lines.join('\n')}\n`;
}

/** One step, as it is done. */
export function renderStep(step: PlanStep, color: boolean): string {
  return stepLines(step, styleFor(color))[0] ?? '';
}

export type FailureView = {
  done: PlanStep[];
  failed: PlanStep;
  why: string;
  left: PlanStep[];
  hints: string[];
};

/** Half-way: what was done stands above; what failed, why, what is left, and how to go on. */
export function renderFailure(view: FailureView, color: boolean): string {
  const style = styleFor(color);
  const lines = [
    '',
    `${style.bad('Failed:')} ${shortStep(view.failed)}`,
    `  ${view.why}`,
    '',
    view.done.length > 0 ? 'What is listed above was done.' : 'Nothing was done.',
  ];
  if (view.left.length > 0) lines.push('Left to do:', ...view.left.map((step) => `  ${shortStep(step)}`));
  lines.push('', ...view.hints);
  return `${lines.join('\n')}\n`;
}

export function renderNotes(notes: string[], style: Style, wrapAt?: number): string[] {
  if (notes.length === 0) return [];
  return ['', ...notes.flatMap((note) => wrapBehind(`${style.warn('Note:')} `, note, wrapAt))];
}

/** A reason that does not fit beside its step stands below it: a path must not be broken in the middle. */
function stepLines(step: PlanStep, style: Style, wrapAt = Infinity): string[] {
  const what = `  ${shortStep(step)}`;
  const fits = width(what) + width(step.why) + 4 <= wrapAt;
  const first = fits
    ? [`${what}${style.dim(`  (${step.why})`)}`]
    : [what, ...wrapBehind('      ', `(${step.why})`, wrapAt).map((line) => style.dim(line))];
  if (step.kind !== 'copy') return first;
  return [...first, ...step.files.map((file) => style.dim(`      ${file.path}`))];
}

function shortStep(step: PlanStep): string {
  switch (step.kind) {
    case 'folder':
      return `create folder  ${step.path}  ${octal(step.mode)}`;
    case 'write':
      return `write          ${step.path}  ${octal(step.mode)}`;
    case 'copy': {
      const bytes = step.files.reduce((sum, file) => sum + file.size, 0);
      return `copy           ${step.path}  ${step.files.length} files, ${formatBytes(bytes)}`;
    }
    case 'link':
      return `link           ${step.path} -> ${step.target}`;
    case 'remove':
      return `remove         ${step.path}`;
    case 'remove-empty':
      return `remove         ${step.path}, if empty`;
    case 'run':
      return `run            ${step.command.join(' ')}`;
  }
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
