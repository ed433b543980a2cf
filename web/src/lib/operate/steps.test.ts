import { expect, it } from 'vitest';
import { current, free, keep, kept, renamed, without } from './branches';
import { back, begun, forth, merged, moved } from './steps';

const list = (...names: string[]) => JSON.stringify(names.map((edit) => ({ edit })));

it('goes back and forth through lists of edits', () => {
  let steps = moved(moved(begun(list()), list('a')), list('a', 'b'));
  steps = back(steps)!;
  expect(steps.now).toBe(list('a'));
  steps = forth(steps)!;
  expect(steps.now).toBe(list('a', 'b'));
  expect(forth(steps)).toBeNull();
  steps = moved(back(steps)!, list('a', 'c'));
  expect(steps.future).toEqual([]);
});

it('knows the back button as an undo and as a redo', () => {
  const steps = moved(begun(list()), list('a'));
  const undone = moved(steps, list());
  expect(undone).toEqual({ past: [], now: list(), future: [list('a')] });
  expect(moved(undone, list('a'))).toEqual(steps);
});

it('keeps the moves of one slider as one step', () => {
  const steps = merged(moved(begun(list()), list('a')), list('b'));
  expect(back(steps)!.now).toBe(list());
});

it('takes the last edit of a list whose way is not known', () => {
  expect(back(begun(list('a', 'b')))!.now).toBe(list('a'));
  expect(back(begun(list()))).toBeNull();
});

it('keeps branches by model, and reads only what it can', () => {
  const store = new Map<string, string>();
  const storage = { getItem: (key: string) => store.get(key) ?? null, setItem: (key: string, text: string) => void store.set(key, text) };
  keep('zoo:x', { soft: [{ edit: 'a' }] }, storage);
  expect(kept('zoo:x', storage)).toEqual({ soft: [{ edit: 'a' }] });
  expect(kept('other', storage)).toEqual({});
  store.set('cutaway.branches.bad', '[1]');
  expect(kept('bad', storage)).toEqual({});
});

it('names branches', () => {
  const branches = { soft: [{ edit: 'a' }], 'branch 1': [] };
  expect(current(branches, [{ edit: 'a' }])).toBe('soft');
  expect(current(branches, [{ edit: 'b' }])).toBe('');
  expect(free(branches)).toBe('branch 2');
  expect(Object.keys(renamed(branches, 'soft', ' hard '))).toEqual(['hard', 'branch 1']);
  expect(renamed(branches, 'soft', 'branch 1')).toBe(branches);
  expect(without(branches, 'soft')).toEqual({ 'branch 1': [] });
});
