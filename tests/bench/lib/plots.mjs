export function drawPlots() {}
