"use strict";

// The page is the answer to a form: loading it anew would send the form, and make a key, once more.
history.replaceState(null, "", document.getElementById("all-keys").href);

const field = document.getElementById("made-key");
const button = document.getElementById("copy-key");

field.addEventListener("focus", () => field.select());
button.addEventListener("click", async () => {
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    button.textContent = "Copied";
  } catch {
    // Browsers lend the clipboard to pages over https or from this machine only; the text is selected meanwhile.
    button.textContent = "Press Ctrl+C";
  }
});
