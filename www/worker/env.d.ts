/** Set by the build: the module's file name beside the worker's script, and its size in bytes uncompressed. */
declare const __WASM_FILE__: string;
declare const __WASM_BYTES__: number;
