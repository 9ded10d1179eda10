import assert from "node:assert/strict";
import test from "node:test";
import { standsAt } from "../views/virtual.js";

test("a line that was put at the top stays there until one scrolls", () => {
  const revealed = { scrollTop: 7_999_123, line: 1_360_000 };
  assert.equal(standsAt(revealed, 7_999_123), 1_360_000);
  assert.equal(standsAt(revealed, 7_999_123.4), 1_360_000, "browsers round differently");
  assert.equal(standsAt(revealed, 7_999_124), null);
  assert.equal(standsAt(null, 0), null);
});
