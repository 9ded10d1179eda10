/** The lesson's panel: what it says, what it waits for, what it asks. */
import type { Condition, LessonStep } from "../../model/failover/lesson.js";
import type { LabState } from "../../model/failover/state.js";
import { useLabDispatch, useLabValue } from "./hooks.js";
import { Give, Press } from "./parts.js";

export function LessonPanel() {
  const dispatch = useLabDispatch();
  const lesson = useLabValue((lab) => lab.state.lesson);
  if (!lesson) return null;
  const { steps, title, free } = lesson.lesson;
  const step = steps[lesson.step];
  return (
    <section class="fo-lesson" aria-label={`Lesson: ${title}`} data-step={lesson.step}>
      <div class="section-head">
        <h2>{title}</h2>
        <button
          type="button"
          class="button small"
          onClick={() => dispatch({ do: "lesson", lesson: null, name: null })}
        >
          <span class="button-words">End lesson</span>
        </button>
      </div>
      <progress
        max={steps.length}
        value={lesson.step}
        aria-label={`Step ${Math.min(lesson.step + 1, steps.length)} of ${steps.length}`}
      />
      {step ? (
        <Step step={step} lesson={lesson} />
      ) : (
        <div role="status">
          <h3>Now it is yours</h3>
          <p>{free}</p>
          <Press id="lessons" worded label="Other lessons" class="primary" />
        </div>
      )}
    </section>
  );
}

function Step({ step, lesson }: { step: LessonStep; lesson: NonNullable<LabState["lesson"]> }) {
  const playing = useLabValue((lab) => lab.state.playing);
  const answers = step.ask?.answers ?? [];
  const solved = step.ask === undefined || lesson.answered.some((index) => answers[index]?.right);
  return (
    <>
      <div role="status">
        <h3>{step.title}</h3>
        {step.say.map((line) => (
          <p key={line}>{line}</p>
        ))}
      </div>
      {step.ask ? <Question ask={step.ask} answered={lesson.answered} /> : null}
      <div class="fo-menu">
        {step.try?.map(({ label, order }) => (
          <Give key={label} order={order} label={label} primary />
        ))}
        {step.until === undefined ? (
          <Press id="continue" worded label="Continue" class={step.try ? "" : "primary"} disabled={!solved} />
        ) : playing ? (
          <span class="quiet">Waiting until {conditionWords(step.until)} …</span>
        ) : (
          <Press id="continue" worded label="Let it run" class={step.try ? "" : "primary"} />
        )}
      </div>
    </>
  );
}

function Question(props: { ask: NonNullable<LessonStep["ask"]>; answered: readonly number[] }) {
  const { ask, answered } = props;
  const dispatch = useLabDispatch();
  return (
    <fieldset class="fo-question">
      <legend>{ask.question}</legend>
      {ask.answers.map((answer, index) => {
        const given = answered.includes(index);
        return (
          <div key={answer.say}>
            <button
              type="button"
              class={`button small ${given ? (answer.right ? "fo-right" : "fo-wrong") : ""}`}
              aria-pressed={given}
              onClick={() => dispatch({ do: "answer", index })}
            >
              <span class="button-words">{answer.say}</span>
            </button>
            {given ? (
              <p role="status">
                {answer.right ? "Yes. " : "No. "}
                {answer.because}
              </p>
            ) : null}
          </div>
        );
      })}
    </fieldset>
  );
}

/** What is waited for, in plain words. */
function conditionWords(condition: Condition): string {
  if ("all" in condition) return condition.all.map(conditionWords).join(" and ");
  if ("any" in condition) return condition.any.map(conditionWords).join(" or ");
  if ("given" in condition) return `you give “${condition.given.replaceAll("-", " ")}”`;
  if ("after_ms" in condition) return `${condition.after_ms / 1000} s have passed`;
  if ("than" in condition) return `${condition.told} ${condition.is} ${condition.than}`;
  if ("told" in condition) return `${condition.told} ${condition.is} ${condition.value}`;
  const times = condition.times && condition.times > 1 ? `${condition.times} times ` : "";
  return `${times}“${condition.happened.replaceAll("-", " ")}”${condition.who === undefined ? "" : ` of ${condition.who}`}`;
}
