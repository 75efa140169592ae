// The highest rate that holds, in a bounded number of steps: doubled (or halved) until it is between two powers, then bisected.
//   holds(rate): whether it does (asynchronous); first: where to begin; most: no rate beyond it is tried;
//   fineness: ends when what failed is at most so many times what held; mayGoOn(): false ends the search with what is known.
// Gives { best, failed }: the highest that held (0: none) and the lowest that did not (Infinity: none).
export async function highest({ holds, first, most, fineness, mayGoOn = () => true }) {
  let best = 0;
  let failed = Infinity;
  for (let rate = first; rate >= 1 && mayGoOn(); rate = next({ best, failed, most })) {
    if (await holds(rate)) best = Math.max(best, rate);
    else failed = Math.min(failed, rate);
    const isFound = best >= most || (best > 0 && (failed - best <= 1 || failed / best <= fineness));
    if (isFound) break;
  }
  return { best, failed };
}

function next({ best, failed, most }) {
  if (failed === Infinity) return Math.min(best * 2, most);
  if (best === 0) return Math.floor(failed / 2);
  return Math.max(best + 1, Math.min(failed - 1, Math.round(Math.sqrt(best * failed))));
}
