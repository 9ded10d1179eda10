/** What became of rows, how long clients waited, how far replicas are behind, what it costs: as the simulator tells it. */
import { atRisk, monthOf } from "../../model/failover/account.js";
import { nodeState } from "../../model/failover/words.js";
import { PRICES } from "../../model/cluster/cost.js";
import { count, counted, size, span } from "../../model/format.js";
import { clientEnd, type ClientTold, nodeEnd, type NodeTold, type Told } from "../../model/failover/told.js";
import { useLabValue, useTold } from "./hooks.js";

export function Numbers() {
  const told = useTold(true);
  if (!told) return null;
  return (
    <section class="fo-numbers" aria-label="Numbers">
      <RowNumbers told={told} />
      <Windows clients={told.clients} />
      <Replicas nodes={told.nodes} />
      <Cost told={told} />
    </section>
  );
}

function RowNumbers({ told }: { told: Told }) {
  const { rows } = told;
  const risk = atRisk(told);
  return (
    <dl class="fo-rows">
      <Figure name="made" value={rows.made} title="Clients made them" />
      <Figure name="acknowledged" value={rows.acknowledged} title="A client was told that they are safe" />
      <Figure name="durable" value={rows.durable} title="A client was told that they are in the bucket" />
      <Figure
        name="in history"
        id="in_history"
        value={rows.in_history}
        title="They are in the bucket’s history"
      />
      <Figure
        name="at risk"
        id="risk"
        value={risk}
        title="Acknowledged, and not in the history: not yet, or never"
        warn={risk > 0}
      />
      <Figure
        name="lost"
        value={rows.lost}
        title="Acknowledged, and the history went on without them"
        bad={rows.lost > 0}
      />
      <Figure
        name="duplicated"
        value={rows.duplicated}
        title="More than once in a table without dedup"
        warn={rows.duplicated > 0}
      />
      <Figure
        name="forgotten"
        value={rows.forgotten}
        title="Went with a client that kept them in memory, before anybody was told of them"
        warn={rows.forgotten > 0}
      />
    </dl>
  );
}

function Figure(props: {
  name: string;
  id?: string;
  value: number;
  title: string;
  warn?: boolean;
  bad?: boolean;
}) {
  const { name, value, title, warn, bad } = props;
  return (
    <div class={`fo-figure ${bad ? "fo-bad" : warn ? "fo-warn" : ""}`} title={title}>
      <dt>{name}</dt>
      <dd data-figure={props.id ?? name}>{count(value)}</dd>
    </div>
  );
}

function Windows({ clients }: { clients: readonly ClientTold[] }) {
  return (
    <table class="plain fo-table">
      <caption>Clients: without a primary, and what waits</caption>
      <thead>
        <tr>
          <th scope="col">Client</th>
          <th scope="col" class="num">
            Now
          </th>
          <th scope="col" class="num">
            Longest
          </th>
          <th scope="col" class="num">
            Outages
          </th>
          <th scope="col" class="num">
            Frames
          </th>
        </tr>
      </thead>
      <tbody>
        {clients.map((client) => (
          <tr key={client.client} data-client={client.client}>
            <th scope="row">{clientEnd(client.client)}</th>
            <td class={`num ${client.outage_us > 0 ? "fo-warn" : ""}`}>{spanOrNone(client.outage_us)}</td>
            <td class="num" data-longest={client.longest_outage_us}>
              {spanOrNone(client.longest_outage_us)}
            </td>
            <td class="num">{client.outages}</td>
            <td class="num" data-queue={client.queue}>
              {client.queue}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Replicas({ nodes }: { nodes: readonly NodeTold[] }) {
  return (
    <table class="plain fo-table">
      <caption>Nodes: role, rows, objects behind, time to catch up</caption>
      <thead>
        <tr>
          <th scope="col">Node</th>
          <th scope="col">Role</th>
          <th scope="col" class="num">
            Rows
          </th>
          <th scope="col" class="num">
            Lag
          </th>
          <th
            scope="col"
            class="num"
            title="From its start, or the end of what kept it from the bucket, until it had all that there was then"
          >
            Catch-up
          </th>
          <th scope="col" class="num">
            Aside
          </th>
        </tr>
      </thead>
      <tbody>
        {nodes.map((node) => (
          <tr key={node.node} data-node={node.node}>
            <th scope="row">{nodeEnd(node.node)}</th>
            <td>{nodeState(node) === "refuses" ? "no writes" : nodeState(node)}</td>
            <td class="num">{count(node.rows)}</td>
            <td class="num" data-lag={node.lag}>
              {count(node.lag)}
            </td>
            <td class={`num ${node.behind_us > 0 ? "fo-warn" : ""}`} data-caught-up={node.caught_up_us}>
              {spanOrNone(node.behind_us > 0 ? node.behind_us : node.caught_up_us)}
            </td>
            <td class={`num ${node.aside > 0 ? "fo-warn" : ""}`}>{count(node.aside)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Cost({ told }: { told: Told }) {
  const us = useLabValue((lab) => Math.floor(lab.us / 1e6) * 1e6, true);
  const month = monthOf(told, us);
  const { requests } = told;
  return (
    <p
      class="fo-cost quiet"
      title={`S3’s list prices: $${(PRICES.put * 1000).toFixed(4)} for 1,000 puts, $${(PRICES.get * 1000).toFixed(4)} for 1,000 gets`}
    >
      Requests: <b data-figure="puts">{count(requests.puts)}</b> puts,{" "}
      <b data-figure="gets">{count(requests.gets)}</b> gets, {size(requests.bytes_in)} in,{" "}
      {size(requests.bytes_out)} out.
      {month ? (
        <>
          {" "}
          At this rate {counted(Math.round(month.puts + month.gets), "request")} a month:{" "}
          <b>${month.dollars.toFixed(2)}</b> at S3’s list prices.
        </>
      ) : null}
    </p>
  );
}

function spanOrNone(us: number): string {
  return us > 0 ? span(us) : "–";
}
