import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Job, type JobEvent } from './job.svelte';

class Source {
  static CLOSED = 2;
  static last: Source;
  readyState = 1;
  onopen?: () => void;
  onmessage?: (event: { data: string }) => void;
  onerror?: () => void;
  constructor(readonly address: string) {
    Source.last = this;
  }
  close(): void {
    this.readyState = Source.CLOSED;
  }
  say(...events: object[]): void {
    for (const event of events) this.onmessage?.({ data: JSON.stringify(event) });
  }
}

function answering(status: number, body: object): void {
  vi.stubGlobal('fetch', vi.fn(async () => new Response(JSON.stringify(body), { status })));
}

const progress = (n: number, at: number, done: number): JobEvent =>
  ({ kind: 'progress', n, at, task: 'photos', done, total: 100, unit: 'photos' });

beforeEach(() => vi.stubGlobal('EventSource', Source));
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe('a job', () => {
  it('is started, followed and brings its result', async () => {
    answering(200, { id: 'a1' });
    const job = new Job<{ accuracy: number }>();
    await job.start({ verb: 'evaluate' });
    expect(Source.last.address).toBe('/api/jobs/a1/events');
    expect([job.state, job.running, job.ended]).toEqual(['waiting', true, false]);

    Source.last.say({ kind: 'note', n: 0, at: 0, text: 'Looks at 100 photos.' }, progress(1, 1, 10));
    expect(job.progress).toMatchObject({ share: 0.1, left: null });
    Source.last.say(progress(2, 4, 40));
    expect(job.progress).toMatchObject({ share: 0.4, left: 6 }); // 30 in 3 s, 60 to go
    expect(job.events).toHaveLength(2); // of one task the latest progress alone

    Source.last.say({ kind: 'done', n: 3, at: 5, result: { accuracy: 0.5 } });
    expect([job.state, job.running, job.result?.accuracy]).toEqual(['done', false, 0.5]);
    expect(Source.last.readyState).toBe(Source.CLOSED);
  });

  it('that is refused says why', async () => {
    answering(400, { kind: 'input', message: 'There is no verb "bake".' });
    const job = new Job();
    await job.start({ verb: 'bake' });
    expect([job.state, job.message, job.running]).toEqual(['failed', 'There is no verb "bake".', false]);
  });

  it('that fails on the way says why', () => {
    const job = new Job();
    job.follow('a1');
    Source.last.say({ kind: 'failed', n: 0, at: 1, told: { kind: 'input', message: 'No photos.' } });
    expect([job.state, job.message]).toEqual(['failed', 'No photos.']);
  });

  it('counts nothing twice after the connection was lost', () => {
    const job = new Job();
    job.follow('a1');
    const note = { kind: 'note', n: 0, at: 0, text: 'Begins.' };
    Source.last.say(note);
    Source.last.onerror?.();
    expect(job.lost).toBe(true);
    Source.last.onopen?.();
    Source.last.say(note);
    expect([job.lost, job.events.length]).toEqual([false, 1]);
  });

  it('that the server no longer knows has ended', async () => {
    answering(400, { kind: 'input', message: 'There is no such job any more.' });
    const job = new Job();
    job.follow('a1');
    Source.last.readyState = Source.CLOSED;
    Source.last.onerror?.();
    await vi.waitFor(() => expect(job.message).toBe('There is no such job any more.'));
    expect(job.state).toBe('failed');
  });

  it('is found again once the server is back', async () => {
    vi.useFakeTimers();
    vi.stubGlobal('fetch', vi.fn(async () => new Response('{"id": "a1"}')).mockRejectedValueOnce(new TypeError()));
    const job = new Job();
    job.follow('a1');
    const first = Source.last;
    first.readyState = Source.CLOSED;
    first.onerror?.();
    await vi.advanceTimersByTimeAsync(5000);
    expect(Source.last).not.toBe(first);
    Source.last.say({ kind: 'done', n: 0, at: 1, result: null });
    expect(job.state).toBe('done');
  });

  it('is stopped on the server, and told by it', async () => {
    answering(200, { id: 'a1' });
    const job = new Job();
    job.follow('a1');
    await job.stop();
    expect(fetch).toHaveBeenCalledWith('/api/jobs/a1', expect.objectContaining({ method: 'DELETE' }));
    Source.last.say({ kind: 'stopped', n: 0, at: 1 });
    expect(job.state).toBe('stopped');
  });
});
