/** A modal sheet, and the list of keys that help shows: whatever the page is, they look and behave alike. */
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { keyWords } from "../model/command.js";
import { Icon } from "./bits.js";

/** A modal dialog; the browser keeps the focus inside and gives it back. */
export function Sheet(props: {
  title: string;
  close: () => void;
  class?: string;
  bare?: boolean;
  children: ComponentChildren;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  // Before the next key: what is typed after the one that opens a search goes into its field.
  useLayoutEffect(() => {
    const element = ref.current;
    const before = document.activeElement;
    element?.showModal();
    return () => {
      element?.close();
      // The dialog is already gone from the page, so that the browser no longer gives the focus back.
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      class={`modal ${props.class ?? ""}`}
      aria-label={props.title}
      onCancel={(event) => {
        event.preventDefault();
        props.close();
      }}
      onClick={(event) => {
        if (event.target === ref.current) props.close();
      }}
    >
      <div class="modal-body">
        {props.bare ? null : (
          <div class="section-head">
            <h2>{props.title}</h2>
            <button
              type="button"
              class="button"
              aria-label="Close"
              aria-keyshortcuts="Escape"
              title="Close (Escape)"
              onClick={props.close}
            >
              <Icon name="close" />
            </button>
          </div>
        )}
        {props.children}
      </div>
    </dialog>
  );
}

interface Keyed {
  id: string;
  title: string;
  group: string;
  keys: readonly string[];
}

/** Printed from a command table: no key that does nothing. */
export function KeyTable({ groups, entries }: { groups: readonly string[]; entries: readonly Keyed[] }) {
  return (
    <>
      {groups.map((group) => (
        <section key={group}>
          <h3>{group}</h3>
          <dl>
            {entries
              .filter((c) => c.group === group && c.keys.length > 0)
              .map((c) => (
                <div key={c.id} class="help-line">
                  <dt>
                    {c.keys.map((key, i) => (
                      <span key={key}>
                        {i > 0 ? " or " : ""}
                        {keyWords(key).map((word) => (
                          <kbd key={word}>{word}</kbd>
                        ))}
                      </span>
                    ))}
                  </dt>
                  <dd>{c.title}</dd>
                </div>
              ))}
          </dl>
        </section>
      ))}
    </>
  );
}
