/** The tabs below the partitions. */
import type { Tab } from "../model/link.js";
import { TABS } from "../model/link.js";
import { Bytes } from "./bytes.js";
import { ClusterTab } from "./cluster/cluster.js";
import { useDispatch, useSnapshot } from "./hooks.js";
import { Log } from "./log.js";
import { Rows } from "./rows.js";
import { Schema } from "./schema.js";
import { StorageTab } from "./storage/storage.js";
import { AsText } from "./text.js";

const NAMES: Record<Tab, string> = {
  rows: "Rows",
  log: "Log",
  schema: "Schema",
  bytes: "Bytes",
  storage: "Storage",
  cluster: "Cluster",
  text: "As text",
};
const VIEWS: Record<Tab, () => preact.JSX.Element> = {
  rows: Rows,
  log: Log,
  schema: Schema,
  bytes: Bytes,
  storage: StorageTab,
  cluster: ClusterTab,
  text: AsText,
};

export function Tabs() {
  const dispatch = useDispatch();
  const tab = useSnapshot((s) => s.state.tab);
  const isBucket = useSnapshot((s) => Boolean(s.shown.cluster));
  const tabs = TABS.filter((t) => t !== "cluster" || isBucket || t === tab);
  const View = VIEWS[tab];
  const onKey = (event: KeyboardEvent) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by === undefined || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    const next = tabs[(tabs.indexOf(tab) + by + tabs.length) % tabs.length] ?? tab;
    dispatch({ do: "tab", tab: next });
    document.getElementById(`tab-${next}`)?.focus();
  };
  return (
    <section class="tabs" aria-label="Details">
      <div class="tablist" role="tablist" aria-label="Details" onKeyDown={onKey}>
        {tabs.map((t) => (
          <button
            key={t}
            type="button"
            role="tab"
            id={`tab-${t}`}
            aria-selected={t === tab}
            aria-controls="tabpanel"
            tabIndex={t === tab ? 0 : -1}
            onClick={() => dispatch({ do: "tab", tab: t })}
          >
            {NAMES[t]}
          </button>
        ))}
      </div>
      <div class="tabpanel" id="tabpanel" role="tabpanel" aria-labelledby={`tab-${tab}`}>
        <View />
      </div>
    </section>
  );
}
