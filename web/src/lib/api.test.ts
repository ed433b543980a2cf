import { afterEach, describe, expect, it, vi } from 'vitest';
import { address, get } from './api';
import { mendPictures, presence } from './presence.svelte';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

function answering(body: string, init: ResponseInit): void {
  vi.stubGlobal('fetch', async () => new Response(body, init));
}

describe('api', () => {
  it('fills the path, then what follows the question mark', () => {
    expect(address('/api/jobs/{id}/events', { id: 'a/b', after: 3 })).toBe('/api/jobs/a%2Fb/events?after=3');
    expect(address('/api/x', { layer: 'conv1', cell: [1, 2], none: null, not: undefined })).toBe('/api/x?layer=conv1&cell=1&cell=2');
  });

  it('throws the sentence of the server', async () => {
    answering('{"kind": "model", "message": "No model is called x."}', { status: 404 });
    await expect(get('/api/hello')).rejects.toMatchObject({ name: 'Told', kind: 'model', message: 'No model is called x.', status: 404 });
  });

  it('says so when the answer is no JSON', async () => {
    answering('<html>', { status: 502, statusText: 'Bad Gateway' });
    await expect(get('/api/hello')).rejects.toThrow('The studio answered 502 Bad Gateway.');
  });

  it('waits for a studio that is away, and then asks again', async () => {
    vi.useFakeTimers();
    let away = true;
    vi.stubGlobal('fetch', async () => (away ? Promise.reject(new TypeError('Failed to fetch')) : new Response('{"version": "1"}')));
    const before = presence.back;
    const answer = get('/api/hello');
    await vi.advanceTimersByTimeAsync(2500);
    expect(presence.sentence).toMatch(/^The studio does not answer: it was stopped/);
    away = false;
    await vi.advanceTimersByTimeAsync(1000);
    expect(await answer).toEqual({ version: '1' });
    expect([presence.sentence, presence.back]).toEqual(['', before + 1]);
  });

  it('waits no longer than it is wanted', async () => {
    vi.stubGlobal('fetch', async () => Promise.reject(new TypeError('Failed to fetch')));
    const stop = new AbortController();
    const answer = get('/api/hello', { signal: stop.signal });
    setTimeout(() => stop.abort());
    await expect(answer).rejects.toMatchObject({ name: 'AbortError' });
    answering('{}', {});
    await presence.answers();
  });

  it('waits for a new token to be opened, and says where it is had', async () => {
    vi.useFakeTimers();
    answering('{"kind": "locked", "message": "Open the new address."}', { status: 403 });
    const answer = get('/api/hello');
    await vi.advanceTimersByTimeAsync(10);
    expect(presence.sentence).toBe('Open the new address. This page then goes on where it was.');
    answering('{"version": "2"}', {});
    await vi.advanceTimersByTimeAsync(1000);
    expect(await answer).toEqual({ version: '2' });
  });

  it('gives up where the studio answers, but not this', async () => {
    vi.stubGlobal('fetch', async (to: string) => (to === '/api/networks' ? Promise.reject(new TypeError('Failed to fetch')) : new Response('{}')));
    await expect(get('/api/networks')).rejects.toMatchObject({ kind: 'offline', status: 0 });
  });
});

describe('pictures', () => {
  it('are asked for again when the studio is back, and fail once they are refused', async () => {
    vi.useFakeTimers();
    let away = true;
    vi.stubGlobal('fetch', async () => (away ? Promise.reject(new TypeError('Failed to fetch')) : new Response('{}')));
    const stop = mendPictures();
    const picture = document.body.appendChild(document.createElement('img'));
    picture.src = '/api/picture?picture=sample:cat';
    const asked: string[] = [];
    const { src } = picture;
    Object.defineProperty(picture, 'src', { get: () => src, set: (to: string) => asked.push(to) });
    const refused = vi.fn();
    picture.addEventListener('error', refused);
    picture.dispatchEvent(new Event('error'));
    await vi.advanceTimersByTimeAsync(1500);
    expect(asked).toEqual([]);
    away = false;
    await vi.advanceTimersByTimeAsync(1000);
    expect(asked).toEqual([src]);
    picture.dispatchEvent(new Event('error')); // there again, but without this picture
    await vi.advanceTimersByTimeAsync(10);
    expect([asked.length, refused.mock.calls.length]).toEqual([2, 0]);
    picture.dispatchEvent(new Event('error'));
    expect(refused).toHaveBeenCalledOnce();
    stop();
  });
});
