// Files on their way to the studio: one after the other, with progress, stopped where the reader wants it.

import type { Uploaded } from '../api.gen';
import { bytes, post, Told } from '../api';
import { sorted } from './dropped';

export interface Taken {
  /** Address and name of the model; null where none was among the files. */
  model: { address: string; name: string } | null;
  picture: { address: string; name: string } | null;
}

/** Pixels that tell whether a file is a picture. */
const SMALL = 96;

export class Uploading {
  /** The file that is on its way; null while none is. */
  name = $state<string | null>(null);
  /** Share of all bytes that have arrived. */
  share = $state(0);
  /** Why the last files were not taken, or what was left out. */
  sentence = $state('');
  /** Whether nothing was taken because of it. */
  failed = $state(false);
  #stop: AbortController | undefined;

  /** Files -> addresses; null where they were refused (then `sentence` says why) or stopped. */
  async take(files: readonly File[]): Promise<Taken | null> {
    this.stop();
    const stop = (this.#stop = new AbortController());
    const { model, picture, sentence } = sorted(files);
    const all = [...model, ...(picture ? [picture] : [])];
    const total = all.reduce((sum, file) => sum + file.size, 0) || 1;
    this.sentence = sentence;
    this.failed = !all.length;
    if (!all.length) return null;
    try {
      let before = 0;
      const kept: Uploaded[] = [];
      for (const file of all) {
        this.name = file.name;
        kept.push(await sent(file, (done) => (this.share = (before + done) / total), stop.signal));
        before += file.size;
      }
      if (picture) await bytes('/api/picture', { params: { picture: kept.at(-1)!.address, side: SMALL }, signal: stop.signal }); // refused here
      const parts = kept.slice(0, model.length);
      const bundle = parts.length
        ? await post('/api/bundles', { addresses: parts.map(({ address }) => address) }, { signal: stop.signal })
        : null;
      if (bundle) await post('/api/machine', { model: bundle.address }, { signal: stop.signal }); // and so is a file that is no model
      return { model: bundle, picture: picture ? kept.at(-1)! : null };
    } catch (why) {
      if (!stop.signal.aborted) {
        this.sentence = why instanceof Error ? why.message : String(why);
        this.failed = true;
      }
      return null;
    } finally {
      if (this.#stop === stop) {
        this.name = null;
        this.share = 0;
      }
    }
  }

  stop(): void {
    this.#stop?.abort();
    this.#stop = undefined;
    this.name = null;
  }
}

/** File -> its address. `onprogress` gets the bytes that have gone out: fetch cannot tell that, XMLHttpRequest can. */
function sent(file: File, onprogress: (done: number) => void, signal: AbortSignal): Promise<Uploaded> {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open('POST', '/api/uploads');
    request.setRequestHeader('Content-Type', 'application/octet-stream');
    request.setRequestHeader('X-File-Name', encodeURIComponent(file.name));
    request.responseType = 'json';
    request.upload.onprogress = (event) => onprogress(event.loaded);
    request.onload = () => {
      const said = request.response as (Uploaded & Partial<Told>) | null;
      if (request.status === 200 && said) done(said);
      else failed(new Told(said?.message ?? `The studio answered ${request.status}.`, said?.kind ?? 'error', request.status));
    };
    request.onerror = () => failed(new Told(`${file.name} did not arrive: is the studio still running in its terminal?`, 'offline', 0));
    request.onabort = () => failed(new DOMException('stopped', 'AbortError'));
    signal.addEventListener('abort', () => request.abort(), { once: true });
    request.send(file);
  });
}
