// An answer and the classes' names -> rows with probabilities; classes of one name are told apart by their numbers.

import type { Answer } from '../frame';
import type { Row } from '../probabilities';

/** `compared`: with what each was before the edits, where the classes are still the same. */
export function rowsOf({ p, before }: Pick<Answer, 'p' | 'before'>, names: readonly string[], compared: boolean): Row[] {
  const count = new Map<string, number>();
  for (const name of names) count.set(name, (count.get(name) ?? 0) + 1);
  return Array.from(p, (value, i): Row => {
    const plain = names[i] ?? `class ${i}`;
    const name = (count.get(plain) ?? 0) > 1 ? `${plain} (${i})` : plain;
    const was = before[i];
    return compared && was !== undefined && !Number.isNaN(was) ? [name, value, was] : [name, value];
  });
}
