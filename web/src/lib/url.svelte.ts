// The page's whole state is in the address: `#/machine?model=zoo:resnet18&picture=sample:cat`. Reload, the back button
// and a copied address bring everything back.

export { packed, unpacked } from './packed';

export type Values = Record<string, string | null>;

interface State {
  page: string;
  values: Map<string, string>;
}

/** What stays when another page is opened: the subject; what was looked at on one page does not. */
const SUBJECT = ['model', 'picture', 'edits', 'shift', 'data'];
/** Browsers slow down a page that rewrites its address at every step of a slider. */
const SETTLE_MS = 200;

/** `#/page?name=value` -> page and values; anything else is the first page. */
export function parsed(hash: string): State {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  return { page: path || 'home', values: new Map(new URLSearchParams(query)) };
}

/** Page and values -> `#/page?name=value`, readable: paths and addresses keep their `/`, `:` and `,`. */
export function written(state: State): string {
  const pairs = [...state.values].map(([name, value]) => `${name}=${readable(value)}`);
  return `#/${state.page}${pairs.length ? `?${pairs.join('&')}` : ''}`;
}

function readable(value: string): string {
  return encodeURIComponent(value).replace(/%(2F|3A|2C)/g, (coded) => decodeURIComponent(coded));
}

class Url {
  #now = $state.raw<State>(parsed(location.hash));
  #pending: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    const read = () => {
      clearTimeout(this.#pending);
      this.#pending = undefined;
      if (location.hash !== written(this.#now)) this.#now = parsed(location.hash);
    };
    addEventListener('hashchange', read);
    addEventListener('popstate', read);
    // Before a link leaves this state or the page is closed, its last step is in the history.
    addEventListener('click', () => this.#settle(), true);
    addEventListener('pagehide', () => this.#settle());
  }

  get page(): string {
    return this.#now.page;
  }

  /** The whole state as it stands in the address. */
  get hash(): string {
    return written(this.#now);
  }

  get(name: string): string | null {
    return this.#now.values.get(name) ?? null;
  }

  /** Sets values; null removes one. `replace` keeps the back button from stepping through it (a slider's moves). */
  set(values: Values, { replace = false }: { replace?: boolean } = {}): void {
    this.#become({ page: this.page, values: merged(this.#now.values, values) }, replace);
  }

  /** Opens a page about the same subject (model, picture, edits, shift, data). */
  go(page: string, values: Values = {}): void {
    this.#become(this.#at(page, values), false);
  }

  /** -> what `go` would lead to, for the `href` of a link. */
  link(page: string, values: Values = {}): string {
    return written(this.#at(page, values));
  }

  #at(page: string, values: Values): State {
    const kept = new Map([...this.#now.values].filter(([name]) => SUBJECT.includes(name)));
    return { page, values: merged(kept, values) };
  }

  #become(state: State, replace: boolean): void {
    if (written(state) === written(this.#now)) return;
    if (!replace) this.#settle();
    this.#now = state;
    if (replace) this.#pending ??= setTimeout(() => this.#settle(), SETTLE_MS);
    else history.pushState(null, '', written(state));
  }

  #settle(): void {
    if (this.#pending === undefined) return;
    clearTimeout(this.#pending);
    this.#pending = undefined;
    history.replaceState(null, '', written(this.#now));
  }
}

function merged(old: Map<string, string>, values: Values): Map<string, string> {
  const made = new Map(old);
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === '') made.delete(name);
    else made.set(name, value);
  }
  return made;
}

/** The address of this page as state: reading `url.page` or `url.get(...)` follows it. */
export const url = new Url();
