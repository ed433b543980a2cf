import { afterEach, describe, expect, it, vi } from 'vitest';
import { address, get, Told } from './api';

afterEach(() => void vi.unstubAllGlobals());

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

  it('says so when the answer is no JSON, or none comes', async () => {
    answering('<html>', { status: 502, statusText: 'Bad Gateway' });
    await expect(get('/api/hello')).rejects.toThrow('The studio answered 502 Bad Gateway.');
    vi.stubGlobal('fetch', async () => Promise.reject(new TypeError('Failed to fetch')));
    const why = await get('/api/hello').catch((error: unknown) => error);
    expect(why).toBeInstanceOf(Told);
    expect(why).toMatchObject({ kind: 'offline', status: 0 });
  });
});
