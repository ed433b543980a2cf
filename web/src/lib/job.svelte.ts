// One piece of long work, as the page follows it: started, told event by event, stopped, found again after a reload.

import { del, get, post, Told, type Body } from './api';

export type JobState = 'waiting' | 'running' | 'done' | 'failed' | 'stopped';

/** What a job says; `n` counts its messages, `at` is the time in seconds since it was asked for. */
export type JobEvent = { n: number; at: number } & (
  | { kind: 'note'; text: string }
  | { kind: 'progress'; task: string; done: number; total: number | null; unit: string }
  | { kind: 'found'; about: string; text: string; names: string[] }
  | {
      kind: 'epoch'; number: number; of: number; train_loss: number; train_accuracy: number; val_loss: number;
      val_accuracy: number; lr: number; seconds: number; best: boolean; phase: string;
    }
  | { kind: 'done'; result: unknown }
  | { kind: 'failed'; told: { kind: string; message: string } }
  | { kind: 'stopped' }
);

export interface Progress {
  task: string;
  /** 0 to 1; null while the total is unknown. */
  share: number | null;
  done: number;
  total: number | null;
  unit: string;
  /** Seconds that are left by the pace so far; null while it cannot be told. */
  left: number | null;
}

/** Seconds of a task until an estimate of what is left is worth showing. */
const ESTIMATE_AFTER = 2;
const RETRY_MS = 1000;
const ENDED: readonly JobState[] = ['done', 'failed', 'stopped'];

/** A job that is started and followed; all fields are state. `Result` is what its "done" brings. */
export class Job<Result = unknown> {
  id = $state<string | null>(null);
  state = $state<JobState>('waiting');
  events = $state.raw<readonly JobEvent[]>([]);
  progress = $state.raw<Progress | null>(null);
  result = $state.raw<Result | null>(null);
  /** Why it failed, in one sentence. */
  message = $state('');
  /** The connection is lost at the moment; the browser tries again by itself. */
  lost = $state(false);
  readonly ended = $derived(ENDED.includes(this.state));
  readonly running = $derived(this.id !== null && !this.ended);

  #source: EventSource | undefined;
  #pace: { task: string; at: number; done: number } | undefined;

  /** Asks for the work and follows it. What cannot even begin is told in `message` with the state "failed". */
  async start(what: Body<'/api/jobs', 'post'>): Promise<void> {
    this.leave();
    this.#forget();
    try {
      const { id } = await post('/api/jobs', what);
      this.follow(id);
    } catch (why) {
      this.#fail(why instanceof Told ? why.message : String(why));
    }
  }

  /** Follows a job that runs (or has ended) on the server, from its first event. */
  follow(id: string): void {
    this.leave();
    this.#forget();
    this.id = id;
    const source = new EventSource(`/api/jobs/${encodeURIComponent(id)}/events`);
    this.#source = source;
    source.onopen = () => (this.lost = false);
    source.onmessage = (event: MessageEvent<string>) => this.#heard(JSON.parse(event.data) as JobEvent);
    source.onerror = () => {
      this.lost = true;
      if (source.readyState === EventSource.CLOSED) void this.#ask(id);
    };
  }

  /** Stops the work; what is done by then is kept. */
  async stop(): Promise<void> {
    if (this.id && !this.ended) await del('/api/jobs/{id_}', { params: { id_: this.id } }).catch(() => undefined);
  }

  /** Listens no more; the work goes on. */
  leave(): void {
    this.#source?.close();
    this.#source = undefined;
  }

  #forget(): void {
    this.id = null;
    this.state = 'waiting';
    this.events = [];
    this.progress = this.result = null;
    this.message = '';
    this.lost = false;
    this.#pace = undefined;
  }

  #heard(event: JobEvent): void {
    this.lost = false;
    if (this.events.some((old) => old.n === event.n)) return; // told again after the connection was lost
    const last = this.events.at(-1);
    const same = event.kind === 'progress' && last?.kind === 'progress' && last.task === event.task;
    this.events = [...(same ? this.events.slice(0, -1) : this.events), event];
    if (event.kind === 'progress') this.#moved(event);
    if (event.kind === 'done') this.result = event.result as Result;
    if (event.kind === 'failed') this.message = event.told.message;
    this.state = event.kind === 'done' || event.kind === 'failed' || event.kind === 'stopped' ? event.kind : 'running';
    if (this.ended) this.leave();
  }

  #moved({ task, done, total, unit, at }: JobEvent & { kind: 'progress' }): void {
    if (this.#pace?.task !== task || done < this.#pace.done) this.#pace = { task, at, done };
    const since = at - this.#pace.at;
    const made = done - this.#pace.done;
    const left = total !== null && made > 0 && since >= ESTIMATE_AFTER ? ((total - done) * since) / made : null;
    this.progress = { task, done, total, unit, left, share: total ? Math.min(1, done / total) : null };
  }

  /** The browser gave up: the server was started anew and does not know this job, or it is not there. */
  async #ask(id: string): Promise<void> {
    this.leave();
    try {
      await get('/api/jobs/{id_}', { params: { id_: id } });
      this.#later(id, () => this.follow(id));
    } catch (why) {
      if (this.id !== id) return;
      if (why instanceof Told && why.status >= 400) this.#fail(why.message);
      else this.#later(id, () => void this.#ask(id));
    }
  }

  #later(id: string, then: () => void): void {
    setTimeout(() => this.id === id && !this.ended && !this.#source && then(), RETRY_MS);
  }

  #fail(message: string): void {
    this.state = 'failed';
    this.message = message;
  }
}
