// Some of the photos, as the address names them: by a lasso, a class, the errors, what lies among another class.

import { inside, outlineOf, outlineText, simpler, type Outline } from './region';
import { isStranger, nameOf, type Laid } from './laid';

export type Choice =
  | { kind: 'lasso'; outline: Outline }
  | { kind: 'label' | 'predicted'; number: number }
  | { kind: 'wrong' | 'strangers' };

/** Choice -> text of an address: "lasso:120,300,...", "label:3", "wrong". */
export function choiceText(choice: Choice): string {
  if (choice.kind === 'lasso') return `lasso:${outlineText(simpler(choice.outline))}`;
  return 'number' in choice ? `${choice.kind}:${choice.number}` : choice.kind;
}

/** Text of an address -> the Choice; null where it names none. */
export function choiceOf(text: string | null): Choice | null {
  const [kind, rest = ''] = (text ?? '').split(':');
  if (kind === 'wrong' || kind === 'strangers') return { kind };
  if ((kind === 'label' || kind === 'predicted') && /^\d+$/.test(rest)) return { kind, number: Number(rest) };
  const outline = kind === 'lasso' ? outlineOf(rest) : null;
  return outline ? { kind: 'lasso', outline } : null;
}

/** The photos that a choice means, in their order. */
export function chosen(laid: Laid, choice: Choice): number[] {
  const test = tester(laid, choice);
  return Array.from({ length: laid.count }, (_, i) => i).filter(test);
}

function tester(laid: Laid, choice: Choice): (i: number) => boolean {
  switch (choice.kind) {
    case 'lasso':
      return (i) => inside(choice.outline, laid.x[i]!, laid.y[i]!);
    case 'label':
    case 'predicted':
      return (i) => laid[choice.kind][i] === choice.number;
    case 'wrong':
      return (i) => laid.label[i]! >= 0 && laid.wrong?.[i] === 1;
    case 'strangers':
      return (i) => isStranger(laid, i);
  }
}

/** What a choice is called. */
export function choiceName(laid: Laid, choice: Choice): string {
  switch (choice.kind) {
    case 'lasso':
      return 'Inside the outline';
    case 'label':
      return `Class ${nameOf(laid, 'label', choice.number)}`;
    case 'predicted':
      return `Answered ${nameOf(laid, 'predicted', choice.number)}`;
    case 'wrong':
      return 'Answered wrongly';
    case 'strangers':
      return 'Among another class';
  }
}

/** Photos -> how many of them are of each class, the commonest first. */
export function tally(numbers: Iterable<number>): [number, number][] {
  const found = new Map<number, number>();
  for (const n of numbers) found.set(n, (found.get(n) ?? 0) + 1);
  return [...found].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
}

const HEAD = ['name', 'class', 'prediction', 'probability', 'error', 'neighbours of its class', 'x', 'y'];

/** Photos -> CSV (RFC 4180) with what is known of each. */
export function csv(laid: Laid, photos: readonly number[]): string {
  const rows = photos.map((i) => {
    const known = laid.label[i]! >= 0;
    return [
      laid.head.names[i] ?? '', known ? nameOf(laid, 'label', laid.label[i]!) : '', nameOf(laid, 'predicted', laid.predicted[i]!),
      laid.probability[i]!.toFixed(4), known && laid.wrong ? (laid.wrong[i] ? 'yes' : 'no') : '',
      Number.isNaN(laid.agree[i]) ? '' : laid.agree[i]!.toFixed(2), laid.x[i]!.toFixed(5), laid.y[i]!.toFixed(5),
    ];
  });
  return [HEAD, ...rows].map((row) => row.map(quoted).join(',')).join('\r\n') + '\r\n';
}

function quoted(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
