// The way to the present list of edits: what came before it and what was undone, as lists of edits in JSON.

export interface Steps {
  past: readonly string[];
  now: string;
  future: readonly string[];
}

const MOST = 200;

export function begun(now: string): Steps {
  return { past: [], now, future: [] };
}

/** The list became another one. Back at the step before: that was an undo; at the next one: a redo. */
export function moved(steps: Steps, to: string): Steps {
  if (to === steps.now) return steps;
  if (to === steps.past.at(-1)) return back(steps) ?? steps;
  if (to === steps.future.at(-1)) return forth(steps) ?? steps;
  return { past: [...steps.past, steps.now].slice(-MOST), now: to, future: [] };
}

/** The present list goes on changing in the same step: a slider that is moved again. */
export function merged(steps: Steps, to: string): Steps {
  return { ...steps, now: to, future: [] };
}

/** One step back; where none is known (a copied address) the last edit goes. null for nothing to undo. */
export function back(steps: Steps): Steps | null {
  const last = steps.past.at(-1) ?? shorter(steps.now);
  if (last === null) return null;
  return { past: steps.past.slice(0, -1), now: last, future: [...steps.future, steps.now] };
}

export function forth(steps: Steps): Steps | null {
  const next = steps.future.at(-1);
  if (next === undefined) return null;
  return { past: [...steps.past, steps.now].slice(-MOST), now: next, future: steps.future.slice(0, -1) };
}

function shorter(now: string): string | null {
  const list: unknown = JSON.parse(now);
  return Array.isArray(list) && list.length ? JSON.stringify(list.slice(0, -1)) : null;
}
