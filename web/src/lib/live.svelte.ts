// The page's one connection: says what it is about and which maps it shows, and hands on the frames that come back.
// One request is computed at a time; while it is, only the newest wish is kept, so nothing waits for a stale frame. The
// next one leaves with the first frame that comes back: it is computed while this one is painted.

import { type Edit, about } from './about';
import type { About, PictureChange, RefusedHead } from './api.gen';
import { type Answer, type Frame, type MapFrame, decoded } from './frame';
import { presence } from './presence.svelte';

/** Maps that a component wants: `key` names it among all, and comes back with each frame. */
export interface Watch {
  key: string;
  layer: string;
  channels?: readonly number[];
  most?: number;
  edge?: number;
  view?: MapFrame['view'];
}

type Listener = (frame: MapFrame) => void;
export type Refused = RefusedHead['told'];

/** Milliseconds before a lost connection is tried again; each time longer, up to the last. */
const AGAIN = [200, 500, 1000, 2000, 4000];

export class Live {
  /** The newest probabilities; null before the first and without a model or picture. */
  answer = $state.raw<Answer | null>(null);
  /** Why the newest request was refused; null when it was answered. */
  refused = $state.raw<Refused | null>(null);
  /** Requests answered so far, and the milliseconds from asking to the last frame of the newest. */
  count = 0;
  took = 0;

  #preview = $state.raw<{ edits: Edit[] | null; shift: PictureChange[] | null }>({ edits: null, shift: null });
  #owners = new Map<string, readonly Watch[]>();
  #listeners = new Map<string, Set<Listener>>();
  #latest = new Map<string, MapFrame>();
  /** Maps of an answer that is still arriving: all are shown with its last frame, so that the screen is painted once. */
  #arrived: MapFrame[] = [];
  #socket: WebSocket | null = null;
  #seq = 0;
  #asked = new Map<number, { at: number; about: string }>();
  /** What the newest answer or refusal is about. */
  #said = $state.raw('');
  /** Frames up to this number are about what was shown before. */
  #over = 0;
  #busy = false;
  #wish = '';
  #about = '';
  #sent = '';
  #fails = 0;
  #scheduled = false;
  #subject = '';

  constructor(private readonly address = socketAddress()) {
    $effect.root(() => {
      $effect(() => {
        void JSON.stringify(this.now);
        this.#schedule();
      });
    });
  }

  /** What is shown: the address, with what is being tried out in place of it. */
  get now(): Required<Pick<About, 'model' | 'picture' | 'edits' | 'shift'>> {
    const said = about();
    return { ...said, edits: this.#preview.edits ?? said.edits, shift: this.#preview.shift ?? said.shift };
  }

  /** Whether the newest answer or refusal is about what is shown now, or another one is still on its way. */
  get current(): boolean {
    return this.#said === JSON.stringify(this.now);
  }

  /** Edits and changes of the picture that are tried out (a slider is held), null for what the address says. */
  preview(edits: Edit[] | null, shift: PictureChange[] | null = null): void {
    this.#preview = { edits, shift };
  }

  /** The maps that a component shows from now on; they come again whenever something changes. */
  look(owner: string, watches: readonly Watch[]): void {
    if (JSON.stringify(this.#owners.get(owner)) === JSON.stringify(watches)) return;
    this.#owners.set(owner, watches);
    this.#schedule();
  }

  leave(owner: string): void {
    if (this.#owners.delete(owner)) this.#schedule();
  }

  /** Calls with each frame of the key, at once with the latest if there is one. -> stops it. */
  on(key: string, listener: Listener): () => void {
    const there = this.#listeners.get(key) ?? new Set();
    this.#listeners.set(key, there.add(listener));
    const latest = this.#latest.get(key);
    if (latest) listener(latest);
    return () => {
      there.delete(listener);
      if (!there.size) this.#listeners.delete(key);
    };
  }

  /** Asks again although nothing changed: after a picture or model of the same address is another one. */
  again(): void {
    this.#sent = '';
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#ask();
    });
  }

  #ask(): void {
    const { model, picture, edits, shift } = this.now;
    const subject = `${model}\n${picture}`;
    if (subject !== this.#subject) this.#forget(subject);
    if (!model || !picture) return;
    const watch = [...this.#owners.values()].flat();
    this.#wish = JSON.stringify({ model, picture, edits, shift, watch });
    this.#about = JSON.stringify(this.now);
    if (!this.#socket) this.#connect();
    this.#send();
  }

  #forget(subject: string): void {
    this.#subject = subject;
    this.#over = this.#seq;
    this.#latest.clear();
    this.#arrived = [];
    this.answer = null;
    this.refused = null;
    this.#wish = this.#sent = '';
  }

  #send(): void {
    if (this.#busy || !this.#wish || this.#wish === this.#sent || this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#busy = true;
    this.#sent = this.#wish;
    this.#asked.set(++this.#seq, { at: performance.now(), about: this.#about });
    this.#socket.send(`{"seq":${this.#seq},${this.#wish.slice(1)}`);
  }

  #connect(): void {
    const socket = new WebSocket(this.address);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    socket.onopen = () => {
      this.#fails = 0;
      this.#busy = false;
      this.#sent = '';
      this.#arrived = [];
      this.#send();
    };
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => this.#take(data);
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      this.#busy = false;
      const pause = new Promise((done) => setTimeout(done, AGAIN[Math.min(this.#fails++, AGAIN.length - 1)]));
      void Promise.all([presence.answers(), pause]).then(() => this.#socket ?? (this.#wish && this.#connect()));
    };
  }

  #take(data: ArrayBuffer): void {
    const frame = decoded(data);
    const seq = seqOf(frame);
    if (seq === this.#seq || seq < 0) {
      this.#busy = false;
      this.#send();
    }
    if (seq >= 0 && seq <= this.#over) return;
    if (frame.kind === 'map') {
      this.#arrived.push(frame.map);
      return;
    }
    for (const map of this.#arrived.splice(0)) {
      this.#latest.set(map.key, map);
      for (const listener of this.#listeners.get(map.key) ?? []) listener(map);
    }
    this.count++;
    const asked = this.#asked.get(seq);
    this.took = performance.now() - (asked?.at ?? NaN);
    this.#said = asked?.about ?? '';
    this.#asked.delete(seq);
    if (frame.kind === 'answer') {
      this.answer = frame.answer;
      this.refused = null;
    } else {
      this.refused = frame.told;
    }
  }
}

function seqOf(frame: Frame): number {
  return frame.kind === 'map' ? frame.map.seq : frame.kind === 'answer' ? frame.answer.seq : frame.seq;
}

function socketAddress(): string {
  return `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/api/live`;
}

/** The page's connection, opened when a model and a picture are there. */
export const live = new Live();
