/** Set by the build: the modules' file names beside the worker's script, and their sizes in bytes uncompressed. */
declare const __WASM_FILE__: string;
declare const __WASM_BYTES__: number;
declare const __LEDGER_FILE__: string;
declare const __LEDGER_BYTES__: number;
/** Where the third module is listed, from the worker's script on. */
declare const __PARQUET_LIST__: string;
/** The same of the simulator's. */
declare const __SIM_LIST__: string;
