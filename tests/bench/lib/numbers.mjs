export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  if (sorted.length === 0) return NaN;
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// Three digits that matter: 12,345 · 123 · 12.3 · 1.23 · 0.012
export function short(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  if (!Number.isFinite(value)) return '∞';
  const size = Math.abs(value);
  if (size >= 100 || Number.isInteger(value)) return Math.round(value).toLocaleString('en');
  if (size >= 10) return value.toFixed(1);
  return value.toFixed(size >= 0.1 ? 2 : 3);
}

// A ratio of rounds: its median and, in brackets, the lowest and the highest.
export const spread = (value) => (value ? `${short(value.median)} (${short(value.min)}–${short(value.max)})` : '–');
