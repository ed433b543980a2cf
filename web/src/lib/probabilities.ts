/** Class, probability, and what it was before a change. */
export type Row = readonly [name: string, p: number, before?: number];

/** All classes -> the `top` likeliest; with a search, the likeliest whose name holds its words. */
export function shown(rows: readonly Row[], top: number, search = ''): Row[] {
  const wanted = search.trim().toLowerCase();
  const found = wanted ? rows.filter(([name]) => name.toLowerCase().includes(wanted)) : [...rows];
  return found.sort((a, b) => b[1] - a[1]).slice(0, top);
}
