// One question on its way at a time; of those that arrive meanwhile only the newest is asked. For sliders.

export class Latest<Body, Answer> {
  /** The newest answer; null before the first. It stays while the next is computed. */
  value = $state.raw<Answer | null>(null);
  /** Why the newest question was refused; "" when it was answered. */
  refused = $state('');
  #next: Body | undefined;
  #busy = false;
  #last = '';

  constructor(private readonly run: (body: Body) => Promise<Answer>) {}

  /** Asks, unless it is what was asked last. */
  want(body: Body): void {
    const text = JSON.stringify(body);
    if (text === this.#last) return;
    this.#last = text;
    this.#next = body;
    if (!this.#busy) void this.#go();
  }

  async #go(): Promise<void> {
    this.#busy = true;
    while (this.#next !== undefined) {
      const body = this.#next;
      this.#next = undefined;
      try {
        this.value = await this.run(body);
        this.refused = '';
      } catch (why) {
        this.refused = (why as Error).message;
      }
    }
    this.#busy = false;
  }
}
