/** A lane of partition bricks for each instance, along one axis of time, with the lines that the policy draws. */
import { useMemo } from "preact/hooks";
import type { LabBrick, LabInstance, LabLane, LabTold } from "../../../pkg/types.js";
import { size } from "../../model/format.js";
import { type Brick, INSTANCES_MAX } from "../../model/lab/lab.js";
import {
  brickWords,
  FORM_SIGNS,
  laneWords,
  LINE_NAMES,
  moment,
  percent,
  shortName,
  type Stretch,
  stretchOf,
} from "../../model/lab/words.js";
import { Icon } from "../bits.js";
import { useDispatch, useSnapshot } from "../hooks.js";
import { InstanceForm } from "./instance.js";

/** Partitions that are drawn, the newest ones. */
const SHOWN_MAX = 80;

export function LabLanes({ told }: { told: LabTold }) {
  const dispatch = useDispatch();
  const instances = useSnapshot((s) => s.state.lab?.instances ?? []);
  const brick = useSnapshot((s) => s.state.lab?.brick ?? null);
  const stretch = stretchOf(told, SHOWN_MAX);
  const most = useMemo(() => mostBytes(told), [told]);
  return (
    <section class="lab-lanes" aria-label="Instances">
      <div class="lab-lanes-head">
        <h3>Instances</h3>
        <button
          type="button"
          class="button"
          disabled={instances.length >= INSTANCES_MAX}
          onClick={() => dispatch({ do: "lab", lab: { do: "add" } })}
        >
          <Icon name="plus" />
          <span class="button-words">instance</span>
        </button>
        <Legend />
      </div>
      {stretch && stretch.first > 0 ? (
        <p class="quiet">{stretch.first} older partitions are not drawn; the text below has them all.</p>
      ) : null}
      {told.instances.map((lane, index) => (
        <Lane
          key={index}
          lane={lane}
          index={index}
          told={told}
          stretch={stretch}
          most={most}
          settings={instances[index] ?? null}
          chosen={brick?.instance === index ? brick : null}
        />
      ))}
    </section>
  );
}

/** Of the largest partition on any instance; there may be very many. */
function mostBytes({ instances }: LabTold): number {
  const largest = (most: number, brick: LabBrick | null) => Math.max(most, brick?.bytes ?? 0);
  return instances.reduce((most, { bricks }) => bricks.reduce(largest, most), 1);
}

function Legend() {
  const signs: LabBrick["form"][] = ["native", "converting", "parquet", "uploading", "remote", "dropped"];
  return (
    <span class="lab-legend quiet">
      {signs.map((form) => (
        <span key={form}>
          <i class={`part part-${form}`} aria-hidden="true">
            {FORM_SIGNS[form]}
          </i>{" "}
          {form}
        </span>
      ))}
    </span>
  );
}

interface LaneProps {
  lane: LabLane;
  index: number;
  told: LabTold;
  stretch: Stretch | null;
  /** Bytes of the brick that is full. */
  most: number;
  settings: LabInstance | null;
  chosen: Brick | null;
}

function Lane({ lane, index, told, stretch, most, settings, chosen }: LaneProps) {
  return (
    <article class={`lab-lane ${lane.paused ? "lab-lane-paused" : ""}`} aria-label={laneWords(lane)}>
      <header>
        <b>{lane.name}</b>{" "}
        <span class="quiet">
          {size(lane.bytes)}
          {lane.working > 0 ? `, ${lane.working} at work` : ""}
          {lane.paused ? `, stands still at txn ${lane.seqTxn}` : ""}
        </span>
        {settings ? <InstanceForm index={index} settings={settings} lane={lane} nowUs={told.nowUs} /> : null}
      </header>
      {stretch ? (
        <div
          class="lab-scroll"
          tabIndex={0}
          role="group"
          data-keys="own"
          aria-label={`Partitions on ${lane.name}`}
        >
          <div class="lab-track" style={{ minWidth: `${(told.partitions.length - stretch.first) * 46}px` }}>
            {told.partitions.slice(stretch.first).map((partition, at) => (
              <BrickButton
                key={partition.name}
                name={partition.name}
                brick={lane.bricks[stretch.first + at] ?? null}
                most={most}
                left={percent(stretch, partition.fromUs)}
                right={100 - percent(stretch, partition.endUs)}
                chosen={chosen?.partition === partition.name}
                index={index}
              />
            ))}
            <Lines lane={lane} stretch={stretch} />
          </div>
        </div>
      ) : (
        <p class="quiet">No rows yet.</p>
      )}
    </article>
  );
}

function Lines({ lane, stretch }: { lane: LabLane; stretch: Stretch }) {
  return (
    <>
      {lane.lines.map((us, i) => {
        const name = LINE_NAMES[i] ?? "";
        if (us === null || us < stretch.fromUs) return null;
        const words = `${name}: partitions that end up to ${moment(us)} are old enough`;
        return (
          <span
            key={name}
            class={`lab-line lab-line-${i}`}
            style={{ left: `${percent(stretch, us)}%` }}
            title={words}
            role="img"
            aria-label={words}
          >
            <span>{name}</span>
          </span>
        );
      })}
    </>
  );
}

function BrickButton(props: {
  name: string;
  brick: LabBrick | null;
  most: number;
  left: number;
  right: number;
  chosen: boolean;
  index: number;
}) {
  const { name, brick, most, left, right, chosen, index } = props;
  const dispatch = useDispatch();
  if (!brick) return null;
  const words = brickWords(name, brick);
  const chooses = chosen ? null : { instance: index, partition: name };
  return (
    <button
      type="button"
      class={`lab-brick lab-brick-${brick.form} ${brick.differs ? "lab-brick-differs" : ""}`}
      style={{ left: `${left}%`, right: `${right}%` }}
      data-form={brick.form}
      data-partition={name}
      title={words}
      aria-pressed={chosen}
      onClick={() => dispatch({ do: "lab", lab: { do: "select", brick: chooses } })}
    >
      <span class="sr">{words}</span>
      <span
        class="lab-fill"
        style={{ height: `${Math.round((100 * brick.bytes) / most)}%` }}
        aria-hidden="true"
      />
      <span class="lab-sign" aria-hidden="true">
        <span class="lab-name">{shortName(name)}</span> {FORM_SIGNS[brick.form]}
        {brick.late ? "+" : ""}
        {brick.differs ? "≠" : ""}
      </span>
      <span class="lab-bytes" aria-hidden="true">
        {brick.bytes > 0 ? size(brick.bytes) : brick.remoteBytes > 0 ? size(brick.remoteBytes) : ""}
      </span>
    </button>
  );
}
