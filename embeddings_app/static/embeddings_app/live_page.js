"use strict";

// Parts of pages that refresh their own numbers: the dashboard, and the page of a run.

const REFRESH_MS = 5000;
const ANSWER_MS = 4000;
const AXIS_COLOUR = "#8a93a3";
const GRID_COLOUR = "rgba(128, 136, 148, 0.2)";

function themeColour(page, name) {
  return getComputedStyle(page).getPropertyValue(name).trim();
}

function showTiles(page, tiles) {
  for (const [name, tile] of Object.entries(tiles)) {
    const element = page.querySelector(`[data-tile="${name}"]`);
    element.textContent = tile.text;
    element.dataset.tone = tile.tone;
  }
}

// Shows the numbers that came with the page, and then those of data-source, until `show` says that they are final.
function keepFresh(page, first, show, refreshMs = REFRESH_MS) {
  const silent = page.querySelector("[data-silent]");

  async function refresh() {
    let final = false;
    try {
      const answer = await fetch(page.dataset.source, { signal: AbortSignal.timeout(ANSWER_MS) });
      if (answer.status === 403) {
        location.reload();
        return;
      }
      if (!answer.ok) throw new Error(String(answer.status));
      final = show(await answer.json());
      silent.hidden = true;
    } catch {
      silent.hidden = false;
    }
    if (!final) setTimeout(refresh, refreshMs);
  }

  if (!show(first)) setTimeout(refresh, refreshMs);
}
