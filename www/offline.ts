/** Keeps the page for when there is no network. */
export function keepForOffline(): void {
  // Only where the build has put the script: not in the page that is worked on.
  if (!("serviceWorker" in navigator) || !isSecureContext) return;
  const keep = async () => {
    await navigator.serviceWorker.register(new URL("sw.js", document.baseURI));
    const { active } = await navigator.serviceWorker.ready;
    active?.postMessage("keep");
  };
  // Where it may not be done the page works as before.
  keep().catch(() => undefined);
}
