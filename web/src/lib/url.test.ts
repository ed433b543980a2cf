import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { packed, parsed, unpacked, url, written } from './url.svelte';

describe('the address', () => {
  it('gives back what it holds, whatever the characters', () => {
    const values = new Map([['model', 'runs/a b&c=d#e?.h5'], ['picture', 'upload:0f/Größe 100 %.png'], ['cell', 'conv1[3,10,12]']]);
    const hash = written({ page: 'machine', values });
    expect(parsed(hash)).toEqual({ page: 'machine', values });
    expect(new URL(hash, 'http://localhost/').hash).toBe(hash);
  });

  it('stays readable', () => {
    const hash = written({ page: 'machine', values: new Map([['model', 'zoo:resnet18'], ['picture', 'runs/x/cat.jpg']]) });
    expect(hash).toBe('#/machine?model=zoo:resnet18&picture=runs/x/cat.jpg');
  });

  it.each(['', '#', '#/', '#/?'])('%j is the first page', (hash) => {
    expect(parsed(hash)).toEqual({ page: 'home', values: new Map() });
  });

  it('packs edits and survives a cut text', () => {
    const edits = [{ kind: 'set', layer: 'conv1', values: [1.5, -2], name: 'größer ✂' }];
    const text = packed(edits);
    expect(text).toMatch(/^[\w-]+$/);
    expect(unpacked(text)).toEqual(edits);
    expect(unpacked(text.slice(0, -3))).toBeNull();
    expect(unpacked(null)).toBeNull();
  });
});

describe('url', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => {
    vi.runAllTimers();
    vi.useRealTimers();
  });

  it('sets, removes and keeps the subject on another page', () => {
    url.go('machine', { model: 'zoo:resnet18', layer: 'conv1' });
    url.set({ picture: 'sample:cat' });
    expect(location.hash).toBe('#/machine?model=zoo:resnet18&layer=conv1&picture=sample:cat');
    expect(url.link('explain')).toBe('#/explain?model=zoo:resnet18&picture=sample:cat');
    url.set({ layer: null });
    expect([url.page, url.get('layer'), url.get('model')]).toEqual(['machine', null, 'zoo:resnet18']);
  });

  it('writes the moves of a slider once they settle, and before anything else is done', () => {
    url.go('machine', { edits: '0' });
    const written = vi.spyOn(history, 'replaceState');
    for (let step = 1; step <= 50; step++) url.set({ edits: String(step) }, { replace: true });
    expect(url.get('edits')).toBe('50');
    expect(written).not.toHaveBeenCalled();
    vi.runAllTimers();
    expect(written).toHaveBeenCalledOnce();
    expect(parsed(location.hash).values.get('edits')).toBe('50');

    url.set({ edits: '51' }, { replace: true });
    url.set({ panel: 'operate' });
    expect(written).toHaveBeenCalledTimes(2);
    expect(location.hash).toContain('edits=51&panel=operate');
  });

  it('follows the back button and an address that was typed', () => {
    location.hash = '#/map?model=last';
    dispatchEvent(new Event('hashchange'));
    expect([url.page, url.get('model')]).toEqual(['map', 'last']);
  });
});
