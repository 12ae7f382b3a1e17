// Questions, messages and the drawer. Escape closes them, unless they hold what is shown once; the focus goes back to where
// it was: <dialog> does that.

import { el, icon } from "./dom.js";

function open(dialog, isKept = false) {
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  // Preventing `cancel` would not do: browsers close a dialog at the second Escape whatever the page says.
  if (isKept) dialog.addEventListener("keydown", (event) => event.key === "Escape" && event.preventDefault());
  else dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.showModal();
  return dialog;
}

// A dialog with `content`, which may call the `close` that it is given. `isKept`: only that closes it.
export function showDialog(title, makeContent, { isKept = false } = {}) {
  const dialog = el("dialog", { class: "dialog", "aria-labelledby": "dialog-title", closedby: isKept ? "none" : null });
  // Browsers tell of a closed dialog a moment later; what was shown once has gone when the button was pressed.
  const close = () => {
    dialog.close();
    dialog.remove();
  };
  dialog.append(el("h2", { id: "dialog-title" }, title), ...[makeContent(close)].flat());
  return open(dialog, isKept);
}

// Whether the person said yes. `text` may be elements.
export function confirmed(title, text, yes, { danger = false } = {}) {
  return new Promise((resolve) => {
    let answer = false;
    const dialog = showDialog(title, (close) => [
      el("div", { class: "dialog-body" }, text),
      el(
        "div",
        { class: "row end" },
        el("button", { class: "button", type: "button", onclick: close }, "Cancel"),
        el(
          "button",
          {
            class: `button ${danger ? "danger" : "primary"}`,
            type: "button",
            onclick: () => {
              answer = true;
              close();
            },
          },
          yes,
        ),
      ),
    ]);
    dialog.addEventListener("close", () => resolve(answer));
  });
}

// A panel at the side; gives it and the element to fill.
export function showDrawer(title, tools = []) {
  const body = el("div", { class: "drawer-body" });
  const dialog = el(
    "dialog",
    { class: "drawer", "aria-labelledby": "drawer-title" },
    el(
      "div",
      { class: "drawer-head" },
      el("h2", { id: "drawer-title" }, title),
      tools,
      el(
        "button",
        { class: "button quiet square", type: "button", "aria-label": "Close", onclick: () => dialog.close() },
        icon("close"),
      ),
    ),
    body,
  );
  return { dialog: open(dialog), body };
}

const MESSAGE_MS = 6_000;

// A sentence in the corner, that goes by itself; `action` is [label, what it does].
export function say(text, { bad = false, action = null, ms = MESSAGE_MS } = {}) {
  let box = document.querySelector(".messages");
  if (!box) {
    box = el("div", { class: "messages", role: "status", popover: "manual" });
    document.body.append(box);
  }
  const act = action && el("button", { class: "link-button", type: "button" }, action[0]);
  const message = el("div", { class: bad ? "message bad" : "message" }, el("span", {}, text), act);
  act?.addEventListener("click", () => {
    message.remove();
    action[1]();
  });
  box.append(message);
  // On top of an open dialog, which is what the top layer is for.
  box.hidePopover();
  box.showPopover();
  setTimeout(() => message.remove(), ms);
  return message;
}
