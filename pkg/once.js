/** Loads a generated module once, however often it is asked for; after a failure the next call tries again. */
export function once(init) {
  let loading = null;
  return (moduleOrPath) => {
    loading ??= init(moduleOrPath === undefined ? undefined : { module_or_path: moduleOrPath }).catch((error) => {
      loading = null;
      throw error;
    });
    return loading;
  };
}
