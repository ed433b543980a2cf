import { fireEvent, render, screen } from '@testing-library/svelte';
import { createRawSnippet } from 'svelte';
import { expect, it, vi } from 'vitest';
import Notice from './Notice.svelte';
import Probabilities from './Probabilities.svelte';
import Progress from './Progress.svelte';
import Tabs from './Tabs.svelte';
import Term from './Term.svelte';

it('a notice tells how much it matters and offers one way on', async () => {
  const onaction = vi.fn();
  render(Notice, { kind: 'stop', text: 'No photos.', action: 'Choose again', onaction });
  expect(screen.getByRole('alert').textContent).toContain('No photos.');
  await fireEvent.click(screen.getByRole('button', { name: 'Choose again' }));
  expect(onaction).toHaveBeenCalledOnce();
});

it('progress tells share and time left, and can be stopped', async () => {
  const onstop = vi.fn();
  render(Progress, { words: 'Looks at 100 photos', share: 0.4, left: 6, onstop });
  expect((screen.getByLabelText('Looks at 100 photos') as HTMLProgressElement).value).toBe(0.4);
  expect(document.body.textContent).toMatch(/40\s%, about 6\.0\ss left/);
  await fireEvent.click(screen.getByRole('button', { name: 'Stop' }));
  expect(onstop).toHaveBeenCalledOnce();
});

it('tabs are moved through by arrow keys', async () => {
  const onchoose = vi.fn();
  const tabs = [{ name: 'maps', title: 'Maps' }, { name: 'kernels', title: 'Kernels' }, { name: 'weights', title: 'Weights' }];
  const panel = createRawSnippet<[string]>((name) => ({ render: () => `<p>${name()}</p>` }));
  render(Tabs, { label: 'Layer', tabs, chosen: 'maps', onchoose, panel });
  const first = screen.getByRole('tab', { name: 'Maps', selected: true });
  await fireEvent.keyDown(first, { key: 'ArrowRight' });
  await fireEvent.keyDown(first, { key: 'ArrowLeft' });
  await fireEvent.keyDown(first, { key: 'x' });
  expect(onchoose.mock.calls).toEqual([['kernels'], ['weights']]);
  expect(screen.getByRole('tabpanel', { name: 'Maps' }).textContent).toBe('maps');
});

it('a thousand classes are searched, a few are not', async () => {
  const rows = Array.from({ length: 1000 }, (_, n) => [`class ${n}`, (n === 7 ? 501 : 1) / 1500] as const);
  const shown = render(Probabilities, { rows });
  expect(screen.getAllByRole('listitem')).toHaveLength(8);
  expect(screen.getAllByRole('listitem')[0]?.textContent).toContain('class 7');
  await fireEvent.input(screen.getByRole('searchbox', { name: 'Find a class' }), { target: { value: 'class 99' } });
  expect(screen.getAllByRole('listitem').every((item) => item.textContent?.includes('class 99'))).toBe(true);
  shown.unmount();
  const ten = render(Probabilities, { rows: rows.slice(0, 10) });
  expect(screen.queryByRole('searchbox')).toBeNull(); // two more are shown rather than searched for
  expect(screen.getAllByRole('listitem')).toHaveLength(10);
  await ten.rerender({ rows: rows.slice(0, 10), top: 5 });
  expect(screen.getByRole('searchbox', { name: 'Find a class' })).toBeTruthy();
  ten.unmount();
  render(Probabilities, { rows: [['cat', 0.75, 0.5], ['dog', 0.25, 0.5]] });
  expect(screen.queryByRole('searchbox')).toBeNull();
  expect(screen.getAllByRole('listitem')[0]?.textContent).toMatch(/cat\s*75\.0\s%\s*\+25\.0\spoints/);
});

it('a term explains itself, and an unknown one is a plain word', () => {
  const shown = render(Term, { name: 'stride' });
  expect(screen.getByRole('button', { name: 'stride' }).getAttribute('popovertarget')).toBe(screen.getByRole('note', { hidden: true }).id);
  shown.unmount();
  render(Term, { name: 'no such term' });
  expect(screen.queryByRole('button')).toBeNull();
  expect(document.body.textContent).toContain('no such term');
});
