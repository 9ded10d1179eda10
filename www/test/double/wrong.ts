/** What is wrong with the stand-in's tables. */
import type { Problem } from "../../../pkg/types.js";

export const DIFFERENCE: Problem = {
  severity: "warning",
  table: "orders~8",
  message:
    "at transaction 900 partition 2026-08-03T09 has 81 rows by the log, and 57 in the server's own files",
  file: null,
  offset: null,
  advice: "possible causes: ALTER TABLE ... FORCE DROP PARTITION",
};
