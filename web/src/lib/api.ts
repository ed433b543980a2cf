// The studio's HTTP: typed by what the server says of itself (api.gen.ts), same origin, its cookie is the key.

import type { paths, Remedy } from './api.gen';
import { presence } from './presence.svelte';

/** A studio that answers otherwise, but not this: how often it is asked before that is told. */
const TRIES = 3;

type Method = 'get' | 'post' | 'put' | 'delete';
type With<M extends Method> = {
  [P in keyof paths]: paths[P] extends Record<M, { responses: unknown }> ? P : never;
}[keyof paths];
type Operation<P extends keyof paths, M extends Method> = M extends keyof paths[P] ? NonNullable<paths[P][M]> : never;
type Sent<T> = T extends { content: infer C } ? ('application/json' extends keyof C ? C['application/json'] : undefined) : undefined;
/** The part K of a description; where it has none, what changes nothing in an intersection. */
type Part<A, K extends string> = K extends keyof A ? ([NonNullable<A[K]>] extends [never] ? unknown : NonNullable<A[K]>) : unknown;

/** What an address answers with. */
export type Answer<P extends keyof paths, M extends Method> =
  Operation<P, M> extends { responses: { 200: infer R } } ? Sent<R> : undefined;
/** What stands in an address: `{id_}` in its path and what follows the `?`, under one roof. */
export type Params<P extends keyof paths, M extends Method> =
  Operation<P, M> extends { parameters: infer A } ? Part<A, 'path'> & Part<A, 'query'> : unknown;
/** What is sent to an address. */
export type Body<P extends keyof paths, M extends Method> =
  Operation<P, M> extends { requestBody?: infer B } ? Sent<NonNullable<B>> : undefined;

export interface Options<T> {
  params?: T;
  signal?: AbortSignal;
}

/** One sentence of the server about what cannot be done and what helps; `kind` names its type. */
export class Told extends Error {
  override name = 'Told';
  constructor(
    message: string,
    readonly kind: string,
    readonly status: number,
    readonly layer = '',
    readonly remedies: readonly Remedy[] = [],
    readonly at = -1,
  ) {
    super(message);
  }
}

export function get<P extends With<'get'>>(path: P, options: Options<Params<P, 'get'>> = {}): Promise<Answer<P, 'get'>> {
  return asked(path, { method: 'GET', signal: options.signal }, options.params, json<Answer<P, 'get'>>);
}

export function post<P extends With<'post'>>(
  path: P,
  body?: Body<P, 'post'>,
  options: Options<Params<P, 'post'>> = {},
): Promise<Answer<P, 'post'>> {
  return asked(path, sending(body, options.signal), options.params, json<Answer<P, 'post'>>);
}

export function del<P extends With<'delete'>>(
  path: P,
  options: Options<Params<P, 'delete'>> = {},
): Promise<Answer<P, 'delete'>> {
  return asked(path, { method: 'DELETE', signal: options.signal }, options.params, json<Answer<P, 'delete'>>);
}

/** A dropped file or a webcam's picture -> its address, which model, picture and data values can name from now on. */
export function upload(file: Blob, name: string, options: { signal?: AbortSignal } = {}): Promise<Answer<'/api/uploads', 'post'>> {
  const headers = { 'Content-Type': 'application/octet-stream', 'X-File-Name': encodeURIComponent(name) };
  return asked('/api/uploads', { method: 'POST', body: file, headers, signal: options.signal }, {}, json<Answer<'/api/uploads', 'post'>>);
}

/** A GET that answers with a picture or other bytes. */
export function bytes<P extends With<'get'>>(path: P, options: Options<Params<P, 'get'>> = {}): Promise<Blob> {
  return asked(path, { method: 'GET', signal: options.signal }, options.params, (answer) => answer.blob());
}

/** A POST that answers with a picture or other bytes. */
export function blob<P extends With<'post'>>(path: P, body: Body<P, 'post'>, options: Options<Params<P, 'post'>> = {}): Promise<Blob> {
  return asked(path, sending(body, options.signal), options.params, (answer) => answer.blob());
}

/** Address with its values filled in: `{id}` in the path, all else after the `?`; null and undefined are left out. */
export function address(path: string, params: object = {}): string {
  const left = new URLSearchParams();
  let filled = path;
  for (const [name, value] of Object.entries(params)) {
    if (value === null || value === undefined) continue;
    if (filled.includes(`{${name}}`)) filled = filled.replace(`{${name}}`, encodeURIComponent(String(value)));
    else for (const one of Array.isArray(value) ? value : [value]) left.append(name, String(one));
  }
  return left.size ? `${filled}?${left}` : filled;
}

function sending(body: unknown, signal: AbortSignal | undefined): RequestInit {
  if (body === undefined) return { method: 'POST', signal };
  return { method: 'POST', signal, body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } };
}

/** A request whose answer does not come, or not whole, is made again when the studio answers again: until then it waits. */
async function asked<T>(path: string, init: RequestInit, params: unknown, read: (answer: Response) => Promise<T>): Promise<T> {
  for (let left = TRIES; left; ) {
    try {
      const answer = await fetch(address(path, params ?? {}), { ...init, credentials: 'same-origin' });
      if (answer.ok) return await read(answer);
      const why = await told(answer);
      if (why.kind !== 'locked') throw why;
    } catch (why) {
      if (!(why instanceof TypeError)) throw why; // which is what fetch and its bodies give where the network fails
    }
    if (!(await presence.answers(init.signal ?? undefined))) left--;
  }
  throw new Told('The studio does not answer this: is it still running in its terminal?', 'offline', 0);
}

async function json<T>(answer: Response): Promise<T> {
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

async function told(answer: Response): Promise<Told> {
  const said: unknown = await answer.json().catch(() => null);
  const { message, kind, layer, remedies, at } = (said ?? {}) as Partial<Told>;
  const sentence = message ?? `The studio answered ${answer.status} ${answer.statusText}.`;
  return new Told(sentence, kind ?? 'error', answer.status, layer, remedies, at);
}
