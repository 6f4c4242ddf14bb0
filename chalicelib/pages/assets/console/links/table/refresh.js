// Run something every ten seconds while its view is visible, and at once when the browser's tab is shown again.

const EVERY_MS = 10000;
const AFTER_ERROR_MS = 3 * EVERY_MS;

/**
 * Begin to refresh.
 * @param {() => Promise<boolean>} run false if it failed
 */
export function refreshRegularly(run) {
  /** @type {ReturnType<typeof setTimeout>} */
  let timer;
  let ended = false;

  /** @param {number} delay in ms */
  function runAfter(delay) {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const done = document.hidden || (await run());
      if (!ended) runAfter(done ? EVERY_MS : AFTER_ERROR_MS);
    }, delay);
  }

  const now = () => runAfter(0);
  const whenShown = () => {
    if (!document.hidden) now();
  };
  document.addEventListener("visibilitychange", whenShown);
  return {
    now,
    later: () => runAfter(EVERY_MS),
    end() {
      ended = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", whenShown);
    },
  };
}
