import { expect, it } from 'vitest';
import { next, roving } from './roving';

const GRID = [[0, 0], [60, 0], [120, 0], [0, 60], [60, 60]].map(([left, top]) => ({ left: left!, top: top! }));

it('moves along the order, up and down by rows, and stays at the ends', () => {
  expect(next('ArrowRight', 1, GRID)).toBe(2);
  expect(next('ArrowLeft', 0, GRID)).toBe(0);
  expect(next('ArrowDown', 1, GRID)).toBe(4);
  expect(next('ArrowDown', 2, GRID)).toBe(4);
  expect(next('ArrowUp', 3, GRID)).toBe(0);
  expect(next('ArrowDown', 4, GRID)).toBe(4);
  expect(next('Home', 3, GRID)).toBe(0);
  expect(next('End', 0, GRID)).toBe(4);
  expect(next('a', 0, GRID)).toBeNull();
});

it('makes many buttons one stop, the one that is chosen', () => {
  const box = document.createElement('div');
  box.innerHTML = '<button>a</button><button aria-pressed="true">b</button><button disabled>c</button><button>d</button>';
  document.body.append(box);
  const leave = roving(box);
  const stops = () => [...box.querySelectorAll('button')].filter((one) => one.tabIndex === 0 && !one.disabled).map((one) => one.textContent);
  expect(stops()).toEqual(['b']);
  box.querySelectorAll('button')[1]!.focus();
  box.querySelectorAll('button')[1]!.dispatchEvent(new KeyboardEvent('keydown', { key: 'End', bubbles: true }));
  expect(document.activeElement?.textContent).toBe('d');
  expect(stops()).toEqual(['d']);
  leave();
});
