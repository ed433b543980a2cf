// An edit's JSON as controls fill it in, and the list of edits with it in its place.

import type { Edit } from '../about';
import type { Control, ControlField } from '../api.gen';

type Path = readonly (string | number)[];

/** JSON, path, value -> a copy with the value at the path; what is on the way is made. */
export function set(document: unknown, path: Path, value: unknown): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return value;
  const list = Array.isArray(document) || (document == null && typeof first === 'number');
  const copy: Record<string | number, unknown> = list ? ([...((document as unknown[]) ?? [])] as never) : { ...(document as object) };
  copy[first] = set(copy[first], rest, value);
  return copy;
}

/** An edit, one of its control's fields, the field's new value -> the edit with it. */
export function filled(document: Edit, field: Pick<ControlField, 'paths'>, value: unknown): Edit {
  return field.paths.reduce<Edit>((edit, path) => set(edit, path, value) as Edit, document);
}

/** JSON, path -> the value there; undefined for none. */
export function at(document: unknown, path: Path): unknown {
  return path.reduce<unknown>((inner, part) => (inner as Record<string | number, unknown> | undefined)?.[part], document);
}

/** Whether every slider of the control stands where it changes nothing, so that its edit says nothing. */
export function atRest(control: Pick<Control, 'fields'>, document: Edit): boolean {
  const resting = control.fields.filter((field) => field.rest !== null);
  return resting.length > 0 && resting.every((field) => at(document, field.paths[0] ?? []) === field.rest);
}

/** Edits, control, its edit as it is now, where it was put before (null: nowhere yet) -> the edits with it. */
export function placed(edits: readonly Edit[], control: Pick<Control, 'fields'>, document: Edit, where: number | null): Edit[] {
  const there = where !== null && where < edits.length;
  if (atRest(control, document)) return there ? edits.filter((_, i) => i !== where) : [...edits];
  return there ? edits.map((old, i) => (i === where ? document : old)) : [...edits, document];
}

/** Edits, the number of the refused one, a remedy's edits -> the mended list; no edits: it and all after it left out. */
export function mended(edits: readonly Edit[], refused: number, remedy: readonly Edit[]): Edit[] {
  const place = refused >= 0 && refused < edits.length ? refused : edits.length - 1;
  return [...edits.slice(0, place), ...remedy, ...(remedy.length ? edits.slice(place + 1) : [])];
}

const STEPS = 1000;

/** A slider's position 0 to 1000 -> its value by equal factors, three digits. */
export function fromLog(position: number, low: number, high: number): number {
  return Number((low * (high / low) ** (position / STEPS)).toPrecision(3));
}

/** A value -> the position 0 to 1000 of a slider that goes by equal factors. */
export function toLog(value: number, low: number, high: number): number {
  const share = Math.log(Math.max(value, low) / low) / Math.log(high / low);
  return Math.round(Math.min(1, share) * STEPS);
}

/** What a person types for a number: "0,5" and "−2" too; null for what is none. */
export function typed(text: string): number | null {
  const plain = text.trim().replace('−', '-').replace(/^(-?\d*),(\d+)$/, '$1.$2');
  const value = Number(plain);
  return plain === '' || !Number.isFinite(value) ? null : value;
}

/** "3, 5-7" -> [3, 5, 6, 7]; "" -> []; null for what cannot be read or is not below `count`. */
export function numbers(text: string, count: number): number[] | null {
  const found = new Set<number>();
  for (const part of text.split(/[\s,;]+/).filter(Boolean)) {
    const range = /^(\d+)(?:[-–:](\d+))?$/.exec(part);
    const first = Number(range?.[1] ?? NaN);
    const last = Number(range?.[2] ?? first);
    if (!(first <= last && last < count)) return null;
    for (let one = first; one <= last; one++) found.add(one);
  }
  return [...found].sort((a, b) => a - b);
}

/** [3, 5, 6, 7] -> "3, 5–7". */
export function listed(found: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < found.length; i++) {
    const first = found[i]!;
    while (found[i + 1] === found[i]! + 1) i++;
    parts.push(found[i] === first ? String(first) : `${first}–${found[i]}`);
  }
  return parts.join(', ');
}
