import type { Component } from 'svelte';

export interface Page {
  /** What stands after `#/` in the address. */
  name: string;
  /** What the navigation calls it. */
  title: string;
  load: () => Promise<{ default: Component }>;
}

/** Every page of the studio, in the order of the navigation. The first one opens where the address names none. */
export const pages: Page[] = [
  { name: 'home', title: 'Home', load: () => import('../pages/Home.svelte') },
  { name: 'machine', title: 'Machine', load: () => import('../pages/Machine.svelte') },
  { name: 'explain', title: 'Explain', load: () => import('../pages/Explain.svelte') },
  { name: 'compare', title: 'Compare', load: () => import('../pages/Compare.svelte') },
  { name: 'map', title: 'Map', load: () => import('../pages/Map.svelte') },
  { name: 'runs', title: 'Runs', load: () => import('../pages/Runs.svelte') },
  { name: 'learn', title: 'Learn', load: () => import('../pages/Learn.svelte') },
];
