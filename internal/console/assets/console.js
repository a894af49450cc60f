// What the pages do besides: they read and work without it.
"use strict";

// Times in the reader's own zone.
for (const t of document.querySelectorAll("time[data-local]")) {
  const at = new Date(t.dateTime);
  t.title = t.textContent;
  const parts = [at.toLocaleDateString([], { dateStyle: "medium" }), at.toLocaleTimeString([], { timeStyle: "short" })];
  t.textContent = parts.map((p) => p.replace(/\s/g, "\u00a0")).join(", "); // breaks in one place only
}

// Copy buttons. Without a clipboard (plain HTTP beyond this machine) the text
// is selected instead.
for (const button of document.querySelectorAll("button[data-copy]")) {
  const source = document.getElementById(button.dataset.copy);
  const label = button.textContent;
  const name = source.getAttribute("aria-label") ||
    (document.getElementById(source.getAttribute("aria-labelledby")) || {}).textContent || "";
  button.setAttribute("aria-label", label + " " + name);
  button.hidden = false;
  const told = document.createElement("span");
  told.className = "unseen";
  told.setAttribute("aria-live", "polite");
  button.after(told);
  const say = (word, sentence) => {
    button.textContent = word;
    told.textContent = sentence;
    setTimeout(() => { button.textContent = label; told.textContent = ""; }, 2000);
  };
  button.addEventListener("click", () => {
    const select = () => {
      getSelection().selectAllChildren(source);
      say("Selected", name + " is selected: copy it with your keyboard.");
    };
    if (!navigator.clipboard) {
      select();
      return;
    }
    navigator.clipboard.writeText(source.textContent).then(() => say("Copied", name + " copied."), select);
  });
}

// Countdowns. The ticking is for eyes; now and then it is said aloud.
for (const shown of document.querySelectorAll("[data-countdown]")) {
  const end = Date.parse(shown.dataset.countdown);
  const told = document.getElementById(shown.dataset.tell);
  const marks = [300, 60, 0];
  let last = Infinity;
  const two = (n) => String(n).padStart(2, "0");
  const tick = () => {
    const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    const hours = Math.floor(left / 3600);
    shown.textContent = left === 0 ? "ended" :
      "in " + (hours ? hours + ":" + two(Math.floor(left / 60) % 60) : Math.floor(left / 60)) + ":" + two(left % 60);
    shown.classList.toggle("soon", left <= 300);
    for (const m of marks) {
      if (told && left <= m && last > m && last !== Infinity) {
        told.textContent = m ? "The keys end in " + m / 60 + (m === 60 ? " minute." : " minutes.") : "The keys have ended.";
      }
    }
    last = left;
    if (left > 0) setTimeout(tick, 1000 - (Date.now() % 1000));
  };
  tick();
}

// A chooser of rights limits the chooser of durations.
for (const chooser of document.querySelectorAll("select[data-limits]")) {
  const limited = document.getElementById(chooser.dataset.limits);
  const fit = () => {
    const most = Number(chooser.selectedOptions[0].dataset.most);
    for (const o of limited.options) o.disabled = Number(o.value) > most;
    if (limited.selectedOptions[0].disabled) {
      const open = [...limited.options].filter((o) => !o.disabled);
      limited.value = open[open.length - 1].value;
    }
  };
  chooser.addEventListener("change", fit);
  fit();
}
