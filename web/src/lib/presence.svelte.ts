// Whether the studio answers. Whatever notices that it does not (a request, the live connection, a picture) asks here and
// waits; one question at a time goes out until it answers again, and then all of them go on.

/** The question that anyone may ask and that costs nothing. */
const QUESTION = '/api/hello';
/** Milliseconds between two questions. */
const PAUSE = 1000;
const GONE = 'The studio does not answer: it was stopped, or this computer slept. What you see is kept; it goes on when the studio runs again.';

class Presence {
  /** Why nothing goes on, in a sentence; "" while the studio answers. */
  sentence = $state('');
  /** How often the studio came back. */
  back = $state(0);
  #asking: Promise<boolean> | null = null;

  /** -> when the studio answers: whether it had been away. */
  answers(signal?: AbortSignal): Promise<boolean> {
    this.#asking ??= this.#ask().finally(() => (this.#asking = null));
    return signal ? Promise.race([this.#asking, aborted(signal)]) : this.#asking;
  }

  async #ask(): Promise<boolean> {
    for (let asked = 0; ; asked++) {
      const why = await wrong();
      if (why === '') {
        if (asked) this.back++;
        this.sentence = '';
        return asked > 0;
      }
      this.sentence = why;
      await new Promise((done) => setTimeout(done, PAUSE));
    }
  }
}

/** () -> what is wrong with the studio, "" where it answers. Another start has another token, and says where it is. */
async function wrong(): Promise<string> {
  try {
    const answer = await fetch(QUESTION, { credentials: 'same-origin', cache: 'no-store' });
    const said = (await answer.json()) as { kind?: string; message?: string };
    return said.kind === 'locked' ? `${said.message} This page then goes on where it was.` : '';
  } catch {
    return GONE;
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, fail) => {
    const give = () => fail(new DOMException('No longer wanted.', 'AbortError'));
    if (signal.aborted) give();
    else signal.addEventListener('abort', give, { once: true });
  });
}

export const presence = new Presence();

/** Pictures whose loading failed while the studio was away are asked for again when it is back; a picture that it will
 * not give fails as ever, once it has been asked twice. -> stops it. */
export function mendPictures(page: Document = document): () => void {
  const tried = new WeakMap<HTMLImageElement, string>();
  const failed = async (event: Event) => {
    const picture = event.target;
    if (!(picture instanceof HTMLImageElement) || !new URL(picture.src, page.baseURI).pathname.startsWith('/api/')) return;
    if (tried.get(picture) === picture.src) return void tried.delete(picture);
    event.stopImmediatePropagation();
    const { src } = picture;
    if (!(await presence.answers())) tried.set(picture, src);
    if (picture.isConnected && picture.src === src) picture.src = src;
  };
  page.addEventListener('error', failed, true);
  return () => page.removeEventListener('error', failed, true);
}
