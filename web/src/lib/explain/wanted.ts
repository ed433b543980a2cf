// Which maps the page asks for, as its address says it.

import type { ExplainCard, MethodCard, Wanted } from '../api.gen';

/** method -> setting -> what is typed for it, where that is not the default. */
export type Knobs = Record<string, Record<string, string>>;

/** A method, the typed settings, the chosen layer -> what is sent. */
export function settingsOf(method: MethodCard, knobs: Knobs, layer: string): Record<string, string> {
  const typed = { ...knobs[method.name] };
  if (method.layered && layer) typed.layer = layer;
  return typed;
}

/** What a map answers to: another text, another map. */
export function keyOf(subject: unknown, wanted: Wanted): string {
  return JSON.stringify([subject, wanted.name, Object.entries(wanted.settings ?? {}).sort()]);
}

/** A setting is typed -> all settings; one at its default is not kept. */
export function withKnob(knobs: Knobs, method: MethodCard, name: string, value: string): Knobs {
  const own = { ...knobs[method.name], [name]: value };
  if (method.knobs.find((knob) => knob.name === name)?.default === value) delete own[name];
  const all = { ...knobs, [method.name]: own };
  if (!Object.keys(own).length) delete all[method.name];
  return all;
}

export interface Group {
  title: string;
  says: string;
  cost: MethodCard['cost'];
  methods: MethodCard[];
}

/** Methods by what they cost, in their own order. */
export function groups(methods: readonly MethodCard[]): Group[] {
  const all = [
    { cost: 'instant', title: 'At once', says: 'Made and measured by themselves.' },
    { cost: 'seconds', title: 'In seconds', says: 'Made when you ask for them.' },
    { cost: 'slow', title: 'Slow', says: 'They run the network hundreds or thousands of times; some need an extra library.' },
  ] as const;
  return all
    .map((group) => ({ ...group, methods: methods.filter((method) => method.cost === group.cost) }))
    .filter((group) => group.methods.length > 0);
}

/** Class names -> names that are told apart: of those that stand twice (ImageNet's "crane"), the number behind. */
export function namesOf(classes: readonly string[]): string[] {
  const count = new Map<string, number>();
  for (const name of classes) count.set(name, (count.get(name) ?? 0) + 1);
  return classes.map((name, i) => (count.get(name) === 1 ? name : `${name} (${i})`));
}

/** A class's number -> what is typed for it: its name, or the number where the name means another, too. */
export function typedFor(card: ExplainCard, index: number): string {
  const name = card.classes[index] ?? '';
  return card.classes.indexOf(name) === index && card.classes.lastIndexOf(name) === index ? name : String(index);
}
