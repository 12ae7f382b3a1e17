// A page that asks again every two seconds while it is looked at.

import { failed } from "./states.js";

const PERIOD_MS = 2_000;

// `ask` gives what `show` shows, with the answer before it. An answer that fails is said in `place`, and asked again.
export function renew(place, ask, show) {
  let before = null;
  let waiting = null;
  const turn = async () => {
    clearTimeout(waiting);
    if (!document.hidden) {
      try {
        const answer = { ...(await ask()), at: performance.now() };
        show(answer, before);
        before = answer;
      } catch (error) {
        if (error.status === undefined) console.error(error);
        place.replaceChildren(failed(error, turn));
      }
    }
    waiting = setTimeout(turn, PERIOD_MS);
  };
  document.addEventListener("visibilitychange", () => !document.hidden && turn());
  turn();
}
