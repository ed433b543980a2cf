// Before the first paint: the colours this reader chose last time; without a choice, the system's.
try {
  const chosen = localStorage.getItem('cutaway-theme');
  if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen;
} catch {
  // A browser that keeps nothing shows the system's colours.
}
