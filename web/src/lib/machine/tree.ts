// Steps with their blocks -> the outline: a tree as the drawing groups them, flat to walk through by keys.

import type { Layer } from '../api.gen';

export interface Twig {
  /** The step's name, or the block's path. */
  path: string;
  /** What is new in it against the block it lies in. */
  label: string;
  depth: number;
  layer: Layer | null;
  children: Twig[];
}

/** Steps in running order -> the blocks and steps at the top of the network. A block of one step is that step. */
export function treeOf(layers: readonly Layer[]): Twig[] {
  const top: Twig[] = [];
  const blocks = new Map<string, Twig>();
  for (const layer of layers) {
    let into = top;
    let depth = 0;
    let outer = '';
    const parts = layer.group ? layer.group.split('.') : [];
    for (let i = 0; i < parts.length; i++) {
      const path = parts.slice(0, i + 1).join('.');
      let block = blocks.get(path);
      if (!block) {
        block = { path, label: short(path, outer), depth, layer: null, children: [] };
        blocks.set(path, block);
        into.push(block);
      }
      into = block.children;
      outer = path;
      depth = block.depth + 1;
    }
    into.push({ path: layer.name, label: short(layer.name, outer), depth, layer, children: [] });
  }
  return top.map((twig) => thinned(twig, 0));
}

function short(path: string, outer: string): string {
  const rest = outer && path.startsWith(outer) ? path.slice(outer.length).replace(/^[._/]/, '') : path;
  return rest || path;
}

/** A block that holds one thing only is that thing. */
function thinned(twig: Twig, depth: number): Twig {
  const only = twig.children[0];
  if (!twig.layer && only && twig.children.length === 1) {
    const inner = thinned(only, depth);
    return { ...inner, label: inner.layer || inner.path === inner.label ? inner.path : `${twig.label}.${inner.label}` };
  }
  return { ...twig, depth, children: twig.children.map((child) => thinned(child, depth + 1)) };
}

/** The blocks that stand open at first: level by level, as long as no more than `most` lines are seen. */
export function firstOpened(tree: readonly Twig[], most: number): Set<string> {
  const opened = new Set<string>();
  for (let level = tree.filter((twig) => !twig.layer), seen = tree.length; level.length; level = level.flatMap((twig) => twig.children.filter((child) => !child.layer))) {
    seen += level.reduce((sum, twig) => sum + twig.children.length, 0);
    if (seen > most) break;
    for (const twig of level) opened.add(twig.path);
  }
  return opened;
}

/** The lines that are seen: opened blocks with what is in them; with a search, steps whose name or kind holds it. */
export function linesOf(tree: readonly Twig[], opened: ReadonlySet<string>, search = ''): Twig[] {
  const wanted = search.trim().toLowerCase();
  if (wanted) return steps(tree).filter(({ path, layer }) => `${path} ${layer?.kind ?? ''}`.toLowerCase().includes(wanted));
  return tree.flatMap((twig) => [twig, ...(opened.has(twig.path) ? linesOf(twig.children, opened) : [])]);
}

export function steps(tree: readonly Twig[]): Twig[] {
  return tree.flatMap((twig) => (twig.layer ? [twig] : steps(twig.children)));
}

/** Blocks around a step, the outermost first: "layer1.0.conv1" in layer1.0 -> ["layer1", "layer1.0"]. */
export function around(group: string): string[] {
  const parts = group ? group.split('.') : [];
  return parts.map((_, i) => parts.slice(0, i + 1).join('.'));
}
