// What the page has asked and got: the card of what can be asked, and map after map as they are made and measured.

import { post, Told } from '../api';
import type { About, ExplainCard, JobCard, MethodMap } from '../api.gen';
import { Job, type JobEvent } from '../job.svelte';
import { floats, type Values } from './overlay';
import { keyOf, settingsOf, type Knobs } from './wanted';

/** A method's map as it came. `key`: what it answers to. */
export interface Shown extends Values {
  key: string;
  told: Omit<MethodMap, 'values'>;
}

export interface Ask {
  about: About;
  target: string;
  against: string;
  layer: string;
  knobs: Knobs;
  /** Methods beyond the instant ones that the page shows. */
  also: readonly string[];
  check: boolean;
}

export class Asking {
  card = $state.raw<ExplainCard | null>(null);
  /** Why nothing can be asked, in one sentence. */
  refused = $state('');
  maps = $state.raw<Readonly<Record<string, Shown>>>({});
  /** Why a method gave no map, by its key. */
  refusals = $state.raw<Readonly<Record<string, string>>>({});
  /** The method whose map is fetched at this moment. */
  making = $state('');
  job = $state.raw(new Job<{ made: string[] }>());

  #turn = 0;
  #cardKey = '';
  #ask: Ask | null = null;
  #abort = new AbortController();
  #heard = -1;
  /** What the job that runs was sent for. */
  sent = $state.raw<readonly string[]>([]);
  #first: string[] = [];
  /** Keys of the maps that were still to be made or measured when somebody stopped the work. */
  #dropped = $state.raw<readonly string[]>([]);

  /** Asks anew: what is already here for the same question stays. `first`: a method that somebody waits for. */
  async ask(ask: Ask, first = ''): Promise<void> {
    const turn = ++this.#turn;
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#ask = ask;
    if (first) {
      this.#first = [first];
      this.#want([first]);
    }
    void this.job.stop();
    this.job.leave();
    this.job = new Job();
    this.refused = '';
    try {
      const card = await this.#cardFor(ask);
      if (turn !== this.#turn) return;
      for (const method of card.methods) {
        if (turn !== this.#turn) return;
        if (method.cost === 'instant' && !method.why && this.mapOf(method.name) === null) await this.#fetch(method.name, turn);
      }
      if (turn === this.#turn) await this.measure();
    } catch (why) {
      if (turn === this.#turn) this.#fail(why);
    }
  }

  /** The job that makes the slower maps and measures all that are not measured yet; `only`: that one, whatever is off. */
  async measure(only = ''): Promise<void> {
    const { card } = this;
    const ask = this.#ask;
    if (!card || !ask) return;
    const turn = this.#turn;
    const check = ask.check || only !== '';
    const left = card.methods.filter(({ name, cost, why }) => {
      if (why || this.refusalOf(name) || this.#dropped.includes(this.#key(name)) || (only ? name !== only : cost !== 'instant' && !ask.also.includes(name))) return false;
      const shown = this.mapOf(name);
      return shown === null || (check && shown.told.checks === null);
    });
    const rank = (name: string) => (this.#first.includes(name) ? 0 : 1);
    const methods = left
      .sort((a, b) => rank(a.name) - rank(b.name))
      .map((method) => ({ name: method.name, settings: settingsOf(method, ask.knobs, ask.layer) }));
    if (!methods.length) return;
    const { about, target, against } = ask;
    this.#heard = -1;
    this.sent = methods.map((method) => method.name);
    try {
      const { id }: JobCard = await post('/api/explain/maps', { ...about, target, against, methods, check });
      if (turn === this.#turn) this.job.follow(id);
    } catch (why) {
      if (turn === this.#turn) this.#fail(why);
    }
  }

  /** New events of the job -> the maps they tell of; call it whenever `job.events` has changed. */
  hear(events: readonly JobEvent[]): void {
    for (const event of events) {
      if (event.n <= this.#heard) continue;
      this.#heard = event.n;
      if (event.kind !== 'found') continue;
      const [name = ''] = event.names;
      if (event.about === 'refused') this.#refuse(name, event.text);
      else if (event.about === 'checks' || this.mapOf(name) === null) this.#fetch(name, this.#turn).catch((why: unknown) => this.#fail(why));
    }
  }

  /** The map of a method for what is asked now; null where it has not come yet. */
  mapOf(name: string): Shown | null {
    const shown = this.maps[name];
    return shown && shown.key === this.#key(name) ? shown : null;
  }

  refusalOf(name: string): string {
    return this.refusals[this.#key(name)] ?? '';
  }

  /** Whether the job that runs will make or measure this method's map. */
  awaits(name: string): boolean {
    return this.job.running && this.sent.includes(name);
  }

  /** Makes a method's map anew after it was refused, or its map and checks where they are missing. */
  async make(name: string): Promise<void> {
    const { [this.#key(name)]: _, ...others } = this.refusals;
    this.refusals = others;
    this.#want([name]);
    const ask = this.#ask;
    if (ask && !ask.check && this.mapOf(name)) await this.measure(name);
    else if (ask) await this.ask(ask, name);
  }

  /** Stops the work. What is made stays; what is not is made or measured only when it is asked for again. */
  async stop(): Promise<void> {
    this.#dropped = [...this.#dropped, ...this.sent.filter((name) => !this.#complete(name)).map((name) => this.#key(name))];
    await this.job.stop();
  }

  /** Maps that are here and were not measured because the work was stopped. */
  get left(): string[] {
    return Object.keys(this.maps).filter((name) => this.mapOf(name) && !this.#complete(name) && this.#dropped.includes(this.#key(name)));
  }

  /** Measures these after all. */
  async goOn(): Promise<void> {
    this.#want(this.left);
    await this.measure();
  }

  /** What the job that runs makes now, or null while it measures. */
  get maker(): string | null {
    return this.sent.find((name) => !this.mapOf(name) && !this.refusalOf(name)) ?? null;
  }

  #want(names: readonly string[]): void {
    const keys = names.map((name) => this.#key(name));
    this.#dropped = this.#dropped.filter((key) => !keys.includes(key));
  }

  #complete(name: string): boolean {
    const shown = this.mapOf(name);
    return shown !== null && (!this.#ask?.check || shown.told.checks !== null);
  }

  leave(): void {
    this.#turn++;
    this.#abort.abort();
    void this.job.stop();
    this.job.leave();
  }

  /** What can be asked; it depends on the picture, the network and the classes only. */
  async #cardFor({ about, target, against }: Ask): Promise<ExplainCard> {
    const asked = { ...about, target, against };
    const key = JSON.stringify(asked);
    if (this.card && key === this.#cardKey) return this.card;
    const turn = this.#turn;
    const card = await post('/api/explain', asked, { signal: this.#abort.signal });
    if (turn === this.#turn) {
      this.card = card;
      this.#cardKey = key;
    }
    return card;
  }

  async #fetch(name: string, turn: number): Promise<void> {
    const method = this.card?.methods.find((one) => one.name === name);
    const ask = this.#ask;
    if (!method || !ask) return;
    const { about, target, against, layer, knobs } = ask;
    const key = this.#key(name);
    this.making = name;
    try {
      const body = { ...about, target, against, method: name, settings: settingsOf(method, knobs, layer) };
      const { values, ...told } = await post('/api/explain/map', body, { signal: this.#abort.signal });
      const [height, width] = told.size;
      if (turn === this.#turn) this.maps = { ...this.maps, [name]: { key, told, values: floats(values), height, width } };
    } catch (why) {
      if (turn !== this.#turn) return;
      if (!(why instanceof Told) || why.kind === 'offline') throw why;
      this.#refuse(name, why.message);
    } finally {
      if (this.making === name) this.making = '';
    }
  }

  #refuse(name: string, why: string): void {
    this.refusals = { ...this.refusals, [this.#key(name)]: why };
  }

  #key(name: string): string {
    const ask = this.#ask;
    const method = this.card?.methods.find((one) => one.name === name);
    if (!ask || !method) return '';
    return keyOf([ask.about, ask.target, ask.against], { name, settings: settingsOf(method, ask.knobs, ask.layer) });
  }

  #fail(why: unknown): void {
    if ((why as Error).name === 'AbortError') return;
    this.refused = why instanceof Error ? why.message : String(why);
  }
}
