// The list of networks, searched.

import type { Network } from '../api.gen';

/** Networks, what was typed -> those whose name or note holds all of its words; names that begin with it come first. */
export function searched(networks: readonly Network[], typed: string): Network[] {
  const words = typed.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const found = networks.filter(({ name, note, library }) => {
    const text = `${name} ${note} ${library}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const first = words[0];
  if (first === undefined) return found;
  const rank = ({ name }: Network) => {
    const bare = name.toLowerCase().replace(/^.*\//, '');
    return bare === first ? 0 : bare.startsWith(first) ? 1 : bare.includes(first) ? 2 : 3;
  };
  return found.map((one, at) => [rank(one), at, one] as const).sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, , one]) => one);
}
