// What two ranked lists of ids have in common.

// Share of the longer list that both have.
export function overlap(one, other) {
  const most = Math.max(one.length, other.length);
  const there = new Set(other);
  return most ? one.filter((id) => there.has(id)).length / most : 1;
}

// For each id of `list` how far it rose against `base`: 2 is two places up, 0 is the same place, null is not in it.
export function shifts(base, list) {
  const places = new Map(base.map((id, at) => [id, at]));
  return list.map((id, at) => (places.has(id) ? places.get(id) - at : null));
}

// [place in one, place in the other] of each id that both have.
export function pairs(one, other) {
  const places = new Map(other.map((id, at) => [id, at]));
  return one.flatMap((id, at) => (places.has(id) ? [[at, places.get(id)]] : []));
}
