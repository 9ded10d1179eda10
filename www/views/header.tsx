/** The page's head: what is open, and what can be done with it as a whole. */
import { mebibytes, size } from "../model/format.js";
import { CommandButton, CopyButton, Icon } from "./bits.js";
import { ClusterChip } from "./cluster/cluster.js";
import { useSnapshot, useDispatch } from "./hooks.js";

export function Header({ onTheme }: { onTheme: () => void }) {
  const bundled = useSnapshot((s) => s.opening.bundled);
  const title = useSnapshot((s) =>
    bundled ? s.opening.title : (s.state.overview?.title ?? s.opening.title),
  );
  const isBucket = useSnapshot((s) => Boolean(s.shown.cluster));
  return (
    <header class="head">
      <p class="wordmark">Understudy</p>
      <p class="head-source" title={title}>
        <span class="head-kind">{bundled ? "Recording" : isBucket ? "Cluster" : "Database"}</span> {title}
      </p>
      <ClusterChip />
      <RealChip />
      <nav class="head-tools" aria-label="Page">
        <a class="button" href="#lab" title="A simulated cluster: kill, promote, and see what is lost">
          <span class="button-words">Failover lab</span>
        </a>
        <CommandButton command={{ do: "dialog", dialog: "palette" }} label="Search" icon="search" keys="/" />
        <CommandButton command={{ do: "dialog", dialog: "open" }} label="Open" icon="open" worded />
        <CopyButton text={() => location.href} label="Share" icon="share" />
        <button
          type="button"
          class="button"
          aria-label="Light or dark"
          title="Light or dark"
          onClick={onTheme}
        >
          <Icon name="theme" />
        </button>
        <CommandButton command={{ do: "dialog", dialog: "help" }} label="Keys" icon="help" keys="?" />
      </nav>
    </header>
  );
}

/** How many real bytes the page has read: opens the whole account. */
function RealChip() {
  const dispatch = useDispatch();
  const fetched = useSnapshot((s) => s.shown.fetched);
  const words = fetched
    ? `${size(fetched.bytes)} read, ${mebibytes(fetched.memoryUsed)} of rows held`
    : "What is real here";
  return (
    <button type="button" class="chip" onClick={() => dispatch({ do: "dialog", dialog: "real" })}>
      <Icon name="real" />
      <span>{words}</span>
    </button>
  );
}
