/** @type {import('@sveltejs/vite-plugin-svelte').SvelteConfig} */
export default {
  compilerOptions: { runes: true },
  // A page that a keyboard or a screen reader cannot use does not build.
  onwarn(warning, say) {
    if (warning.code.startsWith('a11y')) throw new Error(`${warning.filename}: ${warning.message}`);
    say(warning);
  },
};
