// Lists of edits that are kept by name, for each model, in this browser.

import type { Edit } from '../about';

export type Branches = Record<string, readonly Edit[]>;

const KEY = 'cutaway.branches.';

export function kept(model: string, store: Pick<Storage, 'getItem'> = localStorage): Branches {
  try {
    const found: unknown = JSON.parse(store.getItem(KEY + model) ?? '{}');
    return found !== null && typeof found === 'object' && !Array.isArray(found) ? (found as Branches) : {};
  } catch {
    return {};
  }
}

export function keep(model: string, branches: Branches, store: Pick<Storage, 'setItem'> = localStorage): void {
  try {
    store.setItem(KEY + model, JSON.stringify(branches));
  } catch {
    /* a full or forbidden store: the branches last as long as the page */
  }
}

/** The branch whose edits these are, "" for none. */
export function current(branches: Branches, edits: readonly Edit[]): string {
  const text = JSON.stringify(edits);
  return Object.keys(branches).find((name) => JSON.stringify(branches[name]) === text) ?? '';
}

/** A name that is still free: "branch 1", "branch 2", ... */
export function free(branches: Branches): string {
  for (let n = 1; ; n++) if (!(`branch ${n}` in branches)) return `branch ${n}`;
}

export function renamed(branches: Branches, old: string, fresh: string): Branches {
  const name = fresh.trim();
  if (!name || (name !== old && name in branches)) return branches;
  return Object.fromEntries(Object.entries(branches).map(([key, edits]) => [key === old ? name : key, edits]));
}

export function without(branches: Branches, name: string): Branches {
  return Object.fromEntries(Object.entries(branches).filter(([key]) => key !== name));
}
