// The words of the field in alphabetical order, and those that a search finds.

import { terms } from '../terms';

export type Entry = readonly [name: string, sentence: string];

const ALL: readonly Entry[] = Object.entries(terms).sort(([one], [other]) => one.localeCompare(other, 'en', { sensitivity: 'base' }));

/** What is searched for -> words that hold it, those whose name begins with it first; all of them for "". */
export function found(search: string): readonly Entry[] {
  const wanted = search.trim().toLowerCase();
  if (!wanted) return ALL;
  const rank = ([name, sentence]: Entry) => {
    const plain = name.toLowerCase();
    return plain.startsWith(wanted) ? 0 : plain.includes(wanted) ? 1 : sentence.toLowerCase().includes(wanted) ? 2 : 3;
  };
  return ALL.filter((entry) => rank(entry) < 3).sort((one, other) => rank(one) - rank(other));
}
