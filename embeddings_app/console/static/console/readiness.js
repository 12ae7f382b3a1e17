// What of the service does not work now, as /readyz says it.

const OPERATIONS = "/admin/operations/";

// One entry for each failing check; none when all is well.
export async function readProblems() {
  try {
    const answer = await fetch("/readyz", { signal: AbortSignal.timeout(5_000) });
    const { checks } = await answer.json();
    return Object.entries(checks)
      .filter(([, check]) => !check.ok)
      .map(([name, { detail }]) => ({ name, detail, href: OPERATIONS }));
  } catch {
    return [{ name: "service", detail: "it does not answer", href: OPERATIONS }];
  }
}
