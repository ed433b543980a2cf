import { beforeEach, expect, it } from 'vitest';
import { LESSONS, placeOf } from './lessons';
import { progress, read } from './progress.svelte';

beforeEach(() => progress.forget());

it.each([[null], ['no json'], ['[]'], ['null'], ['{"opened": 3, "done": [1]}']])('begins anew from %j', (text) => {
  expect(read(text)).toEqual({ opened: [], done: [] });
});

it('keeps what was opened and done, once each, in this browser', () => {
  progress.open('pixels');
  progress.open('pixels');
  progress.finish('pixels');
  expect(progress.opened).toEqual(['pixels']);
  expect(progress.done).toEqual(['pixels']);
  expect(read(localStorage.getItem('cutaway-lessons'))).toEqual({ opened: ['pixels'], done: ['pixels'] });
});

it('knows six lessons, each by its own name', () => {
  expect(new Set(LESSONS.map((lesson) => lesson.name)).size).toBe(6);
  expect(placeOf('1d-convolution')).toBe(1);
  expect(placeOf('none')).toBe(-1);
});
